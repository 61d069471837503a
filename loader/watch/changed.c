// SPDX-License-Identifier: GPL-2.0-only
/* Tells of a change of a peer's state: the log, --exec, systemd. */
#include "loop.h"

#include <stdarg.h>

void fact_add(struct facts *f, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	if (f->n < FACTS_MAX && vasprintf(&f->all[f->n], fmt, args) >= 0)
		f->n++;
	va_end(args);
}

void facts_free(struct facts *f)
{
	for (size_t i = 0; i < f->n; i++)
		free(f->all[i]);
	f->n = 0;
}

static void add_address_fact(struct facts *f, const char *name,
			     const struct ip *ip)
{
	char text[IP_STRLEN];

	fact_add(f, "TUNLOAD_%s=%s", name, ip->family ? ip_str(ip, text) : "");
}

static struct facts facts_of(const struct watch *w, size_t i,
			     enum life_state before)
{
	const struct watched *at = &w->watched[i];
	const struct peer *p = &w->now.peers[i];
	struct facts f = {0};

	fact_add(&f, "TUNLOAD_INTERFACE=%s", w->options->ifname);
	fact_add(&f, "TUNLOAD_PEER=%s", p->name);
	fact_add(&f, "TUNLOAD_STATE=%s", life_words[at->life.state]);
	fact_add(&f, "TUNLOAD_OLD_STATE=%s", life_words[before]);
	add_address_fact(&f, "ENDPOINT", &p->endpoint);
	add_address_fact(&f, "LOCAL", &p->local);
	if (at->life.rtt_ms >= 0)
		fact_add(&f, "TUNLOAD_RTT_MS=%.1f", at->life.rtt_ms);
	else
		fact_add(&f, "TUNLOAD_RTT_MS=");
	fact_add(&f, "TUNLOAD_LOSS=%u", life_loss(&at->life));
	fact_add(&f, "TUNLOAD_REASON=%s", at->reason);
	return f;
}

static void log_change(const struct watch *w, size_t i, enum life_state before,
		       const struct facts *f)
{
	const struct watched *at = &w->watched[i];
	const struct life *l = &at->life;
	bool is_good = l->state == LIFE_UP || l->state == LIFE_IDLE;
	char rtt[32] = "";

	if (l->state == LIFE_UP && l->rtt_ms >= 0)
		snprintf(rtt, sizeof(rtt), " in %.1f ms", l->rtt_ms);
	watch_log(is_good ? LOG_NOTICE : LOG_WARNING, f,
		  "%s: %s: %s%s%s%s (was %s)", w->options->ifname,
		  w->now.peers[i].name, life_words[l->state], rtt,
		  *at->reason ? ": " : "", at->reason, life_words[before]);
}

void watch_state_changed(struct watch *w, size_t i, enum life_state before)
{
	struct facts f = facts_of(w, i, before);

	log_change(w, i, before, &f);
	names_state_changed(w, i, before);
	if (w->options->command)
		exec_push(w, &f);
	facts_free(&f);
}
