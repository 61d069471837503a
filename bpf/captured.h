/* SPDX-License-Identifier: GPL-2.0-only */
/* What the programs of capture.bpf.c send to `tunload capture`: a record when a
 * packet enters a program, and one when it has left it. */
#ifndef TUNLOAD_CAPTURED_H
#define TUNLOAD_CAPTURED_H

#ifdef __bpf__
#include "vmlinux.h"
#else
#include <linux/types.h>
#endif
#include "verdicts.h"

/* Bytes of a frame in a record, whose length with all headers is 16 bits. */
#define TL_CAPTURED_MOST 65400

/* Not a verdict: nothing told it, and it follows from the rest. */
#define TL_UNTOLD TL_VERDICT_COUNT

enum tl_traced { TL_TRACED_XDP, TL_TRACED_INGRESS, TL_TRACED_EGRESS };

enum tl_captured_kind {
	TL_CAPTURED_BEGIN, /* the frame as it entered, its verdict unknown */
	TL_CAPTURED_END,   /* the verdict, and maybe a frame */
};

/* The frame behind this header, if any, is the one that left the program; else
 * it is the one that entered it. */
#define TL_CAPTURED_F_AFTER 0x01
/* tc_egress saw it for the second time, with its link layer header. */
#define TL_CAPTURED_F_SECOND 0x02
/* The program gave the frame another destination MAC. */
#define TL_CAPTURED_F_NEW_MAC 0x04
/* tc_egress sends itself copies of the packet, to cut them to fragments. */
#define TL_CAPTURED_F_FRAGMENTS 0x08

struct tl_captured {
	__u64 time_ns;	   /* CLOCK_MONOTONIC */
	__u64 began_ns;	   /* the same in both records of a packet */
	__u32 kind;	   /* enum tl_captured_kind */
	__u32 traced;	   /* enum tl_traced */
	__u32 verdict;	   /* enum tl_verdict, or TL_UNTOLD */
	__u32 peer;	   /* id, or TL_PEER_NONE: unknown */
	__s32 action;	   /* what the program returned */
	__u32 flags;	   /* TL_CAPTURED_F_* */
	__u32 entered;	   /* bytes of the frame that entered */
	__u32 left;	   /* bytes of the frame that left */
	__u32 caught;	   /* bytes of a frame behind this header */
	__u16 vlan_tci;	   /* of a tag that is not in the frame */
	__be16 vlan_proto; /* its EtherType; 0: none */
};

/* What an interface of the file is for. */
enum tl_side { TL_OUTER, TL_INNER, TL_SIDES };

#endif
