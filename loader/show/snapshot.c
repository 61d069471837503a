// SPDX-License-Identifier: GPL-2.0-only
/* Reads what `tunload status` shows. */
#include "show.h"

#include <string.h>

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

/* Reads the part of the host that others may have changed. Goes on if the
 * routes cannot be compared. */
static int read_host(struct snapshot *s)
{
	int ret = link_info(s->conf.ifname, &s->host.link);

	if (!ret)
		ret = addr_list(s->conf.ifindex, &s->host.addrs);
	if (!ret)
		ret = addr_list(0, &s->own);
	if (!ret && routes_pending(&s->conf, NULL, &s->changes_pending))
		s->changes_pending = 0;
	return ret;
}

static void read_hooks(struct snapshot *s)
{
	const char *ifname = s->conf.ifname;

	hooks_query(ifname, s->iface.ifindex, &s->hooks);
	hooks_missing(ifname, &s->iface, s->hooks_missing);
	s->kernel_has_tcx = hooks_have_tcx(s->iface.ifindex);
}

void snapshot_free(struct snapshot *s)
{
	owners_free(&s->owners);
	conf_free(&s->conf);
	json_decref(s->watch);
	free(s->peers);
	free(s->rates);
	free(s->shown);
	free(s->own.all);
	free(s->forward_to);
	free(s->host.addrs.all);
}

/* Only with different priorities can one peer stand in for another. */
static int read_owners(struct snapshot *s)
{
	if (!s->conf.routes)
		return OK;
	for_each_peer (p, &s->conf)
		if (p->priority != s->conf.peers->priority)
			return owners_init(&s->owners, &s->conf);
	return OK;
}

bool stands_by(const struct snapshot *s, const struct peer *p)
{
	for_each_allowed (a, p)
		if (carrier(s, a, p) == p)
			return false;
	return p->n_allowed;
}

static int show_all_peers(struct snapshot *s)
{
	s->shown = calloc(s->conf.n_peers + 1, sizeof(*s->shown));
	if (!s->shown)
		return fail("out of memory");
	for (; s->n_shown < s->conf.n_peers; s->n_shown++)
		s->shown[s->n_shown] = s->n_shown;
	return OK;
}

int snapshot_select(struct snapshot *s, char **names, size_t n)
{
	size_t *shown;

	if (!n)
		return OK;
	shown = calloc(n, sizeof(*shown));
	if (!shown)
		return fail("out of memory");
	free(s->shown);
	s->shown = shown;
	s->n_shown = 0;
	for (size_t i = 0; i < n; i++) {
		const struct peer *p = conf_peer(&s->conf, names[i]);

		if (!p)
			return fail_no_peer(&s->conf, names[i]);
		shown[s->n_shown++] = p - s->conf.peers;
	}
	return OK;
}

int snapshot_read(struct snapshot *s, const char *ifname)
{
	struct maps m;
	int ret = maps_open(&m, ifname);

	if (ret)
		return ret;
	/* The clock of the data plane, so that both agree on what has expired:
	 * the exact clock is up to a tick ahead of it. */
	*s = (struct snapshot){.now_ns = clock_ns(CLOCK_MONOTONIC_COARSE)};
	ret = interface_read(&m, &s->iface) ?: state_read(&m, ifname, &s->conf);
	/* The map may have been edited by hand. */
	s->iface.mode_reason[TL_REASON_LEN - 1] = '\0';
	if (!ret) {
		read_hooks(s);
		s->watch = watch_ask(ifname);
		ret = read_stats(&m, s) ?:
		      read_host(s) ?: read_owners(s) ?: show_all_peers(s);
		if (!ret && is_forwarding(s))
			ret = devices_sending(&m, &s->forward_to,
					      &s->n_forward_to);
	}
	if (ret)
		snapshot_free(s);
	maps_close(&m);
	return ret;
}
