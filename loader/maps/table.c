// SPDX-License-Identifier: GPL-2.0-only
/* Reads a map as a sorted array, and writes the differences of two. */
#include "table.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"

#define BATCH	4096 /* rows */
#define KEY_MAX 64   /* bytes; also the kernel's batch cursor */

/* How long to wait for the kernel to get memory for new rows. */
#define MEMORY_MS 10000

void table_free(struct table *t)
{
	free(t->rows);
	t->rows = NULL;
	t->n = 0;
}

/* Copies the first size bytes of the value; the others are zero. */
static int add_row(struct table *t, const void *key, const void *value,
		   size_t size)
{
	if (!array_grow(&t->rows, t->n, table_row(t)))
		return fail("out of memory");
	memcpy(table_key(t, t->n), key, t->key);
	memcpy(table_value(t, t->n), value, size);
	memset((uint8_t *)table_value(t, t->n) + size, 0, t->value - size);
	t->n++;
	return OK;
}

int table_add(struct table *t, const void *key, const void *value)
{
	return add_row(t, key, value, t->value);
}

static int compare_keys(const void *a, const void *b, void *table)
{
	return memcmp(a, b, ((const struct table *)table)->key);
}

/* Often true: a trie lists prefixes of equal length in this order. */
static bool is_table_sorted(const struct table *t)
{
	for (size_t i = 1; i < t->n; i++)
		if (memcmp(table_key(t, i - 1), table_key(t, i), t->key) > 0)
			return false;
	return true;
}

void table_sort(struct table *t)
{
	size_t size = table_row(t), n = 0;

	if (!t->n)
		return;
	if (!is_table_sorted(t))
		qsort_r(t->rows, t->n, size, compare_keys, t);
	for (size_t i = 1; i < t->n; i++) {
		if (compare_keys(table_key(t, n), table_key(t, i), t))
			memmove(table_key(t, ++n), table_key(t, i), size);
	}
	t->n = n + 1;
}

