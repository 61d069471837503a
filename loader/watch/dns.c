// SPDX-License-Identifier: GPL-2.0-only
/* Looks names up without waiting (c-ares, loaded when needed). */
#include "names.h"

#include <ares.h>
#include <string.h>

#include "loop.h"

/* A name server has 2 s for an answer, at the second try twice as long: with
 * the three of a full resolv.conf the result is there after 18 s at most. */
#define TIMEOUT_MS 2000
#define TRIES	   2

/* The files that c-ares reads, first /etc/hosts, as the C library does. */
#define LOOK_UPS    "fb"
#define RESOLV_CONF "/etc/resolv.conf"

/* Since 1.31 it remembers answers: then a silent peer's name would not be
 * looked up anew. */
#ifdef ARES_OPT_QUERY_CACHE
#define NO_CACHE ARES_OPT_QUERY_CACHE /* qcache_max_ttl is 0 */
#else
#define NO_CACHE 0
#endif

static struct {
	typeof(ares_init_options) *init;
	typeof(ares_destroy) *destroy;
	typeof(ares_getaddrinfo) *ask;
	typeof(ares_freeaddrinfo) *free;
	typeof(ares_getsock) *sockets;
	typeof(ares_timeout) *timeout;
	typeof(ares_process_fd) *process;
	typeof(ares_strerror) *text;
} ares;

bool dns_load(void)
{
	static const struct symbol symbols[] = {
		{"ares_init_options", &ares.init},
		{"ares_destroy", &ares.destroy},
		{"ares_getaddrinfo", &ares.ask},
		{"ares_freeaddrinfo", &ares.free},
		{"ares_getsock", &ares.sockets},
		{"ares_timeout", &ares.timeout},
		{"ares_process_fd", &ares.process},
		{"ares_strerror", &ares.text},
		{0},
	};
	static struct library lib = {.names = {"libcares.so.2"},
				     .symbols = symbols};

	return library_load(&lib);
}

static void end_question(struct question *q, struct found *f)
{
	struct question asked = *q;

	q->host[0] = '\0';
	asked.dns->answered(asked.dns->to, &asked, f);
}

/* The TTL of a chain of aliases is that of its shortest link. */
static uint32_t shortest_ttl(const struct ares_addrinfo *list)
{
	int ttl = INT32_MAX;

	for (struct ares_addrinfo_node *i = list->nodes; i; i = i->ai_next)
		if (i->ai_ttl < ttl)
			ttl = i->ai_ttl;
	for (struct ares_addrinfo_cname *i = list->cnames; i; i = i->next)
		if (i->ttl < ttl)
			ttl = i->ttl;
	return ttl > 0 ? ttl : 0;
}

static void take_addresses(struct found *f, const struct ares_addrinfo *list)
{
	f->ttl_s = shortest_ttl(list);
	for (struct ares_addrinfo_node *i = list->nodes; i; i = i->ai_next) {
		struct ip ip = ip_from_sockaddr(i->ai_addr);

		if (ip.family && push(f->ips, f->n, &ip))
			f->why = "out of memory";
	}
	if (!f->n && !f->why)
		f->why = ares.text(ARES_ENODATA);
}

static void ask_family(struct question *q, uint8_t family);

/* One family at a time: were both asked for, a lost answer about the family in
 * use would look as if the name had only addresses of the other one. */
static void on_addrinfo(void *data, int status, int timeouts,
			struct ares_addrinfo *list)
{
	struct question *q = data;
	struct found f = {0};

	(void)timeouts;
	if ((status == ARES_ENODATA || status == ARES_ENOTFOUND) && !q->other) {
		q->other = true;
		return ask_family(q, q->was.family == 4 ? 6 : 4);
	}
	f.cut_off = status == ARES_EDESTRUCTION || status == ARES_ECANCELLED;
	if (status == ARES_SUCCESS)
		take_addresses(&f, list);
	else
		f.why = ares.text(status);
	if (list)
		ares.free(list);
	end_question(q, &f);
}

