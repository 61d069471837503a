// SPDX-License-Identifier: GPL-2.0-only
/* Small UDP packets, over IPv4 or IPv6, BATCH of them to a system call, so that
 * they come as from a network card: one after the other.
 *
 *   udp send SOURCE DESTINATION PORT NUMBER
 *	prints the ns of each packet
 *
 *   udp spread FIRST PORT NUMBER NETWORKS SHAPE
 *	the same, each packet to one of so many /24 or /64 from FIRST on, drawn
 *	alike (uniform) or as 1/rank (zipf)
 *
 *   udp tunnel IFNAME ENDPOINT FIRST EACH NUMBER NETWORKS SHAPE FILE
 *	copies of the tunnel packet in FILE, each from one of those networks;
 *	EACH of them are behind one endpoint, the first of them is ENDPOINT
 *
 *   udp ping SOURCE DESTINATION PORT NUMBER
 *	waits for each answer; prints the median and 99 % of the us
 *
 *   udp echo ADDRESS PORT
 *	answers, until it is ended
 */
#define _GNU_SOURCE /* sendmmsg() */
#include <arpa/inet.h>
#include <endian.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netpacket/packet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define SIZE	64
#define FRAME	256 /* bytes of the longest */
#define BATCH	64
#define WARM_UP 1000 /* answers that do not count */

static double now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1e9 + ts.tv_nsec;
}

static struct addrinfo *resolved(const char *address, const char *port)
{
	struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
				 .ai_socktype = SOCK_DGRAM};
	struct addrinfo *found;

	if (getaddrinfo(address, port, &hints, &found))
		exit(2);
	return found;
}

static int bound(const char *address, const char *port)
{
	struct addrinfo *to = resolved(address, port);
	int fd = socket(to->ai_family, SOCK_DGRAM, 0);

	if (fd < 0 || bind(fd, to->ai_addr, to->ai_addrlen))
		exit(1);
	return fd;
}

static int connected(char **argv)
{
	struct addrinfo *to = resolved(argv[3], argv[4]);
	int fd = bound(argv[2], "0");

	if (connect(fd, to->ai_addr, to->ai_addrlen))
		exit(1);
	return fd;
}

/* A packet, and where it goes. */
struct packet {
	struct sockaddr_storage to;
	char data[FRAME];
};

/* Makes the next packet. */
typedef void next_fn(struct packet *p, void *data);

/* Sends `number` packets of that size; next: NULL if the socket is connected.
 */
static int send_all(int fd, long number, size_t size, next_fn *next, void *data)
{
	static struct packet packets[BATCH];
	struct mmsghdr batch[BATCH] = {0};
	struct iovec iov[BATCH];
	double start = now_ns();

	for (int i = 0; i < BATCH; i++) {
		iov[i] = (struct iovec){packets[i].data, size};
		batch[i].msg_hdr = (struct msghdr){
			.msg_name = next ? &packets[i].to : NULL,
			.msg_namelen = next ? sizeof(packets[i].to) : 0,
			.msg_iov = &iov[i],
			.msg_iovlen = 1,
		};
	}
	for (long i = 0; i < number; i += BATCH) {
		int n = number - i < BATCH ? number - i : BATCH;

		for (int j = 0; next && j < n; j++)
			next(&packets[j], data);
		if (sendmmsg(fd, batch, n, 0) != n)
			return 1;
	}
	printf("%.1f\n", (now_ns() - start) / number);
	return 0;
}

/* Moves an address by n networks. */
static void to_network(struct sockaddr *to, const struct sockaddr *first,
		       uint64_t n)
{
	struct sockaddr_in *four = (void *)to;
	struct sockaddr_in6 *six = (void *)to;
	uint64_t high;

	if (first->sa_family == AF_INET) {
		*four = *(const struct sockaddr_in *)first;
		four->sin_addr.s_addr =
			htonl(ntohl(four->sin_addr.s_addr) + (n << 8) + 1);
		return;
	}
	*six = *(const struct sockaddr_in6 *)first;
	memcpy(&high, &six->sin6_addr, sizeof(high));
	high = htobe64(be64toh(high) + n);
	memcpy(&six->sin6_addr, &high, sizeof(high));
	six->sin6_addr.s6_addr[15] = 1;
}

struct networks {
	const struct sockaddr *first;
	uint64_t number, random;
	double *below;	/* NULL: drawn alike; sum of the weights up to each */
	uint32_t *rank; /* the network of each weight */
};

static uint64_t random_of(struct networks *n)
{
	/* Knuth's MMIX. */
	n->random = n->random * 6364136223846793005 + 1442695040888963407;
	return n->random >> 32;
}

static struct networks networks_of(const struct addrinfo *first,
				   const char *number, const char *shape)
{
	struct networks n = {first->ai_addr, strtoull(number, NULL, 10), 1,
			     NULL, NULL};
	double sum = 0;

	if (strcmp(shape, "zipf"))
		return n;
	n.below = calloc(n.number, sizeof(*n.below));
	n.rank = calloc(n.number, sizeof(*n.rank));
	if (!n.below || !n.rank)
		exit(1);
	for (uint64_t i = 0; i < n.number; i++) {
		uint64_t j = random_of(&n) % (i + 1);

		sum += 1.0 / (i + 1);
		n.below[i] = sum;
		n.rank[i] = n.rank[j];
		n.rank[j] = i;
	}
	return n;
}

