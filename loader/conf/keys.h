/* SPDX-License-Identifier: GPL-2.0-only */
/* The keys of a configuration, as the file and the command line know them. */
#ifndef TUNLOAD_CONF_SET_H
#define TUNLOAD_CONF_SET_H

#include "conf.h"

/* One key of a section and what takes its value: target is the struct conf or
 * the struct peer. `again` adds to a value given before (allowed-ips). */
struct key {
	const char *name;
	int (*set)(void *target, const struct origin *from, const char *value);
	bool again;
};

/* Indexed by enum interface_key and enum peer_key. */
extern const struct key interface_keys[N_INTERFACE_KEYS + 1];
extern const struct key peer_keys[N_PEER_KEYS + 1];

/* The key of that name; NULL after a USAGE error that names the section and the
 * key that was probably meant. */
const struct key *key_find(const struct key *keys, const struct origin *from,
			   const char *section, const char *name);

/* Checks a peer's name; the error says what a name is. */
int peer_name_check(const struct origin *from, const char *name);

/* Why ip can be nobody's tunnel endpoint, local or source address: a text that
 * reads behind the quoted address; NULL if it can. */
const char *address_fault(const struct ip *ip);

/* The peer's endpoint in quotes as it was given, behind a name what that came
 * to: "host.example" (192.0.2.1). */
#define ENDPOINT_STRLEN (TL_HOST_LEN + IP_STRLEN + 6)
const char *endpoint_str(const struct peer *p,
			 char buf[static ENDPOINT_STRLEN]);

/* Takes the next of the words of list, which commas and blanks separate: its
 * start, with the length in *n, and *list behind it. NULL at the end. */
const char *list_next(const char **list, size_t *n);

#endif
