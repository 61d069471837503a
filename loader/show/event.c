// SPDX-License-Identifier: GPL-2.0-only
/* Prints events as text and as JSON. */
#include "show.h"

#include <string.h>
#include <time.h>

/* After <net/if.h>, which the kernel's headers are compatible with only in this
 * order. */
#include "../../bpf/core/parse.h"

static struct ip to_ip(const void *addr, uint8_t family)
{
	struct ip ip = {.family = family};

	copy_addr(ip.addr, addr, family);
	return ip;
}

/* Reads the header at `at`; *next is the header that follows (NULL: none is
 * readable). Returns its proto, 0 if it is not readable. */
static uint8_t read_header(const uint8_t *at, const uint8_t *end,
			   struct ip *src, struct ip *dst, const uint8_t **next)
{
	struct ip_info info = {0};
	enum parse_result result = PARSE_SHORT;

	*next = NULL;
	if (at < end)
		result = *at >> 4 == 4 ? parse_ip4(at, end, &info)
				       : parse_ip6(at, end, &info);
	if (!info.src)
		return 0;
	*src = to_ip(info.src, info.family);
	*dst = to_ip(info.dst, info.family);
	if (result == PARSE_OK && !info.fragment)
		*next = at + info.hlen;
	return info.proto;
}

/* True if the packet of an event has no outer header. */
static bool is_inner(uint32_t verdict)
{
	return verdict < TL_VERDICT_COUNT &&
	       (verdict_list[verdict].from == TL_FROM_HOST ||
		verdict_list[verdict].from == TL_FROM_BARE);
}

/* The addresses of a packet; family 0 if there is no such header. */
struct event_addresses {
	struct ip outer_src, outer_dst, inner_src, inner_dst;
};

static void event_addresses(const struct tl_event *e,
			    struct event_addresses *out)
{
	uint32_t len =
		e->head_len < TL_EVENT_HEAD ? e->head_len : TL_EVENT_HEAD;
	const uint8_t *end = e->head + len, *next;
	struct ip src = {0}, dst = {0};
	uint8_t proto = read_header(e->head, end, &src, &dst, &next);

	*out = (struct event_addresses){0};
	/* Packets that should be tunnelled but are not start with the inner
	 * header; all others with the outer one. */
	if (is_inner(e->verdict)) {
		out->inner_src = src;
		out->inner_dst = dst;
		return;
	}
	out->outer_src = src;
	out->outer_dst = dst;
	if (next && is_tunnel(proto))
		read_header(next, end, &out->inner_src, &out->inner_dst, &next);
}

static const char *verdict_name(const struct tl_event *e)
{
	return e->verdict < TL_VERDICT_COUNT ? verdict_list[e->verdict].name
					     : "unknown";
}

static void print_pair(const char *label, const struct ip *src,
		       const struct ip *dst)
{
	char from[IP_STRLEN], to[IP_STRLEN];

	if (src->family)
		printf(" %s %s > %s", label, ip_str(src, from),
		       ip_str(dst, to));
}

void event_text(const struct tl_event *e, double time, const char *peer)
{
	time_t seconds = time;
	struct event_addresses a;
	char clock[16];
	struct tm tm;

	strftime(clock, sizeof(clock), "%H:%M:%S", localtime_r(&seconds, &tm));
	printf("%s.%06u %s %s", clock, (unsigned int)((time - seconds) * 1e6),
	       verdict_name(e), *peer ? peer : "-");
	event_addresses(e, &a);
	print_pair("outer", &a.outer_src, &a.outer_dst);
	print_pair("inner", &a.inner_src, &a.inner_dst);
	printf(" length %u\n", e->length);
}

static json_t *pair_json(const struct ip *src, const struct ip *dst)
{
	if (!src->family)
		return json_null();
	return json_pack("{s:o, s:o}", "source", json_ip(src), "destination",
			 json_ip(dst));
}

json_t *event_json(const struct tl_event *e, double time, const char *peer)
{
	struct event_addresses a;

	event_addresses(e, &a);
	/* clang-format off */
	return json_pack("{s:f, s:s, s:o, s:o, s:o, s:I}",
			 "time", time,
			 "verdict", verdict_name(e),
			 "peer", *peer ? json_string(peer) : json_null(),
			 "outer", pair_json(&a.outer_src, &a.outer_dst),
			 "inner", pair_json(&a.inner_src, &a.inner_dst),
			 "length", (json_int_t)e->length);
	/* clang-format on */
}
