// SPDX-License-Identifier: GPL-2.0-only
/* The rules between the settings of a configuration. */
#include "conf.h"

#include <string.h>

/* Formats " (line N)", or "" for a setting that is not from a file. */
static const char *place(struct origin from, char buf[static 32])
{
	buf[0] = '\0';
	if (from.file)
		snprintf(buf, 32, " (line %u)", from.line);
	return buf;
}

static int check_probe_key(const struct peer *p)
{
	char probe[IP_STRLEN];

	if (!p->probe_fixed || peer_allows(p, &p->probe))
		return OK;
	return conf_error(
		peer_origin(p, KEY_PROBE),
		"peer %s: probe \"%s\" is in none of its allowed-ips: give an inner address behind the peer, or auto",
		p->name, ip_str(&p->probe, probe));
}

static int check_gateway(const struct conf *c, const struct peer *p,
			 const struct ip *gateway)
{
	char text[IP_STRLEN];

	if (!gateway->family ||
	    !ip_equal(gateway, conf_source(c, gateway->family)))
		return OK;
	return conf_error(
		peer_origin(p, KEY_GATEWAY),
		"peer %s: gateway \"%s\" is an address of this host: give the other end's",
		p->name, ip_str(gateway, text));
}

static int check_table(const struct peer *p)
{
	if (!p->table || !*p->vrf)
		return OK;
	return conf_error(
		peer_origin(p, KEY_TABLE),
		"peer %s: table \"%u\" beside vrf \"%s\", which has a table: remove one",
		p->name, p->table, p->vrf);
}

static int check_endpoint(const struct peer *p)
{
	struct origin from = peer_origin(p, KEY_ENDPOINT);
	const char *fault = address_fault(&p->endpoint);
	const struct prefix *around = endpoint_inside(p);
	char endpoint[ENDPOINT_STRLEN], prefix[PREFIX_STRLEN];

	endpoint_str(p, endpoint);
	if (fault)
		return conf_error(from, "peer %s: endpoint %s %s", p->name,
				  endpoint, fault);
	if (!around)
		return OK;
	from = allowed_origin(p, around);
	return conf_error(
		from,
		"peer %s: endpoint %s is inside its own allowed-ips \"%s\": tunnel packets would be tunnelled again; take the prefix out",
		p->name, endpoint, prefix_str(around, prefix));
}

static int check_local(const struct peer *p)
{
	struct origin from = peer_origin(p, KEY_LOCAL);
	char local[IP_STRLEN], endpoint[ENDPOINT_STRLEN];

	if (!p->local.family)
		return OK;
	ip_str(&p->local, local);
	endpoint_str(p, endpoint);
	if (p->local.family != p->endpoint.family)
		return conf_error(
			from,
			"peer %s: local \"%s\" is IPv%u but the endpoint %s is IPv%u: use one family",
			p->name, local, p->local.family, endpoint,
			p->endpoint.family);
	from = peer_origin(p, KEY_ENDPOINT);
	if (ip_equal(&p->local, &p->endpoint))
		return conf_error(
			from,
			"peer %s: endpoint %s is its own local address: give the other end's",
			p->name, endpoint);
	return OK;
}

/* RFC 8200 5: the MTU of an IPv6 path is at least 1280. */
static int check_path_mtu(const struct conf *c, const struct peer *p)
{

	if (p->endpoint.family == 4 || c->path_mtu >= IPV6_MTU_MIN)
		return OK;
	return conf_error(
		interface_origin(c, KEY_PATH_MTU),
		"path-mtu \"%u\" is too small for the IPv6 endpoint of peer %s (RFC 8200 5): raise it to %u or more",
		c->path_mtu, p->name, IPV6_MTU_MIN);
}

/* An endpoint that is a name may resolve to another address tomorrow. So its
 * rules are checked when it is resolved, not as errors of the file. */
static bool has_address(const struct peer *p)
{
	return p->endpoint.family && !*p->host;
}

static int check_peer(const struct conf *c, const struct peer *p)
{
	int ret;

	if (!p->endpoint.family && !p->host[0])
		return conf_error(
			p->origin,
			"peer %s: no endpoint: add \"endpoint\" with the other end's address",
			p->name);
	if (!p->n_allowed && !p->routed)
		return conf_error(
			p->origin,
			"peer %s: no allowed-ips: add \"allowed-ips\" with the prefixes behind it, or routed",
			p->name);
	ret = check_table(p) ?: check_probe_key(p) ?:
	      check_gateway(c, p, &p->gateway4) ?:
	      check_gateway(c, p, &p->gateway6);
	if (ret || !has_address(p))
		return ret;
	ret = check_endpoint(p);
	if (!ret)
		ret = check_local(p);
	return ret ?: check_path_mtu(c, p);
}

static bool is_own_gateway(const struct owned *o)
{
	return peer_has_gateway(o->peer, o->prefix);
}

