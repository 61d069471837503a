/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copies the packets of the pinned programs to `tunload capture`: the kernel
 * runs these programs when one of those begins and ends, and when one of its
 * functions is told a verdict, for as long as a capture runs. The data plane
 * has nothing for them: what no function is told follows from how a packet has
 * changed.
 */
#include "captured.h"
#include "packet/frame.h"
#include "packet/marks.h"
#include "packet/tc.h"
#include <bpf/bpf_core_read.h>

#define BPF_F_CURRENT_CPU 0xffffffffULL

/* Set by the loader. */
const volatile __u32 snaplen = TL_CAPTURED_MOST;
const volatile bool forwards; /* plain packets may leave in a tunnel */

/* Frames that found no room. */
__u64 lost[TL_SIDES];

struct {
	__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u32));
} records SEC(".maps");

/* What is known of a packet inside of a program. */
struct row {
	__u64 began_ns;
	__u32 entered; /* bytes; 0: not known, but those that leave */
	__u32 verdict; /* told, or TL_UNTOLD */
	__u32 peer;
	__u32 flags; /* ROW_* */
	__u8 mac[8]; /* destination */
};

#define ROW_COPIED   0x01 /* sent as TL_CAPTURED_BEGIN ... */
#define ROW_LOST     0x02 /* ... or not, for lack of room */
#define ROW_SECOND   0x04
#define ROW_FRAGMENT 0x08 /* becomes a fragment */

/* By the address of the xdp_buff or sk_buff: runs may be nested. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, __u64);
	__type(value, struct row);
} rows SEC(".maps");

/* Before Linux 6.2 a bit says whether an skb has a tag. */
struct sk_buff___old {
	__u8 vlan_present : 1;
} __attribute__((preserve_access_index));

static __always_inline bool probe_head(struct frame_head *head, const void *at)
{
	return !bpf_probe_read_kernel(head, sizeof(*head), at);
}

/* True unless a frame that arrives leaves the program as it came. */
static __always_inline bool may_shrink(const struct frame_head *head)
{
	const __u8 next = head->ip[6];

	if (forwards)
		return true;
	if (head->proto == bpf_htons(ETH_P_IP))
		return is_tunnel(head->ip[9]);
	if (head->proto == bpf_htons(ETH_P_IPV6))
		return is_tunnel(next) || next == IPPROTO_HOPOPTS ||
		       next == IPPROTO_ROUTING || next == IPPROTO_FRAGMENT ||
		       next == IPPROTO_DSTOPTS;
	return head->proto == bpf_htons(ETH_P_8021Q) ||
	       head->proto == bpf_htons(ETH_P_8021AD);
}

static __always_inline __u32 caught_of(__u32 len)
{
	return len < snaplen ? len : snaplen;
}

static __always_inline void row_keep(void *at, const struct row *row)
{
	const __u64 key = (__u64)at;

	bpf_map_update_elem(&rows, &key, row, BPF_ANY);
}

/* Takes the row of a packet; false if there is none. */
static __always_inline bool row_take(void *at, struct row *row)
{
	const __u64 key = (__u64)at;
	const struct row *found = bpf_map_lookup_elem(&rows, &key);

	if (!found)
		return false;
	*row = *found;
	bpf_map_delete_elem(&rows, &key);
	return true;
}

/* Keeps what a function of a program is told about a packet. */
static __always_inline int tell(void *at, __u32 verdict, __u32 peer)
{
	struct row row = {.began_ns = bpf_ktime_get_ns()};

	row_take(at, &row);
	row.verdict = verdict;
	row.peer = peer;
	row_keep(at, &row);
	return 0;
}

/* Sends a record; returns false if there is no room. */
static __always_inline bool send_xdp(struct xdp_buff *xdp,
				     struct tl_captured *record)
{
	const __u64 size = (__u64)record->caught << 32;

	return !bpf_xdp_output(xdp, &records, BPF_F_CURRENT_CPU | size, record,
			       sizeof(*record));
}

static __always_inline bool send_skb(struct sk_buff *skb,
				     struct tl_captured *record)
{
	const __u64 size = (__u64)record->caught << 32;

	return !bpf_skb_output(skb, &records, BPF_F_CURRENT_CPU | size, record,
			       sizeof(*record));
}

static __always_inline struct tl_captured record_begin(const struct row *row,
						       __u32 traced)
{
	return (struct tl_captured){
		.time_ns = row->began_ns,
		.began_ns = row->began_ns,
		.kind = TL_CAPTURED_BEGIN,
		.traced = traced,
		.verdict = TL_UNTOLD,
		.entered = row->entered,
		.left = row->entered,
		.caught = caught_of(row->entered),
	};
}

static __always_inline struct tl_captured
record_end(const struct row *row, __u32 traced, int action, __u32 left)
{
	return (struct tl_captured){
		.time_ns = bpf_ktime_get_ns(),
		.began_ns = row->began_ns,
		.kind = TL_CAPTURED_END,
		.traced = traced,
		.verdict = row->verdict,
		.peer = row->peer,
		.action = action,
		.flags = row->flags & ROW_SECOND ? TL_CAPTURED_F_SECOND : 0,
		.entered = row->entered ?: left,
		.left = left,
	};
}

