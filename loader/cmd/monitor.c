// SPDX-License-Identifier: GPL-2.0-only
/* `tunload monitor` */
#include "cmd.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "show/show.h"

#define LISTEN_NS  2000000000ull /* a request for events ends if not renewed */
#define REFRESH_NS 500000000ull
#define POLL_MS	   100

struct monitor {
	const char *ifname;
	struct maps maps;
	bool json;
	struct screen to;
	uint64_t asked_ns; /* time of the last request for events */
	int status;	   /* of printing */
};

static volatile sig_atomic_t stop;

static void on_signal(int signal)
{
	(void)signal;
	stop = 1;
}

static int print_event(void *ctx, void *data, size_t size)
{
	struct monitor *mon = ctx;
	const struct tl_event *e = data;
	struct tl_peer peer = {0};
	double time;

	if (size < sizeof(*e))
		return 0;
	time = (clock_ns(CLOCK_REALTIME) - clock_ns(CLOCK_MONOTONIC) +
		e->time_ns) /
	       1e9;
	if (e->peer != TL_PEER_NONE)
		bpf_map_lookup_elem(mon->maps.peers, &e->peer, &peer);
	peer.name[sizeof(peer.name) - 1] = '\0';
	if (mon->json)
		mon->status = json_print(event_json(e, time, peer.name),
					 JSON_COMPACT);
	else
		event_text(&mon->to, e, time, peer.name);
	if (!mon->status && (fflush(stdout) || ferror(stdout)))
		mon->status = fail("cannot write to standard output");
	return mon->status ? -ECANCELED : 0;
}

/* From now on there are events. */
static void begin(const struct monitor *mon)
{
	fprintf(stderr, "listening on %s, ^C ends\n", mon->ifname);
	if (!mon->json)
		event_head(&mon->to);
	fflush(stdout);
}

static int poll_events(struct monitor *mon, struct ring_buffer *rb)
{
	uint64_t now = clock_ns(CLOCK_MONOTONIC);
	bool asked = false;
	int n;

	if (now - mon->asked_ns >= REFRESH_NS &&
	    events_ask(&mon->maps, mon->ifname, now + LISTEN_NS, &asked))
		return FAILED;
	if (asked && !mon->asked_ns)
		begin(mon);
	if (asked)
		mon->asked_ns = now;
	n = ring_buffer__poll(rb, POLL_MS);
	if (n < 0 && n != -EINTR && n != -ECANCELED)
		return fail("%s: cannot read the events: %s", mon->ifname,
			    strerror(-n));
	return mon->status;
}

static int monitor(struct monitor *mon)
{
	struct sigaction act = {.sa_handler = on_signal};
	struct ring_buffer *rb;
	int ret = OK;
	bool asked;

	rb = ring_buffer__new(mon->maps.events, print_event, mon, NULL);
	if (!rb)
		return fail("%s: cannot open the events: %s", mon->ifname,
			    strerror(errno));
	sigaction(SIGINT, &act, NULL);
	sigaction(SIGTERM, &act, NULL);
	/* The kernel gives each event to one reader only. */
	if (events_asked(&mon->maps))
		warn("%s: another monitor is running, or was until 2 s ago: each event goes to only one of them",
		     mon->ifname);
	while (!stop && !ret)
		ret = poll_events(mon, rb);
	if (!ret)
		ret = events_ask(&mon->maps, mon->ifname, 0, &asked);
	ring_buffer__free(rb);
	return ret;
}

static int run_monitor(int argc, char **argv)
{
	struct monitor mon = {0};
	const struct opt opts[] = {{"json", .flag = &mon.json}, {0}};
	int ret = only_iface(argc, argv, opts, &mon.ifname) ?: require_bpf();

	if (!ret)
		ret = maps_open(&mon.maps, mon.ifname);
	if (ret)
		return ret;
	screen_init(&mon.to);
	ret = monitor(&mon);
	maps_close(&mon.maps);
	return ret;
}

const struct command cmd_monitor = {
	.name = "monitor",
	.run = run_monitor,
	.args = "IFACE [--json]",
	.brief = "print events as they happen, until interrupted",
	.text = "An event is a packet that was neither plain nor simply tunnelled: time,\n"
		"fate, verdict, peer, length, addresses, ICMP type and code. At most 1000\n"
		"a second and CPU.\n"
		"\n"
		"  --json   one object a line\n",
};
