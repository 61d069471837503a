// SPDX-License-Identifier: GPL-2.0-only
/* [peer NAME] and the words of `peer add|set`. */
#include "conf.h"

#include <stdlib.h>
#include <string.h>

#define LEN(array) (sizeof(array) / sizeof(*(array)))

int peer_name_check(const struct origin *from, const char *name)
{
	if (name_valid(name))
		return OK;
	return conf_error(
		from,
		"peer name \"%s\" is no name: give 1 to %u of the characters A-Z a-z 0-9 . _ -",
		name, TL_NAME_LEN - 1);
}

/* host has an address in front of its last stop (':' or '%' or '/'). */
static bool is_address_before(const char *host, char stop)
{
	const char *end = strrchr(host, stop);
	char addr[IP_STRLEN];
	struct ip ip;

	if (!end || (size_t)(end - host) >= sizeof(addr))
		return false;
	snprintf(addr, sizeof(addr), "%.*s", (int)(end - host), host);
	return ip_parse(addr, &ip);
}

/* The habits of other tools, each with what to write here. */
static const char *endpoint_mistake(const char *s)
{
	if (*s == '[')
		return "has brackets: write the address alone, without a port";
	if (is_address_before(s, '/'))
		return "is a prefix: write the address alone";
	if (is_address_before(s, '%'))
		return "has a zone: write a global address";
	if (strchr(s, ':') == strrchr(s, ':') && strchr(s, ':'))
		return "has a port: IP-in-IP has none, write the address alone";
	if (strpbrk(s, ", \t"))
		return "is more than one word: give one address or DNS name";
	if (strspn(s, "0123456789.") == strlen(s) && strchr(s, '.'))
		return "is not an IPv4 address: write four numbers from 0 to 255 without leading zeros";
	return "is not an IPv4 address, IPv6 address or DNS name: give one of them";
}

static int set_endpoint(void *target, const struct origin *from,
			const char *value)
{
	struct peer *p = target;
	const char *fault = NULL;
	struct ip ip;

	if (ip_parse(value, &ip))
		fault = address_fault(&ip);
	else if (!hostname_valid(value))
		fault = endpoint_mistake(value);
	else
		ip.family = 0;
	if (fault)
		return conf_error(from, "peer %s: endpoint \"%s\" %s", p->name,
				  value, fault);
	p->host[0] = '\0';
	if (!ip.family)
		strcpy(p->host, value);
	p->endpoint = ip.family ? ip : (struct ip){0};
	if (!p->local_fixed)
		p->local = (struct ip){0};
	return OK;
}

const char *endpoint_str(const struct peer *p, char buf[static ENDPOINT_STRLEN])
{
	char ip[IP_STRLEN];

	ip_str(&p->endpoint, ip);
	if (p->host[0])
		snprintf(buf, ENDPOINT_STRLEN, "\"%s\" (%s)", p->host, ip);
	else
		snprintf(buf, ENDPOINT_STRLEN, "\"%s\"", ip);
	return buf;
}

/* What can be no inner prefix; shorter ones that hold these are fine. */
static bool prefix_is_special(const struct prefix *p)
{
	static const struct prefix special[] = {
		{{4, {0}}, 8},
		{{4, {127}}, 8},
		{{4, {169, 254}}, 16},
		{{4, {224}}, 4},
		{{4, {255, 255, 255, 255}}, 32},
		{{6, {0}}, 128},		       /* :: */
		{{6, {[15] = 1}}, 128},		       /* ::1 */
		{{6, {[10] = 0xff, [11] = 0xff}}, 96}, /* ::ffff:0:0 */
		{{6, {0xfe, 0x80}}, 10},
		{{6, {0xff}}, 8},
	};

	for (size_t i = 0; i < LEN(special); i++)
		if (prefix_within(p, &special[i]))
			return true;
	return false;
}

static int parse_allowed(const struct peer *p, const struct origin *from,
			 const char *word, size_t n, struct prefix *out)
{
	char text[PREFIX_STRLEN + 8], right[PREFIX_STRLEN];
	const char *why;

	if (n >= sizeof(text))
		return conf_error(
			from,
			"allowed-ips \"%.*s\" is not a prefix: write ADDRESS/LENGTH",
			n < QUOTE_MAX ? (int)n : QUOTE_MAX, word);
	snprintf(text, sizeof(text), "%.*s", (int)n, word);
	if (!prefix_parse(text, out, &why)) {
		if (out->ip.family)
			return conf_error(
				from,
				"peer %s: allowed-ips \"%s\" %s: write %s",
				p->name, text, why, prefix_str(out, right));
		return conf_error(
			from,
			"peer %s: allowed-ips \"%s\" %s: write ADDRESS/LENGTH",
			p->name, text, why);
	}
	if (prefix_is_special(out))
		return conf_error(
			from,
			"peer %s: allowed-ips \"%s\" is loopback, multicast, link-local or reserved and cannot be tunnelled: remove it",
			p->name, text);
	return OK;
}

static size_t count_words(const char *list)
{
	size_t n, words = 0;

	while (list_next(&list, &n))
		words++;
	return words;
}

/* Room for that many more, with their lines. */
static bool grow_allowed(struct peer *p, size_t more)
{
	size_t n = p->n_allowed + more;
	unsigned int *lines = reallocarray(p->allowed_lines, n, sizeof(*lines));
	struct prefix *allowed = reallocarray(p->allowed, n, sizeof(*allowed));

	if (lines && !p->allowed_lines)
		memset(lines, 0, p->n_allowed * sizeof(*lines));
	p->allowed_lines = lines ?: p->allowed_lines;
	p->allowed = allowed ?: p->allowed;
	return lines && allowed;
}

