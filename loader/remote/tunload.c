// SPDX-License-Identifier: GPL-2.0-only
/* The other end with tunload: its configuration file. */
#include "remote.h"

#include <stdio.h>

/* Where the other end has an address inside, so has this one, and each is the
 * other's gateway. */
static void mirror_gateways(const struct far_end *f, struct conf *c,
			    struct peer *there)
{
	there->gateway4 = there->gateway6 = (struct ip){0};
	if (f->peer->gateway4.family) {
		there->gateway4 = f->conf->source4;
		c->address4_len = 32;
	}
	if (f->peer->gateway6.family) {
		there->gateway6 = f->conf->source6;
		c->address6_len =
			f->conf->address6_len > 0 ? f->conf->address6_len : 128;
	}
}

/* The mirror of our interface and peer. The peer there has the device as its
 * name. */
static void print_tunload(const struct far_end *f, const struct far_tunnel *t)
{
	struct peer there = *f->peer;
	struct conf c;

	(void)t;
	conf_init(&c, f->device);
	c.path_mtu = f->conf->path_mtu;
	c.source4 = f->source4;
	c.source6 = f->source6;
	snprintf(there.name, sizeof(there.name), "%s", f->device);
	there.host[0] = there.waiting[0] = '\0';
	there.endpoint = f->remote;
	there.local = f->local;
	there.local_fixed = true;
	there.allowed = f->ours;
	there.n_allowed = f->n_ours;
	mirror_gateways(f, &c, &there);
	there.probe_fixed = false;
	there.probe =
		f->conf->source4.family ? f->conf->source4 : f->conf->source6;
	c.peers = &there;
	c.n_peers = 1;
	conf_write(stdout, &c);
}

const struct form form_tunload = {
	.name = "tunload",
	.comment = "#",
	.title = "tunload",
	.over4 = {true, true, FAR_ONE_TUNNEL, SOURCE_USED},
	.over6 = {true, true, FAR_ONE_TUNNEL, SOURCE_USED},
	.tunnel = print_tunload,
};
