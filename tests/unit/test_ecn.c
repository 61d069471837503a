/* SPDX-License-Identifier: GPL-2.0-only */
/* bpf/core/ecn.h against figure 4 of RFC 6040, copied by hand. */
#include "core.h"
#include "../../bpf/core/ecn.h"

/* RFC 6040 figure 4: rows inner, columns outer, in the order Not-ECT, ECT(0),
 * ECT(1), CE. */
static const uint8_t order[4] = {0, 2, 1, 3};
static const uint8_t figure4[4][4] = {
	{0, 0, 0, ECN_DROP}, /* Not-ECT */
	{2, 2, 1, 3},	     /* ECT(0) */
	{1, 1, 1, 3},	     /* ECT(1) */
	{3, 3, 3, 3},	     /* CE */
};

static void decap_is_figure_4(void **state)
{
	(void)state;
	for (int in = 0; in < 4; in++)
		for (int out = 0; out < 4; out++)
			assert_int_equal(ecn_decap(order[in], order[out]),
					 figure4[in][out]);
}

static void decap_ignores_dscp(void **state)
{
	(void)state;
	for (int tos = 0; tos < 256; tos++)
		assert_int_equal(ecn_decap(tos, 0xfc | (tos >> 6)),
				 ecn_decap(tos & 3, tos >> 6));
}

static void encap_copies_all(void **state)
{
	(void)state;
	for (int tos = 0; tos < 256; tos++)
		assert_int_equal(tos_encap(tos, TL_DSCP_COPY), tos);
}

static void encap_with_fixed_dscp_keeps_ecn(void **state)
{
	(void)state;
	for (int tos = 0; tos < 256; tos++)
		for (int dscp = 0; dscp < 64; dscp++)
			assert_int_equal(tos_encap(tos, dscp),
					 dscp * 4 + tos % 4);
}

static void ip4_ecn_keeps_the_checksum_right(void **state)
{
	(void)state;
	for (int tos = 0; tos < 256; tos++) {
		for (int ecn = 0; ecn < 4; ecn++) {
			struct iphdr ip = {.version = 4,
					   .ihl = 5,
					   .tos = tos,
					   .id = htons(tos * 257),
					   .ttl = 3};

			ip.check = ~csum_fold(csum_ip4(&ip));
			ip4_set_ecn(&ip, ecn);
			assert_int_equal(ip.tos, tos / 4 * 4 + ecn);
			assert_int_equal(csum_fold(csum_ip4(&ip)), 0xffff);
		}
	}
}

static void ip6_ecn_leaves_the_rest(void **state)
{
	(void)state;
	for (int tos = 0; tos < 256; tos++) {
		for (int ecn = 0; ecn < 4; ecn++) {
			uint8_t bytes[40] = {0x60 | tos >> 4,
					     (tos & 15) << 4 | 0xa, 0xbc, 0xde};
			uint8_t want[40];

			memcpy(want, bytes, sizeof(want));
			want[1] = ((tos / 4 * 4 + ecn) & 15) << 4 | 0xa;
			assert_int_equal(ip6_tclass((void *)bytes), tos);
			ip6_set_ecn((void *)bytes, ecn);
			assert_memory_equal(bytes, want, sizeof(want));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(decap_is_figure_4),
		cmocka_unit_test(decap_ignores_dscp),
		cmocka_unit_test(encap_copies_all),
		cmocka_unit_test(encap_with_fixed_dscp_keeps_ecn),
		cmocka_unit_test(ip4_ecn_keeps_the_checksum_right),
		cmocka_unit_test(ip6_ecn_leaves_the_rest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
