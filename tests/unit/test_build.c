/* SPDX-License-Identifier: GPL-2.0-only */
/* bpf/core/build.h: outer headers, byte for byte. */
#include "core.h"
#include "../../bpf/core/build.h"

static struct tl_peer peer4(void)
{
	struct tl_peer p = {.family = 4, .ttl = 64, .dscp = TL_DSCP_COPY};

	inet_pton(AF_INET, "192.0.2.1", p.endpoint);
	inet_pton(AF_INET, "198.51.100.7", p.local);
	return p;
}

static struct tl_peer peer6(void)
{
	struct tl_peer p = {.family = 6, .ttl = 9, .dscp = 46};

	inet_pton(AF_INET6, "2001:db8::1", p.endpoint);
	inet_pton(AF_INET6, "2001:db8:1::7", p.local);
	return p;
}

static void ip4_by_hand(void **state)
{
	/* an inner packet of 84 bytes with TOS 0xb9 and DF */
	static const uint8_t want[20] = {
		0x45, 0xb9, 0x00, 0x68, 0x00, 0x00, 0x40, 0x00, 0x40, 0x04,
		0x4d, 0x9d, 198,  51,	100,  7,    192,  0,	2,    1};
	struct inner in = {.family = 4, .tos = 0xb9, .df = true, .len = 84};
	struct tl_peer p = peer4();
	struct iphdr ip;

	(void)state;
	memset(&ip, 0xff, sizeof(ip));
	build_ip4(&ip, &p, &in, 0x1234);
	assert_memory_equal(&ip, want, sizeof(want));
	in.family = 6;
	build_ip4(&ip, &p, &in, 0x1234);
	assert_int_equal(ip.protocol, 41);
	assert_int_equal(csum_fold(csum_ip4(&ip)), 0xffff);
}

/* RFC 6864 4: a packet without DF needs an ID. */
static void ip4_that_may_be_fragmented(void **state)
{
	struct inner in = {.family = 4, .df = false, .len = 2000};
	struct tl_peer p = peer4();
	struct iphdr ip;

	(void)state;
	build_ip4(&ip, &p, &in, 0x1234);
	assert_int_equal(ip.id, htons(0x1234));
	assert_int_equal(ip.frag_off, 0);
	assert_int_equal(csum_fold(csum_ip4(&ip)), 0xffff);
}

static void ip6_by_hand(void **state)
{
	struct inner in = {.family = 4, .tos = 0x03, .df = true, .len = 1460};
	struct tl_peer p = peer6();
	struct ipv6hdr ip;
	uint8_t want[40] = {0x6b, 0xb0, 0, 0, 0x05, 0xb4, 4, 9};

	(void)state;
	want[3] = 1; /* a hash of 0 gives label 1 */
	inet_pton(AF_INET6, "2001:db8:1::7", want + 8);
	inet_pton(AF_INET6, "2001:db8::1", want + 24);
	memset(&ip, 0xff, sizeof(ip));
	build_ip6(&ip, &p, &in);
	assert_memory_equal(&ip, want, sizeof(want));
	in.family = 6;
	build_ip6(&ip, &p, &in);
	assert_int_equal(ip.nexthdr, 41);
}

/* The length field of a packet that is too long for it is 0. */
static void super_packets_have_length_0(void **state)
{
	struct inner in = {.family = 4, .df = true, .len = 65535};
	struct tl_peer p4 = peer4(), p6 = peer6();
	struct ipv6hdr ip6;
	struct iphdr ip4;

	(void)state;
	build_ip4(&ip4, &p4, &in, 0);
	build_ip6(&ip6, &p6, &in);
	assert_int_equal(ip4.tot_len, 0);
	assert_int_equal(ip6.payload_len, 0xffff);
	in.len = 65515;
	build_ip4(&ip4, &p4, &in, 0);
	assert_int_equal(ip4.tot_len, 0xffff);
	in.len = 65536;
	build_ip6(&ip6, &p6, &in);
	assert_int_equal(ip6.payload_len, 0);
}

#define FLOWS 4096

/* Of FLOWS random labels of 2^20, about 8 are expected to be there already. */
static void check_labels(const uint32_t *labels)
{
	unsigned char seen[1 << 17] = {0};
	unsigned int same = 0;

	for (uint32_t i = 0; i < FLOWS; i++) {
		uint32_t label = labels[i];

		assert_in_range(label, 1, 0xfffff);
		same += seen[label >> 3] >> (label & 7) & 1;
		seen[label >> 3] |= 1 << (label & 7);
	}
	assert_in_range(same, 0, 32);
}

static void flow_labels_differ(void **state)
{
	uint32_t src = htonl(0x0a0a0001), dst = htonl(0xac160202);
	uint32_t labels[FLOWS];

	(void)state;
	for (uint32_t port = 0; port < FLOWS; port++)
		labels[port] = flow_label(
			flow_hash(&src, &dst, 4, 6, htonl(port << 16 | 443)));
	check_labels(labels);
}

static void flow_labels_of_hosts_differ(void **state)
{
	uint32_t by_src[FLOWS], by_dst[FLOWS], one[4] = {htonl(0xfd000010)};
	uint32_t other[4] = {htonl(0xfd000020)};

	(void)state;
	for (int family = 4; family <= 6; family += 2) {
		uint32_t *last = &one[family == 4 ? 0 : 3], first = *last;

		for (uint32_t i = 0; i < FLOWS; i++) {
			*last = htonl(ntohl(first) + i);
			by_src[i] =
				flow_label(flow_hash(one, other, family, 1, 0));
			by_dst[i] =
				flow_label(flow_hash(other, one, family, 1, 0));
		}
		*last = first;
		check_labels(by_src);
		check_labels(by_dst);
	}
}

static void every_part_of_the_flow_counts(void **state)
{
	uint8_t src[16], dst[16];
	uint32_t base;

	(void)state;
	memset(src, 1, sizeof(src));
	memset(dst, 2, sizeof(dst));
	base = flow_hash(src, dst, 6, 17, 99);
	assert_int_equal(base, flow_hash(src, dst, 6, 17, 99));
	assert_int_not_equal(base, flow_hash(src, dst, 6, 6, 99));
	assert_int_not_equal(base, flow_hash(src, dst, 6, 17, 98));
	assert_int_not_equal(base, flow_hash(dst, src, 6, 17, 99));
	for (int i = 0; i < 16; i++) {
		src[i] ^= 0x40;
		assert_int_not_equal(base, flow_hash(src, dst, 6, 17, 99));
		src[i] ^= 0x40;
		dst[i] ^= 0x40;
		assert_int_not_equal(base, flow_hash(src, dst, 6, 17, 99));
		dst[i] ^= 0x40;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ip4_by_hand),
		cmocka_unit_test(ip4_that_may_be_fragmented),
		cmocka_unit_test(ip6_by_hand),
		cmocka_unit_test(super_packets_have_length_0),
		cmocka_unit_test(flow_labels_differ),
		cmocka_unit_test(flow_labels_of_hosts_differ),
		cmocka_unit_test(every_part_of_the_flow_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
