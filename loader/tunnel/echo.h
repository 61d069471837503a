/* SPDX-License-Identifier: GPL-2.0-only */
/* ICMP and ICMPv6 echo (RFC 792, RFC 4443 4) on one interface. */
#ifndef TUNLOAD_ECHO_H
#define TUNLOAD_ECHO_H

#include "conf/conf.h"

struct echo {
	int fd4, fd6; /* -1: the host has not got that family */
	uint16_t id;  /* of this run, as is the nonce */
	uint64_t nonce;
};

/* Raw sockets bound to the interface and, where not of family 0, to the
 * sources. FAILED if neither family can be had. */
int echo_open(struct echo *e, const char *ifname, const struct ip *source4,
	      const struct ip *source6);
void echo_close(struct echo *e);

/* Sends a request that carries index and the time of sending. 0, or -1 with
 * errno. */
int echo_send(const struct echo *e, const struct ip *to, uint32_t index,
	      double now);
/* A reply to one of our requests. */
struct echo_reply {
	uint8_t family;
	uint32_t index;
	double sent_at;
};
/* The next one; false when there is none now. */
bool echo_receive(const struct echo *e, struct echo_reply *out);
/* Until there is something to receive, or for the time given. */
void echo_wait(const struct echo *e, double seconds);

#endif
