// SPDX-License-Identifier: GPL-2.0-only
/* `tunload status -v`: all about each peer, and every verdict. */
#include "show.h"

#include <string.h>

#define LABEL_COLUMN 15

const char *const fate_names[] = {
	[TL_FATE_TUNNEL] = "tunnelled",
	[TL_FATE_PASS] = "passed",
	[TL_FATE_DROP] = "dropped",
	[TL_FATE_ANSWER] = "answered",
};

__attribute__((format(printf, 3, 4))) static void
detail(const struct screen *to, const char *label, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	print_labelled(to, 2, LABEL_COLUMN, label, fmt, args);
	va_end(args);
}

static void detail_endpoint(const struct screen *to, const struct peer *p)
{
	char endpoint[IP_STRLEN], local[IP_STRLEN];
	bool inner4 = peer_inner(p, 4), inner6 = peer_inner(p, 6);
	unsigned int outer = p->endpoint.family;

	fprintf(to->out, "\n%speer %s%s: %s <- %s", paint(to, BOLD), p->name,
		paint(to, PLAIN), ip_str(&p->endpoint, endpoint),
		ip_str(&p->local, local));
	if (*p->waiting)
		fprintf(to->out, ", waits\n");
	else if (inner4 && inner6)
		fprintf(to->out, " (4in%u, 6in%u)\n", outer, outer);
	else
		fprintf(to->out, " (%uin%u)\n", inner4 ? 4 : 6, outer);
	if (p->host[0])
		detail(to, "name", "%s", p->host);
}

static void detail_allowed(const struct screen *to, const struct peer *p)
{
	char text[PREFIX_STRLEN];
	int at = 0;

	fprintf(to->out, "  %-*s", LABEL_COLUMN - 2, "allowed ips");
	if (p->routed)
		at += fprintf(to->out, "routed%s", p->n_allowed ? "," : "");
	for_each_allowed (a, p) {
		int n = strlen(prefix_str(a, text));
		bool last = a + 1 == p->allowed + p->n_allowed;

		if (at && LABEL_COLUMN + at + 1 + n + !last > to->width) {
			fprintf(to->out, "\n%*s", LABEL_COLUMN, "");
			at = 0;
		}
		at += fprintf(to->out, "%s%s%s", at ? " " : "", text,
			      last ? "" : ",");
	}
	fputc('\n', to->out);
}

static void detail_carriers(const struct screen *to, const struct snapshot *s,
			    const struct peer *p)
{
	char prefix[PREFIX_STRLEN];

	for_each_allowed (a, p)
		if (carrier(s, a, p) != p)
			detail(to, "stands by", "for %s, which %s carries",
			       prefix_str(a, prefix), carrier(s, a, p)->name);
}

static void detail_traffic(const struct screen *to, const char *label,
			   const struct tl_counter *c, const char *last)
{
	char bytes[HUMAN_STRLEN];

	detail(to, label, "%ju packet%s, %sB, last %s%s", (uintmax_t)c->packets,
	       c->packets == 1 ? "" : "s", human_count(c->bytes, bytes), last,
	       strcmp(last, "never") != 0 ? " ago" : "");
}

static void detail_fate(const struct screen *to, const struct tl_verdicts *v,
			enum tl_fate fate)
{
	char bytes[HUMAN_STRLEN];

	for (int i = 0; i < TL_VERDICT_COUNT; i++) {
		const struct tl_counter *c = &verdict_counters(v)[i];

		if (verdict_list[i].fate == fate && c->packets)
			detail(to, fate_names[fate],
			       "%ju packet%s, %sB, %s: %s",
			       (uintmax_t)c->packets,
			       c->packets == 1 ? "" : "s",
			       human_count(c->bytes, bytes),
			       verdict_list[i].name, verdict_list[i].text);
	}
}

static void detail_mtu(const struct screen *to, const struct snapshot *s,
		       const struct peer *p)
{
	uint64_t left = mtu_learned_for(s, p) / NS_PER_S;

	if (left)
		detail(to, "mtu",
		       "%u (learnt from ICMP, for another %ju s; else %u)",
		       p->learned_mtu, (uintmax_t)left, p->mtu);
	else
		detail(to, "mtu", "%u", p->mtu);
}

static void detail_gateways(const struct screen *to, const struct snapshot *s,
			    const struct peer *p)
{
	struct ip four = peer_gateway(&s->conf, p, 4);
	struct ip six = peer_gateway(&s->conf, p, 6);
	char text4[IP_STRLEN], text6[IP_STRLEN];

	ip_str(&six, text6);
	if (four.family)
		detail(to, "gateway", "%s, %s", ip_str(&four, text4), text6);
	else
		detail(to, "gateway", "%s", text6);
}

static void detail_peer(const struct screen *to, const struct snapshot *s,
			size_t i)
{
	const struct tl_peer_stats *stats = &s->peers[i];
	const struct tl_counter rx = rx_total(&stats->verdicts);
	const struct tl_counter tx = tx_total(&stats->verdicts);
	const struct peer *p = &s->conf.peers[i];
	char age[HUMAN_STRLEN];

	detail_endpoint(to, p);
	detail_allowed(to, p);
	detail_carriers(to, s, p);
	detail_gateways(to, s, p);
	detail_mtu(to, s, p);
	detail_traffic(to, "received", &rx,
		       human_age(s->now_ns, stats->last_rx_ns, age));
	detail_traffic(to, "sent", &tx,
		       human_age(s->now_ns, stats->last_tx_ns, age));
	detail_fate(to, &stats->verdicts, TL_FATE_DROP);
	detail_fate(to, &stats->verdicts, TL_FATE_PASS);
}

void print_details(const struct screen *to, const struct snapshot *s)
{
	for_each_shown(i, s) detail_peer(to, s, *i);
	fprintf(to->out, "\nall packets of %s\n", s->conf.ifname);
	detail_fate(to, &s->verdicts, TL_FATE_DROP);
	detail_fate(to, &s->verdicts, TL_FATE_TUNNEL);
	detail_fate(to, &s->verdicts, TL_FATE_ANSWER);
	detail_fate(to, &s->verdicts, TL_FATE_PASS);
}
