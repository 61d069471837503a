/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * base/: code that every part uses and that knows nothing of tunnels: one-line
 * errors, values from text, IP addresses and prefixes, sorting, and the layout
 * of the maps, which the data plane shares.
 */
#ifndef TUNLOAD_BASE_H
#define TUNLOAD_BASE_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include "../../bpf/layout.h"

/*
 * Errors. One error is one line on standard error: what is wrong, the bad value
 * in quotes, what to do. Printing it returns the exit status, so that a caller
 * writes `return fail("...")` and its caller hands it on.
 */

/* Exit statuses of the program. A function that can fail returns one too, after
 * it has printed the error. */
enum status {
	OK = 0,
	FAILED = 1, /* the system or the running state refuses */
	USAGE = 2,  /* the command line or the configuration is wrong */
};

/* Prints "tunload: <message>\n" to standard error and returns the status; OK: a
 * warning, "tunload: warning: <message>\n". In the journal both have a
 * priority. */
int report_line(enum status status, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
#define fail(...)	report_line(FAILED, __VA_ARGS__)
#define fail_usage(...) report_line(USAGE, __VA_ARGS__)
#define warn(...)	report_line(OK, __VA_ARGS__)

/* True if standard error is the journal's stream (systemd.exec(5)), and not
 * something that a unit's process has redirected it to. */
bool stderr_is_journal(void);

/* Gives the lines to take() instead; NULL: prints them again. */
typedef void report_fn(void *to, const char *line);
void report_divert(report_fn *take, void *to);

/* With many peers the first few warnings of a kind are printed, the others only
 * counted in *n: is this one of the few? */
#define WARNINGS_AT_MOST 5
static inline bool warn_few(size_t *n)
{
	return (*n)++ < WARNINGS_AT_MOST;
}
/* Prints "N more <what>" if n is above WARNINGS_AT_MOST. */
void warn_rest(size_t n, const char *what);

/* Text <-> values: addresses, prefixes, numbers, names. Nothing here prints. */

/* An IP address: family 4 uses the first four bytes, the others are zero.
 * Family 0: no address. Network byte order. Comparable with memcmp(). */
struct ip {
	uint8_t family;
	uint8_t addr[16];
};

/* A prefix with no host bits set. len in bits. */
struct prefix {
	struct ip ip;
	uint8_t len;
};

#define IP_STRLEN     46
#define PREFIX_STRLEN (IP_STRLEN + 4)

/* Numeric address only (no names, no zone). */
bool ip_parse(const char *s, struct ip *out);
const char *ip_str(const struct ip *ip, char buf[static IP_STRLEN]);
bool ip_equal(const struct ip *a, const struct ip *b);
/* A comparison of struct ip: by family, then address. */
int ip_compare(const void *a, const void *b);
bool ip_is_link_local(const struct ip *ip);
/* True for loopback, multicast, unspecified, v4-mapped and broadcast addresses,
 * which cannot be an endpoint, local, source or probe. */
bool ip_is_martian(const struct ip *ip);

/* ADDRESS/LEN, or ADDRESS alone for a host. On failure *why is a constant text
 * ("is not a prefix", "has host bits set", ...) to print after the value; *out
 * is then the prefix without its host bits, or has family 0. */
bool prefix_parse(const char *s, struct prefix *out, const char **why);
/* Always with /LEN. */
const char *prefix_str(const struct prefix *p, char buf[static PREFIX_STRLEN]);
bool prefix_equal(const struct prefix *a, const struct prefix *b);
/* A comparison of struct prefix: by address, then length. */
int prefix_compare(const void *a, const void *b);
bool prefix_contains(const struct prefix *p, const struct ip *ip);
/* True if inner lies within outer or equals it. Families must agree. */
bool prefix_within(const struct prefix *inner, const struct prefix *outer);
/* Shortens p to len bits and clears the bits behind them. */
void prefix_shorten(struct prefix *p, uint8_t len);
/* The prefix of this address alone. */
struct prefix ip_prefix(const struct ip *ip);
/* First host address: .1 for a network, the address itself for /31, /32, /127
 * and /128; 10.0.0.1 style also for IPv6 (::1 in the prefix). */
struct ip prefix_first_host(const struct prefix *p);

/* Accepts decimal digits only, min <= n <= max. */
bool number_parse(const char *s, uint32_t min, uint32_t max, uint32_t *out);
/* Parses 0x and up to eight hexadecimal digits. */
bool hex_parse(const char *s, uint32_t *out);

/* True for 1 to 31 characters of [A-Za-z0-9._-], which fit TL_NAME_LEN. */
bool name_valid(const char *s);
/* True if an interface may have that name. */
bool ifname_valid(const char *s);
/* True for a DNS name: 1 to 253 letters, digits, '-', '.' and '_', at least one
 * of them a letter. */
bool hostname_valid(const char *s);

/* True for UTF-8 (RFC 3629 4) without control characters (C0, DEL, C1). */
bool text_printable(const char *s);

/* True if word is probably a typing error for meant. */
bool word_close(const char *word, const char *meant);

/* A peer's gateway on the interface: its addresses and its MAC hold the peer id
 * (layout.h says how). */

#define MAC_LEN 6

/* The gateway's address of that family (4 or 6). */
struct ip gateway_ip(uint32_t peer_id, uint8_t family);
void gateway_ether(uint32_t peer_id, uint8_t mac[static MAC_LEN]);

/* Stores the id of the peer that ip is the gateway of; false if ip is not a
 * gateway's address. */
bool gateway_id(const struct ip *ip, uint32_t *peer_id);
bool gateway_is_mac(const uint8_t mac[static MAC_LEN]);
/* The peer id in the MAC of a gateway. */
uint32_t gateway_mac_id(const uint8_t mac[static MAC_LEN]);

/* 240.0.0.0/8: the other end of the point-to-point address that the source has
 * on the interface. */
extern const struct prefix gateway_net4;

/* Time. */

#define NS_PER_S 1000000000ull

uint64_t clock_ns(clockid_t clock);
/* Sleeps; a signal may end it early. */
void sleep_ms(unsigned int ms);

/* Arrays. */

/* A comparison for qsort(): less than, equal to, or greater than 0. */
typedef int comparison(const void *, const void *);
/* The result of one for two numbers or pointers. */
#define compare_values(a, b) (((a) > (b)) - ((a) < (b)))

/* Makes room for one more element of size bytes after the n of *array. The
 * capacity is n rounded up to a power of two, so it is not stored. False when
 * out of memory. */
bool array_grow(void **array, size_t n, size_t size);
int array_push(void **array, size_t *n, const void *element, size_t size);
/* Appends *element to the n of array; a status. sizeof takes an assignment, so
 * that the compiler compares the types. */
#define push(array, n, element)                                                \
	array_push((void **)&(array), &(n), (element),                         \
		   sizeof(*(array) = *(element)))

/* Like qsort(), but first checks whether the array is sorted already, as files
 * and the kernel's tables mostly are. */
void sort(void *array, size_t n, size_t size, comparison *compare);
/* Keeps the first of each run of equal elements in a sorted array; returns how
 * many are left. */
size_t unique(void *array, size_t n, size_t size, comparison *compare);
/* Both. */
size_t sort_unique(void *array, size_t n, size_t size, comparison *compare);
/* Returns the index of the first element that is not less than key, or n. */
size_t lower_bound(const void *key, const void *array, size_t n, size_t size,
		   comparison *compare);

/* Libraries that only a few commands need. */

/* A function of a library, and where to store its address. */
struct symbol {
	const char *name;
	void *to;
};

struct library {
	const char *names[3];	      /* the first one that is there counts */
	const struct symbol *symbols; /* the last one has no name */
	bool tried, loaded;
};

/* Loads it at the first call. False if anything is missing. */
bool library_load(struct library *l);

/* systemd, for a service of it. Without systemd or libsystemd nothing
 * happens. */

/* sd_notify(3). */
void service_notify(const char *state);
/* How often systemd wants to hear WATCHDOG=1; 0: never. */
uint64_t service_watchdog_ns(void);
/* Sends an entry to the journal if standard error goes there; false if it does
 * not. */
struct iovec;
bool journal_send(const struct iovec *fields, int n);

#endif
