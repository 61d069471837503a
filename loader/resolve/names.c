// SPDX-License-Identifier: GPL-2.0-only
/* Looks up the DNS names of endpoints. */
#include "names.h"

#include <errno.h>
#include <netdb.h>
#include <string.h>
#include <time.h>

#include "conf/conf.h"
#include "host/host.h"
#include "resolve.h"

/* How long the failing look-ups of one command may take in all. */
#define PATIENCE_S 10

/* Picks the first valid endpoint of the family, in the resolver's order (RFC
 * 6724). */
static bool pick(const struct addrinfo *list, uint8_t family,
		 const struct own_addrs *own, struct ip *out)
{
	for (; list; list = list->ai_next) {
		*out = ip_from_sockaddr(list->ai_addr);
		if (out->family == family && !address_fault(out) &&
		    !find_addr(own->addrs, own->n, out))
			return true;
	}
	*out = (struct ip){0};
	return false;
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

const char *resolve_host(struct peer *p, uint8_t preferred,
			 const struct own_addrs *own)
{
	uint8_t only = p->local_fixed ? p->local.family : 0;
	struct addrinfo *list;
	int ret;

	ret = look_up(p->host, &list);
	if (ret)
		return ret == EAI_SYSTEM ? strerror(errno) : gai_strerror(ret);
	if (only)
		preferred = only;
	if (!pick(list, preferred, own, &p->endpoint) && !only)
		pick(list, preferred == 4 ? 6 : 4, own, &p->endpoint);
	freeaddrinfo(list);
	if (p->endpoint.family)
		return NULL;
	return only ? "no usable address of the family of its local"
		    : "no usable address";
}
