/* SPDX-License-Identifier: GPL-2.0-only */
/* Properties of the parsers: bpf/core/parse.h and bpf/core/mss.h. Each packet
 * is on the heap with nothing behind it. */
#ifndef TUNLOAD_FUZZ_CORE_PARSE_H
#define TUNLOAD_FUZZ_CORE_PARSE_H

#include "fuzz.h"

#include "../../bpf/core/mss.h"
#include "../../bpf/core/parse.h"

static inline uint16_t net16(const uint8_t *at)
{
	return at[0] << 8 | at[1];
}

static inline void check_parse4(const uint8_t *at, size_t n)
{
	struct ip_info ip = {};
	enum parse_result result = parse_ip4(at, at + n, &ip);
	uint32_t hlen;

	CHECK(result != PARSE_MANY_OPTIONS);
	CHECK(ip.family == (n >= 20 && at[0] >> 4 == 4 ? 4 : 0));
	if (!ip.family) {
		CHECK(result == (n < 20 ? PARSE_SHORT : PARSE_MALFORMED));
		return;
	}
	hlen = (at[0] & 15) * 4;
	CHECK(ip.hlen == hlen && ip.tot_len == net16(at + 2));
	CHECK(ip.tos == at[1] && ip.proto == at[9]);
	CHECK(ip.fragment == ((net16(at + 6) & 0x3fff) != 0));
	CHECK((uint8_t *)ip.src == at + 12 && (uint8_t *)ip.dst == at + 16);
	CHECK(result == (hlen < 20  ? PARSE_MALFORMED
			 : hlen > n ? PARSE_SHORT
				    : PARSE_OK));
}

/* A slow walk over extension headers, written from RFC 8200 4 and RFC 6946. */
static inline enum parse_result walk(const uint8_t *at, size_t n,
				     struct ip_info *want)
{
	int options = 0;

	want->hlen = 40;
	want->proto = at[6];
	for (;;) {
		const uint8_t *ext = at + want->hlen;

		if (want->proto != 0 && want->proto != 60 &&
		    want->proto != 43 && want->proto != 44)
			return PARSE_OK;
		if (options++ == MAX_OPTIONS_HEADERS)
			return PARSE_MANY_OPTIONS;
		if (want->hlen + 8 > n)
			return PARSE_SHORT;
		if (want->proto == 43 && ext[3]) /* segments left */
			return PARSE_OK;
		if (want->proto == 44 && (net16(ext + 2) & 0xfff9)) {
			want->fragment = true;
			want->proto = ext[0];
			return PARSE_OK;
		}
		want->hlen += want->proto == 44 ? 8 : 8 + 8 * ext[1];
		want->proto = ext[0];
	}
}

static inline void check_parse6(const uint8_t *at, size_t n)
{
	struct ip_info ip = {}, want = {}, header = {};
	enum parse_result result = parse_ip6(at, at + n, &ip);

	CHECK(ip.family == (n >= 40 && at[0] >> 4 == 6 ? 6 : 0));
	if (!ip.family) {
		CHECK(result == (n < 40 ? PARSE_SHORT : PARSE_MALFORMED));
		return;
	}
	CHECK(result == walk(at, n, &want));
	CHECK(ip.hlen == want.hlen && ip.hlen <= IP6_HLEN_MASK);
	CHECK(ip.proto == want.proto && ip.fragment == want.fragment);
	CHECK(ip.tos == (uint8_t)(at[0] << 4 | at[1] >> 4));
	CHECK(ip.tot_len == 40u + net16(at + 4));
	CHECK((uint8_t *)ip.src == at + 8 && (uint8_t *)ip.dst == at + 24);
	CHECK(parse_ip6_header(at, at + n, &header) == PARSE_OK);
	CHECK(header.hlen == 40 && header.proto == at[6] && !header.fragment);
}

/* len: bytes behind the outer header. */
static inline void check_inner(const uint8_t *at, size_t n, uint32_t len)
{
	enum tl_verdict four = check_inner4(at, at + n, len);
	enum tl_verdict six = check_inner6(at, at + n, len);

	if (n < 20 || (at[0] >> 4 == 4 && at[0] < 0x45))
		CHECK(four == TL_rx_bad_inner);
	else if (at[0] >> 4 != 4)
		CHECK(four == TL_rx_bad_version);
	else
		CHECK((four == PASSED) == (net16(at + 2) >= (at[0] & 15) * 4 &&
					   net16(at + 2) <= len));
	if (n < 40)
		CHECK(six == TL_rx_bad_inner);
	else if (at[0] >> 4 != 6)
		CHECK(six == TL_rx_bad_version);
	else
		CHECK((six == PASSED) == (40u + net16(at + 4) <= len));
}

/* The offset of the value of the first complete MSS option, 0 for none. */
static inline uint32_t slow_mss(const uint8_t *options, uint32_t len)
{
	uint32_t at = 0;

	while (at + 4 <= len && options[at] != TCP_OPTION_END) {
		if (options[at] == TCP_OPTION_NOP) {
			at++;
			continue;
		}
		if (options[at] == TCP_OPTION_MSS && options[at + 1] == 4)
			return at + 2;
		if (options[at + 1] < 2)
			return 0;
		at += options[at + 1];
	}
	return 0;
}

static inline void check_mss(const uint8_t *at, size_t n)
{
	uint32_t len = n < TCP_OPTIONS_MAX ? n : TCP_OPTIONS_MAX;
	uint8_t *options = exact(at, len, 64 - len);
	uint32_t found = mss_find(options, len);

	CHECK(found == slow_mss(options, len));
	free(options);
}

#endif
