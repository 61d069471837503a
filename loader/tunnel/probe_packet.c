// SPDX-License-Identifier: GPL-2.0-only
/* Builds the packets of a probe, and chooses their sizes. */
#include "probe.h"

#include <string.h>

/* After <net/if.h>, which the kernel's headers are compatible with only in this
 * order. */
#include "../../bpf/core/build.h"

#define INNER_TTL  64
#define OPTION_LEN 8

/* Sizes of common paths: IPv6's least, tunnels, PPPoE, Ethernet. */
static const uint32_t usual_sizes[] = {1280, 1400, 1420, 1454,
				       1460, 1480, 1492, 1500};

static void write_inner4(const struct probe_form *form, struct iphdr *ip,
			 size_t len)
{
	*ip = (struct iphdr){
		.version = 4,
		.ihl = 5,
		.tot_len = bpf_htons(len),
		.frag_off = bpf_htons(IP4_DF),
		.ttl = INNER_TTL,
		.protocol = IPPROTO_ICMP,
	};
	memcpy(&ip->saddr, form->from.addr, 4);
	memcpy(&ip->daddr, form->to.addr, 4);
	ip->check = ~csum_fold(csum_ip4(ip));
}

static void write_inner6(const struct probe_form *form, struct ipv6hdr *ip,
			 size_t len)
{
	*ip = (struct ipv6hdr){
		.version = 6,
		.payload_len = bpf_htons(len - sizeof(*ip)),
		.nexthdr = IPPROTO_ICMPV6,
		.hop_limit = INNER_TTL,
	};
	memcpy(&ip->saddr, form->from.addr, 16);
	memcpy(&ip->daddr, form->to.addr, 16);
}

/* The encapsulation limit is an option of one byte; a PadN option of one byte
 * fills the header up. */
static void write_option(struct ipv6hdr *ip)
{
	uint8_t option[OPTION_LEN] = {ip->nexthdr, 0, 4, 1, 4, 1, 1, 0};

	ip->nexthdr = IPPROTO_DSTOPTS;
	memcpy(ip + 1, option, sizeof(option));
}

/* Returns the length of the outer header, with the option. */
static size_t write_outer(const struct probe_form *form, void *out, size_t size)
{
	const struct peer *p = form->peer;
	size_t len = outer_len(p);
	struct tl_peer tunnel = {
		.family = p->endpoint.family,
		.ttl = p->ttl,
		.dscp = p->dscp,
	};
	/* The payload, of which the option is a part. */
	struct inner in = {
		.family = form->to.family,
		.df = true,
		.len = size - len,
	};

	memcpy(tunnel.endpoint, p->endpoint.addr, 16);
	memcpy(tunnel.local, p->local.addr, 16);
	if (tunnel.family == 4) {
		build_ip4(out, &tunnel, &in, 0);
		return len;
	}
	build_ip6(out, &tunnel, &in);
	if (form->limit)
		write_option(out);
	return len + (form->limit ? OPTION_LEN : 0);
}

size_t probe_headers(const struct probe_form *form, void *out, size_t size)
{
	size_t len = write_outer(form, out, size);
	void *inner = (char *)out + len;

	if (form->to.family == 4) {
		write_inner4(form, inner, size - len);
		return len + sizeof(struct iphdr);
	}
	write_inner6(form, inner, size - len);
	return len + sizeof(struct ipv6hdr);
}

static int compare_sizes(const void *a, const void *b)
{
	return compare_values(*(const uint32_t *)a, *(const uint32_t *)b);
}

size_t probe_first_sizes(uint32_t own, uint32_t link_mtu,
			 uint32_t out[static PROBE_SIZES])
{
	size_t n = 0;

	out[n++] = PROBE_SMALL;
	out[n++] = link_mtu;
	if (own < link_mtu)
		out[n++] = own;
	for (size_t i = 0; i < sizeof(usual_sizes) / sizeof(*usual_sizes); i++)
		if (usual_sizes[i] < link_mtu)
			out[n++] = usual_sizes[i];
	return sort_unique(out, n, sizeof(*out), compare_sizes);
}

size_t probe_next_sizes(uint32_t passed, uint32_t lost,
			uint32_t out[static PROBE_SIZES])
{
	uint32_t gap = lost - passed, last = passed;
	size_t n = 0;

	for (uint32_t i = 1; i <= PROBE_SIZES; i++) {
		uint32_t size = passed + gap * i / (PROBE_SIZES + 1);

		if (size > last)
			out[n++] = last = size;
	}
	return n;
}
