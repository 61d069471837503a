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

/* What an event tells of its packet. Family 0: there is no such header. */
struct event_packet {
	struct ip outer_src, outer_dst, inner_src, inner_dst;
	uint8_t icmp; /* family of an ICMP message behind them, or 0 */
	uint8_t type, code;
};

static void read_icmp(struct event_packet *out, uint8_t proto,
		      const uint8_t *at, const uint8_t *end)
{
	if (!at || end - at < 2)
		return;
	if (proto == IPPROTO_ICMP)
		out->icmp = 4;
	else if (proto == IPPROTO_ICMPV6)
		out->icmp = 6;
	out->type = at[0];
	out->code = at[1];
}

static struct event_packet event_packet(const struct tl_event *e)
{
	uint32_t len =
		e->head_len < TL_EVENT_HEAD ? e->head_len : TL_EVENT_HEAD;
	const uint8_t *end = e->head + len, *next;
	struct event_packet out = {0};
	struct ip src = {0}, dst = {0};
	uint8_t proto = read_header(e->head, end, &src, &dst, &next);

	/* Packets that should be tunnelled but are not start with the inner
	 * header; all others with the outer one. */
	if (is_inner(e->verdict)) {
		out.inner_src = src;
		out.inner_dst = dst;
	} else {
		out.outer_src = src;
		out.outer_dst = dst;
		if (next && is_tunnel(proto))
			proto = read_header(next, end, &out.inner_src,
					    &out.inner_dst, &next);
	}
	read_icmp(&out, proto, next, end);
	return out;
}

static const char *verdict_name(const struct tl_event *e)
{
	return e->verdict < TL_VERDICT_COUNT ? verdict_list[e->verdict].name
					     : "unknown";
}

static const char *event_fate(const struct tl_event *e)
{
	return e->verdict < TL_VERDICT_COUNT
		       ? fate_names[verdict_list[e->verdict].fate]
		       : "unknown";
}

/* The messages that tunnels meet (RFC 792, 1812, 4443, 4861). */
static const struct {
	uint8_t family, type, code;
	const char *text;
} icmp_names[] = {
	{4, 0, 0, "echo reply"},
	{4, 3, 0, "network unreachable"},
	{4, 3, 1, "host unreachable"},
	{4, 3, 2, "protocol unreachable"},
	{4, 3, 3, "port unreachable"},
	{4, 3, 4, "too big"},
	{4, 3, 9, "prohibited"},
	{4, 3, 10, "prohibited"},
	{4, 3, 13, "prohibited"},
	{4, 5, 1, "redirect"},
	{4, 8, 0, "echo request"},
	{4, 11, 0, "time exceeded"},
	{6, 1, 0, "no route"},
	{6, 1, 1, "prohibited"},
	{6, 1, 3, "address unreachable"},
	{6, 1, 4, "port unreachable"},
	{6, 2, 0, "too big"},
	{6, 3, 0, "time exceeded"},
	{6, 4, 1, "unknown next header"},
	{6, 128, 0, "echo request"},
	{6, 129, 0, "echo reply"},
	{6, 133, 0, "router solicitation"},
	{6, 134, 0, "router advertisement"},
	{6, 135, 0, "neighbour solicitation"},
	{6, 136, 0, "neighbour advertisement"},
	{6, 137, 0, "redirect"},
};

static void print_icmp(FILE *out, const struct event_packet *p)
{
	fprintf(out, " ICMP %u/%u", p->type, p->code);
	for (size_t i = 0; i < sizeof(icmp_names) / sizeof(*icmp_names); i++)
		if (icmp_names[i].family == p->icmp &&
		    icmp_names[i].type == p->type &&
		    icmp_names[i].code == p->code)
			fprintf(out, " (%s)", icmp_names[i].text);
}

static void print_pair(FILE *out, const char *label, const struct ip *src,
		       const struct ip *dst)
{
	char from[IP_STRLEN], to[IP_STRLEN];

	if (src->family)
		fprintf(out, " %s %s > %s", label, ip_str(src, from),
			ip_str(dst, to));
}

#define EVENT_COLUMNS "%-15s  %-7s  %-21s  %-12s  %6s "

void event_head(const struct screen *to)
{
	fprintf(to->out, "%s" EVENT_COLUMNS " %s%s\n", paint(to, BOLD), "TIME",
		"FATE", "VERDICT", "PEER", "LENGTH", "PACKET",
		paint(to, PLAIN));
}

void event_text(const struct screen *to, const struct tl_event *e, double time,
		const char *peer)
{
	const struct event_packet p = event_packet(e);
	char clock[16], stamp[32], length[16];
	time_t seconds = time;
	struct tm tm;

	strftime(clock, sizeof(clock), "%H:%M:%S", localtime_r(&seconds, &tm));
	snprintf(stamp, sizeof(stamp), "%s.%06u", clock,
		 (unsigned int)((time - seconds) * 1e6));
	snprintf(length, sizeof(length), "%u", e->length);
	fprintf(to->out, "%s" EVENT_COLUMNS "%s",
		paint(to, *event_fate(e) == 'd' ? RED : YELLOW), stamp,
		event_fate(e), verdict_name(e), *peer ? peer : "-", length,
		paint(to, PLAIN));
	print_pair(to->out, "outer", &p.outer_src, &p.outer_dst);
	print_pair(to->out, "inner", &p.inner_src, &p.inner_dst);
	if (p.icmp)
		print_icmp(to->out, &p);
	fputc('\n', to->out);
}

static json_t *icmp_json(const struct event_packet *p)
{
	if (!p->icmp)
		return json_null();
	return json_pack("{s:i, s:i}", "type", p->type, "code", p->code);
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
	const struct event_packet p = event_packet(e);

	/* clang-format off */
	return json_pack("{s:f, s:s, s:s, s:o, s:o, s:o, s:o, s:I}",
			 "time", time,
			 "verdict", verdict_name(e),
			 "fate", event_fate(e),
			 "peer", json_text(peer),
			 "outer", pair_json(&p.outer_src, &p.outer_dst),
			 "inner", pair_json(&p.inner_src, &p.inner_dst),
			 "icmp", icmp_json(&p),
			 "length", (json_int_t)e->length);
	/* clang-format on */
}
