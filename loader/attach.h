/* SPDX-License-Identifier: GPL-2.0-only */
/* What attach, reload and detach share. */
#ifndef TUNLOAD_ATTACH_H
#define TUNLOAD_ATTACH_H

#include "programs.h"

/*
 * Reads the configuration of ifname from file, or from the default place for
 * NULL, and checks what needs no host; conf_init()s c. *found: there is a file
 * at the default place (a file that was named must be there). The caller frees
 * c unless this fails.
 */
int conf_load(struct conf *c, const char *ifname, const char *file,
	      bool *found);

/* Where asked is tc, notes in iface why: "asked for by <how>"; NULL: by the
 * same as before. */
void mode_reason_asked(struct tl_interface *iface, enum tl_mode asked,
		       const char *how);

/*
 * Changes what is attached, under traffic: the programs on the hooks to those
 * of g (NULL: leave the hooks alone) in the mode that want asks for, maps and
 * routes from now to want. how as above. On failure all is put back; for that
 * the pins must still be of the former programs.
 */
int change_attached(const struct programs *g, const struct pins *p,
		    const struct maps *m, const struct conf *now,
		    struct conf *want, const char *how);

/* Takes down whatever there is under p: routes, hooks, pins, in this order. The
 * lock stays. Works on half-finished states and when the interface is gone. */
int take_down(struct pins *p);

/* Prints what attach would do with c. */
int print_plan(const struct conf *c);

/* Prints on standard output, for reload, in what the two differ. */
void print_changes(const struct conf *now, const struct conf *want);

#endif
