// SPDX-License-Identifier: GPL-2.0-only
/* Sends rtnetlink requests and reads the answers. */
#include "host.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

/* Link and route messages grow with the hardware and the next hops. */
#define ANSWER_LEN 32768

static char error_text[256];

void *nl_begin(union nl_request *r, uint16_t type, uint16_t flags,
	       size_t header_len)
{
	memset(r, 0, sizeof(*r));
	mnl_nlmsg_put_header(r);
	r->nlh.nlmsg_type = type;
	r->nlh.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags;
	return mnl_nlmsg_put_extra_header(&r->nlh, header_len);
}

void nl_put_ip(union nl_request *r, uint16_t type, const struct ip *ip)
{
	mnl_attr_put(&r->nlh, type, ip->family == 4 ? 4 : 16, ip->addr);
}

const char *nl_error(void)
{
	return error_text[0] ? error_text : strerror(errno);
}

static int ack_attr(const struct nlattr *a, void *data)
{
	(void)data;
	if (mnl_attr_get_type(a) == NLMSGERR_ATTR_MSG)
		snprintf(error_text, sizeof(error_text), "%s", nl_str(a));
	return MNL_CB_OK;
}

/* Returns the errno of an answer, 0 for success, and copies its message to
 * error_text. */
static int answer_error(const struct nlmsghdr *nlh)
{
	const struct nlmsgerr *e = mnl_nlmsg_get_payload(nlh);
	size_t echoed = sizeof(*e);

	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*e))
		return EBADMSG;
	/* Unless capped, the request is echoed in front of the attributes. */
	if (!(nlh->nlmsg_flags & NLM_F_CAPPED))
		echoed += mnl_nlmsg_get_payload_len(&e->msg);
	error_text[0] = '\0';
	if (nlh->nlmsg_flags & NLM_F_ACK_TLVS)
		mnl_attr_parse(nlh, echoed, ack_attr, NULL);
	return -e->error;
}

static int on_error(const struct nlmsghdr *nlh, void *data)
{
	int err = answer_error(nlh);

	(void)data;
	if (!err)
		return MNL_CB_STOP;
	errno = err;
	return MNL_CB_ERROR;
}

/* Reads the status at the end of a dump. */
static int on_done(const struct nlmsghdr *nlh, void *data)
{
	const int *status = mnl_nlmsg_get_payload(nlh);

	(void)data;
	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*status) || *status >= 0)
		return MNL_CB_STOP;
	errno = -*status;
	return MNL_CB_ERROR;
}

static mnl_cb_t control[] = {
	[NLMSG_ERROR] = on_error,
	[NLMSG_DONE] = on_done,
};

int nl_exchange(struct mnl_socket *s, union nl_request *r, mnl_cb_t each,
		void *data)
{
	unsigned int port = mnl_socket_get_portid(s);
	_Alignas(struct nlmsghdr) char buf[ANSWER_LEN];
	ssize_t len;
	int state;

	if (mnl_socket_sendto(s, &r->nlh, r->nlh.nlmsg_len) < 0)
		return -1;
	do {
		len = mnl_socket_recvfrom(s, buf, sizeof(buf));
		if (len < 0)
			return -1;
		state = mnl_cb_run2(buf, len, r->nlh.nlmsg_seq, port, each,
				    data, control, MNL_ARRAY_SIZE(control));
	} while (state > MNL_CB_STOP);
	return state;
}

/* With NETLINK_GET_STRICT_CHK the kernel filters dumps (since 4.20). */
static struct mnl_socket *open_socket(void)
{
	struct mnl_socket *s = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	int on = 1;

	if (!s)
		return NULL;
	mnl_socket_setsockopt(s, NETLINK_GET_STRICT_CHK, &on, sizeof(on));
	mnl_socket_setsockopt(s, NETLINK_EXT_ACK, &on, sizeof(on));
	mnl_socket_setsockopt(s, NETLINK_CAP_ACK, &on, sizeof(on));
	if (mnl_socket_bind(s, 0, MNL_SOCKET_AUTOPID) < 0) {
		mnl_socket_close(s);
		return NULL;
	}
	return s;
}

/* The open socket, kept for the next request; NULL while it is in use, so that
 * a request from within another one's callback opens its own. */
static struct mnl_socket *idle;
static unsigned int last_seq;

static struct mnl_socket *take_socket(void)
{
	struct mnl_socket *s = idle;

	idle = NULL;
	return s ? s : open_socket();
}

