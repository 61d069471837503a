// SPDX-License-Identifier: GPL-2.0-only
/* `tunload status` for people: the interface, a line per peer, what is wrong.
 */
#include "show.h"

#include <string.h>

#define PARAGRAPHS_SHOWN 10 /* without -v */
#define NAME_COLUMN_MAX	 16

struct view {
	const struct screen *to;
	const struct snapshot *s;
	bool verbose;
	int label;	     /* width of the labels of settings */
	struct shown *peers; /* those that need attention first */
	size_t n, attention, up;
};

static void keep_hint(void *to, const char *text)
{
	char **hints = to, *joined;

	if (asprintf(&joined, "%s%s%s", *hints ?: "", *hints ? "\n" : "",
		     text) < 0)
		return;
	free(*hints);
	*hints = joined;
}

static int compare_shown(const void *a, const void *b)
{
	const struct shown *x = a, *y = b;
	bool x_waits = !needs_attention(x), y_waits = !needs_attention(y);

	return compare_values(x_waits, y_waits) ?: compare_values(x->i, y->i);
}

static int view_init(struct view *v)
{
	const struct snapshot *s = v->s;

	v->peers = calloc(s->n_shown + 1, sizeof(*v->peers));
	if (!v->peers)
		return fail("out of memory");
	for_each_shown(i, s)
	{
		struct shown *p = &v->peers[v->n++];

		p->i = *i;
		p->state = peer_state(&s->conf.peers[*i], &s->peers[*i],
				      s->now_ns);
		/* The hint of a waiting peer repeats its reason. */
		if (p->state != PEER_WAITING)
			peer_hints(s, *i, keep_hint, &p->hints);
		v->attention += needs_attention(p);
		v->up += p->state == PEER_UP;
	}
	sort(v->peers, v->n, sizeof(*v->peers), compare_shown);
	return OK;
}

static void view_free(struct view *v)
{
	for (size_t i = 0; i < v->n; i++)
		free(v->peers[i].hints);
	free(v->peers);
}

__attribute__((format(printf, 3, 4))) static void
setting(const struct view *v, const char *label, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	print_labelled(v->to, 0, v->label, label, fmt, args);
	va_end(args);
}

static void view_summary(const struct view *v, char *text, size_t len)
{
	const char *s = v->n == 1 ? "" : "s";

	if (v->attention)
		snprintf(text, len, "%zu of %zu peer%s need%s attention",
			 v->attention, v->n, s, v->attention == 1 ? "s" : "");
	else if (v->n && v->n == v->up)
		snprintf(text, len, "%zu peer%s up", v->n, s);
	else if (v->n)
		snprintf(text, len, "%zu of %zu peer%s up", v->up, v->n, s);
	else
		snprintf(text, len, "no peers");
}

static void print_top(const struct view *v)
{
	const struct snapshot *s = v->s;
	bool native = s->iface.mode == TL_MODE_NATIVE;
	const char *hook = tc_hook(s);
	char left[128], right[64] = "";

	snprintf(left, sizeof(left), "%-*s%s%s%s", v->label, s->conf.ifname,
		 native ? "native XDP + " : "tc by ", hook ?: "no tc hook",
		 hook && !s->kernel_has_tcx ? " (tcx needs Linux 6.6)" : "");
	if (s->n_shown == s->conf.n_peers)
		view_summary(v, right, sizeof(right));
	print_ends(v->to, left, right, v->attention ? RED : GREEN);
}

static void print_local(const struct view *v)
{
	static const char *const words[] = {"off", "on"};
	const struct conf *c = &v->s->conf;
	char ip[IP_STRLEN], left[192], right[64];
	int n = snprintf(left, sizeof(left), "%-*s", v->label, "local");

	if (c->local4.family || !c->local6.family)
		n += snprintf(left + n, sizeof(left) - n, "%s",
			      ip_str(&c->local4, ip));
	if (c->local6.family)
		snprintf(left + n, sizeof(left) - n, "%s%s",
			 c->local4.family ? "  " : "", ip_str(&c->local6, ip));
	snprintf(right, sizeof(right), "forwarding: IPv4 %s, IPv6 %s",
		 words[host_forwards(c->ifname, 4)],
		 words[host_forwards(c->ifname, 6)]);
	print_ends(v->to, left, right, PLAIN);
}

/* Opens a text of zeros to write to; the last one stays, whatever comes. */
static FILE *text_open(char *text, size_t len)
{
	return fmemopen(text, len - 1, "w");
}

/* The other interfaces from which XDP forwards. */
static void print_from(FILE *out, const struct snapshot *s)
{
	char words[TL_REASON_LEN];

	for_each_from(from, &s->conf)
	{
		forward_fault(s->conf.ifname, from, words);
		if (!*words)
			fprintf(out, ", %s", from);
	}
}

