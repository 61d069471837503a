/* SPDX-License-Identifier: GPL-2.0-only */
/* rtnetlink requests and their answers; the plumbing under netlink.h. */
#ifndef TUNLOAD_NL_H
#define TUNLOAD_NL_H

#include <libmnl/libmnl.h>

#include "base/text.h"

/* Room for every request that is made here. */
union nl_request {
	struct nlmsghdr nlh;
	char room[512];
};

/* Starts a request; returns its zeroed family header (struct rtmsg, ...) of
 * header_len bytes. */
void *nl_begin(union nl_request *r, uint16_t type, uint16_t flags,
	       size_t header_len);
/* Appends the address itself, without its family. */
void nl_put_ip(union nl_request *r, uint16_t type, const struct ip *ip);

/*
 * Sends the request and hands each message of the answer to each() until the
 * end of it. OK, or FAILED with errno and nl_error(), nothing printed. EINTR: a
 * dump changed under the reader; begin again.
 */
int nl_talk(union nl_request *r, mnl_cb_t each, void *data);
/*
 * Sends n requests, many of them in one message to the kernel, in order.
 * build() makes request i with nl_begin(); failed() hears of each that the
 * kernel refused, with errno and nl_error(), and returns OK to go on. Later
 * requests of the same message are made all the same. FAILED, printed, if the
 * kernel cannot be talked to; else what failed() said.
 */
struct nl_batch {
	void (*build)(union nl_request *r, size_t i, void *data);
	int (*failed)(size_t i, void *data);
	void *data;
};

int nl_batch_run(const struct nl_batch *b, size_t n);

/* What the kernel said about the last failure: its own words if it has any. */
const char *nl_error(void);

/* Removing found nothing to remove: done by hand, or gone with its interface or
 * its family. */
bool nl_absent(int err);

/* How often a dump that changed under the reader is begun again. */
#define NL_DUMP_TRIES 8

/* tb[type] = attribute, NULL where there is none; header_len as above. */
void nl_attrs(const struct nlmsghdr *nlh, size_t header_len,
	      const struct nlattr **tb, uint16_t max);
/* The address in an attribute of that family (4 or 6); family 0 if it is
 * absent or too short. */
struct ip nl_ip(const struct nlattr *a, uint8_t family);
/* 0 if absent. */
uint32_t nl_u32(const struct nlattr *a);

/* 4 <-> AF_INET, 6 <-> AF_INET6; anything else is 0. */
uint8_t nl_family(int af);
int nl_af(uint8_t family);

/* Makes room for one more element of size bytes behind the n of *array;
 * capacity doubles, so it needs no counter of its own. */
bool nl_grow(void **array, size_t n, size_t size);

#endif
