// SPDX-License-Identifier: GPL-2.0-only
/* Writes prefixes by the program write_prefixes: their maps are frozen, and
 * `lengths` has to change with them. */
#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>

#include "rows.h"

static void fill_row(const struct table *t, const uint8_t *key,
		     const uint8_t *value, struct tl_prefix_row *row)
{
	memcpy(&row->key, key, t->key);
	memcpy(&row->value, value, t->value);
}

/* Returns 0 or an errno. */
static int run(const struct table *t, struct tl_prefix_write *w)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .ctx_in = w,
		    .ctx_size_in = sizeof(*w));

	if (bpf_prog_test_run_opts(t->writer, &opts))
		return errno;
	return -w->error;
}

int frozen_write(const struct table *t, bool remove, const uint8_t *keys,
		 const uint8_t *values, uint32_t *n)
{
	struct tl_prefix_row *rows = calloc(*n, sizeof(*rows));
	struct tl_prefix_write w = {
		.rows = (uintptr_t)rows,
		.n = *n,
		.family = t->key == sizeof(struct tl_prefix4) ? 4 : 6,
		.remove = remove,
	};
	int err;

	*n = 0;
	if (!rows)
		return ENOMEM;
	for (uint32_t i = 0; i < w.n; i++)
		fill_row(t, keys + i * t->key, values + i * t->value, &rows[i]);
	err = run(t, &w);
	*n = w.done;
	free(rows);
	return err;
}
