// SPDX-License-Identifier: GPL-2.0-only
/* Prints counters in OpenMetrics, or in the text format of Prometheus. */
#include "show.h"

#include <string.h>

struct metrics {
	FILE *out;
	enum metrics_format format;
	const struct snapshot *all;
	size_t n;
	int64_t boot_ns; /* CLOCK_REALTIME at which CLOCK_MONOTONIC was 0 */
};

/* A family of metrics. each() prints the samples of an interface, or is NULL
 * if each_peer() prints those of its peer i. */
struct family {
	const char *name, *type, *unit, *help;
	void (*each)(const struct metrics *m, const struct family *f,
		     const struct snapshot *s);
	void (*each_peer)(const struct metrics *m, const struct family *f,
			  const struct snapshot *s, size_t i);
};

/* What OpenMetrics appends to the name in a sample. */
static const char *suffix_of(const struct family *f)
{
	if (!strcmp(f->type, "counter"))
		return "_total";
	return !strcmp(f->type, "info") ? "_info" : "";
}

static void print_escaped(FILE *out, const char *text)
{
	for (; *text; text++) {
		if (*text == '\\' || *text == '"')
			fputc('\\', out);
		if (*text == '\n')
			fputs("\\n", out);
		else
			fputc(*text, out);
	}
}

struct label {
	const char *name, *value;
};

/* Prints the name with its labels; a label without a name ends the list. */
static void sample(const struct metrics *m, const struct family *f,
		   const struct label *labels)
{
	const char *comma = "{";

	fprintf(m->out, "%s%s", f->name, suffix_of(f));
	for (; labels->name; labels++) {
		fprintf(m->out, "%s%s=\"", comma, labels->name);
		print_escaped(m->out, labels->value);
		fputc('"', m->out);
		comma = ",";
	}
	fputs("} ", m->out);
}

#define labels(...) ((const struct label[]){__VA_ARGS__, {0}})

static void number(const struct metrics *m, const struct family *f,
		   const struct label *labels, uint64_t n)
{
	sample(m, f, labels);
	fprintf(m->out, "%ju\n", (uintmax_t)n);
}

static void of_peer(const struct metrics *m, const struct family *f,
		    const struct snapshot *s, size_t i, uint64_t n)
{
	number(m, f,
	       labels({"interface", s->conf.ifname},
		      {"peer", s->conf.peers[i].name}),
	       n);
}

static void build_info(const struct metrics *m, const struct family *f)
{
	number(m, f, labels({"version", VERSION}), 1);
}

static void interface_info(const struct metrics *m, const struct family *f,
			   const struct snapshot *s)
{
	bool native = s->iface.mode == TL_MODE_NATIVE;

	number(m, f,
	       labels({"interface", s->conf.ifname},
		      {"mode", native ? "native" : "tc"},
		      {"tc_hook", tc_hook(s) ?: ""}),
	       1);
}

static void peers_number(const struct metrics *m, const struct family *f,
			 const struct snapshot *s)
{
	number(m, f, labels({"interface", s->conf.ifname}), s->conf.n_peers);
}

static void changes_number(const struct metrics *m, const struct family *f,
			   const struct snapshot *s)
{
	number(m, f, labels({"interface", s->conf.ifname}), s->changes_pending);
}

static void hooks_number(const struct metrics *m, const struct family *f,
			 const struct snapshot *s)
{
	for (int h = 0; h < HOOK_COUNT; h++)
		number(m, f,
		       labels({"interface", s->conf.ifname},
			      {"hook", hook_names[h]}),
		       s->hooks_missing[h]);
}

static void verdict_samples(const struct metrics *m, const struct family *f,
			    const struct snapshot *s)
{
	bool bytes = *f->unit;

	for (int v = 0; v < TL_VERDICT_COUNT; v++) {
		const struct tl_counter *c = &verdict_counters(&s->verdicts)[v];

		number(m, f,
		       labels({"interface", s->conf.ifname},
			      {"verdict", verdict_list[v].name},
			      {"fate", fate_names[verdict_list[v].fate]}),
		       bytes ? c->bytes : c->packets);
	}
}

