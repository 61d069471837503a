/* SPDX-License-Identifier: GPL-2.0-only */
/* bpf/ingress.h: what is learnt from ICMP errors, and from which. */
#include "fake_maps.h"
#include "../../bpf/ingress.h"

#define FOUR 1 /* peers' ids by their outer family */
#define SIX  2

#define EXPIRY 600 /* s */

/* An ICMP error: who says what about which packet. */
struct error {
	uint8_t family, type, code;
	uint32_t mtu;	       /* that it announces */
	const char *to;	       /* its destination */
	const char *src, *dst; /* of the quoted outer packet */
	uint16_t len;	       /* of that */
	uint8_t proto;	       /* of that, and what follows: 4 or 41 */
	const char *inner_dst; /* of the inner packet */
	int16_t inner_len;     /* what it says beyond what fits */
	size_t quoted;	       /* bytes of the inner packet in the quotation */
	bool no_df;	       /* the quoted outer IPv4 header is without DF */
	uint16_t id;	       /* of that */
};

static int peers_up(void **state)
{
	(void)state;
	fake_now = 1000;
	fake_interface.pmtu_expiry = EXPIRY;
	fake_add(FOUR, "198.51.100.1", "192.0.2.10", 1480);
	fake_add(SIX, "2001:db8:2::1", "2001:db8:1::10", 1460);
	return 0;
}

static struct error good4(void)
{
	return (struct error){.family = 4,
			      .type = 3,
			      .code = 4,
			      .mtu = 1400,
			      .to = "192.0.2.10",
			      .src = "192.0.2.10",
			      .dst = "198.51.100.1",
			      .len = 1500,
			      .proto = 4,
			      .inner_dst = "10.1.0.9",
			      .quoted = 20};
}

static struct error good6(void)
{
	return (struct error){.family = 6,
			      .type = 2,
			      .mtu = 1400,
			      .to = "2001:db8:1::10",
			      .src = "2001:db8:1::10",
			      .dst = "2001:db8:2::1",
			      .len = 1500,
			      .proto = 41,
			      .inner_dst = "fd00:2::9",
			      .quoted = 40};
}

static size_t put_header(uint8_t *at, uint8_t family, uint8_t proto,
			 const char *src, const char *dst, uint16_t len)
{
	return family == 4 ? put_ip4(at, proto, src, dst, len)
			   : put_ip6(at, proto, src, dst, len);
}

static size_t put_error(uint8_t *at, const struct error *e)
{
	uint8_t inner = e->proto == 4 ? 4 : 6;
	uint8_t outer = outer_header_len(e->family);
	size_t n = outer;

	at[n++] = e->type;
	at[n++] = e->code;
	at[n++] = 0; /* nobody looks at the checksum here */
	at[n++] = 0;
	for (int shift = 24; shift >= 0; shift -= 8)
		at[n++] = e->mtu >> shift;
	put_header(at + n, e->family, e->proto, e->src, e->dst, e->len);
	if (e->family == 4) {
		at[n + 4] = e->id >> 8;
		at[n + 5] = e->id;
		at[n + 6] = e->no_df ? 0 : 0x40;
	}
	n += outer;
	put_header(at + n, inner, 17, inner == 4 ? "172.22.2.2" : "fd00:22::2",
		   e->inner_dst, e->len - outer + e->inner_len);
	n += e->quoted;
	put_header(at, e->family, e->family == 4 ? 1 : 58,
		   e->family == 4 ? "203.0.113.1" : "2001:db8:77::1", e->to, n);
	return n;
}

static enum tl_verdict arrive(const struct error *e)
{
	uint8_t bytes[256], *at;
	size_t n = put_error(bytes, e);
	enum tl_verdict verdict;
	struct view view;
	struct rx rx = {0};

	at = exact(bytes, n);
	view = (struct view){.at = at, .end = at + n, .len = n, .whole = true};
	verdict = ingress(&view, htons(e->family == 4 ? ETH_P_IP : ETH_P_IPV6),
			  &rx);
	if (verdict != TL_rx_plain)
		assert_int_equal(rx.outcome.peer, e->family == 4 ? FOUR : SIX);
	free(at);
	return verdict;
}

/* The MTU learnt from an error that is counted as one. */
static uint32_t learnt(const struct error *e)
{
	struct tl_peer *peer = &fake_peers[e->family == 4 ? FOUR : SIX];

	peer->learned_mtu = 0;
	assert_int_equal(arrive(e), TL_rx_icmp_too_big);
	return peer->learned_mtu;
}

