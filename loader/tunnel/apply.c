// SPDX-License-Identifier: GPL-2.0-only
/* Makes maps and routes equal to a configuration. */
#include "tunnel.h"

int host_facts_read(const struct conf *c, const struct footprint *have,
		    struct host_facts *out)
{
	int ret;

	*out = (struct host_facts){0};
	ret = routes_exceptions(c, have, &out->exceptions, &out->n_exceptions);
	if (!ret)
		ret = host_broadcasts(&out->broadcasts, &out->n_broadcasts);
	if (!ret && c->forward == TL_FORWARD_XDP)
		ret = device_list(&out->devices, &out->n_devices);
	return ret;
}

void host_facts_free(struct host_facts *facts)
{
	free(facts->exceptions);
	free(facts->broadcasts);
	free(facts->devices);
}

static int apply_maps(const struct maps *m, struct conf *c,
		      const struct footprint *have)
{
	struct host_facts facts;
	int ret = host_facts_read(c, have, &facts);

	if (!ret)
		ret = state_apply(m, c, &facts);
	host_facts_free(&facts);
	return ret;
}

/* Restores the former state. Rollback errors are printed after the first error:
 * the state is then neither the old nor the new one. */
static void restore(const struct maps *m, const struct conf *now)
{
	struct footprint *have;
	struct conf old;

	if (conf_copy(&old, now))
		return;
	if (routes_read(now, &have) || apply_maps(m, &old, have) ||
	    routes_sync(&old, have) || state_waiting(m, &old))
		warn("%s: the state before could not be restored: run `tunload reload %s`",
		     now->ifname, now->ifname);
	routes_free(have);
	conf_free(&old);
}

int apply(const struct maps *m, const struct conf *now, struct conf *want,
	  struct footprint *have)
{
	int ret = state_give_ids(m, want);

	if (!ret)
		ret = routes_prune(want, have);
	/* On failure routes_prune() has restored what it removed. */
	if (ret)
		return ret;
	ret = apply_maps(m, want, have) ?: routes_sync(want, have) ?:
	      state_waiting(m, want);
	if (ret)
		restore(m, now);
	return ret;
}

/* have is what `was` wants on the host. If a foreign route makes the peer wait,
 * its rows are written again. */
static int change_peer(const struct maps *m, const struct conf *was,
		       struct conf *want, struct footprint *have)
{
	int ret = routes_prune(want, have) ?: state_apply_peer(m, was, want) ?:
		  routes_sync(want, have);

	if (!ret && want->n_peers && *want->peers->waiting)
		ret = state_apply_peer(m, was, want);
	return ret;
}

/* Puts back the rows of the peer and then, with the whole former state, the
 * routes. */
static void restore_peer(const struct maps *m, const struct conf *was,
			 const struct conf *want)
{
	struct conf now;

	if (state_apply_peer(m, want, was) || state_read(m, was->ifname, &now))
		return;
	restore(m, &now);
	conf_free(&now);
}

int apply_peer(const struct maps *m, struct conf *was, struct conf *want,
	       bool *done)
{
	struct footprint *have;
	int ret = routes_assume(was, &have, done);

	if (!ret && *done) {
		ret = change_peer(m, was, want, have);
		if (ret)
			restore_peer(m, was, want);
	}
	routes_free(have);
	return ret;
}
