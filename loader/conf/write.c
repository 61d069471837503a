// SPDX-License-Identifier: GPL-2.0-only
/* Writes a configuration as a file. */
#include "conf.h"

#define PREFIXES_A_LINE 8

static const char *yes_no(bool yes)
{
	return yes ? "yes" : "no";
}

/* local4, local6: what `auto` came to is worth a comment. */
static void write_local(FILE *out, const char *key, const struct ip *ip,
			bool fixed)
{
	char text[IP_STRLEN];

	ip_str(ip, text);
	if (fixed)
		fprintf(out, "%s = %s\n", key, text);
	else
		fprintf(out, "%s = auto # %s\n", key, text);
}

/* One of the keys source and address: what of the two families is its. */
static void write_inner(FILE *out, const struct conf *c, bool address)
{
	const struct ip *ips[] = {&c->source4, &c->source6};
	const int lens[] = {c->address4_len, c->address6_len};
	const char *before = address ? "address = " : "source = ";
	char text[IP_STRLEN];

	for (int i = 0; i < 2; i++) {
		if (!ips[i]->family || (lens[i] >= 0) != address)
			continue;
		fprintf(out, "%s%s", before, ip_str(ips[i], text));
		if (address)
			fprintf(out, "/%d", lens[i]);
		before = ", ";
	}
	if (*before == ',')
		fputc('\n', out);
}

static void write_interface(FILE *out, const struct conf *c)
{
	static const char *const modes[] = {
		[TL_MODE_AUTO] = "auto",
		[TL_MODE_NATIVE] = "native",
		[TL_MODE_TC] = "tc",
	};

	fprintf(out, "[interface]\n");
	write_local(out, "local4", &c->local4, c->local4_fixed);
	write_local(out, "local6", &c->local6, c->local6_fixed);
	fprintf(out, "mode = %s\n", modes[c->mode]);
	write_inner(out, c, false);
	write_inner(out, c, true);
	fprintf(out, "path-mtu = %u\n", c->path_mtu);
	if (c->pmtu_expiry != PMTU_EXPIRY_DEFAULT)
		fprintf(out, "pmtu-expiry = %u\n", c->pmtu_expiry);
	fprintf(out, "routes = %s\n", yes_no(c->routes));
}

static void write_allowed(FILE *out, const struct peer *p)
{
	char text[PREFIX_STRLEN];

	for (size_t i = 0; i < p->n_allowed; i++) {
		const char *before = i % PREFIXES_A_LINE ? ", "
				     : i		 ? "\nallowed-ips = "
							 : "allowed-ips = ";

		fprintf(out, "%s%s", before, prefix_str(&p->allowed[i], text));
	}
	if (p->n_allowed)
		fputc('\n', out);
}

static void write_peer(FILE *out, const struct peer *p)
{
	char text[IP_STRLEN];

	fprintf(out, "\n[peer %s]\n", p->name);
	if (*p->waiting)
		fprintf(out, "# waits: %s\n", p->waiting);
	fprintf(out, "endpoint = %s\n",
		p->host[0] ? p->host : ip_str(&p->endpoint, text));
	write_allowed(out, p);
	if (p->local_fixed)
		fprintf(out, "local = %s\n", ip_str(&p->local, text));
	if (p->probe_fixed)
		fprintf(out, "probe = %s\n", ip_str(&p->probe, text));
	fprintf(out, "keepalive = %u\n", p->keepalive);
	if (p->mtu_fixed)
		fprintf(out, "mtu = %u\n", p->mtu_fixed);
	fprintf(out, "ttl = %u\n", p->ttl);
	if (p->dscp != TL_DSCP_COPY)
		fprintf(out, "dscp = %u\n", p->dscp);
	if (p->guard != GUARD_DEFAULT)
		fprintf(out, "guard = %s\n", yes_no(p->guard == GUARD_YES));
}

void conf_write(FILE *out, const struct conf *c)
{
	write_interface(out, c);
	for (size_t i = 0; i < c->n_peers; i++)
		write_peer(out, &c->peers[i]);
}
