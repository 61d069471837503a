/* SPDX-License-Identifier: GPL-2.0-only */
/* The maps' layout with the user space's integer types. */
#ifndef TUNLOAD_BPF_LAYOUT_H
#define TUNLOAD_BPF_LAYOUT_H

#include <linux/types.h>

#include "../../bpf/layout.h"

#endif
