/* SPDX-License-Identifier: GPL-2.0-only */
/* What a configuration needs from the host: interface, addresses, names, MTU.
 */
#ifndef TUNLOAD_RESOLVE_H
#define TUNLOAD_RESOLVE_H

#include "conf/conf.h"

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

/* A warning for each peer that waits, why. */
void warn_waiting(const struct conf *c);

#endif
