/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * hooks/: the BPF object: loads it, pins it, puts its programs on their hooks
 * (XDP, TCX, clsact) and takes them off.
 */
#ifndef TUNLOAD_HOOKS_H
#define TUNLOAD_HOOKS_H

#include "maps/maps.h"

/* The BPF object: load it, pin it, put it on its hooks, take it off. */

/* The three programs of one load, and the maps they use. */
struct programs {
	struct tunload_bpf *skel; /* NULL: opened by their pins */
	int fd[HOOK_COUNT];	  /* by enum hook */
	struct maps maps;
};

/* Loads the object. Maps already pinned under p are used again (an upgrade
 * keeps peers and counters), the others are new and get pinned. */
int programs_load(struct programs *g, const struct pins *p);
/* The kernel takes the object: loads it with maps of its own, and drops it. */
int programs_try(void);
/*
 * Pins the three programs beside those that are there, before they go on any
 * hook: whatever cuts us off, what is on a hook has a pin. What such a cut has
 * left on the hooks of ifindex is pinned in its place first.
 */
int programs_stage(const struct programs *g, const struct pins *p,
		   uint32_t ifindex);
/* The staged ones take the place of those that are there (rename, so that a
 * reader always finds one). */
int programs_commit(const struct pins *p);
/* The staged ones go. */
void programs_unstage(const struct pins *p);
/* Where the program of that hook is pinned, or staged. */
int programs_path(char path[static PATH_MAX], const struct pins *p, enum hook h,
		  bool staged);
/* The programs that are pinned, without their maps. */
int programs_open(struct programs *g, const struct pins *p);
void programs_close(struct programs *g);

/* What is on the hooks now. */
struct hooks {
	bool on[HOOK_COUNT]; /* by enum hook: a program of ours */
	bool tcx;	     /* tc by TCX links, else clsact */
};

/*
 * Puts the programs on their hooks (attach.c): XDP in driver mode by a link
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
 * half-finished states and when the interface is gone. FAILED: a filter of
 * tunload's is left that these pins do not know. */
int hooks_detach(const struct pins *p, uint32_t ifindex, bool clsact_ours);
void hooks_query(const struct pins *p, uint32_t ifindex, struct hooks *out);
/* Whether the kernel has TCX (link.c). */
bool hooks_have_tcx(uint32_t ifindex);
/* FAILED, with what to do, if programs of tunload are on the interface, which
 * is to have none: pinned under another bpffs or another name. Those on links
 * can be told from others only with CAP_SYS_ADMIN. */
int hooks_must_be_free(const char *ifname, uint32_t ifindex);

/* The name of the driver of an interface, or "unknown". */
void driver_name(const char *ifname, char name[static 32]);

#endif
