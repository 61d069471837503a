// SPDX-License-Identifier: GPL-2.0-only
/* Says what has been repaired, and how the host made the peers differ. */
#include "tunnel.h"

#include <string.h>

#define PEERS_NAMED 8 /* in a line */

/* Returns the "; " between parts, or "" before the first. */
static const char *next(FILE *out)
{
	return ftell(out) > 0 ? "; " : "";
}

static void write_from(FILE *out, const struct mended *m,
		       const struct conf *want)
{
	size_t i = 0;

	for_each_from(name, want) if (m->from[i++]) fprintf(
		out, "%sput the program back on XDP of %s", next(out), name);
}

static void write_hooks(FILE *out, const struct mended *m)
{
	static const char *const names[HOOK_COUNT] = {
		[HOOK_XDP] = "XDP",
		[HOOK_TC_INGRESS] = "tc ingress",
		[HOOK_TC_EGRESS] = "tc egress",
	};

	for (int h = 0; h < HOOK_COUNT; h++)
		if (m->hooks[h])
			fprintf(out, "%sput the program back on %s", next(out),
				names[h]);
}

/* Writes how a peer of unchanged configuration differs; false: it does not. */
static bool write_difference(FILE *out, const struct peer *was,
			     const struct peer *p)
{
	char a[IP_STRLEN], b[IP_STRLEN];

	if (*p->waiting && strcmp(p->waiting, was->waiting))
		fprintf(out, "%speer %s waits: %s", next(out), p->name,
			p->waiting);
	else if (*p->host && was->endpoint.family &&
		 !ip_equal(&p->endpoint, &was->endpoint))
		fprintf(out, "%speer %s: endpoint %s: %s -> %s", next(out),
			p->name, p->host, ip_str(&was->endpoint, a),
			ip_str(&p->endpoint, b));
	else if (!ip_equal(&p->endpoint, &was->endpoint))
		fprintf(out, "%speer %s: endpoint %s", next(out), p->name,
			ip_str(&p->endpoint, a));
	else if (!ip_equal(&p->local, &was->local))
		fprintf(out, "%speer %s: local %s instead of %s", next(out),
			p->name, ip_str(&p->local, a), ip_str(&was->local, b));
	else if (*was->waiting && !*p->waiting)
		fprintf(out, "%speer %s waits no longer", next(out), p->name);
	else if (p->mtu != was->mtu)
		fprintf(out, "%speer %s: mtu %u instead of %u", next(out),
			p->name, p->mtu, was->mtu);
	else if (!ip_equal(&p->probe, &was->probe))
		fprintf(out, "%speer %s: probe %s", next(out), p->name,
			ip_str(&p->probe, a));
	else
		return false;
	return true;
}

/* Writes which peer carries a prefix instead of another. */
static void write_carrier(FILE *out, const struct owners *now,
			  const struct owned *o, const struct names *names)
{
	const struct peer *p = o->peer, *was = names_find(names, p->name);
	char prefix[PREFIX_STRLEN];

	if (!was || owner_carrying(now, o->prefix, was) == was)
		return;
	fprintf(out, "%speer %s carries %s instead of %s", next(out), p->name,
		prefix_str(o->prefix, prefix),
		owner_carrying(now, o->prefix, was)->name);
}

/* The same for all prefixes. */
static void write_carriers(FILE *out, const struct conf *now,
			   const struct conf *want, const struct names *names)
{
	struct owners is = {0}, was = {0};
	size_t n = 0;

	if (!owners_init(&is, want) && !owners_init(&was, now)) {
		for (size_t i = 0; i < is.n && n < PEERS_NAMED; i++) {
			const struct owned *o = &is.all[i];

			if (owner_carrying(&is, o->prefix, o->peer) != o->peer)
				continue;
			write_carrier(out, &was, o, names);
		}
	}
	owners_free(&is);
	owners_free(&was);
}

static void write_peers(FILE *out, const struct conf *now,
			const struct conf *want)
{
	FILE *null = fopen("/dev/null", "we");
	struct names names = {0};
	bool ranks = false;
	size_t n = 0;

	if (names_init(&names, now) || !null)
		goto out;
	for_each_peer (p, want) {
		const struct peer *was = names_find(&names, p->name);

		if (!was)
			continue;
		n += write_difference(n < PEERS_NAMED ? out : null, was, p);
		ranks |= peer_rank(p) != peer_rank(was);
	}
	if (n > PEERS_NAMED)
		fprintf(out, "; %zu more peers", n - PEERS_NAMED);
	if (ranks && want->routes)
		write_carriers(out, now, want, &names);
out:
	names_free(&names);
	if (null)
		fclose(null);
}

void mended_write(FILE *out, const struct mended *m, const struct conf *now,
		  const struct conf *want)
{
	write_hooks(out, m);
	write_from(out, m, want);
	if (m->routes)
		fprintf(out, "%sput %zu routes or addresses right", next(out),
			m->routes);
	if (now) {
		write_peers(out, now, want);
		if (want->exceptions_changed)
			fprintf(out,
				"%supdated the networks that stay outside of the tunnels",
				next(out));
	}
}

void mended_print(const struct mended *m, const struct conf *now,
		  const struct conf *want)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return;
	mended_write(out, m, now, want);
	fclose(out);
	if (text && *text)
		printf("%s: mended: %s\n", want->ifname, text);
	free(text);
}
