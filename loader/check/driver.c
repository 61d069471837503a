// SPDX-License-Identifier: GPL-2.0-only
/* Area: native XDP of the interface's driver, and the CPU that does the work.
 */
#include "check.h"

#include <string.h>

/* True if the programs are, or would be, in the driver. */
static bool wants_native(const struct check *c)
{
	return c->conf.mode != TL_MODE_TC;
}

static enum level needed(const struct check *c)
{
	return c->conf.mode == TL_MODE_NATIVE ? LEVEL_FAILURE : LEVEL_WARNING;
}

static void look_at_ena(struct check *c, const struct nic *nic)
{
	const char *dev = c->conf.ifname;
	uint32_t channels = nic_ena_channels(nic);

	if (nic_ena_mtu(nic, c->link.mtu)) {
		found(c, needed(c), "MTU for XDP", NULL,
		      "ena takes native XDP up to an MTU of %u, and %s has %u",
		      ENA_XDP_MTU, dev, c->link.mtu);
		mend(c, "ip link set %s mtu %u", dev, ENA_XDP_MTU);
	}
	if (!channels)
		return;
	found(c, needed(c), "channels for XDP", NULL,
	      "ena takes native XDP with at most half of its channels in use, and %s uses %u of %u",
	      dev, nic->channels, nic->channels_max);
	mend(c, "ethtool -L %s combined %u", dev, channels);
}

static void look_at_mode(struct check *c, const struct nic *nic)
{
	const struct tl_interface *is = &c->now.iface;
	const char *dev = c->conf.ifname;

	if (is->mode == TL_MODE_TC && is->mode_asked != TL_MODE_TC) {
		found(c, LEVEL_WARNING, "tc mode", NULL,
		      "packets are taken in tc, which costs more than native XDP: %s",
		      is->mode_reason);
		mend(c, "tunload attach %s --mode auto", dev);
	}
	if (is->mode == TL_MODE_NATIVE && !strcmp(nic->driver, "veth")) {
		found(c, LEVEL_WARNING, "GSO", NULL,
		      "native XDP on veth switches GSO off, which costs more than it saves: mode = tc is faster there");
		mend(c, "tunload attach %s --mode tc", dev);
	}
}

static void look_at_cpus(struct check *c)
{
	char mask[512];

	if (!one_cpu(&c->now, mask, sizeof(mask)))
		return;
	found(c, LEVEL_WARNING, "one CPU", NULL,
	      "a tunnel is one flow for the network card, so one CPU does its work: RPS spreads it by inner flow");
	mend(c, "echo %s | tee /sys/class/net/%s/queues/rx-*/rps_cpus", mask,
	     c->conf.ifname);
}

int check_driver(struct check *c)
{
	struct nic nic;

	nic_read(c->conf.ifname, &nic);
	if (wants_native(c))
		look_at_ena(c, &nic);
	if (c->attached) {
		look_at_mode(c, &nic);
		look_at_cpus(c);
	}
	return OK;
}
