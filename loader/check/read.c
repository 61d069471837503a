// SPDX-License-Identifier: GPL-2.0-only
/* Reads what is to be examined: the running state or a file, and the
 * interface. */
#include "check.h"

/* Without the strictness of attach: what is missing is a finding. */
static int examine_file(struct check *c, const char *ifname, const char *file)
{
	bool found;
	int ret = conf_load(&c->conf, ifname, file, &found);

	if (ret)
		return ret;
	c->no_file = !found;
	ret = conf_check(&c->conf) ?: resolve_edited(&c->conf, NULL);
	if (!ret)
		ret = state_first_ids(&c->conf);
	if (ret)
		conf_free(&c->conf);
	return ret;
}

static int examine_running(struct check *c, const char *ifname)
{
	int ret = snapshot_read(&c->now, ifname);

	if (ret)
		return ret;
	c->attached = true;
	c->now.last_hop = c->hop;
	ret = conf_copy(&c->conf, &c->now.conf);
	if (ret)
		snapshot_free(&c->now);
	return ret;
}

int check_read(struct check *c, const char *ifname, const char *file)
{
	static struct next_hop hop;
	struct tl_interface iface;
	int ret;

	*c = (struct check){.hop = &hop};
	if (!file && is_attached(ifname, &iface))
		ret = examine_running(c, ifname);
	else
		ret = examine_file(c, ifname, file);
	if (ret)
		return ret;
	hop.oif = c->conf.ifindex;
	ret = link_info(ifname, &c->link) ?:
		      addr_list(c->conf.ifindex, &c->addrs) ?:
		      addr_list(0, &c->own);
	if (ret)
		check_free(c);
	return ret;
}

void check_free(struct check *c)
{
	for (size_t i = 0; i < c->n; i++) {
		free(c->findings[i].why);
		free(c->findings[i].command);
	}
	free(c->findings);
	free(c->addrs.all);
	free(c->own.all);
	conf_free(&c->conf);
	if (c->attached)
		snapshot_free(&c->now);
}
