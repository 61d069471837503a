/* SPDX-License-Identifier: GPL-2.0-only */
/* Tells the kinds of verdicts, from the columns of their list (verdicts.h). */
#ifndef TUNLOAD_VERDICT_H
#define TUNLOAD_VERDICT_H

#include "net.h"
#include "verdicts.h"

/* Not a verdict: the packet passed all checks. The hook goes on and sets the
 * verdict. */
#define PASSED TL_VERDICT_COUNT
/* Not a verdict either: more of the packet must be made readable first. */
#define NEED_MORE (TL_VERDICT_COUNT + 1)

_Static_assert(NEED_MORE < 64, "verdicts fit a mask");

/* Each mask has the bits of the verdicts with this value in a column. */
#define DROP_BIT(name, fate, report, from, text)                               \
	| ((__u64)(TL_FATE_##fate == TL_FATE_DROP) << TL_##name)
#define REPORT_BIT(name, fate, report, from, text)                             \
	| ((__u64)(TL_##report == TL_REPORT) << TL_##name)
#define ICMP_BIT(name, fate, report, from, text)                               \
	| ((__u64)(TL_FROM_##from == TL_FROM_ICMP) << TL_##name)

/* Adjacent verdicts are compared as a range, which costs the verifier less than
 * a mask. */
static __always_inline bool is_in(const __u64 mask, enum tl_verdict verdict)
{
	const __u32 first = __builtin_ctzll(mask);
	const __u32 n = __builtin_popcountll(mask);

	if (mask >> first == (1ULL << n) - 1)
		return verdict >= first && verdict < first + n;
	return mask >> (verdict & 63) & 1;
}

static __always_inline bool is_drop(enum tl_verdict verdict)
{
	return is_in(0 TL_VERDICTS(DROP_BIT), verdict);
}

/* True for a verdict that a monitor is told about. */
static __always_inline bool is_reported(enum tl_verdict verdict)
{
	return is_in(0 TL_VERDICTS(REPORT_BIT), verdict);
}

/* True for an ICMP error about an outer packet of ours. */
static __always_inline bool is_icmp_verdict(enum tl_verdict verdict)
{
	return is_in(0 TL_VERDICTS(ICMP_BIT), verdict);
}

/* Comparisons cost the verifier less than a mask here. */
#define IS_PASSED_FROM_WIRE(name, fate, report, from, text)                    \
	|| (TL_FATE_##fate == TL_FATE_PASS &&                                  \
	    TL_FROM_##from == TL_FROM_WIRE && verdict == TL_##name)

/* True for a packet that is not of a peer's tunnel: it passes unless the guard
 * finds its source in a tunnelled prefix. */
static __always_inline bool is_plain(enum tl_verdict verdict)
{
	return (0 TL_VERDICTS(IS_PASSED_FROM_WIRE)) || is_icmp_verdict(verdict);
}

#endif
