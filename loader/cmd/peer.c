// SPDX-License-Identifier: GPL-2.0-only
#include "cmd.h"

#include <getopt.h>
#include <string.h>

#include "conf/conf.h"
#include "resolve/resolve.h"
#include "maps/maps.h"
#include "tunnel/tunnel.h"
#include "show/show.h"

/* What is to be done to the running state: words are KEY VALUE pairs. */
struct change {
	const char *ifname;
	const char *name;
	char **words;
	int (*edit)(const struct change *change, struct conf *c);
};

/* Later than what runs, which is of line 0. */
static const struct origin command_line = {.line = 1};

/* Each key once. Values that add up (allowed-ips) replace what was there. */
static int set_words(const struct change *change, struct peer *p)
{
	uint64_t seen = 0;

	p->origin = command_line;
	for (char **word = change->words; *word; word += 2) {
		const struct key *k = key_find(p, &command_line, word[0]);
		uint64_t bit;
		int ret;

		if (!k)
			return USAGE;
		bit = 1ull << (k - peer_keys);
		if (seen & bit)
			return usage(
				"peer %s: \"%s\" is given twice: remove one",
				p->name, word[0]);
		seen |= bit;
		if (k->again)
			p->n_allowed = 0;
		ret = key_set(k, p, &command_line, word[1]);
		if (ret)
			return ret;
	}
	return OK;
}

static int edit_add(const struct change *change, struct conf *c)
{
	struct peer *p;

	if (conf_peer(c, change->name))
		return usage(
			"%s has a peer \"%s\" already: change it with `tunload peer set %s %s ...`",
			c->ifname, change->name, c->ifname, change->name);
	if (c->n_peers == TL_MAX_PEERS)
		return usage("%s: more than %u peers", c->ifname, TL_MAX_PEERS);
	p = conf_add_peer(c, change->name);
	return p ? set_words(change, p) : fail("out of memory");
}

static int edit_set(const struct change *change, struct conf *c)
{
	struct peer *p = conf_peer(c, change->name);

	if (!p)
		return usage(
			"%s has no peer \"%s\": add it with `tunload peer add %s %s endpoint A allowed-ips P`",
			c->ifname, change->name, c->ifname, change->name);
	return set_words(change, p);
}

static int edit_del(const struct change *change, struct conf *c)
{
	struct peer *p = conf_peer(c, change->name);

	if (!p)
		return usage(
			"%s has no peer \"%s\": see `tunload peer list %s`",
			c->ifname, change->name, c->ifname);
	conf_del_peer(c, p);
	return OK;
}

static int apply_change(const struct pins *p, const struct maps *m,
			const struct conf *now, struct conf *want)
{
	struct mended mended;
	int ret = align(NULL, p, m, now, want, NULL, &mended);

	if (ret)
		return ret;
	mended_print(&mended, NULL, want);
	trigger_first(want, now, m);
	return OK;
}

/* Warns only about the peer that the words are about. */
static void warn_named(const struct change *change, const struct conf *c)
{
	const struct peer *p = conf_peer(c, change->name);

	if (p && *p->waiting)
		warn("peer %s waits: %s", p->name, p->waiting);
}

/* A copy of now with the change. */
static int edited(const struct change *change, const struct conf *now,
		  struct conf *want)
{
	int ret = conf_copy(want, now);

	if (ret)
		return ret;
	resolve_forget(want);
	ret = change->edit(change, want);
	if (ret)
		conf_free(want);
	return ret;
}

/* With all peers and the host brought in line. */
static int change_all(const struct pins *p, const struct maps *m,
		      const struct change *change, const struct conf *now)
{
	struct conf want;
	int ret = edited(change, now, &want);

	if (ret)
		return ret;
	ret = conf_check(&want);
	if (!ret)
		ret = resolve_edited(&want, now);
	if (!ret)
		ret = apply_change(p, m, now, &want);
	if (!ret)
		warn_named(change, &want);
	conf_free(&want);
	return ret;
}

static int change_one(const struct maps *m, const struct change *change,
		      const struct conf *now, bool *done)
{
	struct conf want;
	int ret = OK;

	*done = false;
	if (change->edit != edit_set)
		return OK;
	ret = edited(change, now, &want);
	if (ret)
		return ret;
	ret = one_peer_change(m, now, &want, conf_peer(&want, change->name),
			      done);
	if (!ret && *done)
		trigger_first(&want, now, m);
	conf_free(&want);
	return ret;
}

