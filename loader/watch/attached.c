// SPDX-License-Identifier: GPL-2.0-only
/* Part: knows whether the interface is attached; waits for it if it is not. */
#include "loop.h"

#include <bpf/bpf.h>
#include <sys/stat.h>

#define LOOK_NS NS_PER_S

/* An attachment's pins are files of their own: another inode is another
 * attachment. */
static uint64_t inode_of_pin(const char *ifname)
{
	char path[PATH_MAX];
	struct stat st;

	if (pins_path(path, ifname, "interface") || stat(path, &st))
		return 0;
	return st.st_ino;
}

static bool still_attached(const struct watch *w)
{
	const char *ifname = w->options->ifname;

	return inode_of_pin(ifname) == w->pin &&
	       if_nametoindex(ifname) == w->now.ifindex;
}

/* Changes by other commands, and MTUs that the data plane has learned. */
static uint32_t count_changes(const struct watch *w)
{
	struct tl_generations now = {0};
	uint32_t zero = 0;

	bpf_map_lookup_elem(w->maps.generations, &zero, &now);
	return now.maps + now.learned;
}

void attached_close(struct watch *w)
{
	if (!w->attached)
		return;
	w->attached = false;
	peers_free(w);
	maps_close(&w->maps);
}

static void keep_why(void *to, const char *line)
{
	snprintf(to, WHY_LEN, "%s", line);
}

/* Says why, if it is so for longer than a moment. */
static void say_why(struct watch *w, const char *why)
{
	if (strcmp(w->why, why)) {
		strcpy(w->why, why);
		w->told = false;
	} else if (!w->told) {
		watch_log(LOG_WARNING, NULL, "%s: waiting for it: %s",
			  w->options->ifname, why);
		w->told = true;
	}
}

static void try_to_open(struct watch *w, uint64_t now_ns)
{
	const char *ifname = w->options->ifname;
	char why[WHY_LEN] = "";
	int ret;

	report_divert(keep_why, why);
	w->pin = inode_of_pin(ifname);
	ret = maps_open(&w->maps, ifname);
	report_divert(watch_report, NULL);
	if (ret)
		return say_why(w, why);
	w->changes = count_changes(w);
	w->attached = true;
	if (peers_read(w))
		return attached_close(w);
	w->why[0] = '\0';
	w->align_ns = now_ns;
	watch_log(LOG_INFO, NULL, "%s: watching %zu peer%s", ifname,
		  w->now.n_peers, w->now.n_peers == 1 ? "" : "s");
}

static uint64_t next_look(const struct watch *w)
{
	return w->look_ns;
}

static void look_at_pins(struct watch *w, uint64_t now_ns)
{
	uint32_t changes;

	if (now_ns < w->look_ns)
		return;
	w->look_ns = now_ns + LOOK_NS;
	if (w->attached && !still_attached(w)) {
		watch_log(LOG_WARNING, NULL, "%s: detached, or gone",
			  w->options->ifname);
		attached_close(w);
	}
	if (!w->attached)
		return try_to_open(w, now_ns);
	changes = count_changes(w);
	if (changes != w->changes)
		align_soon(w);
	w->changes = changes;
}

const struct part attached_part = {.next = next_look, .work = look_at_pins};
