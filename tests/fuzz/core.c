// SPDX-License-Identifier: GPL-2.0-only
/* Fuzz target: the pure core of the data plane. The input is a packet for the
 * parsers; its first bytes are also the arguments of the other checks. */
#include "core_build.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const uint32_t around[] = {0, 19, 20, 21, 40, 41, 1500, 65535};
	uint8_t *packet = exact(data, n, 0);
	uint8_t random[64] = {0};

	check_parse4(packet, n);
	check_parse6(packet, n);
	check_inner(packet, n, n);
	for (size_t i = 0; i < sizeof(around) / sizeof(*around); i++)
		check_inner(packet, n, around[i]);
	check_mss(packet, n);
	free(packet);

	if (n)
		memcpy(random, data, n < sizeof(random) ? n : sizeof(random));
	check_checksum(random);
	check_ecn(random);
	check_outer4(random);
	check_outer6(random);
	check_too_big(random);
	check_martians(random);
	check_gateways(random);
	return 0;
}
