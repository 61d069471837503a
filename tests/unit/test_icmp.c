/* SPDX-License-Identifier: GPL-2.0-only */
/* bpf/decide/icmp.h: ICMP errors are recognised if they are about our packets
 * and complete. */
#include "icmp_lab.h"

/* Nothing is learned from an error without an MTU. */
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
		assert_int_equal(fake_learned[FOUR].mtu, 0);
		assert_int_equal(fake_learned[SIX].mtu, 0);
	}
}

/* Errors about packets that we cannot have sent are plain packets. */
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
	e.dst = e.to = "192.0.2.10"; /* a packet that the peer has sent */
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
	assert_int_equal(fake_learned[FOUR].mtu, 0);
	assert_int_equal(fake_learned[SIX].mtu, 0);
}

/* RFC 792, RFC 4443 2.3: nothing in a damaged error is trusted, so that it is
 * not counted for a peer. */
static void wrong_checksums(void **state)
{
	(void)state;
	for (int bit = 0; bit < 16; bit++) {
		struct error e4 = good4(), e6 = good6();

		e4.wrong = e6.wrong = 1 << bit;
		assert_int_equal(arrive(&e4), TL_rx_plain);
		assert_int_equal(arrive(&e6), TL_rx_plain);
		e4.type = 11;
		e6.type = 3;
		assert_int_equal(arrive(&e4), TL_rx_plain);
		assert_int_equal(arrive(&e6), TL_rx_plain);
	}
	assert_int_equal(fake_learned[FOUR].mtu, 0);
	assert_int_equal(fake_learned[SIX].mtu, 0);
}

/* RFC 1122 3.2.1.2: XDP runs before the kernel checks the IPv4 header. */
static void wrong_ip_checksum(void **state)
{
	struct error e = good4();

	(void)state;
	e.wrong_ip = true;
	assert_int_equal(arrive(&e), TL_rx_plain);
	assert_int_equal(fake_learned[FOUR].mtu, 0);
}

/* The error as an ICMP message of n bytes, with padding behind it. */
static struct error message(struct error e, size_t n, size_t padding)
{
	e.quoted = n - 8 - ip_hlen(e.family);
	e.padding = padding;
	return e;
}

/* Messages of even and odd lengths up to the longest that is verified, 1500
 * bytes, with and without padding. */
static void lengths_of_messages(void **state)
{
	(void)state;
	for (size_t n = 88; n <= 1503; n += n < 100 || n > 1490 ? 1 : 61) {
		for (size_t padding = 0; padding <= 3; padding++) {
			struct error e4 = message(good4(), n, padding);
			struct error e6 = message(good6(), n, padding);

			fake_learned[FOUR].mtu = 0;
			fake_learned[SIX].mtu = 0;
			assert_int_equal(arrive(&e4),
					 n <= 1500 ? TL_rx_icmp_too_big
						   : TL_rx_plain);
			assert_int_equal(arrive(&e6),
					 n <= 1500 ? TL_rx_icmp_too_big
						   : TL_rx_plain);
			assert_int_equal(fake_learned[FOUR].mtu,
					 n <= 1500 ? 1380 : 0);
			assert_int_equal(fake_learned[SIX].mtu,
					 n <= 1500 ? 1360 : 0);
		}
	}
}

/* The length in the IP header is more or less than the message. */
static void ip_lengths(void **state)
{
	struct error e4 = good4(), e6 = good6();

	(void)state;
	e4.more = e6.more = 1;
	assert_int_equal(arrive(&e4), TL_rx_plain);
	assert_int_equal(arrive(&e6), TL_rx_plain);
	e4.more = -28 - 20; /* nothing behind the IP header */
	assert_int_equal(arrive(&e4), TL_rx_plain);
	e4.more = -20 - 1; /* less than the quoted outer header */
	e6.more = -40 - 1;
	assert_int_equal(arrive(&e4), TL_rx_plain);
	assert_int_equal(arrive(&e6), TL_rx_plain);
	e4.more = -20; /* no inner packet but padding (RFC 1122 3.2.1) */
	e6.more = -40;
	assert_int_equal(learnt(&e4), 0);
	assert_int_equal(learnt(&e6), 0);
	e4.more = -1; /* the end of the inner destination is padding */
	e6.more = -1;
	e4.inner_dst = "8.8.8.8";
	assert_int_equal(learnt(&e4), 1380);
	assert_int_equal(learnt(&e6), 0);
}

/* The end of the message cannot be read: in XDP it may be in another buffer. */
static void half_of_a_message(void **state)
{
	struct error e4 = message(good4(), 548, 0);
	struct error e6 = message(good6(), 1240, 0);

	(void)state;
	for (e4.unreadable = 1; e4.unreadable <= 500; e4.unreadable++) {
		e6.unreadable = e4.unreadable;
		assert_int_equal(arrive(&e4), TL_rx_plain);
		assert_int_equal(arrive(&e6), TL_rx_plain);
	}
	assert_int_equal(fake_learned[FOUR].mtu, 0);
	assert_int_equal(fake_learned[SIX].mtu, 0);
}

/* A message of more than 64 KiB, which no field of a length holds. */
static void long_message(void **state)
{
	struct error e = good6();
	uint8_t bytes[2048] = {0};
	size_t n = put_error(bytes, &e);
	uint8_t *at;
	struct view view;
	struct rx rx = {0};

	(void)state;
	bytes[4] = bytes[5] = 0; /* as the kernel's super-packets have it */
	at = exact(bytes, n);
	view = (struct view){.at = at, .end = at + n, .len = n + 65536};
	assert_int_equal(ingress(&view, htons(ETH_P_IPV6), &rx), TL_rx_plain);
	free(at);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(other_errors, peers_up),
		cmocka_unit_test_setup(not_about_us, peers_up),
		cmocka_unit_test_setup(wrong_checksums, peers_up),
		cmocka_unit_test_setup(wrong_ip_checksum, peers_up),
		cmocka_unit_test_setup(lengths_of_messages, peers_up),
		cmocka_unit_test_setup(ip_lengths, peers_up),
		cmocka_unit_test_setup(half_of_a_message, peers_up),
		cmocka_unit_test_setup(long_message, peers_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