/* Closes the socket after a failure, as it may hold unread answers. */
static void leave_socket(struct mnl_socket *s, bool failed)
{
	int err = errno;

	if (failed || idle)
		mnl_socket_close(s);
	else
		idle = s;
	errno = err;
}

void nl_forget(void)
{
	if (idle)
		mnl_socket_close(idle);
	idle = NULL;
}

int nl_talk(union nl_request *r, mnl_cb_t each, void *data)
{
	struct mnl_socket *s = take_socket();
	int ret;

	error_text[0] = '\0';
	if (!s)
		return FAILED;
	r->nlh.nlmsg_seq = ++last_seq;
	ret = nl_exchange(s, r, each, data);
	leave_socket(s, ret < 0);
	return ret < 0 ? FAILED : OK;
}

/* How many times a dump is tried if the list changes meanwhile. */
#define DUMP_TRIES 8

static int on_listed(const struct nlmsghdr *nlh, void *data)
{
	struct nl_dump *d = data;

	if (!array_grow(&d->all, d->n, d->size))
		return MNL_CB_ERROR;
	d->n += d->take(nlh, d, (char *)d->all + d->n * d->size);
	return MNL_CB_OK;
}

static int dump_family(struct nl_dump *d)
{
	size_t before = d->n;
	union nl_request r;
	int ret, tries = 0;

	do {
		d->n = before;
		d->ask(&r, d);
		ret = nl_talk(&r, on_listed, d);
	} while (ret && errno == EINTR && ++tries < DUMP_TRIES);
	if (!ret || nl_absent(errno))
		return OK;
	return fail("cannot list %s: %s", d->what, nl_error());
}

int nl_dump(struct nl_dump *d, void **out, size_t *n)
{
	int ret = OK;

	for (d->family = 4; !ret && d->family <= 6; d->family += 2)
		if (!d->only || d->only == d->family)
			ret = dump_family(d);
	if (ret)
		free(d->all);
	*out = ret ? NULL : d->all;
	*n = ret ? 0 : d->n;
	return ret;
}

/* The receive buffer has room for the answers to so many requests, even if all
 * are errors. */
#define CHUNK_REQUESTS 200
#define CHUNK_LEN      (CHUNK_REQUESTS * sizeof(union nl_request))

struct chunk {
	const struct nl_batch *batch;
	unsigned int first_seq, n;
	size_t first; /* the number of the request with first_seq */
	size_t len;
	bool done; /* its last request was answered */
	int ret;
	_Alignas(struct nlmsghdr) char buf[CHUNK_LEN];
};

/* Asks for an acknowledgement of the last request of a chunk only; errors are
 * always reported. */
static void build_chunk(struct chunk *c, size_t left)
{
	struct nlmsghdr *nlh = NULL;
	union nl_request r;

	c->len = 0;
	c->first_seq = last_seq + 1;
	for (c->n = 0; c->n < CHUNK_REQUESTS && c->n < left; c->n++) {
		c->batch->build(&r, c->first + c->n, c->batch->data);
		r.nlh.nlmsg_seq = ++last_seq;
		r.nlh.nlmsg_flags &= ~NLM_F_ACK;
		nlh = (void *)(c->buf + c->len);
		memcpy(nlh, &r, r.nlh.nlmsg_len);
		c->len += NLMSG_ALIGN(r.nlh.nlmsg_len);
	}
	nlh->nlmsg_flags |= NLM_F_ACK;
}

static int on_answer(const struct nlmsghdr *nlh, void *data)
{
	struct chunk *c = data;
	unsigned int i = nlh->nlmsg_seq - c->first_seq;
	int err = answer_error(nlh);

	if (i >= c->n)
		return MNL_CB_OK;
	c->done |= i == c->n - 1;
	errno = err;
	if (err && !c->ret)
		c->ret = c->batch->failed(c->first + i, c->batch->data);
	return MNL_CB_OK;
}

static int send_chunk(struct mnl_socket *s, struct chunk *c)
{
	static mnl_cb_t on[] = {[NLMSG_ERROR] = on_answer};
	unsigned int port = mnl_socket_get_portid(s);
	_Alignas(struct nlmsghdr) char buf[ANSWER_LEN];
	ssize_t len;

	if (mnl_socket_sendto(s, c->buf, c->len) < 0)
		return FAILED;
	c->done = false;
	while (!c->done) {
		len = mnl_socket_recvfrom(s, buf, sizeof(buf));
		if (len < 0 || mnl_cb_run2(buf, len, 0, port, NULL, c, on,
					   MNL_ARRAY_SIZE(on)) < 0)
			return FAILED;
	}
	return OK;
}

