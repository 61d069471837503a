// SPDX-License-Identifier: GPL-2.0-only
/* Puts the programs on their hooks, and takes them off; finds programs of
 * tunload that are pinned elsewhere. */
#include <errno.h>
#include <string.h>

#include "one_hook.h"

/* How long a change of modes may take. If the command is killed meanwhile, the
 * guard is active again after this time. */
#define SWITCH_NS NS_PER_S

/* How long a packet may take from XDP to tc: a softirq's backlog. */
#define IN_FLIGHT_MS 50

enum tc_kind { TC_TRY_TCX, TC_TCX, TC_CLSACT };

/* The state of one hooks_attach(). */
struct job {
	const char *ifname;
	const struct maps *m;
	struct tl_interface *iface;
	enum tc_kind tc;
	bool tc_too; /* tc ingress also beside XDP */
};

void hooks_query(const char *ifname, uint32_t ifindex, struct hooks *out)
{
	memset(out, 0, sizeof(*out));
	for (enum hook h = 0; h < HOOK_COUNT; h++)
		out->on[h] = link_exists(ifname, h);
	out->tcx = out->on[HOOK_TC_INGRESS] || out->on[HOOK_TC_EGRESS];
	if (out->tcx)
		return;
	out->on[HOOK_TC_INGRESS] =
		filter_exists(ifname, HOOK_TC_INGRESS, ifindex);
	out->on[HOOK_TC_EGRESS] =
		filter_exists(ifname, HOOK_TC_EGRESS, ifindex);
}

static enum tc_kind tc_kind(const struct hooks *was)
{
	const char *env = getenv("TUNLOAD_HOOK");

	if (was->tcx)
		return TC_TCX;
	if (was->on[HOOK_TC_INGRESS] || was->on[HOOK_TC_EGRESS])
		return TC_CLSACT;
	return env && !strcmp(env, "clsact") ? TC_CLSACT : TC_TRY_TCX;
}

static const char *hook_text(enum hook h)
{
	return h == HOOK_TC_EGRESS ? "egress" : "ingress";
}

static int put_failed(const struct job *j, enum hook h, int err)
{
	const char *dev = j->ifname, *words = bpf_log_words();

	if (err == -EBUSY)
		return fail(
			"%s: somebody else's filter has our place at tc %s: see `tc filter show dev %s %s`",
			dev, hook_text(h), dev, hook_text(h));
	return fail("%s: cannot attach to tc %s: %s%s%s", dev, hook_text(h),
		    words, *words ? ": " : "", strerror(-err));
}

/* Records the qdisc as ours before making it, so that detach removes it even if
 * this command is killed in between. */
static int make_clsact(struct job *j)
{
	int err;

	j->iface->flags |= TL_IF_F_CLSACT_OURS;
	if (interface_write(j->m, j->iface))
		return FAILED;
	err = clsact_create(j->iface->ifindex);
	if (!err)
		return OK;
	j->iface->flags &= ~TL_IF_F_CLSACT_OURS;
	if (interface_write(j->m, j->iface))
		return FAILED;
	if (err == -EEXIST)
		return OK;
	return fail("%s: cannot make a clsact qdisc: %s%s", j->ifname,
		    strerror(-err),
		    err == -ENOENT ? ": try `modprobe sch_ingress cls_bpf`"
				   : "");
}

static int need_clsact(struct job *j)
{
	const char *dev = j->ifname;
	char kind[IFNAMSIZ];
	int err = hooked_clsact(j->iface->ifindex, kind);

	if (err)
		return fail("%s: cannot list the qdiscs: %s", dev,
			    strerror(-err));
	if (!*kind)
		return make_clsact(j);
	if (!strcmp(kind, "clsact"))
		return OK;
	return fail(
		"%s has a qdisc \"%s\", which has no egress hook: replace it with clsact",
		dev, kind);
}

