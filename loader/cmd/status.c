// SPDX-License-Identifier: GPL-2.0-only
/* `tunload status` */
#include "cmd.h"

#include <unistd.h>

#include "show/show.h"

/* Prints text if list is NULL. */
static int show_one(const char *ifname, json_t *list)
{
	struct next_hop hop = {0};
	struct snapshot s;
	int ret = snapshot_read(&s, ifname);

	if (ret)
		return ret;
	hop.oif = s.conf.ifindex;
	s.last_hop = &hop;
	if (!list)
		status_text(&s);
	else if (json_array_append_new(list, status_json(&s)))
		ret = fail("out of memory");
	snapshot_free(&s);
	return ret;
}

static int show_all(json_t *list)
{
	char(*names)[IFNAMSIZ];
	size_t n, shown = 0;
	int ret = pins_list(&names, &n);

	if (ret)
		return ret;
	for (size_t i = 0; i < n; i++) {
		if (!list && i)
			putchar('\n');
		if (!pins_foreign(names[i])) {
			ret |= show_one(names[i], list);
			shown++;
		} else if (!list) {
			printf("%s: attached in another network namespace\n",
			       names[i]);
		}
	}
	free(names);
	if (!list && !shown)
		printf("no interface is attached here: run `tunload attach IFACE`\n");
	return ret;
}

static int show_json(const char *ifname)
{
	json_t *list = json_array();
	int ret = ifname ? show_one(ifname, list) : show_all(list);

	if (!ifname)
		return json_print(list, JSON_INDENT(2)) ?: ret;
	if (!ret)
		ret = json_print(json_incref(json_array_get(list, 0)),
				 JSON_INDENT(2));
	json_decref(list);
	return ret;
}

static int run_status(int argc, char **argv)
{
	const char *ifname = NULL;
	bool json = false;
	const struct opt opts[] = {{"json", .flag = &json}, {0}};
	int ret = take_options(argc, argv, opts);

	if (ret)
		return ret;
	if (optind < argc)
		ret = take_iface(argc, argv, &ifname);
	ret = ret ?: no_more_args(argc, argv) ?: require_bpf();
	if (ret)
		return ret;
	if (json)
		return show_json(ifname);
	return ifname ? show_one(ifname, NULL) : show_all(NULL);
}

const struct command cmd_status = {
	.name = "status",
	.run = run_status,
	.args = "[IFACE] [--json]",
	.brief = "show what runs, counters of peers, drops by reason",
	.text = "Without IFACE: every attached interface.\n"
		"\n"
		"  --json   for programs\n",
};
