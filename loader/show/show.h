/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * show/: output for people and programs: status, hints, peers, events, plans,
 * as text and as JSON.
 */
#ifndef TUNLOAD_SHOW_H
#define TUNLOAD_SHOW_H

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>

#include "resolve/resolve.h"
#include "watch/watch.h"

/* The state of an interface that `tunload status` shows, read at one time. */

struct snapshot {
	uint64_t now_ns; /* CLOCK_MONOTONIC_COARSE, as the programs read it */
	struct conf conf;
	struct tl_interface iface;
	struct hooks hooks;
	bool hooks_missing[HOOK_COUNT];
	bool kernel_has_tcx;
	struct tl_verdicts verdicts; /* of the interface */
	size_t changes_pending; /* to routes, rules, neighbours and addresses of
				   ours that others have changed */
	struct host host;	/* the interface and its addresses */
	struct addrs own;	/* addresses of the host */
	struct next_hop *last_hop;
	uint32_t *forward_to; /* ifindexes that XDP forwards to */
	size_t n_forward_to;
	struct tl_peer_stats *peers; /* of conf.peers, in their order */
	struct rate *rates;	     /* the same, or NULL: one sample only */
	json_t *watch;	      /* what a watch knows of the peers, or NULL */
	struct owners owners; /* empty: no peers stand in for each other */
	/* What is shown: indices of conf.peers. */
	size_t *shown;
	size_t n_shown;
};

int snapshot_read(struct snapshot *s, const char *ifname);
void snapshot_free(struct snapshot *s);
/* Shows only the n peers of these names, if there are any. */
int snapshot_select(struct snapshot *s, char **names, size_t n);

/* Loops over the indices of the shown peers. */
#define for_each_shown(i, s)                                                   \
	for (const size_t *i = (s)->shown; i < (s)->shown + (s)->n_shown; i++)

/* Bits per second between two samples; less than 0: unknown. */
struct rate {
	double rx, tx;
};

/* The last sample of the peers' counters. */
struct sample {
	uint32_t id;
	uint64_t rx, tx; /* bytes */
};
struct samples {
	uint64_t now_ns; /* 0: none yet */
	struct sample *all;
	size_t n;
};
/* Sets s->rates by the last sample, and keeps that of s instead. */
int rates_take(struct samples *last, struct snapshot *s);

/* For how many more ns the learned MTU of p is valid; 0: none, or expired. */
static inline uint64_t mtu_learned_for(const struct snapshot *s,
				       const struct peer *p)
{
	if (!p->learned_mtu || p->learned_mtu >= p->mtu ||
	    p->learned_until_ns <= s->now_ns)
		return 0;
	return p->learned_until_ns - s->now_ns;
}

/* The peer that carries a prefix of p. */
static inline const struct peer *carrier(const struct snapshot *s,
					 const struct prefix *prefix,
					 const struct peer *p)
{
	return s->owners.n ? owner_carrying(&s->owners, prefix, p) : p;
}

/* True if others carry all prefixes of p. */
bool stands_by(const struct snapshot *s, const struct peer *p);

/* The MTU of p that applies now. */
static inline uint32_t mtu_now(const struct snapshot *s, const struct peer *p)
{
	return mtu_learned_for(s, p) ? p->learned_mtu : p->mtu;
}

/* True if XDP reads no headers behind the linear part of a frame. */
static inline bool xdp_reads_linear_only(const struct snapshot *s)
{
	return s->iface.mode == TL_MODE_NATIVE && !kernel_at_least(6, 18);
}

/* True if XDP forwards. */
static inline bool is_forwarding(const struct snapshot *s)
{
	return s->conf.forward == TL_FORWARD_XDP &&
	       s->iface.mode == TL_MODE_NATIVE;
}

/* What the tc programs are attached by: "tcx", "clsact", or NULL. */
static inline const char *tc_hook(const struct snapshot *s)
{
	if (!s->hooks.on[HOOK_TC_EGRESS])
		return NULL;
	return s->hooks.tcx ? "tcx" : "clsact";
}

/* Indexed by enum hook. */
extern const char *const hook_names[HOOK_COUNT];

/* screen.c. Where text for people goes. */

struct screen {
	FILE *out;
	int width, height; /* characters; height 0: no end */
	bool terminal, colour;
};

/* Standard output: 80 columns or more, and colours on a terminal. */
void screen_init(struct screen *to);

enum paint { PLAIN, BOLD, GREEN, RED, YELLOW };
/* The sequence that switches to a colour, or "". */
const char *paint(const struct screen *to, enum paint paint);
/* Prints a line with a left and a right end. */
void print_ends(const struct screen *to, const char *left, const char *right,
		enum paint right_paint);
/* Prints the text wrapped, from that column on; the first line is there
 * already. A `command`, which people copy, is never wrapped. */
void print_under(const struct screen *to, int column, const char *text);
/* Prints a label behind `indent` blanks, and under that column a text, as
 * vprintf() makes it. */
__attribute__((format(printf, 5, 0))) void
print_labelled(const struct screen *to, int indent, int column,
	       const char *label, const char *fmt, va_list args);