size_t table_lower(const struct table *t, const void *key)
{
	size_t low = 0, high = t->n, mid;

	while (low < high) {
		mid = low + (high - low) / 2;
		if (memcmp(table_key(t, mid), key, t->key) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

void *table_find(const struct table *t, const void *key)
{
	size_t i = table_lower(t, key);

	return i < t->n && !memcmp(table_key(t, i), key, t->key)
		       ? table_value(t, i)
		       : NULL;
}

static int fail_map(const struct table *t, const char *verb, int err)
{
	if (err == E2BIG || err == ENOSPC)
		return fail(
			"the map \"%s\" is full: fewer peers or prefixes%s",
			t->name,
			t->grows
				? ", or `tunload attach` with their file, which makes it larger"
				: "");
	return fail("cannot %s the map \"%s\": %s", verb, t->name,
		    strerror(err));
}

static int take_batch(struct table *t, const uint8_t *keys,
		      const uint8_t *values, uint32_t n)
{
	int ret = OK;

	for (uint32_t i = 0; !ret && i < n; i++)
		ret = add_row(t, keys + i * t->key, values + i * t->has,
			      t->has);
	return ret;
}

static int read_batches(struct table *t, uint8_t *keys, uint8_t *values)
{
	uint8_t at[KEY_MAX];
	void *from = NULL;
	uint32_t n;
	int err;

	do {
		n = BATCH;
		err = bpf_map_lookup_batch(t->fd, from, at, keys, values, &n,
					   NULL)
			      ? errno
			      : 0;
		if (err && err != ENOENT)
			return fail_map(t, "read", err);
		if (take_batch(t, keys, values, n))
			return FAILED;
		from = at;
	} while (!err);
	return OK;
}

static int query_size(struct table *t)
{
	struct bpf_map_info info = {0};
	uint32_t len = sizeof(info);

	if (bpf_obj_get_info_by_fd(t->fd, &info, &len))
		return fail_map(t, "read", errno);
	if (info.key_size != t->key || info.value_size > t->value)
		return fail_map(t, "read", EINVAL);
	t->has = info.value_size;
	return OK;
}

int table_load(struct table *t)
{
	uint8_t *keys = calloc(BATCH, t->key);
	uint8_t *values = calloc(BATCH, t->value);
	int ret = query_size(t);

	if (!ret)
		ret = keys && values ? read_batches(t, keys, values)
				     : fail("out of memory");
	free(keys);
	free(values);
	return ret;
}

int table_read(struct table *t)
{
	int ret = table_load(t);

	table_sort(t);
	return ret;
}

int table_get(struct table *t, const void *key)
{
	uint8_t *value = calloc(1, t->value);
	int ret;

	if (!value)
		return fail("out of memory");
	ret = query_size(t);
	if (!ret && !bpf_map_lookup_elem(t->fd, key, value))
		ret = add_row(t, key, value, t->has);
	free(value);
	return ret;
}

const void *table_next(const struct table *t, const void *key, size_t *at)
{
	int order = -1;

	while (*at < t->n &&
	       (order = memcmp(table_key(t, *at), key, t->key)) < 0)
		++*at;
	return *at < t->n && !order ? table_value(t, *at) : NULL;
}

/* Rows to write, or to remove, with one system call. */
struct batch {
	const struct table *t; /* their table */
	bool remove;
	uint8_t *keys, *values;
	uint32_t n;
};

/* Writes the rows from `from` on. Returns 0 or an errno, and sets *n to the
 * rows before the first error. */
static int write_rows(const struct batch *b, uint32_t from, uint32_t *n)
{
	const uint8_t *keys = b->keys + from * b->t->key;
	const uint8_t *values = b->values + from * b->t->value;
	int err;

	*n = b->n - from;
	if (b->t->writer >= 0)
		return frozen_write(b->t, b->remove, keys, values, n);
	if (b->remove)
		err = bpf_map_delete_batch(b->t->fd, keys, n, NULL);
	else
		err = bpf_map_update_batch(b->t->fd, keys, values, n, NULL);
	return err ? errno : 0;
}

/* The kernel refills the memory pool of maps in the background. If rows are
 * added faster, the call fails with ENOMEM and is repeated, as it is with EBUSY
 * (the same part of the map is in use on this CPU). A row to remove may be gone
 * already. */
static int flush(struct batch *b)
{
	uint32_t done = 0, n;
	int tries = 0, err;

	while (done < b->n && (err = write_rows(b, done, &n))) {
		done += n;
		if (b->remove && err == ENOENT) {
			done++;
			continue;
		}
		if ((err != ENOMEM && err != EBUSY) || ++tries > MEMORY_MS)
			return fail_map(b->t, "write", err);
		sleep_ms(1);
	}
	b->n = 0;
	return OK;
}

static int add_to_batch(struct batch *b, size_t i)
{
	const struct table *t = b->t;

	if (!b->keys)
		b->keys = reallocarray(NULL, BATCH, t->key);
	if (!b->values)
		b->values = reallocarray(NULL, BATCH, t->value);
	if (!b->keys || !b->values)
		return fail("out of memory");
	memcpy(b->keys + b->n * t->key, table_key(t, i), t->key);
	memcpy(b->values + b->n * t->value, table_value(t, i), t->value);
	return ++b->n < BATCH ? OK : flush(b);
}

/* Writes what is left; returns ret, or what became of it. */
static int batch_end(struct batch *b, int ret)
{
	if (!ret)
		ret = flush(b);
	free(b->keys);
	free(b->values);
	return ret;
}

int table_put(const struct table *now, const struct table *want,
	      table_filter *which)
{
	struct batch b = {.t = want};
	const void *value;
	int ret = OK;
	size_t at = 0;

	for (size_t i = 0; !ret && i < want->n; i++) {
		if (which && !which(table_value(want, i)))
			continue;
		value = table_next(now, table_key(want, i), &at);
		if (!value || memcmp(value, table_value(want, i), want->value))
			ret = add_to_batch(&b, i);
	}
	return batch_end(&b, ret);
}

int table_prune(const struct table *now, const struct table *want,
		table_filter *which)
{
	struct batch b = {.t = now, .remove = true};
	size_t at = 0;
	int ret = OK;

	for (size_t i = 0; !ret && i < now->n; i++) {
		if ((which && !which(table_value(now, i))) ||
		    table_next(want, table_key(now, i), &at))
			continue;
		ret = add_to_batch(&b, i);
	}
	return batch_end(&b, ret);
}
