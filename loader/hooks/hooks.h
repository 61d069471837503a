/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * hooks/: the BPF object: loads it, pins it, puts its programs on their hooks
 * (XDP, TCX, clsact) and takes them off.
 */
#ifndef TUNLOAD_HOOKS_H
#define TUNLOAD_HOOKS_H

#include "maps/maps.h"

/* The BPF object: load it, pin it, put it on its hooks, take it off. */

/* The program behind those of the hooks: it writes prefixes. */
enum { PROG_WRITE_PREFIXES = HOOK_COUNT, PROG_COUNT };

/* The programs of one load, and the maps they use. */
struct programs {
	struct tunload_bpf *skel; /* NULL: opened by their pins */
	int fd[PROG_COUNT];	  /* by enum hook, then the other */
	struct maps maps;
};

/* Loads the object. Reuses the pinned maps of ifname (an upgrade keeps peers
 * and counters), and makes and pins the others, with room for the prefixes of
 * want. want->forward and want->cpus are compiled in. */
int programs_load(struct programs *g, const char *ifname,
		  const struct conf *want);
/* Loads the object with maps of its own and drops it, to see whether the kernel
 * accepts it. */
int programs_try(const struct conf *want);
/*
 * Pins the new programs beside the pinned ones before they go on any
 * hook: a program on a hook has a pin even if the command is killed. First
 * commits staged programs that a killed command has left on the hooks of
 * ifindex.
 */
int programs_stage(const struct programs *g, const char *ifname,
		   uint32_t ifindex);
/* Replaces the pinned programs by the staged ones (by rename(), so that a
 * reader always finds one). */
int programs_commit(const char *ifname);
/* Removes the pins of the staged programs. */
void programs_unstage(const char *ifname);
/* The path at which the program of that index in `fd` is pinned or staged. */
int programs_path(char path[static PATH_MAX], const char *ifname, int h,
		  bool staged);
/* Opens the pinned programs, without their maps. */
int programs_open(struct programs *g, const char *ifname);
void programs_close(struct programs *g);

/* What is on the hooks now. */
struct hooks {
	bool on[HOOK_COUNT]; /* by enum hook: a program of ours */
	bool tcx;	     /* tc by TCX links, else clsact */
};

/*
 * Puts the programs on their hooks (attach.c): XDP in driver mode by a link
 * where asked and possible, else tc ingress; tc egress always. Uses TCX links
 * if the kernel has them, else clsact filters with our own preference and
 * handle (TUNLOAD_HOOK=clsact in the environment chooses these for tests).
 * Updates our programs in place. Sets iface->mode, mode_asked, mode_reason (the
 * caller sets it for mode tc) and TL_IF_F_CLSACT_OURS and writes iface to m. On
 * failure the hooks are as before; this needs the former programs still pinned.
 */
int hooks_attach(const struct programs *g, const char *ifname,
		 const struct maps *m, struct tl_interface *iface,
		 enum tl_mode asked);
/* Takes our programs off, and removes the clsact qdisc if it is ours and empty.
 * Works on half-finished states and if the interface is gone. FAILED if a
 * filter of tunload remains that does not belong to these pins. */
int hooks_detach(const char *ifname, uint32_t ifindex, bool clsact_ours);
void hooks_query(const char *ifname, uint32_t ifindex, struct hooks *out);
/* Whether the kernel has TCX. */
bool hooks_have_tcx(uint32_t ifindex);
/* FAILED, with advice, if programs of tunload that are pinned in another bpffs
 * or under another name are on the interface. Recognizing those on links takes
 * CAP_SYS_ADMIN. */
int hooks_must_be_free(const char *ifname, uint32_t ifindex);

/* The name of the driver of an interface, or "unknown". */
void driver_name(const char *ifname, char name[static 32]);

#endif
