// SPDX-License-Identifier: GPL-2.0-only
/* Part: ends at SIGTERM and SIGINT; wakes up at the end of a child. */
#include "loop.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

static sigset_t handled(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGCHLD);
	return set;
}

int signals_open(struct watch *w)
{
	sigset_t set = handled();

	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	w->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return w->signals >= 0
		       ? OK
		       : fail("cannot receive signals: %s", strerror(errno));
}

void signals_close(struct watch *w)
{
	if (w->signals >= 0)
		close(w->signals);
}

static void wait_signals(const struct watch *w, struct fds *fds)
{
	fds_add(fds, w->signals);
}

static void take_signals(struct watch *w, uint64_t now_ns)
{
	struct signalfd_siginfo info;

	(void)now_ns;
	while (read(w->signals, &info, sizeof(info)) == sizeof(info))
		w->ended |= info.ssi_signo != SIGCHLD;
}

const struct part signals_part = {.wait = wait_signals, .work = take_signals};