static void print_forward(const struct view *v)
{
	const struct snapshot *s = v->s;
	char text[1024] = "", name[IFNAMSIZ];
	const char *comma = " to ";
	FILE *out;

	if (s->conf.forward != TL_FORWARD_XDP)
		return;
	if (!is_forwarding(s)) {
		setting(v, "forward",
			"by the kernel: forward = xdp needs native mode");
		return;
	}
	out = text_open(text, sizeof(text));
	if (!out)
		return;
	fprintf(out, "in XDP from %s", s->conf.ifname);
	print_from(out, s);
	for (size_t i = 0; i < s->n_forward_to; i++) {
		if (!if_indextoname(s->forward_to[i], name))
			continue;
		fprintf(out, "%s%s", comma, name);
		comma = ", ";
	}
	fclose(out);
	setting(v, "forward",
		"%s%s: netfilter, rp_filter and tcpdump do not see those packets",
		text, s->n_forward_to ? "" : " to no interface");
}

static void print_cpus(const struct view *v)
{
	if (v->s->conf.cpus != TL_CPUS_ALL)
		return;
	setting(v, "cpus", "%s",
		v->s->iface.mode == TL_MODE_NATIVE
			? "all, by inner flow (kernel threads cpumap/N)"
			: "as the kernel chooses: cpus = all needs native mode");
}

static void setting_hint(void *to, const char *text)
{
	setting(to, "hint", "%s", text);
}

static void print_settings(struct view *v)
{
	const struct snapshot *s = v->s;
	bool native = s->iface.mode == TL_MODE_NATIVE;

	print_top(v);
	if (!native || v->verbose)
		setting(v, "mode", "%s: %s", native ? "native XDP" : "tc",
			s->iface.mode_reason);
	print_local(v);
	/* See READABLE_AT_MOST in bpf/core/parse.h. */
	if (xdp_reads_linear_only(s) && v->verbose)
		setting(v, "xdp",
			"no headers behind a frame's linear part (bpf_xdp_pull_data needs Linux 6.18)");
	if (!s->conf.routes)
		setting(v, "routes",
			"none of ours (routes = no): only what is routed to a peer's gateway is tunnelled; -v shows the gateways");
	print_forward(v);
	print_cpus(v);
	interface_hints(s, setting_hint, v);
}

/* The columns of the table, and their ranks; without rates. */
enum { PEER, STATE, ENDPOINT, ALLOWED, MTU, LAST_IN, IN, OUT, N_COLUMNS };

static const struct column status_columns[N_COLUMNS] = {
	[PEER] = {"PEER"},
	[STATE] = {"STATE"},
	[ENDPOINT] = {"ENDPOINT", .rank = 4},
	[ALLOWED] = {"ALLOWED IPS", .rank = 5},
	[MTU] = {"MTU", .right = true, .rank = 6},
	[LAST_IN] = {"LAST IN", .right = true, .rank = 1},
	[IN] = {"IN", .right = true, .rank = 2},
	[OUT] = {"OUT", .right = true, .rank = 3},
};

static void amount_str(const struct snapshot *s, size_t i, bool in,
		       char text[static CELL_STRLEN])
{
	const struct tl_verdicts *v = &s->peers[i].verdicts;
	const struct tl_counter c = in ? rx_total(v) : tx_total(v);
	char human[HUMAN_STRLEN];
	double rate = -1;

	if (s->rates)
		rate = in ? s->rates[i].rx : s->rates[i].tx;
	if (!s->rates)
		snprintf(text, CELL_STRLEN, "%sB", human_count(c.bytes, human));
	else if (rate < 0)
		strcpy(text, "-");
	else
		snprintf(text, CELL_STRLEN, "%s", human_count(rate, human));
}

static void status_cell(const void *data, size_t row, int column,
			char text[static CELL_STRLEN])
{
	const struct view *v = data;
	const struct shown *shown = &v->peers[row];
	const struct peer *p = &v->s->conf.peers[shown->i];

	switch (column) {
	case PEER:
		snprintf(text, CELL_STRLEN, "%s", p->name);
		break;
	case STATE:
		strcpy(text, is_trouble(shown->state) || !stands_by(v->s, p)
				     ? peer_states[shown->state].text
				     : "standby");
		break;
	case ENDPOINT:
		ip_str(&p->endpoint, text);
		break;
	case ALLOWED:
		allowed_str(p, text);
		break;
	case MTU:
		snprintf(text, CELL_STRLEN, "%u", mtu_now(v->s, p));
		break;
	case LAST_IN:
		human_age(v->s->now_ns, v->s->peers[shown->i].last_rx_ns, text);
		break;
	default:
		amount_str(v->s, shown->i, column == IN, text);
	}
}

static enum paint status_paint(const void *data, size_t row, int column)
{
	static const enum paint paints[] = {
		[PEER_WAITING] = YELLOW, [PEER_NO_ANSWER] = RED,
		[PEER_SILENT] = RED,	 [PEER_IDLE] = PLAIN,
		[PEER_UP] = GREEN,
	};
	const struct view *v = data;

	return column == STATE ? paints[v->peers[row].state] : PLAIN;
}

