/* SPDX-License-Identifier: GPL-2.0-only */
/* What a configuration needs from the host: interface, addresses, names, MTU.
 */
#ifndef TUNLOAD_RESOLVE_H
#define TUNLOAD_RESOLVE_H

#include "conf.h"

/*
 * Fills in what conf_read() left open: ifindex; local4/local6 where automatic
 * (a usable address of the interface, the one the kernel would use towards the
 * peers first); endpoints from DNS names; each peer's local, probe
 * (resolve_probes()) and mtu (path MTU, never more than the
 * interface's, minus the outer header). Refuses: an interface that is loopback
 * or not Ethernet; a local that is not on the interface, with the reason (EC2
 * drops it) and the address to use; a source that is not this host's; a name
 * that does not resolve; no usable local address for a peer's family. Then runs
 * conf_check() again.
 */
int resolve(struct conf *c);

#endif
