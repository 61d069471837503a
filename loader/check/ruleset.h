/* SPDX-License-Identifier: GPL-2.0-only */
/* nftables rules, and what they do to a packet; for the files of check/. */
#ifndef TUNLOAD_CHECK_RULESET_H
#define TUNLOAD_CHECK_RULESET_H

#include <jansson.h>

#include "base/base.h"

/* An ICMP echo of the given family. Interfaces that are NULL, and addresses of
 * family 0, may be any. */
struct packet {
	uint8_t family;
	const char *iif, *oif;
	struct prefix src, dst;
	bool answer; /* a reply of an established connection, else a request */
};

/* What a chain does with a packet. */
enum fate {
	FATE_UNSURE, /* it is accepted, or may be */
	FATE_ASKS,   /* dropped, unless a conntrack match that cannot be read
			accepts it */
	FATE_DROPPED,
};

/* Reads all rules of nftables, those of iptables-nft too, as JSON: a list.
 * *out is NULL if this kernel has none. */
int ruleset_read(json_t **out);
/* chain is the description of a base chain in rules. */
enum fate chain_fate(const json_t *rules, const json_t *chain,
		     const struct packet *packet);

/* netfilter.c. A base chain of nftables on a hook of a device. */
struct nf_chain {
	bool netdev; /* the family; else inet */
	char table[256], name[256];
};
/* Lists those of an interface; none if this process may not. *out is
 * malloc()ed. */
int nf_chains_on(const char *ifname, struct nf_chain **out, size_t *n);

#endif
