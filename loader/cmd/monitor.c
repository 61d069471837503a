// SPDX-License-Identifier: GPL-2.0-only
/* `tunload monitor` */
#include "cmd.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "maps/maps.h"
#include "show/show.h"

#define LISTEN_NS  2000000000ull /* how long an unrenewed request lasts */
#define REFRESH_NS 500000000ull
#define POLL_MS	   100

struct monitor {
	const char *ifname;
	struct maps maps;
	bool json;
	uint64_t refreshed_ns;
	int status; /* of printing */
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
		event_text(stdout, e, time, peer.name);
	if (!mon->status && (fflush(stdout) || ferror(stdout)))
		mon->status = fail("cannot write to standard output");
	return mon->status ? -ECANCELED : 0;
}

/* Writes when to stop sending events. The entry has other fields, so not while
 * a command that changes them holds the lock: then later. */
static int set_until(struct monitor *mon, int dir_fd, uint64_t until_ns)
{
	struct tl_interface iface;
	int ret;

	if (flock(dir_fd, LOCK_EX | LOCK_NB))
		return OK;
	ret = interface_read(&mon->maps, &iface);
	iface.monitor_until_ns = until_ns;
	if (!ret)
		ret = interface_write(&mon->maps, &iface);
	flock(dir_fd, LOCK_UN);
	mon->refreshed_ns = clock_ns(CLOCK_MONOTONIC);
	return ret;
}

static uint32_t map_id(int fd)
{
	struct bpf_map_info info = {0};
	uint32_t size = sizeof(info);

	return bpf_obj_get_info_by_fd(fd, &info, &size) ? 0 : info.id;
}

/* What is pinned is what we listen to: nobody detached it, not even to attach
 * again. */
static bool is_pinned(const struct monitor *mon)
{
	char path[PATH_MAX];
	uint32_t id;
	int fd;

	if (pins_path(path, mon->ifname, "events"))
		return false;
	fd = bpf_obj_get(path);
	if (fd < 0)
		return false;
	id = map_id(fd);
	close(fd);
	return id == map_id(mon->maps.events);
}

/* Asks for events for a while; FAILED when the interface is detached. */
static int listen_until(struct monitor *mon, uint64_t until_ns)
{
	char dir[PATH_MAX];
	int fd, ret = pins_path(dir, mon->ifname, NULL);

	if (ret)
		return ret;
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || !is_pinned(mon)) {
		if (fd >= 0)
			close(fd);
		return fail("%s was detached", mon->ifname);
	}
	ret = set_until(mon, fd, until_ns);
	close(fd);
	return ret;
}

static int poll_events(struct monitor *mon, struct ring_buffer *rb)
{
	uint64_t now = clock_ns(CLOCK_MONOTONIC);
	int n;

	if (now - mon->refreshed_ns >= REFRESH_NS &&
	    listen_until(mon, now + LISTEN_NS))
		return FAILED;
	n = ring_buffer__poll(rb, POLL_MS);
	if (n < 0 && n != -EINTR && n != -ECANCELED)
		return fail("%s: cannot read the events: %s", mon->ifname,
			    strerror(-n));
	return mon->status;
}

/* Each event goes to one reader only. */
static void warn_of_another(const struct monitor *mon)
{
	struct tl_interface iface;

	if (!interface_read(&mon->maps, &iface) &&
	    iface.monitor_until_ns > clock_ns(CLOCK_MONOTONIC))
		warn("%s: another monitor runs, or did 2 s ago: each event goes to only one of them",
		     mon->ifname);
}

static int monitor(struct monitor *mon)
{
	struct sigaction act = {.sa_handler = on_signal};
	struct ring_buffer *rb;
	int ret = OK;

	rb = ring_buffer__new(mon->maps.events, print_event, mon, NULL);
	if (!rb)
		return fail("%s: cannot open the events: %s", mon->ifname,
			    strerror(errno));
	sigaction(SIGINT, &act, NULL);
	sigaction(SIGTERM, &act, NULL);
	warn_of_another(mon);
	while (!stop && !ret)
		ret = poll_events(mon, rb);
	if (!ret)
		ret = listen_until(mon, 0);
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
		"verdict, peer, addresses, length. At most 1000 a second and CPU.\n"
		"\n"
		"  --json   one object a line\n",
};