static int put_tc(struct job *j, enum hook h, int prog)
{
	uint32_t ifindex = j->iface->ifindex;
	int err = 0;

	if (j->tc != TC_CLSACT) {
		err = link_put(j->ifname, h, ifindex, prog);
		/* Kernels before 6.6 have no TCX and return these. */
		if (j->tc == TC_TRY_TCX)
			j->tc = err == -EINVAL || err == -EOPNOTSUPP ? TC_CLSACT
								     : TC_TCX;
	}
	if (j->tc == TC_CLSACT) {
		if (need_clsact(j))
			return FAILED;
		err = filter_put(j->ifname, h, ifindex, prog);
	}
	return err ? put_failed(j, h, err) : OK;
}

static void drop_hook(const struct job *j, enum hook h)
{
	if (h == HOOK_XDP || j->tc != TC_CLSACT)
		link_drop(j->ifname, h);
	else
		filter_drop(j->ifname, h, j->iface->ifindex);
}

/* In mode auto a refusal is not an error, but becomes mode_reason. */
static int put_xdp(struct job *j, int prog, enum tl_mode asked, bool *native)
{
	struct tl_interface *iface = j->iface;
	char driver[32];
	int err = link_put(j->ifname, HOOK_XDP, iface->ifindex, prog);

	*native = !err;
	if (err) {
		xdp_refusal(j->ifname, iface->ifindex, prog, err,
			    iface->mode_reason);
		if (asked == TL_MODE_NATIVE)
			return fail(
				"%s: mode \"native\" is not possible: %s: use auto or tc",
				j->ifname, iface->mode_reason);
		return OK;
	}
	driver_name(j->ifname, driver);
	snprintf(iface->mode_reason, sizeof(iface->mode_reason),
		 "driver %s takes native XDP", driver);
	return OK;
}

/* While both ingress hooks are on, the guard of the second would drop packets
 * that the first has decapsulated. */
static int suspend_guard(struct job *j)
{
	j->iface->no_guard_until_ns = clock_ns(CLOCK_MONOTONIC) + SWITCH_NS;
	return interface_write(j->m, j->iface);
}

static uint32_t ingress_hooks(const struct tl_interface *iface)
{
	if (iface->mode != TL_MODE_NATIVE)
		return TL_INGRESS_TC;
	return TL_INGRESS_XDP |
	       (iface->flags & TL_IF_F_TC_TOO ? TL_INGRESS_TC : 0);
}

/* Takes the program off the ingress hook that is not in use any more. */
static void drop_other(const struct job *j, bool native,
		       const struct hooks *was)
{
	enum hook other = native ? HOOK_TC_INGRESS : HOOK_XDP;

	if (native && j->tc_too)
		return;
	drop_hook(j, other);
	if (was->on[other])
		sleep_ms(IN_FLIGHT_MS);
}

static int finish(struct job *j, bool native, const struct hooks *was)
{
	struct tl_interface *iface = j->iface;

	iface->mode = native ? TL_MODE_NATIVE : TL_MODE_TC;
	iface->flags &= ~TL_IF_F_TC_TOO;
	iface->flags |= j->tc_too ? TL_IF_F_TC_TOO : 0;
	ingress_write(j->m, ingress_hooks(iface));
	drop_other(j, native, was);
	iface->no_guard_until_ns = 0;
	return interface_write(j->m, iface);
}

static int put_all(struct job *j, const struct programs *g,
		   const struct hooks *was, enum tl_mode asked)
{
	enum hook other = asked == TL_MODE_TC ? HOOK_XDP : HOOK_TC_INGRESS;
	bool native = false;
	int ret = OK;

	j->iface->mode_asked = asked;
	if (was->on[other])
		ret = suspend_guard(j);
	if (!ret && asked != TL_MODE_TC)
		ret = put_xdp(j, g->fd[HOOK_XDP], asked, &native);
	if (!ret && (!native || j->tc_too))
		ret = put_tc(j, HOOK_TC_INGRESS, g->fd[HOOK_TC_INGRESS]);
	if (!ret)
		ret = put_tc(j, HOOK_TC_EGRESS, g->fd[HOOK_TC_EGRESS]);
	if (!ret)
		ret = finish(j, native, was);
	return ret;
}

