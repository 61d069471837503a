/* SPDX-License-Identifier: GPL-2.0-only */
/* Properties of the code that makes and changes headers: checksums, ECN, outer
 * headers, ICMP errors. The checks make their arguments from random bytes. */
#ifndef TUNLOAD_FUZZ_CORE_BUILD_H
#define TUNLOAD_FUZZ_CORE_BUILD_H

#include <netinet/in.h> /* before the kernel's */

#include "core_parse.h"

#include "../../bpf/core/build.h"
#include "../../bpf/core/gateway.h"
#include "../../bpf/core/source.h"
#include "../../bpf/core/too_big.h"

/* One's complement sum of big-endian words (RFC 1071), n even. */
static inline uint16_t slow_sum(uint32_t sum, const void *bytes, size_t n)
{
	const uint8_t *at = bytes;

	for (size_t i = 0; i < n; i += 2) {
		sum += net16(at + i);
		sum = (sum & 0xffff) + (sum >> 16);
	}
	return sum;
}

static inline void check_checksum(const uint8_t random[64])
{
	uint32_t hlen = 20 + random[0] % 11 * 4, word = random[1] % 10;
	uint8_t *at = exact(random + 4, hlen, 0);
	struct iphdr *ip = (struct iphdr *)at;
	uint16_t changed;
	uint32_t sum;

	ip->version = 4; /* an all-zero header has two valid checksums */
	sum = csum_ip4(ip) + csum_ip4_options(ip, hlen, at + hlen);
	CHECK(bpf_ntohs(csum_fold(sum)) == slow_sum(0, at, hlen));
	ip->check = 0;
	ip->check = ~csum_fold(csum_ip4(ip));
	CHECK(slow_sum(0, at, 20) == 0xffff);
	memcpy(&changed, random + 2, 2);
	if (word && word != 5) {
		uint16_t *field = (uint16_t *)at + word;

		ip->check = csum_update(ip->check, *field, changed);
		*field = changed;
		CHECK(slow_sum(0, at, 20) == 0xffff);
	}
	free(at);
}

/* RFC 6040 figure 4, as rules instead of a table. */
static inline uint8_t ecn_by_the_book(uint8_t inner, uint8_t outer)
{
	if (outer == ECN_CE && inner == ECN_NOT_ECT)
		return ECN_DROP;
	if (inner == ECN_NOT_ECT || inner == ECN_CE)
		return inner;
	if (outer == ECN_CE || (outer == ECN_ECT1 && inner == ECN_ECT0))
		return outer;
	return inner;
}

static inline void check_ecn(const uint8_t random[64])
{
	uint8_t inner = random[0], outer = random[1], ecn = random[2] & 3;
	uint8_t dscp = random[3] < 64 ? random[3] : TL_DSCP_COPY;
	uint8_t six[40], tos = tos_encap(inner, dscp);
	struct iphdr ip;

	CHECK((tos & 3) == (inner & 3));
	CHECK(tos >> 2 == (dscp == TL_DSCP_COPY ? inner >> 2 : dscp));
	CHECK(ecn_decap(inner, outer) == ecn_by_the_book(inner & 3, outer & 3));
	CHECK(ecn_decap(inner, tos) == (inner & 3));

	memcpy(&ip, random + 4, sizeof(ip));
	ip.version = 4;
	ip.check = 0;
	ip.check = ~csum_fold(csum_ip4(&ip));
	tos = ip.tos;
	ip4_set_ecn(&ip, ecn);
	CHECK(ip.tos == (tos & ~3) + ecn);
	CHECK(slow_sum(0, &ip, 20) == 0xffff);

	memcpy(six, random + 4, sizeof(six));
	ip6_set_ecn((void *)six, ecn);
	CHECK(six[0] == random[4] &&
	      six[1] == ((random[5] & ~0x30) | ecn << 4));
	CHECK(!memcmp(six + 2, random + 6, 38));
}

static inline struct tl_peer random_peer(const uint8_t random[64])
{
	struct tl_peer peer = {.ttl = random[0] ?: 1,
			       .dscp = random[1] < 64 ? random[1]
						      : TL_DSCP_COPY};

	memcpy(peer.local, random + 2, 16);
	memcpy(peer.endpoint, random + 18, 16);
	return peer;
}

static inline struct inner random_inner(const uint8_t random[64])
{
	struct inner in = {.family = random[40] & 1 ? 4 : 6,
			   .df = random[40] & 2,
			   .tos = random[41],
			   .len = random[42] << 8 | random[43]};

	in.flow = flow_hash(random, random + 16, in.family, random[44],
			    random[45]);
	return in;
}

/* The built header parses back to the values that it was built from. */
static inline void check_outer4(const uint8_t random[64])
{
	struct tl_peer peer = random_peer(random);
	struct inner in = random_inner(random);
	uint8_t *at = malloc(20);
	struct ip_info ip = {};

	CHECK(at);
	in.len %= 0xffff - 20;
	build_ip4((struct iphdr *)at, &peer, &in, 0x1234);
	CHECK(parse_ip4(at, at + 20, &ip) == PARSE_OK);
	CHECK(ip.hlen == 20 && ip.tot_len == 20 + in.len && !ip.fragment);
	CHECK(ip.proto == (in.family == 4 ? 4 : 41));
	CHECK(inner_family(ip.proto) == in.family);
	CHECK(ip.tos == tos_encap(in.tos, peer.dscp) && at[8] == peer.ttl);
	CHECK(net16(at + 4) == (in.df ? 0 : 0x1234));
	CHECK(net16(at + 6) == (in.df ? 0x4000 : 0));
	CHECK(!memcmp(ip.src, peer.local, 4));
	CHECK(!memcmp(ip.dst, peer.endpoint, 4));
	CHECK(slow_sum(0, at, 20) == 0xffff);
	free(at);
}

