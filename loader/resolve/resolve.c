// SPDX-License-Identifier: GPL-2.0-only
/* Resolves a configuration on this host: interface, addresses, DNS names of
 * endpoints, and then each peer. */
#include "peer.h"

#include <errno.h>
#include <net/if_arp.h>
#include <netdb.h>
#include <string.h>

static int check_link(const struct conf *c, const struct link_info *link)
{
	if (link->loopback)
		return fail(
			"\"%s\" is the loopback interface: give the one that leads to the peers",
			c->ifname);
	if (link->type != ARPHRD_ETHER)
		return fail(
			"\"%s\" is not an Ethernet interface (type %u): give the Ethernet interface that leads to the peers",
			c->ifname, link->type);
	return OK;
}

/* Sets local4 or local6: as configured, else the kernel's choice towards the
 * first peer of that family, else the first usable address. */
static int interface_local(const struct resolver *r, uint8_t family, bool fixed,
			   struct ip *local)
{
	const struct conf *c = r->c, *now = r->now;
	struct origin from =
		interface_origin(c, family == 4 ? KEY_LOCAL4 : KEY_LOCAL6);
	const struct if_addr *a = first_usable(&r->host, family);
	char buf[LOCAL_FAULT_LEN], ip[IP_STRLEN];
	const struct ip *was = NULL;
	const char *fault;

	if (now)
		was = family == 4 ? &now->local4 : &now->local6;
	for_each_peer (p, c) {
		if (p->endpoint.family != family)
			continue;
		a = choose_local(&r->host, &p->endpoint, was);
		break;
	}
	if (!fixed) {
		*local = a ? a->ip : (struct ip){0};
		return OK;
	}
	fault = local_fault(&r->host, local, a, buf);
	if (!fault || !r->strict)
		return OK;
	return conf_fail(from, "local%u \"%s\" %s", family, ip_str(local, ip),
			 fault);
}

/* Checks source: an address of any interface, as a route's preferred source may
 * be. tunload adds one that is given as `address`. */
static int check_sources(const struct resolver *r)
{
	const struct conf *c = r->c;
	const struct ip *const sources[] = {&c->source4, &c->source6};
	const int lens[] = {c->address4_len, c->address6_len};
	char ip[IP_STRLEN];

	for (size_t i = 0; i < 2; i++) {
		if (!sources[i]->family || lens[i] >= 0 ||
		    find_addr(&r->own, sources[i]))
			continue;
		return conf_fail(
			interface_origin(c, KEY_SOURCE),
			"source \"%s\" is not an address of this host: assign it to one of its interfaces, or write address instead of source, and tunload does",
			ip_str(sources[i], ip));
	}
	return OK;
}

/* Takes the endpoint of a name that was looked up before the lock was taken. */
static bool known_name(const struct names *names, struct peer *p)
{
	const struct peer *found = names_find(names, p->name);

	if (!found || strcmp(found->host, p->host) || !found->endpoint.family)
		return false;
	p->endpoint = found->endpoint;
	return true;
}

/* How long the failing look-ups of one command may take in all. */
#define PATIENCE_S 10

/* Picks the first valid endpoint of the family, in the resolver's order (RFC
 * 6724). */
static bool pick(const struct answer *a, uint8_t family,
		 const struct addrs *own, struct ip *out)
{
	for (size_t i = 0; i < a->n; i++) {
		*out = a->ips[i];
		if (out->family == family && !address_fault(out) &&
		    !find_addr(own, out))
			return true;
	}
	*out = (struct ip){0};
	return false;
}

/* Sets p->endpoint. If the name has addresses of both families, takes the
 * preferred one (IPv6 if the interface has a usable IPv6 address, else IPv4),
 * but only of the family of a configured `local`, and only a valid endpoint.
 * Returns NULL, or why there is none. */
static const char *choose_endpoint(const struct resolver *r, struct peer *p,
				   const struct answer *a)
{
	bool six = r->c->local6_fixed || first_usable(&r->host, 6);
	uint8_t only = p->local_fixed ? p->local.family : 0;
	uint8_t preferred = only ? only : six ? 6 : 4;

	if (pick(a, preferred, &r->own, &p->endpoint))
		return NULL;
	if (only)
		return "no usable address of the family of its local";
	if (pick(a, preferred == 4 ? 6 : 4, &r->own, &p->endpoint))
		return NULL;
	return "no usable address";
}

/* Looks a name up. An unreachable name server costs seconds per name, so after
 * PATIENCE_S the command does not look up any more names. */
static int look_up(const char *host, struct addrinfo **list)
{
	static const struct addrinfo hints = {.ai_socktype = SOCK_DGRAM};
	static time_t spent;
	time_t start = time(NULL);
	int ret;

	if (spent >= PATIENCE_S)
		return EAI_AGAIN;
	ret = getaddrinfo(host, NULL, &hints, list);
	if (ret)
		spent += time(NULL) - start;
	return ret;
}

/* Looks p->host up and sets p->endpoint. Returns NULL, or why there is no
 * address. */
static const char *resolve_host(const struct resolver *r, struct peer *p)
{
	struct answer a = {.host = p->host};
	struct addrinfo *list;
	const char *why = NULL;
	int ret = look_up(p->host, &list);

	if (ret)
		return ret == EAI_SYSTEM ? strerror(errno) : gai_strerror(ret);
	for (struct addrinfo *i = list; !why && i; i = i->ai_next) {
		struct ip ip = ip_from_sockaddr(i->ai_addr);

		if (push(a.ips, a.n, &ip))
			why = strerror(ENOMEM);
	}
	freeaddrinfo(list);
	if (!why)
		why = choose_endpoint(r, p, &a);
	free(a.ips);
	return why;
}