static void good_errors(void **state)
{
	struct error e4 = good4(), e6 = good6();
	uint64_t until = 1000 + EXPIRY * 1000000000ULL;

	(void)state;
	assert_int_equal(learnt(&e4), 1380);
	assert_true(fake_peers[FOUR].learned_until_ns == until);
	assert_int_equal(learnt(&e6), 1360);
	assert_true(fake_peers[SIX].learned_until_ns == until);
	e4.proto = 41;
	e4.inner_dst = "fd00:1::9";
	e4.quoted = 40;
	assert_int_equal(learnt(&e4), 1380);
	e6.proto = 4;
	e6.inner_dst = "10.2.0.9";
	e6.quoted = 20;
	assert_int_equal(learnt(&e6), 1360);
}

/* RFC 791 3.1, RFC 8200 5: no path carries less; RFC 8201 4: who says so of an
 * IPv6 path is not believed. */
static void floors(void **state)
{
	struct error e4 = good4(), e6 = good6();

	(void)state;
	e4.mtu = 577;
	assert_int_equal(learnt(&e4), 557);
	for (e4.mtu = 1; e4.mtu <= 576; e4.mtu += 115)
		assert_int_equal(learnt(&e4), 556);
	e6.mtu = 1281;
	assert_int_equal(learnt(&e6), 1241);
	e6.mtu = 1280;
	assert_int_equal(learnt(&e6), 1240);
	for (e6.mtu = 1279; e6.mtu > 100; e6.mtu -= 101)
		assert_int_equal(learnt(&e6), 0);
}

/* An MTU of 0 is that of a router older than RFC 1191; IPv4's has 16 bits. */
static void announced(void **state)
{
	struct error e4 = good4(), e6 = good6();

	(void)state;
	e4.mtu = e6.mtu = 0;
	assert_int_equal(learnt(&e4), 0);
	assert_int_equal(learnt(&e6), 0);
	e4.mtu = 7 << 16 | 1400;
	assert_int_equal(learnt(&e4), 1380);
	e6.mtu = 7 << 16 | 1400;
	assert_int_equal(learnt(&e6), 0);
}

/* The quoted packet was too big for what is announced, and not for us. */
static void lengths(void **state)
{
	struct error e4 = good4(), e6 = good6();

	(void)state;
	e4.len = 1401;
	assert_int_equal(learnt(&e4), 1380);
	e4.len = 1400;
	assert_int_equal(learnt(&e4), 0);
	e4.len = 1501;
	assert_int_equal(learnt(&e4), 0);
	e6.len = 1401;
	assert_int_equal(learnt(&e6), 1360);
	e6.len = 1400;
	assert_int_equal(learnt(&e6), 0);
	e6.len = 1501;
	assert_int_equal(learnt(&e6), 0);
}

static void never_upwards(void **state)
{
	struct error e4 = good4();

	(void)state;
	e4.mtu = 1499;
	assert_int_equal(learnt(&e4), 1479);
	fake_peers[FOUR].mtu = 500; /* below the floor */
	e4.len = 520;
	e4.mtu = 400;
	assert_int_equal(learnt(&e4), 0);
}

/* What was learnt last holds against a larger one until it is forgotten. */
static void while_it_holds(void **state)
{
	struct tl_peer *peer = &fake_peers[FOUR];
	struct error e4 = good4();

	(void)state;
	assert_int_equal(learnt(&e4), 1380);
	fake_now++;
	e4.mtu = 1450;
	assert_int_equal(arrive(&e4), TL_rx_icmp_too_big);
	assert_int_equal(peer->learned_mtu, 1380);
	e4.mtu = 1399;
	assert_int_equal(arrive(&e4), TL_rx_icmp_too_big);
	assert_int_equal(peer->learned_mtu, 1379);
	fake_now = peer->learned_until_ns;
	e4.mtu = 1450;
	assert_int_equal(arrive(&e4), TL_rx_icmp_too_big);
	assert_int_equal(peer->learned_mtu, 1430);
}

