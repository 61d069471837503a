// SPDX-License-Identifier: GPL-2.0-only
/* Asks the driver of an interface by ethtool's ioctl, and tells what Amazon's
 * needs. */
#include "host.h"

#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static bool ask_driver_for(int fd, const char *ifname, void *data)
{
	struct ifreq req = {.ifr_data = data};

	snprintf(req.ifr_name, sizeof(req.ifr_name), "%s", ifname);
	return fd >= 0 && !ioctl(fd, SIOCETHTOOL, &req);
}

void nic_read(const char *ifname, struct nic *out)
{
	struct ethtool_drvinfo info = {.cmd = ETHTOOL_GDRVINFO};
	struct ethtool_channels channels = {.cmd = ETHTOOL_GCHANNELS};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	*out = (struct nic){.driver = "unknown"};
	if (ask_driver_for(fd, ifname, &info))
		snprintf(out->driver, sizeof(out->driver), "%.31s",
			 info.driver);
	if (ask_driver_for(fd, ifname, &channels)) {
		out->channels = channels.combined_count;
		out->channels_max = channels.max_combined;
	}
	if (fd >= 0)
		close(fd);
}

bool nic_ena_mtu(const struct nic *nic, uint32_t mtu)
{
	return !strcmp(nic->driver, "ena") && mtu > ENA_XDP_MTU;
}

uint32_t nic_ena_channels(const struct nic *nic)
{
	uint32_t half = nic->channels_max / 2;

	if (strcmp(nic->driver, "ena") || !half || nic->channels <= half)
		return 0;
	return half;
}
