// SPDX-License-Identifier: GPL-2.0-only
/* Sends small UDP packets over a connected socket and prints how many ns each
 * has taken: udp_send SOURCE DESTINATION PORT NUMBER (IPv4). For
 * tests/bench/tcp
 * --udp. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static double now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1e9 + ts.tv_nsec;
}

int main(int argc, char **argv)
{
	struct sockaddr_in from = {.sin_family = AF_INET}, to = from;
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	char data[64] = {0};
	double start;
	long n;

	if (argc != 5 || inet_pton(AF_INET, argv[1], &from.sin_addr) != 1 ||
	    inet_pton(AF_INET, argv[2], &to.sin_addr) != 1)
		return 2;
	to.sin_port = htons(atoi(argv[3]));
	n = atol(argv[4]);
	if (bind(fd, (void *)&from, sizeof(from)) ||
	    connect(fd, (void *)&to, sizeof(to)))
		return 1;
	start = now_ns();
	for (long i = 0; i < n; i++)
		if (write(fd, data, sizeof(data)) < 0)
			return 1;
	printf("%.1f\n", (now_ns() - start) / n);
	return 0;
}