#define HUMAN_STRLEN 32
/* 4123456 -> "4.1M" */
const char *human_count(double n, char buf[static HUMAN_STRLEN]);
/* "3 s", "5 min", "2 h", "3 days"; "never" for 0. */
const char *human_age(uint64_t now_ns, uint64_t then_ns,
		      char buf[static HUMAN_STRLEN]);

/* grid.c. Tables for people. */

struct column {
	const char *head;
	bool right; /* aligned */
	/* 0: always shown. Others are shown in the order of their ranks, 1 to
	 * the number of columns, while there is room. */
	int rank;
};

#define GRID_COLUMNS 8
#define CELL_STRLEN  64

struct grid {
	const struct column *columns;
	int n_columns;
	size_t n_rows;
	void (*cell)(const void *data, size_t row, int column,
		     char text[static CELL_STRLEN]);
	enum paint (*paint)(const void *data, size_t row, int column);
	const void *data;
	const char *more; /* the option that shows what is left out */
};

void grid_print(const struct screen *to, const struct grid *g);
/* "10.10.0.0/24 +3" */
const char *allowed_str(const struct peer *p, char text[static CELL_STRLEN]);

/* Receives a hint: a sentence of any length. */
typedef void hint_fn(void *to, const char *text);
/* Pass what looks wrong with the interface, or with its peer i, to hint(). A
 * change of a peer's addresses sets its counters to 0, so earlier packets are
 * not considered. */
void interface_hints(const struct snapshot *s, hint_fn *hint, void *to);
void peer_hints(const struct snapshot *s, size_t i, hint_fn *hint, void *to);
/* Those of peer_hints() that its counters tell: nothing comes back, or all is
 * dropped. */
void traffic_hints(const struct snapshot *s, size_t i, hint_fn *hint, void *to);
/* True if many packets of tunnels have come to the CPU of one receive queue,
 * with the mask of all CPUs, for RPS. */
bool one_cpu(const struct snapshot *s, char *mask, size_t len);
/* not_forwarded(), if packets of that family came out of tunnels. */
uint64_t packets_lost(const struct snapshot *s, uint8_t family);

/* The gateway address of that family (4 or 6) of p; family 0 if inner IPv4
 * routes use the IPv6 one, as there is no IPv4 source. */
struct ip peer_gateway(const struct conf *c, const struct peer *p,
		       uint8_t family);

/* A peer that is shown. */
struct shown {
	size_t i; /* in conf.peers */
	enum peer_state state;
	char *hints; /* one a line; NULL: none */
};
/* True if somebody has to look after the peer. */
static inline bool needs_attention(const struct shown *p)
{
	return is_trouble(p->state) || p->hints;
}

/* The object of `status --json`; NULL: out of memory. */
json_t *status_json(const struct snapshot *s);
/* Prints the same for people: details only if verbose. */
int status_text(const struct screen *to, const struct snapshot *s,
		bool verbose);
/* details.c. All about a peer, and every verdict of the interface. */
void print_details(const struct screen *to, const struct snapshot *s);

/* The word for a fate: "tunnelled", "passed", "dropped", "answered". */
extern const char *const fate_names[];

/* peers.c. Prints the settings of the peers for `peer list`. */
void peers_text(const struct screen *to, const struct conf *c);

/* Parts of the JSON output of several commands. */

/* The address as text; null for none. */
json_t *json_ip(const struct ip *ip);
/* The text; null for "". */
json_t *json_text(const char *text);
/* ["10.0.0.0/8", ...] */
json_t *json_allowed(const struct peer *p);

/* Adds the values of the scalar keys that object does not have yet; returns
 * object. */
json_t *json_with_keys(json_t *object, const struct key *keys,
		       const void *target);
/* Prints root and a newline to standard output, with flags of json_dumpf(), and
 * frees it. If root is NULL, reports that memory ran out. */
int json_print(json_t *root, size_t flags);

/* metrics.c. Counters for Prometheus. */

/* OpenMetrics, or the older text format, in which node_exporter reads files:
 * it names counters and types otherwise. */
enum metrics_format { METRICS_OPEN, METRICS_TEXT };
#define METRICS_OPEN_TYPE                                                      \
	"application/openmetrics-text; version=1.0.0; charset=utf-8"

void metrics_print(FILE *out, enum metrics_format format,
		   const struct snapshot *all, size_t n);

/* http.c. One request of HTTP/1 for one page. */

struct http_request {
	int status; /* to answer; 0: the client said nothing */
	bool head;  /* wants no body */
};
/* Reads a request for path from a socket. */
struct http_request http_read(int fd, const char *path);
/* Answers with a body of that type; errors of the client are ignored. */
void http_answer(int fd, const struct http_request *r, const char *type,
		 const char *body, size_t len);

/* Events of the data plane, as `tunload monitor` prints them. */

/* Prints the heads of the columns. */
void event_head(const struct screen *to);
/* Prints a line: time (given in seconds since 1970), fate, verdict, peer (""
 * for none), length, addresses, ICMP type and code. */
void event_text(const struct screen *to, const struct tl_event *e, double time,
		const char *peer);
json_t *event_json(const struct tl_event *e, double time, const char *peer);

/* Prints what attach or reload would do with c; gives new peers ids. */
int print_plan(struct conf *c);

#endif
