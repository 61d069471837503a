// SPDX-License-Identifier: GPL-2.0-only
/* Inner prefixes that do not come out of the tunnels although a shorter allowed
 * prefix holds them. */
#include "routes.h"

#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "want.h"

struct set {
	struct prefix *allowed; /* of all peers, sorted */
	size_t n_allowed;
	bool lengths[2][129]; /* which prefix lengths occur, IPv4 and IPv6 */
	struct exception *out;
	size_t n;
};

static int compare_prefixes(const void *va, const void *vb)
{
	const struct prefix *a = va, *b = vb;
	int d = memcmp(&a->ip, &b->ip, sizeof(a->ip));

	return d ? d : (int)a->len - (int)b->len;
}

/* Own addresses first, so that those stay of equal ones. */
static int compare_exceptions(const void *va, const void *vb)
{
	const struct exception *a = va, *b = vb;
	int d = compare_prefixes(&a->prefix, &b->prefix);

	return d ? d : (int)b->own - (int)a->own;
}

static bool is_allowed(const struct set *s, const struct prefix *p)
{
	return s->lengths[p->ip.family == 6][p->len] &&
	       bsearch(p, s->allowed, s->n_allowed, sizeof(*p),
		       compare_prefixes);
}

/* An allowed prefix shorter than p holds it, and none equals it. */
static bool is_exception(const struct set *s, const struct prefix *p)
{
	struct prefix shorter = *p;

	if (is_allowed(s, p))
		return false;
	for (int len = p->len - 1; len >= 0; len--) {
		if (!s->lengths[p->ip.family == 6][len])
			continue;
		prefix_shorten(&shorter, len);
		if (is_allowed(s, &shorter))
			return true;
	}
	return false;
}

static int add(struct set *s, const struct prefix *p, bool own)
{
	if (!is_exception(s, p))
		return OK;
	if (!nl_grow((void **)&s->out, s->n, sizeof(*s->out)))
		return fail("out of memory");
	s->out[s->n++] = (struct exception){*p, own};
	return OK;
}

static int add_host(struct set *s, const struct ip *ip, bool own)
{
	struct prefix p = {*ip, ip->family == 4 ? 32 : 128};

	return ip->family ? add(s, &p, own) : OK;
}

static int collect_allowed(struct set *s, const struct conf *c)
{
	size_t total = 1;

	for (size_t i = 0; i < c->n_peers; i++)
		total += c->peers[i].n_allowed;
	s->allowed = calloc(total, sizeof(*s->allowed));
	if (!s->allowed)
		return fail("out of memory");
	for (size_t i = 0; i < c->n_peers; i++) {
		const struct peer *p = &c->peers[i];

		for (size_t j = 0; j < p->n_allowed; j++) {
			const struct prefix *a = &p->allowed[j];

			s->allowed[s->n_allowed++] = *a;
			s->lengths[a->ip.family == 6][a->len] = true;
		}
	}
	sort(s->allowed, s->n_allowed, sizeof(*s->allowed), compare_prefixes);
	return OK;
}

/* The host's own: what is ours leads into the tunnel, and a route of another
 * table may have nothing to do with this interface. */
static bool is_host_route(const struct route *r, const struct conf *c)
{
	if (r->oif == c->ifindex && (r->protocol == RTPROT_TUNLOAD ||
				     prefix_equal(&r->dst, &gateway_net4)))
		return false;
	return r->table == RT_TABLE_MAIN || r->table == c->table ||
	       r->oif == c->ifindex;
}

/* What the host reaches by a longer route than the allowed prefix: its own
 * subnet first of all, and networks behind devices on top of the interface
 * (VLAN, macvlan), whose packets pass it, too. */
static int add_routes(struct set *s, const struct conf *c,
		      const struct footprint *have)
{
	int ret = OK;

	for (size_t i = 0; !ret && i < have->n_others; i++)
		if (is_host_route(&have->others[i], c))
			ret = add(s, &have->others[i].dst, false);
	return ret;
}

static int add_own(struct set *s)
{
	struct if_addr *addrs;
	size_t i, n;
	int ret = addr_list(0, &addrs, &n);

	if (ret)
		return ret;
	for (i = 0; !ret && i < n; i++)
		ret = add_host(s, &addrs[i].ip, true);
	free(addrs);
	return ret;
}

