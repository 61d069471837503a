// SPDX-License-Identifier: GPL-2.0-only
/* What the two kinds of section have in common, and [interface]. */
#include "conf_set.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* How the error is printed: usage() or fail(). */
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
	ret = report(usage, from, fmt, args);
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
		return "is a loopback, multicast, unspecified, broadcast or "
		       "IPv4-mapped address: use a unicast one";
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

static int set_local(struct ip *local, bool *fixed, uint8_t family,
		     const struct origin *from, const char *value)
{
	const char *fault;
	struct ip ip = {0};

	*fixed = strcmp(value, "auto");
	if (*fixed && (!ip_parse(value, &ip) || ip.family != family))
		return conf_error(from,
				  "local%u \"%s\" is not an IPv%u address: "
				  "give one of this interface, or auto",
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

	return set_local(&c->local4, &c->local4_fixed, 4, from, value);
}

static int set_local6(void *target, const struct origin *from,
		      const char *value)
{
	struct conf *c = target;

	return set_local(&c->local6, &c->local6_fixed, 6, from, value);
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

static int set_one_source(struct conf *c, const struct origin *from,
			  const char *word, size_t n)
{
	char text[IP_STRLEN + 1];
	const char *fault;
	struct ip ip, *to;

	snprintf(text, sizeof(text), "%.*s", (int)n, word);
	if (!ip_parse(text, &ip))
		return conf_error(from,
				  "source \"%s\" is not an IP address: give "
				  "one of this host",
				  text);
	fault = address_fault(&ip);
	if (fault)
		return conf_error(from, "source \"%s\" %s", text, fault);
	to = ip.family == 4 ? &c->source4 : &c->source6;
	if (to->family)
		return conf_error(from,
				  "source \"%s\" is a second IPv%u address: "
				  "give one of a family",
				  text, ip.family);
	*to = ip;
	return OK;
}

static int set_source(void *target, const struct origin *from,
		      const char *value)
{
	struct conf *c = target;
	const char *word;
	size_t n;

	if (!value[strspn(value, ", \t")])
		return conf_error(from,
				  "source \"%s\" has no address in it: give "
				  "one of this host",
				  value);
	c->source4 = c->source6 = (struct ip){0};
	while ((word = list_next(&value, &n))) {
		int ret = set_one_source(c, from, word, n);

		if (ret)
			return ret;
	}
	return OK;
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
	[KEY_PATH_MTU] = {.name = "path-mtu", .set = set_path_mtu},
	[KEY_PMTU_EXPIRY] = {.name = "pmtu-expiry", .set = set_pmtu_expiry},
	[KEY_ROUTES] = {.name = "routes", .set = set_routes},
	[N_INTERFACE_KEYS] = {.name = NULL},
};