/* Adds the frame that left the program, or the one that entered it and was not
 * copied then, as it does not change. */
static __always_inline void add_frame(struct tl_captured *record, bool after)
{
	record->flags |= after ? TL_CAPTURED_F_AFTER : 0;
	record->caught = caught_of(record->left);
}

/* Counts the frames that a record which found no room would have shown. */
static __always_inline void
count_lost(const struct row *row, const struct tl_captured *record, bool sent)
{
	const bool in = record->traced != TL_TRACED_EGRESS &&
			record->left <= record->entered;
	const __u32 before = in ? TL_OUTER : TL_INNER;
	const bool after = record->flags & TL_CAPTURED_F_AFTER;

	if (row->flags & ROW_LOST ||
	    (!sent && (row->flags & ROW_COPIED || (record->caught && !after))))
		__sync_fetch_and_add(&lost[before], 1);
	if (!sent && after)
		__sync_fetch_and_add(&lost[!before], 1);
}

/* XDP: xdp_ingress, and xdp_forward of other interfaces. */

static __always_inline __u32 xdp_len(struct xdp_buff *xdp)
{
	return bpf_xdp_get_buff_len((struct xdp_md *)xdp);
}

static __always_inline int xdp_begins(struct xdp_buff *xdp)
{
	struct row row = {.began_ns = bpf_ktime_get_ns(),
			  .entered = xdp_len(xdp),
			  .verdict = TL_UNTOLD,
			  .flags = ROW_COPIED};
	struct frame_head head = {};
	struct tl_captured record;

	if (xdp->data + sizeof(head) <= xdp->data_end &&
	    probe_head(&head, xdp->data) && !may_shrink(&head))
		return 0;
	__builtin_memcpy(row.mac, head.mac, sizeof(head.mac));
	record = record_begin(&row, TL_TRACED_XDP);
	if (!send_xdp(xdp, &record))
		row.flags = ROW_LOST;
	row_keep(xdp, &row);
	return 0;
}

static __always_inline bool mac_is_new(const struct row *row,
				       struct xdp_buff *xdp)
{
	struct frame_head head = {};

	probe_head(&head, xdp->data);
	return load32(head.mac) != load32(row->mac) ||
	       LOAD(__u16, head.mac + 4) != LOAD(__u16, row->mac + 4);
}

static __always_inline int xdp_ends(struct xdp_buff *xdp, int action)
{
	struct tl_captured record;
	struct row row = {};

	if (!row_take(xdp, &row))
		return 0;
	record = record_end(&row, TL_TRACED_XDP, action, xdp_len(xdp));
	if (row.verdict != TL_UNTOLD) {
		if (!(row.flags & (ROW_COPIED | ROW_LOST)))
			add_frame(&record, false);
	} else if (action != XDP_DROP) {
		if (record.left == record.entered)
			return 0;
		if (mac_is_new(&row, xdp))
			record.flags |= TL_CAPTURED_F_NEW_MAC;
		add_frame(&record, true);
	}
	count_lost(&row, &record, send_xdp(xdp, &record));
	return 0;
}

/* tc: tc_ingress and tc_egress. */

static __always_inline bool has_tag(struct sk_buff *skb)
{
	struct sk_buff___old *old = (struct sk_buff___old *)skb;

	if (bpf_core_field_exists(old->vlan_present))
		return BPF_CORE_READ_BITFIELD(old, vlan_present);
	return skb->vlan_proto;
}

static __always_inline void add_tag(struct tl_captured *record,
				    struct sk_buff *skb)
{
	if (!has_tag(skb))
		return;
	record->vlan_proto = skb->vlan_proto;
	record->vlan_tci = skb->vlan_tci;
}

/* What marks.h has written into an skb, and what it says of it. */
static __always_inline __u32 own_word(struct sk_buff *skb, __u32 at)
{
	const __u32 data = bpf_core_field_offset(struct qdisc_skb_cb, data);

	return *(__u32 *)(skb->cb + data + 4 * at);
}

static __always_inline enum own_kind own_kind_of(struct sk_buff *skb)
{
	if (!own_secret || own_word(skb, 0) != (__u32)own_secret ||
	    own_word(skb, 1) != own_secret >> 32)
		return OWN_NONE;
	return own_word(skb, OWN_CB_KIND);
}

static __always_inline bool skb_head(struct sk_buff *skb,
				     struct frame_head *head)
{
	return skb->len - skb->data_len >= sizeof(*head) &&
	       probe_head(head, skb->data);
}

/* Copies a frame that enters a program and may change there. */
static __always_inline void copy_skb(struct sk_buff *skb, __u32 traced,
				     struct row *row)
{
	struct tl_captured record = record_begin(row, traced);

	add_tag(&record, skb);
	row->flags |= send_skb(skb, &record) ? ROW_COPIED : ROW_LOST;
}

