/* SPDX-License-Identifier: GPL-2.0-only */
/* Constants of the tc hooks that vmlinux.h lacks. */
#ifndef TUNLOAD_TC_H
#define TUNLOAD_TC_H

#define TC_ACT_UNSPEC	-1 /* TCX_NEXT: go on with the next program */
#define TC_ACT_SHOT	2
#define TC_ACT_REDIRECT 7

#define ETHERTYPE_OFFSET     12
#define BPF_F_RECOMPUTE_CSUM 1
#define BPF_F_INGRESS	     1

#endif
