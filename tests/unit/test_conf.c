// SPDX-License-Identifier: GPL-2.0-only
/* The model of a configuration, and the rules between peers.
 * Needs: loader/base/ loader/conf/
 */
#include <time.h>

#include "conf_lab.h"

static const struct origin command_line;

static void test_model(void **state)
{
	const struct prefix more = {.ip = {.family = 4, .addr = {15}},
				    .len = 8};
	struct conf c, copy;
	struct peer *p;

	(void)state;
	conf_init(&c, "eth0");
	for (const char *const *name =
		     (const char *const[]){"a", "b", "c", NULL};
	     *name; name++) {
		p = conf_add_peer(&c, *name);
		assert_non_null(p);
		assert_int_equal(peer_set(p, command_line, "allowed-ips",
					  "10.0.0.0/8, 11.0.0.0/8, 12.0.0.0/8, "
					  "13.0.0.0/8, 14.0.0.0/8"),
				 OK);
	}
	assert_int_equal(conf_copy(&copy, &c), OK);
	conf_del_peer(&c, conf_peer(&c, "b"));
	assert_int_equal(c.n_peers, 2);
	assert_null(conf_peer(&c, "b"));
	assert_string_equal(c.peers[1].name, "c");
	conf_del_peer(&c, conf_peer(&c, "c"));
	conf_del_peer(&c, conf_peer(&c, "a"));
	assert_int_equal(c.n_peers, 0);
	conf_free(&c);
	assert_int_equal(copy.n_peers, 3);
	p = conf_peer(&copy, "b");
	assert_int_equal(p->n_allowed, 5);
	/* The copy has room for as many as push() expects. */
	assert_int_equal(push(p->allowed, p->n_allowed, &more), OK);
	assert_int_equal(p->n_allowed, 6);
	conf_free(&copy);
}

static void expect_origin(struct origin from, const char *file,
			  unsigned int line)
{
	assert_int_equal(!from.file, !file);
	if (file)
		assert_string_equal(from.file, file);
	assert_int_equal(from.line, line);
}

/* A copy of a configuration has its own copy of the file's name. */
static void test_copy_keeps_the_origin(void **state)
{
	struct conf c, copy;

	(void)state;
	read_good(&c, PEER);
	assert_int_equal(conf_copy(&copy, &c), OK);
	memset(c.file, 'x', 2);
	assert_ptr_equal(copy.peers[0].origin.file, copy.file);
	assert_string_equal(copy.peers[0].origin.file, "c");
	expect_origin(peer_origin(&copy.peers[0], KEY_ENDPOINT), "c", 2);
	expect_origin(peer_origin(&copy.peers[0], KEY_TTL), "c", 1);
	expect_origin(allowed_origin(&copy.peers[0], copy.peers[0].allowed),
		      "c", 3);
	expect_origin(interface_origin(&copy, KEY_MODE), NULL, 0);
	conf_free(&c);
	conf_free(&copy);
}

static void test_set_again(void **state)
{
	struct peer *p;
	struct conf c;

	(void)state;
	conf_init(&c, "eth0");
	p = conf_add_peer(&c, "a");
	assert_non_null(p);
	assert_int_equal(peer_set(p, command_line, "endpoint", "h.example"),
			 OK);
	assert_string_equal(p->host, "h.example");
	assert_int_equal(peer_set(p, command_line, "endpoint", "192.0.2.1"),
			 OK);
	assert_string_equal(p->host, "");
	assert_int_equal(p->endpoint.family, 4);
	assert_int_equal(peer_set(p, command_line, "local", "192.0.2.9"), OK);
	assert_true(p->local_fixed);
	assert_int_equal(peer_set(p, command_line, "local", "auto"), OK);
	assert_false(p->local_fixed);
	assert_int_equal(p->local.family, 0);
	assert_int_equal(peer_set(p, command_line, "mtu", "1400"), OK);
	assert_int_equal(peer_set(p, command_line, "mtu", "auto"), OK);
	assert_int_equal(p->mtu_fixed, 0);
	conf_free(&c);
}

