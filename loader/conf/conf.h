/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * conf/: the model, one interface with its peers, and the configuration as
 * text: keys, reading, checking, comparing, writing. A configuration file, the
 * words after `peer add` and the running state in the maps all become a struct
 * conf, and everything else works on that. Nothing here asks the host.
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
	const char *file; /* NULL: the command line, or the running state */
	unsigned int line;
};

/* report_line() with "FILE:LINE: " in front, if there is a file. */
int conf_report(enum status status, struct origin from, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
#define conf_error(...) conf_report(USAGE, __VA_ARGS__)
/* For a setting that the host refuses. */
#define conf_fail(...) conf_report(FAILED, __VA_ARGS__)

/* The rows of keys.h as indices, and as fields of the model. */
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
	uint32_t id; /* in the maps; TL_PEER_NONE: not there yet */
	char name[TL_NAME_LEN];
	struct origin origin;		 /* of the section */
	unsigned int lines[N_PEER_KEYS]; /* of its keys, 0: not in the file */
	char host[TL_HOST_LEN];		 /* endpoint as a DNS name, or "" */
	struct ip endpoint;		 /* family 0 until resolved */
	struct prefix *allowed;	     /* n_allowed of them, in the order given */
	unsigned int *allowed_lines; /* of each; NULL: not from a file */
	size_t n_allowed;
	bool routed; /* packets may also come from where its routes lead */
	/* Its addresses inside the tunnel, or family 0; as host prefixes they
	 * are in `allowed`, too. */
	struct ip gateway4, gateway6;
	TL_PEER_KEYS(KEY_FIELD)
	uint32_t mtu;	    /* bytes, configured or resolved; 0: neither yet */
	char vrf[IFNAMSIZ]; /* "": none */
	struct tl_vrf in_vrf; /* resolved */
	/* Learned by the data plane from ICMP; read only. */
	uint32_t learned_mtu;	   /* inner packet, bytes; 0: none */
	uint64_t learned_until_ns; /* CLOCK_MONOTONIC */
	uint64_t silent_ns;	   /* CLOCK_MONOTONIC, as in struct tl_peer */
	char waiting[TL_WAITING_LEN]; /* why it waits; "": it works */
};

struct conf {
	char ifname[IFNAMSIZ];
	uint32_t ifindex;		      /* 0 until resolved */
	char file[4096];		      /* "": not from a file */
	unsigned int lines[N_INTERFACE_KEYS]; /* 0: not in the file */
	TL_INTERFACE_KEYS(KEY_FIELD)
	struct ip source4, source6; /* family 0: none */
	uint32_t forward;	    /* enum tl_forward */
	/* Other interfaces whose packets XDP sends into tunnels, padded with
	 * zeros; an empty name ends the list. */
	char forward_from[TL_FORWARD_FROM][IFNAMSIZ];
	/* Prefix length of an `address`, which attach adds to the host and
	 * detach removes; -1: the source is an address of the host's own. */
	int address4_len, address6_len;
	uint32_t table; /* of the interface's routes: main, or its VRF's */
	bool exceptions_changed; /* set by state_apply() */
	struct peer *peers;
	size_t n_peers;
};

/* Loops over the peers of a configuration, and over the allowed prefixes of a
 * peer. */
#define for_each_peer(p, c)                                                    \
	for (struct peer *p = (c)->peers; p && p < (c)->peers + (c)->n_peers;  \
	     p++)
#define for_each_allowed(a, p)                                                 \
	for (struct prefix *a = (p)->allowed;                                  \
	     a && a < (p)->allowed + (p)->n_allowed; a++)

