// SPDX-License-Identifier: GPL-2.0-only
/* `tunload status` */
#include "cmd.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "maps/maps.h"
#include "show/show.h"

static void snapshot_free(struct snapshot *s)
{
	conf_free(&s->conf);
	free(s->peers);
	free(s->own);
	free(s->host.addrs);
}

static int read_stats(const struct maps *m, struct snapshot *s)
{
	struct tl_peer_stats all;
	int ret = stats_read(m, TL_PEER_NONE, &all);

	s->verdicts = all.verdicts;
	s->peers = calloc(s->conf.n_peers + 1, sizeof(*s->peers));
	if (!s->peers)
		return fail("out of memory");
	return ret ?: stats_read_all(m, &s->conf, s->peers);
}

/* What somebody else may have changed. Routes that cannot be compared are no
 * reason to show nothing. */
static int read_host(struct snapshot *s)
{
	int ret = link_info(s->conf.ifname, &s->host.link);

	if (!ret)
		ret = addr_list(s->conf.ifindex, &s->host.addrs, &s->host.n);
	if (!ret)
		ret = addr_list(0, &s->own, &s->n_own);
	if (!ret && routes_pending(&s->conf, NULL, &s->changes_pending))
		s->changes_pending = 0;
	return ret;
}

static void read_hooks(struct snapshot *s)
{
	struct pins p = {0};

	strcpy(p.ifname, s->conf.ifname);
	hooks_query(&p, s->iface.ifindex, &s->hooks);
	hooks_missing(p.ifname, &s->iface, s->hooks_missing);
	s->kernel_has_tcx = hooks_have_tcx(s->iface.ifindex);
}

static int snapshot_read(struct snapshot *s, const char *ifname)
{
	struct maps m;
	int ret = maps_open(&m, ifname);

	if (ret)
		return ret;
	/* The clock of the data plane, so that the two agree on what still
	 * holds: the exact one is up to a tick ahead of it. */
	*s = (struct snapshot){.now_ns = clock_ns(CLOCK_MONOTONIC_COARSE)};
	ret = interface_read(&m, &s->iface);
	/* Somebody may have edited it by hand. */
	s->iface.mode_reason[TL_REASON_LEN - 1] = '\0';
	if (!ret)
		ret = state_read(&m, ifname, &s->conf);
	if (!ret) {
		read_hooks(s);
		ret = read_stats(&m, s);
		if (!ret)
			ret = read_host(s);
		if (ret)
			snapshot_free(s);
	}
	maps_close(&m);
	return ret;
}

/* list NULL: text. */
static int show_one(const char *ifname, json_t *list)
{
	struct next_hop hop = {0};
	struct snapshot s;
	int ret = snapshot_read(&s, ifname);

	if (ret)
		return ret;
	hop.oif = s.conf.ifindex;
	s.last_hop = &hop;
	if (!list)
		status_text(stdout, &s);
	else if (json_array_append_new(list, status_json(&s)))
		ret = fail("out of memory");
	snapshot_free(&s);
	return ret;
}

/* Pins of another network namespace are somebody else's business. */
static bool is_foreign(const char *ifname)
{
	struct tl_interface iface;
	uint64_t cookie;

	return pins_interface(ifname, &iface) && iface.netns_cookie &&
	       !netns_cookie(&cookie) && cookie != iface.netns_cookie;
}

static int show_all(json_t *list)
{
	char(*names)[IFNAMSIZ];
	size_t n, shown = 0;
	int ret = pins_list(&names, &n);

	if (ret)
		return ret;
	for (size_t i = 0; i < n; i++) {
		if (!list && i)
			putchar('\n');
		if (!is_foreign(names[i])) {
			ret |= show_one(names[i], list);
			shown++;
		} else if (!list) {
			printf("%s: attached in another network namespace\n",
			       names[i]);
		}
	}
	free(names);
	if (!list && !shown)
		printf("no interface is attached here: run `tunload attach IFACE`\n");
	return ret;
}

static int show_json(const char *ifname)
{
	json_t *list = json_array();
	int ret = ifname ? show_one(ifname, list) : show_all(list);

	if (!ifname)
		return json_print(list, JSON_INDENT(2)) ?: ret;
	if (!ret)
		ret = json_print(json_incref(json_array_get(list, 0)),
				 JSON_INDENT(2));
	json_decref(list);
	return ret;
}

static int run_status(int argc, char **argv)
{
	const char *ifname = NULL;
	bool json = false;
	const struct opt opts[] = {{"json", .flag = &json}, {0}};
	int ret = take_options(argc, argv, opts);

	if (ret)
		return ret;
	if (optind < argc) {
		ifname = take_iface(argc, argv);
		if (!ifname)
			return USAGE;
	}
	ret = no_more_args(argc, argv) ?: require_bpf();
	if (ret)
		return ret;
	if (json)
		return show_json(ifname);
	return ifname ? show_one(ifname, NULL) : show_all(NULL);
}

const struct command cmd_status = {
	.name = "status",
	.run = run_status,
	.args = "[IFACE] [--json]",
	.brief = "show what runs, counters of peers, drops by reason",
	.text = "Without IFACE: every attached interface.\n"
		"\n"
		"  --json   for programs\n",
};