static int report_same_prefix(const struct owned *a, const struct owned *b)
{
	struct origin first = allowed_origin(a->peer, a->prefix);
	struct origin from = allowed_origin(b->peer, b->prefix);
	char prefix[PREFIX_STRLEN], line[32];

	prefix_str(b->prefix, prefix);
	if (a->peer != b->peer && is_own_gateway(b))
		return conf_error(
			from,
			"peer %s: gateway \"%s\" belongs to peer %s%s already: give each its own",
			b->peer->name, ip_str(&b->prefix->ip, prefix),
			a->peer->name, place(first, line));
	if (a->peer != b->peer)
		return conf_error(
			from,
			"peer %s: allowed-ips \"%s\" belongs to peer %s%s already: leave it out, take it from %s, or give them different priorities",
			b->peer->name, prefix, a->peer->name,
			place(first, line), a->peer->name);
	if (first.line != from.line)
		return conf_error(
			from,
			"peer %s: allowed-ips \"%s\" again, first in line %u: remove one",
			b->peer->name, prefix, first.line);
	return conf_error(
		from, "peer %s: allowed-ips \"%s\" is given twice: remove one",
		b->peer->name, prefix);
}

/* A longer prefix of another peer would take the trigger's packets. */
static int check_probe_owner(const struct owners *o, const struct peer *p)
{
	const struct owned *owned;
	char probe[IP_STRLEN], prefix[PREFIX_STRLEN];

	if (!p->probe_fixed || owner_is(o, &p->probe, p))
		return OK;
	owned = owner_of(o, &p->probe);
	if (!owned)
		return OK;
	return conf_error(
		peer_origin(p, KEY_PROBE),
		"peer %s: probe \"%s\" is behind peer %s, whose allowed-ips \"%s\" is longer: give an address behind %s, or auto",
		p->name, ip_str(&p->probe, probe), owned->peer->name,
		prefix_str(owned->prefix, prefix), p->name);
}

/* Two peers may share a prefix if no two routes are in one place: there are
 * none, or they are in different tables. Of peers with different priorities
 * one has the route. A gateway is one peer's. */
static bool may_share(const struct conf *c, const struct owned *a,
		      const struct owned *b)
{
	return a->peer != b->peer && !is_own_gateway(a) && !is_own_gateway(b) &&
	       (!c->routes || !peers_share_table(a->peer, b->peer) ||
		a->peer->priority != b->peer->priority);
}

/* Compares an allowed prefix with the equal ones behind it; without routes with
 * the next one only, as then only a peer's own second one is wrong. */
static int check_sharing(const struct conf *c, const struct owners *o, size_t i)
{
	const struct owned *a = &o->all[i], *end = o->all + o->n;

	if (!c->routes && end - a > 2)
		end = a + 2;
	for (const struct owned *b = a + 1;
	     b < end && prefix_equal(a->prefix, b->prefix); b++)
		if (!may_share(c, a, b))
			return report_same_prefix(a, b);
	return OK;
}

static int check_prefixes(const struct conf *c)
{
	struct owners o;
	int ret = owners_init(&o, c);

	for (size_t i = 0; !ret && i < o.n; i++)
		ret = check_sharing(c, &o, i);
	for (size_t i = 0; !ret && i < c->n_peers; i++)
		ret = check_probe_owner(&o, &c->peers[i]);
	owners_free(&o);
	return ret;
}

/* Of equal ones, peers whose endpoint is a name come last. */
static int compare_outer(const void *a, const void *b)
{
	const struct peer *x = *(struct peer *const *)a;
	const struct peer *y = *(struct peer *const *)b;

	return outer_compare(x, y) ?: !!*x->host - !!*y->host ?:
	       owner_compare_peers(x, y);
}

static int report_conflict(const struct peer *a, struct peer *b,
			   conflict_report *report)
{
	char endpoint[ENDPOINT_STRLEN], line[32], text[512];

	snprintf(
		text, sizeof(text),
		"endpoint %s belongs to peer %s%s already, with the same local address: give one of them another local, or make them one peer",
		endpoint_str(b, endpoint), a->name,
		place(peer_origin(a, KEY_ENDPOINT), line));
	return report(b, peer_origin(b, KEY_ENDPOINT), text);
}

int conf_conflicts(const struct conf *c, bool (*counts)(const struct peer *p),
		   conflict_report *report)
{
	struct peer **all = malloc((c->n_peers + 1) * sizeof(*all));
	const struct peer *first = NULL;
	size_t i, n = 0;
	int ret = OK;

	if (!all)
		return fail("out of memory");
	for_each_peer (p, c)
		if (counts(p))
			all[n++] = p;
	qsort(all, n, sizeof(*all), compare_outer);
	for (i = 0; !ret && i < n; i++) {
		if (first && !outer_compare(first, all[i]))
			ret = report_conflict(first, all[i], report);
		else
			first = all[i];
	}
	free(all);
	return ret;
}

static int refuse_conflict(struct peer *p, struct origin from, const char *text)
{
	return conf_error(from, "peer %s: %s", p->name, text);
}

int conf_check(const struct conf *c)
{
	int ret = OK;

	for (size_t i = 0; !ret && i < c->n_peers; i++)
		ret = check_peer(c, &c->peers[i]);
	return ret ?: check_prefixes(c) ?:
	       conf_conflicts(c, has_address, refuse_conflict);
}
