// SPDX-License-Identifier: GPL-2.0-only
/* Part: tells `status` what is known of the peers; also the side that asks. */
#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "loop.h"

/* An abstract socket: it belongs to the network namespace, as the interface
 * does, and is gone with the process. */
static socklen_t name_socket(const char *ifname, struct sockaddr_un *name)
{
	int n;

	*name = (struct sockaddr_un){.sun_family = AF_UNIX};
	n = snprintf(name->sun_path + 1, sizeof(name->sun_path) - 1,
		     "tunload-watch/%s", ifname);
	return offsetof(struct sockaddr_un, sun_path) + 1 + n;
}

/* Any user can open such a socket, at either end. */
static bool is_root(int fd)
{
	struct ucred other;
	socklen_t len = sizeof(other);

	return !getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &other, &len) &&
	       !other.uid;
}

void tell_open(struct watch *w)
{
	struct sockaddr_un name;
	socklen_t len = name_socket(w->options->ifname, &name);

	w->listener =
		socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (!bind(w->listener, (void *)&name, len) && !listen(w->listener, 8))
		return;
	warn("%s: `status` is not told: %s%s", w->options->ifname,
	     strerror(errno),
	     errno == EADDRINUSE ? "; is another watch running?" : "");
	tell_close(w);
}

void tell_close(struct watch *w)
{
	if (w->listener >= 0)
		close(w->listener);
	w->listener = -1;
}

static json_t *life_json(const struct watched *at, uint64_t now_ns)
{
	const struct life *l = &at->life;
	double rtt = (int64_t)(l->rtt_ms * 1e3 + 0.5) / 1e3;

	return json_pack("{s:s, s:I, s:o, s:i, s:s?}", "state",
			 life_words[l->state], "since_seconds",
			 (json_int_t)((now_ns - l->since_ns) / NS_PER_S),
			 "rtt_ms", l->rtt_ms < 0 ? json_null() : json_real(rtt),
			 "loss_percent", (int)life_loss(l), "reason",
			 *at->reason ? at->reason : NULL);
}

static void answer_one(const struct watch *w, int fd, uint64_t now_ns)
{
	json_t *peers = json_object();
	char *text;

	for (size_t i = 0; i < w->now.n_peers; i++)
		json_object_set_new(peers, w->now.peers[i].name,
				    life_json(&w->watched[i], now_ns));
	text = json_dumps(peers, JSON_COMPACT);
	json_decref(peers);
	/* What does not fit into the socket is lost: we wait for nobody. */
	if (text && is_root(fd))
		send(fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT);
	free(text);
}

static void wait_askers(const struct watch *w, struct fds *fds)
{
	fds_add(fds, w->listener);
}

static void answer_all(struct watch *w, uint64_t now_ns)
{
	int fd;

	while (w->listener >= 0 &&
	       (fd = accept4(w->listener, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
		answer_one(w, fd, now_ns);
		close(fd);
	}
}

const struct part tell_part = {.wait = wait_askers, .work = answer_all};

/* A watch that hangs is none. */
static size_t read_answer(void *buffer, size_t size, void *data)
{
	ssize_t len = recv(*(int *)data, buffer, size, 0);

	return len < 0 ? (size_t)-1 : (size_t)len;
}

json_t *watch_ask(const char *ifname)
{
	const struct timeval limit = {.tv_sec = 1};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un name;
	socklen_t len = name_socket(ifname, &name);
	json_t *peers = NULL;

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	if (!connect(fd, (void *)&name, len) && is_root(fd))
		peers = json_load_callback(read_answer, &fd, 0, NULL);
	if (fd >= 0)
		close(fd);
	return peers;
}
