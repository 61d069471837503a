// SPDX-License-Identifier: GPL-2.0-only
/* `tunload peer list`, as text and as JSON. */
#include "show.h"

static const char *guard_name(const struct peer *p)
{
	static const char *const names[] = {
		[GUARD_DEFAULT] = "auto",
		[GUARD_NO] = "no",
		[GUARD_YES] = "yes",
	};

	return names[p->guard];
}

static json_t *listed_json(const struct peer *p)
{
	/* clang-format off */
	return json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:I, s:I, s:I, s:o, "
			 "s:s, s:o}",
			 "name", p->name,
			 "endpoint", json_ip(&p->endpoint),
			 "hostname", p->host[0] ? json_string(p->host)
						: json_null(),
			 "local", json_ip(&p->local),
			 "allowed_ips", json_allowed(p),
			 "probe", json_ip(&p->probe),
			 "keepalive", (json_int_t)p->keepalive,
			 "mtu", (json_int_t)p->mtu,
			 "ttl", (json_int_t)p->ttl,
			 "dscp", p->dscp == TL_DSCP_COPY
					 ? json_string("copy")
					 : json_integer(p->dscp),
			 "guard", guard_name(p),
			 "waiting", *p->waiting ? json_string(p->waiting)
						: json_null());
	/* clang-format on */
}

int peer_list_json(const struct conf *c)
{
	json_t *list = json_array();

	for (size_t i = 0; i < c->n_peers; i++)
		json_array_append_new(list, listed_json(&c->peers[i]));
	return json_print(list, JSON_INDENT(2));
}

void peer_list_text(const struct conf *c)
{
	char ip[IP_STRLEN], prefix[PREFIX_STRLEN];

	for (size_t i = 0; i < c->n_peers; i++) {
		const struct peer *p = &c->peers[i];

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
