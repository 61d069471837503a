/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * conf/: the model, one interface with its peers, and the configuration as
 * text: keys, reading, checking, comparing, writing. A configuration file, the
 * words behind `peer add` and the running state in the maps all become a
 * struct conf, and everything else works on that. Nothing here asks the host.
 */
#ifndef TUNLOAD_CONF_H
#define TUNLOAD_CONF_H

#include <net/if.h>
#include <stdio.h>

#include "base/base.h"

#define IPV6_MTU_MIN 1280 /* RFC 8200 5 */
#define PEER_MTU_MIN 536
#define QUOTE_MAX    250 /* characters of the file that an error quotes */

/* In the order of the words of the key. */
enum guard { GUARD_YES, GUARD_NO, GUARD_DEFAULT };

/* Where a setting came from, for errors: "FILE:LINE" or an argument. */
struct origin {
	const char *file; /* NULL: the command line, or what runs already */
	unsigned int line;
};

/* fail_usage() behind "FILE:LINE: " where there is a file. */
int conf_error(const struct origin *from, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* The same with fail(): the host refuses what stands there. */
int conf_fail(const struct origin *from, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* What keys.h lists: indices, and fields of the model. */
#define KEY_ENUM(id, ...) KEY_##id,
enum interface_key { TL_INTERFACE_KEYS(KEY_ENUM) N_INTERFACE_KEYS };
enum peer_key { TL_PEER_KEYS(KEY_ENUM) N_PEER_KEYS };
#undef KEY_ENUM

#define KEY_FIELD(id, name, field, type, ...) KEY_FIELD_##type(field)
#define KEY_FIELD_NUMBER(field)		      uint32_t field;
#define KEY_FIELD_CHOICE(field)		      uint32_t field;
#define KEY_FIELD_ADDRESS(field)                                               \
	struct ip field; /* family 0: none, or not yet resolved */             \
	bool field##_fixed;
#define KEY_FIELD_OTHER(field)

struct peer {
	uint32_t id; /* in the maps; TL_PEER_NONE before it is there */
	char name[TL_NAME_LEN];
	struct origin origin;		 /* of the section */
	unsigned int lines[N_PEER_KEYS]; /* of the keys in it, 0: not there */
	char host[TL_HOST_LEN];		 /* endpoint as a DNS name, or "" */
	struct ip endpoint;		 /* family 0 until resolved */
	struct prefix *allowed;	     /* n_allowed of them, in the order given */
	unsigned int *allowed_lines; /* of each; NULL: from no file */
	size_t n_allowed;
	TL_PEER_KEYS(KEY_FIELD)
	uint32_t mtu; /* bytes, configured or resolved; 0 before that */
	/* What the data plane has learnt from ICMP: read only. */
	uint32_t learned_mtu;	   /* bytes of the inner packet; 0: nothing */
	uint64_t learned_until_ns; /* CLOCK_MONOTONIC */
	char waiting[TL_WAITING_LEN]; /* why it cannot work now; "": it can */
};

struct conf {
	char ifname[IFNAMSIZ];
	uint32_t ifindex;		      /* 0 until resolved */
	char file[4096];		      /* "" if from none */
	unsigned int lines[N_INTERFACE_KEYS]; /* 0: not in the file */
	TL_INTERFACE_KEYS(KEY_FIELD)
	struct ip source4, source6; /* family 0: none */
	/* Given as `address`: put on the host at attach, taken away at detach.
	 * Prefix length, or -1: the source is the host's own. */
	int address4_len, address6_len;
	uint32_t table; /* of the interface's routes: main, or its VRF's */
	bool exceptions_changed; /* by state_apply(), which sees to them */
	struct peer *peers;
	size_t n_peers;
};

/* Defaults, no peers. Never fails; ifname must fit IFNAMSIZ. */
void conf_init(struct conf *c, const char *ifname);
void conf_free(struct conf *c);
struct peer *conf_peer(const struct conf *c, const char *name);
/* The peers of a conf by name, for many look-ups; valid until the next
 * conf_add_peer() or conf_del_peer(). */
struct names {
	struct peer **sorted;
	size_t n;
};
int names_init(struct names *names, const struct conf *c);
void names_free(struct names *names);
/* NULL if there is none. */
struct peer *names_find(const struct names *names, const char *name);
/* Appends a peer with defaults; NULL only when out of memory. Pointers to other
 * peers become invalid. */
struct peer *conf_add_peer(struct conf *c, const char *name);
void conf_del_peer(struct conf *c, struct peer *p);
/* A second address to probe: the first host of the first allowed prefix, no
 * default route, whose family is not the probe's; family 0 if there is none.
 * Inner IPv4 and IPv6 are two protocols outside, 4 and 41, and a stateful
 * filter opens them apart.
 */
struct ip peer_other_probe(const struct peer *p);
/* Deep copy. */
int conf_copy(struct conf *to, const struct conf *from);

/* Where a key stands; of one that stands nowhere, no file for the interface's
 * and the line of the section for a peer's. */
struct origin interface_origin(const struct conf *c, enum interface_key key);
struct origin peer_origin(const struct peer *p, enum peer_key key);
/* Where that one of p->allowed stands. */
struct origin allowed_origin(const struct peer *p,
			     const struct prefix *allowed);

/* Reads FILE into a conf made by conf_init(). USAGE with the line on a bad one;
 * what needs the host (names, addresses) is left to resolve(). Section and key
 * syntax, ranges, unknown and repeated keys, repeated peers, NUL bytes, length
 * are all checked here. */
int conf_read(struct conf *c, const char *file);

/* Where configurations are, as IFACE.conf. */
#define CONF_DIR SYSCONFDIR "/tunload"

/*
 * Reads the configuration of ifname from file, or from the default place for
 * NULL; conf_init()s c, conf_check() is the caller's. *found: there is a file
 * at the default place (a file that was named must be there). The caller frees
 * c unless this fails.
 */
int conf_load(struct conf *c, const char *ifname, const char *file,
	      bool *found);

/* The rules between peers that need no host: endpoint inside its own allowed
 * prefixes (0.0.0.0/0 and ::/0 excepted), equal prefixes where routes are made,
 * equal (endpoint, local), missing endpoint. Endpoints that are names are left
 * to resolve(). */
int conf_check(const struct conf *c);

/* Prints c as a configuration file that conf_read() reads back the same. */
void conf_write(FILE *out, const struct conf *c);

/* Prints on standard output, for reload, in what the two differ. */
void print_changes(const struct conf *now, const struct conf *want);
/* file, as conf_load() has read it, says something else than what runs. */
bool conf_differs(const struct conf *file, const struct conf *now);

/* The keys of a configuration, as the file and the command line know them. */

enum key_type {
	KEY_IS_NUMBER,
	KEY_IS_CHOICE,
	KEY_IS_ADDRESS,
	KEY_IS_OTHER,
};

/* What a key that is no scalar does itself; the targets are struct conf or
 * struct peer. */
struct key;
struct key_ops {
	int (*set)(const struct key *k, void *target, const struct origin *from,
		   const char *value);
	void (*write)(FILE *out, const struct key *k, const void *target);
	bool (*same)(const void *a, const void *b);
};

#define KEY_WORDS 4

/* A row of keys.h, which says what the fields mean. */
struct key {
	const char *name;
	const char *help;
	const char *hint, *values;
	const char *word;
	const char *words[KEY_WORDS];
	const struct key_ops *ops;
	size_t offset; /* of its value in struct conf or struct peer */
	size_t fixed;  /* of an address's FIELD_fixed */
	uint32_t min, max, initial, meaning;
	enum key_type type;
	uint8_t family;
	bool of_peer;
	bool always, again;
};

#define KEY_ROW(in, peer, id, text, field, kind, map, helps, ...)              \
	[KEY_##id] = {.name = text,                                            \
		      .type = KEY_IS_##kind,                                   \
		      .of_peer = peer,                                         \
		      .help = helps,                                           \
		      KEY_PLACE_##kind(in, field) __VA_ARGS__},
#define KEY_PLACE_NUMBER(in, field) .offset = offsetof(struct in, field),
#define KEY_PLACE_CHOICE(in, field) .offset = offsetof(struct in, field),
#define KEY_PLACE_ADDRESS(in, field)                                           \
	.offset = offsetof(struct in, field),                                  \
	.fixed = offsetof(struct in, field##_fixed),
#define KEY_PLACE_OTHER(in, field)

/* Indexed by enum interface_key and enum peer_key; then one without a name. */
extern const struct key interface_keys[N_INTERFACE_KEYS + 1];
extern const struct key peer_keys[N_PEER_KEYS + 1];

/* The key of that name of [interface] or, with a peer, of its section. NULL
 * after a USAGE error that names the key that was probably meant. */
const struct key *key_find(const struct peer *p, const struct origin *from,
			   const char *name);
/* Sets a key from text, as in the file and as in `peer add`. Errors name the
 * origin and quote the value. */
int key_set(const struct key *k, void *target, const struct origin *from,
	    const char *value);
/* Where the value of a NUMBER or CHOICE is; NULL for other types. */
uint32_t *key_number(const struct key *k, void *target);
/* The value of an ADDRESS, resolved or not; NULL for other types. */
const struct ip *key_address(const struct key *k, const void *target);
/* A number that key_set() could have set. */
bool key_valid(const struct key *k, uint32_t n);

/* The texts of a scalar key. */
#define KEY_STRLEN 64
/* Its value, as the file has it. */
const char *key_str(const struct key *k, const void *target,
		    char buf[static KEY_STRLEN]);
/* Its default; "": there is none. */
const char *key_default(const struct key *k, char buf[static KEY_STRLEN]);
/* What it takes: "1-255", "no|yes", "A|auto". */
const char *key_values(const struct key *k, char buf[static KEY_STRLEN]);

/* All keys of a section. */

void keys_init(const struct key *keys, void *target);
/* The file says the same of both. */
bool keys_same(const struct key *keys, const void *a, const void *b);
void keys_write(FILE *out, const struct key *keys, const void *target);

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

/* Which peer an inner address belongs to: the longest allowed prefix wins. */

/* An allowed prefix and whose it is. */
struct owned {
	const struct prefix *prefix;
	const struct peer *peer;
};

/* The allowed prefixes of all peers: by address, then length; of equal ones
 * that of the later peer comes last. */
struct owners {
	struct owned *all;
	size_t n;
	bool lengths[2][129]; /* which there are, of IPv4 and of IPv6 */
};

/* The order of peers in the file; one that the command line is about is last.
 */
int owner_compare_peers(const struct peer *a, const struct peer *b);
/* The order of outer addresses; 0: what arrives for the two looks alike. */
int outer_compare(const struct peer *a, const struct peer *b);
/* Points into c. A status, its error printed; owners_free() also then. */
int owners_init(struct owners *o, const struct conf *c);
void owners_free(struct owners *o);
/* The longest prefix that holds the given one, or equals it, and whose it is;
 * NULL: none does. */
const struct owned *owner_around(const struct owners *o,
				 const struct prefix *prefix);
/* The longest prefix that holds ip, and whose it is; NULL: none does. Of
 * several owners the last one. */
const struct owned *owner_of(const struct owners *o, const struct ip *ip);
/* p is the owner of the longest prefix that holds ip, or one of them. */
bool owner_is(const struct owners *o, const struct ip *ip,
	      const struct peer *p);
/* The allowed prefix of p, no default route, that holds its endpoint; or
 * NULL. */
const struct prefix *endpoint_inside(const struct peer *p);

#endif
