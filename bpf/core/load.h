/* SPDX-License-Identifier: GPL-2.0-only */
/* Loads and stores at any alignment, as one instruction each: the BPF compiler
 * makes bytes of a memcpy() whose alignment it does not know. */
#ifndef TUNLOAD_LOAD_H
#define TUNLOAD_LOAD_H

#include "net.h"

#ifdef __bpf__
#define LOAD(type, at)	       (*(const type *)(at))
#define STORE(type, at, value) (*(type *)(at) = (value))
#else
#define LOAD(type, at)                                                         \
	({                                                                     \
		type value_;                                                   \
		__builtin_memcpy(&value_, at, sizeof(value_));                 \
		value_;                                                        \
	})
#define STORE(type, at, value)                                                 \
	({                                                                     \
		type value_ = value;                                           \
		__builtin_memcpy(at, &value_, sizeof(value_));                 \
	})
#endif

static __always_inline __u64 load64(const void *at)
{
	return LOAD(__u64, at);
}

static __always_inline __u32 load32(const void *at)
{
	return LOAD(__u32, at);
}

#endif
