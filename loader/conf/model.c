// SPDX-License-Identifier: GPL-2.0-only
/* Makes, copies and searches a configuration; tells where its settings are
 * from. */
#include "conf.h"

#include <linux/rtnetlink.h>
#include <stdarg.h>
#include <string.h>

void conf_init(struct conf *c, const char *ifname)
{
	*c = (struct conf){
		.address4_len = -1,
		.address6_len = -1,
		.table = RT_TABLE_MAIN,
	};
	keys_init(interface_keys, c);
	strncpy(c->ifname, ifname, sizeof(c->ifname) - 1);
}

static void free_peer(struct peer *p)
{
	free(p->allowed);
	free(p->allowed_lines);
}

void conf_free(struct conf *c)
{
	for_each_peer (p, c)
		free_peer(p);
	free(c->peers);
	c->peers = NULL;
	c->n_peers = 0;
}

bool conf_needs_tc(const struct conf *c)
{
	for_each_peer (p, c) {
		if (peer_needs_tc(p))
			return true;
	}
	return false;
}

bool peer_is_routed(const struct peer *p, uint8_t family)
{
	uint8_t four = p->gateway4.family, six = p->gateway6.family;

	return p->routed && ((!four && !six) || (family == 4 ? four : six));
}

struct peer *conf_peer(const struct conf *c, const char *name)
{
	for_each_peer (p, c) {
		if (!strcmp(p->name, name))
			return p;
	}
	return NULL;
}

static int by_id(const void *a, const void *b)
{
	const struct peer *x = a, *y = b;

	return (x->id > y->id) - (x->id < y->id);
}

void conf_sort_by_id(struct conf *c)
{
	sort(c->peers, c->n_peers, sizeof(*c->peers), by_id);
}

struct peer *peer_by_id(const struct conf *c, uint32_t id)
{
	const struct peer key = {.id = id};
	uint32_t guess;

	if (!c->n_peers)
		return NULL;
	/* The ids have no gaps if no peer was ever removed. */
	guess = id - c->peers[0].id;
	if (guess < c->n_peers && c->peers[guess].id == id)
		return &c->peers[guess];
	return bsearch(&key, c->peers, c->n_peers, sizeof(*c->peers), by_id);
}

int fail_no_peer(const struct conf *c, const char *name)
{
	const char *where = *c->file ? c->file : c->ifname;

	for_each_peer (p, c)
		if (word_close(name, p->name))
			return fail(
				"no such peer \"%s\" on %s: did you mean \"%s\"?",
				name, where, p->name);
	if (*c->file)
		return fail(
			"no such peer \"%s\" in %s: its sections [peer NAME] name them",
			name, where);
	return fail(
		"no such peer \"%s\" on %s: `tunload peer list %s` lists its peers",
		name, where, where);
}

/* FNV-1a. */
static uint32_t hash_name(const char *name)
{
	uint32_t hash = 2166136261u;

	while (*name)
		hash = (hash ^ (uint8_t)*name++) * 16777619u;
	return hash;
}

/* Returns the slot of that name, or the free one that it would take. */
static struct peer **find_slot(const struct names *names, const char *name)
{
	size_t i = hash_name(name) & names->mask;

	while (names->slots[i] && strcmp(names->slots[i]->name, name))
		i = (i + 1) & names->mask;
	return &names->slots[i];
}

int names_init(struct names *names, const struct conf *c)
{
	size_t room = 2;

	while (room < 2 * c->n_peers)
		room *= 2;
	names->mask = room - 1;
	names->slots = calloc(room, sizeof(*names->slots));
	if (!names->slots)
		return fail("out of memory");
	for_each_peer (p, c) {
		struct peer **slot = find_slot(names, p->name);

		if (!*slot)
			*slot = p;
	}
	return OK;
}

void names_free(struct names *names)
{
	free(names->slots);
	*names = (struct names){0};
}

struct peer *names_find(const struct names *names, const char *name)
{
	return names->slots ? *find_slot(names, name) : NULL;
}

struct peer *conf_add_peer(struct conf *c, const char *name)
{
	struct peer *p;

	if (!array_grow((void **)&c->peers, c->n_peers, sizeof(*p)))
		return NULL;
	p = &c->peers[c->n_peers++];
	*p = (struct peer){.id = TL_PEER_NONE};
	keys_init(peer_keys, p);
	strncpy(p->name, name, sizeof(p->name) - 1);
	return p;
}

void conf_del_peer(struct conf *c, struct peer *p)
{
	struct peer *end = c->peers + c->n_peers--;

	free_peer(p);
	memmove(p, p + 1, (char *)end - (char *)(p + 1));
}

bool conf_add_from(struct conf *c, const char *name)
{
	for (size_t i = 0; i < TL_FORWARD_FROM; i++) {
		if (*c->forward_from[i])
			continue;
		strncpy(c->forward_from[i], name, IFNAMSIZ - 1);
		return true;
	}
	return false;
}

bool conf_has_from(const struct conf *c, const char *name)
{
	for_each_from(from, c) if (!strcmp(from, name)) return true;
	return false;
}

/* The capacity, a power of two, that array_grow() expects for n. */
static size_t room_for(size_t n)
{
	size_t room = 1;

	while (room < n)
		room *= 2;
	return room;
}

