// SPDX-License-Identifier: GPL-2.0-only
#include <getopt.h>

#include "attach.h"
#include "commands.h"
#include "resolve.h"

static int want_conf(struct conf *c, const char *ifname, const char *file)
{
	bool found;
	int ret = conf_load(c, ifname, file, &found);

	if (ret)
		return ret;
	ret = found ? resolve(c)
		    : usage("%s: no file \"%s/tunload/%s.conf\": write one, or "
			    "name one with -c",
			    ifname, SYSCONFDIR, ifname);
	if (ret)
		conf_free(c);
	return ret;
}

static int change(const struct pins *p, const struct maps *m,
		  const struct conf *now, struct conf *want)
{
	struct programs g;
	int ret;

	if (want->mode == now->mode)
		return change_attached(NULL, p, m, now, want, NULL);
	ret = programs_open(&g, p);
	if (ret)
		return ret;
	ret = change_attached(&g, p, m, now, want, "mode = tc");
	programs_close(&g);
	return ret;
}

static int reload_maps(const struct pins *p, struct conf *want)
{
	struct conf now;
	struct maps m;
	int ret = maps_open(&m, p->ifname);

	if (ret)
		return ret;
	ret = state_read(&m, p->ifname, &now);
	if (!ret && now.ifindex != want->ifindex)
		ret = fail("%s is another interface than the attached one of "
			   "that name: run `tunload attach %s`",
			   p->ifname, p->ifname);
	if (!ret)
		ret = change(p, &m, &now, want);
	if (!ret)
		print_changes(&now, want);
	conf_free(&now);
	maps_close(&m);
	return ret;
}

/* Names are resolved before the lock is taken: that may last. */
static int reload(const char *ifname, const char *file)
{
	struct conf want;
	struct pins p;
	int ret;

	if (!pins_exist(ifname))
		return fail_not_attached(ifname);
	ret = want_conf(&want, ifname, file);
	if (ret)
		return ret;
	ret = pins_open(&p, ifname, false);
	if (!ret) {
		ret = reload_maps(&p, &want);
		pins_close(&p);
	}
	conf_free(&want);
	return ret;
}

int cmd_reload(int argc, char **argv)
{
	static const struct option options[] = {
		{"config", required_argument, NULL, 'c'},
		{NULL, 0, NULL, 0},
	};
	const char *ifname, *file = NULL;
	int c, ret;

	while ((c = next_option(argc, argv, "c:", options)) != -1) {
		if (c == '?')
			return USAGE;
		file = optarg;
	}
	ret = only_iface(argc, argv, &ifname);
	return ret ?: reload(ifname, file);
}
