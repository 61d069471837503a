// SPDX-License-Identifier: GPL-2.0-only
/* The configuration writer: its text is read back as the same configuration.
 * Needs: loader/base/ loader/conf/
 */
#include "conf_lab.h"

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
				  "local6 = auto\n"
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
	assert_int_equal(a->address4_len, b->address4_len);
	assert_int_equal(a->address6_len, b->address6_len);
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
	"[interface]\naddress = 10.0.0.1/24 fd00::1\n",
	"[interface]\naddress = fd00::1/64\nsource = 10.0.0.1\n",
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
		cmocka_unit_test(test_write),
		cmocka_unit_test(test_round_trip),
	};

	return cmocka_run_group_tests(tests, enter_directory, leave_directory);
}
