// SPDX-License-Identifier: GPL-2.0-only
/* Writes a struct conf to the maps, differences only. */
#include <bpf/bpf.h>
#include <string.h>

#include "rows.h"

/* Deletes what the data plane knows of a peer's path: the counters on every CPU
 * and the learned MTU. */
static void forget_path(const struct maps *m, uint32_t id)
{
	stats_clear(m, id);
	bpf_map_delete_elem(m->learned, &id);
	bpf_map_delete_elem(m->rates, &id);
}

/* Makes what the data plane remembers of former look-ups stale
 * (bpf/record/cache.h). */
static void next_generation(const struct maps *m)
{
	struct tl_generations now;
	uint32_t zero = 0;

	if (bpf_map_lookup_elem(m->generations, &zero, &now))
		return;
	now.maps++;
	bpf_map_update_elem(m->generations, &zero, &now, BPF_ANY);
}

void peers_stop(const char *ifname)
{
	struct maps m = {.peers = -1, .generations = -1};
	char path[PATH_MAX];
	uint32_t id;

	if (!pins_path(path, ifname, "peers"))
		m.peers = bpf_obj_get(path);
	if (!pins_path(path, ifname, "generations"))
		m.generations = bpf_obj_get(path);
	while (!bpf_map_get_next_key(m.peers, NULL, &id) &&
	       !bpf_map_delete_elem(m.peers, &id))
		;
	next_generation(&m);
	close(m.peers);
	close(m.generations);
}

void ingress_write(const struct maps *m, uint32_t hooks)
{
	struct tl_generations now;
	uint32_t zero = 0;

	if (bpf_map_lookup_elem(m->generations, &zero, &now))
		return;
	now.ingress = hooks;
	bpf_map_update_elem(m->generations, &zero, &now, BPF_ANY);
}

/* Deletes the rows of a map, whose keys start with a peer's id, that are of no
 * peer in want. */
static void drop_strangers(int map, const struct table *want)
{
	struct tl_stats_key key, next; /* the longest key */
	void *from = NULL;
	bool more;

	do {
		more = !bpf_map_get_next_key(map, from, &next);
		if (from && !table_find(want, &key.peer))
			bpf_map_delete_elem(map, &key);
		key = next;
		from = &key;
	} while (more);
}

/* Deletes what the data plane has recorded of ids that are not in want, also if
 * a killed command left it, and of peers whose endpoint or local has changed:
 * it says nothing about the new path. */
static void forget_old_paths(const struct maps *m, const struct table *now,
			     const struct table *want)
{
	drop_strangers(m->peer_stats, want);
	drop_strangers(m->learned, want);
	drop_strangers(m->rates, want);
	/* Their counters may be in `traffic` still, and another peer may get
	 * the id. */
	for (size_t i = 0; i < now->n; i++) {
		uint32_t id;

		memcpy(&id, table_key(now, i), sizeof(id));
		if (!table_find(want, table_key(now, i)))
			forget_path(m, id);
	}
	for (size_t i = 0; i < want->n; i++) {
		const struct tl_peer *was = table_find(now, table_key(want, i));
		uint32_t id;

		memcpy(&id, table_key(want, i), sizeof(id));
		if (was && !same_path(was, table_value(want, i)))
			forget_path(m, id);
	}
}

static bool is_allowed(const void *value)
{
	return !is_exception(value);
}

/* True if a row of a, for which is() is true, is not in b or has another value
 * there. */
static bool lacks(const struct table *a, const struct table *b,
		  table_filter *is)
{
	const void *value;
	size_t at = 0;

	for (size_t i = 0; i < a->n; i++) {
		if (is && !is(table_value(a, i)))
			continue;
		value = table_next(b, table_key(a, i), &at);
		if (!value || memcmp(value, table_value(a, i), a->value))
			return true;
	}
	return false;
}

static bool differ(const struct table *a, const struct table *b,
		   table_filter *is)
{
	return lacks(a, b, is) || lacks(b, a, is);
}

static bool exceptions_differ(const struct state_tables *now,
			      const struct state_tables *want)
{
	for (int i = STATE_PREFIXES4; i <= STATE_PREFIXES6; i++) {
		if (differ(&now->t[i], &want->t[i], is_exception))
			return true;
	}
	return differ(&now->t[STATE_BROADCASTS], &want->t[STATE_BROADCASTS],
		      NULL);
}

