/* SPDX-License-Identifier: GPL-2.0-only */
/* The BPF object: load it, pin it, put it on its hooks, take it off. */
#ifndef TUNLOAD_PROGRAMS_H
#define TUNLOAD_PROGRAMS_H

#include "pins.h"
#include "state.h"

/* The three programs of one load, and the maps they use. */
struct programs {
	struct tunload_bpf *skel;
	int xdp_ingress, tc_ingress, tc_egress;
	struct maps maps;
};

/* Loads the object. Maps already pinned under p are used again (an upgrade
 * keeps peers and counters), the others are new and get pinned. */
int programs_load(struct programs *g, const struct pins *p);
/* Pins the three programs in place of those that are there (rename, so that a
 * reader always finds one). */
int programs_pin(const struct programs *g, const struct pins *p);
void programs_close(struct programs *g);

/* What is on the hooks now. */
struct hooks {
	bool xdp, tc_ingress, tc_egress;
	bool tcx; /* tc by TCX links, else clsact */
};

/*
 * Puts the programs on their hooks (hooks.c): XDP in driver mode by a link
 * where asked and possible, else tc ingress; tc egress always. TCX links where
 * the kernel has them, else clsact filters of our own preference and handle
 * (TUNLOAD_HOOK=clsact in the environment chooses that for tests). What is
 * already there of ours is updated in place. Fills iface->mode, mode_reason and
 * TL_IF_F_CLSACT_OURS. On failure takes off what it had put on.
 */
int hooks_attach(const struct programs *g, const struct pins *p,
		 struct tl_interface *iface, enum tl_mode asked);
/* Takes ours off, and the clsact qdisc if it was ours and is empty. Works on
 * half-finished states and when the interface is gone. */
int hooks_detach(const struct pins *p, uint32_t ifindex, bool clsact_ours);
int hooks_query(const struct pins *p, uint32_t ifindex, struct hooks *out);

#endif
