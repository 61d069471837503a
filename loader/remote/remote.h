/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * remote/: what to type at the other end of a peer's tunnel, in the languages
 * of several systems ("forms"). Everything is seen from there: "local" is the
 * peer's endpoint, "remote" is our outer address.
 */
#ifndef TUNLOAD_REMOTE_H
#define TUNLOAD_REMOTE_H

#include "host/host.h"

/* The words of the command line. */
struct far_words {
	const char *form;
	const char *our_address;  /* or NULL: the peer's local */
	const char *our_networks; /* or NULL: our source or address */
	const char *their_source; /* or NULL: unknown */
	const char *device;	  /* or NULL: FAR_DEVICE */
};

#define FAR_DEVICE "tunload"
/* The suffix "4" or "6" must fit behind the name. */
#define FAR_DEVICE_MAX (IFNAMSIZ - 2)

/* The other end. */
struct far_end {
	const struct conf *conf; /* of our interface */
	const struct peer *peer;
	const char *device;
	struct ip local, remote;
	char local_text[IP_STRLEN], remote_text[IP_STRLEN];
	struct prefix *ours; /* our inner networks, of the peer's families */
	size_t n_ours;
	struct ip source4, source6; /* its own inner address; family 0: unknown
				     */
	bool carries4, carries6;    /* the inner families */
};

/* A tunnel device there. */
struct far_tunnel {
	unsigned int number; /* from 1 */
	bool four, six;	     /* the inner families that it carries */
	char name[IFNAMSIZ];
};

/* How a system carries both inner families over one pair of addresses. */
enum far_both { FAR_NEVER, FAR_ONE_TUNNEL, FAR_TWO_TUNNELS };

/* How a system's configuration uses an inner address of its own. */
enum far_use { SOURCE_UNUSED, SOURCE_USED, SOURCE_NEEDED };

/* What a system can do over one outer family. */
struct far_ability {
	bool four, six; /* inner families */
	enum far_both both;
	enum far_use source;
};

/* A system's language. A new one is a word in FORMS, a file that defines
 * form_NAME, and a file of golden outputs in the tests. */
struct form {
	const char *name;
	const char *comment; /* begins a comment */
	const char *title;   /* of the system, for errors */
	struct far_ability over4, over6;
	/* Prints one tunnel device with its routes. */
	void (*tunnel)(const struct far_end *f, const struct far_tunnel *t);
	/* Prints what comes after all tunnels; or NULL. */
	void (*end)(const struct far_end *f);
};

#define FORMS(X)                                                               \
	X(yamaha_rtx)                                                          \
	X(linux_iproute2)                                                      \
	X(networkd)                                                            \
	X(networkmanager)                                                      \
	X(openwrt)                                                             \
	X(vyos)                                                                \
	X(cisco_ios)                                                           \
	X(mikrotik)                                                            \
	X(junos)                                                               \
	X(tunload)

#define DECLARE_FORM(name) extern const struct form form_##name;
FORMS(DECLARE_FORM)
#undef DECLARE_FORM

/* Prints what to type at the other end of p, a peer of the resolved c. */
int print_far_end(const struct conf *c, const struct peer *p,
		  const struct far_words *words);

/* For the files of forms. */

/* Loops over the networks behind us that this tunnel carries. */
#define for_each_far_route(r, f, t)                                            \
	for (const struct prefix *r = (f)->ours;                               \
	     r && r < (f)->ours + (f)->n_ours; r++)                            \
		if (r->ip.family == 4 ? (t)->four : (t)->six)

/* Its own inner address of that family; family 0: unknown. */
static inline const struct ip *far_source(const struct far_end *f,
					  uint8_t family)
{
	return family == 4 ? &f->source4 : &f->source6;
}

/* The MSS of TCP over the tunnel, for an inner family. */
static inline uint32_t far_mss(const struct far_end *f, uint8_t family)
{
	return f->peer->mtu - (family == 4 ? 40 : 60);
}

static inline bool far_copies_dscp(const struct far_end *f)
{
	return f->peer->dscp == TL_DSCP_COPY;
}

/* The TOS octet or traffic class of a fixed DSCP. */
static inline uint32_t far_tos(const struct far_end *f)
{
	return f->peer->dscp << 2;
}

/* Linux's word for a tunnel: ipip, sit, ipip6, ip6ip6, or any for both inner
 * families over IPv6. */
const char *far_linux_mode(const struct far_end *f, const struct far_tunnel *t);

/* Prints the nftables commands that clamp the MSS of forwarded TCP flows. */
void far_print_nft(const struct far_end *f);

#endif
