// SPDX-License-Identifier: GPL-2.0-only
/* Area: what a configuration may do to its host, and settings that it lacks. */
#include "check.h"

#include <netdb.h>

static void take_warning(void *to, const char *line)
{
	struct check *c = to;

	found(c, LEVEL_WARNING, "configuration", NULL, "%s", line);
}

static void look_at_probe(struct check *c, const struct peer *p)
{
	if (!p->keepalive || p->probe.family)
		return;
	found(c, LEVEL_WARNING, "probe", p,
	      "no address is known that answers pings, so the timer cannot keep the path open: set `probe`");
}

/* Names are looked up at attach and reload only. */
static void look_at_name(struct check *c, const struct peer *p)
{
	static const struct addrinfo hints = {.ai_socktype = SOCK_DGRAM};
	struct addrinfo *list;
	char ip[IP_STRLEN];
	bool same = false;

	if (!*p->host || !p->endpoint.family ||
	    getaddrinfo(p->host, NULL, &hints, &list))
		return;
	for (struct addrinfo *a = list; a; a = a->ai_next) {
		struct ip now = ip_from_sockaddr(a->ai_addr);

		same |= ip_equal(&now, &p->endpoint);
	}
	freeaddrinfo(list);
	if (same)
		return;
	found(c, LEVEL_FAILURE, "endpoint", p,
	      "%s has another address now than %s, where packets are sent to: names are looked up at attach and reload only",
	      p->host, ip_str(&p->endpoint, ip));
	mend(c, "tunload peer set %s %s endpoint %s", c->conf.ifname, p->name,
	     p->host);
}

int check_risks(struct check *c)
{
	report_divert(take_warning, c);
	warn_risks(&c->conf);
	report_divert(NULL, NULL);
	if (c->no_file)
		found(c, LEVEL_WARNING, "configuration", NULL,
		      "there is no file %s/%s.conf, and so no peers", CONF_DIR,
		      c->conf.ifname);
	else if (!c->conf.n_peers)
		found(c, LEVEL_WARNING, "configuration", NULL,
		      "there are no peers");
	for_each_peer (p, &c->conf) {
		look_at_probe(c, p);
		if (c->attached)
			look_at_name(c, p);
	}
	return OK;
}