static int add_allowed(void *target, const struct origin *from,
		       const char *value)
{
	struct peer *p = target;
	size_t n, words = count_words(value);
	const char *word;

	if (!words)
		return conf_error(
			from,
			"peer %s: allowed-ips \"%s\" has no prefix in it: write ADDRESS/LENGTH",
			p->name, value);
	if (!grow_allowed(p, words))
		return fail("out of memory");
	while ((word = list_next(&value, &n))) {
		struct prefix *to = &p->allowed[p->n_allowed];
		int ret = parse_allowed(p, from, word, n, to);

		if (ret)
			return ret;
		p->allowed_lines[p->n_allowed++] = from->line;
	}
	if (!p->probe_fixed)
		p->probe = (struct ip){0};
	return OK;
}

/* local and probe: an address, or auto as if it had never been set. */
static int set_address(const struct peer *p, const struct origin *from,
		       const char *key, const char *value, struct ip *to,
		       bool *fixed)
{
	struct ip ip = {0};
	const char *fault;

	*fixed = strcmp(value, "auto");
	if (*fixed && !ip_parse(value, &ip))
		return conf_error(
			from,
			"peer %s: %s \"%s\" is not an IP address: give one, or auto",
			p->name, key, value);
	fault = address_fault(&ip);
	if (fault)
		return conf_error(from, "peer %s: %s \"%s\" %s", p->name, key,
				  value, fault);
	*to = ip;
	return OK;
}

static int set_local(void *target, const struct origin *from, const char *value)
{
	struct peer *p = target;

	return set_address(p, from, "local", value, &p->local, &p->local_fixed);
}

static int set_probe(void *target, const struct origin *from, const char *value)
{
	struct peer *p = target;

	return set_address(p, from, "probe", value, &p->probe, &p->probe_fixed);
}

static int number(const struct peer *p, const struct origin *from,
		  const char *key, const char *value, uint32_t min,
		  uint32_t max, const char *or_word, uint32_t *out)
{
	if (number_parse(value, min, max, out))
		return OK;
	return conf_error(from,
			  "peer %s: %s \"%s\" is not a number from %u to %u%s",
			  p->name, key, value, min, max, or_word);
}

static int set_keepalive(void *target, const struct origin *from,
			 const char *value)
{
	struct peer *p = target;

	return number(p, from, "keepalive", value, 0, KEEPALIVE_MAX,
		      " (seconds, 0 = never)", &p->keepalive);
}

static int set_mtu(void *target, const struct origin *from, const char *value)
{
	struct peer *p = target;

	p->mtu_fixed = 0;
	if (!strcmp(value, "auto"))
		return OK;
	return number(p, from, "mtu", value, PEER_MTU_MIN, PATH_MTU_MAX,
		      ", or auto", &p->mtu_fixed);
}

static int set_ttl(void *target, const struct origin *from, const char *value)
{
	struct peer *p = target;
	uint32_t ttl;
	int ret = number(p, from, "ttl", value, 1, 255, "", &ttl);

	if (!ret)
		p->ttl = ttl;
	return ret;
}

static int set_dscp(void *target, const struct origin *from, const char *value)
{
	struct peer *p = target;
	uint32_t dscp = TL_DSCP_COPY;
	int ret = OK;

	if (strcmp(value, "copy"))
		ret = number(p, from, "dscp", value, 0, 63, ", or copy", &dscp);
	if (!ret)
		p->dscp = dscp;
	return ret;
}

static int set_guard(void *target, const struct origin *from, const char *value)
{
	static const char *const names[] = {
		[GUARD_DEFAULT] = "auto",
		[GUARD_NO] = "no",
		[GUARD_YES] = "yes",
	};
	struct peer *p = target;

	for (int guard = GUARD_DEFAULT; guard <= GUARD_YES; guard++) {
		if (!strcmp(value, names[guard])) {
			p->guard = guard;
			return OK;
		}
	}
	return conf_error(from,
			  "peer %s: guard \"%s\" is none of yes, no, auto",
			  p->name, value);
}

const struct key peer_keys[] = {
	[KEY_ENDPOINT] = {.name = "endpoint", .set = set_endpoint},
	[KEY_ALLOWED_IPS] = {.name = "allowed-ips",
			     .set = add_allowed,
			     .again = true},
	[KEY_LOCAL] = {.name = "local", .set = set_local},
	[KEY_PROBE] = {.name = "probe", .set = set_probe},
	[KEY_KEEPALIVE] = {.name = "keepalive", .set = set_keepalive},
	[KEY_MTU] = {.name = "mtu", .set = set_mtu},
	[KEY_TTL] = {.name = "ttl", .set = set_ttl},
	[KEY_DSCP] = {.name = "dscp", .set = set_dscp},
	[KEY_GUARD] = {.name = "guard", .set = set_guard},
	[N_PEER_KEYS] = {.name = NULL},
};

int peer_set(struct peer *p, const struct origin *from, const char *key,
	     const char *value)
{
	char section[TL_NAME_LEN + 8];
	const struct key *k;

	snprintf(section, sizeof(section), "peer %s", p->name);
	k = key_find(peer_keys, from, section, key);
	return k ? k->set(p, from, value) : USAGE;
}
