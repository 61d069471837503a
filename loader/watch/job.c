// SPDX-License-Identifier: GPL-2.0-only
/* Child processes, which do what may take long. */
#include "loop.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* What a child has of its own: a process group, which can be killed as a
 * whole, and no blocked signals. */
static void become_child(void)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	setpgid(0, 0);
	nl_forget();
}

pid_t job_fork(struct job *job, int *to_parent)
{
	int ends[2] = {-1, -1};
	pid_t pid;

	if (to_parent && pipe2(ends, O_CLOEXEC | O_NONBLOCK))
		return -1;
	pid = fork();
	if (!pid)
		become_child();
	if (pid > 0) {
		/* Whichever of us is first: the group must be there. */
		setpgid(pid, pid);
		*job = (struct job){
			.pid = pid,
			.out = ends[0],
			.began_ns = clock_ns(CLOCK_MONOTONIC),
		};
	}
	if (pid < 0 && to_parent)
		close(ends[0]);
	if (pid && to_parent)
		close(ends[1]);
	if (to_parent)
		*to_parent = ends[1];
	return pid;
}

uint64_t job_deadline(const struct job *job)
{
	return job->pid > 0 && !job->killed ? job->began_ns + JOB_NS : NEVER;
}

bool job_ended(struct job *job, uint64_t now_ns, int *status)
{
	if (job->pid <= 0)
		return false;
	if (now_ns >= job_deadline(job)) {
		kill(-job->pid, SIGKILL);
		job->killed = true;
	}
	if (waitpid(job->pid, status, WNOHANG) != job->pid)
		return false;
	job->pid = 0;
	return true;
}
