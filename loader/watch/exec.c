// SPDX-License-Identifier: GPL-2.0-only
/* Part: runs the command of --exec for each change, one after the other. */
#include "loop.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

/* A command that takes long must not make us grow without end. */
#define CHANGES_MAX 1000

void exec_push(struct watch *w, struct facts *facts)
{
	struct change *change =
		w->n_changes < CHANGES_MAX ? calloc(1, sizeof(*change)) : NULL;

	if (!change) {
		warn("%s: --exec is not told of a change: it takes too long",
		     w->options->ifname);
		return;
	}
	change->facts = *facts;
	*facts = (struct facts){0};
	*w->last = change;
	w->last = &change->next;
	w->n_changes++;
}

static void pop(struct watch *w)
{
	struct change *change = w->first;

	w->first = change->next;
	if (!w->first)
		w->last = &w->first;
	w->n_changes--;
	facts_free(&change->facts);
	free(change);
}

/* In the child. Its output is no message to systemd. */
static void become_command(const char *command, const struct facts *facts)
{
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	dup2(null, STDIN_FILENO);
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
	for (size_t i = 0; i < facts->n; i++)
		putenv(facts->all[i]);
	execl("/bin/sh", "sh", "-c", command, NULL);
	_exit(127);
}

static void start_command(struct watch *w)
{
	pid_t pid = job_fork(&w->command, NULL);

	if (!pid)
		become_command(w->options->command, &w->first->facts);
	if (pid < 0)
		warn("%s: --exec: cannot start a process: %s",
		     w->options->ifname, strerror(errno));
	pop(w);
}

static void say_end(const struct watch *w, int status)
{
	const char *ifname = w->options->ifname;

	if (w->command.killed)
		warn("%s: --exec took more than 30 s and was ended", ifname);
	else if (WIFSIGNALED(status))
		warn("%s: --exec ended by signal %d", ifname, WTERMSIG(status));
	else if (WEXITSTATUS(status))
		warn("%s: --exec ended with status %d", ifname,
		     WEXITSTATUS(status));
}

static uint64_t next_exec(const struct watch *w)
{
	return job_deadline(&w->command);
}

static void work_exec(struct watch *w, uint64_t now_ns)
{
	int status;

	if (job_ended(&w->command, now_ns, &status))
		say_end(w, status);
	if (w->command.pid <= 0 && w->first)
		start_command(w);
}

const struct part exec_part = {.next = next_exec, .work = work_exec};

void exec_close(struct watch *w)
{
	if (w->command.pid > 0)
		kill(-w->command.pid, SIGKILL);
	while (w->first)
		pop(w);
}
