// SPDX-License-Identifier: GPL-2.0-only
/* Writes a configuration as a file. */
#include "conf.h"

void conf_write(FILE *out, const struct conf *c)
{
	fprintf(out, "[interface]\n");
	keys_write(out, interface_keys, c);
	for (size_t i = 0; i < c->n_peers; i++) {
		const struct peer *p = &c->peers[i];

		fprintf(out, "\n[peer %s]\n", p->name);
		if (*p->waiting)
			fprintf(out, "# waits: %s\n", p->waiting);
		keys_write(out, peer_keys, p);
	}
}