/* Only those that happened: peers and verdicts are many. */
static void peer_verdicts(const struct metrics *m, const struct family *f,
			  const struct snapshot *s, size_t i)
{
	const struct tl_counter *c = verdict_counters(&s->peers[i].verdicts);

	for (int v = 0; v < TL_VERDICT_COUNT; v++)
		if (c[v].packets)
			number(m, f,
			       labels({"interface", s->conf.ifname},
				      {"peer", s->conf.peers[i].name},
				      {"verdict", verdict_list[v].name},
				      {"fate",
				       fate_names[verdict_list[v].fate]}),
			       c[v].packets);
}

static void peer_info(const struct metrics *m, const struct family *f,
		      const struct snapshot *s, size_t i)
{
	const struct peer *p = &s->conf.peers[i];
	char endpoint[IP_STRLEN] = "", local[IP_STRLEN] = "";

	if (p->endpoint.family)
		ip_str(&p->endpoint, endpoint);
	if (p->local.family)
		ip_str(&p->local, local);
	number(m, f,
	       labels({"interface", s->conf.ifname}, {"peer", p->name},
		      {"endpoint", endpoint}, {"hostname", p->host},
		      {"local", local}),
	       1);
}

static enum peer_state state_now(const struct snapshot *s, size_t i)
{
	return peer_state(&s->conf.peers[i], &s->peers[i], s->now_ns);
}

static void peer_up(const struct metrics *m, const struct family *f,
		    const struct snapshot *s, size_t i)
{
	of_peer(m, f, s, i, state_now(s, i) == PEER_UP);
}

static void peer_is_in(const struct metrics *m, const struct family *f,
		       const struct snapshot *s, size_t i)
{
	enum peer_state now = state_now(s, i);

	for (int state = 0; state < PEER_STATES; state++)
		number(m, f,
		       labels({"interface", s->conf.ifname},
			      {"peer", s->conf.peers[i].name},
			      {f->name, peer_states[state].word}),
		       state == (int)now);
}

static void rx_packets(const struct metrics *m, const struct family *f,
		       const struct snapshot *s, size_t i)
{
	of_peer(m, f, s, i, rx_total(&s->peers[i].verdicts).packets);
}

static void rx_bytes(const struct metrics *m, const struct family *f,
		     const struct snapshot *s, size_t i)
{
	of_peer(m, f, s, i, rx_total(&s->peers[i].verdicts).bytes);
}

static void tx_packets(const struct metrics *m, const struct family *f,
		       const struct snapshot *s, size_t i)
{
	of_peer(m, f, s, i, tx_total(&s->peers[i].verdicts).packets);
}

static void tx_bytes(const struct metrics *m, const struct family *f,
		     const struct snapshot *s, size_t i)
{
	of_peer(m, f, s, i, tx_total(&s->peers[i].verdicts).bytes);
}

/* Prints no sample for 0, which is never. */
static void peer_time(const struct metrics *m, const struct family *f,
		      const struct snapshot *s, size_t i, uint64_t then_ns)
{
	if (!then_ns)
		return;
	sample(m, f,
	       labels({"interface", s->conf.ifname},
		      {"peer", s->conf.peers[i].name}));
	fprintf(m->out, "%.3f\n",
		(double)(m->boot_ns + (int64_t)then_ns) / NS_PER_S);
}

static void last_rx(const struct metrics *m, const struct family *f,
		    const struct snapshot *s, size_t i)
{
	peer_time(m, f, s, i, s->peers[i].last_rx_ns);
}

static void last_tx(const struct metrics *m, const struct family *f,
		    const struct snapshot *s, size_t i)
{
	peer_time(m, f, s, i, s->peers[i].last_tx_ns);
}

static void mtu_samples(const struct metrics *m, const struct family *f,
			const struct snapshot *s, size_t i)
{
	of_peer(m, f, s, i, mtu_now(s, &s->conf.peers[i]));
}

static void learned(const struct metrics *m, const struct family *f,
		    const struct snapshot *s, size_t i)
{
	if (mtu_learned_for(s, &s->conf.peers[i]))
		of_peer(m, f, s, i, s->conf.peers[i].learned_mtu);
}

/* clang-format off */
static const struct family build = {
	"tunload_build", "info", "", "The version of tunload", NULL, NULL};