static __always_inline int ingress_begins(struct sk_buff *skb)
{
	struct row row = {.began_ns = bpf_ktime_get_ns(),
			  .entered = skb->len,
			  .verdict = TL_UNTOLD};
	struct frame_head head;

	if (own_kind_of(skb) == OWN_ANSWER ||
	    (skb_head(skb, &head) && !may_shrink(&head)))
		return 0;
	copy_skb(skb, TL_TRACED_INGRESS, &row);
	row_keep(skb, &row);
	return 0;
}

static __always_inline int ingress_ends(struct sk_buff *skb, int action)
{
	struct tl_captured record;
	struct row row = {};

	if (!row_take(skb, &row))
		return 0;
	record = record_end(&row, TL_TRACED_INGRESS, action, skb->len);
	add_tag(&record, skb);
	if (row.verdict != TL_UNTOLD) {
		if (!(row.flags & (ROW_COPIED | ROW_LOST)))
			add_frame(&record, false);
	} else if (record.left == record.entered) {
		return 0;
	} else {
		add_frame(&record, true);
	}
	count_lost(&row, &record, send_skb(skb, &record));
	return 0;
}

static __always_inline int egress_begins(struct sk_buff *skb)
{
	struct row row = {.began_ns = bpf_ktime_get_ns(),
			  .entered = skb->len,
			  .verdict = TL_UNTOLD};
	const enum own_kind own = own_kind_of(skb);
	struct frame_head head;

	if (own == OWN_SENT) {
		row.flags = ROW_SECOND;
		row.peer = own_word(skb, OWN_CB_PEER);
	} else if (skb_head(skb, &head) &&
		   !is_gateway_mac(head.mac, &row.peer)) {
		return 0;
	} else if (own == OWN_FRAGMENT) {
		row.flags = ROW_FRAGMENT;
	} else {
		copy_skb(skb, TL_TRACED_EGRESS, &row);
	}
	row_keep(skb, &row);
	return 0;
}

/* Sets what tc_egress has done with a packet if nothing told it. False if it
 * has nothing to do with a tunnel. */
static __always_inline bool untold_egress(struct sk_buff *skb,
					  const struct row *row,
					  struct tl_captured *record)
{
	const enum own_kind own = own_kind_of(skb);

	if (own == OWN_FRAGMENT)
		record->flags |= TL_CAPTURED_F_FRAGMENTS;
	if (record->action == TC_ACT_REDIRECT)
		return own == OWN_SENT || own == OWN_FRAGMENT;
	if (!(row->flags & (ROW_SECOND | ROW_FRAGMENT)) &&
	    record->left == record->entered)
		return false;
	add_frame(record, true);
	return true;
}

static __always_inline int egress_ends(struct sk_buff *skb, int action)
{
	struct tl_captured record;
	struct row row = {};

	if (!row_take(skb, &row))
		return 0;
	record = record_end(&row, TL_TRACED_EGRESS, action, skb->len);
	add_tag(&record, skb);
	if (row.verdict == TL_UNTOLD) {
		if (!untold_egress(skb, &row, &record))
			return 0;
	} else if (!(row.flags & (ROW_COPIED | ROW_LOST))) {
		add_frame(&record, row.flags & ROW_SECOND);
	}
	count_lost(&row, &record, send_skb(skb, &record));
	return 0;
}

/* The programs. The loader attaches them in this order, so that no packet has a
 * beginning without an end. ctx has the arguments of the function, and behind
 * them its value. */

SEC("fexit")
int xdp_ingress_ends(__u64 *ctx)
{
	return xdp_ends((struct xdp_buff *)ctx[0], ctx[1]);
}

SEC("fexit")
int xdp_forward_ends(__u64 *ctx)
{
	return xdp_ends((struct xdp_buff *)ctx[0], ctx[1]);
}

SEC("fexit")
int tc_ingress_ends(__u64 *ctx)
{
	return ingress_ends((struct sk_buff *)ctx[0], ctx[1]);
}

SEC("fexit")
int tc_egress_ends(__u64 *ctx)
{
	return egress_ends((struct sk_buff *)ctx[0], ctx[1]);
}

/* report_xdp() and report_skb(): packet, offset, verdict, peer. */

SEC("fentry")
int xdp_ingress_reports(__u64 *ctx)
{
	return tell((void *)ctx[0], ctx[2], ctx[3]);
}

SEC("fentry")
int tc_ingress_reports(__u64 *ctx)
{
	return tell((void *)ctx[0], ctx[2], ctx[3]);
}

SEC("fentry")
int tc_egress_reports(__u64 *ctx)
{
	return tell((void *)ctx[0], ctx[2], ctx[3]);
}

SEC("fentry")
int xdp_ingress_begins(__u64 *ctx)
{
	return xdp_begins((struct xdp_buff *)ctx[0]);
}

SEC("fentry")
int xdp_forward_begins(__u64 *ctx)
{
	return xdp_begins((struct xdp_buff *)ctx[0]);
}

SEC("fentry")
int tc_ingress_begins(__u64 *ctx)
{
	return ingress_begins((struct sk_buff *)ctx[0]);
}

SEC("fentry")
int tc_egress_begins(__u64 *ctx)
{
	return egress_begins((struct sk_buff *)ctx[0]);
}

char LICENSE[] SEC("license") = "GPL";
