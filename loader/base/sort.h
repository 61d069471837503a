/* SPDX-License-Identifier: GPL-2.0-only */
/* Arrays that mostly are in order. */
#ifndef TUNLOAD_SORT_H
#define TUNLOAD_SORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

static inline bool is_sorted(const void *array, size_t n, size_t size,
			     int (*compare)(const void *, const void *))
{
	const char *a = array;

	for (size_t i = 1; i < n; i++)
		if (compare(a + (i - 1) * size, a + i * size) > 0)
			return false;
	return true;
}

/* qsort() for what is sorted more often than not: what a peer's file and the
 * kernel's tables have in their order. */
static inline void sort(void *array, size_t n, size_t size,
			int (*compare)(const void *, const void *))
{
	if (!is_sorted(array, n, size, compare))
		qsort(array, n, size, compare);
}

#endif
