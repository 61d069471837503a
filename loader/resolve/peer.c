// SPDX-License-Identifier: GPL-2.0-only
/* Determines a peer's local, endpoint, MTU and probe. */
#include "peer.h"

#include <stdarg.h>
#include <string.h>

void peer_waits(struct peer *p, const char *fmt, ...)
{
	va_list args;

	if (*p->waiting)
		return;
	va_start(args, fmt);
	vsnprintf(p->waiting, sizeof(p->waiting), fmt, args);
	va_end(args);
}

/* True if the settings come from the file or command line and do not depend on
 * a name's address: only then a bad one is an error. */
static bool is_written(const struct peer *p)
{
	return p->origin.line && !*p->host;
}

/* Prints an error if the setting is from the file or command line, else p
 * waits. */
__attribute__((format(printf, 3, 4))) static int
refuse(struct peer *p, struct origin from, const char *fmt, ...)
{
	char text[512];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	if (is_written(p))
		return conf_error(from, "peer %s: %s", p->name, text);
	peer_waits(p, "%s", text);
	return OK;
}

static void automatic_local(const struct resolver *r, struct peer *p,
			    const struct if_addr *a)
{
	bool four = p->endpoint.family == 4;
	const struct ip *fixed = four ? &r->c->local4 : &r->c->local6;
	char buf[LOCAL_FAULT_LEN], ip[IP_STRLEN];
	const char *fault = NULL;

	if (four ? r->c->local4_fixed : r->c->local6_fixed) {
		fault = local_fault(&r->host, fixed, a, buf);
		if (!fault)
			p->local = *fixed;
		else
			peer_waits(p, "local%u \"%s\" %s", p->endpoint.family,
				   ip_str(fixed, ip), fault);
	} else if (a) {
		p->local = a->ip;
	} else {
		peer_waits(
			p,
			"%s has no usable IPv%u address to reach the endpoint %s from (global, not tentative, deprecated or temporary): assign one",
			r->c->ifname, p->endpoint.family,
			ip_str(&p->endpoint, ip));
	}
}

static void settle_local(struct resolver *r, struct peer *p)
{
	const struct peer *was = names_find(&r->was, p->name);
	const struct if_addr *a =
		choose_local(&r->host, &p->endpoint, was ? &was->local : NULL);
	char buf[LOCAL_FAULT_LEN], ip[IP_STRLEN];
	const char *fault = NULL;

	if (p->local_fixed)
		fault = local_fault(&r->host, &p->local, a, buf);
	else
		automatic_local(r, p, a);
	if (fault)
		peer_waits(p, "local \"%s\" %s", ip_str(&p->local, ip), fault);
	if (!r->lacks_address && (fault || !p->local.family))
		r->lacks_address = p;
}

/* Keeps an unusable endpoint out of the maps; a name is looked up again
 * later. */
static void give_up_endpoint(struct peer *p)
{
	if (*p->host)
		p->endpoint = (struct ip){0};
	if (!p->local_fixed)
		p->local = (struct ip){0};
}

/* Refuses an endpoint that packets of this tunnel cannot be sent to. */
static int settle_endpoint(const struct resolver *r, struct peer *p)
{
	struct origin from = peer_origin(p, KEY_ENDPOINT);
	char endpoint[ENDPOINT_STRLEN], prefix[PREFIX_STRLEN];
	const struct prefix *around = endpoint_inside(p);

	endpoint_str(p, endpoint);
	if (find_addr(&r->own, &p->endpoint)) {
		give_up_endpoint(p);
		return refuse(
			p, from,
			"endpoint %s is its own local address: give the other end's",
			endpoint);
	}
	if (!around)
		return OK;
	give_up_endpoint(p);
	return refuse(
		p, from,
		"endpoint %s is inside its own allowed-ips \"%s\": tunnel packets would be tunnelled again; take the prefix out",
		endpoint, prefix_str(around, prefix));
}

/* The origin of the inner MTU: a key, or the interface. */
struct mtu_cause {
	struct origin from;
	const char *name;
	uint32_t value;	   /* bytes */
	uint32_t overhead; /* of the outer header, if value includes it */
	bool of_host;	   /* not set by a key */
};

/* RFC 8200 5: every link, also a tunnel, must carry IPv6 packets of 1280
 * bytes. */
static int check_mtu(struct peer *p, const struct mtu_cause *cause)
{
	const struct prefix *six = peer_inner(p, 6);
	uint32_t least = six ? IPV6_MTU_MIN : PEER_MTU_MIN;
	char prefix[PREFIX_STRLEN], why[PREFIX_STRLEN + 80] = "";

	if (p->mtu >= least)
		return OK;
	if (six)
		snprintf(
			why, sizeof(why),
			" for %s in its allowed-ips, which needs %u inside (RFC 8200 5)",
			prefix_str(six, prefix), IPV6_MTU_MIN);
	if (cause->of_host) {
		peer_waits(p,
			   "%s \"%u\" is too small%s: raise it to %u or more",
			   cause->name, cause->value, why,
			   least + cause->overhead);
		return OK;
	}
	return refuse(p, cause->from,
		      "%s \"%u\" is too small%s: raise it to %u or more",
		      cause->name, cause->value, why, least + cause->overhead);
}