static int set_ttl(void *arg)
{
	return peer_set(arg, command_line, "ttl", "x\ny\033[2J");
}

/* An error about an argument names no file, and has no control characters. */
static void test_error_of_an_argument(void **state)
{
	struct conf c;
	struct peer *p;
	int ret;

	(void)state;
	conf_init(&c, "eth0");
	p = conf_add_peer(&c, "a");
	assert_non_null(p);
	assert_string_equal(said(set_ttl, p, &ret),
			    "peer a: ttl \"x?y?[2J\" is not a number from 1 "
			    "to 255");
	assert_int_equal(ret, USAGE);
	conf_free(&c);
}

static const char *const against_the_rules[][2] = {
	{"[peer a]\nendpoint = 10.1.0.9\nallowed-ips = 10.1.0.0/16\n",
	 "c:3: peer a: endpoint \"10.1.0.9\" is inside its own allowed-ips "
	 "\"10.1.0.0/16\": tunnel packets would be tunnelled again; take the "
	 "prefix out"},
	{PEER "probe = 10.11.0.1\n",
	 "c:4: peer tokyo: probe \"10.11.0.1\" is in none of its allowed-ips: "
	 "give an inner address behind the peer, or auto"},
	{PEER "probe = 10.10.0.200\n[peer osaka]\nendpoint = 192.0.2.2\n"
	      "allowed-ips = 10.10.0.192/26\n",
	 "c:4: peer tokyo: probe \"10.10.0.200\" is behind peer osaka, whose "
	 "allowed-ips \"10.10.0.192/26\" is longer: give an address behind "
	 "tokyo, or auto"},
	{PEER "local = fd00::1\n",
	 "c:4: peer tokyo: local \"fd00::1\" is IPv6 but the endpoint "
	 "\"192.0.2.1\" is IPv4: use one family"},
	{PEER "local = 192.0.2.1\n",
	 "c:2: peer tokyo: endpoint \"192.0.2.1\" is its own local address: "
	 "give the other end's"},
	{"[interface]\npath-mtu = 1279\n[peer a]\nendpoint = 2001:db8::1\n"
	 "allowed-ips = 10.0.0.0/8\n",
	 "c:2: path-mtu \"1279\" is too small for the IPv6 endpoint of peer a "
	 "(RFC 8200 5): raise it to 1280 or more"},
	{PEER "allowed-ips = 10.11.0.0/24 10.10.0.0/24\n",
	 "c:4: peer tokyo: allowed-ips \"10.10.0.0/24\" again, first in line "
	 "3: remove one"},
	{PEER "allowed-ips = ::/0 fd00::/8 ::/0\n",
	 "c:4: peer tokyo: allowed-ips \"::/0\" is given twice: remove one"},
	{"[interface]\nroutes = no\n" PEER "allowed-ips = 10.10.0.0/24\n",
	 "c:6: peer tokyo: allowed-ips \"10.10.0.0/24\" again, first in line "
	 "5: remove one"},
	{PEER "[peer osaka]\nendpoint = 192.0.2.2\nallowed-ips = ::/0, "
	      "10.10.0.0/24\n",
	 "c:6: peer osaka: allowed-ips \"10.10.0.0/24\" belongs to peer tokyo "
	 "(line 3) already: leave it out, take it from tokyo, "
	 "or give them different priorities"},
	{PEER "[peer osaka]\nendpoint = 192.0.2.1\nallowed-ips = ::/0\n",
	 "c:5: peer osaka: endpoint \"192.0.2.1\" belongs to peer tokyo (line "
	 "2) already, with the same local address: give one of them another "
	 "local, or make them one peer"},
};

