// SPDX-License-Identifier: GPL-2.0-only
/* Sends ICMP and ICMPv6 echo requests (RFC 792, RFC 4443 4) on one
 * interface. */
#include "tunnel.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/icmp.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "host/host.h"

#define MARKER "tunload trigger"

/* The header has the same eight bytes in both families. */
struct message {
	uint8_t type, code;
	uint16_t checksum, id, sequence;
	char marker[16];
	uint64_t nonce;
	double sent_at;
	uint32_t index;
	uint32_t zero;
};

/* Two headers and a message. */
#define TUNNELLED_MAX (40 + 40 + sizeof(struct message))

/* Receives echo replies only, so that other ICMP does not wake us up. */
static int filter_replies(int fd, uint8_t family)
{
	struct icmp_filter only4 = {~(1u << ICMP_ECHOREPLY)};
	struct icmp6_filter only6;

	if (family == 4)
		return setsockopt(fd, SOL_RAW, ICMP_FILTER, &only4,
				  sizeof(only4));
	ICMP6_FILTER_SETBLOCKALL(&only6);
	ICMP6_FILTER_SETPASS(ICMP6_ECHO_REPLY, &only6);
	return setsockopt(fd, IPPROTO_ICMPV6, ICMP6_FILTER, &only6,
			  sizeof(only6));
}

static int open_family(uint8_t family, const struct conf *c)
{
	const struct ip *source = conf_source(c, family);
	int fd = socket(nl_af(family), SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK,
			family == 4 ? IPPROTO_ICMP : IPPROTO_ICMPV6);
	struct sockaddr_storage from;
	socklen_t len;

	if (fd < 0)
		return -1;
	if (setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, c->ifname,
		       strlen(c->ifname)) ||
	    filter_replies(fd, family)) {
		close(fd);
		return -1;
	}
	len = ip_to_sockaddr(source, &from);
	/* The source may be on another interface. If it is gone, the kernel's
	 * choice opens the path as well. */
	if (source->family)
		bind(fd, (void *)&from, len);
	return fd;
}

int echo_open(struct echo *e, const struct conf *c)
{
	int err;

	e->fd4 = open_family(4, c);
	err = errno;
	e->fd6 = open_family(6, c);
	outer_open(&e->outer, c);
	if (e->fd4 < 0 && e->fd6 < 0)
		return fail("cannot open an ICMP socket on %s: %s", c->ifname,
			    strerror(err));
	if (getrandom(&e->nonce, sizeof(e->nonce), 0) != sizeof(e->nonce))
		return fail("cannot get random numbers: %s", strerror(errno));
	e->id = e->nonce >> 48;
	return OK;
}

void echo_close(struct echo *e)
{
	if (e->fd4 >= 0)
		close(e->fd4);
	if (e->fd6 >= 0)
		close(e->fd6);
	outer_close(&e->outer);
}

/* Adds the words of data (RFC 1071); an odd last byte is padded with a zero. */
static uint32_t sum_words(uint32_t sum, const void *data, size_t len)
{
	const uint8_t *at = data;
	uint16_t word;

	for (; len > 1; len -= 2, at += 2) {
		memcpy(&word, at, 2);
		sum += word;
	}
	return len ? sum + htons(*at << 8) : sum;
}

static uint16_t checksum(uint32_t sum, const void *data, size_t len)
{
	sum = sum_words(sum, data, len);
	sum = (sum >> 16) + (sum & 0xffff);
	return ~(sum + (sum >> 16));
}

static struct message message_of(const struct echo *e,
				 const struct echo_request *r)
{
	return (struct message){
		.type = r->to.family == 4 ? ICMP_ECHO : ICMP6_ECHO_REQUEST,
		.id = htons(e->id),
		.sequence = htons(r->index),
		.marker = MARKER,
		.nonce = e->nonce,
		.sent_at = r->at,
		.index = r->index,
	};
}

