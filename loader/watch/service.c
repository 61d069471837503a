// SPDX-License-Identifier: GPL-2.0-only
/* Part: tells systemd that we are ready, how the peers are, and, as often as it
 * wants, that we still work. */
#include "loop.h"

/* The number of peers, and how many are up; sent when it changes. */
static void tell_status(struct watch *w)
{
	char text[STATUS_LEN];
	size_t up = 0;

	for (size_t i = 0; i < w->now.n_peers; i++)
		up += w->watched[i].life.state == LIFE_UP;
	if (w->attached)
		snprintf(text, sizeof(text), "STATUS=%zu peer%s, %zu up",
			 w->now.n_peers, w->now.n_peers == 1 ? "" : "s", up);
	else
		snprintf(text, sizeof(text), "STATUS=waiting for %s",
			 w->options->ifname);
	if (strcmp(text, w->status))
		service_notify(text);
	strcpy(w->status, text);
}

static uint64_t next_ping(const struct watch *w)
{
	return w->ping_every_ns ? w->ping_ns : NEVER;
}

static void work_service(struct watch *w, uint64_t now_ns)
{
	if (!w->ready) {
		w->ready = true;
		/* Twice as often as systemd asks for (sd_notify(3)). */
		w->ping_every_ns = service_watchdog_ns() / 2;
		service_notify("READY=1");
	}
	tell_status(w);
	if (next_ping(w) <= now_ns) {
		service_notify("WATCHDOG=1");
		w->ping_ns = now_ns + w->ping_every_ns;
	}
	if (w->ended)
		service_notify("STOPPING=1");
}

const struct part service_part = {.next = next_ping, .work = work_service};
