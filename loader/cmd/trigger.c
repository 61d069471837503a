// SPDX-License-Identifier: GPL-2.0-only
/* `tunload trigger` */
#include "cmd.h"

#include <string.h>
#include <unistd.h>

#include "show/show.h"

#define WAIT_MAX 3600

struct args {
	const char *ifname;
	char **names; /* peers to trigger; none: all */
	int n_names;
	double wait_s; /* 0: does not wait */
	bool due, json;
};

/* The selected peers and their results. */
struct selection {
	struct conf conf;
	const struct peer **peers;
	struct trigger_result *results;
	size_t n;
	char *mended; /* what --due has repaired, or NULL */
};

static int select_named(struct selection *s, const struct args *a)
{
	for (int i = 0; i < a->n_names; i++) {
		const struct peer *p = conf_peer(&s->conf, a->names[i]);

		if (!p)
			return fail_no_peer(&s->conf, a->names[i]);
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
		if (trigger_is_due(m, s->peers[i], &due))
			return FAILED;
		if (due)
			s->peers[n++] = s->peers[i];
	}
	s->n = n;
	return OK;
}

static void print_probe(const struct trigger_result *r,
			const struct trigger_probe *probe, const struct args *a)
{
	const char *name = r->peer->name;
	char to[IP_STRLEN];

	ip_str(&probe->to, to);
	if (!probe->sent)
		printf("%s: not sent: %s\n", name, r->hint);
	else if (probe->answered && probe->rtt_ms >= 0)
		printf("%s: answered by %s in %.1f ms\n", name, to,
		       probe->rtt_ms);
	else if (probe->answered)
		printf("%s: answered by other traffic than a reply of %s\n",
		       name, to);
	else if (a->wait_s > 0)
		printf("%s: no answer from %s in %g s: %s\n", name, to,
		       a->wait_s, r->hint);
	else
		printf("%s: sent to %s\n", name, to);
}

static json_t *rtt_json(const struct trigger_probe *probe)
{
	if (probe->rtt_ms < 0)
		return json_null();
	return json_real((int64_t)(probe->rtt_ms * 1e3 + 0.5) / 1e3);
}

static json_t *answered_json(const struct trigger_probe *probe,
			     const struct args *a)
{
	return a->wait_s > 0 ? json_boolean(probe->answered) : json_null();
}

static json_t *other_json(const struct trigger_probe *probe,
			  const struct args *a)
{
	if (!probe->to.family)
		return json_null();
	return json_pack("{s:o, s:b, s:o, s:o}", "probe", json_ip(&probe->to),
			 "sent", probe->sent, "answered",
			 answered_json(probe, a), "rtt_ms", rtt_json(probe));
}

static json_t *result_json(const struct trigger_result *r, const struct args *a)
{
	return json_pack(
		"{s:s, s:o, s:b, s:o, s:o, s:o, s:o}", "peer", r->peer->name,
		"probe", json_ip(&r->peer->probe), "sent", r->main.sent,
		"answered", answered_json(&r->main, a), "rtt_ms",
		rtt_json(&r->main), "other_family", other_json(&r->other, a),
		"hint", r->hint[0] ? json_string(r->hint) : json_null());
}

static int print_json(const struct selection *s, const struct args *a)
{
	json_t *list = json_array(), *root;

	for (size_t i = 0; i < s->n; i++)
		json_array_append_new(list, result_json(&s->results[i], a));
	root = json_pack("{s:s, s:o}", "interface", a->ifname, "peers", list);
	if (root && a->due)
		json_object_set_new(root, "mended",
				    s->mended && *s->mended
					    ? json_string(s->mended)
					    : json_null());
	return json_print(root, JSON_INDENT(2));
}

static bool has_failed(const struct trigger_result *r, const struct args *a)
{
	if (!r->main.sent)
		return true;
	return a->wait_s > 0 &&
	       (!r->main.answered || (r->other.sent && !r->other.answered));
}

/* With --due, the timer's next run retries a failure, and output goes to the
 * journal, so only news is printed. */
