// SPDX-License-Identifier: GPL-2.0-only
/* Computes the policy rules that the tables in use want. */
#include "want.h"

#include <linux/rtnetlink.h>

/*
 * The rules are those of wg-quick: packets from our outer addresses use main;
 * then main without its default route; then our tables. A rule does not name
 * the interface it was made for, and outer packets of one interface must not
 * take the default route of another, so all interfaces of a namespace share the
 * rules: first every outer address, then main once, then every table. The table
 * of an interface records its outer addresses, as a throw route to each; such a
 * route has no effect, as the local table comes first.
 */
struct need {
	uint8_t family;
	struct ip *locals;
	uint32_t *tables;
	size_t n_locals, n_tables;
};

static bool is_link_scope(const struct prefix *p)
{
	for (size_t i = 0; i < n_link_scope; i++)
		if (prefix_equal(p, &link_scope[i]))
			return true;
	return false;
}

static int compare_tables(const void *va, const void *vb)
{
	const uint32_t *a = va, *b = vb;

	return compare_values(*a, *b);
}

static int add_record(struct need *n, const struct route *r)
{
	uint8_t host = n->family == 4 ? 32 : 128;
	int ret;

	if (r->type != RTN_THROW || r->dst.ip.family != n->family)
		return OK;
	ret = push(n->tables, n->n_tables, &r->table);
	if (ret || r->dst.len != host || is_link_scope(&r->dst))
		return ret;
	return push(n->locals, n->n_locals, &r->dst.ip);
}

static int add_rules(struct footprint *f, const struct need *n)
{
	struct rule rule = {
		.family = n->family,
		.table = RT_TABLE_MAIN,
		.preference = RULE_PREFERENCE,
	};
	int ret = OK;

	for (size_t i = 0; !ret && n->locals && i < n->n_locals; i++) {
		rule.from = n->locals[i];
		ret = push(f->rules, f->n_rules, &rule);
	}
	rule.from = (struct ip){0};
	rule.no_default = true;
	if (!ret && n->n_tables)
		ret = push(f->rules, f->n_rules, &rule);
	rule.no_default = false;
	for (size_t i = 0; !ret && n->tables && i < n->n_tables; i++) {
		rule.table = n->tables[i];
		ret = push(f->rules, f->n_rules, &rule);
	}
	return ret;
}

static int want_family(const struct footprint *have, struct footprint *want,
		       uint8_t family)
{
	struct need n = {.family = family};
	int ret = OK;

	for (size_t i = 0; !ret && i < have->n_records; i++)
		ret = add_record(&n, &have->records[i]);
	for (size_t i = 0; !ret && i < want->n_routes; i++)
		ret = add_record(&n, &want->routes[i]);
	n.n_locals = sort_unique(n.locals, n.n_locals, sizeof(*n.locals),
				 ip_compare);
	n.n_tables = sort_unique(n.tables, n.n_tables, sizeof(*n.tables),
				 compare_tables);
	if (!ret)
		ret = add_rules(want, &n);
	free(n.locals);
	free(n.tables);
	return ret;
}

int rules_want(const struct footprint *have, struct footprint *want)
{
	return want_family(have, want, 4) ?: want_family(have, want, 6);
}