static const struct family families[] = {
	{"tunload_interface", "info", "",
	 "How tunload is attached to an interface", interface_info, NULL},
	{"tunload_peers", "gauge", "", "Number of peers", peers_number, NULL},
	{"tunload_changes_pending", "gauge", "",
	 "Routes, rules, neighbours and addresses that are not as they should be",
	 changes_number, NULL},
	{"tunload_hook_missing", "gauge", "",
	 "Whether somebody took our program off the hook", hooks_number, NULL},
	{"tunload_verdict_packets", "counter", "",
	 "Packets by what was done with them, and why", verdict_samples, NULL},
	{"tunload_verdict_bytes", "counter", "bytes",
	 "Bytes of these packets, inner ones if they are tunnelled",
	 verdict_samples, NULL},
	{"tunload_peer", "info", "", "The outer addresses of a peer",
	 NULL, peer_info},
	{"tunload_peer_up", "gauge", "",
	 "Whether the peer was received from lately", NULL, peer_up},
	{"tunload_peer_state", "stateset", "",
	 "The state of a peer, see STATES in tunload(8)", NULL, peer_is_in},
	{"tunload_peer_receive_packets", "counter", "",
	 "Packets that came out of the tunnel", NULL, rx_packets},
	{"tunload_peer_receive_bytes", "counter", "bytes",
	 "Inner bytes that came out of the tunnel", NULL, rx_bytes},
	{"tunload_peer_transmit_packets", "counter", "",
	 "Packets that went into the tunnel", NULL, tx_packets},
	{"tunload_peer_transmit_bytes", "counter", "bytes",
	 "Inner bytes that went into the tunnel", NULL, tx_bytes},
	{"tunload_peer_verdict_packets", "counter", "",
	 "Packets of a peer by what was done with them; none if there were none",
	 NULL, peer_verdicts},
	{"tunload_peer_last_receive_timestamp_seconds", "gauge", "seconds",
	 "When the last packet came out of the tunnel; none if never",
	 NULL, last_rx},
	{"tunload_peer_last_transmit_timestamp_seconds", "gauge", "seconds",
	 "When the last packet went into the tunnel; none if never",
	 NULL, last_tx},
	{"tunload_peer_mtu_bytes", "gauge", "bytes",
	 "The largest inner packet at this time", NULL, mtu_samples},
	{"tunload_peer_learned_mtu_bytes", "gauge", "bytes",
	 "The largest inner packet by an ICMP error; none if there was none",
	 NULL, learned},
};
/* clang-format on */

static void print_head_of(const struct metrics *m, const struct family *f)
{
	bool is_counter = !strcmp(f->type, "counter");

	if (m->format == METRICS_TEXT) {
		fprintf(m->out, "# HELP %s%s %s\n# TYPE %s%s %s\n", f->name,
			suffix_of(f), f->help, f->name, suffix_of(f),
			is_counter ? "counter" : "gauge");
		return;
	}
	fprintf(m->out, "# TYPE %s %s\n", f->name, f->type);
	if (*f->unit)
		fprintf(m->out, "# UNIT %s %s\n", f->name, f->unit);
	fprintf(m->out, "# HELP %s %s\n", f->name, f->help);
}

static void print_family(const struct metrics *m, const struct family *f)
{
	print_head_of(m, f);
	for (size_t i = 0; i < m->n; i++) {
		const struct snapshot *s = &m->all[i];

		if (f->each)
			f->each(m, f, s);
		for (size_t p = 0; f->each_peer && p < s->conf.n_peers; p++)
			f->each_peer(m, f, s, p);
	}
}

void metrics_print(FILE *out, enum metrics_format format,
		   const struct snapshot *all, size_t n)
{
	const struct metrics m = {
		.out = out,
		.format = format,
		.all = all,
		.n = n,
		.boot_ns = clock_ns(CLOCK_REALTIME) - clock_ns(CLOCK_MONOTONIC),
	};

	print_head_of(&m, &build);
	build_info(&m, &build);
	for (size_t i = 0; i < sizeof(families) / sizeof(*families); i++)
		print_family(&m, &families[i]);
	if (format == METRICS_OPEN)
		fputs("# EOF\n", out);
}
