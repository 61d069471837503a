/* SPDX-License-Identifier: GPL-2.0-only */
/* What the fuzz targets share. */
#ifndef TUNLOAD_FUZZ_H
#define TUNLOAD_FUZZ_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What must hold for every input; libFuzzer keeps one for which it does not. */
#define CHECK(condition)                                                       \
	do {                                                                   \
		if (!(condition)) {                                            \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__,       \
				__LINE__, #condition);                         \
			abort();                                               \
		}                                                              \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* An exact copy on the heap with `more` zero bytes behind it: the sanitizer
 * sees a read past its end. free()d by the caller. */
static inline void *exact(const uint8_t *data, size_t n, size_t more)
{
	uint8_t *copy = calloc(1, n + more ?: 1);

	CHECK(copy);
	if (n)
		memcpy(copy, data, n);
	return copy;
}

#endif
