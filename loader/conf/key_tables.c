// SPDX-License-Identifier: GPL-2.0-only
/* The tables of keys, of [interface] and of [peer NAME], which are also the
 * words of `peer add|set`; and keys that are not scalars: forward, endpoint,
 * allowed-ips and vrf. */
#include "key_ops.h"

#include <string.h>

/* Adds an interface behind `xdp`, of n characters. */
static int add_from(const struct key *k, struct conf *c, struct origin from,
		    const char *word, size_t n)
{
	char name[IFNAMSIZ + 1];

	snprintf(name, sizeof(name), "%.*s", (int)n, word);
	if (n >= IFNAMSIZ || !ifname_valid(name))
		return conf_error(
			from,
			"%s \"%.*s\" is not the name of an interface: give names of at most %d characters",
			k->name, n < QUOTE_MAX ? (int)n : QUOTE_MAX, word,
			IFNAMSIZ - 1);
	if (!strcmp(name, c->ifname))
		return key_error(
			k, c, from, name,
			"is the interface of this file, from which it forwards anyway: remove it");
	if (conf_has_from(c, name))
		return key_error(k, c, from, name,
				 "is there twice: remove one");
	if (!conf_add_from(c, name))
		return key_error(k, c, from, name,
				 "is one interface too many: give at most %d",
				 TL_FORWARD_FROM);
	return OK;
}

static bool is_word(const char *word, size_t n, const char *text)
{
	return word && n == strlen(text) && !memcmp(word, text, n);
}

static int set_forward(const struct key *k, void *target, struct origin from,
		       const char *value)
{
	const char *list = value, *word;
	struct conf *c = target;
	int ret = OK;
	size_t n;

	word = list_next(&list, &n);
	if (is_word(word, n, "xdp"))
		c->forward = TL_FORWARD_XDP;
	else if (is_word(word, n, "no"))
		c->forward = TL_FORWARD_NO;
	else
		return key_error(k, c, from, value, "is neither xdp nor no");
	while (!ret && (word = list_next(&list, &n)))
		ret = c->forward == TL_FORWARD_XDP
			      ? add_from(k, c, from, word, n)
			      : key_error(k, c, from, value,
					  "has more than one word: write no");
	return ret;
}

static void write_forward(FILE *out, const struct key *k, const void *target)
{
	const struct conf *c = target;
	const char *between = " ";

	if (c->forward == TL_FORWARD_NO)
		return;
	fprintf(out, "%s = xdp", k->name);
	for_each_from(name, c)
	{
		fprintf(out, "%s%s", between, name);
		between = ", ";
	}
	fputc('\n', out);
}

static bool is_same_forward(const void *a, const void *b)
{
	const struct conf *x = a, *y = b;

	return x->forward == y->forward &&
	       !memcmp(x->forward_from, y->forward_from,
		       sizeof(x->forward_from));
}

static const struct key_ops forward_ops = {set_forward, write_forward,
					   is_same_forward};

#define LEN(array) (sizeof(array) / sizeof(*(array)))

#define PREFIXES_A_LINE 8

int peer_name_check(struct origin from, const char *name)
{
	if (name_valid(name))
		return OK;
	return conf_error(
		from,
		"peer name \"%s\" is not valid: give 1 to %u of the characters A-Z a-z 0-9 . _ -",
		name, TL_NAME_LEN - 1);
}

/* True if host is an address followed by stop (':', '%' or '/') and more. */
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

/* Returns the advice for a syntax that other tools accept. */
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

static int set_endpoint(const struct key *k, void *target, struct origin from,
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
		return key_error(k, p, from, value, "%s", fault);
	p->host[0] = '\0';
	if (!ip.family)
		strcpy(p->host, value);
	p->endpoint = ip.family ? ip : (struct ip){0};
	if (!p->local_fixed)
		p->local = (struct ip){0};
	return OK;
}

static void write_endpoint(FILE *out, const struct key *k, const void *target)
{
	const struct peer *p = target;
	char text[IP_STRLEN];

	fprintf(out, "%s = %s\n", k->name,
		p->host[0] ? p->host : ip_str(&p->endpoint, text));
}

