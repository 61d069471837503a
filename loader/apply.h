/* SPDX-License-Identifier: GPL-2.0-only */
/* Changes the running state under traffic. */
#ifndef TUNLOAD_APPLY_H
#define TUNLOAD_APPLY_H

#include "state.h"

/*
 * Makes maps and routes equal to want, which resolve() has passed and whose ids
 * are filled in; now is the running state as state_read() gave it. The caller
 * holds the lock (pins_open()). A prefix is never routed to the interface
 * without its peer: routes that go are removed first, routes that come are
 * added last. On failure the state is put back to now, as far as it goes.
 */
int apply(const struct maps *m, const struct conf *now, struct conf *want);

#endif
