// SPDX-License-Identifier: GPL-2.0-only
/* Computes the other end of a tunnel from ours, and prints it in a form. */
#include "remote.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define FORM_ROW(name) &form_##name,
static const struct form *const forms[] = {FORMS(FORM_ROW)};
#define N_FORMS (sizeof(forms) / sizeof(*forms))

static int unknown_form(const char *name)
{
	char all[256] = "";
	size_t used = 0;

	for (size_t i = 0; i < N_FORMS && used < sizeof(all); i++)
		used += snprintf(all + used, sizeof(all) - used, "%s%s",
				 i ? ", " : "", forms[i]->name);
	if (!name)
		return fail_usage(
			"remote-config: no form named: give --for and one of %s",
			all);
	return fail_usage("remote-config: --for \"%s\" is none of %s", name,
			  all);
}

static const struct form *find_form(const char *name)
{
	for (size_t i = 0; name && i < N_FORMS; i++)
		if (!strcmp(forms[i]->name, name))
			return forms[i];
	unknown_form(name);
	return NULL;
}

/* RFC 1918 and RFC 6598: an address that the other end sees only behind a
 * NAT. */
static bool is_nat_address(const struct ip *ip)
{
	static const struct prefix nets[] = {
		{{4, {10}}, 8},
		{{4, {172, 16}}, 12},
		{{4, {192, 168}}, 16},
		{{4, {100, 64}}, 10},
	};

	for (size_t i = 0; i < sizeof(nets) / sizeof(*nets); i++)
		if (prefix_contains(&nets[i], ip))
			return true;
	return false;
}

static int parse_our_address(struct far_end *f, const char *text)
{
	const char *fault;

	if (!ip_parse(text, &f->remote))
		return fail_usage(
			"remote-config: --our-address \"%s\" is not an IP address: give the one that the other end sees",
			text);
	fault = address_fault(&f->remote);
	if (fault)
		return fail_usage("remote-config: --our-address \"%s\" %s",
				  text, fault);
	if (f->remote.family == f->local.family)
		return OK;
	return fail_usage(
		"remote-config: --our-address \"%s\" is not of the family of the endpoint %s: give an IPv%u address",
		text, f->local_text, f->local.family);
}

/* Behind a NAT the other end sees another address than ours. On EC2 the
 * metadata service knows it. */
static void look_outside(struct far_end *f)
{
	struct ip outside;

	if (!is_nat_address(&f->remote))
		return;
	outside = public_address(f->conf->ifname, &f->remote);
	if (outside.family) {
		f->remote = outside;
		return;
	}
	warn("our address %s is private: if the other end sees another one, give that with --our-address",
	     ip_str(&f->remote, f->remote_text));
}

/* Sets the outer addresses, seen from the other end. */
static int set_outer(struct far_end *f, const char *our_address)
{
	const struct peer *p = f->peer;
	int ret = OK;

	f->local = p->endpoint;
	f->remote = p->local;
	if (!f->local.family || (!our_address && !f->remote.family))
		return fail("peer %s waits: %s", p->name, p->waiting);
	ip_str(&f->local, f->local_text);
	if (our_address)
		ret = parse_our_address(f, our_address);
	else
		look_outside(f);
	ip_str(&f->remote, f->remote_text);
	return ret;
}

static bool is_carried(const struct far_end *f, uint8_t family)
{
	return family == 4 ? f->carries4 : f->carries6;
}

static int add_network(struct far_end *f, const char *word, size_t n)
{
	char text[PREFIX_STRLEN + 8], right[PREFIX_STRLEN];
	struct prefix prefix;
	const char *why;

	snprintf(text, sizeof(text), "%.*s", (int)n, word);
	if (n >= sizeof(text) || !prefix_parse(text, &prefix, &why))
		return fail_usage(
			"remote-config: --our-networks \"%s\" %s: write %s",
			text, n < sizeof(text) ? why : "is not a prefix",
			n < sizeof(text) && prefix.ip.family
				? prefix_str(&prefix, right)
				: "ADDRESS/LENGTH");
	if (!is_carried(f, prefix.ip.family))
		return fail_usage(
			"remote-config: --our-networks \"%s\" is IPv%u, but peer %s has no IPv%u in its allowed-ips: remove it",
			text, prefix.ip.family, f->peer->name,
			prefix.ip.family);
	return push(f->ours, f->n_ours, &prefix);
}

static int parse_networks(struct far_end *f, const char *list)
{
	const char *word;
	int ret = OK;
	size_t n;

	while (!ret && (word = list_next(&list, &n)))
		ret = add_network(f, word, n);
	return ret;
}

/* Our inner address, with the length that `address` gives it. */
static int add_source(struct far_end *f, const struct ip *source, int len)
{
	struct prefix prefix;

	if (!source->family || !is_carried(f, source->family))
		return OK;
	prefix = ip_prefix(source);
	if (len > 0)
		prefix_shorten(&prefix, len);
	return push(f->ours, f->n_ours, &prefix);
}

static int set_networks(struct far_end *f, const char *our_networks)
{
	const struct conf *c = f->conf;

	for_each_allowed (a, f->peer) {
		f->carries4 |= a->ip.family == 4;
		f->carries6 |= a->ip.family == 6;
	}
	if (our_networks)
		return parse_networks(f, our_networks);
	return add_source(f, &c->source4, c->address4_len)
		       ?: add_source(f, &c->source6, c->address6_len);
}