static void test_rules(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(against_the_rules); i++)
		read_bad(against_the_rules[i][0], against_the_rules[i][1]);
}

static const char *const within_the_rules[] = {
	/* a default route may contain the peer's endpoint */
	"[peer a]\nendpoint = 192.0.2.1\nallowed-ips = 0.0.0.0/0\n",
	"[peer a]\nendpoint = 2001:db8::1\nallowed-ips = ::/0\n",
	/* another peer's prefix may contain an endpoint */
	"[peer a]\nendpoint = 192.0.2.1\nallowed-ips = 10.0.0.0/8\n"
	"[peer b]\nendpoint = 10.0.0.1\nallowed-ips = 172.16.0.0/12\n",
	/* a prefix may be inside another peer's */
	"[peer a]\nendpoint = 192.0.2.1\nallowed-ips = 10.0.0.0/8\n"
	"[peer b]\nendpoint = 192.0.2.2\nallowed-ips = 10.1.0.0/16\n",
	/* two peers may have one endpoint, with different local addresses */
	"[peer a]\nendpoint = 192.0.2.1\nallowed-ips = 10.0.0.0/8\n"
	"local = 192.0.2.8\n"
	"[peer b]\nendpoint = 192.0.2.1\nallowed-ips = 10.1.0.0/16\n"
	"local = 192.0.2.9\n",
	/* IPv4 endpoints may have a path-mtu below 1280 */
	"[interface]\npath-mtu = 576\n" PEER,
	/* with routes = no several peers may have a prefix */
	"[interface]\nroutes = no\n" PEER
	"[peer osaka]\nendpoint = 192.0.2.2\nallowed-ips = 10.10.0.0/24\n"
	"probe = 10.10.0.1\n",
	/* two peers may have one name, which may have several addresses */
	"[peer a]\nendpoint = x.example\nallowed-ips = 10.0.0.0/8\n"
	"[peer b]\nendpoint = x.example\nallowed-ips = 10.1.0.0/16\n",
};

static void test_no_rule_against(void **state)
{
	struct conf c;

	(void)state;
	for (size_t i = 0; i < LEN(within_the_rules); i++) {
		read_good(&c, within_the_rules[i]);
		conf_free(&c);
	}
}

/* A bad address of a DNS name is not an error of the file: it concerns that
 * peer only. */
static void test_names_are_left_to_resolve(void **state)
{
	struct conf c;

	(void)state;
	read_good(&c, PEER "[peer a]\nendpoint = x.example\n"
			   "allowed-ips = 10.0.0.0/8\n");
	c.peers[1].endpoint = c.peers[0].endpoint;
	assert_int_equal(conf_check(&c), OK);
	assert_true(ip_parse("127.0.0.1", &c.peers[1].endpoint));
	assert_int_equal(conf_check(&c), OK);
	conf_free(&c);
}

static void test_names_index(void **state)
{
	struct names names;
	struct conf c;

	(void)state;
	read_good(&c, PEER "[peer osaka]\nendpoint = 192.0.2.2\n"
			   "allowed-ips = 10.11.0.0/24\n");
	assert_int_equal(names_init(&names, &c), OK);
	assert_ptr_equal(names_find(&names, "tokyo"), &c.peers[0]);
	assert_ptr_equal(names_find(&names, "osaka"), &c.peers[1]);
	assert_null(names_find(&names, "kyoto"));
	names_free(&names);
	assert_null(names_find(&names, "tokyo"));
	conf_free(&c);
}

/* More names than fit a few slots are all found; of equal ones the first. */
static void test_names_index_of_many(void **state)
{
	struct names names;
	struct conf c;
	char name[16];

	(void)state;
	conf_init(&c, "eth0");
	for (int i = 0; i < 4096; i++) {
		snprintf(name, sizeof(name), "p%d", i % 3000);
		assert_non_null(conf_add_peer(&c, name));
	}
	assert_int_equal(names_init(&names, &c), OK);
	for (int i = 0; i < 4096; i++)
		assert_ptr_equal(names_find(&names, c.peers[i].name),
				 &c.peers[i % 3000]);
	assert_null(names_find(&names, "p3000"));
	names_free(&names);
	conf_free(&c);
}