static int send_routed(const struct echo *e, const struct echo_request *r)
{
	bool four = r->to.family == 4;
	struct message m = message_of(e, r);
	struct sockaddr_storage a;
	socklen_t len = ip_to_sockaddr(&r->to, &a);
	int fd = four ? e->fd4 : e->fd6;

	/* The kernel sets it for ICMPv6 (RFC 3542 3.1). */
	if (four)
		m.checksum = checksum(0, &m, sizeof(m));
	if (fd < 0) {
		errno = EAFNOSUPPORT;
		return -1;
	}
	return sendto(fd, &m, sizeof(m), 0, (void *)&a, len) < 0 ? -1 : 0;
}

void echo_write(const struct echo *e, const struct ip *from,
		const struct echo_request *request, void *out, size_t len)
{
	const struct ip *to = &request->to;
	struct message m = message_of(e, request);
	uint32_t sum = 0;

	/* The pseudo-header (RFC 8200 8.1). */
	if (to->family == 6) {
		sum = sum_words(0, from->addr, 16);
		sum = sum_words(sum, to->addr, 16);
		sum += htons(len) + htons(IPPROTO_ICMPV6);
	}
	memset(out, 0, len);
	memcpy(out, &m, sizeof(m));
	m.checksum = checksum(sum, out, len);
	memcpy(out, &m, sizeof(m));
}

/* The routes lead elsewhere, so the tunnel's packet is made here. */
static int send_tunnelled(const struct echo *e, const struct conf *c,
			  const struct peer *p, const struct echo_request *r)
{
	const struct probe_form form = {
		.peer = p,
		.from = path_source(c, &r->to),
		.to = r->to,
	};
	_Alignas(8) uint8_t packet[TUNNELLED_MAX];
	size_t size = outer_len(p) + (r->to.family == 4 ? 20 : 40) +
		      sizeof(struct message);
	size_t len = probe_headers(&form, packet, size);

	echo_write(e, &form.from, r, packet + len, size - len);
	return outer_send(&e->outer, p, packet, size);
}

int echo_send(const struct echo *e, const struct conf *c, const struct peer *p,
	      const struct echo_request *request)
{
	switch (path_end(c, p, &request->to)) {
	case PATH_INTO:
		return send_routed(e, request);
	case PATH_INTO_RIVAL:
		return send_tunnelled(e, c, p, request);
	case PATH_PAST:
		break;
	}
	errno = ECHO_PAST;
	return -1;
}

/* Returns false if no message is there. *out is zero if it is not for us. */
static bool receive_message(int fd, bool four, struct message *out)
{
	char buf[2048];
	ssize_t len, start = 0;

	if (fd < 0)
		return false;
	memset(out, 0, sizeof(*out));
	len = recv(fd, buf, sizeof(buf), 0);
	if (len < 0)
		return errno == EINTR;
	/* Raw IPv4 sockets deliver the IP header too. */
	if (four && len)
		start = (buf[0] & 0xf) * 4;
	if (len - start >= (ssize_t)sizeof(*out))
		memcpy(out, buf + start, sizeof(*out));
	return true;
}

bool echo_receive(const struct echo *e, struct echo_reply *out)
{
	struct message m;
	bool four;

	while ((four = receive_message(e->fd4, true, &m)) ||
	       receive_message(e->fd6, false, &m)) {
		if (m.nonce != e->nonce || m.id != htons(e->id) ||
		    memcmp(m.marker, MARKER, sizeof(m.marker)))
			continue;
		*out = (struct echo_reply){four ? 4 : 6, m.index, m.sent_at};
		return true;
	}
	return false;
}

void echo_wait(const struct echo *e, double seconds)
{
	struct pollfd fds[] = {
		{.fd = e->fd4, .events = POLLIN},
		{.fd = e->fd6, .events = POLLIN},
	};

	/* Rounded up, as the last millisecond would be a busy loop. */
	poll(fds, 2, seconds > 0 ? (int)(seconds * 1e3) + 1 : 0);
}