static int set_source(struct far_end *f, const char *list)
{
	char text[IP_STRLEN];
	const char *word;
	struct ip ip;
	size_t n;

	f->source4 = f->peer->gateway4;
	f->source6 = f->peer->gateway6;
	while (list && (word = list_next(&list, &n))) {
		snprintf(text, sizeof(text), "%.*s", (int)n, word);
		if (n >= sizeof(text) || !ip_parse(text, &ip))
			return fail_usage(
				"remote-config: --their-source \"%s\" is not an IP address: give an inner address of the other end",
				text);
		if (!peer_allows(f->peer, &ip))
			return fail_usage(
				"remote-config: --their-source \"%s\" is not in the allowed-ips of peer %s: give one that is",
				text, f->peer->name);
		*(ip.family == 4 ? &f->source4 : &f->source6) = ip;
	}
	return OK;
}

/* Some systems take no other characters in the names of their sections. */
static bool device_valid(const char *name)
{
	return isalpha((unsigned char)*name) &&
	       strlen(name) <= FAR_DEVICE_MAX &&
	       !name[strspn(
		       name,
		       "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")];
}

static int set_device(struct far_end *f, const char *name)
{
	f->device = name ?: FAR_DEVICE;
	if (device_valid(f->device))
		return OK;
	return fail_usage(
		"remote-config: --device \"%s\" is not valid: give a letter, and at most %d letters, digits and _ behind it",
		name, FAR_DEVICE_MAX - 1);
}

static const struct far_ability *ability(const struct form *form,
					 const struct far_end *f)
{
	return f->local.family == 4 ? &form->over4 : &form->over6;
}

static int cannot(const struct form *form, const struct far_end *f,
		  const char *what)
{
	return fail(
		"%s has no %s over IPv%u, which peer %s needs: choose another system, or other allowed-ips",
		form->title, what, f->local.family, f->peer->name);
}

/* Fails if the system lacks something that this tunnel needs. */
static int check_form(const struct form *form, const struct far_end *f)
{
	const struct far_ability *can = ability(form, f);

	if (f->carries4 && !can->four)
		return cannot(form, f, "tunnel for IPv4");
	if (f->carries6 && !can->six)
		return cannot(form, f, "tunnel for IPv6");
	if (f->carries4 && f->carries6 && can->both == FAR_NEVER)
		return cannot(form, f,
			      "tunnel for IPv4 and IPv6 between two addresses");
	if (can->source != SOURCE_NEEDED ||
	    ((!f->carries4 || f->source4.family) &&
	     (!f->carries6 || f->source6.family)))
		return OK;
	return fail_usage(
		"remote-config: %s needs an inner address of the other end: give --their-source, of each family in the allowed-ips of peer %s",
		form->title, f->peer->name);
}

/* Prints the networks of one end behind `what`. */
static void print_networks(const struct form *form, const char *what,
			   const struct prefix *prefixes, size_t n)
{
	char text[PREFIX_STRLEN];

	printf("%s %s", form->comment, what);
	for (size_t i = 0; i < n; i++)
		printf("%s %s", i ? "," : "", prefix_str(&prefixes[i], text));
	putchar('\n');
}

static void print_head(const struct form *form, const struct far_end *f)
{
	const struct peer *p = f->peer;

	printf("%s The other end of peer %s of %s. Nothing is encrypted.\n",
	       form->comment, p->name, f->conf->ifname);
	print_networks(form, "There:", p->allowed, p->n_allowed);
	if (f->n_ours)
		print_networks(form, "Here:", f->ours, f->n_ours);
	else
		printf("%s The networks here are not known: add routes to them, or give --our-networks.\n",
		       form->comment);
	if (ability(form, f)->source == SOURCE_USED &&
	    ((f->carries4 && !f->source4.family) ||
	     (f->carries6 && !f->source6.family)))
		printf("%s Packets of that system itself need a source that is allowed: give --their-source.\n",
		       form->comment);
}

static void print_tunnel(const struct form *form, const struct far_end *f,
			 struct far_tunnel t, const char *suffix)
{
	snprintf(t.name, sizeof(t.name), "%.*s%s", FAR_DEVICE_MAX, f->device,
		 suffix);
	form->tunnel(f, &t);
}

static void print_form(const struct form *form, const struct far_end *f)
{
	bool two = f->carries4 && f->carries6 &&
		   ability(form, f)->both == FAR_TWO_TUNNELS;
	struct far_tunnel all = {1, f->carries4, f->carries6, ""};

	print_head(form, f);
	if (two) {
		print_tunnel(form, f, (struct far_tunnel){1, true, false, ""},
			     "4");
		print_tunnel(form, f, (struct far_tunnel){2, false, true, ""},
			     "6");
	} else {
		print_tunnel(form, f, all, "");
	}
	if (form->end)
		form->end(f);
}

int print_far_end(const struct conf *c, const struct peer *p,
		  const struct far_words *words)
{
	const struct form *form = find_form(words->form);
	struct far_end f = {.conf = c, .peer = p};
	int ret;

	if (!form)
		return USAGE;
	ret = set_device(&f, words->device) ?:
	      set_outer(&f, words->our_address) ?:
	      set_networks(&f, words->our_networks) ?:
	      set_source(&f, words->their_source) ?: check_form(form, &f);
	if (!ret)
		print_form(form, &f);
	free(f.ours);
	return ret;
}
