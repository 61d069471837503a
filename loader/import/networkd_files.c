// SPDX-License-Identifier: GPL-2.0-only
/* Finds the tunnels in systemd-networkd's .netdev and .network files. */
#include "import.h"

#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

/* What is read so far. */
struct files {
	struct import *im;
	struct found *all; /* of the .netdev files */
	size_t n;
	bool tunnel;	  /* the .netdev file is one of a tunnel */
	struct found now; /* the .netdev file that is read */
	struct net {	  /* the .network file that is read */
		char match[256];
		bool in_route;
		struct prefix dst;
		struct ip gateway, source;
		char skipped[128]; /* why the route is not imported, or "" */
	} net;
};

static bool in_section(const struct ini_line *l, const char *section)
{
	return !strcmp(l->section, section);
}

static bool is_key(const struct ini_line *l, const char *key)
{
	return !strcmp(l->key, key);
}

static bool is_yes(const char *value)
{
	return !strcmp(value, "yes") || !strcmp(value, "true") ||
	       !strcmp(value, "on") || !strcmp(value, "1");
}

static int bad_value(const struct ini_line *l, const char *what)
{
	return fail("%s:%u: %s \"%.60s\" is not %s: repair it", l->file,
		    l->number, l->key, l->value, what);
}

static void not_imported(struct files *d, const struct ini_line *l)
{
	import_note(d->im, "%s:%u: not imported: %s=%s", l->file, l->number,
		    l->key, l->value);
}

/* Keys of [Tunnel] that tunload needs not know. */
static bool is_idle_key(const struct ini_line *l)
{
	static const char *const idle[] = {"Independent", "AssignToLoopback",
					   "DiscoverPathMTU", "IPv6FlowLabel",
					   "AllowLocalRemote"};

	for (size_t i = 0; i < sizeof(idle) / sizeof(*idle); i++)
		if (is_key(l, idle[i]))
			return true;
	return false;
}

/* Sets f->refused for a tunnel that puts more than an outer header in front. */
static bool refuses(struct found *f, const struct ini_line *l)
{
	if (is_key(l, "FooOverUDP") && is_yes(l->value))
		f->refused = "it puts UDP around its packets (FooOverUDP)";
	else if (is_key(l, "IPv6RapidDeploymentPrefix"))
		f->refused = "it is a 6rd tunnel";
	else if (is_key(l, "ISATAP") && is_yes(l->value))
		f->refused = "it is an ISATAP tunnel";
	else if (is_key(l, "External") && is_yes(l->value))
		f->refused =
			"it is controlled by routes and filters (External)";
	else
		return false;
	return true;
}

static int set_outer_ip(struct files *d, const struct ini_line *l,
			struct ip *ip)
{
	if (!strcmp(l->value, "any"))
		return OK;
	if (ip_parse(l->value, ip))
		return OK;
	if (ip == &d->now.remote)
		return bad_value(l, "an IP address");
	/* dhcp4, slaac and the like: tunload chooses by itself. */
	*ip = (struct ip){0};
	not_imported(d, l);
	return OK;
}

static int set_octet(const struct ini_line *l, uint32_t *out)
{
	return number_parse(l->value, 0, 255, out)
		       ? OK
		       : bad_value(l, "a number from 0 to 255");
}

static int take_tunnel_key(struct files *d, const struct ini_line *l)
{
	struct found *f = &d->now;

	if (is_key(l, "Local"))
		return set_outer_ip(d, l, &f->local);
	if (is_key(l, "Remote"))
		return set_outer_ip(d, l, &f->remote);
	if (is_key(l, "TTL"))
		return set_octet(l, &f->ttl);
	if (is_key(l, "TOS"))
		return set_octet(l, &f->tos);
	if (is_key(l, "EncapsulationLimit"))
		f->limit = strcmp(l->value, "none");
	else if (!is_key(l, "Mode") && !is_idle_key(l) && !refuses(f, l))
		not_imported(d, l);
	return OK;
}