static void ask_family(struct question *q, uint8_t family)
{
	struct ares_addrinfo_hints hints = {
		.ai_family = nl_af(family),
		.ai_socktype = SOCK_DGRAM,
	};

	ares.ask(q->dns->channel, q->host, NULL, &hints, on_addrinfo, q);
}

static bool is_same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino &&
	       a->st_size == b->st_size &&
	       !memcmp(&a->st_mtim, &b->st_mtim, sizeof(a->st_mtim));
}

/* Opens it, anew if there are other name servers (DHCP). Returns NULL, or why
 * it cannot. */
static const char *open_channel(struct dns *d)
{
	struct ares_options options = {
		.timeout = TIMEOUT_MS,
		.tries = TRIES,
		.lookups = LOOK_UPS,
	};
	struct stat now = {0};
	int ret;

	stat(RESOLV_CONF, &now);
	if (d->channel && is_same_file(&now, &d->resolv_conf))
		return NULL;
	dns_close(d);
	d->resolv_conf = now;
	ret = ares.init(&d->channel, &options,
			ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_LOOKUPS |
				NO_CACHE);
	return ret ? ares.text(ret) : NULL;
}

static struct question *free_question(const struct dns *d)
{
	for (size_t i = 0; i < DNS_AT_ONCE; i++)
		if (!*d->questions[i].host)
			return (struct question *)&d->questions[i];
	return NULL;
}

bool dns_has_room(const struct dns *d)
{
	return free_question(d);
}

void dns_ask(struct dns *d, const char *host, const struct ip *was)
{
	struct found f = {.why = open_channel(d)};
	struct question *q = free_question(d);

	*q = (struct question){.dns = d, .was = *was};
	snprintf(q->host, sizeof(q->host), "%s", host);
	if (f.why)
		end_question(q, &f);
	else
		ask_family(q, was->family);
}

/* Its sockets, and what they wait for; all.n is 0 if it is not open. */
static struct fds sockets(const struct dns *d)
{
	ares_socket_t s[ARES_GETSOCK_MAXNUM];
	struct fds fds = {0};
	uint32_t bits = 0;

	if (d->channel)
		bits = ares.sockets(d->channel, s, ARES_GETSOCK_MAXNUM);
	for (int i = 0; i < ARES_GETSOCK_MAXNUM; i++) {
		short events = 0;

		/* The library's macros would shift into the sign. */
		if (bits >> i & 1)
			events |= POLLIN;
		if (bits >> (i + ARES_GETSOCK_MAXNUM) & 1)
			events |= POLLOUT;
		if (events)
			fds_add_for(&fds, s[i], events);
	}
	return fds;
}

void dns_wait(const struct dns *d, struct fds *fds)
{
	struct fds own = sockets(d);

	for (nfds_t i = 0; i < own.n; i++)
		fds_add_for(fds, own.all[i].fd, own.all[i].events);
}

uint64_t dns_next(const struct dns *d, uint64_t now_ns)
{
	struct timeval until;

	if (!d->channel || !ares.timeout(d->channel, NULL, &until))
		return NEVER;
	return now_ns + until.tv_sec * NS_PER_S + until.tv_usec * 1000ull;
}

void dns_work(struct dns *d)
{
	struct fds own = sockets(d);

	if (!d->channel)
		return;
	if (own.n)
		poll(own.all, own.n, 0);
	for (nfds_t i = 0; i < own.n; i++) {
		const struct pollfd *p = &own.all[i];
		bool failed = p->revents & (POLLERR | POLLHUP);
		bool reads = p->revents & POLLIN || failed;
		bool writes = p->revents & POLLOUT;

		ares.process(d->channel, reads ? p->fd : ARES_SOCKET_BAD,
			     writes ? p->fd : ARES_SOCKET_BAD);
	}
	ares.process(d->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
}

void dns_close(struct dns *d)
{
	struct ares_channeldata *channel = d->channel;

	d->channel = NULL;
	if (channel)
		ares.destroy(channel);
}