int nl_batch_run(const struct nl_batch *b, size_t n)
{
	static struct chunk c;
	struct mnl_socket *s = n ? take_socket() : NULL;
	bool broken = n && !s;

	c = (struct chunk){.batch = b};
	while (!broken && !c.ret && c.first < n) {
		build_chunk(&c, n - c.first);
		broken = send_chunk(s, &c);
		c.first += c.n;
	}
	if (s)
		leave_socket(s, broken);
	return broken ? fail("cannot talk to the kernel: %s", strerror(errno))
		      : c.ret;
}

bool nl_absent(int err)
{
	return err == ESRCH || err == ENOENT || err == ENODEV ||
	       err == EADDRNOTAVAIL || err == EAFNOSUPPORT || err == EOPNOTSUPP;
}

void nl_attrs(const struct nlmsghdr *nlh, size_t header_len,
	      const struct nlattr **tb, uint16_t max)
{
	const struct nlattr *a;

	memset(tb, 0, (max + 1) * sizeof(*tb));
	mnl_attr_for_each (a, nlh, header_len)
		if (mnl_attr_get_type(a) <= max)
			tb[mnl_attr_get_type(a)] = a;
}

struct ip nl_ip(const struct nlattr *a, uint8_t family)
{
	size_t len = family == 4 ? 4 : 16;
	struct ip ip = {0};

	if (!a || !family || mnl_attr_get_payload_len(a) < len)
		return ip;
	ip.family = family;
	memcpy(ip.addr, mnl_attr_get_payload(a), len);
	return ip;
}

struct ip nl_gateway(const struct nlattr *const *tb, uint8_t family)
{
	const struct rtvia *via;
	struct ip ip = {0};
	size_t len;

	if (!tb[RTA_VIA])
		return nl_ip(tb[RTA_GATEWAY], family);
	via = mnl_attr_get_payload(tb[RTA_VIA]);
	len = via->rtvia_family == AF_INET ? 4 : 16;
	if (mnl_attr_get_payload_len(tb[RTA_VIA]) < sizeof(*via) + len)
		return ip;
	ip.family = nl_family(via->rtvia_family);
	memcpy(ip.addr, via->rtvia_addr, len);
	return ip;
}

uint32_t nl_u32(const struct nlattr *a)
{
	return a && mnl_attr_get_payload_len(a) >= 4 ? mnl_attr_get_u32(a) : 0;
}

uint8_t nl_u8(const struct nlattr *a)
{
	return a && mnl_attr_get_payload_len(a) ? mnl_attr_get_u8(a) : 0;
}

const char *nl_str(const struct nlattr *a)
{
	return a && mnl_attr_validate(a, MNL_TYPE_NUL_STRING) >= 0
		       ? mnl_attr_get_str(a)
		       : "";
}

const struct nlattr *nl_nested(const struct nlattr *nest, uint16_t type)
{
	const struct nlattr *a;

	if (nest)
		mnl_attr_for_each_nested (a, nest)
			if (mnl_attr_get_type(a) == type)
				return a;
	return NULL;
}

uint8_t nl_family(int af)
{
	return af == AF_INET ? 4 : af == AF_INET6 ? 6 : 0;
}

int nl_af(uint8_t family)
{
	return family == 4 ? AF_INET : family == 6 ? AF_INET6 : AF_UNSPEC;
}

struct ip ip_from_sockaddr(const void *sa)
{
	const struct sockaddr_in *v4 = sa;
	const struct sockaddr_in6 *v6 = sa;
	struct ip ip = {.family = nl_family(v4->sin_family)};

	if (ip.family == 4)
		memcpy(ip.addr, &v4->sin_addr, 4);
	if (ip.family == 6)
		memcpy(ip.addr, &v6->sin6_addr, 16);
	return ip;
}

socklen_t ip_to_sockaddr(const struct ip *ip, struct sockaddr_storage *out)
{
	struct sockaddr_in *v4 = (void *)out;
	struct sockaddr_in6 *v6 = (void *)out;
	bool four = ip->family == 4;

	*out = (struct sockaddr_storage){.ss_family = nl_af(ip->family)};
	if (four)
		memcpy(&v4->sin_addr, ip->addr, 4);
	else
		memcpy(&v6->sin6_addr, ip->addr, 16);
	return four ? sizeof(*v4) : sizeof(*v6);
}
