// SPDX-License-Identifier: GPL-2.0-only
/* Tunnel devices in rtnetlink's messages, as `import` reads them.
 * Needs: loader/base/ loader/conf/ loader/host/nl.c loader/host/link.c
 * Needs: loader/host/route.c loader/import/
 */
#include "conf_lab.h"

#include <arpa/inet.h>
#include <linux/if_link.h>
#include <linux/if_tunnel.h>
#include <linux/ip6_tunnel.h>
#include <linux/rtnetlink.h>

#include "import/import.h"

/* A message about a device in the making. */
struct message {
	union nl_request r;
	struct nlattr *info, *data;
};

static void begin(struct message *m, const char *kind)
{
	struct ifinfomsg *msg =
		nl_begin(&m->r, RTM_NEWLINK, 0, sizeof(struct ifinfomsg));

	msg->ifi_index = 7;
	mnl_attr_put_strz(&m->r.nlh, IFLA_IFNAME, "site");
	mnl_attr_put_u32(&m->r.nlh, IFLA_MTU, 1480);
	m->info = mnl_attr_nest_start(&m->r.nlh, IFLA_LINKINFO);
	mnl_attr_put_strz(&m->r.nlh, IFLA_INFO_KIND, kind);
	m->data = mnl_attr_nest_start(&m->r.nlh, IFLA_INFO_DATA);
}

static void put_address(struct message *m, uint16_t type, const char *text)
{
	struct ip ip;

	assert_true(ip_parse(text, &ip));
	nl_put_ip(&m->r, type, &ip);
}

/* An IPv4 tunnel, to which a test adds attributes. */
static void begin4(struct message *m, const char *kind)
{
	begin(m, kind);
	put_address(m, IFLA_IPTUN_LOCAL, "192.0.2.1");
	put_address(m, IFLA_IPTUN_REMOTE, "192.0.2.2");
	mnl_attr_put_u8(&m->r.nlh, IFLA_IPTUN_TTL, 33);
	mnl_attr_put_u8(&m->r.nlh, IFLA_IPTUN_TOS, 0xb8);
}

static struct found end(struct message *m)
{
	struct found f;
	const char *kind;

	mnl_attr_nest_end(&m->r.nlh, m->data);
	mnl_attr_nest_end(&m->r.nlh, m->info);
	assert_true(found_from_link(&m->r.nlh, &f, &kind));
	return f;
}

static void expect_ip(const struct ip *ip, const char *text)
{
	char buf[IP_STRLEN];

	assert_string_equal(ip_str(ip, buf), text);
}

static void test_ipip(void **state)
{
	struct message m;
	struct found f;

	(void)state;
	begin4(&m, "ipip");
	f = end(&m);
	assert_string_equal(f.name, "site");
	assert_int_equal(f.ifindex, 7);
	assert_int_equal(f.mtu, 1480);
	assert_int_equal(f.ttl, 33);
	assert_int_equal(f.tos, 0xb8);
	assert_false(f.limit);
	assert_null(f.refused);
	expect_ip(&f.local, "192.0.2.1");
	expect_ip(&f.remote, "192.0.2.2");
}

static void test_any_is_no_address(void **state)
{
	struct message m;
	struct found f;

	(void)state;
	begin(&m, "sit");
	put_address(&m, IFLA_IPTUN_LOCAL, "0.0.0.0");
	put_address(&m, IFLA_IPTUN_REMOTE, "0.0.0.0");
	f = end(&m);
	assert_int_equal(f.local.family, 0);
	assert_int_equal(f.remote.family, 0);
}

static struct found ip6tnl(uint32_t flags, uint32_t flowinfo)
{
	struct message m;

	begin(&m, "ip6tnl");
	put_address(&m, IFLA_IPTUN_LOCAL, "2001:db8::1");
	put_address(&m, IFLA_IPTUN_REMOTE, "2001:db8::2");
	mnl_attr_put_u32(&m.r.nlh, IFLA_IPTUN_FLAGS, flags);
	mnl_attr_put_u32(&m.r.nlh, IFLA_IPTUN_FLOWINFO, htonl(flowinfo));
	return end(&m);
}

static void test_ip6tnl(void **state)
{
	struct found f;

	(void)state;
	f = ip6tnl(IP6_TNL_F_USE_ORIG_TCLASS, 0);
	expect_ip(&f.remote, "2001:db8::2");
	assert_int_equal(f.tos, TOS_COPY);
	assert_true(f.limit);
	f = ip6tnl(IP6_TNL_F_IGN_ENCAP_LIMIT, 0x0b812345);
	assert_int_equal(f.tos, 0xb8);
	assert_false(f.limit);
}

/* Adds one attribute to a sit device and expects that it is refused. */
static void expect_refused(uint16_t type, uint16_t value, const char *why)
{
	struct message m;
	struct found f;

	begin4(&m, "sit");
	put_address(&m, IFLA_IPTUN_6RD_PREFIX,
		    type == IFLA_IPTUN_6RD_PREFIXLEN ? "2001:db8::" : "2002::");
	if (type != IFLA_IPTUN_6RD_PREFIXLEN)
		mnl_attr_put_u16(&m.r.nlh, IFLA_IPTUN_6RD_PREFIXLEN, 16);
	mnl_attr_put_u16(&m.r.nlh, type, value);
	f = end(&m);
	if (why)
		assert_string_equal(f.refused, why);
	else
		assert_null(f.refused);
}

static void test_refused(void **state)
{
	(void)state;
	expect_refused(IFLA_IPTUN_FLAGS, 0, NULL);
	expect_refused(IFLA_IPTUN_FLAGS, SIT_ISATAP, "it is an ISATAP tunnel");
	expect_refused(IFLA_IPTUN_6RD_PREFIXLEN, 32, "it is a 6rd tunnel");
	expect_refused(IFLA_IPTUN_ENCAP_TYPE, TUNNEL_ENCAP_NONE, NULL);
	expect_refused(IFLA_IPTUN_ENCAP_TYPE, TUNNEL_ENCAP_GUE,
		       "it puts UDP around its packets (FOU or GUE)");
}

static void test_mark_and_metadata(void **state)
{
	struct message m;

	(void)state;
	begin4(&m, "ipip");
	mnl_attr_put_u32(&m.r.nlh, IFLA_IPTUN_FWMARK, 7);
	assert_string_equal(end(&m).refused,
			    "it gives its outer packets a mark (fwmark)");
	begin4(&m, "ipip");
	mnl_attr_put(&m.r.nlh, IFLA_IPTUN_COLLECT_METADATA, 0, NULL);
	assert_string_equal(
		end(&m).refused,
		"it is controlled by routes and filters (external)");
}

static void test_other_kinds(void **state)
{
	const char *kind;
	struct message m;
	struct found f;

	(void)state;
	begin4(&m, "gre");
	mnl_attr_nest_end(&m.r.nlh, m.data);
	mnl_attr_nest_end(&m.r.nlh, m.info);
	assert_false(found_from_link(&m.r.nlh, &f, &kind));
	assert_string_equal(kind, "gre");
	assert_string_equal(f.name, "site");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ipip),
		cmocka_unit_test(test_any_is_no_address),
		cmocka_unit_test(test_ip6tnl),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_mark_and_metadata),
		cmocka_unit_test(test_other_kinds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
