// SPDX-License-Identifier: GPL-2.0-only
/* Chooses our outer addresses. */
#include "resolve.h"

#include <linux/if_addr.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#define DAD_WAIT_MS 2000
#define DAD_STEP_MS 100

const struct if_addr *find_addr(const struct addrs *addrs, const struct ip *ip)
{
	for (size_t i = 0; i < addrs->n; i++)
		if (ip_equal(&addrs->all[i].ip, ip))
			return &addrs->all[i];
	return NULL;
}

static bool is_tentative(const struct if_addr *a)
{
	return (a->flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED)) ==
	       IFA_F_TENTATIVE;
}

const struct if_addr *first_usable(const struct host *h, uint8_t family)
{
	for (size_t i = 0; h->addrs.all && i < h->addrs.n; i++)
		if (h->addrs.all[i].usable &&
		    h->addrs.all[i].ip.family == family)
			return &h->addrs.all[i];
	return NULL;
}

/* True if duplicate address detection (RFC 4862 5.4) of a needed address is not
 * finished: until then names may not resolve, and IPv6 peers cannot work. */
static bool awaits_dad(const struct conf *c, const struct host *h)
{
	bool fixed = false, automatic = false, tentative = false;

	for_each_peer (p, c) {
		const struct if_addr *a = find_addr(&h->addrs, &p->local);

		if (p->local_fixed)
			fixed |= a && is_tentative(a);
		else if (p->endpoint.family != 4)
			automatic = true;
	}
	for (size_t i = 0; i < h->addrs.n; i++) {
		if (!is_tentative(&h->addrs.all[i]))
			continue;
		tentative |= !ip_is_link_local(&h->addrs.all[i].ip);
		fixed |= c->local6_fixed &&
			 ip_equal(&h->addrs.all[i].ip, &c->local6);
	}
	return fixed || (automatic && tentative && !first_usable(h, 6));
}

int read_addresses(const struct conf *c, struct host *h)
{
	int waited, ret;

	for (waited = 0;; waited += DAD_STEP_MS) {
		ret = addr_list(h->link.ifindex, &h->addrs);
		if (ret || !h->link.up || waited >= DAD_WAIT_MS ||
		    !awaits_dad(c, h))
			return ret;
		free(h->addrs.all);
		h->addrs = (struct addrs){0};
		sleep_ms(DAD_STEP_MS);
	}
}

/* Returns a socket of that family, bound to the interface. It is opened once
 * and used for all peers. */
static int question_socket(const struct host *h, uint8_t family)
{
	static int sockets[2] = {-1, -1};
	int *fd = &sockets[family == 6];

	if (*fd < 0)
		*fd = socket(nl_af(family), SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (*fd < 0 || setsockopt(*fd, SOL_SOCKET, SO_BINDTODEVICE,
				  h->link.name, strlen(h->link.name)))
		return -1;
	return *fd;
}

/* Returns the source that the kernel chooses towards dst: the address of a
 * connected socket, which sends nothing. */
static struct ip kernel_source(const struct host *h, const struct ip *dst)
{
	static const struct sockaddr nobody = {.sa_family = AF_UNSPEC};
	struct sockaddr_storage to;
	socklen_t len = ip_to_sockaddr(dst, &to);
	int fd = question_socket(h, dst->family);

	/* At the same offset in a struct sockaddr_in6. */
	((struct sockaddr_in *)&to)->sin_port = htons(9);
	/* Disconnect first, as a connected socket keeps its source. */
	if (fd < 0 || connect(fd, &nobody, sizeof(nobody)) ||
	    connect(fd, (void *)&to, len) || getsockname(fd, (void *)&to, &len))
		return (struct ip){0};
	return ip_from_sockaddr(&to);
}

/* True if there is only one usable address of the family, so that the kernel
 * need not be asked. */
static bool is_only_usable(const struct host *h, const struct if_addr *a)
{
	for (size_t i = 0; i < h->addrs.n; i++)
		if (&h->addrs.all[i] != a && h->addrs.all[i].usable &&
		    h->addrs.all[i].ip.family == a->ip.family)
			return false;
	return true;
}

static const struct if_addr *find_usable(const struct host *h,
					 const struct ip *ip)
{
	const struct if_addr *a = NULL;

	if (ip && ip->family)
		a = find_addr(&h->addrs, ip);
	return a && a->usable ? a : NULL;
}

const struct if_addr *choose_local(const struct host *h, const struct ip *dst,
				   const struct ip *before)
{
	const struct if_addr *first = first_usable(h, dst->family), *a;
	struct ip source;

	if (!first || is_only_usable(h, first))
		return first;
	source = kernel_source(h, dst);
	a = find_usable(h, &source);
	if (!a && before && before->family == dst->family)
		a = find_usable(h, before);
	return a ?: first;
}

const char *local_fault(const struct host *h, const struct ip *local,
			const struct if_addr *instead,
			char buf[static LOCAL_FAULT_LEN])
{
	const struct if_addr *a = find_addr(&h->addrs, local);
	char ip[IP_STRLEN];

	if (a && a->flags & IFA_F_DADFAILED && local->family == 6)
		return "is used by another host too (duplicate address): remove one of the two";
	if (a && is_tentative(a) && local->family == 6)
		return "is still being checked for duplicates after 2 s: is the link up?";
	if (a)
		return NULL;
	if (!instead)
		instead = first_usable(h, local->family);
	snprintf(
		buf, LOCAL_FAULT_LEN,
		"is not an address of %s: EC2 drops packets from addresses that are not assigned to the interface; %s%s",
		h->link.name,
		instead ? "use " : "it has none of this family: assign one",
		instead ? ip_str(&instead->ip, ip) : "");
	return buf;
}
