// SPDX-License-Identifier: GPL-2.0-only
#include "cmd.h"

#include <bpf/libbpf.h>
#include <string.h>

#include "conf/conf.h"

/* clang-format off */
static const struct command commands[] = {
	{"attach", cmd_attach,
	 "IFACE [-c FILE] [--mode auto|native|tc] [--no-routes] [--no-trigger] "
	 "[--dry-run]",
	 "put the tunnels of a configuration on an interface",
	 "Without -c the configuration is " SYSCONFDIR "/tunload/IFACE.conf; if\n"
	 "that does not exist, IFACE is attached without peers. On an attached\n"
	 "interface the programs are upgraded in place, peers and counters stay,\n"
	 "and what others changed on the host is mended.\n"
	 "A peer that cannot work yet waits; status says why.\n"
	 "\n"
	 "  -c, --config FILE   read FILE, which must exist\n"
	 "  --mode MODE         native: XDP in the driver; tc: behind it; auto:\n"
	 "                      native where the driver takes it\n"
	 "  --no-routes         install no routes to the allowed prefixes\n"
	 "  --no-trigger        send no first packet to the peers\n"
	 "  --dry-run           say what would be done and do nothing\n"
	 "\n"
	 "The keys of [interface] in the file, with their defaults:\n\n",
	 interface_keys},
	{"detach", cmd_detach, "IFACE",
	 "take everything off an interface again",
	 "Removes the routes, programs and pins that attach has made.\n", NULL},
	{"reload", cmd_reload, "IFACE [-c FILE] [--dry-run]",
	 "make the running state equal to the configuration",
	 "Only the differences are applied; traffic keeps flowing.\n"
	 "\n"
	 "  -c, --config FILE   instead of " SYSCONFDIR "/tunload/IFACE.conf\n"
	 "  --dry-run           say what would be done and do nothing\n", NULL},
	{"status", cmd_status, "[IFACE] [--json]",
	 "show what runs, counters of peers, drops by reason",
	 "Without IFACE: every attached interface.\n"
	 "\n"
	 "  --json   for programs\n", NULL},
	{"peer", cmd_peer,
	 "list IFACE [--json] | add|set IFACE NAME KEY VALUE ... | "
	 "del IFACE NAME",
	 "list, add, change and remove peers of the running state",
	 "The configuration file stays as it is; see showconf. add needs endpoint\n"
	 "and allowed-ips. The keys, with their defaults:\n\n",
	 peer_keys},
	{"showconf", cmd_showconf, "IFACE",
	 "print the running state as a configuration file", "", NULL},
	{"monitor", cmd_monitor, "IFACE [--json]",
	 "print events as they happen, until interrupted",
	 "An event is a packet that was neither plain nor simply tunnelled: time,\n"
	 "verdict, peer, addresses, length. At most 1000 a second and CPU.\n"
	 "\n"
	 "  --json   one object a line\n", NULL},
	{"trigger", cmd_trigger, "IFACE [PEER...] [--wait S] [--due] [--json]",
	 "send the first packet that opens the path to peers",
	 "Sends an inner ping to the probe of each PEER, or of all.\n"
	 "\n"
	 "  --wait S   wait up to S seconds for an answer; exit 1 if one is\n"
	 "             missing\n"
	 "  --due      bring what runs in line with the host as it is; then only\n"
	 "             peers that sent nothing for their keepalive time\n"
	 "  --json     for programs\n", NULL},
	{"version", cmd_version, "", "print the version", "", NULL},
	{"help", cmd_help, "[COMMAND]", "print this, or more about a command",
	 "", NULL},
};
/* clang-format on */

#define N_COMMANDS (sizeof(commands) / sizeof(*commands))

const struct command *command_find(const char *name)
{
	for (size_t i = 0; i < N_COMMANDS; i++) {
		if (!strcmp(name, commands[i].name))
			return &commands[i];
	}
	for (size_t i = 0; i < N_COMMANDS; i++) {
		if (!word_close(name, commands[i].name))
			continue;
		usage("unknown command \"%s\": did you mean \"%s\"?", name,
		      commands[i].name);
		return NULL;
	}
	usage("unknown command \"%s\": see `tunload help`", name);
	return NULL;
}

#define HELP_WIDTH 79

/* Breaks text into lines that begin at the column, where the first one is
 * already. */
static void print_wrapped(FILE *out, const char *text, int column)
{
	int at = column, n;

	for (; *text; text += n + strspn(text + n, " ")) {
		n = strcspn(text, " ");
		if (at > column && at + 1 + n > HELP_WIDTH) {
			fprintf(out, "\n%*s", column, "");
			at = column;
		}
		at += fprintf(out, "%s%.*s", at > column ? " " : "", n, text);
	}
	fputc('\n', out);
}

#define KEY_COLUMN 22

/* "  ttl 1-255           outer TTL or hop limit (64)" */
static void print_keys(FILE *out, const struct key *keys)
{
	for (const struct key *k = keys; k->name; k++) {
		char values[KEY_STRLEN], initial[KEY_STRLEN], text[256];
		const char *of = key_default(k, initial);
		int at =
			fprintf(out, "  %s %s", k->name, key_values(k, values));

		if (at >= KEY_COLUMN)
			at = fprintf(out, "\n") - 1;
		fprintf(out, "%*s", KEY_COLUMN - at, "");
		snprintf(text, sizeof(text), *of ? "%s (%s)" : "%s", k->help,
			 of);
		print_wrapped(out, text, KEY_COLUMN);
	}
}

void command_help(FILE *out, const struct command *command)
{
	fprintf(out, "tunload %s%s%s\n\n%c%s.\n", command->name,
		*command->args ? " " : "", command->args,
		command->brief[0] - 'a' + 'A', command->brief + 1);
	fputs(command->text, out);
	if (command->keys)
		print_keys(out, command->keys);
}

int cmd_help(int argc, char **argv)
{
	const struct command *command;

	if (argc > 2)
		return usage(
			"help: one argument too many \"%s\": see `tunload help`",
			argv[2]);
	if (argc == 2) {
		command = command_find(argv[1]);
		if (!command)
			return USAGE;
		command_help(stdout, command);
		return OK;
	}
	printf("tunload [--bpffs DIR] COMMAND ...\n\n"
	       "Plain IP-in-IP tunnels (4in4, 6in4, 4in6, 6in6) in XDP and tc.\n\n");
	for (size_t i = 0; i < N_COMMANDS; i++)
		printf("  %-9s %s\n", commands[i].name, commands[i].brief);
	printf("\n  --bpffs DIR   where pins are kept (TUNLOAD_BPFFS, /sys/fs/bpf)\n\n"
	       "Exit status: 0 done, 1 failed, 2 usage or configuration error.\n"
	       "See tunload(8) and tunload.conf(5).\n");
	return OK;
}

int cmd_version(int argc, char **argv)
{
	if (argc > 1)
		return usage(
			"version: one argument too many \"%s\": see `tunload help version`",
			argv[1]);
	printf("tunload %s (map layout %u, libbpf %u.%u)\n", VERSION, TL_LAYOUT,
	       libbpf_major_version(), libbpf_minor_version());
	return OK;
}
