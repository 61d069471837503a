// SPDX-License-Identifier: GPL-2.0-only
/* Area: others that manage the interface, and our own units. */
#include "check.h"

#define NETWORKD_CONF "/etc/systemd/networkd.conf.d"

static bool routes_all(const struct conf *c)
{
	for_each_peer (p, c)
		for_each_allowed (a, p)
			if (!a->len && c->routes)
				return true;
	return false;
}

/* networkd removes routes and rules that are not its own when it starts, and
 * when it configures the interface anew. */
static void look_at_networkd(struct check *c)
{
	bool routes = c->conf.routes && networkd_is_on("ManageForeignRoutes");
	bool rules = routes_all(&c->conf) &&
		     networkd_is_on("ManageForeignRoutingPolicyRules");

	if (!networkd_manages(c->conf.ifindex) || (!routes && !rules))
		return;
	found(c, LEVEL_WARNING, "systemd-networkd", NULL,
	      "it removes our %s when it starts or configures %s anew, until the timer puts them back: set %s",
	      routes ? "routes" : "rules", c->conf.ifname,
	      routes ? "ManageForeignRoutes=no"
		     : "ManageForeignRoutingPolicyRules=no");
	mend(c,
	     "mkdir -p " NETWORKD_CONF
	     " && printf '[Network]\\nManageForeignRoutes=no\\nManageForeignRoutingPolicyRules=no\\n' >" NETWORKD_CONF
	     "/tunload.conf && systemctl restart systemd-networkd");
}

static void look_at_timer(struct check *c)
{
	const char *dev = c->conf.ifname;
	char unit[64], watch[64];

	snprintf(unit, sizeof(unit), "tunload-trigger@%s.timer", dev);
	snprintf(watch, sizeof(watch), "tunload-watch@%s.service", dev);
	/* Either one does it. */
	if (unit_enabled(unit) || unit_enabled(watch))
		return;
	found(c, LEVEL_WARNING, "timer", NULL,
	      "nothing keeps the paths through security groups and NAT open, nor follows changes of addresses and routes%s: %s is not enabled",
	      networkmanager_manages(c->conf.ifindex)
		      ? ", as NetworkManager makes them when it activates a connection"
		      : "",
	      unit);
	mend(c, "systemctl enable --now %s", unit);
}

static void look_at_service(struct check *c)
{
	char unit[64];

	snprintf(unit, sizeof(unit), "tunload@%s.service", c->conf.ifname);
	if (unit_enabled(unit))
		return;
	found(c, LEVEL_WARNING, "service", NULL,
	      "the tunnels are not attached at boot: %s is not enabled", unit);
	mend(c, "systemctl enable %s", unit);
}

int check_managers(struct check *c)
{
	if (!systemd_runs())
		return OK;
	look_at_networkd(c);
	look_at_service(c);
	look_at_timer(c);
	return OK;
}
