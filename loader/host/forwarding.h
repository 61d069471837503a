/* SPDX-License-Identifier: GPL-2.0-only */
/* What the kernel does not forward. */
#ifndef TUNLOAD_FORWARDING_H
#define TUNLOAD_FORWARDING_H

#include <stddef.h>
#include <stdint.h>

/*
 * Packets of that family (4 or 6) that were not for this host, and that the
 * kernel has discarded; 0 where it forwards what comes in on ifname. setting is
 * then the name of the sysctl that is 0. The kernel counts since the boot, for
 * IPv4 those of all interfaces, and those that it discards for other reasons.
 */
uint64_t not_forwarded(const char *ifname, uint8_t family, char *setting,
		       size_t len);

#endif
