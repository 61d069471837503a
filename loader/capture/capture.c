// SPDX-License-Identifier: GPL-2.0-only
/* Brings the records of each packet together, and writes its frames with its
 * verdict. */
#include "capture.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <signal.h>

#define POLL_MS	 100
#define CHECK_NS 500000000ull

/* The peer of a packet is read from its outer header, so at least so many bytes
 * of a frame are copied. */
#define SNAPLEN_MIN 128

/* The record of a packet's beginning, until that of its end. */
struct begun {
	struct tl_captured record;
	uint8_t frame[TL_CAPTURED_MOST];
};

struct session {
	const struct capture_wish *wish;
	FILE *out;
	struct maps maps;
	struct tracer tracer;
	struct begun **begun; /* by CPU; NULL before its first packet */
	int cpus;
	uint64_t to_wall_ns; /* CLOCK_REALTIME less CLOCK_MONOTONIC */
	struct pcapng_counts counts[TL_SIDES];
	uint8_t tagged[TL_CAPTURED_MOST + 4];
	uint64_t checked_ns; /* when the programs were last looked at */
	bool gone;	     /* the reader */
};

static volatile sig_atomic_t stop;

static void on_end(int signal)
{
	(void)signal;
	stop = 1;
}

static uint64_t written(const struct session *s)
{
	return s->counts[TL_OUTER].seen + s->counts[TL_INNER].seen;
}

static bool is_full(const struct session *s)
{
	return s->wish->frames && written(s) >= s->wish->frames;
}

/* Puts the tag that the kernel keeps beside a frame back into it. */
static void restore_tag(struct session *s, const struct tl_captured *record,
			struct pcapng_frame *frame)
{
	const uint16_t tci = htons(record->vlan_tci);

	if (!record->vlan_proto || frame->caught < 12)
		return;
	memcpy(s->tagged, frame->data, 12);
	memcpy(s->tagged + 12, &record->vlan_proto, 2);
	memcpy(s->tagged + 14, &tci, 2);
	memcpy(s->tagged + 16, (const uint8_t *)frame->data + 12,
	       frame->caught - 12);
	frame->data = s->tagged;
	frame->caught += 4;
	frame->len += 4;
}

/* A packet with its verdict. */
struct verdict_on {
	enum tl_verdict verdict;
	bool inbound;
	char comment[256];
};

static void write_one(struct session *s, enum tl_side side,
		      const struct tl_captured *record, const uint8_t *data,
		      const struct verdict_on *on)
{
	struct pcapng_frame frame = {
		.side = side,
		.inbound = on->inbound,
		.time_ns = record->time_ns + s->to_wall_ns,
		.len = record->left,
		.caught = record->caught,
		.data = data,
		.comment = on->comment,
	};

	if (is_full(s))
		return;
	restore_tag(s, record, &frame);
	if (frame.caught > s->wish->snaplen)
		frame.caught = s->wish->snaplen;
	pcapng_frame(s->out, &frame);
	s->counts[side].seen++;
}

/* What is known of a packet at its end. */
struct packet {
	const struct tl_captured *end;
	/* The frames that entered and left the program, or NULL. */
	const struct tl_captured *before, *after;
	const uint8_t *before_data, *after_data;
};

/* The peer whose outer addresses are in a frame, or TL_PEER_NONE. */
static uint32_t peer_of_addresses(const struct session *s, const uint8_t *data,
				  const struct tl_captured *record,
				  bool inbound)
{
	struct tl_peer_id id = {TL_PEER_NONE};
	struct tl_endpoint key;

	if (record && captured_addresses(data, record->caught, inbound, &key))
		bpf_map_lookup_elem(s->maps.endpoints, &key, &id);
	return id.peer;
}

/* What no function of the programs is told follows from the frames. */
static uint32_t peer_of(const struct session *s, const struct packet *p,
			enum tl_verdict verdict)
{
	uint32_t peer = p->end->peer;

	if (peer != TL_PEER_NONE || p->end->verdict != TL_UNTOLD)
		return peer;
	if (verdict == TL_tx_forward)
		return peer_of_addresses(s, p->after_data, p->after, false);
	if (p->end->traced != TL_TRACED_EGRESS)
		return peer_of_addresses(s, p->before_data, p->before, true);
	if (p->before && gateway_is_mac(p->before_data))
		peer = gateway_mac_id(p->before_data);
	return peer;
}

/* Describes a packet; false if it is of another peer than the wanted one. */
static bool describe(const struct session *s, const struct packet *p,
		     struct verdict_on *on)
{
	const enum tl_verdict verdict = captured_verdict(p->end);
	const uint32_t id = peer_of(s, p, verdict);
	struct tl_peer peer = {0};

	if (id != TL_PEER_NONE)
		bpf_map_lookup_elem(s->maps.peers, &id, &peer);
	peer.name[sizeof(peer.name) - 1] = '\0';
	on->verdict = verdict;
	on->inbound = verdict < TL_tx_encap;
	snprintf(on->comment, sizeof(on->comment), "%s%s%s: %s",
		 verdict_list[verdict].name, peer.name[0] ? ", peer " : "",
		 peer.name, verdict_list[verdict].text);
	return !s->wish->peer || !strcmp(s->wish->peer, peer.name);
}

static void write_packet(struct session *s, const struct packet *p)
{
	struct verdict_on on;
	enum tl_side side;

	if (!describe(s, p, &on))
		return;
	side = on.inbound ? TL_OUTER : TL_INNER;
	if (p->before)
		write_one(s, side, p->before, p->before_data, &on);
	if (p->after)
		write_one(s, !side, p->after, p->after_data, &on);
}

static void keep_begin(struct begun *begun, const struct tl_captured *record,
		       const uint8_t *frame)
{
	begun->record = *record;
	memcpy(begun->frame, frame, record->caught);
}

