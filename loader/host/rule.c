// SPDX-License-Identifier: GPL-2.0-only
/* Reads and changes policy rules by rtnetlink. */
#include "host.h"

#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>

static void ask_rules(union nl_request *r, const struct nl_dump *d)
{
	struct fib_rule_hdr *msg =
		nl_begin(r, RTM_GETRULE, NLM_F_DUMP, sizeof(*msg));

	msg->family = nl_af(d->family);
}

/* Skips other families: a kernel without the requested one lists those that it
 * has. */
static bool take_rule(const struct nlmsghdr *nlh, const struct nl_dump *d,
		      void *element)
{
	const struct fib_rule_hdr *msg = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *tb[FRA_PROTOCOL + 1];

	nl_attrs(nlh, sizeof(*msg), tb, FRA_PROTOCOL);
	if (nl_family(msg->family) != d->family ||
	    nl_u8(tb[FRA_PROTOCOL]) != RTPROT_TUNLOAD)
		return false;
	*(struct rule *)element = (struct rule){
		.family = d->family,
		.from = nl_ip(tb[FRA_SRC], d->family),
		.table = tb[FRA_TABLE] ? nl_u32(tb[FRA_TABLE]) : msg->table,
		.preference = nl_u32(tb[FRA_PRIORITY]),
		.no_default = tb[FRA_SUPPRESS_PREFIXLEN] &&
			      !nl_u32(tb[FRA_SUPPRESS_PREFIXLEN]),
	};
	return true;
}

int rule_list(struct rule **out, size_t *n)
{
	struct nl_dump d = {
		.what = "rules",
		.ask = ask_rules,
		.take = take_rule,
		.size = sizeof(**out),
	};

	return nl_dump(&d, (void **)out, n);
}

/* Without NLM_F_EXCL an equal rule is not an error. */
void rule_put(union nl_request *r, uint16_t type, const struct rule *rule)
{
	uint16_t flags = type == RTM_NEWRULE ? NLM_F_CREATE : 0;
	struct fib_rule_hdr *msg = nl_begin(r, type, flags, sizeof(*msg));

	msg->family = nl_af(rule->family);
	msg->action = FR_ACT_TO_TBL;
	if (rule->from.family) {
		msg->src_len = rule->family == 4 ? 32 : 128;
		nl_put_ip(r, FRA_SRC, &rule->from);
	}
	mnl_attr_put_u32(&r->nlh, FRA_TABLE, rule->table);
	mnl_attr_put_u32(&r->nlh, FRA_PRIORITY, rule->preference);
	mnl_attr_put_u8(&r->nlh, FRA_PROTOCOL, RTPROT_TUNLOAD);
	if (rule->no_default)
		mnl_attr_put_u32(&r->nlh, FRA_SUPPRESS_PREFIXLEN, 0);
}
