/* SPDX-License-Identifier: GPL-2.0-only */
/* Helpers of the tests of the pure core. */
#ifndef TUNLOAD_TEST_CORE_H
#define TUNLOAD_TEST_CORE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <arpa/inet.h>
#include <cmocka.h>

/* A copy on the heap, so that the sanitizer sees a read behind its end; the
 * caller frees it. */
static inline void *exact(const void *bytes, size_t n)
{
	void *copy = malloc(n ? n : 1);

	assert_non_null(copy);
	memcpy(copy, bytes, n);
	return copy;
}

#endif
