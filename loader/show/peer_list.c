// SPDX-License-Identifier: GPL-2.0-only
/* `tunload peer list`, as text and as JSON. */
#include "show.h"

static json_t *listed_json(const struct peer *p)
{
	/* clang-format off */
	json_t *out = json_pack(
		"{s:s, s:o, s:o, s:o, s:I, s:o}",
		"name", p->name,
		"endpoint", json_ip(&p->endpoint),
		"hostname", p->host[0] ? json_string(p->host) : json_null(),
		"allowed_ips", json_allowed(p),
		"mtu", (json_int_t)p->mtu,
		"waiting", *p->waiting ? json_string(p->waiting)
				       : json_null());
	/* clang-format on */

	return json_with_keys(out, peer_keys, p);
}

int peer_list_json(const struct conf *c)
{
	json_t *list = json_array();

	for_each_peer (p, c)
		json_array_append_new(list, listed_json(p));
	return json_print(list, JSON_INDENT(2));
}

void peer_list_text(const struct conf *c)
{
	char ip[IP_STRLEN], prefix[PREFIX_STRLEN];

	for_each_peer (p, c) {
		printf("%s endpoint %s", p->name, ip_str(&p->endpoint, ip));
		printf(" local %s mtu %u allowed-ips", ip_str(&p->local, ip),
		       p->mtu);
		for (size_t j = 0; j < p->n_allowed; j++)
			printf("%c%s", j ? ',' : ' ',
			       prefix_str(&p->allowed[j], prefix));
		if (*p->waiting)
			printf(" waits: %s", p->waiting);
		putchar('\n');
	}
}