/* from may be NULL when there is nothing to copy. */
static void *copy_array(const void *from, size_t n, size_t size)
{
	void *to = calloc(room_for(n), size);

	if (to && n)
		memcpy(to, from, n * size);
	return to;
}

static bool copy_peer(struct peer *to, const struct peer *from)
{
	size_t n = from->n_allowed;

	*to = *from;
	to->allowed = copy_array(from->allowed, n, sizeof(*to->allowed));
	if (from->allowed_lines)
		to->allowed_lines = copy_array(from->allowed_lines, n,
					       sizeof(*to->allowed_lines));
	if (to->allowed && !from->allowed_lines == !to->allowed_lines)
		return true;
	free_peer(to);
	return false;
}

const struct prefix *peer_inner(const struct peer *p, uint8_t family)
{
	for_each_allowed (a, p)
		if (a->ip.family == family)
			return a;
	return NULL;
}

bool peer_allows(const struct peer *p, const struct ip *ip)
{
	for_each_allowed (a, p)
		if (prefix_contains(a, ip))
			return true;
	return p->routed;
}

bool peer_has_gateway(const struct peer *p, const struct prefix *prefix)
{
	struct prefix four = ip_prefix(&p->gateway4);
	struct prefix six = ip_prefix(&p->gateway6);

	return prefix->ip.family &&
	       prefix_equal(prefix, prefix->ip.family == 4 ? &four : &six);
}

bool peer_grow_allowed(struct peer *p, size_t more)
{
	size_t n = p->n_allowed + more;
	unsigned int *lines = reallocarray(p->allowed_lines, n, sizeof(*lines));
	struct prefix *allowed = reallocarray(p->allowed, n, sizeof(*allowed));

	if (lines && !p->allowed_lines)
		memset(lines, 0, p->n_allowed * sizeof(*lines));
	p->allowed_lines = lines ?: p->allowed_lines;
	p->allowed = allowed ?: p->allowed;
	return lines && allowed;
}

bool conf_has_gateway(const struct conf *c, const struct ip *ip)
{
	struct prefix host = ip_prefix(ip);

	for_each_peer (p, c)
		if (peer_has_gateway(p, &host))
			return true;
	return false;
}

static int allow_gateway(struct peer *p, const struct ip *ip, unsigned int line)
{
	struct prefix prefix = ip_prefix(ip);

	if (!ip->family)
		return OK;
	for_each_allowed (a, p)
		if (prefix_equal(a, &prefix))
			return OK;
	if (!peer_grow_allowed(p, 1))
		return fail("out of memory");
	p->allowed_lines[p->n_allowed] = line;
	p->allowed[p->n_allowed++] = prefix;
	return OK;
}

int peer_allow_gateways(struct peer *p, unsigned int line)
{
	return allow_gateway(p, &p->gateway4, line)
		       ?: allow_gateway(p, &p->gateway6, line);
}

void peer_forget_gateways(struct peer *p)
{
	size_t n = 0;

	for (size_t i = 0; i < p->n_allowed; i++) {
		if (peer_has_gateway(p, &p->allowed[i]))
			continue;
		if (p->allowed_lines)
			p->allowed_lines[n] = p->allowed_lines[i];
		p->allowed[n++] = p->allowed[i];
	}
	p->n_allowed = n;
	p->gateway4 = p->gateway6 = (struct ip){0};
}

struct ip peer_other_probe(const struct peer *p)
{
	if (!p->probe.family)
		return (struct ip){0};

	for_each_allowed (a, p) {
		/* A default route has no first host. */
		if (a->len && a->ip.family != p->probe.family)
			return prefix_first_host(a);
	}
	return (struct ip){0};
}

int conf_copy(struct conf *to, const struct conf *from)
{
	*to = *from;
	to->n_peers = 0;
	to->peers = calloc(room_for(from->n_peers), sizeof(*to->peers));
	for (size_t i = 0; to->peers && i < from->n_peers; i++) {
		struct peer *p = &to->peers[i];

		if (!copy_peer(p, &from->peers[i]))
			break;
		/* The file's name belongs to the conf. */
		if (p->origin.file == from->file)
			p->origin.file = to->file;
		to->n_peers++;
	}
	if (to->peers && to->n_peers == from->n_peers)
		return OK;
	conf_free(to);
	return fail("out of memory");
}

int conf_report(enum status status, struct origin from, const char *fmt, ...)
{
	char text[1024];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	if (!from.file)
		return report_line(status, "%s", text);
	return report_line(status, "%s:%u: %s", from.file, from.line, text);
}

struct origin interface_origin(const struct conf *c, enum interface_key key)
{
	return (struct origin){c->lines[key] ? c->file : NULL, c->lines[key]};
}

struct origin peer_origin(const struct peer *p, enum peer_key key)
{
	return (struct origin){p->origin.file, p->lines[key] ?: p->origin.line};
}

struct origin allowed_origin(const struct peer *p, const struct prefix *allowed)
{
	struct origin from = {p->origin.file, 0};

	if (p->allowed_lines)
		from.line = p->allowed_lines[allowed - p->allowed];
	return from;
}