/* The number of a network. */
static uint64_t draw(struct networks *n)
{
	uint64_t low = 0, high = n->number - 1;
	double at;

	if (!n->below)
		return random_of(n) % n->number;
	at = random_of(n) / 0x1p32 * n->below[high];
	while (low < high) {
		uint64_t mid = (low + high) / 2;

		if (n->below[mid] < at)
			low = mid + 1;
		else
			high = mid;
	}
	return n->rank[low];
}

static void to_any(struct packet *p, void *networks)
{
	struct networks *n = networks;

	to_network((void *)&p->to, n->first, draw(n));
}

static int spread(const struct addrinfo *first, char **argv)
{
	struct networks n = networks_of(first, argv[5], argv[6]);

	return send_all(socket(first->ai_family, SOCK_DGRAM, 0), atol(argv[4]),
			SIZE, to_any, &n);
}

/* Where tunnel packets come from. */
struct tunnels {
	struct networks inner;
	struct sockaddr_storage endpoint; /* the first */
	uint64_t each;
	struct sockaddr_ll to;
	char frame[FRAME];
	size_t len;
};

static void put_ip4(struct iphdr *ip, uint32_t source)
{
	const uint16_t *words = (const uint16_t *)ip;
	uint32_t sum = 0;

	ip->saddr = source;
	ip->check = 0;
	for (int i = 0; i < 10; i++)
		sum += words[i];
	sum = (sum & 0xffff) + (sum >> 16);
	ip->check = ~(sum + (sum >> 16));
}

static void from_any(struct packet *p, void *tunnels)
{
	struct tunnels *t = tunnels;
	const struct sockaddr_in *four = (void *)&t->endpoint;
	const struct sockaddr_in6 *six = (void *)&t->endpoint;
	uint64_t n = draw(&t->inner);
	struct sockaddr_storage inner;
	void *ip = p->data + 14;
	uint32_t end;

	memcpy(&p->to, &t->to, sizeof(t->to));
	memcpy(p->data, t->frame, t->len);
	to_network((void *)&inner, t->inner.first, n);
	if (t->endpoint.ss_family == AF_INET) {
		put_ip4(ip, htonl(ntohl(four->sin_addr.s_addr) + n / t->each));
		put_ip4((struct iphdr *)ip + 1,
			((struct sockaddr_in *)&inner)->sin_addr.s_addr);
		return;
	}
	memcpy(ip + 8, &six->sin6_addr, 16);
	memcpy(&end, ip + 20, 4);
	end = htonl(ntohl(end) + n / t->each);
	memcpy(ip + 20, &end, 4);
	memcpy(ip + 40 + 8, &((struct sockaddr_in6 *)&inner)->sin6_addr, 16);
}

static int tunnel(char **argv)
{
	const struct addrinfo *endpoint = resolved(argv[3], "0");
	static struct tunnels t;
	FILE *file = fopen(argv[9], "r");

	if (!file)
		return 1;

	t.inner = networks_of(resolved(argv[4], "0"), argv[7], argv[8]);
	memcpy(&t.endpoint, endpoint->ai_addr, endpoint->ai_addrlen);
	t.each = strtoull(argv[5], NULL, 10);
	t.to = (struct sockaddr_ll){.sll_family = AF_PACKET,
				    .sll_ifindex = if_nametoindex(argv[2])};
	t.len = fread(t.frame, 1, FRAME, file);
	return send_all(socket(AF_PACKET, SOCK_RAW, 0), atol(argv[6]), t.len,
			from_any, &t);
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static int ping(int fd, long number)
{
	double *took = calloc(number, sizeof(*took));
	char data[SIZE] = {0};

	if (!took)
		return 1;
	for (long i = -WARM_UP; i < number; i++) {
		double start = now_ns();

		if (write(fd, data, SIZE) < 0 || read(fd, data, SIZE) < 0)
			return 1;
		if (i >= 0)
			took[i] = (now_ns() - start) / 1000;
	}
	qsort(took, number, sizeof(*took), by_size);
	printf("%.2f %.2f\n", took[number / 2], took[number * 99 / 100]);
	free(took);
	return 0;
}

static int echo(int fd)
{
	struct sockaddr_storage from;
	char data[SIZE];

	puts("ready");
	fflush(stdout);
	for (;;) {
		socklen_t len = sizeof(from);
		ssize_t size = recvfrom(fd, data, SIZE, 0, (void *)&from, &len);

		if (size < 0 ||
		    sendto(fd, data, size, 0, (void *)&from, len) < 0)
			return 1;
	}
}

int main(int argc, char **argv)
{
	if (argc == 4 && !strcmp(argv[1], "echo"))
		return echo(bound(argv[2], argv[3]));
	if (argc == 6 && !strcmp(argv[1], "send"))
		return send_all(connected(argv), atol(argv[5]), SIZE, NULL,
				NULL);
	if (argc == 7 && !strcmp(argv[1], "spread"))
		return spread(resolved(argv[2], argv[3]), argv);
	if (argc == 10 && !strcmp(argv[1], "tunnel"))
		return tunnel(argv);
	if (argc == 6 && !strcmp(argv[1], "ping"))
		return ping(connected(argv), atol(argv[5]));
	return 2;
}