int answer_compare(const void *a, const void *b)
{
	const struct answer *x = a, *y = b;

	return strcmp(x->host, y->host) ?: ip_compare(&x->was, &y->was);
}

/* Takes another endpoint if the peer's name has lost the one in use. */
static void follow_name(const struct resolver *r, struct peer *p)
{
	const struct answer key = {.host = p->host, .was = p->endpoint};
	char endpoint[ENDPOINT_STRLEN];
	const struct answer *a;
	const char *why;
	size_t i;

	if (!*p->host || !r->lost || !r->lost->n)
		return;
	i = lower_bound(&key, r->lost->all, r->lost->n, sizeof(key),
			answer_compare);
	a = &r->lost->all[i];
	if (i == r->lost->n || answer_compare(a, &key))
		return;
	why = choose_endpoint(r, p, a);
	if (!why)
		return;
	p->endpoint = a->was;
	if (a->is_new && !r->no_look_ups)
		warn("peer %s: its name has %s any more: it keeps the endpoint %s",
		     p->name, why, endpoint_str(p, endpoint));
}

static void resolve_name(struct resolver *r, struct peer *p)
{
	char endpoint[ENDPOINT_STRLEN];
	const char *why;

	if (p->endpoint.family)
		return follow_name(r, p);
	if (!p->host[0] || known_name(&r->looked_up, p))
		return;
	why = r->no_look_ups ? "looked up a moment ago" : resolve_host(r, p);
	if (!why)
		return;
	if (!known_name(&r->was, p)) {
		peer_waits(p, "endpoint \"%s\" does not resolve (%s)", p->host,
			   why);
		return;
	}
	if (r->strict && warn_few(&r->kept))
		warn("peer %s: its name does not resolve (%s): it keeps the endpoint %s",
		     p->name, why, endpoint_str(p, endpoint));
}

/* Fails if there are peers and none can work, as our addresses are missing. */
static int check_any_works(const struct resolver *r)
{
	const struct peer *p = r->lacks_address;
	struct origin from;

	for (size_t i = 0; i < r->c->n_peers; i++)
		if (!*r->c->peers[i].waiting)
			return OK;
	if (!p)
		return OK;
	from = peer_origin(p, p->local_fixed ? KEY_LOCAL : KEY_ENDPOINT);
	return conf_fail(from, "peer %s: %s", p->name, p->waiting);
}

static int resolve_on(struct resolver *r)
{
	struct conf *c = r->c;
	int ret = OK;
	size_t i;

	for_each_peer (p, c)
		resolve_name(r, p);
	ret = interface_local(r, 4, c->local4_fixed, &c->local4);
	if (!ret)
		ret = interface_local(r, 6, c->local6_fixed, &c->local6);
	if (!ret && r->strict)
		ret = check_sources(r);
	for (i = 0; !ret && i < c->n_peers; i++)
		ret = resolve_peer(r, &c->peers[i]);
	if (!ret)
		ret = resolve_conflicts(r);
	if (!ret)
		ret = resolve_probes(r);
	return ret || !r->strict ? ret : check_any_works(r);
}

static int run_resolver(struct resolver *r, const struct conf *names)
{
	struct conf *c = r->c;
	int ret = link_info(c->ifname, &r->host.link);

	if (!ret)
		ret = check_link(c, &r->host.link);
	if (!ret)
		ret = read_addresses(c, &r->host);
	if (!ret)
		ret = addr_list(0, &r->own);
	if (!ret && r->now)
		ret = names_init(&r->was, r->now);
	if (!ret && names)
		ret = names_init(&r->looked_up, names);
	c->ifindex = r->host.link.ifindex;
	c->table = r->host.link.table;
	for_each_peer (p, c)
		p->waiting[0] = '\0';
	if (!ret)
		ret = resolve_on(r);
	warn_rest(r->kept, "peers keep their endpoints in the same way");
	names_free(&r->was);
	names_free(&r->looked_up);
	free(r->own.all);
	free(r->host.addrs.all);
	return ret;
}

int resolve(struct conf *c, const struct conf *now)
{
	struct resolver r = {.c = c, .now = now, .strict = true};

	return run_resolver(&r, NULL);
}

int resolve_edited(struct conf *c, const struct conf *now)
{
	struct resolver r = {.c = c, .now = now};

	return run_resolver(&r, NULL);
}

void resolve_forget(struct conf *c)
{
	if (!c->local4_fixed)
		c->local4 = (struct ip){0};
	if (!c->local6_fixed)
		c->local6 = (struct ip){0};
	for_each_peer (p, c) {
		if (!p->local_fixed)
			p->local = (struct ip){0};
		if (!p->probe_fixed)
			p->probe = (struct ip){0};
		/* The name may have an address of another family. */
		if (*p->waiting && *p->host && !p->local.family)
			p->endpoint = (struct ip){0};
	}
}

int resolve_again(const struct conf *now, const struct conf *names,
		  const struct answers *lost, struct conf *out)
{
	struct resolver r = {
		.c = out,
		.now = now,
		.no_look_ups = names,
		.lost = lost,
	};
	int ret = conf_copy(out, now);

	if (ret)
		return ret;
	resolve_forget(out);
	ret = run_resolver(&r, names);
	if (ret)
		conf_free(out);
	return ret;
}

void warn_waiting(const struct conf *c)
{
	size_t n = 0;

	for_each_peer (p, c)
		if (*p->waiting && warn_few(&n))
			warn("peer %s waits: %s", p->name, p->waiting);
	warn_rest(n, "peers wait: `tunload status` says why");
}
