// SPDX-License-Identifier: GPL-2.0-only
/* `tunload remote-config` */
#include "cmd.h"

#include <unistd.h>

#include "maps/maps.h"
#include "remote/remote.h"
#include "resolve/resolve.h"

/* Reads and resolves a file. */
static int read_from_file(struct conf *c, const char *ifname, const char *file)
{
	bool found;
	int ret = conf_load(c, ifname, file, &found);

	if (ret)
		return ret;
	ret = conf_check(c) ?: resolve(c, NULL);
	if (ret)
		conf_free(c);
	return ret;
}

/* The file if one is named, else what runs, else the file at the default
 * place. */
static int read_ours(struct conf *c, const char *ifname, const char *file)
{
	struct tl_interface iface;

	if (!file && is_attached(ifname, &iface))
		return require_bpf() ?: state_running(ifname, c);
	return read_from_file(c, ifname, file);
}

static int print_for_peer(const char *ifname, const char *name,
			  const char *file, const struct far_words *words)
{
	const struct peer *p;
	struct conf c;
	int ret = read_ours(&c, ifname, file);

	if (ret)
		return ret;
	p = conf_peer(&c, name);
	ret = p ? print_far_end(&c, p, words) : fail_no_peer(&c, name);
	conf_free(&c);
	return ret;
}

static int run_remote_config(int argc, char **argv)
{
	const char *ifname, *file = NULL;
	struct far_words words = {0};
	const struct opt opts[] = {
		{"for", .value = &words.form},
		{"config", 'c', .value = &file},
		{"our-address", .value = &words.our_address},
		{"our-networks", .value = &words.our_networks},
		{"their-source", .value = &words.their_source},
		{"device", .value = &words.device},
		{0},
	};
	const char *name;
	int ret = take_options(argc, argv, opts)
			  ?: take_iface(argc, argv, &ifname);

	if (ret)
		return ret;
	if (optind == argc)
		return fail_usage(
			"remote-config: no peer named: see `tunload help remote-config`");
	name = argv[optind++];
	return no_more_args(argc, argv)
		       ?: print_for_peer(ifname, name, file, &words);
}

const struct command cmd_remote_config = {
	.name = "remote-config",
	.run = run_remote_config,
	.args = "IFACE PEER --for FORM [-c FILE] [--our-address A] "
		"[--our-networks P,P...] [--their-source A,A] [--device NAME]",
	.brief = "print what to type at the other end of a peer's tunnel",
	.text = "IFACE need not be attached: then its configuration file is read.\n"
		"\n"
		"  --for FORM            yamaha-rtx, linux, networkd, networkmanager,\n"
		"                        openwrt, vyos, cisco-ios, mikrotik, junos, tunload\n"
		"  -c, --config FILE     read FILE, not what runs\n"
		"  --our-address A       our outer address as the other end sees it,\n"
		"                        behind a NAT (on EC2 it is known)\n"
		"  --our-networks P,P... inner prefixes here; else source or address\n"
		"  --their-source A,A    inner address of that system itself, where the\n"
		"                        form can use one\n"
		"  --device NAME         name of the tunnel there (" FAR_DEVICE
		")\n",
};
