/* SPDX-License-Identifier: GPL-2.0-only */
/* Brings what runs in line with a configuration and with the host as it is:
 * hooks, maps, routes. */
#ifndef TUNLOAD_ALIGN_H
#define TUNLOAD_ALIGN_H

#include "hooks/programs.h"

/* What somebody else had undone, and is there again. */
struct mended {
	bool hooks[HOOK_COUNT]; /* by enum hook */
	size_t routes; /* changes to routes, rules, neighbours, addresses */
};

/*
 * Changes what is attached, under traffic: the programs on the hooks to those
 * of g in the mode that want asks for (g NULL: those that run, where one is
 * missing from its hook), maps and routes from now to want. how: see
 * mode_reason_asked(). The caller holds the lock. On failure all is put back;
 * for that the pins must still be of the former programs.
 */
int align(const struct programs *g, const struct pins *p, const struct maps *m,
	  const struct conf *now, struct conf *want, const char *how,
	  struct mended *mended);

/* Resolves what runs once more and aligns it, with the lock, if that changes
 * anything at all. *said is malloc()ed: what was changed, on one line, or "".
 */
int align_due(const char *ifname, char **said);

/* The hooks that should hold a program of ours and do not; whether there are
 * any. */
bool hooks_missing(const char *ifname, const struct tl_interface *iface,
		   bool missing[static HOOK_COUNT]);

/* "; "-separated: what was mended, and how the peers of want differ from those
 * of now because the host does. Nothing if nothing. */
void mended_write(FILE *out, const struct mended *m, const struct conf *now,
		  const struct conf *want);
/* On standard output, "IFACE: mended: ...", if anything was. */
void mended_print(const struct mended *m, const struct conf *now,
		  const struct conf *want);

/* Where asked is tc, notes in iface why: "asked for by <how>"; NULL: by the
 * same as before. */
void mode_reason_asked(struct tl_interface *iface, enum tl_mode asked,
		       const char *how);

#endif
