// SPDX-License-Identifier: GPL-2.0-only
#include "show.h"

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

	for (size_t i = 0; i < p->n_allowed; i++)
		json_array_append_new(
			out, json_string(prefix_str(&p->allowed[i], text)));
	return out;
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
