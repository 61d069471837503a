/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the metadata service of Amazon EC2 says about an interface. It is asked
 * without a proxy and never through a tunnel, for a few seconds at most.
 */
#ifndef TUNLOAD_HOST_METADATA_H
#define TUNLOAD_HOST_METADATA_H

#include "host.h"

#define EC2_ID_LEN 32 /* of an identifier, with its NUL */

struct translation {
	struct ip inside, outside; /* private, public */
};

struct metadata {
	char interface_id[EC2_ID_LEN]; /* "eni-..." */
	char group_id[EC2_ID_LEN];     /* its first security group, or "" */
	struct ip *assigned;	       /* addresses, of both families */
	size_t n_assigned;
	struct prefix *delegated; /* likewise assigned, as a whole */
	size_t n_delegated;
	struct prefix *networks; /* IPv4, of the VPC */
	size_t n_networks;
	struct translation *translations;
	size_t n_translations;
};

/* False if the host is not on EC2, libcurl is missing, or the service does not
 * answer all questions about the interface; nothing is printed. The caller
 * frees out if it is true. */
bool metadata_read(const struct link_info *link, struct metadata *out);
void metadata_free(struct metadata *m);
/* The address by which the internet reaches an IPv4 address of the interface;
 * family 0 if there is none. */
struct ip metadata_outside(const struct metadata *m, const struct ip *local);
/* The same with metadata_read() before; family 0 also if that is false. */
struct ip public_address(const char *ifname, const struct ip *local);

#endif
