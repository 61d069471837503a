// SPDX-License-Identifier: GPL-2.0-only
/* `tunload status` for people. */
#include "show.h"

#include <string.h>

#define PREFIXES_SHOWN 12
#define HINT_COLUMNS   64

/* 1536 -> "1.5 KiB" */
static const char *human_bytes(uint64_t bytes, char buf[static 32])
{
	static const char *const units[] = {"B",   "KiB", "MiB", "GiB",
					    "TiB", "PiB", "EiB"};
	double n = bytes;
	int unit = 0;

	while (n >= 1024) {
		n /= 1024;
		unit++;
	}
	snprintf(buf, 32, unit ? "%.1f %s" : "%.0f %s", n, units[unit]);
	return buf;
}

static const char *human_age(const struct snapshot *s, uint64_t then_ns,
			     char buf[static 32])
{
	uint64_t seconds;

	if (!then_ns)
		return strcpy(buf, "never");
	seconds = then_ns < s->now_ns ? (s->now_ns - then_ns) / 1000000000 : 0;
	if (seconds < 120)
		snprintf(buf, 32, "%ju s ago", (uintmax_t)seconds);
	else if (seconds < 2 * 3600)
		snprintf(buf, 32, "%ju min ago", (uintmax_t)seconds / 60);
	else if (seconds < 2 * 86400)
		snprintf(buf, 32, "%ju h ago", (uintmax_t)seconds / 3600);
	else
		snprintf(buf, 32, "%ju days ago", (uintmax_t)seconds / 86400);
	return buf;
}

static void print_endpoint(const struct peer *p)
{
	char endpoint[IP_STRLEN], local[IP_STRLEN];
	bool inner4 = peer_inner(p, 4), inner6 = peer_inner(p, 6);
	unsigned int outer = p->endpoint.family;

	printf("\npeer %s: %s <- %s", p->name, ip_str(&p->endpoint, endpoint),
	       ip_str(&p->local, local));
	if (*p->waiting)
		printf(", waits");
	else if (inner4 && inner6)
		printf(" (4in%u, 6in%u)", outer, outer);
	else
		printf(" (%uin%u)", inner4 ? 4 : 6, outer);
	putchar('\n');
	if (p->host[0])
		printf("  name         %s\n", p->host);
}

static void print_allowed(const struct peer *p)
{
	char text[PREFIX_STRLEN];
	size_t i;

	printf("  allowed ips  ");
	for (i = 0; i < p->n_allowed && i < PREFIXES_SHOWN; i++)
		printf("%s%s", i ? ", " : "", prefix_str(&p->allowed[i], text));
	if (i < p->n_allowed)
		printf(" and %zu more", p->n_allowed - i);
	putchar('\n');
}

static void print_traffic(const char *label, const struct tl_counter *c,
			  const char *last)
{
	char bytes[32];

	printf("  %-12s %ju packet%s, %s, last %s\n", label,
	       (uintmax_t)c->packets, c->packets == 1 ? "" : "s",
	       human_bytes(c->bytes, bytes), last);
}

/* Returns the length of the first line of a text: it ends at a blank, though
 * not within a `command`, which people copy. */
static size_t line_len(const char *text)
{
	bool command = false;
	size_t len = 0, n;

	for (n = 0; text[n] && (n <= HINT_COLUMNS || !len); n++) {
		command ^= text[n] == '`';
		if (text[n] == ' ' && !command)
			len = n;
	}
	return n > HINT_COLUMNS && len ? len : n;
}

/* Wraps the text, under the label. */
static void print_hint(void *to, const char *text)
{
	const char *label = "hint";
	size_t n;

	while (*text) {
		n = line_len(text);
		fprintf(to, "  %-12s %.*s\n", label, (int)n, text);
		text += n;
		text += strspn(text, " ");
		label = "";
	}
}

static void print_verdict(enum tl_verdict verdict, const struct tl_counter *c)
{
	static const char *const fates[] = {
		[TL_FATE_TUNNEL] = "tunnelled",
		[TL_FATE_PASS] = "passed",
		[TL_FATE_DROP] = "dropped",
		[TL_FATE_ANSWER] = "answered",
	};
	char bytes[32];

	if (c->packets)
		printf("  %-12s %ju packet%s, %s, %s: %s\n",
		       fates[verdict_list[verdict].fate], (uintmax_t)c->packets,
		       c->packets == 1 ? "" : "s", human_bytes(c->bytes, bytes),
		       verdict_list[verdict].name, verdict_list[verdict].text);
}

static void print_fate(const struct tl_verdicts *v, enum tl_fate fate)
{
	for (int i = 0; i < TL_VERDICT_COUNT; i++) {
		if (verdict_list[i].fate == fate)
			print_verdict(i, &verdict_counters(v)[i]);
	}
}

