// SPDX-License-Identifier: GPL-2.0-only
#include "conf.h"

#include <stdlib.h>
#include <string.h>

void conf_init(struct conf *c, const char *ifname)
{
	*c = (struct conf){
		.mode = TL_MODE_AUTO,
		.path_mtu = PATH_MTU_DEFAULT,
		.pmtu_expiry = PMTU_EXPIRY_DEFAULT,
		.routes = true,
	};
	strncpy(c->ifname, ifname, sizeof(c->ifname) - 1);
}

void conf_free(struct conf *c)
{
	for (size_t i = 0; i < c->n_peers; i++)
		free(c->peers[i].allowed);
	free(c->peers);
	c->peers = NULL;
	c->n_peers = 0;
}

struct peer *conf_peer(const struct conf *c, const char *name)
{
	for (size_t i = 0; i < c->n_peers; i++) {
		if (!strcmp(c->peers[i].name, name))
			return &c->peers[i];
	}
	return NULL;
}

struct peer *conf_add_peer(struct conf *c, const char *name)
{
	struct peer *peers, *p;

	peers = realloc(c->peers, (c->n_peers + 1) * sizeof(*peers));
	if (!peers)
		return NULL;
	c->peers = peers;
	p = &peers[c->n_peers++];
	*p = (struct peer){
		.id = TL_PEER_NONE,
		.keepalive = KEEPALIVE_DEFAULT,
		.ttl = TTL_DEFAULT,
		.dscp = TL_DSCP_COPY,
	};
	strncpy(p->name, name, sizeof(p->name) - 1);
	return p;
}

void conf_del_peer(struct conf *c, struct peer *p)
{
	struct peer *end = c->peers + c->n_peers--;

	free(p->allowed);
	memmove(p, p + 1, (char *)end - (char *)(p + 1));
}

static bool copy_peer(struct peer *to, const struct peer *from)
{
	size_t size = from->n_allowed * sizeof(*from->allowed);

	*to = *from;
	to->allowed = malloc(size ?: 1);
	if (to->allowed && size)
		memcpy(to->allowed, from->allowed, size);
	return to->allowed;
}

struct ip peer_other_probe(const struct peer *p)
{
	for (size_t i = 0; i < p->n_allowed; i++) {
		if (p->allowed[i].ip.family != p->probe.family)
			return prefix_first_host(&p->allowed[i]);
	}
	return (struct ip){0};
}

int conf_copy(struct conf *to, const struct conf *from)
{
	*to = *from;
	to->n_peers = 0;
	to->peers = calloc(from->n_peers ?: 1, sizeof(*to->peers));
	for (size_t i = 0; to->peers && i < from->n_peers; i++) {
		struct peer *p = &to->peers[i];

		if (!copy_peer(p, &from->peers[i]))
			break;
		/* The file's name belongs to the conf. */
		if (p->origin.file == from->file)
			p->origin.file = to->file;
		to->n_peers++;
	}
	if (to->peers && to->n_peers == from->n_peers)
		return OK;
	conf_free(to);
	return fail("out of memory");
}
