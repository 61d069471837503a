// SPDX-License-Identifier: GPL-2.0-only
/* What the two kinds of section have in common, and [interface]. */
#include "conf.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* How the error is printed: fail_usage() or fail(). */
typedef int printer(const char *fmt, ...);

static int report(printer *print, const struct origin *from, const char *fmt,
		  va_list args)
{
	char text[1024];

	vsnprintf(text, sizeof(text), fmt, args);
	if (!from->file)
		return print("%s", text);
	return print("%s:%u: %s", from->file, from->line, text);
}

int conf_error(const struct origin *from, const char *fmt, ...)
{
	va_list args;
	int ret;

	va_start(args, fmt);
	ret = report(fail_usage, from, fmt, args);
	va_end(args);
	return ret;
}

int conf_fail(const struct origin *from, const char *fmt, ...)
{
	va_list args;
	int ret;

	va_start(args, fmt);
	ret = report(fail, from, fmt, args);
	va_end(args);
	return ret;
}

const struct key *key_find(const struct key *keys, const struct origin *from,
			   const char *section, const char *name)
{
	for (const struct key *k = keys; k->name; k++) {
		if (!strcmp(k->name, name))
			return k;
	}
	for (const struct key *k = keys; k->name; k++) {
		if (!word_close(name, k->name))
			continue;
		conf_error(from, "%s: unknown key \"%s\": did you mean \"%s\"?",
			   section, name, k->name);
		return NULL;
	}
	conf_error(from,
		   "%s: unknown key \"%s\": remove it, or see tunload.conf(5)",
		   section, name);
	return NULL;
}

const char *address_fault(const struct ip *ip)
{
	if (ip_is_martian(ip))
		return "is a loopback, multicast, unspecified, broadcast or IPv4-mapped address: use a unicast one";
	if (ip_is_link_local(ip))
		return "is a link-local address: use a global or private one";
	return NULL;
}

const char *list_next(const char **list, size_t *n)
{
	const char *word = *list + strspn(*list, ", \t");

	*n = strcspn(word, ", \t");
	*list = word + *n;
	return *n ? word : NULL;
}

static int set_own_local(struct ip *local, bool *fixed, uint8_t family,
			 const struct origin *from, const char *value)
{
	const char *fault;
	struct ip ip = {0};

	*fixed = strcmp(value, "auto");
	if (*fixed && (!ip_parse(value, &ip) || ip.family != family))
		return conf_error(
			from,
			"local%u \"%s\" is not an IPv%u address: give one of this interface, or auto",
			family, value, family);
	fault = address_fault(&ip);
	if (fault)
		return conf_error(from, "local%u \"%s\" %s", family, value,
				  fault);
	*local = ip;
	return OK;
}

static int set_local4(void *target, const struct origin *from,
		      const char *value)
{
	struct conf *c = target;

	return set_own_local(&c->local4, &c->local4_fixed, 4, from, value);
}

static int set_local6(void *target, const struct origin *from,
		      const char *value)
{
	struct conf *c = target;

	return set_own_local(&c->local6, &c->local6_fixed, 6, from, value);
}

static int set_mode(void *target, const struct origin *from, const char *value)
{
	static const char *const names[] = {
		[TL_MODE_AUTO] = "auto",
		[TL_MODE_NATIVE] = "native",
		[TL_MODE_TC] = "tc",
	};
	struct conf *c = target;

	for (int mode = TL_MODE_AUTO; mode <= TL_MODE_TC; mode++) {
		if (!strcmp(value, names[mode])) {
			c->mode = mode;
			return OK;
		}
	}
	return conf_error(from, "mode \"%s\" is none of auto, native, tc",
			  value);
}

/* The word of a list under source or address: an address, and where `address`
 * allows it a length, -1 if none is given. */
