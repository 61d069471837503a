// SPDX-License-Identifier: GPL-2.0-only
/*
 * Area: rules of nftables and iptables-nft that drop inner packets. They never
 * see outer packets: XDP and tc take these before netfilter when they arrive,
 * and those that leave are made behind its last hook.
 */
#include "check.h"

#include <string.h>

#include "ruleset.h"

/* The hooks that inner packets pass, out of a tunnel or into one. Those of a
 * device are behind tc where packets arrive, and before it where they leave. */
static const struct hook_way {
	const char *name;
	bool in;
	bool forwarded; /* only if this host forwards */
} ways[] = {
	{"ingress", true, false}, {"prerouting", true, false},
	{"input", true, false},	  {"forward", true, true},
	{"forward", false, true}, {"output", false, false},
	{"egress", false, false}, {"postrouting", false, false},
};

/* The rules of nftables, and the chains on the interface's own hooks. */
struct rules {
	json_t *all;
	struct nf_chain *own;
	size_t n_own;
};

static const char *chain_text(const json_t *chain, const char *key)
{
	return json_string_value(json_object_get(chain, key)) ?: "";
}

static bool chain_sees(const json_t *chain, uint8_t family)
{
	const char *of = chain_text(chain, "family");

	return !strcmp(of, "inet") || !strcmp(of, "netdev") ||
	       !strcmp(of, family == 4 ? "ip" : "ip6");
}

/* True for a chain on a hook of the interface, or on one of all. */
static bool is_on_way(const struct rules *r, const json_t *chain)
{
	bool netdev = !strcmp(chain_text(chain, "family"), "netdev");

	if (!netdev && strcmp(chain_text(chain, "hook"), "ingress") != 0)
		return true;
	for (size_t i = 0; i < r->n_own; i++)
		if (r->own[i].netdev == netdev &&
		    !strcmp(r->own[i].table, chain_text(chain, "table")) &&
		    !strcmp(r->own[i].name, chain_text(chain, "name")))
			return true;
	return false;
}

static struct packet packet_of(const struct check *c, const struct hook_way *w,
			       const struct prefix *allowed)
{
	const struct ip *source = conf_source(&c->conf, allowed->ip.family);
	struct packet p = {.family = allowed->ip.family};
	struct prefix *far = w->in ? &p.src : &p.dst;
	struct prefix *near = w->in ? &p.dst : &p.src;

	*far = *allowed;
	if (source->family && !w->forwarded)
		*near = ip_prefix(source);
	if (w->in)
		p.iif = c->conf.ifname;
	else
		p.oif = c->conf.ifname;
	return p;
}

/* The packets that are lost, in words. */
static const char *lost(const struct hook_way *w, enum fate request,
			enum fate answer)
{
	if (answer == FATE_DROPPED)
		return "packets, answers too,";
	if (request == FATE_ASKS)
		return "pings and other packets that conntrack does not let through";
	return w->in ? "pings and maybe more, but answers come in,"
		     : "pings and maybe more, but answers leave,";
}

static bool look_at_prefix(struct check *c, const json_t *rules,
			   const json_t *chain, const struct hook_way *w,
			   const struct prefix *allowed, const struct peer *p)
{
	struct packet packet = packet_of(c, w, allowed);
	const char *six = packet.family == 6 ? "ip6" : "ip";
	char prefix[PREFIX_STRLEN], place[256];
	enum fate request = chain_fate(rules, chain, &packet), answer;
	bool fatal;

	if (request == FATE_UNSURE)
		return false;
	packet.answer = true;
	answer = chain_fate(rules, chain, &packet);
	/* Without the trigger's requests, or their answers, nothing works. */
	fatal = !w->forwarded &&
		(answer == FATE_DROPPED || (!w->in && request == FATE_DROPPED));
	prefix_str(allowed, prefix);
	snprintf(place, sizeof(place), "%s %s %s", chain_text(chain, "family"),
		 chain_text(chain, "table"), chain_text(chain, "name"));
	found(c, fatal ? LEVEL_FAILURE : LEVEL_WARNING, "firewall", p,
	      "the chain %s (hook %s) drops %s %s the tunnel %s %s", place,
	      w->name, lost(w, request, answer), w->in ? "out of" : "into",
	      w->in ? "from" : "to", prefix);
	mend(c, "nft insert rule %s %s %s %s %s %s accept", place,
	     w->in ? "iifname" : "oifname", c->conf.ifname, six,
	     w->in ? "saddr" : "daddr", prefix);
	return true;
}

/* Where there are many peers, the first ones stand for all. */
#define PREFIXES_AT_MOST 100

/* Tells of the first prefix of each family. */
static void look_at_chain(struct check *c, const json_t *rules,
			  const json_t *chain, const struct hook_way *w)
{
	bool told[2] = {false, false};
	int asked = 0;

	for_each_peer (p, &c->conf)
		for_each_allowed (a, p) {
			bool *done = &told[a->ip.family == 6];

			if (!*done && chain_sees(chain, a->ip.family) &&
			    asked++ < PREFIXES_AT_MOST)
				*done = look_at_prefix(c, rules, chain, w, a,
						       p);
		}
}

static bool is_forwarding_any(const struct check *c)
{
	char path[64];
	int four = 0, six = 0;

	snprintf(path, sizeof(path), "net/ipv4/conf/%s/forwarding",
		 c->conf.ifname);
	sysctl_read(path, &four);
	sysctl_read("net/ipv6/conf/all/forwarding", &six);
	return four || six;
}

/* libnftables prints an error of its own if it may not read. */
static int read_rules(const struct check *c, struct rules *r)
{
	char why[REQUIREMENT_LEN];

	*r = (struct rules){0};
	if (!requirements[REQUIRE_RIGHTS].is_met(why, sizeof(why)))
		return OK;
	return ruleset_read(&r->all)
		       ?: nf_chains_on(c->conf.ifname, &r->own, &r->n_own);
}

/* The tables that iptables-legacy has in use are lines of a file. */
static void look_at_legacy(struct check *c, const char *path,
			   const char *program)
{
	char line[64], names[256] = "";
	FILE *f = fopen(path, "re");

	while (f && fscanf(f, "%63s", line) == 1)
		if (strlen(names) + strlen(line) + 2 < sizeof(names))
			sprintf(names + strlen(names), "%s%s",
				*names ? ", " : "", line);
	if (f)
		fclose(f);
	if (*names)
		found(c, LEVEL_WARNING, "legacy firewall", NULL,
		      "%s has rules, or had, in its own tables (%s), which are not read: `%s-save` shows them",
		      program, names, program);
}

int check_firewall(struct check *c)
{
	bool forwards = is_forwarding_any(c);
	struct rules r;
	json_t *entry;
	int ret = read_rules(c, &r);
	size_t i;

	json_array_foreach(r.all, i, entry)
	{
		const json_t *chain = json_object_get(entry, "chain");
		const char *hook = chain_text(chain, "hook");

		for (size_t j = 0; j < sizeof(ways) / sizeof(*ways); j++)
			if (!strcmp(hook, ways[j].name) &&
			    (forwards || !ways[j].forwarded) &&
			    is_on_way(&r, chain))
				look_at_chain(c, r.all, chain, &ways[j]);
	}
	json_decref(r.all);
	free(r.own);
	look_at_legacy(c, "/proc/net/ip_tables_names", "iptables-legacy");
	look_at_legacy(c, "/proc/net/ip6_tables_names", "ip6tables-legacy");
	return ret;
}
