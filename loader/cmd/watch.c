// SPDX-License-Identifier: GPL-2.0-only
/* `tunload watch` */
#include "cmd.h"

#include "watch/watch.h"

static int run_watch(int argc, char **argv)
{
	struct watch_options options = {0};
	const struct opt opts[] = {{"exec", .value = &options.command}, {0}};

	return only_iface(argc, argv, opts, &options.ifname) ?: require_bpf()
		       ?: watch(&options);
}

const struct command cmd_watch = {
	.name = "watch",
	.run = run_watch,
	.args = "IFACE [--exec CMD]",
	.brief = "look after the tunnels, until interrupted",
	.text = "Sends every peer an inner ping each `keepalive` seconds, tells which peers\n"
		"answer, and follows changes of the host at once. Nothing else needs it.\n"
		"\n"
		"  --exec CMD   run CMD by /bin/sh at each change of a peer's state, with\n"
		"               TUNLOAD_PEER, TUNLOAD_STATE, ... in its environment\n",
};
