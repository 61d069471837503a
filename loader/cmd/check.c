// SPDX-License-Identifier: GPL-2.0-only
/* `tunload check` */
#include "cmd.h"

#include "check/check.h"

static int run_check(int argc, char **argv)
{
	const char *ifname, *file = NULL;
	bool json = false, probe = false;
	const struct opt opts[] = {{"config", 'c', .value = &file},
				   {"probe", .flag = &probe},
				   {"json", .flag = &json},
				   {0}};
	int ret = only_iface(argc, argv, opts, &ifname);
	struct check c;

	if (!ret && probe && file)
		ret = fail_usage(
			"check: --probe sends through what is attached: leave --config out");
	ret = ret ?: check_read(&c, ifname, file);
	if (ret)
		return ret;
	c.probe = probe;
	ret = check_run(&c);
	if (json)
		ret |= findings_json(&c);
	else
		findings_text(&c);
	if (check_worst(&c) == LEVEL_FAILURE)
		ret = FAILED;
	check_free(&c);
	return ret;
}

const struct command cmd_check = {
	.name = "check",
	.run = run_check,
	.args = "IFACE [-c FILE | --probe] [--json]",
	.brief = "say what on this host keeps tunnels from working",
	.text = "Examines the running state or, if IFACE is not attached or -c is\n"
		"given, the configuration file, and the host around it; changes nothing.\n"
		"Each finding is ok, a warning or a failure: the condition, why it\n"
		"matters, and the command that mends it. Exit status 1: a failure.\n"
		"\n"
		"  -c, --config FILE   examine FILE\n"
		"  --probe             send packets of many sizes to the probe of each\n"
		"                      peer, and say what gets through; takes some\n"
		"                      seconds\n"
		"  --json              for programs\n",
};
