// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fuzz target: addresses, prefixes, numbers and names from text, with the C
 * library as the oracle. The input is the text.
 * Needs: loader/base/text.c
 */
#include "fuzz.h"

#include <arpa/inet.h>
#include <errno.h>

#include "base/base.h"

static bool digits(const char *s)
{
	return *s && !s[strspn(s, "0123456789")];
}

static void check_ip(const char *s)
{
	struct in6_addr six;
	struct in_addr four;
	char text[IP_STRLEN];
	struct ip ip, again;
	bool is4 = inet_pton(AF_INET, s, &four) == 1;
	bool is6 = inet_pton(AF_INET6, s, &six) == 1;

	CHECK(ip_parse(s, &ip) == (is4 || is6));
	if (!is4 && !is6)
		return;
	CHECK(ip.family == (is4 ? 4 : 6));
	CHECK(!memcmp(ip.addr, is4 ? (void *)&four : &six, is4 ? 4 : 16));
	CHECK(ip_parse(ip_str(&ip, text), &again) && ip_equal(&ip, &again));
	if (is6)
		CHECK(ip_is_link_local(&ip) == IN6_IS_ADDR_LINKLOCAL(&six));
}

/* Returns true if all bits of the address behind the first len are zero. */
static bool no_host_bits(const struct ip *ip, unsigned int len)
{
	unsigned int bits = ip->family == 4 ? 32 : 128;

	for (unsigned int i = len; i < bits; i++)
		if (ip->addr[i / 8] >> (7 - i % 8) & 1)
			return false;
	return true;
}

/* Parses ADDRESS or ADDRESS/LEN with the C library. */
static bool slow_prefix(char *s, struct prefix *out)
{
	char *slash = strchr(s, '/');
	unsigned long len;

	if (slash)
		*slash++ = '\0';
	out->ip = (struct ip){.family = strchr(s, ':') ? 6 : 4};
	if (inet_pton(out->ip.family == 4 ? AF_INET : AF_INET6, s,
		      out->ip.addr) != 1)
		return false;
	len = out->ip.family == 4 ? 32 : 128;
	if (slash && (!digits(slash) || strtoul(slash, NULL, 10) > len))
		return false;
	out->len = slash ? strtoul(slash, NULL, 10) : len;
	return no_host_bits(&out->ip, out->len);
}

static void check_prefix(const char *s)
{
	struct prefix prefix, want = {0}, again;
	char *copy = strdup(s), text[PREFIX_STRLEN];
	bool good = slow_prefix(copy, &want);
	const char *why = NULL;
	struct ip host;

	free(copy);
	CHECK(prefix_parse(s, &prefix, &why) == good);
	CHECK(good || *why);
	if (prefix.ip.family)
		CHECK(no_host_bits(&prefix.ip, prefix.len));
	if (!good)
		return;
	CHECK(prefix_equal(&prefix, &want));
	CHECK(prefix_parse(prefix_str(&prefix, text), &again, &why));
	CHECK(prefix_equal(&prefix, &again) && prefix_within(&prefix, &again));
	host = prefix_first_host(&prefix);
	CHECK(prefix_contains(&prefix, &host));
}

static void check_number(const char *s, uint32_t min, uint32_t max)
{
	unsigned long long n = strtoull(s, NULL, 10);
	bool good = digits(s) && n >= min && n <= max;
	uint32_t out = ~0u;

	CHECK(number_parse(s, min, max, &out) == good);
	CHECK(!good || out == n);
}

static void check_names(const char *s)
{
	size_t n = strlen(s);

	if (name_valid(s))
		CHECK(n >= 1 && n <= 31 && !strpbrk(s, " \t\n[]#;=:/\"'\\$"));
	if (hostname_valid(s)) {
		struct ip ip;

		CHECK(n >= 1 && n <= 253 && !strstr(s, "..") && *s != '.');
		CHECK(!strpbrk(s, " \t\n[]#;=:/\"'\\$"));
		CHECK(!ip_parse(s, &ip));
	}
	CHECK(word_close(s, s) || n > 31);
	word_close(s, "allowed-ips");
	word_close("keepalive", s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	char *s = exact(data, n, 1);

	check_ip(s);
	check_prefix(s);
	check_number(s, 0, UINT32_MAX);
	check_number(s, 1, 255);
	check_number(s, 576, 65535);
	check_names(s);
	free(s);
	return 0;
}
