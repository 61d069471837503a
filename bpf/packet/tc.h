/* SPDX-License-Identifier: GPL-2.0-only */
/* What the tc programs share: constants of the hook that vmlinux.h lacks. */
#ifndef TUNLOAD_TC_H
#define TUNLOAD_TC_H

#define TC_ACT_UNSPEC -1 /* TCX_NEXT: whoever is attached behind us */
#define TC_ACT_SHOT   2

#define ETHERTYPE_OFFSET     12
#define BPF_F_RECOMPUTE_CSUM 1
#define BPF_F_INGRESS	     1

#endif
