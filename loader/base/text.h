/* SPDX-License-Identifier: GPL-2.0-only */
/* Text <-> values: addresses, prefixes, numbers, names. Nothing here prints. */
#ifndef TUNLOAD_TEXT_H
#define TUNLOAD_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* An IP address: family 4 uses the first four bytes, the others are zero.
 * family 0: none. Network byte order. Comparable with memcmp(). */
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
bool ip_is_link_local(const struct ip *ip);
/* Loopback, multicast, unspecified, v4-mapped, broadcast: no endpoint, local,
 * source or probe can be one. */
bool ip_is_martian(const struct ip *ip);

/* ADDRESS/LEN, or ADDRESS alone for a host. On failure *why is a constant text
 * ("is not a prefix", "has host bits set", ...) that reads behind the value;
 * *out is then the prefix without the host bits, or family 0. */
bool prefix_parse(const char *s, struct prefix *out, const char **why);
/* Always with /LEN. */
const char *prefix_str(const struct prefix *p, char buf[static PREFIX_STRLEN]);
bool prefix_equal(const struct prefix *a, const struct prefix *b);
bool prefix_contains(const struct prefix *p, const struct ip *ip);
/* inner lies within outer, or is the same; families must agree. */
bool prefix_within(const struct prefix *inner, const struct prefix *outer);
/* Makes p the prefix of that smaller length around it. */
void prefix_shorten(struct prefix *p, uint8_t len);
/* First host address: .1 for a network, the address itself for /31, /32, /127
 * and /128; 10.0.0.1 style also for IPv6 (::1 in the prefix). */
struct ip prefix_first_host(const struct prefix *p);

/* Decimal digits only, min <= n <= max. */
bool number_parse(const char *s, uint32_t min, uint32_t max, uint32_t *out);

/* [A-Za-z0-9._-], 1 to 31 characters: fits TL_NAME_LEN. */
bool name_valid(const char *s);
/* A DNS name: letters, digits, '-', '.', '_', 1 to 253 characters, at least
 * one letter. */
bool hostname_valid(const char *s);

/* UTF-8 without control characters (RFC 3629 4; C0, DEL, C1). */
bool text_printable(const char *s);

/* word looks like a slip of the pen for meant. */
bool word_close(const char *word, const char *meant);

#endif
