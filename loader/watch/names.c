// SPDX-License-Identifier: GPL-2.0-only
/*
 * Part: looks the names of endpoints up again, by their time to live and when a
 * peer falls silent. A name that has lost the address in use is one more thing
 * for align.c to bring in line.
 */
#include "names.h"

#include <string.h>

#include "loop.h"

/* The time to live, but not less, as one of 0 would ask without end, */
#define AT_LEAST_NS (5 * NS_PER_S)
/* and not more: a mistaken TTL of a week must not keep a peer away for that
 * long. */
#define AT_MOST_NS (3600 * NS_PER_S)
/* After a failure, without a TTL (/etc/hosts), and while a peer is silent: as
 * the timer's. */
#define AGAIN_NS (25 * NS_PER_S)

/* Those of peers that wait are looked up by resolve_again(). */
static bool is_followed(const struct peer *p)
{
	return *p->host && p->endpoint.family && !*p->waiting;
}

static struct followed *find_followed(const struct watch *w, const char *host,
				      const struct ip *was)
{
	const struct answer key = {.host = host, .was = *was};
	struct followed *f = w->names.all;
	size_t i = lower_bound(&key, f, w->names.n, sizeof(*f), answer_compare);

	if (i == w->names.n || answer_compare(&f[i].answer, &key))
		return NULL;
	return &f[i];
}

static void soonest(uint64_t *at, uint64_t other)
{
	if (other < *at)
		*at = other;
}

/* Says it once; of many names only the first. */
static void say_failure(struct watch *w, struct followed *f, const char *why)
{
	char ip[IP_STRLEN];
	size_t n = 0;

	if (f->fails)
		return;
	f->fails = true;
	for (size_t i = 0; i < w->names.n; i++)
		n += w->names.all[i].fails;
	f->said = n <= WARNINGS_AT_MOST;
	if (f->said)
		watch_log(LOG_WARNING, NULL,
			  "%s: %s does not resolve (%s): %s stays in use",
			  w->options->ifname, f->answer.host, why,
			  ip_str(&f->answer.was, ip));
	else if (n == WARNINGS_AT_MOST + 1)
		watch_log(LOG_WARNING, NULL, "%s: more names do not resolve",
			  w->options->ifname);
}

static void say_recovery(struct watch *w, struct followed *f)
{
	if (f->said)
		watch_log(LOG_NOTICE, NULL, "%s: %s resolves again",
			  w->options->ifname, f->answer.host);
	f->fails = f->said = false;
}

static bool is_among(const struct ip *ip, const struct found *found)
{
	for (size_t i = 0; i < found->n; i++)
		if (ip_equal(ip, &found->ips[i]))
			return true;
	return false;
}

/* Takes over found->ips. */
static void take_answer_of(struct watch *w, struct followed *f,
			   struct found *found)
{
	bool was_lost = f->answer.n;

	free(f->answer.ips);
	f->answer.ips = NULL;
	f->answer.n = 0;
	say_recovery(w, f);
	if (is_among(&f->answer.was, found)) {
		free(found->ips);
		return;
	}
	f->answer.ips = found->ips;
	f->answer.n = found->n;
	f->answer.is_new = !was_lost;
	align_soon(w);
}

static uint64_t wait_ns(const struct followed *f, const struct found *found)
{
	uint64_t ns = found->ttl_s * NS_PER_S;

	if (found->why || !ns || (f->n_silent && ns > AGAIN_NS))
		return AGAIN_NS;
	if (ns < AT_LEAST_NS)
		return AT_LEAST_NS;
	return ns < AT_MOST_NS ? ns : AT_MOST_NS;
}

static void on_found(void *data, const struct question *q, struct found *found)
{
	struct watch *w = data;
	struct followed *f = find_followed(w, q->host, &q->was);

	if (f && found->cut_off)
		f->next_ns = 0;
	else if (f)
		f->next_ns = clock_ns(CLOCK_MONOTONIC) + wait_ns(f, found);
	if (f && found->why && !found->cut_off)
		say_failure(w, f, found->why);
	if (f && !found->why)
		take_answer_of(w, f, found);
	else
		free(found->ips);
}

/* The name that waits longest, or NULL. */
static struct followed *next_name(const struct watch *w)
{
	struct followed *next = NULL;

	for (size_t i = 0; i < w->names.n; i++) {
		struct followed *f = &w->names.all[i];

		if (!next || f->next_ns < next->next_ns)
			next = f;
	}
	return next;
}

static void wait_names(const struct watch *w, struct fds *fds)
{
	dns_wait(&w->names.dns, fds);
}

