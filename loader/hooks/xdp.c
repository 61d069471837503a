// SPDX-License-Identifier: GPL-2.0-only
/* Says why native XDP was refused. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/ethtool.h>
#include <linux/if_link.h>
#include <linux/sockios.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bpf_log.h"
#include "one_hook.h"

void driver_name(const char *ifname, char name[static 32])
{
	struct ethtool_drvinfo info = {.cmd = ETHTOOL_GDRVINFO};
	struct ifreq req = {.ifr_data = (void *)&info};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	snprintf(req.ifr_name, sizeof(req.ifr_name), "%s", ifname);
	if (fd < 0 || ioctl(fd, SIOCETHTOOL, &req))
		strcpy(info.driver, "unknown");
	if (fd >= 0)
		close(fd);
	snprintf(name, 32, "%.31s", info.driver);
}

/* The id of another program that is on the hook in any mode, or 0. */
static uint32_t xdp_foreign(uint32_t ifindex)
{
	DECLARE_LIBBPF_OPTS(bpf_xdp_query_opts, q);

	if (bpf_xdp_query(ifindex, 0, &q))
		return 0;
	if (q.drv_prog_id)
		return q.drv_prog_id;
	if (q.skb_prog_id)
		return q.skb_prog_id;
	return q.hw_prog_id ? q.hw_prog_id : q.prog_id;
}

static void foreign_words(uint32_t id, char words[static TL_REASON_LEN])
{
	struct bpf_prog_info info = {0};
	uint32_t len = sizeof(info);
	int fd = bpf_prog_get_fd_by_id(id);

	if (fd >= 0 && !bpf_obj_get_info_by_fd(fd, &info, &len))
		snprintf(words, TL_REASON_LEN,
			 "XDP hook is taken by program \"%s\" (id %u)",
			 info.name, id);
	else
		snprintf(words, TL_REASON_LEN,
			 "XDP hook is taken by program id %u", id);
	if (fd >= 0)
		close(fd);
}

/*
 * Attaches by netlink, which returns the driver's message; a link returns only
 * an errno. Success means that the hook was freed meanwhile: the program is
 * taken off again.
 */
static void ask_driver(uint32_t ifindex, int prog)
{
	const uint32_t flags = XDP_FLAGS_DRV_MODE;

	bpf_log_start();
	if (!bpf_xdp_attach(ifindex, prog, flags | XDP_FLAGS_UPDATE_IF_NOEXIST,
			    NULL))
		bpf_xdp_detach(ifindex, flags, NULL);
}

/* What Amazon's driver needs; it says so only in the kernel log. */
static const char *driver_hint(const char *driver)
{
	if (strcmp(driver, "ena"))
		return "";
	return "; ena needs an MTU <= 3498 and half of the channels free";
}

void xdp_refusal(const char *ifname, uint32_t ifindex, int prog, int err,
		 char words[static TL_REASON_LEN])
{
	uint32_t foreign = xdp_foreign(ifindex);
	const char *said;
	char driver[32];

	if (foreign) {
		foreign_words(foreign, words);
		return;
	}
	driver_name(ifname, driver);
	ask_driver(ifindex, prog);
	said = bpf_log_words();
	if (!*said && err == -EOPNOTSUPP)
		said = "it has none";
	snprintf(words, TL_REASON_LEN, "driver %s refuses native XDP: %s%s",
		 driver, *said ? said : strerror(-err), driver_hint(driver));
}
