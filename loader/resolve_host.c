// SPDX-License-Identifier: GPL-2.0-only
/* DNS names of endpoints. */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>

#include "resolve_host.h"

#include "nl.h"

static struct ip from_sockaddr(const struct sockaddr *sa)
{
	struct ip ip = {.family = nl_family(sa->sa_family)};

	if (ip.family == 4)
		memcpy(ip.addr, &((const struct sockaddr_in *)sa)->sin_addr, 4);
	if (ip.family == 6)
		memcpy(ip.addr, &((const struct sockaddr_in6 *)sa)->sin6_addr,
		       16);
	return ip;
}

/* The first of the family, in the resolver's order (RFC 6724). */
static bool pick(const struct addrinfo *list, uint8_t family, struct ip *out)
{
	for (; list; list = list->ai_next) {
		*out = from_sockaddr(list->ai_addr);
		if (out->family == family && !ip_is_martian(out))
			return true;
	}
	*out = (struct ip){0};
	return false;
}

static int fail_lookup(const struct peer *p, const char *why)
{
	struct origin from = peer_origin(p, KEY_ENDPOINT);

	return conf_fail(&from,
			 "peer %s: endpoint \"%s\" does not resolve (%s): "
			 "check the name, or give an address",
			 p->name, p->host, why);
}

int resolve_host(struct peer *p, uint8_t preferred)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_DGRAM};
	uint8_t only = p->local_fixed ? p->local.family : 0;
	struct addrinfo *list;
	int ret;

	if (p->endpoint.family || !p->host[0])
		return OK;
	ret = getaddrinfo(p->host, NULL, &hints, &list);
	if (ret)
		return fail_lookup(p, ret == EAI_SYSTEM ? strerror(errno)
							: gai_strerror(ret));
	if (only)
		preferred = only;
	if (!pick(list, preferred, &p->endpoint) && !only)
		pick(list, preferred == 4 ? 6 : 4, &p->endpoint);
	freeaddrinfo(list);
	if (p->endpoint.family)
		return OK;
	return fail_lookup(p, only ? "no usable address of the family of its "
				     "local"
				   : "no usable address");
}
