/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * import/: a configuration made of the tunnel devices that a host has, or that
 * systemd-networkd is told to make. What has no counterpart becomes a comment.
 */
#ifndef TUNLOAD_IMPORT_H
#define TUNLOAD_IMPORT_H

#include "host/host.h"

#define TOS_COPY 1 /* of a device: its outer TOS is the inner one */

/* A tunnel device. */
struct found {
	char name[IFNAMSIZ];
	uint32_t ifindex;      /* 0: a file */
	char where[256];       /* the file that it is from, or "" */
	char under[IFNAMSIZ];  /* the interface that it runs on, or "" */
	const char *refused;   /* why it cannot be imported, or NULL */
	struct ip local;       /* family 0: any */
	struct ip remote;      /* family 0: none */
	uint32_t ttl;	       /* 0: inherited */
	uint32_t tos;	       /* TOS_COPY: inherited */
	uint32_t mtu;	       /* 0: automatic */
	bool limit;	       /* sends the encapsulation limit */
	struct prefix *behind; /* what is routed into it */
	size_t n_behind;
	struct ip *addresses; /* its own */
	size_t n_addresses;
	struct ip source4, source6; /* preferred source of its routes */
};

/* True if the device has that address. */
bool found_has_address(const struct found *f, const struct ip *ip);
void found_free(struct found *all, size_t n);

/* A configuration in the making. */
struct import {
	struct conf conf;
	bool strict; /* a device that is not imported is an error */
	FILE *notes; /* comments, each a line */
	char *notes_text;
	size_t notes_len;
};

int import_begin(struct import *im);
/* Adds a line of comment. */
void import_note(struct import *im, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* Adds a device: a peer, or a part of one if an earlier device has its outer
 * addresses. */
int import_add(struct import *im, const struct found *found);
/* Checks the configuration, and prints it behind the notes. */
int import_print(struct import *im);
void import_end(struct import *im);

/* Finds the ipip, sit and ip6tnl devices of this host, or only the one of that
 * name. */
int import_devices(struct import *im, const char *name);
/* Finds those of the .netdev and .network files in a directory. */
int import_networkd(struct import *im, const char *dir);

/* Fills in the device of a message about a link; returns false if it is no
 * tunnel. *kind is IFLA_INFO_KIND, which lies in the message. */
bool found_from_link(const struct nlmsghdr *nlh, struct found *found,
		     const char **kind);

/* A line of a file of sections, keys and values, as systemd writes them. */
struct ini_line {
	const char *file;
	unsigned int number;
	const char *section;
	const char *key, *value; /* NULL: the section begins */
};

/* Calls each() for every section and key, until it fails. */
int ini_read(const char *file,
	     int (*each)(const struct ini_line *line, void *data), void *data);

#endif