/* A name's address is not in the file, so it is not compared. */
static bool is_same_endpoint(const void *a, const void *b)
{
	const struct peer *x = a, *y = b;

	return !strcmp(x->host, y->host) &&
	       (*x->host || ip_equal(&x->endpoint, &y->endpoint));
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

bool prefix_is_special(const struct prefix *p)
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

static int parse_allowed(const struct key *k, const struct peer *p,
			 struct origin from, const char *word, size_t n,
			 struct prefix *out)
{
	char text[PREFIX_STRLEN + 8], right[PREFIX_STRLEN];
	const char *why;

	if (n >= sizeof(text))
		return conf_error(
			from,
			"allowed-ips \"%.*s\" is not a prefix: write ADDRESS/LENGTH",
			n < QUOTE_MAX ? (int)n : QUOTE_MAX, word);
	snprintf(text, sizeof(text), "%.*s", (int)n, word);
	if (!prefix_parse(text, out, &why))
		return key_error(k, p, from, text, "%s: write %s", why,
				 out->ip.family ? prefix_str(out, right)
						: "ADDRESS/LENGTH");
	if (prefix_is_special(out))
		return key_error(
			k, p, from, text,
			"is loopback, multicast, link-local or reserved and cannot be tunnelled: remove it");
	return OK;
}

static size_t count_words(const char *list)
{
	size_t n, words = 0;

	while (list_next(&list, &n))
		words++;
	return words;
}

#define ROUTED "routed"

static int add_routed(const struct key *k, struct peer *p, struct origin from)
{
	if (p->routed)
		return key_error(k, p, from, ROUTED,
				 "is given twice: remove one");
	p->routed = true;
	return OK;
}

/* Adds a prefix; there is room for it. The gateways are there already. */
static int add_prefix(const struct key *k, struct peer *p, struct origin from,
		      const char *word, size_t n)
{
	struct prefix *to = &p->allowed[p->n_allowed];
	int ret = parse_allowed(k, p, from, word, n, to);

	if (!ret && !peer_has_gateway(p, to))
		p->allowed_lines[p->n_allowed++] = from.line;
	return ret;
}

static int add_allowed(const struct key *k, void *target, struct origin from,
		       const char *value)
{
	struct peer *p = target;
	size_t n, words = count_words(value);
	const char *word;

	if (!words)
		return key_error(k, p, from, value,
				 "has no prefix in it: write ADDRESS/LENGTH");
	if (!peer_grow_allowed(p, words))
		return fail("out of memory");
	while ((word = list_next(&value, &n))) {
		int ret = is_word(word, n, ROUTED)
				  ? add_routed(k, p, from)
				  : add_prefix(k, p, from, word, n);

		if (ret)
			return ret;
	}
	if (!p->probe_fixed)
		p->probe = (struct ip){0};
	return peer_allow_gateways(p, from.line);
}

static void write_allowed(FILE *out, const struct key *k, const void *target)
{
	const struct peer *p = target;
	char text[PREFIX_STRLEN];
	size_t n = 0;

	if (p->routed)
		fprintf(out, "%s = %s\n", k->name, ROUTED);
	for_each_allowed (a, p) {
		bool first = n % PREFIXES_A_LINE == 0;

		/* The key `gateway` says so. */
		if (peer_has_gateway(p, a))
			continue;
		if (first)
			fprintf(out, "%s%s = ", n ? "\n" : "", k->name);
		fprintf(out, "%s%s", first ? "" : ", ", prefix_str(a, text));
		n++;
	}
	if (n)
		fputc('\n', out);
}

static int by_value(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct prefix));
}

/* Ignores the order of the prefixes. */
static bool is_same_allowed(const void *a, const void *b)
{
	const struct peer *x = a, *y = b;
	size_t n = x->n_allowed, size = n * sizeof(struct prefix);
	struct prefix *both;
	bool same;

	if (x->routed != y->routed)
		return false;
	if (n != y->n_allowed || !n)
		return n == y->n_allowed;
	both = malloc(2 * size);
	if (!both)
		return false;
	memcpy(both, x->allowed, size);
	memcpy(both + n, y->allowed, size);
	qsort(both, n, sizeof(*both), by_value);
	qsort(both + n, n, sizeof(*both), by_value);
	same = !memcmp(both, both + n, size);
	free(both);
	return same;
}

static int set_vrf(const struct key *k, void *target, struct origin from,
		   const char *value)
{
	struct peer *p = target;

	p->in_vrf = (struct tl_vrf){0};
	p->vrf[0] = '\0';
	if (!strcmp(value, k->word))
		return OK;
	if (strlen(value) >= sizeof(p->vrf) || !ifname_valid(value))
		return key_error(
			k, p, from, value,
			"is not the name of an interface: give a VRF, or no");
	strcpy(p->vrf, value);
	return OK;
}

static void write_vrf(FILE *out, const struct key *k, const void *target)
{
	const struct peer *p = target;

	if (*p->vrf)
		fprintf(out, "%s = %s\n", k->name, p->vrf);
}

static bool is_same_vrf(const void *a, const void *b)
{
	const struct peer *x = a, *y = b;

	return !strcmp(x->vrf, y->vrf);
}

static const struct key_ops vrf_ops = {set_vrf, write_vrf, is_same_vrf};
static const struct key_ops endpoint_ops = {set_endpoint, write_endpoint,
					    is_same_endpoint};
static const struct key_ops allowed_ops = {add_allowed, write_allowed,
					   is_same_allowed};

#define INTERFACE_ROW(...) KEY_ROW(conf, false, __VA_ARGS__)
const struct key interface_keys[] = {
	TL_INTERFACE_KEYS(INTERFACE_ROW){.name = NULL}};
#define PEER_ROW(...) KEY_ROW(peer, true, __VA_ARGS__)
const struct key peer_keys[] = {TL_PEER_KEYS(PEER_ROW){.name = NULL}};
