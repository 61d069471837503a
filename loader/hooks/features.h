/* SPDX-License-Identifier: GPL-2.0-only */
/* Which helpers the running kernel allows to a tc program. */
#ifndef TUNLOAD_FEATURES_H
#define TUNLOAD_FEATURES_H

#include <stdbool.h>

/* bpf_probe_read_kernel(), which a kernel lockdown forbids. */
bool feature_probe_read(void);
/* bpf_skb_get_xfrm_state(), which a kernel without IPsec lacks. */
bool feature_xfrm(void);

#endif
