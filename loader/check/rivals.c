// SPDX-License-Identifier: GPL-2.0-only
/* Area: others that take the same packets: programs in front of ours, tunnels
 * of the kernel, policies of IPsec. */
#include "check.h"

#include <netinet/in.h>
#include <string.h>

static void mend_xdp(struct check *c, const struct other_prog *p)
{
	if (p->link)
		mend(c, "bpftool link detach id %u", p->link);
	else
		mend(c, "ip link set dev %s xdp%s off", c->conf.ifname,
		     p->generic ? "generic" : "drv");
}

static void found_xdp(struct check *c, const struct other_prog *p)
{
	const char *what = "XDP program";

	if (c->conf.mode == TL_MODE_NATIVE && !c->attached)
		found(c, LEVEL_FAILURE, what, NULL,
		      "\"%s\" (id %u) has the XDP hook of %s, and mode = native needs it",
		      p->name, p->id, c->conf.ifname);
	else
		found(c, LEVEL_WARNING, what, NULL,
		      "\"%s\" (id %u) has the XDP hook of %s, so that tunload takes packets in tc only, and only those that it lets pass",
		      p->name, p->id, c->conf.ifname);
	mend_xdp(c, p);
}

static void found_tc(struct check *c, const struct other_prog *p)
{
	const char *way = p->hook == HOOK_TC_EGRESS ? "egress" : "ingress";

	found(c, LEVEL_WARNING, "tc program", NULL,
	      "\"%s\" at tc %s of %s sees packets before our program, and may change them or take them away",
	      p->name, way, c->conf.ifname);
	if (p->link)
		mend(c, "bpftool link detach id %u", p->link);
	else if (p->preference)
		mend(c, "tc filter del dev %s %s pref %u", c->conf.ifname, way,
		     p->preference);
}

static int look_at_programs(struct check *c)
{
	struct other_prog *all;
	size_t n;

	if (hooked_before(c->conf.ifindex, &all, &n)) {
		free(all);
		return fail("out of memory");
	}
	for (size_t i = 0; i < n; i++)
		if (all[i].hook == HOOK_XDP)
			found_xdp(c, &all[i]);
		else
			found_tc(c, &all[i]);
	free(all);
	return OK;
}

/* Our programs that somebody took off. */
static void look_at_hooks(struct check *c)
{
	const char *dev = c->conf.ifname;
	char words[TL_REASON_LEN];

	for (int h = 0; h < HOOK_COUNT; h++) {
		if (!c->now.hooks_missing[h])
			continue;
		found(c, LEVEL_FAILURE, "hook", NULL,
		      "somebody took our program off the hook %s of %s",
		      hook_names[h], dev);
		mend(c, "tunload attach %s", dev);
	}
	if (!is_forwarding(&c->now))
		return;
	for_each_from(name, &c->conf)
	{
		forward_fault(dev, name, words);
		if (!*words)
			continue;
		found(c, LEVEL_WARNING, "forward", NULL,
		      "XDP does not forward what arrives on %s: %s", name,
		      words);
		mend(c, "tunload trigger %s --due", dev);
	}
}

static void found_tunnel(struct check *c, const struct peer *p,
			 const struct ip_tunnel *t)
{
	found(c, LEVEL_WARNING, "kernel tunnel", p,
	      "the %s device %s has the same other end: it gets nothing while tunload is attached, and what is routed to it leaves past the peer's rules%s",
	      t->kind, t->name,
	      t->options
		      ? ", with a Destination Options header, which many networks and routers drop (`encaplimit none` keeps it out)"
		      : "");
	mend(c, "ip link del %s", t->name);
}

static int look_at_tunnels(struct check *c)
{
	struct ip_tunnel *all;
	size_t n;
	int ret = ip_tunnel_list(&all, &n);

	for (size_t i = 0; i < n; i++)
		for_each_peer (p, &c->conf)
			if (ip_equal(&p->endpoint, &all[i].remote))
				found_tunnel(c, p, &all[i]);
	free(all);
	return ret;
}

static bool is_selected(const struct xfrm_rule *rule, const struct prefix *src,
			const struct prefix *dst)
{
	return prefix_within(src, &rule->src) && prefix_within(dst, &rule->dst);
}

static void mend_policy(struct check *c, const struct xfrm_rule *rule)
{
	char src[PREFIX_STRLEN], dst[PREFIX_STRLEN];

	mend(c, "ip xfrm policy del src %s dst %s dir %s",
	     prefix_str(&rule->src, src), prefix_str(&rule->dst, dst),
	     rule->out	     ? "out"
	     : rule->forward ? "fwd"
			     : "in");
}

/* Outer packets are made behind the policies. */
static void look_for_outer(struct check *c, const struct peer *p,
			   const struct xfrm_rule *rule)
{
	struct prefix local = ip_prefix(&p->local);
	struct prefix endpoint = ip_prefix(&p->endpoint);
	char ip[IP_STRLEN];

	if (!rule->out || !rule->transforms || !p->local.family ||
	    !is_selected(rule, &local, &endpoint) ||
	    (rule->protocol && rule->protocol != IPPROTO_IPIP &&
	     rule->protocol != IPPROTO_IPV6))
		return;
	found(c, LEVEL_WARNING, "IPsec", p,
	      "a policy encrypts packets to %s, but not those of the tunnel, which are made behind it: they leave in clear; encrypt the inner packets instead",
	      ip_str(&p->endpoint, ip));
	mend_policy(c, rule);
}

/* Only what is selected whatever the other address and protocol. */
static void look_for_inner(struct check *c, const struct peer *p,
			   const struct prefix *allowed,
			   const struct xfrm_rule *rule)
{
	const struct ip *source = conf_source(&c->conf, allowed->ip.family);
	struct prefix near = ip_prefix(source);
	char prefix[PREFIX_STRLEN];

	if (!source->family)
		near = (struct prefix){.ip.family = allowed->ip.family};
	if (!rule->blocks || rule->protocol || rule->forward ||
	    !(rule->out ? is_selected(rule, &near, allowed)
			: is_selected(rule, allowed, &near)))
		return;
	found(c, LEVEL_FAILURE, "IPsec", p, "a policy drops packets %s %s",
	      rule->out ? "to" : "from", prefix_str(allowed, prefix));
	mend_policy(c, rule);
}

static int look_at_policies(struct check *c)
{
	struct xfrm_rule *all;
	size_t n;
	int ret = xfrm_list(&all, &n);

	for (size_t i = 0; i < n; i++)
		for_each_peer (p, &c->conf) {
			look_for_outer(c, p, &all[i]);
			for_each_allowed (a, p)
				look_for_inner(c, p, a, &all[i]);
		}
	free(all);
	return ret;
}

int check_rivals(struct check *c)
{
	if (c->attached)
		look_at_hooks(c);
	return look_at_programs(c) ?: look_at_tunnels(c) ?: look_at_policies(c);
}
