/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * resolve/: what a configuration needs from the host: interface, addresses, DNS
 * names, MTU, probes; and what in it is risky on this host.
 */
#ifndef TUNLOAD_RESOLVE_H
#define TUNLOAD_RESOLVE_H

#include "conf/conf.h"
#include "host/host.h"

/* What a configuration needs from the host: interface, addresses, names, MTU.
 */

/*
 * Fills in what conf_read() left open: ifindex and table; local4/local6 where
 * automatic (a usable address of the interface, the one the kernel would use
 * towards the peers first); endpoints from DNS names; each peer's local, probe
 * (resolve_probes()) and mtu (path MTU, never more than the interface's, minus
 * the outer header).
 *
 * A peer that cannot work as the host is now gets a reason in `waiting`: a name
 * that does not resolve to a usable address, no usable address of its family, a
 * local that is not on the interface, the outer addresses of another peer. What
 * is wrong in the file or on the command line is USAGE all the same.
 *
 * now, or NULL, is what runs: a name that does not resolve keeps the endpoint
 * it had, and a local stays where the kernel has no better one.
 *
 * FAILED, and to be tried again later: no such interface, or it is loopback or
 * not Ethernet; a source, local4 or local6 that is not there yet; peers of
 * which none can work for want of addresses.
 */
int resolve(struct conf *c, const struct conf *now);

/*
 * Resolves what runs once more, against the host as it is: out is a copy of now
 * with everything automatic chosen again and the names of those that wait
 * looked up. Only the interface itself can be a failure. names: a former result
 * of this function whose look-ups are used again, or NULL.
 */
int resolve_again(const struct conf *now, const struct conf *names,
		  struct conf *out);
/* The second half, for a copy of now that was edited. */
int resolve_edited(struct conf *c, const struct conf *now);
/* The first half: forgets what is automatic. */
void resolve_forget(struct conf *c);

/* Notes why p cannot work now. Of several reasons the first one stays. */
void peer_waits(struct peer *p, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* A warning for each peer that waits, why. */
void warn_waiting(const struct conf *c);

/* Our outer addresses: which there are, which to use. */

/* The interface a configuration is resolved against. */
struct host {
	struct link_info link;
	struct if_addr *addrs; /* of the interface */
	size_t n;
};

/* Fills in addrs. An address that c needs and that is still tentative is waited
 * for, up to two seconds (at boot). */
int read_addresses(const struct conf *c, struct host *h);

/* NULL if it is not among them. */
const struct if_addr *find_addr(const struct if_addr *addrs, size_t n,
				const struct ip *ip);
/* NULL if the interface has no usable address of the family. */
const struct if_addr *first_usable(const struct host *h, uint8_t family);
/* What to send from to dst: the kernel's choice if that is usable, else what
 * was chosen before (NULL: nothing) if that still is, else the first usable
 * one; NULL if there is none. */
const struct if_addr *choose_local(const struct host *h, const struct ip *dst,
				   const struct ip *before);

#define LOCAL_FAULT_LEN 256
/* Why a configured local cannot be used, as a text behind the quoted address,
 * with the address to use instead; NULL if it can. EC2 drops what it has not
 * assigned, to the /128. */
const char *local_fault(const struct host *h, const struct ip *local,
			const struct if_addr *instead,
			char buf[static LOCAL_FAULT_LEN]);

/* What a configuration may do to its host that nobody meant. */

/* Warnings about c, which resolve() has passed: default routes, prefixes that
 * hold addresses of this host, MTUs above the interface's. */
void warn_risks(const struct conf *c);
/* There is no file for this interface: a warning for each file that is there
 * for an interface that is not. */
void warn_lonely_files(void);

#endif
