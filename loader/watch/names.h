/* SPDX-License-Identifier: GPL-2.0-only */
/* For watch/: names of endpoints, and how they are looked up. */
#ifndef TUNLOAD_WATCH_NAMES_H
#define TUNLOAD_WATCH_NAMES_H

#include <sys/stat.h>

#include "resolve/resolve.h"

/* Look-ups under way at once: many peers with names must not flood the name
 * server. */
#define DNS_AT_ONCE 8

struct dns;

/* A look-up under way: the addresses of host, of the family of `was` or, if
 * there are none, of the other one. */
struct question {
	struct dns *dns;
	char host[TL_HOST_LEN]; /* "": not in use */
	struct ip was;
	bool other; /* the other family is being asked for */
};

/* The result of a look-up. */
struct found {
	const char *why; /* there are no addresses; NULL: there are */
	bool cut_off;	 /* the look-up was given up, and is to be made again */
	struct ip *ips;	 /* in order of preference; the receiver frees them */
	size_t n;
	uint32_t ttl_s; /* 0: none */
};

/* c-ares with the name servers of resolv.conf. All zeros: not open. */
struct dns {
	struct ares_channeldata *channel;
	struct stat resolv_conf; /* when it was read */
	struct question questions[DNS_AT_ONCE];
	/* Is told the result of each question, maybe from inside dns_ask(). */
	void (*answered)(void *to, const struct question *q, struct found *f);
	void *to;
};

/* Loads the library; false if there is none. */
bool dns_load(void);
/* True if another question may be asked now. */
bool dns_has_room(const struct dns *d);
/* Asks; the caller has made sure of room. */
void dns_ask(struct dns *d, const char *host, const struct ip *was);
/* For a part of the loop. */
struct fds;
void dns_wait(const struct dns *d, struct fds *fds);
uint64_t dns_next(const struct dns *d, uint64_t now_ns);
void dns_work(struct dns *d);
/* Gives the questions up; their results are cut_off. */
void dns_close(struct dns *d);

/* A name that peers with the same endpoint have. */
struct followed {
	struct answer answer; /* no addresses: `was` is among those found */
	uint64_t next_ns;     /* when to look it up; NEVER: just being done */
	uint64_t asked_ns;    /* when this was last done */
	size_t n_silent;      /* peers with it that are silent */
	bool fails, said;     /* does not resolve; the log says so */
};

struct names_followed {
	struct followed *all; /* sorted by answer_compare() */
	size_t n;
	struct dns dns;
	bool told; /* that the library is missing */
};

#endif
