// SPDX-License-Identifier: GPL-2.0-only
/* Words of other tools (wg-quick, ip tunnel, systemd-networkd), and what to
 * write instead. */
#include "conf.h"

#include <strings.h>

struct habit {
	const char *word;
	const char *advice;
};

static const char *find_habit(const struct habit *habits, const char *word)
{
	while (habits->word && strcasecmp(habits->word, word) != 0)
		habits++;
	return habits->advice;
}

const char *habit_of_key(const char *word)
{
	static const char *const hooks =
		"there are no hooks, order a unit of yours After=tunload@IFACE.service";
	static const char *const secrets =
		"tunload does not encrypt, remove it (or use WireGuard)";
	const struct habit habits[] = {
		{"PersistentKeepalive", "here it is \"keepalive\""},
		{"AllowedIPs", "here it is \"allowed-ips\""},
		{"remote", "here it is \"endpoint\" of a peer"},
		{"peer", "here it is \"endpoint\" of a peer"},
		{"hoplimit", "here it is \"ttl\" of a peer"},
		{"tos", "here it is \"dscp\" of a peer"},
		{"tclass", "here it is \"dscp\" of a peer"},
		{"TypeOfService", "here it is \"dscp\" of a peer"},
		{"CopyDSCP", "here it is \"dscp\" of a peer"},
		{"MTUBytes", "here it is \"path-mtu\", or \"mtu\" of a peer"},
		{"MTU", "here it is \"path-mtu\", or \"mtu\" of a peer"},
		{"Table",
		 "here it is \"table\" of a peer, and \"routes = no\" for off"},
		{"FwMark", "here it is \"mark\" of a peer"},
		{"metric", "here it is \"priority\" of a peer"},
		{"encaplimit", "that header is never sent, remove it"},
		{"EncapsulationLimit", "that header is never sent, remove it"},
		{"pmtudisc", "that is always done, remove it"},
		{"nopmtudisc", "path MTU discovery is always done, remove it"},
		{"DiscoverPathMTU", "that is always done, remove it"},
		{"type", "the addresses say what goes into what, remove it"},
		{"Kind", "the addresses say what goes into what, remove it"},
		{"key", "only GRE has keys, remove it"},
		{"ListenPort", "these tunnels have no ports, remove it"},
		{"DNS", "the host's resolver stays as it is, remove it"},
		{"SaveConfig",
		 "`tunload showconf` prints what runs, remove it"},
		{"PrivateKey", secrets},
		{"PublicKey", secrets},
		{"PresharedKey", secrets},
		{"PreUp", hooks},
		{"PostUp", hooks},
		{"PreDown", hooks},
		{"PostDown", hooks},
		{0},
	};

	return find_habit(habits, word);
}

const char *habit_of_command(const char *word)
{
	static const struct habit habits[] = {
		{"up", "attach"},
		{"start", "attach"},
		{"down", "detach"},
		{"stop", "detach"},
		{"show", "status"},
		{"list", "status"},
		{"restart", "reload"},
		{"sync", "reload"},
		{"add", "peer add"},
		{"set", "peer set"},
		{"change", "peer set"},
		{"del", "peer del"},
		{"delete", "peer del"},
		{"remove", "peer del"},
		{"save", "showconf"},
		{"dump", "monitor"},
		{"ping", "trigger"},
		{"syncconf", "reload"},
		{"setconf", "reload"},
		{"addconf", "peer add"},
		{0},
	};

	return find_habit(habits, word);
}
