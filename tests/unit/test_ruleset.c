// SPDX-License-Identifier: GPL-2.0-only
/*
 * What chains of nftables do to an echo request and its answer.
 * Needs: loader/base/
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#undef fail /* of base.h */
#include "../../loader/check/ruleset.c"

#define MATCH(left, op, right)                                                 \
	"{'match':{'op':'" op "','left':" left ",'right':" right "}}"
#define META(key)	     "{'meta':{'key':'" key "'}}"
#define SADDR		     "{'payload':{'protocol':'ip','field':'saddr'}}"
#define STATE		     "{'ct':{'key':'state'}}"
#define NET(a, len)	     "{'prefix':{'addr':'" a "','len':" len "}}"
#define ACCEPT		     "{'accept':null}"
#define DROP		     "{'drop':null}"
#define XT(name)	     "{'xt':{'type':'match','name':'" name "'}}"
#define ONE(verdict)	     "[" verdict "]"
#define RULE(match, verdict) "[" match "," verdict "]"
#define JUMP		     "{'jump':{'target':'d'}}"

/* The packet comes from 10.10.0.0/24 on eth0. */
static const struct row {
	const char *policy, *rules;
	const char *other; /* the rules of the chain d */
	enum fate request, answer;
} rows[] = {
	{"accept", "", "", FATE_UNSURE, FATE_UNSURE},
	{"drop", "", "", FATE_DROPPED, FATE_DROPPED},
	{"drop", ONE(ACCEPT), "", FATE_UNSURE, FATE_UNSURE},
	{"accept", ONE(DROP), "", FATE_DROPPED, FATE_DROPPED},
	/* The first rule that decides. */
	{"drop", ONE(ACCEPT) "," ONE(DROP), "", FATE_UNSURE, FATE_UNSURE},
	{"accept", ONE(DROP) "," ONE(ACCEPT), "", FATE_DROPPED, FATE_DROPPED},
	/* Interfaces. */
	{"drop", RULE(MATCH(META("iifname"), "==", "'eth0'"), ACCEPT), "",
	 FATE_UNSURE, FATE_UNSURE},
	{"drop", RULE(MATCH(META("iifname"), "==", "'eth*'"), ACCEPT), "",
	 FATE_UNSURE, FATE_UNSURE},
	{"drop", RULE(MATCH(META("iifname"), "==", "'lo'"), ACCEPT), "",
	 FATE_DROPPED, FATE_DROPPED},
	{"drop", RULE(MATCH(META("iifname"), "!=", "'eth0'"), ACCEPT), "",
	 FATE_DROPPED, FATE_DROPPED},
	{"drop", RULE(MATCH(META("oifname"), "==", "'eth1'"), ACCEPT), "",
	 FATE_UNSURE, FATE_UNSURE},
	{"drop",
	 RULE(MATCH(META("iifname"), "==", "{'set':['lo','eth0']}"), ACCEPT),
	 "", FATE_UNSURE, FATE_UNSURE},
	/* Networks: around the packets', a part of it, another. */
	{"accept", RULE(MATCH(SADDR, "==", NET("10.0.0.0", "8")), DROP), "",
	 FATE_DROPPED, FATE_DROPPED},
	{"accept", RULE(MATCH(SADDR, "==", NET("10.10.0.0", "25")), DROP), "",
	 FATE_UNSURE, FATE_UNSURE},
	{"drop", RULE(MATCH(SADDR, "==", NET("10.10.0.0", "25")), ACCEPT), "",
	 FATE_UNSURE, FATE_UNSURE},
	{"drop", RULE(MATCH(SADDR, "==", NET("10.11.0.0", "16")), ACCEPT), "",
	 FATE_DROPPED, FATE_DROPPED},
	{"drop", RULE(MATCH(SADDR, "==", "'@s'"), ACCEPT), "", FATE_UNSURE,
	 FATE_UNSURE},
	/* Protocols. */
	{"drop", RULE(MATCH(META("l4proto"), "==", "'tcp'"), ACCEPT), "",
	 FATE_DROPPED, FATE_DROPPED},
	{"drop",
	 RULE(MATCH("{'payload':{'protocol':'tcp','field':'dport'}}",
		    "!=", "22"),
	      ACCEPT),
	 "", FATE_DROPPED, FATE_DROPPED},
	{"drop",
	 RULE(MATCH("{'payload':{'protocol':'icmp','field':'type'}}",
		    "==", "'echo-request'"),
	      ACCEPT),
	 "", FATE_UNSURE, FATE_DROPPED},
	/* Connections. */
	{"drop", RULE(MATCH(STATE, "in", "['established','related']"), ACCEPT),
	 "", FATE_DROPPED, FATE_UNSURE},
	{"drop",
	 ONE("{'vmap':{'key':" STATE ",'data':{'set':[['established'," ACCEPT
	     "],['new'," DROP "]]}}}"),
	 "", FATE_DROPPED, FATE_UNSURE},
	{"drop", RULE(XT("conntrack"), ACCEPT), "", FATE_ASKS, FATE_ASKS},
	{"drop", RULE(XT("comment"), ACCEPT), "", FATE_UNSURE, FATE_UNSURE},
	{"drop", RULE(XT("mark"), ACCEPT), "", FATE_UNSURE, FATE_UNSURE},
	{"accept", RULE(XT("mark"), DROP), "", FATE_UNSURE, FATE_UNSURE},
	{"drop", RULE("{'limit':{'rate':5}}", ACCEPT), "", FATE_UNSURE,
	 FATE_UNSURE},
	/* Other chains. */
	{"accept", ONE(JUMP), ONE(DROP), FATE_DROPPED, FATE_DROPPED},
	{"drop", ONE(JUMP), ONE(ACCEPT), FATE_UNSURE, FATE_UNSURE},
	{"accept", ONE(JUMP) "," ONE(DROP), ONE("{'return':null}"),
	 FATE_DROPPED, FATE_DROPPED},
	{"accept", ONE(JUMP),
	 RULE(MATCH(META("mark"), "==", "7"), "{'return':null}") "," ONE(DROP),
	 FATE_UNSURE, FATE_UNSURE},
	{"drop", ONE("{'goto':{'target':'d'}}") "," ONE(ACCEPT), "",
	 FATE_DROPPED, FATE_DROPPED},
	{"accept", RULE(MATCH(META("mark"), "==", "7"), JUMP), ONE(DROP),
	 FATE_UNSURE, FATE_UNSURE},
};