/* The lock is held. */
static int change_state(const struct pins *p, const struct maps *m,
			const struct change *change)
{
	struct conf now;
	int ret = state_read(m, change->ifname, &now);
	bool done = false;

	if (ret)
		return ret;
	ret = change_one(m, change, &now, &done);
	if (!ret && !done)
		ret = change_all(p, m, change, &now);
	conf_free(&now);
	return ret;
}

static int run_change(const struct change *change)
{
	struct pins pins;
	struct maps m;
	int ret = pins_open(&pins, change->ifname, false);

	if (ret)
		return ret;
	ret = maps_open(&m, change->ifname);
	if (!ret) {
		ret = change_state(&pins, &m, change);
		maps_close(&m);
	}
	pins_close(&pins);
	return ret;
}

/* A syntax check that needs neither rights nor an attached interface: the words
 * set on a peer that is in no state. */
static int check_words(const struct change *change, int n, bool all)
{
	struct conf c;
	struct peer *p;
	int ret;

	if (n % 2)
		return usage("peer %s: no value behind \"%s\": give one",
			     change->name, change->words[n - 1]);
	conf_init(&c, change->ifname);
	p = conf_add_peer(&c, change->name);
	ret = p ? set_words(change, p) : fail("out of memory");
	if (!ret && all)
		ret = conf_check(&c);
	conf_free(&c);
	return ret;
}

static int do_change(int argc, char **argv, struct change *change)
{
	bool is_del = change->edit == edit_del;
	int ret;

	change->ifname = take_iface(argc, argv);
	if (!change->ifname)
		return USAGE;
	if (optind == argc)
		return usage("peer: no peer named: see `tunload help peer`");
	change->name = argv[optind++];
	ret = peer_name_check(&command_line, change->name);
	if (ret)
		return ret;
	change->words = argv + optind;
	if (is_del)
		ret = no_more_args(argc, argv);
	else if (optind == argc && change->edit == edit_set)
		ret = usage("peer %s: nothing to set: see `tunload help peer`",
			    change->name);
	else
		ret = check_words(change, argc - optind,
				  change->edit == edit_add);
	if (!ret)
		ret = require_bpf();
	output_is_news = true;
	return ret ?: run_change(change);
}

static int show_list(const char *ifname, bool json)
{
	struct conf c;
	int ret = state_running(ifname, &c);

	if (ret)
		return ret;
	if (json)
		ret = peer_list_json(&c);
	else
		peer_list_text(&c);
	conf_free(&c);
	return ret;
}

static int do_list(int argc, char **argv)
{
	static const struct option options[] = {
		{"json", no_argument, NULL, 'j'},
		{NULL, 0, NULL, 0},
	};
	bool json = false;
	const char *ifname;
	int c, ret;

	while ((c = next_option(argc, argv, "", options)) != -1) {
		if (c == '?')
			return USAGE;
		json = true;
	}
	/* Options may stand in front of it; getopt_long() has sorted. */
	if (optind == argc || strcmp(argv[optind], "list"))
		return usage(
			"peer: --json goes with list only: write `tunload peer list IFACE --json`");
	optind++;
	ret = only_iface(argc, argv, &ifname);
	return ret ?: show_list(ifname, json);
}

int cmd_peer(int argc, char **argv)
{
	static const struct {
		const char *word;
		int (*edit)(const struct change *change, struct conf *c);
	} verbs[] = {{"add", edit_add}, {"set", edit_set}, {"del", edit_del}};
	struct change change = {0};

	if (argc < 2)
		return usage(
			"peer: say list, add, set or del: see `tunload help peer`");
	if (!strcmp(argv[1], "list") || !strcmp(argv[1], "--json"))
		return do_list(argc, argv);
	for (size_t i = 0; i < sizeof(verbs) / sizeof(*verbs); i++) {
		if (strcmp(argv[1], verbs[i].word))
			continue;
		change.edit = verbs[i].edit;
		optind = 2;
		return do_change(argc, argv, &change);
	}
	return usage("peer: \"%s\" is none of list, add, set, del", argv[1]);
}
