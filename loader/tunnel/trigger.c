// SPDX-License-Identifier: GPL-2.0-only
/* Sends the first packet, which opens the path to a peer, and chooses a hint if
 * it is not answered. */
#include "tunnel.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

__attribute__((format(printf, 2, 3))) static void hint(struct trigger_result *r,
						       const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(r->hint, sizeof(r->hint), fmt, args);
	va_end(args);
}

/* to is not routed into the peer's tunnel. */
static void hint_no_route(struct trigger_result *r, const struct ip *to,
			  const struct conf *c)
{
	char ip[IP_STRLEN], gateway[IP_STRLEN];
	struct ip via = gateway_ip(
		r->peer->id, to->family == 4 && c->source4.family ? 4 : 6);

	ip_str(to, ip);
	ip_str(&via, gateway);
	if (c->routes)
		hint(r,
		     "the route to %s is missing, or another one leads past the tunnel (ip route get %s): run `tunload reload %s`",
		     ip, ip, c->ifname);
	else
		hint(r,
		     "%s is not routed to the peer's gateway %s (routes = no, so routes are yours)",
		     ip, gateway);
}

/* Hints at a wrong inner source: the packet is dropped, here or by the peer, or
 * answered outside of the tunnel. */
static bool hint_source(struct trigger_result *r, const struct ip *to,
			const struct conf *c)
{
	struct ip wrong = path_wrong_source(c, r->peer, to);
	char ip[IP_STRLEN];

	if (!wrong.family)
		return false;
	hint(r,
	     "no source is set, so it went with inner source %s, an outer or link-local address, which is dropped: set `address` or `source`",
	     ip_str(&wrong, ip));
	return true;
}

/* Sending has failed with errno err. */
static void hint_not_sent(struct trigger_result *r, const struct ip *to,
			  const struct conf *c, int err)
{
	char ip[IP_STRLEN];

	ip_str(to, ip);
	/* tc_egress has dropped it. */
	if (err == ENOBUFS && hint_source(r, to, c))
		return;
	if (err == ENETUNREACH || err == EHOSTUNREACH)
		hint(r, "%s: is there a route to %s (ip route get %s)?",
		     strerror(err), ip, ip);
	else if (err == EPERM || err == EACCES)
		hint(r,
		     "%s: does a firewall of this host, or a prohibit route, forbid packets to %s?",
		     strerror(err), ip);
	else
		hint(r, "cannot send to %s: %s", ip, strerror(err));
}

/* Returns the verdict, of those for which wanted() is true, whose counter grew
 * most; -1: none grew. */
static int grown(const struct tl_verdicts *before,
		 const struct tl_verdicts *now, bool (*wanted)(int verdict))
{
	const struct tl_counter *a = verdict_counters(before);
	const struct tl_counter *b = verdict_counters(now);
	uint64_t most = 0;
	int found = -1;

	for (int i = 0; i < TL_VERDICT_COUNT; i++) {
		if (!wanted(i) || b[i].packets <= a[i].packets + most)
			continue;
		most = b[i].packets - a[i].packets;
		found = i;
	}
	return found;
}

static bool is_dropped(int verdict)
{
	return verdict_list[verdict].fate == TL_FATE_DROP;
}

static bool is_icmp(int verdict)
{
	return verdict_list[verdict].from == TL_FROM_ICMP;
}

/* No answer: judges by how the peer's counters changed since sending. */
static void hint_silence(struct trigger_result *r,
			 const struct tl_verdicts *before,
			 const struct tl_verdicts *now, const struct conf *c)
{
	const struct peer *p = r->peer;
	const struct ip *silent =
		r->main.sent && !r->main.answered ? &r->main.to : &r->other.to;
	unsigned int protocol = silent->family == 4 ? 4 : 41;
	struct ip from = path_source(c, silent);
	char local[IP_STRLEN], endpoint[IP_STRLEN], probe[IP_STRLEN];
	char source[IP_STRLEN];
	int drop = grown(before, now, is_dropped);
	int icmp = grown(before, now, is_icmp);

	ip_str(&p->local, local);
	ip_str(&p->endpoint, endpoint);
	ip_str(silent, probe);
	ip_str(&from, source);
	if (drop >= 0)
		hint(r, "packets %s but were dropped: %s: %s",
		     verdict_list[drop].from == TL_FROM_HOST ? "were to leave"
							     : "came back",
		     verdict_list[drop].name, verdict_list[drop].text);
	else if (icmp >= 0)
		hint(r, "%s: %s", verdict_list[icmp].name,
		     verdict_list[icmp].text);
	else if (now->tx_encap.packets <= before->tx_encap.packets)
		hint(r,
		     "nothing left the interface: does the next hop answer (ip neigh), is the route to %s there (ip route get %s)?",
		     probe, probe);
	else if (!hint_source(r, silent, c))
		hint(r,
		     "does the path let protocol %u through, does %s send to %s (its NAT: the public one), does %s answer pings, has it a route to %s?",
		     protocol, endpoint, local, probe, source);
}