/* Sets the MTU from mtu or path-mtu, limited by the interface's. While the
 * endpoint is unknown, assumes the longer outer header. */
static int settle_mtu(const struct resolver *r, struct peer *p)
{
	uint32_t overhead = outer_len(p);
	struct mtu_cause cause = {interface_origin(r->c, KEY_PATH_MTU),
				  "path-mtu", r->c->path_mtu, overhead, false};

	if (p->mtu_fixed)
		cause = (struct mtu_cause){peer_origin(p, KEY_MTU), "mtu",
					   p->mtu_fixed, 0, false};
	if (r->host.link.mtu < cause.value + overhead - cause.overhead)
		cause = (struct mtu_cause){peer_origin(p, KEY_ALLOWED_IPS),
					   "the interface's MTU",
					   r->host.link.mtu, overhead, true};
	p->mtu =
		cause.value > cause.overhead ? cause.value - cause.overhead : 0;
	return check_mtu(p, &cause);
}

/* RFC 8200 5: the MTU of an IPv6 path is at least 1280. */
static void settle_path_mtu(const struct resolver *r, struct peer *p)
{
	if (p->endpoint.family == 6 && r->c->path_mtu < IPV6_MTU_MIN)
		peer_waits(
			p,
			"path-mtu \"%u\" is too small for its IPv6 endpoint (RFC 8200 5): raise it to %u or more",
			r->c->path_mtu, IPV6_MTU_MIN);
}

/* Peers of the same VRF are mostly neighbours in the file. */
static const struct link_info *find_vrf(struct resolver *r, const char *name)
{
	if (strcmp(r->vrf.name, name) != 0 && link_find(name, &r->vrf))
		r->vrf = (struct link_info){0};
	return r->vrf.vrf_table ? &r->vrf : NULL;
}

static void settle_vrf(struct resolver *r, struct peer *p)
{
	const struct link_info *link;

	p->in_vrf = (struct tl_vrf){0};
	if (!*p->vrf)
		return;
	link = find_vrf(r, p->vrf);
	if (!link) {
		peer_waits(
			p,
			"vrf \"%s\" is no VRF of this host: `ip link add %s type vrf table N`",
			p->vrf, p->vrf);
		return;
	}
	p->in_vrf.ifindex = link->ifindex;
	p->in_vrf.table = link->vrf_table;
	memcpy(p->in_vrf.mac, link->mac, sizeof(p->in_vrf.mac));
}

static int settle_gateway(const struct resolver *r, struct peer *p,
			  const struct ip *gateway)
{
	char text[IP_STRLEN];

	if (!gateway->family || !find_addr(&r->own, gateway))
		return OK;
	return refuse(
		p, peer_origin(p, KEY_GATEWAY),
		"gateway \"%s\" is an address of this host: give the other end's",
		ip_str(gateway, text));
}

/* What was known of a peer says nothing about other outer addresses. */
static void keep_silence(const struct resolver *r, struct peer *p)
{
	const struct peer *was = names_find(&r->was, p->name);

	if (!was || outer_compare(was, p))
		p->silent_ns = 0;
	else if (!p->silent_ns)
		p->silent_ns = was->silent_ns;
}

int resolve_peer(struct resolver *r, struct peer *p)
{
	int ret = OK;

	settle_vrf(r, p);
	if (p->endpoint.family) {
		settle_local(r, p);
		ret = settle_endpoint(r, p);
		settle_path_mtu(r, p);
	}
	keep_silence(r, p);
	return ret ?: settle_gateway(r, p, &p->gateway4) ?:
	       settle_gateway(r, p, &p->gateway6) ?: settle_mtu(r, p);
}

static bool has_outer(const struct peer *p)
{
	return p->endpoint.family && p->local.family;
}

static int give_up_conflict(struct peer *p, struct origin from,
			    const char *text)
{
	int ret = refuse(p, from, "%s", text);

	give_up_endpoint(p);
	return ret;
}

int resolve_conflicts(struct resolver *r)
{
	return conf_conflicts(r->c, has_outer, give_up_conflict);
}

/* Returns the second host, or the first if there is only one. */
static struct ip second_host(const struct prefix *prefix)
{
	struct ip ip = prefix_first_host(prefix), next = ip;

	next.addr[ip.family == 4 ? 3 : 15]++;
	return prefix_contains(prefix, &next) ? next : ip;
}

static struct ip choose_probe(const struct addrs *own, const struct owners *o,
			      const struct peer *p,
			      struct ip (*host)(const struct prefix *prefix))
{
	for_each_allowed (a, p) {
		struct ip ip = host(a);

		if (a->len && owner_is(o, &ip, p) && !find_addr(own, &ip))
			return ip;
	}
	return (struct ip){0};
}

int resolve_probes(const struct resolver *r)
{
	struct owners o;
	int ret = owners_init(&o, r->c);

	for (size_t i = 0; !ret && i < r->c->n_peers; i++) {
		struct peer *p = &r->c->peers[i];

		if (p->probe_fixed)
			continue;
		p->probe = p->gateway4.family ? p->gateway4 : p->gateway6;
		if (p->probe.family)
			continue;
		p->probe = choose_probe(&r->own, &o, p, prefix_first_host);
		if (!p->probe.family)
			p->probe = choose_probe(&r->own, &o, p, second_host);
	}
	owners_free(&o);
	return ret;
}
