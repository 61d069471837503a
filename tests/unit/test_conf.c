// SPDX-License-Identifier: GPL-2.0-only
/* The model, the rules between peers, and the writer.
 * Needs: loader/error.c loader/text.c loader/conf.c loader/conf_set.c
 * Needs: loader/conf_set_peer.c loader/conf_line.c loader/conf_read.c
 * Needs: loader/conf_check.c loader/conf_write.c
 */
#include <time.h>

#include "conf_lab.h"

static const struct origin command_line;

static void test_model(void **state)
{
	struct conf c, copy;

	(void)state;
	conf_init(&c, "eth0");
	for (const char *const *name =
		     (const char *const[]){"a", "b", "c", NULL};
	     *name; name++) {
		struct peer *p = conf_add_peer(&c, *name);

		assert_non_null(p);
		assert_int_equal(
			peer_set(p, &command_line, "allowed-ips", "10.0.0.0/8"),
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
	assert_int_equal(conf_peer(&copy, "b")->n_allowed, 1);
	conf_free(&copy);
}

/* The file's name lives in the conf that came out of it. */
static void test_copy_keeps_the_origin(void **state)
{
	struct conf c, copy;

	(void)state;
	read_good(&c, PEER);
	assert_int_equal(conf_copy(&copy, &c), OK);
	memset(c.file, 'x', 2);
	assert_ptr_equal(copy.peers[0].origin.file, copy.file);
	assert_string_equal(copy.peers[0].origin.file, "c");
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
	assert_int_equal(peer_set(p, &command_line, "endpoint", "h.example"),
			 OK);
	assert_string_equal(p->host, "h.example");
	assert_int_equal(peer_set(p, &command_line, "endpoint", "192.0.2.1"),
			 OK);
	assert_string_equal(p->host, "");
	assert_int_equal(p->endpoint.family, 4);
	assert_int_equal(peer_set(p, &command_line, "local", "192.0.2.9"), OK);
	assert_true(p->local_fixed);
	assert_int_equal(peer_set(p, &command_line, "local", "auto"), OK);
	assert_false(p->local_fixed);
	assert_int_equal(p->local.family, 0);
	assert_int_equal(peer_set(p, &command_line, "mtu", "1400"), OK);
	assert_int_equal(peer_set(p, &command_line, "mtu", "auto"), OK);
	assert_int_equal(p->mtu_fixed, 0);
	conf_free(&c);
}

static int set_ttl(void *arg)
{
	return peer_set(arg, &command_line, "ttl", "x\ny\033[2J");
}

/* From the command line there is no file to name; control characters do not
 * reach the terminal. */
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
	 "c:1: peer a: endpoint \"10.1.0.9\" is inside its own allowed-ips "
	 "10.1.0.0/16: tunnel packets would be tunnelled again; take it out"},
	{PEER "probe = 10.11.0.1\n",
	 "c:1: peer tokyo: probe \"10.11.0.1\" is in none of its allowed-ips: "
	 "give an inner address behind the peer"},
	{PEER "local = fd00::1\n",
	 "c:1: peer tokyo: local \"fd00::1\" is IPv6 but the endpoint "
	 "192.0.2.1 is IPv4: use one family"},
	{PEER "local = 192.0.2.1\n",
	 "c:1: peer tokyo: endpoint \"192.0.2.1\" is its own local address: "
	 "give the other end's"},
	{"[interface]\npath-mtu = 1279\n[peer a]\nendpoint = 2001:db8::1\n"
	 "allowed-ips = 10.0.0.0/8\n",
	 "c:3: peer a: path-mtu \"1279\" is less than the 1280 bytes of an "
	 "IPv6 endpoint: raise it"},
	{PEER "allowed-ips = 10.11.0.0/24 10.10.0.0/24\n",
	 "c:1: peer tokyo: allowed-ips \"10.10.0.0/24\" is given twice: remove "
	 "one"},
	{PEER "[peer osaka]\nendpoint = 192.0.2.2\nallowed-ips = ::/0, "
	      "10.10.0.0/24\n",
	 "c:4: peer osaka: allowed-ips \"10.10.0.0/24\" belongs to peer tokyo "
	 "(line 1) already: remove one"},
	{PEER "[peer osaka]\nendpoint = 192.0.2.1\nallowed-ips = ::/0\n",
	 "c:4: peer osaka: endpoint \"192.0.2.1\" with this local address "
	 "belongs to peer tokyo (line 1) already: give another local, or make "
	 "them one peer"},
};

