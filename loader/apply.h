/* SPDX-License-Identifier: GPL-2.0-only */
/* Changes the running state under traffic. */
#ifndef TUNLOAD_APPLY_H
#define TUNLOAD_APPLY_H

#include "state.h"

/*
 * Makes maps and routes equal to want, which resolve() has passed; now is the
 * running state as state_read() gave it. The caller holds the lock
 * (pins_open()). A prefix is never routed to the interface without its peer:
 * routes that go are removed first, routes that come are added last. A peer
 * whose route is somebody else's waits. On failure the state is put back to
 * now, as far as it goes. have: of routes_read().
 */
int apply(const struct maps *m, const struct conf *now, struct conf *want,
	  struct footprint *have);

/*
 * The same for one peer, which was and want have before and after, as
 * state_apply_peer() wants it; now is the whole running state. *done: false,
 * and nothing was changed, if its routes are not as they should be.
 */
int apply_peer(const struct maps *m, const struct conf *now, struct conf *was,
	       struct conf *want, bool *done);

/* What the data plane must know of the host beside c; free it also on
 * failure. */
int host_facts_read(const struct conf *c, const struct footprint *have,
		    struct host_facts *out);
void host_facts_free(struct host_facts *facts);

#endif