static void test_names_index_of_none(void **state)
{
	struct names names;
	struct conf c;

	(void)state;
	conf_init(&c, "eth0");
	assert_int_equal(names_init(&names, &c), OK);
	assert_null(names_find(&names, "tokyo"));
	names_free(&names);
}

static int check(void *arg)
{
	return conf_check(arg);
}

/* The check of 100,000 prefixes at 1,000 peers is fast, and finds the last one,
 * which repeats the first. */
static void test_many(void **state)
{
	struct conf c;
	char text[64];
	clock_t begin;
	int ret;

	(void)state;
	conf_init(&c, "eth0");
	for (int i = 0; i < 100000; i++) {
		if (i % 100 == 0) {
			sprintf(text, "p%d", i / 100);
			assert_non_null(conf_add_peer(&c, text));
			sprintf(text, "192.0.%d.%d", i / 100 / 250,
				1 + i / 100 % 250);
			peer_set(&c.peers[i / 100], command_line, "endpoint",
				 text);
		}
		sprintf(text, "10.%d.%d.%d/32", i >> 16, i >> 8 & 255, i & 255);
		peer_set(&c.peers[i / 100], command_line, "allowed-ips", text);
	}
	begin = clock();
	assert_int_equal(conf_check(&c), OK);
	/* milliseconds when sorted, minutes when compared pair by pair */
	assert_true(clock() - begin < 5 * CLOCKS_PER_SEC);
	peer_set(&c.peers[999], command_line, "allowed-ips", "10.0.0.0");
	assert_string_equal(said(check, &c, &ret),
			    "peer p999: allowed-ips \"10.0.0.0/32\" belongs to "
			    "peer p0 already: leave it out, take it from p0, "
			    "or give them different priorities");
	assert_int_equal(ret, USAGE);
	conf_free(&c);
}

static struct ip other_probe(const char *allowed, const char *probe)
{
	struct conf c;
	struct peer *p;
	struct ip other;

	conf_init(&c, "eth0");
	p = conf_add_peer(&c, "a");
	assert_non_null(p);
	assert_int_equal(peer_set(p, command_line, "allowed-ips", allowed), OK);
	if (probe)
		assert_true(ip_parse(probe, &p->probe));
	other = peer_other_probe(p);
	conf_free(&c);
	return other;
}

/* A default route gives no probe of the other family: it would be 0.0.0.1 or
 * ::1. */
static void test_other_probe(void **state)
{
	struct ip ip, want;

	(void)state;
	ip = other_probe("10.1.0.0/16, ::/0, fd00:1::/64", "10.1.0.1");
	assert_true(ip_parse("fd00:1::1", &want));
	assert_true(ip_equal(&ip, &want));
	assert_int_equal(other_probe("10.1.0.0/16, ::/0", "10.1.0.1").family,
			 0);
	assert_int_equal(other_probe("fd00::/8, 0.0.0.0/0", "fd00::1").family,
			 0);
	assert_int_equal(other_probe("0.0.0.0/0", NULL).family, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_model),
		cmocka_unit_test(test_copy_keeps_the_origin),
		cmocka_unit_test(test_set_again),
		cmocka_unit_test(test_error_of_an_argument),
		cmocka_unit_test(test_rules),
		cmocka_unit_test(test_no_rule_against),
		cmocka_unit_test(test_names_are_left_to_resolve),
		cmocka_unit_test(test_names_index),
		cmocka_unit_test(test_names_index_of_many),
		cmocka_unit_test(test_names_index_of_none),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_other_probe),
	};

	return cmocka_run_group_tests(tests, enter_directory, leave_directory);
}
