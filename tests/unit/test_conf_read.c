// SPDX-License-Identifier: GPL-2.0-only
/* The configuration reader: the forms that it accepts, and its errors.
 * Needs: loader/base/ loader/conf/
 */
#include "conf_lab.h"

static void expect_ip(const struct ip *ip, const char *text)
{
	char buf[IP_STRLEN];

	assert_string_equal(ip_str(ip, buf), text);
}

static void test_empty(void **state)
{
	struct conf c;

	(void)state;
	read_good(&c, "");
	assert_int_equal(c.n_peers, 0);
	assert_int_equal(c.mode, TL_MODE_AUTO);
	assert_int_equal(c.path_mtu, 1500);
	assert_true(c.routes);
	assert_string_equal(c.ifname, "eth0");
	assert_string_equal(c.file, "c");
	conf_free(&c);
}

/* The example of the documentation, indented and commented. */
static void test_example(void **state)
{
	const struct peer *p;
	struct conf c;

	(void)state;
	read_good(&c, "    [interface]\n"
		      "    local4 = auto             # or an address\n"
		      "    local6 = 2001:db8:1::10 ; fixed\n"
		      "    mode = tc\n"
		      "    source = 172.22.2.2, fd00:22::2\n"
		      "    path-mtu = 1454\n"
		      "    routes = no\n"
		      "\n"
		      "    [peer tokyo]\n"
		      "    endpoint = 2001:db8::1    # IPv4, IPv6\n"
		      "    allowed-ips = 10.10.0.0/24, fd00:10::/64\n"
		      "    probe = 10.10.0.1\n"
		      "    keepalive = 0\n"
		      "    ttl = 255\n"
		      "    mtu = 1400\n"
		      "    dscp = 46\n"
		      "    guard = no\n");
	assert_false(c.local4_fixed);
	assert_true(c.local6_fixed);
	expect_ip(&c.local6, "2001:db8:1::10");
	expect_ip(&c.source4, "172.22.2.2");
	expect_ip(&c.source6, "fd00:22::2");
	assert_int_equal(c.mode, TL_MODE_TC);
	assert_int_equal(c.path_mtu, 1454);
	assert_false(c.routes);
	assert_int_equal(c.n_peers, 1);
	p = conf_peer(&c, "tokyo");
	assert_non_null(p);
	assert_int_equal(p->origin.line, 9);
	expect_ip(&p->endpoint, "2001:db8::1");
	assert_int_equal(p->n_allowed, 2);
	expect_prefix(&p->allowed[0], "10.10.0.0/24");
	expect_prefix(&p->allowed[1], "fd00:10::/64");
	assert_true(p->probe_fixed);
	expect_ip(&p->probe, "10.10.0.1");
	assert_false(p->local_fixed);
	assert_int_equal(p->keepalive, 0);
	assert_int_equal(p->ttl, 255);
	assert_int_equal(p->mtu_fixed, 1400);
	assert_int_equal(p->dscp, 46);
	assert_int_equal(p->guard, GUARD_NO);
	conf_free(&c);
}

static void test_defaults_of_a_peer(void **state)
{
	struct conf c;

	(void)state;
	read_good(&c, PEER);
	assert_int_equal(c.peers[0].keepalive, 25);
	assert_int_equal(c.peers[0].ttl, 64);
	assert_int_equal(c.peers[0].dscp, TL_DSCP_COPY);
	assert_int_equal(c.peers[0].guard, GUARD_DEFAULT);
	assert_int_equal(c.peers[0].mtu_fixed, 0);
	conf_free(&c);
}

/* The reader accepts a byte order mark, CRLF, unusual blanks and commas, and a
 * last line without a newline. */
