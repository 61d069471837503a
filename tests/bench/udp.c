// SPDX-License-Identifier: GPL-2.0-only
/* Small UDP packets, over IPv4 or IPv6, BATCH of them to a system call, so that
 * they come as from a network card: one after the other.
 *   udp send SOURCE DESTINATION PORT NUMBER   prints the ns of each packet
 *   udp spread FIRST PORT NUMBER NETWORKS     the same, each packet to a random
 *                                             one of so many /24 or /64 from
 *                                             FIRST on
 *   udp ping SOURCE DESTINATION PORT NUMBER   waits for each answer; prints the
 *                                             median and 99 % of the us
 *   udp echo ADDRESS PORT                     answers, until it is ended */
#define _GNU_SOURCE /* sendmmsg() */
#include <arpa/inet.h>
#include <endian.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define SIZE	64
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

/* Sets where the next packet goes. */
typedef void address_fn(struct sockaddr_storage *to, void *data);

/* Sends `number` packets; address: NULL if the socket is connected. */
static int send_all(int fd, long number, address_fn *address, void *data)
{
	char text[SIZE] = {0};
	struct iovec iov = {text, SIZE};
	struct sockaddr_storage to[BATCH];
	struct mmsghdr batch[BATCH] = {0};
	double start = now_ns();

	for (int i = 0; i < BATCH; i++)
		batch[i].msg_hdr = (struct msghdr){
			.msg_name = address ? &to[i] : NULL,
			.msg_namelen = address ? sizeof(to[i]) : 0,
			.msg_iov = &iov,
			.msg_iovlen = 1,
		};
	for (long i = 0; i < number; i += BATCH) {
		int n = number - i < BATCH ? number - i : BATCH;

		for (int j = 0; address && j < n; j++)
			address(&to[j], data);
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
};

static void to_any(struct sockaddr_storage *to, void *data)
{
	struct networks *n = data;

	/* Knuth's MMIX. */
	n->random = n->random * 6364136223846793005 + 1442695040888963407;
	to_network((void *)to, n->first, (n->random >> 32) % n->number);
}

static int spread(const struct addrinfo *first, long number, uint64_t networks)
{
	struct networks n = {first->ai_addr, networks, 1};

	return send_all(socket(first->ai_family, SOCK_DGRAM, 0), number, to_any,
			&n);
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
		return send_all(connected(argv), atol(argv[5]), NULL, NULL);
	if (argc == 6 && !strcmp(argv[1], "spread"))
		return spread(resolved(argv[2], argv[3]), atol(argv[4]),
			      strtoull(argv[5], NULL, 10));
	if (argc == 6 && !strcmp(argv[1], "ping"))
		return ping(connected(argv), atol(argv[5]));
	return 2;
}
