// SPDX-License-Identifier: GPL-2.0-only
/* Prints what was repaired. */
#include "tunnel.h"

#include <stdlib.h>
#include <string.h>

#define PEERS_NAMED 8

/* Returns the "; " between parts, or "" before the first. */
static const char *next(FILE *out)
{
	return ftell(out) > 0 ? "; " : "";
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

static void write_peers(FILE *out, const struct conf *now,
			const struct conf *want)
{
	FILE *null = fopen("/dev/null", "we");
	struct names names = {0};
	size_t n = 0;

	if (names_init(&names, now) || !null)
		goto out;
	for (size_t i = 0; i < want->n_peers; i++) {
		const struct peer *p = &want->peers[i];
		const struct peer *was = names_find(&names, p->name);

		if (was)
			n += write_difference(n < PEERS_NAMED ? out : null, was,
					      p);
	}
	if (n > PEERS_NAMED)
		fprintf(out, "; %zu more peers", n - PEERS_NAMED);
out:
	names_free(&names);
	if (null)
		fclose(null);
}

void mended_write(FILE *out, const struct mended *m, const struct conf *now,
		  const struct conf *want)
{
	write_hooks(out, m);
	if (m->routes)
		fprintf(out, "%sput %zu routes or addresses right", next(out),
			m->routes);
	if (now && want) {
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
