// SPDX-License-Identifier: GPL-2.0-only
/* The loop: waits, and lets every part do its work. */
#include "loop.h"

#include <errno.h>
#include <unistd.h>

static const struct part *const parts[] = {
	&signals_part, &host_part, &attached_part, &peers_part, &names_part,
	&align_part,   &exec_part, &service_part,  &tell_part,
};
#define N_PARTS (sizeof(parts) / sizeof(*parts))

void fds_add_for(struct fds *fds, int fd, short events)
{
	if (fd >= 0 && fds->n < sizeof(fds->all) / sizeof(*fds->all))
		fds->all[fds->n++] =
			(struct pollfd){.fd = fd, .events = events};
}

void fds_add(struct fds *fds, int fd)
{
	fds_add_for(fds, fd, POLLIN);
}

/* Rounded up, as the last millisecond would be a busy loop. */
static int wait_ms(const struct watch *w)
{
	uint64_t until = NEVER, now = clock_ns(CLOCK_MONOTONIC);

	for (size_t i = 0; i < N_PARTS; i++) {
		uint64_t next = parts[i]->next ? parts[i]->next(w) : NEVER;

		if (next < until)
			until = next;
	}
	if (until <= now)
		return 0;
	if (until - now > 60 * NS_PER_S)
		return 60000;
	return (until - now) / NS_PER_MS + 1;
}

static void run_once(struct watch *w)
{
	struct fds fds = {0};

	for (size_t i = 0; i < N_PARTS; i++)
		if (parts[i]->wait)
			parts[i]->wait(w, &fds);
	poll(fds.all, fds.n, wait_ms(w));
	for (size_t i = 0; i < N_PARTS; i++)
		parts[i]->work(w, clock_ns(CLOCK_MONOTONIC));
}

static int open_watch(struct watch *w)
{
	w->last = &w->first;
	w->align.out = w->command.out = -1;
	w->echo.fd4 = w->echo.fd6 = -1;
	report_divert(watch_report, NULL);
	tell_open(w);
	return signals_open(w) ?: host_open(w);
}

static void close_watch(struct watch *w)
{
	tell_close(w);
	attached_close(w);
	exec_close(w);
	host_close(w);
	signals_close(w);
	report_divert(NULL, NULL);
}

int watch(const struct watch_options *options)
{
	struct watch w = {.options = options};
	int ret = open_watch(&w);

	while (!ret && !w.ended)
		run_once(&w);
	close_watch(&w);
	return ret;
}
