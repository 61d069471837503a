// SPDX-License-Identifier: GPL-2.0-only
/*
 * Part: brings the tunnels in line with the host. A child does the work: it
 * may have to wait for the lock, or for a name server.
 */
#include "loop.h"

#include <errno.h>
#include <unistd.h>

#define SOON_NS	  (100 * NS_PER_MS) /* changes come in bursts */
#define PERIOD_NS (25 * NS_PER_S)   /* as the timer's */
/* After a run, a rest of so many times as long: where changes never end (a
 * router's table), following them must not become all that the host does. */
#define REST 20

/* The child's lines begin with what they are. */
#define SAID_ERROR  '!'
#define SAID_MENDED '+'

void align_soon(struct watch *w)
{
	uint64_t soon = clock_ns(CLOCK_MONOTONIC) + SOON_NS;

	if (soon < w->align_ns)
		w->align_ns = soon;
}

/* Makes others carry, or not, what each peer shares. */
static void set_silent(struct conf *want, const void *data)
{
	for_each_peer (p, want) {
		const struct watched *at = was_watched(data, p);

		if (at && at->others != !!p->silent_ns)
			p->silent_ns = at->others ? at->life.since_ns : 0;
	}
}

static void tell_parent(void *to, const char *line)
{
	dprintf(*(int *)to, "%c%s\n", SAID_ERROR, line);
}

static void run_child(struct watch *w, const struct answers *lost,
		      int to_parent)
{
	const struct due due = {
		.ifname = w->options->ifname,
		.change = set_silent,
		.data = w,
		.lost = lost,
		.first_packets = true,
	};
	char *said;
	int ret;

	/* Else the next watch, after a kill -9 of this one, could not listen.
	 */
	tell_close(w);
	report_divert(tell_parent, &to_parent);
	ret = align_due(&due, &said);
	if (!ret && said && *said)
		dprintf(to_parent, "%c%s\n", SAID_MENDED, said);
	_exit(ret);
}

static void start_align(struct watch *w, uint64_t now_ns)
{
	struct answers lost = names_lost(w);
	int to_parent;
	pid_t pid = job_fork(&w->align, &to_parent);

	if (!pid)
		run_child(w, &lost, to_parent);
	free(lost.all);
	if (pid < 0)
		fail("%s: cannot start a process: %s", w->options->ifname,
		     strerror(errno));
	w->align_ns = now_ns + PERIOD_NS;
	w->at_once = false;
}

static void take_said(struct watch *w)
{
	ssize_t len;

	if (w->align.out < 0)
		return;
	do {
		len = read(w->align.out, w->said + w->said_len,
			   sizeof(w->said) - 1 - w->said_len);
		if (len > 0)
			w->said_len += len;
	} while (len > 0);
	if (len < 0 && errno == EAGAIN)
		return;
	close(w->align.out);
	w->align.out = -1;
}

static void log_said(struct watch *w)
{
	char *rest = NULL, *line;

	w->said[w->said_len] = '\0';
	line = strtok_r(w->said, "\n", &rest);
	for (; line; line = strtok_r(NULL, "\n", &rest)) {
		if (*line == SAID_ERROR)
			watch_report(NULL, line + 1);
		else
			watch_log(LOG_NOTICE, NULL, "%s: mended: %s",
				  w->options->ifname, line + 1);
	}
	w->said_len = 0;
}

static void end_align(struct watch *w, uint64_t now_ns)
{
	uint64_t rest;

	take_said(w);
	if (w->align.out >= 0)
		close(w->align.out);
	w->align.out = -1;
	if (w->align.killed)
		warn("%s: bringing it in line with the host took more than 30 s and was ended",
		     w->options->ifname);
	log_said(w);
	rest = REST * (now_ns - w->align.began_ns);
	w->rest_ns = now_ns + (rest < PERIOD_NS ? rest : PERIOD_NS);
	if (w->attached)
		peers_read(w);
}

static void wait_align(const struct watch *w, struct fds *fds)
{
	fds_add(fds, w->align.out);
}

static uint64_t next_align(const struct watch *w)
{
	if (w->align.pid)
		return job_deadline(&w->align);
	if (!w->attached)
		return NEVER;
	if (w->at_once)
		return 0;
	return w->align_ns > w->rest_ns ? w->align_ns : w->rest_ns;
}

static void work_align(struct watch *w, uint64_t now_ns)
{
	int status;

	take_said(w);
	if (job_ended(&w->align, now_ns, &status))
		end_align(w, now_ns);
	if (!w->align.pid && next_align(w) <= now_ns)
		start_align(w, now_ns);
}

const struct part align_part = {
	.wait = wait_align,
	.next = next_align,
	.work = work_align,
};
