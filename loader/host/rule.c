// SPDX-License-Identifier: GPL-2.0-only
/* Policy rules by rtnetlink. */
#include "host.h"

#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>

struct rule_dump {
	uint8_t family;
	struct rule *rules;
	size_t n;
};

static int on_rule(const struct nlmsghdr *nlh, void *data)
{
	const struct fib_rule_hdr *msg = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *tb[FRA_PROTOCOL + 1];
	struct rule_dump *d = data;

	nl_attrs(nlh, sizeof(*msg), tb, FRA_PROTOCOL);
	/* A kernel without a family answers with those it has. */
	if (nl_family(msg->family) != d->family || !tb[FRA_PROTOCOL] ||
	    mnl_attr_get_u8(tb[FRA_PROTOCOL]) != RTPROT_TUNLOAD)
		return MNL_CB_OK;
	if (!array_grow((void **)&d->rules, d->n, sizeof(*d->rules)))
		return MNL_CB_ERROR;
	d->rules[d->n++] = (struct rule){
		.family = d->family,
		.from = nl_ip(tb[FRA_SRC], d->family),
		.table = tb[FRA_TABLE] ? nl_u32(tb[FRA_TABLE]) : msg->table,
		.preference = nl_u32(tb[FRA_PRIORITY]),
		.no_default = tb[FRA_SUPPRESS_PREFIXLEN] &&
			      !nl_u32(tb[FRA_SUPPRESS_PREFIXLEN]),
	};
	return MNL_CB_OK;
}

static int dump_family(struct rule_dump *d)
{
	size_t before = d->n;
	struct fib_rule_hdr *msg;
	union nl_request r;
	int ret, tries = 0;

	do {
		d->n = before;
		msg = nl_begin(&r, RTM_GETRULE, NLM_F_DUMP, sizeof(*msg));
		msg->family = nl_af(d->family);
		ret = nl_talk(&r, on_rule, d);
	} while (ret && errno == EINTR && ++tries < NL_DUMP_TRIES);
	/* No such family, or a kernel without rules. */
	if (ret && (errno == EAFNOSUPPORT || errno == EOPNOTSUPP))
		return OK;
	return ret ? fail("cannot list rules: %s", nl_error()) : OK;
}

int rule_list(struct rule **out, size_t *n)
{
	struct rule_dump d = {0};
	int ret = OK;

	for (d.family = 4; !ret && d.family <= 6; d.family += 2)
		ret = dump_family(&d);
	if (ret) {
		free(d.rules);
		return ret;
	}
	*out = d.rules;
	*n = d.n;
	return OK;
}

/* Without NLM_F_EXCL an equal rule is no error: see rules() of routes_plan.c.
 */
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