/* Writes an exception before the shorter prefix that contains it. */
static int put_prefixes(const struct state_tables *now,
			const struct state_tables *want)
{
	int ret = OK;

	for (int i = STATE_PREFIXES4; !ret && i <= STATE_PREFIXES6; i++) {
		ret = table_put(&now->t[i], &want->t[i], is_exception);
		if (!ret)
			ret = table_put(&now->t[i], &want->t[i], is_allowed);
	}
	return ret;
}

static int prune_prefixes(const struct state_tables *now,
			  const struct state_tables *want)
{
	int ret = OK;

	for (int i = STATE_PREFIXES4; !ret && i <= STATE_PREFIXES6; i++) {
		ret = table_prune(&now->t[i], &want->t[i], is_allowed);
		if (!ret)
			ret = table_prune(&now->t[i], &want->t[i],
					  is_exception);
	}
	return ret;
}

static int change_maps(const struct maps *m, const struct state_tables *now,
		       const struct state_tables *want)
{
	int ret = OK;

	for (int i = STATE_PEERS; !ret && i < STATE_PREFIXES4; i++)
		ret = table_put(&now->t[i], &want->t[i], NULL);
	if (!ret)
		ret = put_prefixes(now, want);
	if (!ret)
		ret = prune_prefixes(now, want);
	for (int i = STATE_PREFIXES4 - 1; !ret && i >= STATE_PEERS; i--)
		ret = table_prune(&now->t[i], &want->t[i], NULL);
	next_generation(m);
	return ret;
}

static uint32_t flag(uint32_t flags, uint32_t f, bool on)
{
	return on ? flags | f : flags & ~f;
}

static void settings_to_map(struct tl_interface *to, const struct conf *from)
{
	TL_INTERFACE_KEYS(KEY_TO_MAP)
}

static struct tl_interface settings(const struct tl_interface *now,
				    const struct conf *c)
{
	struct tl_interface v = *now;

	settings_to_map(&v, c);
	memcpy(v.local4, c->local4.addr, sizeof(v.local4));
	memcpy(v.local6, c->local6.addr, sizeof(v.local6));
	memcpy(v.source4, c->source4.addr, sizeof(v.source4));
	memcpy(v.source6, c->source6.addr, sizeof(v.source6));
	v.forward = c->forward;
	memcpy(v.forward_from, c->forward_from, sizeof(v.forward_from));
	v.address4_len = c->address4_len + 1;
	v.address6_len = c->address6_len + 1;
	v.flags = flag(v.flags, TL_IF_F_LOCAL4_FIXED, c->local4_fixed);
	v.flags = flag(v.flags, TL_IF_F_LOCAL6_FIXED, c->local6_fixed);
	v.flags = flag(v.flags, TL_IF_F_NO_ROUTES, !c->routes);
	return v;
}

static int write_settings(const struct maps *m, const struct conf *c)
{
	struct tl_interface now, v;

	if (interface_read(m, &now))
		return FAILED;
	v = settings(&now, c);
	return memcmp(&v, &now, sizeof(v)) ? interface_write(m, &v) : OK;
}

static bool has_kept(const struct maps *m)
{
	return m->rows && !m->rows->stale;
}

int state_give_ids(const struct maps *m, struct conf *c)
{
	struct state_tables now;
	int ret;

	if (has_kept(m))
		return state_ids(c, &m->rows->t[STATE_PEERS]);
	state_tables_init(&now, m);
	ret = table_read(&now.t[STATE_PEERS]);
	if (!ret)
		ret = state_ids(c, &now.t[STATE_PEERS]);
	state_tables_free(&now);
	return ret;
}

static bool is_read_kept(int map)
{
	return map < STATE_ENDPOINTS || map >= STATE_PREFIXES;
}

/* Uses the rows of state_read_keep() once: the maps change after that. */
static int read_or_take(const struct maps *m, struct state_tables *now)
{
	int ret = OK;

	if (!has_kept(m))
		return state_tables_read(now, STATE_PEERS, STATE_COUNT);
	for (int i = 0; !ret && i < STATE_COUNT; i++) {
		if (!is_read_kept(i)) {
			ret = state_tables_read(now, i, i + 1);
			continue;
		}
		now->t[i] = m->rows->t[i];
		m->rows->t[i].rows = NULL;
	}
	m->rows->stale = true;
	return ret;
}