static void set_kind(struct files *d, const char *kind)
{
	bool six = !strcmp(kind, "ip6tnl");

	d->tunnel = six || !strcmp(kind, "ipip") || !strcmp(kind, "sit");
	d->now.limit = six;
	d->now.ttl = six ? 64 : 0;
}

static int take_netdev_line(const struct ini_line *l, void *data)
{
	struct files *d = data;
	struct found *f = &d->now;

	if (!l->key)
		return OK;
	if (in_section(l, "Tunnel"))
		return take_tunnel_key(d, l);
	if (!in_section(l, "NetDev"))
		return OK;
	if (is_key(l, "Kind"))
		set_kind(d, l->value);
	if (is_key(l, "Name"))
		snprintf(f->name, sizeof(f->name), "%s", l->value);
	if (is_key(l, "MTUBytes") && !number_parse(l->value, 1, 65535, &f->mtu))
		not_imported(d, l);
	return OK;
}

static int read_netdev(struct files *d, const char *path)
{
	int ret;

	d->tunnel = false;
	d->now = (struct found){0};
	snprintf(d->now.where, sizeof(d->now.where), "%s", path);
	ret = ini_read(path, take_netdev_line, d);
	if (ret || !d->tunnel)
		return ret;
	return push(d->all, d->n, &d->now);
}

/* True if the .network file applies to that device. */
static bool is_matched(const struct files *d, const char *name)
{
	char words[sizeof(d->net.match)], *save;

	strcpy(words, d->net.match);
	for (char *word = strtok_r(words, " ", &save); word;
	     word = strtok_r(NULL, " ", &save))
		if (!fnmatch(word, name, 0))
			return true;
	return false;
}

#define for_each_matched(f, d)                                                 \
	for (struct found *f = (d)->all; f && f < (d)->all + (d)->n; f++)      \
		if (is_matched(d, f->name))

static bool is_tunnels_file(const struct files *d)
{
	for_each_matched(f, d) return true;
	return false;
}

/* Ends a section [Route]. */
static int end_route(struct files *d)
{
	struct net *net = &d->net;
	bool wanted = net->in_route && !*net->skipped;
	int ret = OK;

	net->in_route = false;
	if (!wanted)
		return OK;
	if (!net->dst.ip.family)
		net->dst.ip.family = net->gateway.family;
	if (!net->dst.ip.family || prefix_is_special(&net->dst))
		return OK;
	for_each_matched(f, d)
	{
		struct ip *source =
			net->dst.ip.family == 4 ? &f->source4 : &f->source6;

		if (net->source.family)
			*source = net->source;
		ret = ret ?: push(f->behind, f->n_behind, &net->dst);
	}
	return ret;
}

static int take_route_key(struct files *d, const struct ini_line *l)
{
	struct net *net = &d->net;
	const char *why;

	if (is_key(l, "Destination"))
		return prefix_parse(l->value, &net->dst, &why)
			       ? OK
			       : bad_value(l, "a prefix without host bits");
	if (is_key(l, "Gateway") && !ip_parse(l->value, &net->gateway))
		return bad_value(l, "an IP address");
	if (is_key(l, "PreferredSource") && !ip_parse(l->value, &net->source))
		return bad_value(l, "an IP address");
	if ((is_key(l, "Table") && strcmp(l->value, "main") &&
	     strcmp(l->value, "254")) ||
	    (is_key(l, "Type") && strcmp(l->value, "unicast"))) {
		not_imported(d, l);
		snprintf(net->skipped, sizeof(net->skipped), "%s", l->key);
	}
	return OK;
}

/* An address of the device, and the network that is on the link with it. */
static int add_address(struct found *f, const struct ip *ip,
		       const struct prefix *net)
{
	int ret = push(f->addresses, f->n_addresses, ip);

	if (ret || net->len == (ip->family == 4 ? 32 : 128))
		return ret;
	return push(f->behind, f->n_behind, net);
}

