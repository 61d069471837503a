// SPDX-License-Identifier: GPL-2.0-only
/* `tunload peer` */
#include "cmd.h"

#include <string.h>
#include <unistd.h>

#include "show/show.h"

/* Sorts behind the running configuration, which has line 0. */
static const struct origin command_line = {.line = 1};

/* Accepts each key once. A list (allowed-ips) replaces the old one. */
static int set_words(const struct edit *e, struct peer *p)
{
	uint64_t seen = 0;

	p->origin = command_line;
	for (char **word = e->words; *word; word += 2) {
		const struct key *k = key_find(p, command_line, word[0]);
		uint64_t bit;
		int ret;

		if (!k)
			return USAGE;
		bit = 1ull << (k - peer_keys);
		if (seen & bit)
			return fail_usage(
				"peer %s: \"%s\" is given twice: remove one",
				p->name, word[0]);
		seen |= bit;
		if (k->again) {
			p->n_allowed = 0;
			p->routed = false;
		}
		ret = key_set(k, p, command_line, word[1]);
		if (ret)
			return ret;
	}
	return OK;
}

static int edit_add(const struct edit *e, struct conf *c)
{
	struct peer *p;

	if (conf_peer(c, e->name))
		return fail_usage(
			"%s has a peer \"%s\" already: change it with `tunload peer set %s %s ...`",
			c->ifname, e->name, c->ifname, e->name);
	if (c->n_peers == TL_MAX_PEERS)
		return fail_usage("%s: more than %u peers", c->ifname,
				  TL_MAX_PEERS);
	p = conf_add_peer(c, e->name);
	return p ? set_words(e, p) : fail("out of memory");
}

static int edit_set(const struct edit *e, struct conf *c)
{
	struct peer *p = conf_peer(c, e->name);

	return p ? set_words(e, p) : fail_no_peer(c, e->name);
}

static int edit_del(const struct edit *e, struct conf *c)
{
	struct peer *p = conf_peer(c, e->name);

	if (!p)
		return fail_no_peer(c, e->name);
	conf_del_peer(c, p);
	return OK;
}

static int edit_and_print(const char *ifname, const struct edit *e)
{
	struct mended mended;
	struct running r;
	struct conf want;
	const struct peer *p;
	int ret = running_lock(&r, ifname);

	if (ret)
		return ret;
	ret = edit_running(&r, e, &want, &mended);
	if (!ret) {
		mended_print(&mended, NULL, &want);
		trigger_first(&want, &r.now, &r.maps);
		p = conf_peer(&want, e->name);
		if (p && *p->waiting)
			warn("peer %s waits: %s", p->name, p->waiting);
		conf_free(&want);
	}
	running_close(&r);
	return ret;
}

/* Refuses KEY=VALUE in one word, and says how it is written. */
static int check_one_word(const struct peer *p, const char *word)
{
	size_t n = strcspn(word, "=");
	char key[KEY_STRLEN];

	if (!word[n] || n >= sizeof(key))
		return OK;
	snprintf(key, sizeof(key), "%.*s", (int)n, word);
	if (!key_find(p, command_line, key))
		return USAGE;
	return fail_usage("peer %s: \"%s\": write two words: %s %s", p->name,
			  word, key, word[n + 1] ? word + n + 1 : "VALUE");
}

/* n: of the words. */
static int try_words(const struct edit *e, struct peer *p, int n)
{
	for (int i = 0; i < n; i += 2)
		if (check_one_word(p, e->words[i]))
			return USAGE;
	if (n % 2)
		return fail_usage("peer %s: no value behind \"%s\": give one",
				  e->name, e->words[n - 1]);
	return set_words(e, p);
}

/* Checks the syntax without privileges or an attached interface, by setting the
 * words on a scratch peer. */
static int check_words(const struct edit *e, const char *ifname, int n)
{
	struct conf c;
	struct peer *p;
	int ret;

	conf_init(&c, ifname);
	p = conf_add_peer(&c, e->name);
	ret = p ? try_words(e, p, n) : fail("out of memory");
	if (!ret && e->make == edit_add)
		ret = conf_check(&c);
	conf_free(&c);
	return ret;
}