static uint64_t next_look_up(const struct watch *w)
{
	uint64_t now_ns = clock_ns(CLOCK_MONOTONIC);
	uint64_t next = dns_next(&w->names.dns, now_ns);

	if (w->names.n && dns_has_room(&w->names.dns))
		soonest(&next, next_name(w)->next_ns);
	return next;
}

/* A few at a time: with /etc/hosts each is done at once, and the other parts
 * want to work, too. */
static void work_names(struct watch *w, uint64_t now_ns)
{
	struct dns *dns = &w->names.dns;

	dns_work(dns);
	for (size_t i = 0; i < DNS_AT_ONCE && dns_has_room(dns); i++) {
		struct followed *f = next_name(w);

		if (!f || f->next_ns > now_ns)
			return;
		f->next_ns = NEVER;
		f->asked_ns = now_ns;
		dns_ask(dns, f->answer.host, &f->answer.was);
	}
}

const struct part names_part = {
	.wait = wait_names,
	.next = next_look_up,
	.work = work_names,
};

void names_state_changed(struct watch *w, size_t i, enum life_state before)
{
	const struct peer *p = &w->now.peers[i];
	struct followed *f =
		is_followed(p) ? find_followed(w, p->host, &p->endpoint) : NULL;

	if (!f)
		return;
	if (before == LIFE_SILENT)
		f->n_silent--;
	if (w->watched[i].life.state != LIFE_SILENT)
		return;
	f->n_silent++;
	if (f->next_ns != NEVER)
		soonest(&f->next_ns, f->asked_ns + AT_LEAST_NS);
}

struct answers names_lost(struct watch *w)
{
	struct answers lost = {0};

	for (size_t i = 0; i < w->names.n; i++) {
		struct answer *a = &w->names.all[i].answer;

		if (!a->n || push(lost.all, lost.n, a))
			continue;
		a->is_new = false;
	}
	return lost;
}

/* The endpoint is another one: the name was looked up all the same. */
static void take_time(const struct watch *w, struct followed *f)
{
	const struct answer any = {.host = f->answer.host};
	const struct followed *was = w->names.all;
	size_t i = lower_bound(&any, was, w->names.n, sizeof(*was),
			       answer_compare);

	if (!was || i == w->names.n || strcmp(was[i].answer.host, any.host) ||
	    was[i].next_ns == NEVER)
		return;
	f->next_ns = was[i].next_ns;
	f->asked_ns = was[i].asked_ns;
}

/* Goes on with what was known of the name. */
static void take_known(const struct watch *w, struct followed *f)
{
	struct followed *was = find_followed(w, f->answer.host, &f->answer.was);

	if (!was)
		return take_time(w, f);
	was->answer.host = f->answer.host;
	was->n_silent = f->n_silent;
	*f = *was;
	was->answer.ips = NULL;
}

/* Of peers with equal name and endpoint, which are neighbours, makes one. */
static size_t join_names(struct followed *all, size_t n)
{
	size_t m = 0;

	for (size_t i = 0; i < n; i++) {
		if (m && !answer_compare(&all[m - 1].answer, &all[i].answer))
			all[m - 1].n_silent += all[i].n_silent;
		else
			all[m++] = all[i];
	}
	return m;
}

static void forget_names(struct watch *w)
{
	for (size_t i = 0; i < w->names.n; i++)
		free(w->names.all[i].answer.ips);
	free(w->names.all);
	w->names.all = NULL;
	w->names.n = 0;
}

static bool can_look_up(struct watch *w, size_t n)
{
	if (!n || dns_load())
		return true;
	if (!w->names.told)
		watch_log(
			LOG_WARNING, NULL,
			"%s: libcares.so.2 is missing: names of endpoints are not looked up again",
			w->options->ifname);
	w->names.told = true;
	return false;
}

void names_read(struct watch *w, const struct conf *now,
		const struct watched *watched)
{
	struct followed *all = NULL;
	size_t n = 0;

	for (size_t i = 0; i < now->n_peers; i++) {
		const struct peer *p = &now->peers[i];
		const struct followed f = {
			.answer = {.host = p->host, .was = p->endpoint},
			.n_silent = watched[i].life.state == LIFE_SILENT,
		};

		if (is_followed(p))
			push(all, n, &f);
	}
	if (!can_look_up(w, n))
		n = 0;
	sort(all, n, sizeof(*all), answer_compare);
	n = join_names(all, n);
	for (size_t i = 0; i < n; i++)
		take_known(w, &all[i]);
	forget_names(w);
	w->names.all = all;
	w->names.n = n;
	w->names.dns.answered = on_found;
	w->names.dns.to = w;
}

void names_close(struct watch *w)
{
	forget_names(w);
	if (w->names.dns.channel)
		dns_close(&w->names.dns);
}