static inline void check_outer6(const uint8_t random[64])
{
	struct tl_peer peer = random_peer(random);
	struct inner in = random_inner(random);
	uint8_t *at = malloc(40);
	struct ip_info ip = {};

	CHECK(at);
	build_ip6((struct ipv6hdr *)at, &peer, &in);
	CHECK(parse_ip6(at, at + 40, &ip) == PARSE_OK);
	CHECK(ip.hlen == 40 && ip.tot_len == 40 + in.len && !ip.fragment);
	CHECK(ip.proto == (in.family == 4 ? 4 : 41));
	CHECK(ip.tos == tos_encap(in.tos, peer.dscp) && at[7] == peer.ttl);
	CHECK((at[1] & 15) << 16 | net16(at + 2));
	CHECK(!memcmp(ip.src, peer.local, 16));
	CHECK(!memcmp(ip.dst, peer.endpoint, 16));
	free(at);
}

/* The errors go from the packet's destination to its source, with valid
 * checksums. The quoted bytes count as zero. */
static inline void check_too_big(const uint8_t random[64])
{
	uint32_t mtu = net16(random), sum;
	struct too_big4 four;
	struct too_big6 six;

	build_too_big4(&four, (const void *)(random + 4), mtu, 0);
	CHECK(slow_sum(0, &four.ip, 20) == 0xffff);
	CHECK(slow_sum(0, &four.type, 8) == 0xffff);
	CHECK(bpf_ntohs(four.mtu) == mtu);
	CHECK(!memcmp(&four.ip.daddr, random + 16, 4));
	CHECK(!memcmp(&four.ip.saddr, random + 20, 4));
	build_too_big6(&six, (const void *)(random + 4), mtu, 0);
	sum = slow_sum(IPPROTO_ICMPV6 + 8 + QUOTE6, &six.ip.saddr, 32);
	CHECK(slow_sum(sum, &six.type, 8) == 0xffff);
	CHECK(bpf_ntohl(six.mtu) == mtu);
	CHECK(!memcmp(&six.ip.daddr, random + 12, 16));
	CHECK(!memcmp(&six.ip.saddr, random + 28, 16));
}

/* A gateway's MAC and addresses have the same id; its ARP replies and neighbour
 * advertisements follow RFC 826 and RFC 4861. */
static inline void check_gateways(const uint8_t random[64])
{
	uint32_t id = random[0] << 16 | random[1] << 8 | random[2], found = 0;
	uint8_t mac[6], target[16] = {0xfe, 0x80, [9] = 0x74, [11] = 0x6e};
	struct arp_packet arp, ask;
	struct nd_packet nd;

	memcpy(target + 13, random, 3);
	gateway_mac(mac, id);
	CHECK(is_gateway_mac(mac, &found) && found == id);
	CHECK(is_gateway6(target) && id_of_bytes(target + 13) == id);
	mac[random[3] % 3] ^= random[4] | 1;
	target[random[3] % 13] ^= random[4] | 1;
	CHECK(!is_gateway_mac(mac, &found) && !is_gateway6(target));
	target[random[3] % 13] ^= random[4] | 1;
	gateway_mac(mac, id);

	build_advertisement(&nd, target, random + 8, id);
	CHECK(slow_sum(slow_sum(32 + IPPROTO_ICMPV6, &nd.ip.saddr, 32),
		       &nd.type, 32) == 0xffff);
	CHECK(!memcmp(nd.target, target, 16) && !memcmp(nd.opt_mac, mac, 6));
	CHECK(!memcmp(&nd.ip.saddr, target, 16));

	memcpy(&ask, random + 24, sizeof(ask));
	memcpy(ask.tpa, (uint8_t[]){240, random[0], random[1], random[2]}, 4);
	arp = ask;
	arp_turn_around(&arp, id);
	CHECK(!memcmp(arp.tha, ask.sha, 6) && !memcmp(arp.tpa, ask.spa, 4));
	CHECK(!memcmp(arp.spa, ask.tpa, 4) && !memcmp(arp.sha, mac, 6));
	CHECK(!memcmp(&arp, &ask, 6) && arp.op == htons(2));
}

static inline void check_martians(const uint8_t random[64])
{
	struct in6_addr six;
	struct in_addr four;
	uint32_t a;

	memcpy(&six, random, 16);
	memcpy(&four, random, 4);
	a = ntohl(four.s_addr);
	CHECK(ip4_is_martian(four.s_addr) ==
	      (a < 1 << 24 || a >> 24 == IN_LOOPBACKNET || IN_MULTICAST(a) ||
	       a == INADDR_BROADCAST));
	CHECK(ip6_is_martian(&six) ==
	      (IN6_IS_ADDR_MULTICAST(&six) || IN6_IS_ADDR_V4MAPPED(&six) ||
	       IN6_IS_ADDR_V4COMPAT(&six) || IN6_IS_ADDR_LOOPBACK(&six) ||
	       IN6_IS_ADDR_UNSPECIFIED(&six)));
	CHECK(ip4_is_link_scope(four.s_addr) ==
	      (a < 1 << 24 || a >> 24 == IN_LOOPBACKNET ||
	       (a & 0xffff0000) == 0xa9fe0000 ||
	       (a & 0xffffff00) == INADDR_UNSPEC_GROUP || a >= 0xf0000000));
	CHECK(ip6_is_link_scope(&six) ==
	      (IN6_IS_ADDR_LINKLOCAL(&six) || IN6_IS_ADDR_MC_NODELOCAL(&six) ||
	       IN6_IS_ADDR_MC_LINKLOCAL(&six) ||
	       (six.s6_addr[0] == 0xff && !(six.s6_addr[1] & 15))));
}

#endif