/* argv is without the verb. */
static int do_edit(int argc, char **argv, struct edit *e)
{
	const char *ifname;
	int ret = take_iface(argc, argv, &ifname);

	if (ret)
		return ret;
	if (optind == argc)
		return fail_usage(
			"peer: no peer named: see `tunload help peer`");
	e->name = argv[optind++];
	e->words = argv + optind;
	ret = peer_name_check(command_line, e->name);
	if (ret)
		return ret;
	if (e->make == edit_del)
		ret = no_more_args(argc, argv);
	else if (optind == argc && e->make == edit_set)
		ret = fail_usage(
			"peer %s: nothing to set: see `tunload help peer`",
			e->name);
	else
		ret = check_words(e, ifname, argc - optind);
	if (!ret)
		ret = require_bpf();
	output_is_news = true;
	return ret ?: edit_and_print(ifname, e);
}

static json_t *listed_json(const struct peer *p)
{
	/* clang-format off */
	json_t *out = json_pack(
		"{s:s, s:s, s:o, s:o, s:o, s:o, s:I, s:o}",
		"peer", p->name,
		"name", p->name,
		"endpoint", json_ip(&p->endpoint),
		"hostname", json_text(p->host),
		"vrf", json_text(p->vrf),
		"allowed_ips", json_allowed(p),
		"mtu", (json_int_t)p->mtu,
		"waiting", json_text(p->waiting));
	/* clang-format on */

	return json_with_keys(out, peer_keys, p);
}

/* Prints an array of the peers with all their settings. */
static int print_list_json(const struct conf *c)
{
	json_t *list = json_array();

	for_each_peer (p, c)
		json_array_append_new(list, listed_json(p));
	return json_print(list, JSON_INDENT(2));
}

static int show_list(const char *ifname, bool json)
{
	struct screen to;
	struct conf c;
	int ret = state_running(ifname, &c);

	if (ret)
		return ret;
	screen_init(&to);
	if (json)
		ret = print_list_json(&c);
	else
		peers_text(&to, &c);
	conf_free(&c);
	return ret;
}

static int do_list(int argc, char **argv)
{
	bool json = false;
	const struct opt opts[] = {{"json", .flag = &json}, {0}};
	const char *ifname;
	int ret = take_options(argc, argv, opts);

	if (ret)
		return ret;
	/* getopt_long() has moved options in front of `list`. */
	if (optind == argc || strcmp(argv[optind], "list"))
		return fail_usage(
			"peer: --json goes with list only: write `tunload peer list IFACE --json`");
	optind++;
	ret = take_iface(argc, argv, &ifname) ?: no_more_args(argc, argv);
	return ret ?: require_bpf() ?: show_list(ifname, json);
}

/* Values of keys may begin with a '-'. */
static bool has_option(char **argv)
{
	if (*argv[1] == '-')
		return true;
	while (*argv && strcmp(*argv, "--json") != 0)
		argv++;
	return *argv;
}

static int run_peer(int argc, char **argv)
{
	static const struct {
		const char *word;
		struct edit edit;
	} verbs[] = {
		{"add", {.make = edit_add, .adds = true}},
		{"set", {.make = edit_set}},
		{"del", {.make = edit_del}},
	};
	const char *habit;
	struct edit e;

	if (argc < 2)
		return fail_usage(
			"peer: say list, add, set or del: see `tunload help peer`");
	if (!strcmp(argv[1], "list") || has_option(argv))
		return do_list(argc, argv);
	for (size_t i = 0; i < sizeof(verbs) / sizeof(*verbs); i++) {
		if (strcmp(argv[1], verbs[i].word))
			continue;
		e = verbs[i].edit;
		optind = 2;
		return do_edit(argc, argv, &e);
	}
	habit = habit_of_command(argv[1]);
	if (habit && !strcmp(habit, "status"))
		habit = "peer list";
	if (habit && !strncmp(habit, "peer ", 5))
		return fail_usage("peer: \"%s\": say \"%s\"", argv[1], habit);
	return fail_usage("peer: \"%s\" is none of list, add, set, del",
			  argv[1]);
}

const struct command cmd_peer = {
	.name = "peer",
	.run = run_peer,
	.args = "list IFACE [--json] | add|set IFACE NAME KEY VALUE ... | "
		"del IFACE NAME",
	.brief = "list, add, change and remove peers of the running state",
	.text = "The configuration file stays as it is; see showconf. add needs endpoint\n"
		"and allowed-ips. The keys, with their defaults:\n\n",
	.keys = peer_keys,
};
