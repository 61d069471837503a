// SPDX-License-Identifier: GPL-2.0-only
/* The keys whose values are inner addresses, at most one of each family:
 * source, address and gateway. */
#include "key_ops.h"

#include <string.h>

/* Parses a word of the list: an address and, for `address` only, an optional
 * length (-1: not given). */
static int parse_inner(const struct key *k, const void *target,
		       struct origin from, const char *text, struct ip *ip,
		       int *len)
{
	char addr[IP_STRLEN + 8];
	char *slash;
	uint32_t n;
	const char *fault;

	snprintf(addr, sizeof(addr), "%s", text);
	slash = len ? strchr(addr, '/') : NULL;
	if (slash)
		*slash = '\0';
	if (!ip_parse(addr, ip))
		return key_error(k, target, from, text,
				 "is not an IP address: give %s",
				 len ? "one, and its prefix length if you like"
				 : k->of_peer ? "one of the other end"
					      : "one of this host");
	fault = address_fault(ip);
	if (fault)
		return key_error(k, target, from, text, "%s", fault);
	if (!len)
		return OK;
	*len = ip->family == 4 ? 32 : 128;
	if (slash && !number_parse(slash + 1, 1, *len, &n))
		return key_error(
			k, target, from, text,
			"has no prefix length from 1 to %d: write ADDRESS/LENGTH",
			*len);
	if (slash)
		*len = n;
	return OK;
}

static bool is_address(const struct key *k)
{
	return k == &interface_keys[KEY_ADDRESS];
}

/* source and address set the same fields, each family once. */
static int set_one_inner(const struct key *k, struct conf *c,
			 struct origin from, const char *text)
{
	bool address = is_address(k);
	int len = -1, *to_len;
	struct ip ip, *to;

	if (parse_inner(k, c, from, text, &ip, address ? &len : NULL))
		return USAGE;
	to = ip.family == 4 ? &c->source4 : &c->source6;
	to_len = ip.family == 4 ? &c->address4_len : &c->address6_len;
	if (to->family && (*to_len >= 0) != address)
		return conf_error(
			from,
			"%s \"%s\": there is an IPv%u %s already: give one of the two",
			k->name, text, ip.family,
			address ? "source" : "address");
	if (to->family)
		return key_error(
			k, c, from, text,
			"is a second IPv%u address: give one of a family",
			ip.family);
	*to = ip;
	*to_len = len;
	return OK;
}

static int set_inner(const struct key *k, void *target, struct origin from,
		     const char *value)
{
	const char *list = value, *word;
	char text[PREFIX_STRLEN + 1];
	size_t n;

	if (!value[strspn(value, ", \t")])
		return key_error(k, target, from, value,
				 "has no address in it: give %s",
				 is_address(k) ? "one" : "one of this host");
	while ((word = list_next(&list, &n))) {
		snprintf(text, sizeof(text), "%.*s", (int)n, word);
		if (set_one_inner(k, target, from, text))
			return USAGE;
	}
	return OK;
}

/* Writes the addresses, of both families, that this key has set. */
static void write_inner(FILE *out, const struct key *k, const void *target)
{
	const struct conf *c = target;
	const struct ip *ips[] = {&c->source4, &c->source6};
	const int lens[] = {c->address4_len, c->address6_len};
	bool any = false;
	char text[IP_STRLEN];

	for (int i = 0; i < 2; i++) {
		if (!ips[i]->family || (lens[i] >= 0) != is_address(k))
			continue;
		fprintf(out, "%s%s%s", any ? "" : k->name, any ? ", " : " = ",
			ip_str(ips[i], text));
		if (is_address(k))
			fprintf(out, "/%d", lens[i]);
		any = true;
	}
	if (any)
		fputc('\n', out);
}

static bool is_same_inner(const void *a, const void *b)
{
	const struct conf *x = a, *y = b;

	return ip_equal(&x->source4, &y->source4) &&
	       ip_equal(&x->source6, &y->source6) &&
	       x->address4_len == y->address4_len &&
	       x->address6_len == y->address6_len;
}

const struct key_ops inner_ops = {set_inner, write_inner, is_same_inner};

static int set_one_gateway(const struct key *k, struct peer *p,
			   struct origin from, const char *text)
{
	struct ip ip, *to;

	if (parse_inner(k, p, from, text, &ip, NULL))
		return USAGE;
	to = peer_gateway_of(p, ip.family);
	if (to->family)
		return key_error(
			k, p, from, text,
			"is a second IPv%u address: give one of a family",
			ip.family);
	*to = ip;
	return peer_allow_gateways(p, from.line);
}

static int set_gateway(const struct key *k, void *target, struct origin from,
		       const char *value)
{
	const char *list = value, *word;
	char text[PREFIX_STRLEN + 1];
	struct peer *p = target;
	int ret = OK;
	size_t n;

	peer_forget_gateways(p);
	if (!strcmp(value, k->word))
		return OK;
	if (!value[strspn(value, ", \t")])
		return key_error(k, p, from, value,
				 "has no address in it: give one, or no");
	while (!ret && (word = list_next(&list, &n))) {
		snprintf(text, sizeof(text), "%.*s", (int)n, word);
		ret = set_one_gateway(k, p, from, text);
	}
	return ret;
}

static void write_gateway(FILE *out, const struct key *k, const void *target)
{
	const struct peer *p = target;
	char text[IP_STRLEN];

	if (!p->gateway4.family && !p->gateway6.family)
		return;
	fprintf(out, "%s = ", k->name);
	if (p->gateway4.family)
		fprintf(out, "%s%s", ip_str(&p->gateway4, text),
			p->gateway6.family ? ", " : "");
	fprintf(out, "%s\n",
		p->gateway6.family ? ip_str(&p->gateway6, text) : "");
}

static bool is_same_gateway(const void *a, const void *b)
{
	const struct peer *x = a, *y = b;

	return ip_equal(&x->gateway4, &y->gateway4) &&
	       ip_equal(&x->gateway6, &y->gateway6);
}

const struct key_ops gateway_ops = {set_gateway, write_gateway,
				    is_same_gateway};