/* How often requests are repeated and counters read. The first request may get
 * lost while ARP or neighbour discovery takes too long. */
#define RESEND_S 1.0

struct run {
	const struct maps *m;
	const struct conf *c;
	struct trigger_result *results;
	struct tl_peer_stats *before; /* one per result */
	size_t n;
	struct echo echo;
};

static double now_s(void)
{
	return clock_ns(CLOCK_MONOTONIC) / 1e9;
}

static void send_probe(struct run *run, size_t i, struct trigger_probe *probe)
{
	const struct echo_request request = {probe->to, i, now_s()};
	struct trigger_result *r = &run->results[i];

	if (!probe->to.family || probe->answered)
		return;
	if (!echo_send(&run->echo, run->c, r->peer, &request))
		probe->sent = true;
	else if (errno == ECHO_PAST)
		hint_no_route(r, &probe->to, run->c);
	else if (!probe->sent)
		hint_not_sent(r, &probe->to, run->c, errno);
}

static void send_one(struct run *run, size_t i)
{
	struct trigger_result *r = &run->results[i];

	if (*r->peer->waiting)
		hint(r, "the peer waits: %s", r->peer->waiting);
	else if (!r->main.to.family)
		hint(r,
		     "no probe: set one to an inner address behind the peer that answers a ping");
	send_probe(run, i, &r->other);
	send_probe(run, i, &r->main);
}

static bool all_sent_answered(const struct trigger_result *r)
{
	return (!r->main.sent || r->main.answered) &&
	       (!r->other.sent || r->other.answered);
}

static void send_unanswered(struct run *run)
{
	for (size_t i = 0; i < run->n; i++)
		send_one(run, i);
}

/* Sets *out if a packet has come out of this peer's tunnel since the trigger
 * began. */
static int has_received(const struct run *run, size_t i, bool *out)
{
	struct tl_peer_stats now;

	if (stats_read(run->m, run->results[i].peer->id, &now))
		return FAILED;
	*out = rx_total(&now.verdicts).packets >
	       rx_total(&run->before[i].verdicts).packets;
	return OK;
}

/* For a peer with prefixes of one family, any received packet shows that the
 * path is open. */
static int look_at_counters(struct run *run)
{
	int ret = OK;

	for (size_t i = 0; !ret && i < run->n; i++) {
		struct trigger_result *r = &run->results[i];

		if (!r->other.to.family && !r->main.answered && r->main.sent)
			ret = has_received(run, i, &r->main.answered);
	}
	return ret;
}

/* Counts a reply only if this peer's tunnel has received something: it may have
 * come without a tunnel, or from another peer's. */
static int take_reply(struct run *run, const struct echo_reply *reply)
{
	struct trigger_result *r = &run->results[reply->index];
	struct trigger_probe *probe = &r->main;
	bool received;

	if (r->other.to.family == reply->family)
		probe = &r->other;
	if (probe->to.family != reply->family || !probe->sent)
		return OK;
	if (has_received(run, reply->index, &received))
		return FAILED;
	probe->answered |= received;
	if (probe->answered && probe->rtt_ms < 0)
		probe->rtt_ms = (now_s() - reply->sent_at) * 1e3;
	return OK;
}

static int take_replies(struct run *run)
{
	struct echo_reply reply;
	int ret = OK;

	while (!ret && echo_receive(&run->echo, &reply))
		if (reply.index < run->n)
			ret = take_reply(run, &reply);
	return ret;
}

static bool all_answered(const struct run *run)
{
	for (size_t i = 0; i < run->n; i++)
		if (!all_sent_answered(&run->results[i]))
			return false;
	return true;
}

