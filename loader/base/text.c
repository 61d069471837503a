// SPDX-License-Identifier: GPL-2.0-only
/* Values from text and back: addresses, prefixes, numbers, names. */
#include "base.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static int address_family(const struct ip *ip)
{
	return ip->family == 4 ? AF_INET : AF_INET6;
}

static unsigned int address_bits(const struct ip *ip)
{
	return ip->family == 4 ? 32 : 128;
}

bool ip_parse(const char *s, struct ip *out)
{
	*out = (struct ip){.family = strchr(s, ':') ? 6 : 4};
	return inet_pton(address_family(out), s, out->addr) == 1;
}

const char *ip_str(const struct ip *ip, char buf[static IP_STRLEN])
{
	if (!ip->family)
		return strcpy(buf, "none");
	return inet_ntop(address_family(ip), ip->addr, buf, IP_STRLEN);
}

bool ip_equal(const struct ip *a, const struct ip *b)
{
	return !memcmp(a, b, sizeof(*a));
}

int ip_compare(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct ip));
}

bool ip_is_link_local(const struct ip *ip)
{
	const uint8_t *a = ip->addr;

	if (ip->family == 4)
		return a[0] == 169 && a[1] == 254;
	return ip->family == 6 && a[0] == 0xfe && (a[1] & 0xc0) == 0x80;
}

static bool is_martian4(const uint8_t a[4])
{
	static const uint8_t broadcast[4] = {255, 255, 255, 255};

	return a[0] == 0 || a[0] == 127 || (a[0] & 0xf0) == 0xe0 ||
	       !memcmp(a, broadcast, sizeof(broadcast));
}

/* ::, ::1, ff00::/8, ::ffff:0:0/96 (RFC 4291 2.5.2, 2.5.3, 2.5.5.2, 2.7) */
static bool is_martian6(const uint8_t a[16])
{
	static const uint8_t zero[15], mapped[12] = {[10] = 0xff, [11] = 0xff};

	return a[0] == 0xff || !memcmp(a, mapped, sizeof(mapped)) ||
	       (!memcmp(a, zero, sizeof(zero)) && a[15] <= 1);
}

bool ip_is_martian(const struct ip *ip)
{
	if (ip->family == 4)
		return is_martian4(ip->addr);
	return ip->family == 6 && is_martian6(ip->addr);
}

/* Clears all but the first len bits of ip; true if any of them was set. */
static bool clear_host_bits(struct ip *ip, unsigned int len)
{
	bool any = false;

	for (unsigned int i = 0; i < sizeof(ip->addr); i++) {
		unsigned int keep = len > i * 8 ? len - i * 8 : 0;
		uint8_t host = keep >= 8 ? 0 : 0xff >> keep;

		any |= ip->addr[i] & host;
		ip->addr[i] &= ~host;
	}
	return any;
}

/* Parses the n characters before the slash. */
static bool parse_network(const char *s, size_t n, struct ip *out)
{
	char addr[IP_STRLEN];

	if (n >= sizeof(addr))
		return false;
	memcpy(addr, s, n);
	addr[n] = '\0';
	return ip_parse(addr, out);
}

bool prefix_parse(const char *s, struct prefix *out, const char **why)
{
	size_t n = strcspn(s, "/");
	struct ip ip;
	uint32_t len;

	*out = (struct prefix){0};
	*why = "is not a prefix";
	if (!parse_network(s, n, &ip))
		return false;
	len = address_bits(&ip);
	*why = ip.family == 4 ? "has no prefix length from 0 to 32"
			      : "has no prefix length from 0 to 128";
	if (s[n] && !number_parse(s + n + 1, 0, len, &len))
		return false;
	*why = "has host bits set";
	*out = (struct prefix){.ip = ip, .len = len};
	return !clear_host_bits(&out->ip, len);
}

const char *prefix_str(const struct prefix *p, char buf[static PREFIX_STRLEN])
{
	char addr[IP_STRLEN];

	snprintf(buf, PREFIX_STRLEN, "%s/%u", ip_str(&p->ip, addr), p->len);
	return buf;
}

bool prefix_equal(const struct prefix *a, const struct prefix *b)
{
	return a->len == b->len && ip_equal(&a->ip, &b->ip);
}

int prefix_compare(const void *va, const void *vb)
{
	const struct prefix *a = va, *b = vb;

	return ip_compare(&a->ip, &b->ip) ?: (int)a->len - (int)b->len;
}

bool prefix_contains(const struct prefix *p, const struct ip *ip)
{
	unsigned int bytes = p->len / 8, bits = p->len % 8;

	return p->ip.family == ip->family &&
	       !memcmp(p->ip.addr, ip->addr, bytes) &&
	       (!bits ||
		!((p->ip.addr[bytes] ^ ip->addr[bytes]) >> (8 - bits)));
}

bool prefix_within(const struct prefix *inner, const struct prefix *outer)
{
	return inner->len >= outer->len && prefix_contains(outer, &inner->ip);
}