static int take_address(struct files *d, const struct ini_line *l)
{
	char text[IP_STRLEN + 8], *slash;
	struct prefix net;
	uint32_t len;
	struct ip ip;

	snprintf(text, sizeof(text), "%s", l->value);
	slash = strchr(text, '/');
	if (slash)
		*slash++ = '\0';
	if (!ip_parse(text, &ip))
		return bad_value(l, "an address");
	net = ip_prefix(&ip);
	if (slash && !number_parse(slash, 0, net.len, &len))
		return bad_value(l, "an address with its length");
	if (prefix_is_special(&net))
		return OK;
	if (slash)
		prefix_shorten(&net, len);
	for_each_matched(f, d) if (add_address(f, &ip, &net)) return FAILED;
	return OK;
}

static int take_peer_address(struct files *d, const struct ini_line *l)
{
	struct prefix net;
	const char *why;

	if (!prefix_parse(l->value, &net, &why))
		return bad_value(l, "a prefix without host bits");
	for_each_matched(
		f, d) if (push(f->behind, f->n_behind, &net)) return FAILED;
	return OK;
}

/* A file of another interface may say that tunnels run on it. */
static void take_tunnel_name(struct files *d, const struct ini_line *l)
{
	for (size_t i = 0; i < d->n; i++)
		if (!strcmp(d->all[i].name, l->value))
			snprintf(d->all[i].under, IFNAMSIZ, "%.*s",
				 (int)strcspn(d->net.match, " "), d->net.match);
}

static int take_network_key(struct files *d, const struct ini_line *l)
{
	if (in_section(l, "Match") && is_key(l, "Name"))
		snprintf(d->net.match, sizeof(d->net.match), "%s", l->value);
	if (in_section(l, "Network") && is_key(l, "Tunnel"))
		take_tunnel_name(d, l);
	if (!is_tunnels_file(d))
		return OK;
	if ((in_section(l, "Network") || in_section(l, "Address")) &&
	    is_key(l, "Address"))
		return take_address(d, l);
	if (in_section(l, "Address") && is_key(l, "Peer"))
		return take_peer_address(d, l);
	if (in_section(l, "Route"))
		return take_route_key(d, l);
	if (in_section(l, "RoutingPolicyRule"))
		not_imported(d, l);
	return OK;
}

static int take_network_line(const struct ini_line *l, void *data)
{
	struct files *d = data;
	int ret;

	if (l->key)
		return take_network_key(d, l);
	ret = end_route(d);
	d->net.dst = (struct prefix){0};
	d->net.gateway = d->net.source = (struct ip){0};
	d->net.skipped[0] = '\0';
	d->net.in_route = in_section(l, "Route");
	return ret;
}

static int read_network(struct files *d, const char *path)
{
	d->net = (struct net){0};
	return ini_read(path, take_network_line, d) ?: end_route(d);
}

static bool ends_with(const char *name, const char *end)
{
	size_t n = strlen(name), m = strlen(end);

	return n > m && !strcmp(name + n - m, end);
}

static int read_all(struct files *d, const char *dir, struct dirent **names,
		    int n, const char *end,
		    int (*reader)(struct files *d, const char *path))
{
	char path[PATH_MAX];
	int ret = OK;

	for (int i = 0; !ret && i < n; i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, names[i]->d_name);
		if (ends_with(names[i]->d_name, end))
			ret = reader(d, path);
		else if (ends_with(names[i]->d_name, ".d") &&
			 strstr(names[i]->d_name, end))
			import_note(
				d->im,
				"%s: not read: write its lines into the file itself",
				path);
	}
	return ret;
}

int import_networkd(struct import *im, const char *dir)
{
	struct files d = {.im = im};
	struct dirent **names;
	int n = scandir(dir, &names, NULL, alphasort), ret;

	if (n < 0)
		return fail("%s: cannot read the directory: %s; name another",
			    dir, strerror(errno));
	ret = read_all(&d, dir, names, n, ".netdev", read_netdev)
		      ?: read_all(&d, dir, names, n, ".network", read_network);
	for (size_t i = 0; !ret && i < d.n; i++)
		ret = import_add(im, &d.all[i]);
	found_free(d.all, d.n);
	for (int i = 0; i < n; i++)
		free(names[i]);
	free(names);
	return ret;
}
