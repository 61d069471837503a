/* SPDX-License-Identifier: GPL-2.0-only */
/* The loader's writes to the maps of prefixes, which are frozen for user
 * space. */
#ifndef TUNLOAD_WRITE_H
#define TUNLOAD_WRITE_H

#include "prefixes.h"

/* Writes the row of that number; 1 ends the loop. */
static long write_next(__u32 i, struct tl_prefix_write *w)
{
	const void *rows = (const void *)(long)w->rows;
	struct tl_prefix_row row;
	long err;

	err = bpf_copy_from_user(&row, sizeof(row), rows + i * sizeof(row));
	if (!err && w->family == 4)
		err = write_row(4, w->remove, &row);
	else if (!err)
		err = write_row(6, w->remove, &row);
	w->error = err;
	w->done = err ? i : i + 1;
	return err != 0;
}

/* Writes rows up to the first error. */
static __always_inline void write_all(struct tl_prefix_write *ctx)
{
	struct tl_prefix_write w = {
		.rows = ctx->rows,
		.n = ctx->n,
		.family = ctx->family,
		.remove = ctx->remove,
	};

	bpf_loop(w.n, write_next, &w, 0);
	ctx->done = w.done;
	ctx->error = w.error;
}

#endif