static void test_rules(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(against_the_rules); i++)
		read_bad(against_the_rules[i][0], against_the_rules[i][1]);
}

static const char *const within_the_rules[] = {
	/* a default route may hold its endpoint */
	"[peer a]\nendpoint = 192.0.2.1\nallowed-ips = 0.0.0.0/0\n",
	"[peer a]\nendpoint = 2001:db8::1\nallowed-ips = ::/0\n",
	/* so may another peer's prefix */
	"[peer a]\nendpoint = 192.0.2.1\nallowed-ips = 10.0.0.0/8\n"
	"[peer b]\nendpoint = 10.0.0.1\nallowed-ips = 172.16.0.0/12\n",
	/* a prefix inside another peer's */
	"[peer a]\nendpoint = 192.0.2.1\nallowed-ips = 10.0.0.0/8\n"
	"[peer b]\nendpoint = 192.0.2.2\nallowed-ips = 10.1.0.0/16\n",
	/* one endpoint, two of our addresses */
	"[peer a]\nendpoint = 192.0.2.1\nallowed-ips = 10.0.0.0/8\n"
	"local = 192.0.2.8\n"
	"[peer b]\nendpoint = 192.0.2.1\nallowed-ips = 10.1.0.0/16\n"
	"local = 192.0.2.9\n",
	/* only IPv4 endpoints on a narrow path */
	"[interface]\npath-mtu = 576\n" PEER,
	/* two names may come to different addresses */
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

static int check(void *arg)
{
	return conf_check(arg);
}

/* What a name came to is held against the same rules. */
static void test_rules_after_resolving(void **state)
{
	struct conf c;
	int ret;

	(void)state;
	read_good(&c, "[peer a]\nendpoint = x.example\n"
		      "allowed-ips = 10.0.0.0/8\n");
	assert_true(ip_parse("127.0.0.1", &c.peers[0].endpoint));
	assert_string_equal(said(check, &c, &ret),
			    "c:1: peer a: endpoint \"127.0.0.1\" of x.example "
			    "is a loopback, multicast, unspecified, broadcast "
			    "or IPv4-mapped address: use a unicast one");
	assert_int_equal(ret, USAGE);
	conf_free(&c);
}

/* 100,000 prefixes at 1,000 peers: the last one repeats the first. */
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
			peer_set(&c.peers[i / 100], &command_line, "endpoint",
				 text);
		}
		sprintf(text, "10.%d.%d.%d/32", i >> 16, i >> 8 & 255, i & 255);
		peer_set(&c.peers[i / 100], &command_line, "allowed-ips", text);
	}
	begin = clock();
	assert_int_equal(conf_check(&c), OK);
	/* milliseconds when sorted, minutes when compared pair by pair */
	assert_true(clock() - begin < 5 * CLOCKS_PER_SEC);
	peer_set(&c.peers[999], &command_line, "allowed-ips", "10.0.0.0");
	assert_string_equal(said(check, &c, &ret),
			    "peer p999: allowed-ips \"10.0.0.0/32\" belongs to "
			    "peer p0 already: remove one");
	assert_int_equal(ret, USAGE);
	conf_free(&c);
}

static char *written(const struct conf *c)
{
	char *text;
	size_t n;
	FILE *out = open_memstream(&text, &n);

	assert_non_null(out);
	conf_write(out, c);
	fclose(out);
	return text;
}

