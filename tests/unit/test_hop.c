/* SPDX-License-Identifier: GPL-2.0-only */
/* bpf/core/hop.h: which packets XDP may forward, and the TTL. */
#include "core.h"
#include "../../bpf/core/hop.h"

static struct iphdr good4(void)
{
	struct iphdr ip = {.version = 4, .ihl = 5, .ttl = 2, .protocol = 17};

	inet_pton(AF_INET, "10.1.0.1", &ip.saddr);
	inet_pton(AF_INET, "198.51.100.1", &ip.daddr);
	return ip;
}

static struct ipv6hdr good6(void)
{
	struct ipv6hdr ip = {.version = 6, .hop_limit = 2, .nexthdr = 17};

	inet_pton(AF_INET6, "fd00:1::1", &ip.saddr);
	inet_pton(AF_INET6, "2001:db8::1", &ip.daddr);
	return ip;
}

static void ip4_whole_packets_with_hops(void **state)
{
	struct iphdr ip = good4();

	(void)state;
	assert_true(may_forward4(&ip));
	ip.frag_off = htons(IP4_DF);
	assert_true(may_forward4(&ip));
	ip.frag_off = htons(IP4_MF);
	assert_false(may_forward4(&ip));
	ip.frag_off = htons(1);
	assert_false(may_forward4(&ip));
	ip = good4();
	ip.ihl = 6;
	assert_false(may_forward4(&ip));
	ip = good4();
	ip.version = 6;
	assert_false(may_forward4(&ip));
	for (int ttl = 0; ttl < 256; ttl++) {
		ip = good4();
		ip.ttl = ttl;
		assert_int_equal(may_forward4(&ip), ttl > 1);
	}
}

/* Addresses of one link, multicast and martians (RFC 1812 5.3.7, RFC 3927
 * 2.7). */
static void ip4_addresses_that_stay(void **state)
{
	static const char *const stay[] = {
		"0.1.2.3",     "127.0.0.1", "169.254.0.1",     "224.0.0.5",
		"239.255.0.1", "240.0.0.1", "255.255.255.255",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(stay) / sizeof(*stay); i++) {
		struct iphdr from = good4(), to = good4();

		inet_pton(AF_INET, stay[i], &from.saddr);
		inet_pton(AF_INET, stay[i], &to.daddr);
		assert_false(may_forward4(&from));
		assert_false(may_forward4(&to));
	}
}

static void ip6_packets_without_options(void **state)
{
	static const uint8_t up[] = {IPPROTO_HOPOPTS, IPPROTO_ROUTING,
				     IPPROTO_FRAGMENT, IPPROTO_DSTOPTS};
	struct ipv6hdr ip = good6();

	(void)state;
	assert_true(may_forward6(&ip));
	ip.version = 4;
	assert_false(may_forward6(&ip));
	for (size_t i = 0; i < sizeof(up); i++) {
		ip = good6();
		ip.nexthdr = up[i];
		assert_false(may_forward6(&ip));
	}
	for (int limit = 0; limit < 256; limit++) {
		ip = good6();
		ip.hop_limit = limit;
		assert_int_equal(may_forward6(&ip), limit > 1);
	}
}

static void ip6_addresses_that_stay(void **state)
{
	static const char *const stay[] = {
		"::", "::1", "::ffff:10.0.0.1", "fe80::1", "ff02::1", "ff0e::1",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(stay) / sizeof(*stay); i++) {
		struct ipv6hdr from = good6(), to = good6();

		inet_pton(AF_INET6, stay[i], &from.saddr);
		inet_pton(AF_INET6, stay[i], &to.daddr);
		assert_false(may_forward6(&from));
		assert_false(may_forward6(&to));
	}
}

/* For every TTL and many checksums, the result is that of a new sum. */
static void ip4_hop_keeps_the_checksum_right(void **state)
{
	(void)state;
	for (int ttl = 1; ttl < 256; ttl++) {
		for (int id = 0; id < 65536; id += 255) {
			struct iphdr ip = good4();

			ip.ttl = ttl;
			ip.id = htons(id);
			ip.check = ~csum_fold(csum_ip4(&ip));
			ip4_hop(&ip);
			assert_int_equal(ip.ttl, ttl - 1);
			assert_int_equal(ip.protocol, 17);
			assert_int_equal(csum_fold(csum_ip4(&ip)), 0xffff);
		}
	}
}

static void ip6_hop_takes_one(void **state)
{
	struct ipv6hdr ip = good6(), want = ip;

	(void)state;
	want.hop_limit = 1;
	ip6_hop(&ip);
	assert_memory_equal(&ip, &want, sizeof(ip));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ip4_whole_packets_with_hops),
		cmocka_unit_test(ip4_addresses_that_stay),
		cmocka_unit_test(ip6_packets_without_options),
		cmocka_unit_test(ip6_addresses_that_stay),
		cmocka_unit_test(ip4_hop_keeps_the_checksum_right),
		cmocka_unit_test(ip6_hop_takes_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
