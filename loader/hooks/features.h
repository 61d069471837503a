/* SPDX-License-Identifier: GPL-2.0-only */
/* What the running kernel lets a tc program do. */
#ifndef TUNLOAD_FEATURES_H
#define TUNLOAD_FEATURES_H

#include <stdbool.h>

/* bpf_probe_read_kernel(): a lockdown of the kernel's memory forbids it. */
bool feature_probe_read(void);
/* bpf_skb_get_xfrm_state(): a kernel without IPsec lacks it. */
bool feature_xfrm(void);

#endif