static void print_mtu(const struct snapshot *s, const struct peer *p)
{
	uint64_t left = mtu_learned_for(s, p) / 1000000000;

	if (left)
		printf("  mtu          %u (learnt from ICMP, for another %ju s; else %u)\n",
		       p->learned_mtu, (uintmax_t)left, p->mtu);
	else
		printf("  mtu          %u\n", p->mtu);
}

/* With routes = no, prints the gateways that the user's routes need. */
static void print_gateways(const struct snapshot *s, const struct peer *p)
{
	struct ip four = peer_gateway(&s->conf, p, 4);
	struct ip six = peer_gateway(&s->conf, p, 6);
	char text[IP_STRLEN];

	if (s->conf.routes)
		return;
	printf("  gateway      ");
	if (four.family)
		printf("%s, ", ip_str(&four, text));
	printf("%s\n", ip_str(&six, text));
}

static void print_peer(const struct snapshot *s, size_t i)
{
	const struct tl_peer_stats *stats = &s->peers[i];
	const struct tl_counter rx = rx_total(&stats->verdicts);
	const struct tl_counter tx = tx_total(&stats->verdicts);
	const struct peer *p = &s->conf.peers[i];
	char age[32];

	print_endpoint(p);
	print_allowed(p);
	print_gateways(s, p);
	print_mtu(s, p);
	print_traffic("received", &rx, human_age(s, stats->last_rx_ns, age));
	print_traffic("sent", &tx, human_age(s, stats->last_tx_ns, age));
	print_fate(&stats->verdicts, TL_FATE_DROP);
	print_fate(&stats->verdicts, TL_FATE_PASS);
	peer_hints(s, i, print_hint, stdout);
}

/* The other interfaces from which XDP forwards. */
static void print_from(const struct snapshot *s)
{
	char words[TL_REASON_LEN];

	for_each_from(from, &s->conf)
	{
		forward_fault(s->conf.ifname, from, words);
		if (!*words)
			printf(", %s", from);
	}
}

static void print_forward(const struct snapshot *s)
{
	const char *comma = " to ";
	char name[IFNAMSIZ];

	if (s->conf.forward != TL_FORWARD_XDP)
		return;
	printf("  forward      ");
	if (!is_forwarding(s)) {
		printf("by the kernel: forward = xdp needs native mode\n");
		return;
	}
	printf("in XDP from %s", s->conf.ifname);
	print_from(s);
	for (size_t i = 0; i < s->n_forward_to; i++) {
		if (!if_indextoname(s->forward_to[i], name))
			continue;
		printf("%s%s", comma, name);
		comma = ", ";
	}
	if (!s->n_forward_to)
		printf(" to no interface");
	printf(": netfilter, rp_filter and tcpdump do not see those packets\n");
}

static void print_cpus(const struct snapshot *s)
{
	if (s->conf.cpus != TL_CPUS_ALL)
		return;
	printf("  cpus         %s\n",
	       s->iface.mode == TL_MODE_NATIVE
		       ? "all, by inner flow (kernel threads cpumap/N)"
		       : "as the kernel chooses: cpus = all needs native mode");
}

static void print_settings(const struct snapshot *s)
{
	const char *tcx = s->kernel_has_tcx ? "" : " (tcx needs Linux 6.6)";
	bool native = s->iface.mode == TL_MODE_NATIVE;
	const char *hook = tc_hook(s);
	char local[IP_STRLEN];

	printf("%s: attached, %s (%s)\n", s->conf.ifname,
	       native ? "native XDP" : "tc", s->iface.mode_reason);
	printf("  tc hook      %s%s\n", hook ?: "none", hook ? tcx : "");
	/* See READABLE_AT_MOST in bpf/core/parse.h. */
	if (native && !kernel_at_least(6, 18))
		printf("  xdp          no headers behind a frame's linear part (bpf_xdp_pull_data needs Linux 6.18)\n");
	printf("  local4       %s\n", ip_str(&s->conf.local4, local));
	printf("  local6       %s\n", ip_str(&s->conf.local6, local));
	if (!s->conf.routes)
		printf("  routes       none of ours (routes = no): only what is routed to a peer's gateway is tunnelled\n");
	print_forward(s);
	print_cpus(s);
}

void status_text(const struct snapshot *s)
{
	print_settings(s);
	interface_hints(s, print_hint, stdout);
	if (!s->conf.n_peers)
		printf("\nno peers: add them with `tunload peer add %s NAME endpoint A allowed-ips P`\n",
		       s->conf.ifname);
	for (size_t i = 0; i < s->conf.n_peers; i++)
		print_peer(s, i);
	printf("\nall packets of %s\n", s->conf.ifname);
	print_fate(&s->verdicts, TL_FATE_DROP);
	print_fate(&s->verdicts, TL_FATE_TUNNEL);
	print_fate(&s->verdicts, TL_FATE_PASS);
}
