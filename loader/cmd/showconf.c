// SPDX-License-Identifier: GPL-2.0-only
/* `tunload showconf` */
#include "cmd.h"

#include "maps/maps.h"

static int run_showconf(int argc, char **argv)
{
	const char *ifname;
	struct conf c;
	int ret = only_iface(argc, argv, NULL, &ifname) ?: require_bpf();

	if (!ret)
		ret = state_running(ifname, &c);
	if (ret)
		return ret;
	conf_write(stdout, &c);
	conf_free(&c);
	return OK;
}

const struct command cmd_showconf = {
	.name = "showconf",
	.run = run_showconf,
	.args = "IFACE",
	.brief = "print the running state as a configuration file",
	.text = "",
};
