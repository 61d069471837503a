// SPDX-License-Identifier: GPL-2.0-only
/* Answers one HTTP request for one page, on a connection that systemd has
 * accepted (RFC 9110, 9112). */
#include "show.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#define HEAD_MAX 8192 /* of a request, bytes */
#define WAIT_S	 5    /* for all of it */

/* True if the empty line behind the fields is there. */
static bool has_end(const char *head, size_t len)
{
	return memmem(head, len, "\r\n\r\n", 4) || memmem(head, len, "\n\n", 2);
}

/* Reads up to the end of the head, or of the room; returns the length, 0 if the
 * client does not send as much. */
static size_t read_head(int fd, char head[static HEAD_MAX])
{
	uint64_t end = clock_ns(CLOCK_MONOTONIC) + WAIT_S * NS_PER_S;
	size_t len = 0;

	while (len < HEAD_MAX - 1 && !has_end(head, len)) {
		uint64_t now = clock_ns(CLOCK_MONOTONIC);
		struct pollfd p = {.fd = fd, .events = POLLIN};
		ssize_t n;

		if (now >= end || poll(&p, 1, (end - now) / 1000000) <= 0)
			return 0;
		n = read(fd, head + len, HEAD_MAX - 1 - len);
		if (n <= 0)
			return 0;
		len += n;
	}
	head[len] = '\0';
	return len;
}

/* Cuts the next word, which one blank ends, off *line. */
static char *next_field(char **line)
{
	char *word = strsep(line, " ");

	return word && *word ? word : NULL;
}

struct http_request http_read(int fd, const char *path)
{
	char head[HEAD_MAX] = "", *line = head, *method, *target, *version;
	struct http_request r = {0};
	size_t len = read_head(fd, head);

	if (!len)
		return r;
	r.status = 400;
	if (!has_end(head, len) || strlen(head) != len)
		return r;
	head[strcspn(head, "\r\n")] = '\0';
	method = next_field(&line);
	target = next_field(&line);
	version = next_field(&line);
	if (!version || line || strncmp(version, "HTTP/1.", 7) != 0)
		return r;
	r.head = !strcmp(method, "HEAD");
	target[strcspn(target, "?")] = '\0';
	if (!r.head && strcmp(method, "GET") != 0)
		r.status = 405;
	else
		r.status = strcmp(target, path) ? 404 : 200;
	return r;
}

static const char *reason(int status)
{
	switch (status) {
	case 200:
		return "OK";
	case 400:
		return "Bad Request";
	case 404:
		return "Not Found";
	case 405:
		return "Method Not Allowed";
	default:
		return "Service Unavailable";
	}
}

/* The client may have gone. */
static bool send_all(int fd, const char *data, size_t len)
{
	while (len) {
		ssize_t n = write(fd, data, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		data += n;
		len -= n;
	}
	return true;
}

void http_answer(int fd, const struct http_request *r, const char *type,
		 const char *body, size_t len)
{
	char head[512];
	int n = snprintf(head, sizeof(head),
			 "HTTP/1.1 %d %s\r\n"
			 "Content-Type: %s\r\n"
			 "Content-Length: %zu\r\n"
			 "%s"
			 "Connection: close\r\n"
			 "\r\n",
			 r->status, reason(r->status), type, len,
			 r->status == 405 ? "Allow: GET, HEAD\r\n" : "");

	if (send_all(fd, head, n) && !r->head)
		send_all(fd, body, len);
}