/* Fills both sets of tables; the caller frees both, also on failure. */
static int read_and_want(const struct maps *m, struct conf *c,
			 const struct host_facts *facts,
			 struct state_tables *now, struct state_tables *want)
{
	int ret;

	state_tables_init(now, m);
	state_tables_init(want, m);
	if (c->n_peers > TL_MAX_PEERS)
		return fail("%s: %zu peers; there can be %u", c->ifname,
			    c->n_peers, TL_MAX_PEERS);
	ret = read_or_take(m, now);
	if (!ret)
		ret = state_ids(c, &now->t[STATE_PEERS]);
	return ret ?: index_want_totals(want, c) ?: state_want(want, c, facts);
}

int state_apply(const struct maps *m, struct conf *c,
		const struct host_facts *facts)
{
	struct state_tables now, want;
	int ret = read_and_want(m, c, facts, &now, &want);

	if (!ret) {
		c->exceptions_changed = exceptions_differ(&now, &want);
		ret = change_maps(m, &now, &want);
	}
	if (!ret)
		forget_old_paths(m, &now.t[STATE_PEERS], &want.t[STATE_PEERS]);
	if (!ret && c->forward == TL_FORWARD_XDP)
		ret = devices_apply(m, c, facts);
	if (!ret)
		ret = write_settings(m, c);
	state_tables_free(&now);
	state_tables_free(&want);
	return ret;
}

static bool keeps_path(const struct table *was, const struct table *want)
{
	return want->n && same_path(table_value(was, 0), table_value(want, 0));
}

int state_apply_peer(const struct maps *m, const struct conf *was,
		     const struct conf *want)
{
	const struct host_facts none = {0};
	struct state_tables now, to;
	struct table *peers = &now.t[STATE_PEERS];
	const char *name = (want->n_peers ? want : was)->peers->name;
	struct tl_named named = index_find(m, name);
	int ret;

	if (m->rows)
		m->rows->stale = true;
	state_tables_init(&now, m);
	state_tables_init(&to, m);
	ret = state_want(&now, was, &none);
	if (!ret)
		ret = state_want(&to, want, &none);
	if (!ret)
		ret = change_maps(m, &now, &to);
	index_move_totals(m, name, &named);
	if (!ret && peers->n && !keeps_path(peers, &to.t[STATE_PEERS]))
		forget_path(m, was->peers->id);
	state_tables_free(&now);
	state_tables_free(&to);
	return ret;
}

int state_pending(const struct maps *m, struct conf *c,
		  const struct host_facts *facts, bool *any)
{
	struct state_tables now, want;
	struct tl_interface iface, v;
	int ret = read_and_want(m, c, facts, &now, &want);

	*any = false;
	for (int i = 0; !ret && i < STATE_COUNT; i++)
		*any |= differ(&now.t[i], &want.t[i], NULL);
	state_tables_free(&now);
	state_tables_free(&want);
	if (!ret && c->forward == TL_FORWARD_XDP)
		ret = devices_pending(m, c, facts, any);
	if (!ret)
		ret = interface_read(m, &iface);
	if (ret)
		return ret;
	v = settings(&iface, c);
	*any |= memcmp(&v, &iface, sizeof(v)) != 0;
	return OK;
}

int state_waiting(const struct maps *m, const struct conf *c)
{
	struct state_tables now, want;
	struct table *is = &now.t[STATE_WAITING];
	struct table *to = &want.t[STATE_WAITING];
	int ret;

	state_tables_init(&now, m);
	state_tables_init(&want, m);
	ret = table_read(is);
	for (size_t i = 0; !ret && i < c->n_peers; i++) {
		struct tl_waiting v = {0};

		strcpy(v.reason, c->peers[i].waiting);
		if (*v.reason)
			ret = table_add(to, &c->peers[i].id, &v);
	}
	table_sort(to);
	if (!ret)
		ret = table_put(is, to, NULL);
	if (!ret)
		ret = table_prune(is, to, NULL);
	state_tables_free(&now);
	state_tables_free(&want);
	return ret;
}
