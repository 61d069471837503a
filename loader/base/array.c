// SPDX-License-Identifier: GPL-2.0-only
/* Grows, sorts and searches arrays. */
#include "base.h"

#include <string.h>

bool array_grow(void **array, size_t n, size_t size)
{
	void *grown;

	if (n & (n - 1))
		return true;
	grown = reallocarray(*array, n ? 2 * n : 1, size);
	if (!grown)
		return false;
	*array = grown;
	return true;
}

int array_push(void **array, size_t *n, const void *element, size_t size)
{
	if (!array_grow(array, *n, size))
		return fail("out of memory");
	memcpy((char *)*array + (*n)++ * size, element, size);
	return OK;
}

static bool is_sorted(const void *array, size_t n, size_t size,
		      comparison *compare)
{
	const char *a = array;

	for (size_t i = 1; i < n; i++)
		if (compare(a + (i - 1) * size, a + i * size) > 0)
			return false;
	return true;
}

void sort(void *array, size_t n, size_t size, comparison *compare)
{
	if (!is_sorted(array, n, size, compare))
		qsort(array, n, size, compare);
}

size_t unique(void *array, size_t n, size_t size, comparison *compare)
{
	char *a = array;
	size_t m = 0;

	for (size_t i = 0; i < n; i++)
		if (!m || compare(a + (m - 1) * size, a + i * size))
			memmove(a + m++ * size, a + i * size, size);
	return m;
}

size_t sort_unique(void *array, size_t n, size_t size, comparison *compare)
{
	sort(array, n, size, compare);
	return unique(array, n, size, compare);
}

size_t lower_bound(const void *key, const void *array, size_t n, size_t size,
		   comparison *compare)
{
	const char *a = array;
	size_t low = 0, high = n, middle;

	while (low < high) {
		middle = low + (high - low) / 2;
		if (compare(a + middle * size, key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}