static void test_forms_of_text(void **state)
{
	struct conf c;

	(void)state;
	read_good(&c, "\xef\xbb\xbf# comment\r\n\r\n[ peer\t a ] ; x\r\n"
		      "endpoint=host.example\r\n\t allowed-ips =10.0.0.0/8 "
		      "172.16.0.0/12,,192.168.0.0/16 ,\r\n;\r\n"
		      "allowed-ips\t= fd00::/8");
	assert_string_equal(c.peers[0].name, "a");
	assert_string_equal(c.peers[0].host, "host.example");
	assert_int_equal(c.peers[0].endpoint.family, 0);
	assert_int_equal(c.peers[0].n_allowed, 4);
	expect_prefix(&c.peers[0].allowed[3], "fd00::/8");
	conf_free(&c);
}

static const char *const bad[][2] = {
	{"ttl = 1\n", "c:1: key \"ttl\" before any section: write [interface] "
		      "or [peer NAME] first"},
	{"[interface]\n\nmode\n",
	 "c:3: line \"mode\" is not of the form KEY = VALUE"},
	{"[interface]\nmode: tc\n",
	 "c:2: line \"mode: tc\" is not of the form KEY = VALUE"},
	{"[interface]\n= tc\n",
	 "c:2: line \"= tc\" is not of the form KEY = VALUE"},
	{"[interface]\nmode = # tc\n",
	 "c:2: key \"mode\" has no value: give one or remove the line"},
	{"[interface\n", "c:1: section \"[interface\" is not of the form "
			 "[interface] or [peer NAME]"},
	{"[interface] x\n", "c:1: section \"[interface] x\" is not of the form "
			    "[interface] or [peer NAME]"},
	{"[]\n", "c:1: unknown section []: write [interface] or [peer NAME]"},
	{"[Interface]\n", "c:1: unknown section [Interface]: did you mean "
			  "[interface]?"},
	{"[peers a]\n", "c:1: unknown section [peers a]: did you mean [peer "
			"a]?"},
	{"[Peer]\n", "c:1: unknown section [Peer]: did you mean [peer NAME]?"},
	{"[interfacefacefaceface]\n",
	 "c:1: unknown section [interfacefacefaceface]: write [interface] or "
	 "[peer NAME]"},
	{"[peer]\n",
	 "c:1: peer name \"\" is not valid: give 1 to 31 of the characters A-Z "
	 "a-z 0-9 . _ -"},
	{"[peer a b]\n",
	 "c:1: peer name \"a b\" is not valid: give 1 to 31 of the "
	 "characters A-Z a-z 0-9 . _ -"},
	{"[peer 12345678901234567890123456789012]\n",
	 "c:1: peer name \"12345678901234567890123456789012\" is not valid: give "
	 "1 to 31 "
	 "of the characters A-Z a-z 0-9 . _ -"},
	{"[interface]\n[interface]\n",
	 "c:2: second section [interface]: merge it with the first"},
	{PEER "\n[peer tokyo]\n", "c:5: second section [peer tokyo], first in "
				  "line 1: merge or rename one"},
	{"[peer a]\n", "c:1: peer a: no endpoint: add \"endpoint\" with "
		       "the other end's address"},
	{"[peer a]\nendpoint = 192.0.2.1\n",
	 "c:1: peer a: no allowed-ips: add \"allowed-ips\" with the "
	 "prefixes behind it, or routed"},
	{"[interface]\nmod = tc\n",
	 "c:2: [interface]: unknown key \"mod\": did you mean \"mode\"?"},
	{"[interface]\nttl = 4\n", "c:2: [interface]: unknown key \"ttl\": "
				   "\"ttl\" belongs to a section [peer NAME]"},
	{"[interface]\nweight = 4\n", "c:2: [interface]: unknown key "
				      "\"weight\": remove it, or see "
				      "tunload.conf(5)"},
	{PEER "AllowedIPs = ::/0\n", "c:4: peer tokyo: unknown key "
				     "\"AllowedIPs\": here it is "
				     "\"allowed-ips\""},
	{PEER "12345678901234567890123456789012345678901234567890 = 1\n",
	 "c:4: unknown key "
	 "\"12345678901234567890123456789012345678901234567890\": remove it, "
	 "or see tunload.conf(5)"},
	{"[interface]\nmode = tc\nroutes = no\nmode = tc\n",
	 "c:4: [interface]: key \"mode\" again, first in line 2: remove one"},
	{PEER "endpoint = 192.0.2.1\n",
	 "c:4: peer tokyo: key \"endpoint\" again, first in line 2: remove "
	 "one"},
	{"[interface]\nmode = fast\n",
	 "c:2: mode \"fast\" is none of auto, native, tc"},
	{"[interface]\nroutes = maybe\n",
	 "c:2: routes \"maybe\" is neither yes nor no"},
	{"[interface]\npath-mtu = 575\n",
	 "c:2: path-mtu \"575\" is not a number from 576 to 65535"},
	{"[interface]\nlocal4 = fd00::1\n",
	 "c:2: local4 \"fd00::1\" is not an IPv4 address: give one of this "
	 "interface, or auto"},
	{"[interface]\nlocal6 = fe80::1\n",
	 "c:2: local6 \"fe80::1\" is a link-local address: use a global or "
	 "private one"},
	{"[interface]\nsource = 10.0.0.1, 10.0.0.2\n",
	 "c:2: source \"10.0.0.2\" is a second IPv4 address: give one of a "
	 "family"},
	{"[interface]\naddress = 10.0.0.1, 10.0.0.2/24\n",
	 "c:2: address \"10.0.0.2/24\" is a second IPv4 address: give one of "
	 "a family"},
	{"[interface]\naddress = 10.0.0.1/33\n",
	 "c:2: address \"10.0.0.1/33\" has no prefix length from 1 to 32: "
	 "write ADDRESS/LENGTH"},
	{"[interface]\naddress = x\n",
	 "c:2: address \"x\" is not an IP address: give one, and its prefix "
	 "length if you like"},
	{"[interface]\naddress = fe80::1/64\n",
	 "c:2: address \"fe80::1/64\" is a link-local address: use a global or "
	 "private one"},
	{"[interface]\nsource = 10.0.0.1\naddress = 10.0.0.1/32\n",
	 "c:3: address \"10.0.0.1/32\": there is an IPv4 source already: give "
	 "one of the two"},
	{"[interface]\naddress = fd00::1, 10.0.0.2\nsource = 10.0.0.1\n",
	 "c:3: source \"10.0.0.1\": there is an IPv4 address already: give one "
	 "of the two"},
	{"[interface]\naddress = ,\n",
	 "c:2: address \",\" has no address in it: give one"},
	{"[interface]\nsource = me\n", "c:2: source \"me\" is not an IP "
				       "address: give one of this host"},
	{"[interface]\nsource = 127.0.0.1\n",
	 "c:2: source \"127.0.0.1\" is a loopback, multicast, unspecified, "
	 "broadcast or IPv4-mapped address: use a unicast one"},
	{"[peer a]\nendpoint = [2001:db8::1]\n",
	 "c:2: peer a: endpoint \"[2001:db8::1]\" has brackets: write the "
	 "address alone, without a port"},
	{"[peer a]\nendpoint = 192.0.2.1:51820\n",
	 "c:2: peer a: endpoint \"192.0.2.1:51820\" has a port: IP-in-IP has "
	 "none, write the address alone"},
	{"[peer a]\nendpoint = fe80::1%eth0\n",
	 "c:2: peer a: endpoint \"fe80::1%eth0\" has a zone: write a global "
	 "address"},
	{"[peer a]\nendpoint = 192.0.2.1/32\n",
	 "c:2: peer a: endpoint \"192.0.2.1/32\" is a prefix: write the "
	 "address alone"},
	{"[peer a]\nendpoint = 192.0.2.01\n",
	 "c:2: peer a: endpoint \"192.0.2.01\" is not an IPv4 address: write "
	 "four numbers from 0 to 255 without leading zeros"},
	{"[peer a]\nendpoint = 1::2::3\n",
	 "c:2: peer a: endpoint \"1::2::3\" is not an IPv4 address, IPv6 "
	 "address or DNS name: give one of them"},
	{"[peer a]\nendpoint = host name\n",
	 "c:2: peer a: endpoint \"host name\" is more than one word: give one "
	 "address or DNS name"},
	{"[peer a]\nendpoint = ff02::1\n",
	 "c:2: peer a: endpoint \"ff02::1\" is a loopback, multicast, "
	 "unspecified, broadcast or IPv4-mapped address: use a unicast one"},
	{"[peer a]\nallowed-ips = 10.0.0.1/24\n",
	 "c:2: peer a: allowed-ips \"10.0.0.1/24\" has host bits set: write "
	 "10.0.0.0/24"},
	{"[peer a]\nallowed-ips = 10.0.0.0/24, 10.1.0.0/40\n",
	 "c:2: peer a: allowed-ips \"10.1.0.0/40\" has no prefix length from "
	 "0 to 32: write ADDRESS/LENGTH"},
	{"[peer a]\nallowed-ips = all\n",
	 "c:2: peer a: allowed-ips \"all\" is not a prefix: write "
	 "ADDRESS/LENGTH"},
	{"[peer a]\nallowed-ips = ,\n",
	 "c:2: peer a: allowed-ips \",\" has no prefix in it: write "
	 "ADDRESS/LENGTH"},
	{"[peer a]\nallowed-ips = 224.0.0.0/4\n",
	 "c:2: peer a: allowed-ips \"224.0.0.0/4\" is loopback, multicast, "
	 "link-local or reserved and cannot be tunnelled: remove it"},
	{"[peer a]\nallowed-ips = fe80::/64\n",
	 "c:2: peer a: allowed-ips \"fe80::/64\" is loopback, multicast, "
	 "link-local or reserved and cannot be tunnelled: remove it"},
	{"[peer a]\nprobe = 0.0.0.0\n",
	 "c:2: peer a: probe \"0.0.0.0\" is a loopback, multicast, "
	 "unspecified, broadcast or IPv4-mapped address: use a unicast one"},
	{"[peer a]\nlocal = eth0\n", "c:2: peer a: local \"eth0\" is not an IP "
				     "address: give one, or auto"},
	{"[peer a]\nkeepalive = 65536\n",
	 "c:2: peer a: keepalive \"65536\" is not a number from 0 to 65535 "
	 "(seconds, 0 = never)"},
	{"[peer a]\nkeepalive = 25s\n",
	 "c:2: peer a: keepalive \"25s\" is not a number from 0 to 65535 "
	 "(seconds, 0 = never)"},
	{"[peer a]\nmtu = 535\n", "c:2: peer a: mtu \"535\" is not a number "
				  "from 536 to 65535, or auto"},
	{"[peer a]\nttl = 0\n",
	 "c:2: peer a: ttl \"0\" is not a number from 1 to 255"},
	{"[peer a]\nttl = 256\n",
	 "c:2: peer a: ttl \"256\" is not a number from 1 to 255"},
	{"[peer a]\ndscp = 64\n",
	 "c:2: peer a: dscp \"64\" is not a number from 0 to 63, or copy"},
	{"[peer a]\nguard = 1\n",
	 "c:2: peer a: guard \"1\" is none of yes, no, auto"},
};

static void test_bad(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(bad); i++)
		read_bad(bad[i][0], bad[i][1]);
}

static int read_file(void *arg)
{
	struct conf c;
	int ret;

	conf_init(&c, "eth0");
	ret = conf_read(&c, arg);
	conf_free(&c);
	return ret;
}

static void test_no_file(void **state)
{
	int ret;

	(void)state;
	assert_string_equal(said(read_file, "absent", &ret),
			    "absent: cannot read the configuration: No such "
			    "file or directory; name another with -c");
	assert_int_equal(ret, USAGE);
	assert_string_equal(said(read_file, "/", &ret),
			    "/: is a directory, not a configuration file: name "
			    "a file with -c");
	assert_int_equal(ret, USAGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_example),
		cmocka_unit_test(test_defaults_of_a_peer),
		cmocka_unit_test(test_forms_of_text),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_no_file),
	};

	return cmocka_run_group_tests(tests, enter_directory, leave_directory);
}
