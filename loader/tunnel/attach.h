/* SPDX-License-Identifier: GPL-2.0-only */
/* What attach, reload and detach share. */
#ifndef TUNLOAD_ATTACH_H
#define TUNLOAD_ATTACH_H

#include "align.h"

/*
 * Reads the configuration of ifname from file, or from the default place for
 * NULL; conf_init()s c, conf_check() is the caller's. *found: there is a file
 * at the default place (a file that was named must be there). The caller frees
 * c unless this fails.
 */
int conf_load(struct conf *c, const char *ifname, const char *file,
	      bool *found);

/* Takes down whatever there is under p: routes, hooks, pins, in this order. The
 * lock stays. Works on half-finished states and when the interface is gone. */
int take_down(struct pins *p);

/* Prints what attach or reload would do with c; gives new peers ids. */
int print_plan(struct conf *c);

#endif