/* Adds the rules of a chain; in the texts of the table ' stands for ". */
static void add_rules(json_t *list, const char *chain, const char *text)
{
	char buf[1024];
	json_t *rules, *expr;
	size_t i;

	snprintf(buf, sizeof(buf), "[%s]", text);
	for (char *c = buf; *c; c++)
		if (*c == '\'')
			*c = '"';
	rules = json_loads(buf, 0, NULL);
	assert_non_null(rules);
	json_array_foreach(rules, i, expr) json_array_append_new(
		list,
		json_pack("{s:{s:s,s:s,s:s,s:O}}", "rule", "family", "inet",
			  "table", "t", "chain", chain, "expr", expr));
	json_decref(rules);
}

static enum fate fate_of(const struct row *row, bool answer)
{
	struct packet p = {.family = 4, .iif = "eth0", .answer = answer};
	json_t *rules = json_array(), *chain;
	enum fate fate;

	assert_true(ip_parse("10.10.0.0", &p.src.ip));
	p.src.len = 24;
	add_rules(rules, "c", row->rules);
	add_rules(rules, "d", row->other);
	chain = json_pack("{s:s,s:s,s:s,s:s}", "family", "inet", "table", "t",
			  "name", "c", "policy", row->policy);
	fate = chain_fate(rules, chain, &p);
	json_decref(chain);
	json_decref(rules);
	return fate;
}

static void test_chains(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		enum fate request = fate_of(&rows[i], false);
		enum fate answer = fate_of(&rows[i], true);

		if (request != rows[i].request || answer != rows[i].answer)
			print_error("row %zu: %s\n", i, rows[i].rules);
		assert_int_equal(request, rows[i].request);
		assert_int_equal(answer, rows[i].answer);
	}
}

/* A chain of the same name in another table is another chain. */
static void test_tables(void **state)
{
	struct packet p = {.family = 4, .iif = "eth0"};
	json_t *rules = json_array(), *chain;

	(void)state;
	add_rules(rules, "c", ONE(ACCEPT));
	chain = json_pack("{s:s,s:s,s:s,s:s}", "family", "inet", "table", "u",
			  "name", "c", "policy", "drop");
	assert_int_equal(chain_fate(rules, chain, &p), FATE_DROPPED);
	json_decref(chain);
	json_decref(rules);
}

/* A jump to itself, which the kernel refuses, ends. */
static void test_loop(void **state)
{
	static const struct row row = {"drop", ONE(JUMP), ONE(JUMP),
				       FATE_UNSURE, FATE_UNSURE};

	(void)state;
	assert_int_equal(fate_of(&row, false), FATE_UNSURE);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_chains),
		cmocka_unit_test(test_tables),
		cmocka_unit_test(test_loop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
