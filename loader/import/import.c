// SPDX-License-Identifier: GPL-2.0-only
/* Makes peers of tunnel devices. */
#include "import.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

bool found_has_address(const struct found *f, const struct ip *ip)
{
	for (size_t i = 0; i < f->n_addresses; i++)
		if (ip_equal(&f->addresses[i], ip))
			return true;
	return false;
}

void found_free(struct found *all, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		free(all[i].behind);
		free(all[i].addresses);
	}
	free(all);
}

int import_begin(struct import *im)
{
	*im = (struct import){0};
	conf_init(&im->conf, "");
	im->notes = open_memstream(&im->notes_text, &im->notes_len);
	return im->notes ? OK : fail("out of memory");
}

void import_note(struct import *im, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	fprintf(im->notes, "# ");
	vfprintf(im->notes, fmt, args);
	fputc('\n', im->notes);
	va_end(args);
}

/* "FILE: NAME", or the name of a device of this host. */
static const char *found_str(const struct found *f, char buf[static 300])
{
	snprintf(buf, 300, "%s%s%s", f->where, *f->where ? ": " : "", f->name);
	return buf;
}

#define NOTE(im, f, fmt, ...)                                                  \
	do {                                                                   \
		char who[300];                                                 \
		import_note(im, "%s: " fmt, found_str(f, who), ##__VA_ARGS__); \
	} while (0)

/* All peers of a file are on one interface. */
static bool takes_interface(struct import *im, const struct found *f)
{
	if (!*f->under)
		return true;
	if (!*im->conf.ifname)
		strcpy(im->conf.ifname, f->under);
	if (!strcmp(im->conf.ifname, f->under))
		return true;
	NOTE(im, f, "not imported: it is on %s, not on %s", f->under,
	     im->conf.ifname);
	return false;
}

static struct peer *same_outer(const struct conf *c, const struct found *f)
{
	for_each_peer (p, c)
		if (ip_equal(&p->endpoint, &f->remote) &&
		    ip_equal(&p->local, &f->local))
			return p;
	return NULL;
}

static const struct peer *who_has(const struct conf *c,
				  const struct prefix *prefix)
{
	for_each_peer (p, c)
		for_each_allowed (a, p)
			if (prefix_equal(a, prefix))
				return p;
	return NULL;
}

/* Adds what is routed into the device to the allowed prefixes. */
static int add_behind(struct import *im, const struct found *f, struct peer *p)
{
	char text[PREFIX_STRLEN];
	int ret = OK;

	for (size_t i = 0; !ret && i < f->n_behind; i++) {
		const struct prefix *prefix = &f->behind[i];
		const struct peer *owner = who_has(&im->conf, prefix);

		if (!owner)
			ret = push(p->allowed, p->n_allowed, prefix);
		else if (owner != p)
			NOTE(im, f, "%s not imported: it is behind %s",
			     prefix_str(prefix, text), owner->name);
	}
	return ret;
}

/* A device's MTU is taken over if it is another than tunload would choose, but
 * not if it is larger than path-mtu allows. */
static void set_mtu(struct import *im, const struct found *f, struct peer *p)
{
	uint32_t most = im->conf.path_mtu - (f->remote.family == 4 ? 20 : 40);
	uint32_t mtu = f->mtu ? f->mtu + (f->limit ? 8 : 0) : most;

	if (mtu > most)
		NOTE(im, f,
		     "mtu %u is more than path-mtu %u can carry: write both if the path does",
		     mtu, im->conf.path_mtu);
	else if (mtu != most && mtu >= PEER_MTU_MIN)
		p->mtu_fixed = mtu;
	if (f->limit)
		NOTE(im, f,
		     "it sends the encapsulation limit option, which tunload never does");
}

static void set_header(struct import *im, const struct found *f, struct peer *p)
{
	if (f->ttl)
		p->ttl = f->ttl;
	else
		NOTE(im, f, "it inherits the inner TTL; tunload sends ttl = %u",
		     p->ttl);
	if (f->tos != TOS_COPY)
		p->dscp = f->tos >> 2;
	set_mtu(im, f, p);
}

/* The name of a peer that is made of a device. */
static void peer_name(const struct found *f, char name[static IFNAMSIZ])
{
	strcpy(name, f->name);
	for (char *s = name; *s; s++) {
		char one[2] = {*s};

		if (!name_valid(one))
			*s = '_';
	}
}

static int add_peer(struct import *im, const struct found *f)
{
	char name[IFNAMSIZ];
	struct peer *p;

	peer_name(f, name);
	p = conf_add_peer(&im->conf, name);
	if (!p)
		return fail("out of memory");
	p->endpoint = f->remote;
	p->local = f->local;
	p->local_fixed = f->local.family;
	set_header(im, f, p);
	return add_behind(im, f, p);
}

/* Adds a device to the peer that an earlier one has become. */
static int join_peer(struct import *im, const struct found *f, struct peer *p)
{
	uint32_t dscp = f->tos == TOS_COPY ? TL_DSCP_COPY : f->tos >> 2;

	if ((f->ttl && f->ttl != p->ttl) || dscp != p->dscp)
		NOTE(im, f,
		     "its TTL or TOS is another than that of %s, which is taken",
		     p->name);
	return add_behind(im, f, p);
}

/* A peer needs networks of its own. */
static bool drop_empty(struct import *im, const struct found *f)
{
	struct peer *last = &im->conf.peers[im->conf.n_peers - 1];

	if (last->n_allowed)
		return false;
	NOTE(im, f, "not imported: no other networks are routed into it");
	conf_del_peer(&im->conf, last);
	return true;
}

/* Takes an inner address over: one of the device's own, which goes away with
 * it, as `address`, else as `source`. */
static void set_inner_source(struct import *im, const struct found *f,
			     const struct ip *ip, bool own)
{
	struct conf *c = &im->conf;
	struct ip *source = ip->family == 4 ? &c->source4 : &c->source6;
	int *len = ip->family == 4 ? &c->address4_len : &c->address6_len;
	char text[IP_STRLEN];

	if (source->family && !ip_equal(source, ip))
		NOTE(im, f,
		     "%s not imported: there is one inner address of a family",
		     ip_str(ip, text));
	if (source->family)
		return;
	*source = *ip;
	*len = own ? (ip->family == 4 ? 32 : 128) : -1;
}

static void add_sources(struct import *im, const struct found *f)
{
	const struct ip *const preferred[] = {&f->source4, &f->source6};

	for (size_t i = 0; i < 2; i++)
		if (preferred[i]->family)
			set_inner_source(im, f, preferred[i],
					 found_has_address(f, preferred[i]));
	for (size_t i = 0; i < f->n_addresses; i++)
		set_inner_source(im, f, &f->addresses[i], true);
}

/* Returns why the device becomes no peer, or NULL. */
static const char *why_not(const struct found *f)
{
	if (f->refused)
		return f->refused;
	if (!f->remote.family)
		return "it has no remote address";
	if (f->local.family && f->local.family != f->remote.family)
		return "its local and remote addresses are not of one family";
	if (!f->n_behind)
		return "no networks are routed into it";
	return NULL;
}

int import_add(struct import *im, const struct found *f)
{
	const char *why = why_not(f);
	struct peer *p;
	int ret;

	if (why && im->strict)
		return fail("%s cannot be imported: %s", f->name, why);
	if (why) {
		NOTE(im, f, "not imported: %s", why);
		return OK;
	}
	if (!takes_interface(im, f))
		return OK;
	p = same_outer(&im->conf, f);
	ret = p ? join_peer(im, f, p) : add_peer(im, f);
	if (!ret && !drop_empty(im, f))
		add_sources(im, f);
	return ret;
}

int import_print(struct import *im)
{
	struct conf *c = &im->conf;
	int ret;

	fflush(im->notes);
	if (!c->n_peers) {
		fwrite(im->notes_text, 1, im->notes_len, stdout);
		return fail("no tunnel to import: see `tunload help import`");
	}
	ret = conf_check(c);
	if (ret)
		return ret;
	printf("# For %s/%s.conf\n", CONF_DIR,
	       *c->ifname ? c->ifname : "IFACE");
	fwrite(im->notes_text, 1, im->notes_len, stdout);
	conf_write(stdout, c);
	return OK;
}

void import_end(struct import *im)
{
	if (im->notes)
		fclose(im->notes);
	free(im->notes_text);
	conf_free(&im->conf);
}