static void print_table(const struct view *v)
{
	struct column columns[N_COLUMNS];
	const struct grid grid = {
		.columns = columns,
		.n_columns = N_COLUMNS,
		.n_rows = v->n,
		.cell = status_cell,
		.paint = status_paint,
		.data = v,
		.more = "-v",
	};

	memcpy(columns, status_columns, sizeof(columns));
	if (v->s->rates) {
		columns[IN].head = "IN b/s";
		columns[OUT].head = "OUT b/s";
	}
	fputc('\n', v->to->out);
	if (v->n)
		grid_print(v->to, &grid);
	else
		fprintf(v->to->out,
			"no peers: add them with `tunload peer add %s NAME endpoint A allowed-ips P`\n",
			v->s->conf.ifname);
}

/* What came from or about a peer instead of tunnelled packets. */
static void print_refused(FILE *out, const struct tl_verdicts *v)
{
	const char *comma = "; came back: ";

	for (int i = 0; i < TL_VERDICT_COUNT; i++) {
		const struct verdict *row = &verdict_list[i];
		uint64_t packets = verdict_counters(v)[i].packets;

		if (!packets || row->fate == TL_FATE_TUNNEL ||
		    (row->from != TL_FROM_PEER && row->from != TL_FROM_ICMP))
			continue;
		fprintf(out, "%s%ju %s", comma, (uintmax_t)packets, row->name);
		comma = ", ";
	}
}

/* What is known of a peer in trouble. */
static void facts_str(const struct view *v, const struct shown *shown,
		      char *text, size_t len)
{
	const struct tl_peer_stats *stats = &v->s->peers[shown->i];
	char in[HUMAN_STRLEN], age[HUMAN_STRLEN];
	FILE *out = text_open(text, len);

	if (!out)
		return;
	human_age(v->s->now_ns, stats->last_tx_ns, age);
	if (shown->state == PEER_WAITING) {
		fputs(v->s->conf.peers[shown->i].waiting, out);
	} else if (shown->state == PEER_NO_ANSWER) {
		fprintf(out, "%ju sent, the last one %s ago, none back",
			(uintmax_t)tx_total(&stats->verdicts).packets, age);
		print_refused(out, &stats->verdicts);
	} else if (shown->state == PEER_SILENT) {
		fprintf(out, "nothing received for %s, last sent %s ago",
			human_age(v->s->now_ns, stats->last_rx_ns, in), age);
	}
	fclose(out);
}

static void print_paragraph(const struct view *v, const struct shown *shown,
			    int column)
{
	char text[1024] = "", *hints = shown->hints, *hint;
	FILE *out = v->to->out;
	bool first = true;

	fprintf(out, "%s%-*s%s", paint(v->to, BOLD), column,
		v->s->conf.peers[shown->i].name, paint(v->to, PLAIN));
	facts_str(v, shown, text, sizeof(text));
	if (*text) {
		print_under(v->to, column, text);
		first = false;
	}
	while ((hint = strsep(&hints, "\n"))) {
		fprintf(out, "%*s-> ", first ? 0 : column, "");
		print_under(v->to, column + 3, hint);
		first = false;
	}
}

static void print_trouble(const struct view *v)
{
	size_t n = v->attention;
	int column = 0;

	if (!v->verbose && n > PARAGRAPHS_SHOWN)
		n = PARAGRAPHS_SHOWN;
	for (size_t i = 0; i < n; i++) {
		int len = strlen(v->s->conf.peers[v->peers[i].i].name);

		if (len > column && len <= NAME_COLUMN_MAX)
			column = len;
	}
	if (n)
		fputc('\n', v->to->out);
	for (size_t i = 0; i < n; i++) {
		int len = strlen(v->s->conf.peers[v->peers[i].i].name);

		print_paragraph(v, &v->peers[i],
				(len > column ? len : column) + 2);
	}
	if (n < v->attention)
		fprintf(v->to->out,
			"%zu more need attention: `tunload status %s -v` has all\n",
			v->attention - n, v->s->conf.ifname);
}

static void print_drops(const struct view *v)
{
	const char *comma = "";
	char text[1024] = "";
	uint64_t all = 0;
	FILE *out = text_open(text, sizeof(text));

	if (!out)
		return;
	for (int i = 0; i < TL_VERDICT_COUNT; i++) {
		uint64_t n = verdict_counters(&v->s->verdicts)[i].packets;

		if (!n || verdict_list[i].fate != TL_FATE_DROP)
			continue;
		fprintf(out, "%s%ju %s", comma, (uintmax_t)n,
			verdict_list[i].name);
		comma = ", ";
		all += n;
	}
	fclose(out);
	if (!all)
		return;
	fputc('\n', v->to->out);
	setting(v, "dropped", "%s (-v explains)", text);
}

int status_text(const struct screen *to, const struct snapshot *s, bool verbose)
{
	struct view v = {.to = to, .s = s, .verbose = verbose};
	int len = strlen(s->conf.ifname);
	int ret = view_init(&v);

	v.label = (len > 7 ? len : 7) + 2;
	if (!ret) {
		print_settings(&v);
		print_table(&v);
		print_trouble(&v);
		if (verbose)
			print_details(to, s);
		else
			print_drops(&v);
	}
	view_free(&v);
	return ret;
}
