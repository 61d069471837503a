/* SPDX-License-Identifier: GPL-2.0-only */
/* Sends ICMP and ICMPv6 echo requests (RFC 792, RFC 4443 4) on one
 * interface. */
#ifndef TUNLOAD_ECHO_H
#define TUNLOAD_ECHO_H

#include "conf/conf.h"

struct echo {
	int fd4, fd6; /* -1: the host lacks that family */
	uint16_t id;  /* of this run, like the nonce */
	uint64_t nonce;
};

/* Opens raw sockets, bound to the interface of c and to its sources, if there
 * are any. FAILED if neither family is available. */
int echo_open(struct echo *e, const struct conf *c);
void echo_close(struct echo *e);

/* Sends a request that carries index and the time of sending. Returns 0, or -1
 * with errno. */
int echo_send(const struct echo *e, const struct ip *to, uint32_t index,
	      double now);
/* Writes a request of len bytes, which has no time of sending, with its
 * checksum, for a packet from one address to another. */
void echo_write(const struct echo *e, const struct ip *from,
		const struct ip *to, uint32_t index, void *out, size_t len);
/* A reply to one of our requests. */
struct echo_reply {
	uint8_t family;
	uint32_t index;
	double sent_at;
};
/* Takes the next reply; false if there is none now. */
bool echo_receive(const struct echo *e, struct echo_reply *out);
/* Waits until there is something to receive, or for the given time. */
void echo_wait(const struct echo *e, double seconds);

#endif