static void inner_packet(void **state)
{
	struct error e4 = good4(), e6 = good6();

	(void)state;
	e4.inner_len = 1;
	e6.inner_len = -1;
	assert_int_equal(learnt(&e4), 0);
	assert_int_equal(learnt(&e6), 0);
	e4 = good4();
	e6 = good6();
	e4.inner_dst = "10.2.0.9"; /* the other peer's */
	e6.inner_dst = "fd00:1::9";
	assert_int_equal(learnt(&e4), 0);
	assert_int_equal(learnt(&e6), 0);
	e4.inner_dst = "8.8.8.8"; /* nobody's */
	e6.inner_dst = "2001:db8::8";
	assert_int_equal(learnt(&e4), 0);
	assert_int_equal(learnt(&e6), 0);
	e4.quoted = 19; /* cannot be seen: RFC 792 allows that, RFC 4443 not */
	e6.quoted = 39;
	assert_int_equal(learnt(&e4), 1380);
	assert_int_equal(learnt(&e6), 0);
	e4.quoted = e6.quoted = 8;
	assert_int_equal(learnt(&e4), 1380);
	assert_int_equal(learnt(&e6), 0);
	e4.quoted = e6.quoted = 7; /* less than RFC 792 asks for */
	assert_int_equal(learnt(&e4), 0);
	assert_int_equal(learnt(&e6), 0);
}

/* What announces no MTU teaches none. */
static void other_errors(void **state)
{
	static const struct {
		uint8_t family, type, code;
		enum tl_verdict verdict;
	} all[] = {
		{4, 3, 0, TL_rx_icmp_unreachable},
		{4, 3, 3, TL_rx_icmp_unreachable},
		{4, 3, 5, TL_rx_icmp_unreachable},
		{4, 4, 0, TL_rx_icmp_other},
		{4, 11, 0, TL_rx_icmp_time_exceeded},
		{4, 12, 0, TL_rx_icmp_other},
		{4, 0, 0, TL_rx_plain},
		{4, 8, 0, TL_rx_plain},
		{6, 1, 0, TL_rx_icmp_unreachable},
		{6, 3, 0, TL_rx_icmp_time_exceeded},
		{6, 4, 0, TL_rx_icmp_other},
		{6, 128, 0, TL_rx_plain},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
		struct error e = all[i].family == 4 ? good4() : good6();

		e.type = all[i].type;
		e.code = all[i].code;
		assert_int_equal(arrive(&e), all[i].verdict);
		assert_int_equal(fake_peers[FOUR].learned_mtu, 0);
		assert_int_equal(fake_peers[SIX].learned_mtu, 0);
	}
}

/* Errors about what we cannot have sent are plain packets. */
static void not_about_us(void **state)
{
	struct error e;

	(void)state;
	e = good4();
	e.proto = 17;
	assert_int_equal(arrive(&e), TL_rx_plain);
	e = good4();
	e.to = "192.0.2.11";
	assert_int_equal(arrive(&e), TL_rx_plain);
	e = good4();
	e.src = "198.51.100.1";
	e.dst = e.to = "192.0.2.10"; /* what the peer has sent */
	assert_int_equal(arrive(&e), TL_rx_plain);
	e = good4();
	e.dst = "198.51.100.2";
	assert_int_equal(arrive(&e), TL_rx_plain);
	e = good6();
	e.to = "2001:db8:1::11";
	assert_int_equal(arrive(&e), TL_rx_plain);
	e = good6();
	e.to = e.src = "2001:db8:1::11";
	assert_int_equal(arrive(&e), TL_rx_plain);
	assert_int_equal(fake_peers[FOUR].learned_mtu, 0);
	assert_int_equal(fake_peers[SIX].learned_mtu, 0);
}

/* We send with DF, and IDs that count segments from 0 (RFC 6864 4.1). */
static void quoted_ip4_header_is_ours(void **state)
{
	struct error e = good4();

	(void)state;
	e.id = 44;
	assert_int_equal(learnt(&e), 1380);
	e.id = 255;
	assert_int_equal(learnt(&e), 1380);
	e.id = 256;
	assert_int_equal(learnt(&e), 0);
	e.id = 0;
	e.no_df = true;
	assert_int_equal(learnt(&e), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(quoted_ip4_header_is_ours, peers_up),
		cmocka_unit_test_setup(good_errors, peers_up),
		cmocka_unit_test_setup(floors, peers_up),
		cmocka_unit_test_setup(announced, peers_up),
		cmocka_unit_test_setup(lengths, peers_up),
		cmocka_unit_test_setup(never_upwards, peers_up),
		cmocka_unit_test_setup(while_it_holds, peers_up),
		cmocka_unit_test_setup(inner_packet, peers_up),
		cmocka_unit_test_setup(other_errors, peers_up),
		cmocka_unit_test_setup(not_about_us, peers_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
