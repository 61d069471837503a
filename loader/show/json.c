// SPDX-License-Identifier: GPL-2.0-only
/* Builds parts that several JSON outputs share. */
#include "show.h"

#include <string.h>

json_t *json_ip(const struct ip *ip)
{
	char text[IP_STRLEN];

	return ip->family ? json_string(ip_str(ip, text)) : json_null();
}

json_t *json_counter(const struct tl_counter *c)
{
	return json_pack("{s:I, s:I}", "packets", (json_int_t)c->packets,
			 "bytes", (json_int_t)c->bytes);
}

json_t *json_verdicts(const struct tl_verdicts *v)
{
	const struct tl_counter *counters = verdict_counters(v);
	json_t *out = json_object();

	for (int i = 0; i < TL_VERDICT_COUNT; i++) {
		if (counters[i].packets)
			json_object_set_new(out, verdict_list[i].name,
					    json_counter(&counters[i]));
	}
	return out;
}

json_t *json_allowed(const struct peer *p)
{
	json_t *out = json_array();
	char text[PREFIX_STRLEN];

	for_each_allowed (a, p)
		json_array_append_new(out, json_string(prefix_str(a, text)));
	return out;
}

static json_t *json_key(const struct key *k, const void *target)
{
	const struct ip *ip = key_address(k, target);
	char buf[KEY_STRLEN];
	const char *text;
	uint32_t n;

	if (ip)
		return json_ip(ip);
	text = key_str(k, target, buf);
	if (number_parse(text, 0, UINT32_MAX, &n))
		return json_integer(n);
	return json_string(text);
}

json_t *json_with_keys(json_t *object, const struct key *keys,
		       const void *target)
{
	for (const struct key *k = keys; k->name; k++) {
		char name[KEY_STRLEN];

		if (k->type == KEY_IS_OTHER)
			continue;
		snprintf(name, sizeof(name), "%s", k->name);
		for (char *dash = name; (dash = strchr(dash, '-'));)
			*dash = '_';
		if (!json_object_get(object, name))
			json_object_set_new(object, name, json_key(k, target));
	}
	return object;
}

int json_print(json_t *root, size_t flags)
{
	int ret = OK;

	if (!root)
		return fail("out of memory");
	if (json_dumpf(root, stdout, flags) || putchar('\n') == EOF)
		ret = fail("cannot write to standard output");
	json_decref(root);
	return ret;
}