/* Loops over the names of forward_from. */
#define for_each_from(name, c)                                                 \
	for (const char *name = (c)->forward_from[0],                          \
			*name##_end = name + sizeof((c)->forward_from);        \
	     name < name##_end && *name; name += IFNAMSIZ)

/* Sets the defaults, without peers. Never fails; ifname must fit IFNAMSIZ. */
void conf_init(struct conf *c, const char *ifname);
void conf_free(struct conf *c);
/* The inner source of that family (4 or 6). */
static inline const struct ip *conf_source(const struct conf *c, uint8_t family)
{
	return family == 4 ? &c->source4 : &c->source6;
}
struct peer *conf_peer(const struct conf *c, const char *name);
/* Sorts the peers by id, as peer_by_id() needs it. */
void conf_sort_by_id(struct conf *c);
/* The peer with that id, or NULL. */
struct peer *peer_by_id(const struct conf *c, uint32_t id);
/* FAILED, with the name of a similar peer if there is one. */
int fail_no_peer(const struct conf *c, const char *name);
/* Appends to forward_from; false if it is full. */
bool conf_add_from(struct conf *c, const char *name);
/* True if forward_from has that name. */
bool conf_has_from(const struct conf *c, const char *name);
/* The peers of a conf by name, for many look-ups; valid until the next
 * conf_add_peer() or conf_del_peer(). A hash table, less than half full. */
struct names {
	struct peer **slots; /* NULL: free */
	size_t mask;	     /* the number of slots less one */
};
int names_init(struct names *names, const struct conf *c);
void names_free(struct names *names);
/* Returns the first peer of that name, or NULL. */
struct peer *names_find(const struct names *names, const char *name);
/* Appends a peer with defaults; NULL only when out of memory. Pointers to other
 * peers become invalid. */
struct peer *conf_add_peer(struct conf *c, const char *name);
void conf_del_peer(struct conf *c, struct peer *p);
/* The first allowed prefix of that family (4 or 6), or NULL. */
const struct prefix *peer_inner(const struct peer *p, uint8_t family);
/* True if an allowed prefix contains ip, or could by routes. */
bool peer_allows(const struct peer *p, const struct ip *ip);
/* The gateway of that family (4 or 6), or an address of family 0. */
static inline struct ip *peer_gateway_of(struct peer *p, uint8_t family)
{
	return family == 4 ? &p->gateway4 : &p->gateway6;
}
/* True if a peer has that gateway. */
bool conf_has_gateway(const struct conf *c, const struct ip *ip);
/* True for the host prefix of one of its gateways. */
bool peer_has_gateway(const struct peer *p, const struct prefix *prefix);
/* Makes room for that many more allowed prefixes and their lines. */
bool peer_grow_allowed(struct peer *p, size_t more);
/* Adds the gateways to the allowed prefixes, unless they are there; line: of
 * the file. */
int peer_allow_gateways(struct peer *p, unsigned int line);
/* Removes the gateways, also from the allowed prefixes. */
void peer_forget_gateways(struct peer *p);
/* The table of a peer's routes if it is not the interface's, else 0. */
static inline uint32_t peer_table(const struct peer *p)
{
	return *p->vrf ? p->in_vrf.table : p->table;
}
/* Of the peers that share a prefix, the one of the lowest rank has the route:
 * one that waits comes after all others, then one that is silent. */
static inline uint32_t peer_rank(const struct peer *p)
{
	return (*p->waiting ? 2u << 16 : 0) + (p->silent_ns ? 1u << 16 : 0) +
	       p->priority;
}
/* True if their routes are in one table. */
bool peers_share_table(const struct peer *a, const struct peer *b);
/* True if packets out of its tunnel need tc: XDP can neither mark them nor give
 * them to a VRF. */
static inline bool peer_needs_tc(const struct peer *p)
{
	return p->mark || *p->vrf;
}
/* True if any peer does. */
bool conf_needs_tc(const struct conf *c);
/* True for a peer with allowed-ips = routed that can have inner packets of that
 * family: with a gateway of it, or of none. */
bool peer_is_routed(const struct peer *p, uint8_t family);
/* The length of the outer header of a peer whose endpoint is known. */
static inline uint32_t outer_len(const struct peer *p)
{
	return p->endpoint.family == 4 ? 20 : 40;
}
/* A second address to probe: the first host of the first allowed prefix, other
 * than a default route, that is not of the probe's family; family 0 if there is
 * none. Inner IPv4 and IPv6 are different outer protocols, 4 and 41, and a
 * stateful filter opens each of them separately. */
struct ip peer_other_probe(const struct peer *p);
/* Deep copy. */
int conf_copy(struct conf *to, const struct conf *from);

/* Returns where a key was set. If it was not: no file for a key of the
 * interface, the line of the section for a key of a peer. */
struct origin interface_origin(const struct conf *c, enum interface_key key);
struct origin peer_origin(const struct peer *p, enum peer_key key);
/* Returns where this element of p->allowed was set. */
struct origin allowed_origin(const struct peer *p,
			     const struct prefix *allowed);

/* Reads FILE into a conf made by conf_init(). A bad line is a USAGE error with
 * its number. Checks the syntax of sections and keys, ranges, unknown and
 * repeated keys, repeated peers, NUL bytes and lengths. resolve() checks what
 * needs the host (names, addresses). */
int conf_read(struct conf *c, const char *file);

/* The directory of the configurations IFACE.conf. */
#define CONF_DIR SYSCONFDIR "/tunload"

/*
 * Reads the configuration of ifname from file or, for NULL, from the default
 * place. Calls conf_init(); the caller calls conf_check(). *found is false if
 * there is no file at the default place (a named file must exist). The caller
 * frees c unless this fails.
 */
int conf_load(struct conf *c, const char *ifname, const char *file,
	      bool *found);

/* Checks the rules between peers that need no host: endpoint inside its own
 * allowed prefixes (0.0.0.0/0 and ::/0 excepted), equal prefixes with routes,
 * equal (endpoint, local), missing endpoint. resolve() checks endpoints that
 * are names. */
int conf_check(const struct conf *c);

/* Reports each peer with the outer addresses of another one before it, of those
 * that count: only the outer addresses tell which peer a packet is from. Ends
 * with the first report that is not OK. */
typedef int conflict_report(struct peer *p, struct origin from,
			    const char *text);
int conf_conflicts(const struct conf *c, bool (*counts)(const struct peer *p),
		   conflict_report *report);

/* Prints c as a configuration file that conf_read() reads back the same. */
void conf_write(FILE *out, const struct conf *c);

/* Prints the differences to standard output, for reload. */
void print_changes(const struct conf *now, const struct conf *want);
/* True if file, as read by conf_load(), differs from the running state. */
bool conf_differs(const struct conf *file, const struct conf *now);

/* The keys of a configuration, as the file and the command line know them. */

enum key_type {
	KEY_IS_NUMBER,
	KEY_IS_CHOICE,
	KEY_IS_ADDRESS,
	KEY_IS_OTHER,
};

/* The functions of a key that is not a scalar; target is a struct conf or a
 * struct peer. */
struct key;
struct key_ops {
	int (*set)(const struct key *k, void *target, struct origin from,
		   const char *value);
	void (*write)(FILE *out, const struct key *k, const void *target);
	bool (*same)(const void *a, const void *b);
};

#define KEY_WORDS 4

/* A row of keys.h, which explains the fields. */
struct key {
	const char *name;
	const char *help;
	const char *hint, *values;
	const char *word, *most;
	const char *words[KEY_WORDS];
	const struct key_ops *ops;
	size_t offset; /* of its value in struct conf or struct peer */
	size_t fixed;  /* of an address's FIELD_fixed */
	uint32_t min, max, initial, meaning;
	enum key_type type;
	uint8_t family;
	bool of_peer;
	bool always, again, hex;
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

/* Indexed by enum interface_key and enum peer_key; end with a key without a
 * name. */
extern const struct key interface_keys[N_INTERFACE_KEYS + 1];
extern const struct key peer_keys[N_PEER_KEYS + 1];

/* Finds a key of [interface] or, if p is not NULL, of [peer]. NULL after a
 * USAGE error that suggests a key. */
const struct key *key_find(const struct peer *p, struct origin from,
			   const char *name);
/* What to write instead of a key, or of a command, of another tool; NULL if the
 * word is none. */
const char *habit_of_key(const char *word);
const char *habit_of_command(const char *word);
/* Sets a key from text, as in the file and as in `peer add`. Errors name the
 * origin and quote the value. */
int key_set(const struct key *k, void *target, struct origin from,
	    const char *value);
/* conf_error() about a value: [peer NAME: ]KEY "VALUE" and the message. */
int key_error(const struct key *k, const void *target, struct origin from,
	      const char *value, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));
/* Returns the place of the value of a NUMBER or CHOICE; NULL for other
 * types. */
uint32_t *key_number(const struct key *k, void *target);
/* The value of an ADDRESS, resolved or not; NULL for other types. */
const struct ip *key_address(const struct key *k, const void *target);
/* True for a number that key_set() could have set. */
bool key_valid(const struct key *k, uint32_t n);

/* The texts of a scalar key. */
#define KEY_STRLEN 64
/* Its value, as in the file. */
const char *key_str(const struct key *k, const void *target,
		    char buf[static KEY_STRLEN]);
/* Its default, or "". */
const char *key_default(const struct key *k, char buf[static KEY_STRLEN]);
/* The values it accepts: "1-255", "no|yes", "A|auto". */
const char *key_values(const struct key *k, char buf[static KEY_STRLEN]);

/* All keys of a section. */

void keys_init(const struct key *keys, void *target);
/* True if both would be written to a file alike. */
bool keys_same(const struct key *keys, const void *a, const void *b);

/* Checks a peer's name; the error says which names are valid. */
int peer_name_check(struct origin from, const char *name);

/* Returns why ip cannot be an endpoint, local or source address, as a text to
 * print after the quoted address; NULL if it can. */
const char *address_fault(const struct ip *ip);

/* True for prefixes that cannot be inner ones: loopback, multicast, link-local
 * and the like. Shorter prefixes that contain these are valid. */
bool prefix_is_special(const struct prefix *p);

/* Formats the peer's endpoint as configured, in quotes, and after a name its
 * address: "host.example" (192.0.2.1). */
#define ENDPOINT_STRLEN (TL_HOST_LEN + IP_STRLEN + 6)
const char *endpoint_str(const struct peer *p,
			 char buf[static ENDPOINT_STRLEN]);

/* Returns the next word of *list, which commas and blanks separate, with its
 * length in *n, and moves *list behind it. NULL at the end. */
const char *list_next(const char **list, size_t *n);

/* Which peer an inner address belongs to: the longest allowed prefix wins. */

/* An allowed prefix and its peer. */
struct owned {
	const struct prefix *prefix;
	const struct peer *peer;
};

/* The allowed prefixes of all peers: sorted by address, length, then the order
 * of the peers. */
struct owners {
	struct owned *all;
	size_t n;
	bool lengths[2][129]; /* in use, by IPv4 and IPv6 */
};

/* Compares peers by their order in the file; the peer of a command line is
 * last. */
int owner_compare_peers(const struct peer *a, const struct peer *b);
/* Compares by outer addresses; 0: received packets of the two look alike. */
int outer_compare(const struct peer *a, const struct peer *b);
/* The result points into c. Returns a status, with its error printed;
 * owners_free() is needed in any case. */
int owners_init(struct owners *o, const struct conf *c);
void owners_free(struct owners *o);
/* The longest allowed prefix that contains or equals this one, and its peer;
 * NULL: there is none. */
const struct owned *owner_around(const struct owners *o,
				 const struct prefix *prefix);
/* The longest allowed prefix that contains ip, and its peer, the last one if
 * several share it; NULL: there is none. */
const struct owned *owner_of(const struct owners *o, const struct ip *ip);
/* True if p has the longest allowed prefix that contains ip, alone or
 * shared. */
bool owner_is(const struct owners *o, const struct ip *ip,
	      const struct peer *p);
/* The peer that has the route of this prefix, which is one of p's: that of the
 * lowest rank of those that share it in one table. */
const struct peer *owner_carrying(const struct owners *o,
				  const struct prefix *prefix,
				  const struct peer *p);
/* The allowed prefix of p, other than a default route, that contains its
 * endpoint; or NULL. */
const struct prefix *endpoint_inside(const struct peer *p);

#endif
