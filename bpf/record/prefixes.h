/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Prefixes by hash: `lengths` says which prefix lengths are in use, and a
 * look-up tries each of them, the longest first. Packets meet every step of a
 * change, so a length in use is always found from TL_LENGTH_TOP on: one more or
 * one less is one write, in a list that readers may be walking.
 */
#ifndef TUNLOAD_PREFIXES_H
#define TUNLOAD_PREFIXES_H

#include "core/gateway.h"
#include "core/load.h"
#include "maps.h"

/* What look-ups return if nothing is found. An exception without flags gives
 * the same: neither is of any peer. */
#define PREFIX_NONE 0

static __always_inline __u64 prefix_of(const struct tl_prefix *row)
{
	return row->peer | (__u64)row->flags << 32;
}

static __always_inline __u32 prefix_peer(__u64 prefix)
{
	return prefix;
}

static __always_inline __u32 prefix_flags(__u64 prefix)
{
	return prefix >> 32;
}

/* The 64 bits of an address in network order without those behind the first
 * len; len 0 to 63. */
static __always_inline __u64 mask64(__u64 addr, __u32 len)
{
	return addr & bpf_cpu_to_be64(~0ULL << 1 << (63 - len));
}

/* Steps to the next shorter length in use; false behind the last. *len starts
 * as TL_LENGTH_TOP. */
static __always_inline bool next_length(const struct tl_lengths *all,
					__u32 *len)
{
	const volatile __u32 *shorter;

	if (*len > TL_LENGTH_TOP)
		return false;
	shorter = &all->shorter[*len];
	*len = *shorter - 1;
	return *len < TL_LENGTH_TOP;
}

/*
 * The longest prefix of an address, as prefix_of(), or PREFIX_NONE. The two are
 * global functions, so that the verifier goes through their loops once.
 */
__attribute__((noinline)) __u64 find_prefix4(__u32 addr)
{
	const __u32 slot = TL_LENGTHS_4;
	const struct tl_lengths *all = bpf_map_lookup_elem(&lengths, &slot);
	__u32 len = TL_LENGTH_TOP;
	struct tl_prefix4 key;

	for (__u32 i = 0; all && i <= 32 && next_length(all, &len); i++) {
		const struct tl_prefix *row;
		__u32 bits = addr & bpf_htonl(~0ULL << (32 - (len & 63)));

		key.prefixlen = len;
		__builtin_memcpy(key.addr, &bits, sizeof(key.addr));
		row = bpf_map_lookup_elem(&prefixes4, &key);
		if (row)
			return prefix_of(row);
	}
	return PREFIX_NONE;
}

/* high, low: the halves of the address, each in network order. */
__attribute__((noinline)) __u64 find_prefix6(__u64 high, __u64 low)
{
	const __u32 slot = TL_LENGTHS_6;
	const struct tl_lengths *all = bpf_map_lookup_elem(&lengths, &slot);
	__u32 len = TL_LENGTH_TOP;
	struct tl_prefix6 key;

	for (__u32 i = 0; all && i <= 128 && next_length(all, &len); i++) {
		const struct tl_prefix *row;
		__u64 a = high, b = low;

		if (len < 64) {
			a = mask64(high, len);
			b = 0;
		} else if (len < 128) {
			b = mask64(low, len - 64);
		}
		key.prefixlen = len;
		__builtin_memcpy(key.addr, &a, sizeof(a));
		__builtin_memcpy(key.addr + 8, &b, sizeof(b));
		row = bpf_map_lookup_elem(&prefixes6, &key);
		if (row)
			return prefix_of(row);
	}
	return PREFIX_NONE;
}

static __always_inline __u64 find_prefix(__u8 family, const void *addr)
{
	if (family == 4)
		return find_prefix4(load32(addr));
	return find_prefix6(load64(addr), load64(addr + 8));
}

/* The peer whose gateway has that address, by its form or by the key `gateway`;
 * or TL_PEER_NONE. */
static __always_inline __u32 gateway_peer(__u8 family, const void *addr)
{
	const __u8 *bytes = addr;
	__u64 prefix;

	if (has_gateway_form(family, addr))
		return id_of_bytes(bytes + (family == 4 ? 1 : 13));
	prefix = find_prefix(family, addr);
	return prefix_flags(prefix) & TL_PREFIX_F_GATEWAY ? prefix_peer(prefix)
							  : TL_PEER_NONE;
}

#endif