static int parse_inner(const struct origin *from, const char *key,
		       const char *text, struct ip *ip, int *len)
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
		return conf_error(from,
				  "%s \"%s\" is not an IP address: give %s",
				  key, text,
				  len ? "one, and its prefix length if you like"
				      : "one of this host");
	fault = address_fault(ip);
	if (fault)
		return conf_error(from, "%s \"%s\" %s", key, text, fault);
	if (!len)
		return OK;
	*len = ip->family == 4 ? 32 : 128;
	if (slash && !number_parse(slash + 1, 1, *len, &n))
		return conf_error(
			from,
			"%s \"%s\" has no prefix length from 1 to %d: write ADDRESS/LENGTH",
			key, text, *len);
	if (slash)
		*len = n;
	return OK;
}

/* Source and address are two ways to say the same thing. */
static int set_one_inner(struct conf *c, const struct origin *from,
			 const char *text, bool address)
{
	const char *key = address ? "address" : "source";
	int len = -1, *to_len;
	struct ip ip, *to;

	if (parse_inner(from, key, text, &ip, address ? &len : NULL))
		return USAGE;
	to = ip.family == 4 ? &c->source4 : &c->source6;
	to_len = ip.family == 4 ? &c->address4_len : &c->address6_len;
	if (to->family && (*to_len >= 0) != address)
		return conf_error(
			from,
			"%s \"%s\": there is an IPv%u %s already: give one of the two",
			key, text, ip.family, address ? "source" : "address");
	if (to->family)
		return conf_error(
			from,
			"%s \"%s\" is a second IPv%u address: give one of a family",
			key, text, ip.family);
	*to = ip;
	*to_len = len;
	return OK;
}

static int set_inner(struct conf *c, const struct origin *from,
		     const char *value, bool address)
{
	const char *list = value, *word;
	char text[PREFIX_STRLEN + 1];
	size_t n;

	if (!value[strspn(value, ", \t")])
		return conf_error(from,
				  "%s \"%s\" has no address in it: give %s",
				  address ? "address" : "source", value,
				  address ? "one" : "one of this host");
	while ((word = list_next(&list, &n))) {
		snprintf(text, sizeof(text), "%.*s", (int)n, word);
		if (set_one_inner(c, from, text, address))
			return USAGE;
	}
	return OK;
}

static int set_source(void *target, const struct origin *from,
		      const char *value)
{
	return set_inner(target, from, value, false);
}

static int set_inner_address(void *target, const struct origin *from,
			     const char *value)
{
	return set_inner(target, from, value, true);
}

static int set_number(const char *key, uint32_t min, uint32_t max,
		      uint32_t *out, const struct origin *from,
		      const char *value)
{
	if (number_parse(value, min, max, out))
		return OK;
	return conf_error(from, "%s \"%s\" is not a number from %u to %u", key,
			  value, min, max);
}

static int set_path_mtu(void *target, const struct origin *from,
			const char *value)
{
	struct conf *c = target;

	return set_number("path-mtu", PATH_MTU_MIN, PATH_MTU_MAX, &c->path_mtu,
			  from, value);
}

static int set_pmtu_expiry(void *target, const struct origin *from,
			   const char *value)
{
	struct conf *c = target;

	return set_number("pmtu-expiry", 1, PMTU_EXPIRY_MAX, &c->pmtu_expiry,
			  from, value);
}

static int set_routes(void *target, const struct origin *from,
		      const char *value)
{
	struct conf *c = target;

	c->routes = !strcmp(value, "yes");
	if (c->routes || !strcmp(value, "no"))
		return OK;
	return conf_error(from, "routes \"%s\" is neither yes nor no", value);
}

const struct key interface_keys[] = {
	[KEY_LOCAL4] = {.name = "local4", .set = set_local4},
	[KEY_LOCAL6] = {.name = "local6", .set = set_local6},
	[KEY_MODE] = {.name = "mode", .set = set_mode},
	[KEY_SOURCE] = {.name = "source", .set = set_source},
	[KEY_ADDRESS] = {.name = "address", .set = set_inner_address},
	[KEY_PATH_MTU] = {.name = "path-mtu", .set = set_path_mtu},
	[KEY_PMTU_EXPIRY] = {.name = "pmtu-expiry", .set = set_pmtu_expiry},
	[KEY_ROUTES] = {.name = "routes", .set = set_routes},
	[N_INTERFACE_KEYS] = {.name = NULL},
};