/* The records of a CPU come in order, and those of a packet from one CPU. */
static void take_record(void *ctx, int cpu, const struct tl_captured *record,
			const uint8_t *frame)
{
	struct session *s = ctx;
	struct packet p = {.end = record};
	struct begun *begun;

	if (cpu >= s->cpus || record->caught > TL_CAPTURED_MOST)
		return;
	begun = s->begun[cpu] = s->begun[cpu] ?: calloc(1, sizeof(*begun));
	if (!begun)
		return;
	if (record->kind == TL_CAPTURED_BEGIN) {
		keep_begin(begun, record, frame);
		return;
	}
	if (begun->record.began_ns == record->began_ns) {
		p.before = &begun->record;
		p.before_data = begun->frame;
	}
	if (record->flags & TL_CAPTURED_F_AFTER) {
		p.after = record;
		p.after_data = frame;
	} else if (record->caught) {
		p.before = record;
		p.before_data = frame;
	}
	write_packet(s, &p);
}

static int session_open(struct session *s)
{
	const struct record_taker taker = {take_record, s};
	const uint32_t want = s->wish->snaplen, most = TL_CAPTURED_MOST;
	uint32_t snaplen = want < SNAPLEN_MIN ? SNAPLEN_MIN : want;
	int ret = maps_open(&s->maps, s->wish->ifname);

	if (ret)
		return ret;
	if (snaplen > most)
		snaplen = most;
	ret = tracer_open(&s->tracer, s->wish->ifname, snaplen, &taker);
	if (ret)
		maps_close(&s->maps);
	s->checked_ns = clock_ns(CLOCK_MONOTONIC);
	return ret;
}

static void session_close(struct session *s)
{
	uint64_t lost[TL_SIDES] = {0};

	tracer_stop(&s->tracer);
	tracer_lost(&s->tracer, lost);
	for (size_t i = 0; i < TL_SIDES; i++)
		s->counts[i].lost += lost[i];
	tracer_close(&s->tracer);
	maps_close(&s->maps);
}

/* Goes on with the programs of an upgrade. *open: there is a session. */
static int follow(struct session *s, bool *open)
{
	const char *ifname = s->wish->ifname;
	const uint64_t now = clock_ns(CLOCK_MONOTONIC);
	struct tl_interface iface;

	if (now - s->checked_ns < CHECK_NS)
		return OK;
	s->checked_ns = now;
	if (!tracer_is_stale(&s->tracer, ifname))
		return OK;
	if (!pins_interface(ifname, &iface))
		return fail("%s was detached", ifname);
	if (!is_attached(ifname, &iface))
		return OK; /* in the middle of an attach */
	session_close(s);
	*open = !session_open(s);
	return *open ? OK : FAILED;
}

static int flush_frames(struct session *s)
{
	if (!fflush(s->out) && !ferror(s->out))
		return OK;
	s->gone = errno == EPIPE;
	return s->gone ? OK
		       : fail("cannot write the packets: %s", strerror(errno));
}

/* Writes the statistics, and sums them up. */
static int write_counts(struct session *s, struct capture_result *out)
{
	for (size_t i = 0; i < TL_SIDES; i++) {
		struct pcapng_counts *c = &s->counts[i];

		out->written += c->seen;
		out->lost += c->lost;
		c->seen += c->lost;
		c->end_ns = clock_ns(CLOCK_REALTIME);
		if (!s->gone)
			pcapng_counts(s->out, i, c);
	}
	return s->gone ? OK : flush_frames(s);
}

static int run_session(struct session *s, bool *open)
{
	int ret = flush_frames(s);

	while (!ret && !stop && !s->gone && !is_full(s))
		ret = tracer_poll(&s->tracer, POLL_MS) ?: flush_frames(s)
			      ?: follow(s, open);
	return ret;
}

/* A second signal ends the process at once, should nobody read. */
static void await_signals(void)
{
	struct sigaction act = {.sa_handler = on_end,
				.sa_flags = SA_RESTART | SA_RESETHAND};

	sigaction(SIGINT, &act, NULL);
	sigaction(SIGTERM, &act, NULL);
	signal(SIGPIPE, SIG_IGN);
}

static int capture_with(struct session *s, struct capture_result *out)
{
	bool open = true;
	int ret, end;

	out->begun = true;
	pcapng_begin(s->out, s->wish->ifname, s->wish->snaplen);
	ret = run_session(s, &open);
	if (open)
		session_close(s);
	end = write_counts(s, out);
	return ret ?: end;
}

static int begin_session(struct session *s, FILE *begin(void *ctx), void *ctx)
{
	int ret = session_open(s);

	if (ret)
		return ret;
	await_signals();
	for (size_t i = 0; i < TL_SIDES; i++)
		s->counts[i].begin_ns = clock_ns(CLOCK_REALTIME);
	s->out = begin(ctx);
	if (s->out)
		return OK;
	session_close(s);
	return FAILED;
}

int capture(const struct capture_wish *wish, FILE *begin(void *ctx), void *ctx,
	    struct capture_result *out)
{
	struct session *s = calloc(1, sizeof(*s));
	int cpus = stats_cpus(), ret;

	if (s)
		s->begun = calloc(cpus, sizeof(*s->begun));
	if (!s || !s->begun) {
		free(s);
		return fail("out of memory");
	}
	s->cpus = cpus;
	s->wish = wish;
	s->to_wall_ns = clock_ns(CLOCK_REALTIME) - clock_ns(CLOCK_MONOTONIC);
	ret = begin_session(s, begin, ctx) ?: capture_with(s, out);
	for (int i = 0; i < cpus; i++)
		free(s->begun[i]);
	free(s->begun);
	free(s);
	return ret;
}
