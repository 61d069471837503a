// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is read of hosts that no lab can be: tunnels of a kernel that has them,
 * Amazon's driver.
 * Needs: loader/base/ loader/host/nl.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#undef fail /* of base.h */
#include "../../loader/host/nic.c"
#include "../../loader/host/tunnels.c"

/* A message of the kernel about a link of that kind. remote has len bytes. */
static const struct nlmsghdr *message(const char *kind, const void *remote,
				      size_t len, uint32_t flags)
{
	static union nl_request r;
	struct nlattr *info, *data;

	nl_begin(&r, RTM_NEWLINK, 0, sizeof(struct ifinfomsg));
	mnl_attr_put_strz(&r.nlh, IFLA_IFNAME, "tun7");
	info = mnl_attr_nest_start(&r.nlh, IFLA_LINKINFO);
	mnl_attr_put_strz(&r.nlh, IFLA_INFO_KIND, kind);
	data = mnl_attr_nest_start(&r.nlh, IFLA_INFO_DATA);
	mnl_attr_put(&r.nlh, IFLA_IPTUN_REMOTE, len, remote);
	mnl_attr_put_u32(&r.nlh, IFLA_IPTUN_FLAGS, flags);
	mnl_attr_nest_end(&r.nlh, data);
	mnl_attr_nest_end(&r.nlh, info);
	return &r.nlh;
}

static void test_ipip(void **state)
{
	static const uint8_t remote[4] = {192, 0, 2, 2};
	struct ip_tunnel t;
	struct ip want;

	(void)state;
	assert_true(ip_parse("192.0.2.2", &want));
	assert_true(ip_tunnel_parse(message("ipip", remote, 4, 0), &t));
	assert_string_equal(t.name, "tun7");
	assert_string_equal(t.kind, "ipip");
	assert_true(ip_equal(&t.remote, &want));
	assert_false(t.options);
	assert_true(ip_tunnel_parse(message("sit", remote, 4, 0), &t));
	assert_string_equal(t.kind, "sit");
}

/* The kernel's default puts the header in. */
static void test_ip6tnl(void **state)
{
	uint32_t none = IP6_TNL_F_IGN_ENCAP_LIMIT;
	struct ip_tunnel t;
	struct ip want;

	(void)state;
	assert_true(ip_parse("2001:db8::2", &want));
	assert_true(ip_tunnel_parse(message("ip6tnl", want.addr, 16, 0), &t));
	assert_true(ip_equal(&t.remote, &want));
	assert_true(t.options);
	assert_true(
		ip_tunnel_parse(message("ip6tnl", want.addr, 16, none), &t));
	assert_false(t.options);
}

static void test_other_links(void **state)
{
	static const uint8_t remote[16] = {192, 0, 2, 2};
	struct ip_tunnel t;

	(void)state;
	assert_false(ip_tunnel_parse(message("gre", remote, 4, 0), &t));
	assert_false(ip_tunnel_parse(message("ipip", remote, 2, 0), &t));
	assert_false(ip_tunnel_parse(message("veth", remote, 16, 0), &t));
}

static void test_ena(void **state)
{
	struct nic nic = {.driver = "ena", .channels = 5, .channels_max = 8};

	(void)state;
	assert_false(nic_ena_mtu(&nic, 3498));
	assert_true(nic_ena_mtu(&nic, 3499));
	assert_int_equal(nic_ena_channels(&nic), 4);
	nic.channels = 4;
	assert_int_equal(nic_ena_channels(&nic), 0);
	nic = (struct nic){.driver = "ena", .channels = 1, .channels_max = 1};
	assert_int_equal(nic_ena_channels(&nic), 0);
	nic = (struct nic){.driver = "veth", .channels = 8, .channels_max = 8};
	assert_false(nic_ena_mtu(&nic, 9001));
	assert_int_equal(nic_ena_channels(&nic), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ipip),
		cmocka_unit_test(test_ip6tnl),
		cmocka_unit_test(test_other_links),
		cmocka_unit_test(test_ena),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