static int collect(struct set *s, const struct conf *c,
		   const struct footprint *have)
{
	int ret = collect_allowed(s, c);

	if (!ret)
		ret = add_routes(s, c, have);
	if (!ret)
		ret = add_own(s);
	for (size_t i = 0; !ret && i < n_link_scope; i++)
		ret = add(s, &link_scope[i], false);
	for (size_t i = 0; !ret && i < c->n_peers; i++)
		ret = add_host(s, &c->peers[i].endpoint, false);
	return ret;
}

static void sort_unique(struct set *s)
{
	size_t i, n = 0;

	if (s->n)
		qsort(s->out, s->n, sizeof(*s->out), compare_exceptions);
	for (i = 0; i < s->n; i++)
		if (!n ||
		    !prefix_equal(&s->out[n - 1].prefix, &s->out[i].prefix))
			s->out[n++] = s->out[i];
	s->n = n;
}

int routes_exceptions(const struct conf *c, const struct footprint *have,
		      struct exception **out, size_t *n)
{
	struct set s = {0};
	int ret = collect(&s, c, have);

	free(s.allowed);
	if (ret) {
		free(s.out);
		return ret;
	}
	sort_unique(&s);
	*out = s.out;
	*n = s.n;
	return OK;
}

static bool has_networks(const struct conf *c, uint8_t family)
{
	for (size_t i = 0; i < c->n_peers; i++)
		for (size_t j = 0; j < c->peers[i].n_allowed; j++) {
			const struct prefix *a = &c->peers[i].allowed[j];

			if (a->ip.family == family &&
			    a->len < (family == 4 ? 32 : 128))
				return true;
		}
	return false;
}

/* No route is longer than a host's, and the others are not asked for in vain:
 * that takes long where there are many of ours. */
static int read_others(const struct conf *c, struct footprint *have)
{
	bool four = has_networks(c, 4), six = has_networks(c, 6);
	struct route_filter which = {
		.type = RTN_UNICAST,
		.foreign = c->ifindex,
	};

	if (!four && !six)
		return OK;
	if (four != six)
		which.family = four ? 4 : 6;
	return route_list(&which, &have->others, &have->n_others);
}

int routes_any_exception(const struct conf *c, bool *any)
{
	struct exception *found = NULL;
	struct footprint have = {0};
	size_t n = 0;
	int ret = read_others(c, &have);

	if (!ret)
		ret = routes_exceptions(c, &have, &found, &n);
	*any = n;
	free(found);
	footprint_free(&have);
	return ret;
}

static bool has_broadcast(const struct if_addr *a)
{
	/* The loopback interface is number 1 everywhere. */
	return a->ip.family == 4 && !a->ours && a->ifindex != 1 &&
	       (a->broadcast.family || a->prefixlen <= 30);
}

/* The address of all ones behind the prefix (RFC 919). */
static struct ip computed_broadcast(const struct if_addr *a)
{
	struct ip ip = a->peer.family ? a->peer : a->ip;

	for (int bit = a->prefixlen; bit < 32; bit++)
		ip.addr[bit / 8] |= 0x80 >> bit % 8;
	return ip;
}

static int compare_ips(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct ip));
}

int host_broadcasts(struct ip **out, size_t *n)
{
	struct if_addr *addrs;
	size_t i, m, found = 0;

	if (addr_list(0, &addrs, &m))
		return FAILED;
	*n = 0;
	*out = calloc(m + 1, sizeof(**out));
	for (i = 0; *out && i < m; i++)
		if (has_broadcast(&addrs[i]))
			(*out)[found++] =
				addrs[i].broadcast.family
					? addrs[i].broadcast
					: computed_broadcast(&addrs[i]);
	free(addrs);
	if (!*out)
		return fail("out of memory");
	qsort(*out, found, sizeof(**out), compare_ips);
	for (i = 0; i < found; i++)
		if (!*n || !ip_equal(&(*out)[*n - 1], &(*out)[i]))
			(*out)[(*n)++] = (*out)[i];
	return OK;
}
