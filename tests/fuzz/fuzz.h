/* SPDX-License-Identifier: GPL-2.0-only */
/* Helpers of all fuzz targets. */
#ifndef TUNLOAD_FUZZ_H
#define TUNLOAD_FUZZ_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A condition that must hold for every input; libFuzzer keeps an input for
 * which it does not. */
#define CHECK(condition)                                                       \
	do {                                                                   \
		if (!(condition)) {                                            \
			fprintf(stderr, "%s:%d: false: %s\n", __FILE__,        \
				__LINE__, #condition);                         \
			abort();                                               \
		}                                                              \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* A copy on the heap with `more` zero bytes behind it, so that the sanitizer
 * sees a read past its end. The caller frees it. */
static inline void *exact(const uint8_t *data, size_t n, size_t more)
{
	uint8_t *copy = calloc(1, n + more ?: 1);

	CHECK(copy);
	if (n)
		memcpy(copy, data, n);
	return copy;
}

#endif
