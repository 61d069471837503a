/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * hooks/: the BPF object: loads it, pins it, puts its programs on their hooks
 * (XDP, TCX, clsact) and takes them off.
 */
#ifndef TUNLOAD_HOOKS_H
#define TUNLOAD_HOOKS_H

#include "maps/maps.h"

/* The BPF object: load it, pin it, put it on its hooks, take it off. */

/* The programs: one for each hook of the interface, one for the XDP hook of the
 * interfaces that `forward` names, and one that writes prefixes. */
enum program { PROG_FORWARD = HOOK_COUNT, PROG_WRITE_PREFIXES, PROG_COUNT };

/* The programs of one load, and the maps they use. */
struct programs {
	struct tunload_bpf *skel; /* NULL: opened by their pins */
	int fd[PROG_COUNT];	  /* by enum hook and enum program */
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
/* The path at which that program is pinned or staged. */
int programs_path(char path[static PATH_MAX], const char *ifname, int prog,
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
 * where asked and possible, else tc ingress, which is used beside XDP for peers
 * that need it (tc_too); tc egress always. Uses TCX links
 * if the kernel has them, else clsact filters with our own preference and
 * handle (TUNLOAD_HOOK=clsact in the environment chooses these for tests).
 * Updates our programs in place. Sets iface->mode, mode_asked, mode_reason (the
 * caller sets it for mode tc), TL_IF_F_TC_TOO and TL_IF_F_CLSACT_OURS and
 * writes iface to m. On failure the hooks are as before; this needs the former
 * programs still pinned.
 */
int hooks_attach(const struct programs *g, const char *ifname,
		 const struct maps *m, struct tl_interface *iface,
		 enum tl_mode asked, bool tc_too);
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

/* Interfaces that `forward` names (forward.c). */

/*
 * Puts the program on the XDP hooks of the interfaces that c names, if it
 * forwards and its own hook is native, and takes it off all others. One that
 * does not exist yet is passed over. A hook that refuses is an error if now
 * (NULL: nothing ran before) did not have that interface; links that are new
 * are then removed. Otherwise it is passed over, too, until the next call.
 */
int forward_attach(const struct programs *g, const struct conf *c,
		   enum tl_mode mode, const struct conf *now);
/* Takes it off all of them. */
int forward_detach(const char *ifname);
/* Sets missing for the existing ones of c.forward_from that lack the program,
 * in their order. True if there are any, or if it is on an interface where it
 * should not be. */
bool forward_missing(const struct conf *c, enum tl_mode mode,
		     bool missing[static TL_FORWARD_FROM]);
/* Why the program is not on the interface `from`, in words; "" if it is. */
void forward_fault(const char *ifname, const char *from,
		   char words[static TL_REASON_LEN]);

/* bpf_log.c. Stops libbpf from printing and clears the kept messages. With
 * TUNLOAD_DEBUG=1 in the environment libbpf still prints to standard error. */
void bpf_log_start(void);
/* The kernel's message since bpf_log_start() (extended ack, the end of a
 * verifier log), else libbpf's first warning, else "". */
const char *bpf_log_words(void);

/* The name of the driver of an interface, or "unknown". */
void driver_name(const char *ifname, char name[static 32]);

#endif