static void test_write(void **state)
{
	struct conf c;
	char *text;

	(void)state;
	read_good(&c, PEER);
	assert_true(ip_parse("192.0.2.9", &c.local4));
	text = written(&c);
	assert_string_equal(text, "[interface]\n"
				  "local4 = auto # 192.0.2.9\n"
				  "local6 = auto # none\n"
				  "mode = auto\n"
				  "path-mtu = 1500\n"
				  "routes = yes\n"
				  "\n"
				  "[peer tokyo]\n"
				  "endpoint = 192.0.2.1\n"
				  "allowed-ips = 10.10.0.0/24\n"
				  "keepalive = 25\n"
				  "ttl = 64\n");
	free(text);
	conf_free(&c);
}

static void expect_same_peer(const struct peer *a, const struct peer *b)
{
	assert_string_equal(a->name, b->name);
	assert_string_equal(a->host, b->host);
	assert_true(ip_equal(&a->endpoint, &b->endpoint));
	assert_true(ip_equal(&a->local, &b->local));
	assert_int_equal(a->local_fixed, b->local_fixed);
	assert_true(ip_equal(&a->probe, &b->probe));
	assert_int_equal(a->probe_fixed, b->probe_fixed);
	assert_int_equal(a->n_allowed, b->n_allowed);
	assert_memory_equal(a->allowed, b->allowed,
			    a->n_allowed * sizeof(*a->allowed));
	assert_int_equal(a->keepalive, b->keepalive);
	assert_int_equal(a->mtu_fixed, b->mtu_fixed);
	assert_int_equal(a->ttl, b->ttl);
	assert_int_equal(a->dscp, b->dscp);
	assert_int_equal(a->guard, b->guard);
}

static void expect_same(const struct conf *a, const struct conf *b)
{
	assert_true(ip_equal(&a->local4, &b->local4));
	assert_true(ip_equal(&a->local6, &b->local6));
	assert_int_equal(a->local4_fixed, b->local4_fixed);
	assert_int_equal(a->local6_fixed, b->local6_fixed);
	assert_true(ip_equal(&a->source4, &b->source4));
	assert_true(ip_equal(&a->source6, &b->source6));
	assert_int_equal(a->mode, b->mode);
	assert_int_equal(a->path_mtu, b->path_mtu);
	assert_int_equal(a->routes, b->routes);
	assert_int_equal(a->n_peers, b->n_peers);
	for (size_t i = 0; i < a->n_peers; i++)
		expect_same_peer(&a->peers[i], &b->peers[i]);
}

static const char *const round_trips[] = {
	"",
	PEER,
	"[interface]\nlocal4 = 192.0.2.9\nlocal6 = 2001:db8::9\nmode = native\n"
	"source = fd00::1\npath-mtu = 1280\nroutes = no\n",
	"[interface]\nsource = 10.0.0.1 fd00::1\nmode = tc\n",
	"[peer a]\nendpoint = x.example\nallowed-ips = 0.0.0.0/0 ::/0\n"
	"local = 2001:db8::1\nprobe = 2001:db8::7\nkeepalive = 0\nmtu = 1400\n"
	"ttl = 1\ndscp = 0\nguard = yes\n"
	"[peer b]\nendpoint = 192.0.2.2\nallowed-ips = 10.0.0.0/24 10.0.1.0/24 "
	"10.0.2.0/24 10.0.3.0/24 10.0.4.0/24 10.0.5.0/24 10.0.6.0/24 "
	"10.0.7.0/24\nallowed-ips = 10.0.8.0/24\nguard = no\ndscp = 63\n",
};

static void test_round_trip(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(round_trips); i++) {
		struct conf before, after;
		char *text;

		read_good(&before, round_trips[i]);
		text = written(&before);
		read_good(&after, text);
		expect_same(&before, &after);
		free(text);
		conf_free(&before);
		conf_free(&after);
	}
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
		cmocka_unit_test(test_rules_after_resolving),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_write),
		cmocka_unit_test(test_round_trip),
	};

	return cmocka_run_group_tests(tests, enter_directory, leave_directory);
}
