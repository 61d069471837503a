/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * resolve/: completes a configuration from the host: interface, addresses, DNS
 * names, MTU, probes; and warns of its risks on this host.
 */
#ifndef TUNLOAD_RESOLVE_H
#define TUNLOAD_RESOLVE_H

#include "host/host.h"

/* Completing a configuration: interface, addresses, names, MTU. */

/*
 * Sets what conf_read() leaves open: ifindex and table; automatic local4 and
 * local6 (preferably the usable address of the interface that the kernel would
 * use towards the peers); endpoints from DNS names; each peer's local, probe
 * (resolve_probes()) and mtu (path MTU, at most the interface's, minus the
 * outer header).
 *
 * A peer that cannot work yet gets the reason in `waiting`: its name does not
 * resolve to a usable address, there is no usable address of its family, its
 * local is not on the interface, or another peer has its outer addresses.
 * Errors in the file or on the command line are USAGE.
 *
 * now is the running state, or NULL: a name that does not resolve keeps its
 * running endpoint, and a local is kept unless the kernel prefers another.
 *
 * FAILED, which a later try may solve: the interface does not exist, is
 * loopback or is not Ethernet; source, local4 or local6 is missing; no peer can
 * work, as addresses are missing.
 */
int resolve(struct conf *c, const struct conf *now);

/* The addresses that a name has now, without the one that its peers use. */
struct answer {
	const char *host;
	struct ip was;	/* the endpoint of these peers */
	struct ip *ips; /* in order of preference */
	size_t n;
	bool is_new; /* not used before, so a warning about it is news */
};
/* Sorted by answer_compare(): by host, then by `was`. */
struct answers {
	struct answer *all;
	size_t n;
};
int answer_compare(const void *a, const void *b);

/*
 * Resolves the running state again: out is a copy of now with everything
 * automatic chosen again and the names of waiting peers looked up. Peers that
 * have host and endpoint of an answer in lost (or NULL) take an address of it.
 * Fails only if the interface does. names: an earlier result whose look-ups are
 * used again, or NULL.
 */
int resolve_again(const struct conf *now, const struct conf *names,
		  const struct answers *lost, struct conf *out);
/* The second half, for a copy of now that was edited. */
int resolve_edited(struct conf *c, const struct conf *now);
/* The first half: forgets what is automatic. */
void resolve_forget(struct conf *c);

/* Sets why p cannot work now, unless a reason is set already. */
void peer_waits(struct peer *p, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* Warns of each waiting peer, with the reason. */
void warn_waiting(const struct conf *c);

/* Our outer addresses. */

/* The interface a configuration is resolved against. */
struct host {
	struct link_info link;
	struct addrs addrs; /* of the interface */
};

/* Reads addrs. Waits up to two seconds for a tentative address that c needs (at
 * boot). */
int read_addresses(const struct conf *c, struct host *h);

/* Returns NULL if ip is not among them. */
const struct if_addr *find_addr(const struct addrs *addrs, const struct ip *ip);
/* Returns NULL if the interface has no usable address of the family. */
const struct if_addr *first_usable(const struct host *h, uint8_t family);
/* Chooses the source towards dst: the kernel's choice if it is usable, else the
 * former one (`before`, or NULL) if it still is, else the first usable one;
 * NULL if there is none. */
const struct if_addr *choose_local(const struct host *h, const struct ip *dst,
				   const struct ip *before);

#define LOCAL_FAULT_LEN 256
/* Returns why a configured local cannot be used, as a text to print after the
 * quoted address, with the address to use instead; NULL if it can. It must be
 * an assigned address: EC2 drops packets from any other. */
const char *local_fault(const struct host *h, const struct ip *local,
			const struct if_addr *instead,
			char buf[static LOCAL_FAULT_LEN]);

/* Effects of a configuration on its host that may not be intended. */

/* Warns about a resolved c: default routes, prefixes that contain addresses of
 * this host, MTUs above the interface's. */
void warn_risks(const struct conf *c);
/* Called if there is no file for an interface: warns of each file whose
 * interface does not exist. */
void warn_lonely_files(void);

#endif
