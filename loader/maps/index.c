// SPDX-License-Identifier: GPL-2.0-only
/* The index of the peers: by name, with their prefixes, and how many there are
 * of both. */
#include <bpf/bpf.h>
#include <string.h>

#include "rows.h"

/* The row of all peers has no name. */
static const struct tl_name everybody;

static void fill_allowed(struct tl_allowed *row, const struct prefix *p,
			 size_t n)
{
	*row = (struct tl_allowed){0};
	for (size_t i = 0; i < n && i < TL_ALLOWED; i++) {
		row->prefix[i].family = p[i].ip.family;
		row->prefix[i].len = p[i].len;
		memcpy(row->prefix[i].addr, p[i].ip.addr,
		       sizeof(row->prefix[i].addr));
	}
}

static int want_rows(struct state_tables *want, uint32_t id,
		     const struct prefix *p, size_t n)
{
	struct tl_allowed_key key = {.peer = id};
	struct tl_allowed row;
	int ret = OK;

	for (size_t i = 0; !ret && i < n; i += TL_ALLOWED, key.part++) {
		fill_allowed(&row, p + i, n - i);
		ret = table_add(&want->t[STATE_ALLOWED], &key, &row);
	}
	return ret;
}

/* In the order in which state_read() has them, as rows are compared. */
static int want_sorted(struct state_tables *want, const struct peer *p)
{
	size_t size = p->n_allowed * sizeof(*p->allowed);
	struct prefix *sorted = malloc(size ?: 1);
	int ret;

	if (!sorted)
		return fail("out of memory");
	if (size)
		memcpy(sorted, p->allowed, size);
	sort(sorted, p->n_allowed, sizeof(*sorted), prefix_compare);
	ret = want_rows(want, p->id, sorted, p->n_allowed);
	free(sorted);
	return ret;
}

int index_want_peer(struct state_tables *want, const struct peer *p)
{
	struct tl_named value = {
		.peer = p->id, .prefixes = p->n_allowed, .peers = 1};
	struct tl_name name = {0};

	strcpy(name.name, p->name);
	return table_add(&want->t[STATE_NAMES], &name, &value)
		       ?: want_sorted(want, p);
}

int index_want_totals(struct state_tables *want, const struct conf *c)
{
	struct tl_named value = {.peers = c->n_peers};

	for_each_peer (p, c) {
		value.prefixes += p->n_allowed;
		if (p->id > value.peer)
			value.peer = p->id;
	}
	return table_add(&want->t[STATE_NAMES], &everybody, &value);
}

bool index_totals(const struct maps *m, struct tl_named *out)
{
	return !bpf_map_lookup_elem(m->names, &everybody, out);
}

struct tl_named index_find(const struct maps *m, const char *name)
{
	struct tl_named v = {0};
	struct tl_name key = {0};

	strncpy(key.name, name, sizeof(key.name) - 1);
	bpf_map_lookup_elem(m->names, &key, &v);
	return v;
}

static bool is_used(const struct maps *m, uint32_t id)
{
	struct tl_peer v;

	return !bpf_map_lookup_elem(m->peers, &id, &v);
}

void index_move_totals(const struct maps *m, const char *name,
		       const struct tl_named *was)
{
	struct tl_named v, before, now = index_find(m, name);

	if (!index_totals(m, &v))
		return;
	before = v;
	v.peers += now.peers - was->peers;
	v.prefixes += now.prefixes - was->prefixes;
	if (now.peer > v.peer)
		v.peer = now.peer;
	while (v.peer && !is_used(m, v.peer))
		v.peer--;
	if (memcmp(&v, &before, sizeof(v)))
		bpf_map_update_elem(m->names, &everybody, &v, BPF_ANY);
}