/* Puts the former programs back on their hooks and frees the other hooks. */
static void undo(struct job *j, const struct hooks *was,
		 const struct tl_interface *before)
{
	bool ours = j->iface->flags & ~before->flags & TL_IF_F_CLSACT_OURS;
	struct programs old;
	bool have = (was->on[HOOK_XDP] || was->on[HOOK_TC_INGRESS] ||
		     was->on[HOOK_TC_EGRESS]) &&
		    !programs_open(&old, j->ifname);

	for (enum hook h = 0; h < HOOK_COUNT; h++) {
		if (!was->on[h])
			drop_hook(j, h);
		else if (have && h == HOOK_XDP)
			link_put(j->ifname, h, before->ifindex, old.fd[h]);
		else if (have)
			put_tc(j, h, old.fd[h]);
	}
	if (have)
		programs_close(&old);
	if (ours)
		clsact_drop(before->ifindex);
	*j->iface = *before;
	ingress_write(j->m, ingress_hooks(before));
	interface_write(j->m, before);
}

/* True if the interface has pins under a former name, which it copies. */
static bool former_name(const char *ifname, uint32_t ifindex,
			char former[static IFNAMSIZ])
{
	char(*names)[IFNAMSIZ] = NULL;
	struct tl_interface iface;
	uint64_t cookie;
	bool found = false;
	size_t n = 0;

	if (netns_cookie(&cookie) || pins_list(&names, &n))
		return false;
	for (size_t i = 0; !found && i < n; i++) {
		found = strcmp(names[i], ifname) &&
			pins_interface(names[i], &iface) &&
			iface.ifindex == ifindex &&
			iface.netns_cookie == cookie && !pins_dead(names[i]);
		if (found)
			strcpy(former, names[i]);
	}
	free(names);
	return found;
}

int hooks_must_be_free(const char *ifname, uint32_t ifindex)
{
	char former[IFNAMSIZ];

	if (former_name(ifname, ifindex, former))
		return fail(
			"%s is attached under its former name: `tunload detach %s` first",
			ifname, former);
	for (enum hook h = HOOK_TC_INGRESS; h < HOOK_COUNT; h++) {
		if (hooked_filter(h, ifindex))
			return fail(
				"%s has a filter of tunload whose pins are not in \"%s\": name their bpffs with --bpffs, or `tc filter del dev %s %s pref 94`",
				ifname, pins_bpffs(), ifname, hook_text(h));
	}
	if (hooked_links(ifindex))
		return fail(
			"%s is attached from another bpffs than \"%s\": name it with --bpffs",
			ifname, pins_bpffs());
	return OK;
}

int hooks_attach(const struct programs *g, const char *ifname,
		 const struct maps *m, struct tl_interface *iface,
		 enum tl_mode asked, bool tc_too)
{
	struct job j = {
		.ifname = ifname, .m = m, .iface = iface, .tc_too = tc_too};
	struct tl_interface before;
	struct hooks was;
	int ret;

	iface->no_guard_until_ns = 0; /* may be left by a killed command */
	before = *iface;
	hooks_query(ifname, iface->ifindex, &was);
	j.tc = tc_kind(&was);
	ret = put_all(&j, g, &was, asked);
	if (ret)
		undo(&j, &was, &before);
	return ret;
}

int hooks_detach(const char *ifname, uint32_t ifindex, bool clsact_ours)
{
	filter_drop(ifname, HOOK_TC_INGRESS, ifindex);
	filter_drop(ifname, HOOK_TC_EGRESS, ifindex);
	for (enum hook h = 0; h < HOOK_COUNT; h++)
		link_drop(ifname, h);
	if (clsact_ours)
		clsact_drop(ifindex);
	for (enum hook h = HOOK_TC_INGRESS; h < HOOK_COUNT; h++) {
		if (ifindex && hooked_filter(h, ifindex))
			return fail(
				"%s: the filter of tunload at tc %s is not the one of these pins: `tc filter del dev %s %s pref 94`, then detach again",
				ifname, hook_text(h), ifname, hook_text(h));
	}
	return OK;
}