void prefix_shorten(struct prefix *p, uint8_t len)
{
	clear_host_bits(&p->ip, len);
	p->len = len;
}

struct prefix ip_prefix(const struct ip *ip)
{
	return (struct prefix){*ip, address_bits(ip)};
}

struct ip prefix_first_host(const struct prefix *p)
{
	unsigned int bits = address_bits(&p->ip);
	struct ip host = p->ip;

	if (p->len + 1u < bits)
		host.addr[bits / 8 - 1] |= 1;
	return host;
}

bool number_parse(const char *s, uint32_t min, uint32_t max, uint32_t *out)
{
	unsigned long long n = strtoull(s, NULL, 10);

	if (!*s || s[strspn(s, "0123456789")] || n > max)
		return false;
	*out = n;
	return n >= min;
}

bool hex_parse(const char *s, uint32_t *out)
{
	size_t n;

	if (s[0] != '0' || (s[1] != 'x' && s[1] != 'X'))
		return false;
	n = strspn(s + 2, "0123456789abcdefABCDEF");
	*out = strtoul(s + 2, NULL, 16);
	return n && n <= 8 && !s[2 + n];
}

bool name_valid(const char *s)
{
	size_t n = strlen(s);

	return n && n < TL_NAME_LEN &&
	       strspn(s,
		      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-") ==
		       n;
}

/* One label: 1 to 63 characters, no '-' at its ends (RFC 1035 2.3.1). */
static bool label_valid(const char *s, size_t n)
{
	if (!n || n > 63 || s[0] == '-' || s[n - 1] == '-')
		return false;
	for (size_t i = 0; i < n; i++) {
		if (!isalnum((unsigned char)s[i]) && s[i] != '-' && s[i] != '_')
			return false;
	}
	return true;
}

bool ifname_valid(const char *s)
{
	size_t n = strlen(s);

	return n && n < IFNAMSIZ && !s[strcspn(s, "/: \t\n\v\f\r")] &&
	       strcmp(s, ".") && strcmp(s, "..") && text_printable(s);
}

bool hostname_valid(const char *s)
{
	bool letter = false;

	if (strlen(s) > 253)
		return false;
	for (const char *c = s; *c; c++)
		letter |= isalpha((unsigned char)*c) != 0;
	do {
		size_t n = strcspn(s, ".");

		if (!label_valid(s, n))
			return false;
		s += n;
		s += *s == '.';
	} while (*s);
	return letter;
}

/* Decodes the code point at s; returns its length in bytes, 0 if it is
 * invalid. */
static size_t utf8_next(const unsigned char *s, uint32_t *out)
{
	size_t n = *s < 0x80 ? 1 : *s < 0xe0 ? 2 : *s < 0xf0 ? 3 : 4;
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};

	if ((*s >= 0x80 && *s < 0xc2) || *s > 0xf4)
		return 0;
	*out = n == 1 ? *s : *s & (0xff >> (n + 1));
	for (size_t i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		*out = *out << 6 | (s[i] & 0x3f);
	}
	if (*out < least[n] || *out > 0x10ffff ||
	    (*out >= 0xd800 && *out < 0xe000))
		return 0;
	return n;
}

bool text_printable(const char *s)
{
	const unsigned char *at = (const unsigned char *)s;
	uint32_t c = 0;
	size_t n;

	for (; *at; at += n) {
		n = utf8_next(at, &c);
		if (!n || c < 0x20 || (c >= 0x7f && c < 0xa0))
			return false;
	}
	return true;
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

static bool same_letter(char a, char b)
{
	return tolower((unsigned char)a) == tolower((unsigned char)b);
}

/* How many letters are wrong, missing, added, or changed places with the next
 * one; SIZE_MAX for words longer than a row. */
static size_t edit_distance(const char *a, const char *b)
{
	size_t rows[3][32], m = strlen(a), n = strlen(b);

	if (n >= sizeof(*rows) / sizeof(**rows) || m > n + 8)
		return SIZE_MAX;
	for (size_t j = 0; j <= n; j++)
		rows[0][j] = j;
	for (size_t i = 1; i <= m; i++) {
		size_t *row = rows[i % 3], *above = rows[(i + 2) % 3];

		row[0] = i;
		for (size_t j = 1; j <= n; j++) {
			row[j] = least(least(above[j], row[j - 1]) + 1,
				       above[j - 1] + !same_letter(a[i - 1],
								   b[j - 1]));
			if (i > 1 && j > 1 && same_letter(a[i - 1], b[j - 2]) &&
			    same_letter(a[i - 2], b[j - 1]))
				row[j] = least(row[j],
					       rows[(i + 1) % 3][j - 2] + 1);
		}
	}
	return rows[m % 3][n];
}

bool word_close(const char *word, const char *meant)
{
	size_t length = strlen(meant), distance = edit_distance(word, meant);

	return !distance ||
	       (distance < length && distance <= (length > 4 ? 2 : 1));
}
