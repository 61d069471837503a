// SPDX-License-Identifier: GPL-2.0-only
/* Sends outer packets that are made here, not by the data plane. */
#include "probe.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

#include "host/host.h"

/* Packets keep DF and are as long as the interface allows, whatever the kernel
 * knows of the path. */
static int open_raw(uint8_t family, const struct conf *c)
{
	int fd = socket(nl_af(family), SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
	int probe = IP_PMTUDISC_PROBE; /* the same number for IPv6 */

	if (fd < 0)
		return -1;
	if (setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, c->ifname,
		       strlen(c->ifname)) ||
	    setsockopt(fd, family == 4 ? IPPROTO_IP : IPPROTO_IPV6,
		       family == 4 ? IP_MTU_DISCOVER : IPV6_MTU_DISCOVER,
		       &probe, sizeof(probe))) {
		close(fd);
		return -1;
	}
	return fd;
}

void outer_open(struct outer *o, const struct conf *c)
{
	o->fd4 = open_raw(4, c);
	o->fd6 = open_raw(6, c);
}

void outer_close(struct outer *o)
{
	if (o->fd4 >= 0)
		close(o->fd4);
	if (o->fd6 >= 0)
		close(o->fd6);
	o->fd4 = o->fd6 = -1;
}

/* The socket's address makes the kernel look for the same route as for packets
 * of the tunnel, whatever leads elsewhere from other addresses. */
int outer_send(const struct outer *o, const struct peer *peer,
	       const void *packet, size_t size)
{
	int fd = peer->endpoint.family == 4 ? o->fd4 : o->fd6;
	struct sockaddr_storage from, to;
	socklen_t from_len = ip_to_sockaddr(&peer->local, &from);
	socklen_t to_len = ip_to_sockaddr(&peer->endpoint, &to);

	if (fd < 0) {
		errno = EAFNOSUPPORT;
		return -1;
	}
	if (bind(fd, (void *)&from, from_len) ||
	    sendto(fd, packet, size, 0, (void *)&to, to_len) < 0)
		return -1;
	return 0;
}
