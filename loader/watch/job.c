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

	if (to_parent && pipe2(ends, O_CLOEXEC | O_NONBLOCK))
		return -1;
	*job = (struct job){
		.pid = fork(),
		.out = ends[0],
		.began_ns = clock_ns(CLOCK_MONOTONIC),
	};
	if (!job->pid)
		become_child();
	else if (ends[1] >= 0)
		close(ends[1]);
	if (job->pid > 0)
		setpgid(job->pid, job->pid);
	if (job->pid < 0 && ends[0] >= 0)
		close(ends[0]);
	if (to_parent)
		*to_parent = ends[1];
	return job->pid;
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
