/* SPDX-License-Identifier: GPL-2.0-only */
/* The BPF object: load it, pin it, put it on its hooks, take it off. */
#ifndef TUNLOAD_PROGRAMS_H
#define TUNLOAD_PROGRAMS_H

#include "pins.h"
#include "state.h"

enum hook { HOOK_XDP, HOOK_TC_INGRESS, HOOK_TC_EGRESS, HOOK_COUNT };

/* The three programs of one load, and the maps they use. */
struct programs {
	struct tunload_bpf *skel; /* NULL: opened by their pins */
	int fd[HOOK_COUNT];	  /* by enum hook */
	struct maps maps;
};

/* Loads the object. Maps already pinned under p are used again (an upgrade
 * keeps peers and counters), the others are new and get pinned. */
int programs_load(struct programs *g, const struct pins *p);
/* Pins the three programs in place of those that are there (rename, so that a
 * reader always finds one). */
int programs_pin(const struct programs *g, const struct pins *p);
/* The programs that are pinned, without their maps. */
int programs_open(struct programs *g, const struct pins *p);
void programs_close(struct programs *g);

/* What is on the hooks now. */
struct hooks {
	bool on[HOOK_COUNT]; /* by enum hook: a program of ours */
	bool tcx;	     /* tc by TCX links, else clsact */
};

/*
 * Puts the programs on their hooks (hooks.c): XDP in driver mode by a link
 * where asked and possible, else tc ingress; tc egress always. TCX links where
 * the kernel has them, else clsact filters of our own preference and handle
 * (TUNLOAD_HOOK=clsact in the environment chooses that for tests). What is
 * already there of ours is updated in place. Fills iface->mode, mode_asked,
 * mode_reason (where tc was asked for, the caller has) and TL_IF_F_CLSACT_OURS
 * and writes it to m. On failure the hooks are as they were; for that the
 * programs pinned under p must still be the former ones.
 */
int hooks_attach(const struct programs *g, const struct pins *p,
		 const struct maps *m, struct tl_interface *iface,
		 enum tl_mode asked);
/* Takes ours off, and the clsact qdisc if it was ours and is empty. Works on
 * half-finished states and when the interface is gone. */
void hooks_detach(const struct pins *p, uint32_t ifindex, bool clsact_ours);
void hooks_query(const struct pins *p, uint32_t ifindex, struct hooks *out);

#endif
