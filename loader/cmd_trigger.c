// SPDX-License-Identifier: GPL-2.0-only
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "commands.h"
#include "json.h"
#include "pins.h"
#include "routes.h"
#include "trigger.h"

#define WAIT_MAX 3600

struct args {
	const char *ifname;
	char **names; /* of peers; none: all */
	int n_names;
	double wait_s; /* 0: not at all */
	bool due, json;
};

/* The peers meant, and what became of them. */
struct selection {
	struct conf conf;
	const struct peer **peers;
	struct trigger_result *results;
	size_t n;
};

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ull + ts.tv_nsec;
}

/* It keeps its path open, has something to send to, and has had no traffic for
 * as long as that takes. With prefixes of both families there are two protocols
 * to keep open, of which the counters do not say which one was silent. */
static int is_due(const struct maps *m, const struct peer *p, bool *due)
{
	struct tl_peer_stats stats;

	*due = false;
	if (!p->keepalive || !p->probe.family)
		return OK;
	if (stats_read(m, p->id, &stats))
		return FAILED;
	*due = peer_other_probe(p).family || !stats.last_tx_ns ||
	       now_ns() - stats.last_tx_ns >= p->keepalive * 1000000000ull;
	return OK;
}

static int select_named(struct selection *s, const struct args *a)
{
	for (int i = 0; i < a->n_names; i++) {
		const struct peer *p = conf_peer(&s->conf, a->names[i]);

		if (!p)
			return usage("trigger: no peer \"%s\" on %s: `tunload "
				     "peer list %s` names them",
				     a->names[i], a->ifname, a->ifname);
		s->peers[s->n++] = p;
	}
	for (size_t i = 0; !a->n_names && i < s->conf.n_peers; i++)
		s->peers[s->n++] = &s->conf.peers[i];
	return OK;
}

static int select_due(struct selection *s, const struct maps *m)
{
	size_t i, n = 0;
	bool due;

	for (i = 0; i < s->n; i++) {
		if (is_due(m, s->peers[i], &due))
			return FAILED;
		if (due)
			s->peers[n++] = s->peers[i];
	}
	s->n = n;
	return OK;
}

static void print_text(const struct trigger_result *r, const struct args *a)
{
	char probe[IP_STRLEN];

	ip_str(&r->peer->probe, probe);
	if (!r->sent)
		printf("%s: not sent: %s\n", r->peer->name, r->hint);
	else if (r->answered && r->rtt_ms >= 0)
		printf("%s: answered by %s in %.1f ms\n", r->peer->name, probe,
		       r->rtt_ms);
	else if (r->answered)
		printf("%s: answered by other traffic than a reply of %s\n",
		       r->peer->name, probe);
	else if (a->wait_s > 0)
		printf("%s: no answer in %g s: %s\n", r->peer->name, a->wait_s,
		       r->hint);
	else
		printf("%s: sent\n", r->peer->name);
}

static json_t *result_json(const struct trigger_result *r, const struct args *a)
{
	return json_pack(
		"{s:s, s:o, s:b, s:o, s:o, s:o}", "peer", r->peer->name,
		"probe", json_ip(&r->peer->probe), "sent", r->sent, "answered",
		a->wait_s > 0 ? json_boolean(r->answered) : json_null(),
		"rtt_ms",
		r->rtt_ms < 0
			? json_null()
			: json_real((int64_t)(r->rtt_ms * 1e3 + 0.5) / 1e3),
		"hint", r->hint[0] ? json_string(r->hint) : json_null());
}

static int print_json(const struct selection *s, const struct args *a)
{
	json_t *list = json_array();

	for (size_t i = 0; i < s->n; i++)
		json_array_append_new(list, result_json(&s->results[i], a));
	return json_print(
		json_pack("{s:s, s:o}", "interface", a->ifname, "peers", list),
		JSON_INDENT(2));
}

static int report(const struct selection *s, const struct args *a)
{
	int ret = OK;

	for (size_t i = 0; i < s->n; i++) {
		const struct trigger_result *r = &s->results[i];

		if (!r->sent || (a->wait_s > 0 && !r->answered))
			ret = FAILED;
		if (!a->json)
			print_text(r, a);
	}
	if (a->json && print_json(s, a))
		return FAILED;
	return ret;
}

static int run(struct selection *s, const struct maps *m, const struct args *a)
{
	size_t room = a->n_names + s->conf.n_peers + 1;
	int ret;

	s->peers = calloc(room, sizeof(*s->peers));
	s->results = calloc(room, sizeof(*s->results));
	if (!s->peers || !s->results)
		return fail("out of memory");
	ret = select_named(s, a);
	if (!ret && a->due)
		ret = select_due(s, m);
	if (!ret)
		ret = trigger_send(&s->conf, m, s->peers, s->n, a->wait_s,
				   s->results);
	return ret ? ret : report(s, a);
}

/* The state is read again: it may have changed before the lock was ours. */
static int sync_locked(const char *ifname)
{
	struct conf c;
	int ret = state_running(ifname, &c);

	if (ret)
		return ret;
	ret = routes_sync(&c);
	conf_free(&c);
	return ret;
}

/* What runs by a timer puts right what others, the kernel included, did to our
 * routes meanwhile. */
static int mend_routes(const struct conf *c)
{
	struct pins pins;
	size_t n;
	int ret = routes_pending(c, &n);

	if (ret || !n)
		return ret;
	ret = pins_open(&pins, c->ifname, false);
	if (ret)
		return ret;
	ret = sync_locked(c->ifname);
	pins_close(&pins);
	return ret;
}

static int trigger(const struct args *a)
{
	struct selection s = {0};
	struct maps m;
	int ret = maps_open(&m, a->ifname);

	if (ret)
		return ret;
	ret = state_read(&m, a->ifname, &s.conf);
	if (!ret) {
		if (a->due)
			ret = mend_routes(&s.conf);
		if (!ret)
			ret = run(&s, &m, a);
		conf_free(&s.conf);
	}
	free(s.peers);
	free(s.results);
	maps_close(&m);
	return ret;
}

static int parse_wait(const char *text, double *out)
{
	char *end;

	*out = strtod(text, &end);
	/* strtod() would take "inf", "0x1" and blanks too. */
	if (*text && !text[strspn(text, "0123456789.")] && !*end &&
	    *out <= WAIT_MAX)
		return OK;
	return usage("trigger: --wait \"%s\" is not a number of seconds from "
		     "0 to %d",
		     text, WAIT_MAX);
}

int cmd_trigger(int argc, char **argv)
{
	static const struct option options[] = {
		{"wait", required_argument, NULL, 'w'},
		{"json", no_argument, NULL, 'j'},
		{"due", no_argument, NULL, 'd'},
		{NULL, 0, NULL, 0},
	};
	struct args a = {0};
	int c, ret;

	while ((c = next_option(argc, argv, "", options)) != -1) {
		if (c == '?')
			return USAGE;
		a.json |= c == 'j';
		a.due |= c == 'd';
		if (c == 'w' && parse_wait(optarg, &a.wait_s))
			return USAGE;
	}
	a.ifname = take_iface(argc, argv);
	if (!a.ifname)
		return USAGE;
	a.names = argv + optind;
	a.n_names = argc - optind;
	ret = require_bpf();
	return ret ? ret : trigger(&a);
}