static int print_results(const struct selection *s, const struct args *a)
{
	int ret = OK;

	for (size_t i = 0; i < s->n; i++) {
		const struct trigger_result *r = &s->results[i];

		if (has_failed(r, a) && (!a->due || a->wait_s > 0))
			ret = FAILED;
		if (a->json || (a->due && a->wait_s <= 0 && r->main.sent))
			continue;
		print_probe(r, &r->main, a);
		if (r->other.sent)
			print_probe(r, &r->other, a);
	}
	if (a->json && print_json(s, a))
		return FAILED;
	return ret;
}

static int trigger_selected(struct selection *s, const struct maps *m,
			    const struct args *a)
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
	return ret ? ret : print_results(s, a);
}

struct hearing {
	const char *ifname;
	const struct maps *m;
};

static bool has_come_since(const struct maps *m, const struct peer *p)
{
	struct tl_peer_stats stats;

	return !stats_read(m, p->id, &stats) && stats.last_rx_ns > p->silent_ns;
}

/* Without a watch, which asks and decides, a packet shows that a peer is not
 * silent any more. */
static void hear_silent(struct conf *want, const void *data)
{
	const struct hearing *h = data;
	json_t *watch = NULL;
	bool asked = false;

	for_each_peer (p, want) {
		if (!p->silent_ns || !has_come_since(h->m, p))
			continue;
		if (!asked)
			watch = watch_ask(h->ifname);
		asked = true;
		if (!watch)
			p->silent_ns = 0;
	}
	json_decref(watch);
}

/* A failed repair does not keep other peers from their packets. */
static int trigger(const struct args *a)
{
	struct selection s = {0};
	struct maps m;
	const struct hearing hearing = {a->ifname, &m};
	const struct due due = {
		.ifname = a->ifname,
		.change = hear_silent,
		.data = &hearing,
	};
	int ret = maps_open(&m, a->ifname), aligned = OK;

	if (ret)
		return ret;
	if (a->due)
		aligned = align_due(&due, &s.mended);
	if (s.mended && *s.mended && !a->json)
		printf("%s: mended: %s\n", a->ifname, s.mended);
	ret = state_read(&m, a->ifname, &s.conf);
	if (!ret) {
		ret = trigger_selected(&s, &m, a);
		conf_free(&s.conf);
	}
	free(s.peers);
	free(s.results);
	free(s.mended);
	maps_close(&m);
	return ret ?: aligned;
}

static int parse_wait(const char *text, double *out)
{
	char *end;

	*out = strtod(text, &end);
	/* Digits and dots only: strtod() also accepts "inf", "0x1" and
	 * blanks. */
	if (*text && !text[strspn(text, "0123456789.")] && !*end &&
	    *out <= WAIT_MAX)
		return OK;
	return fail_usage(
		"trigger: --wait \"%s\" is not a number of seconds from 0 to %d",
		text, WAIT_MAX);
}

static int run_trigger(int argc, char **argv)
{
	const char *wait = "0";
	struct args a = {0};
	const struct opt opts[] = {
		{"wait", .value = &wait},
		{"json", .flag = &a.json},
		{"due", .flag = &a.due},
		{0},
	};

	if (take_options(argc, argv, opts) || parse_wait(wait, &a.wait_s) ||
	    take_iface(argc, argv, &a.ifname))
		return USAGE;
	a.names = argv + optind;
	a.n_names = argc - optind;
	return require_bpf() ?: trigger(&a);
}

const struct command cmd_trigger = {
	.name = "trigger",
	.run = run_trigger,
	.args = "IFACE [PEER...] [--wait S] [--due] [--json]",
	.brief = "send the first packet that opens the path to peers",
	.text = "Sends an inner ping to the probe of each PEER, or of all.\n"
		"\n"
		"  --wait S   wait up to S seconds for an answer; exit 1 if one is\n"
		"             missing\n"
		"  --due      bring what runs in line with the host as it is; then only\n"
		"             peers that sent nothing for their keepalive time\n"
		"  --json     for programs\n",
};