static int wait_answers(struct run *run, double wait_s)
{
	double now = now_s(), end = now + wait_s, resend = now + RESEND_S;
	int ret = OK;

	while (!ret && now < end && !all_answered(run)) {
		double until = resend < end ? resend : end;

		echo_wait(&run->echo, until - now);
		ret = take_replies(run);
		now = now_s();
		if (ret || now < until)
			continue;
		ret = look_at_counters(run);
		if (now < end)
			send_unanswered(run);
		resend = now + RESEND_S;
	}
	return ret;
}

static int explain_silence(const struct run *run, double wait_s)
{
	struct tl_peer_stats now;

	for (size_t i = 0; i < run->n; i++) {
		struct trigger_result *r = &run->results[i];

		if (all_sent_answered(r) || wait_s <= 0)
			continue;
		if (stats_read(run->m, r->peer->id, &now))
			return FAILED;
		hint_silence(r, &run->before[i].verdicts, &now.verdicts,
			     run->c);
	}
	return OK;
}

static int prepare_run(struct run *run, const struct peer *const *peers)
{
	int ret = OK;

	run->before = calloc(run->n + 1, sizeof(*run->before));
	if (!run->before)
		return fail("out of memory");
	for (size_t i = 0; !ret && i < run->n; i++) {
		struct trigger_result *r = &run->results[i];

		*r = (struct trigger_result){.peer = peers[i]};
		r->main.rtt_ms = r->other.rtt_ms = -1;
		/* The caller has filled in all n. */
		/* NOLINTNEXTLINE(clang-analyzer-core.NullDereference) */
		if (!*peers[i]->waiting) {
			r->main.to = peers[i]->probe;
			r->other.to = peer_other_probe(peers[i]);
		}
		ret = stats_read(run->m, peers[i]->id, &run->before[i]);
	}
	return ret;
}

int trigger_send(const struct conf *c, const struct maps *m,
		 const struct peer *const *peers, size_t n, double wait_s,
		 struct trigger_result *results)
{
	struct run run = {.m = m, .c = c, .results = results, .n = n};
	int ret = echo_open(&run.echo, c);

	if (!ret)
		ret = prepare_run(&run, peers);
	if (!ret) {
		send_unanswered(&run);
		ret = wait_answers(&run, wait_s);
	}
	if (!ret)
		ret = explain_silence(&run, wait_s);
	echo_close(&run.echo);
	free(run.before);
	return ret;
}

int trigger_is_due(const struct maps *m, const struct peer *p, bool *due)
{
	struct tl_peer_stats stats;

	*due = false;
	if (!p->keepalive || !p->probe.family || *p->waiting)
		return OK;
	if (stats_read(m, p->id, &stats))
		return FAILED;
	*due = peer_other_probe(p).family || !stats.last_tx_ns ||
	       clock_ns(CLOCK_MONOTONIC) - stats.last_tx_ns >=
		       p->keepalive * NS_PER_S;
	return OK;
}

/* True if the peer is new, waited before, or has other outer addresses. */
static bool is_new_path(const struct names *now, const struct peer *p)
{
	const struct peer *was = names_find(now, p->name);

	return !was || !ip_equal(&was->endpoint, &p->endpoint) ||
	       !ip_equal(&was->local, &p->local) || *was->waiting;
}

static void send_first(const struct conf *c, const struct maps *m,
		       const struct peer **peers, size_t n)
{
	struct trigger_result *r = calloc(n + 1, sizeof(*r));
	size_t unsent = 0;

	if (r && trigger_send(c, m, peers, n, 0, r) == OK) {
		for (size_t i = 0; i < n; i++) {
			if (!r[i].main.sent && warn_few(&unsent))
				warn("peer %s: no first packet sent: %s",
				     peers[i]->name, r[i].hint);
		}
		warn_rest(unsent, "peers got no first packet");
	}
	free(r);
}

void trigger_first(const struct conf *c, const struct conf *now,
		   const struct maps *m)
{
	const struct peer **peers = calloc(c->n_peers + 1, sizeof(*peers));
	struct names names = {0};
	size_t n = 0;

	if (now && names_init(&names, now))
		return free(peers);
	for (size_t i = 0; peers && i < c->n_peers; i++)
		if (!*c->peers[i].waiting && is_new_path(&names, &c->peers[i]))
			peers[n++] = &c->peers[i];
	if (n)
		send_first(c, m, peers, n);
	names_free(&names);
	free(peers);
}
