/* SPDX-License-Identifier: GPL-2.0-only */
/* The loader's writes to the maps of prefixes, which are frozen for user
 * space. */
#ifndef TUNLOAD_WRITE_H
#define TUNLOAD_WRITE_H

#include "prefixes.h"

/* Returns the length in use before which `len` has its place: the shortest one
 * that is longer, or TL_LENGTH_TOP. */
static __always_inline __u32 length_before(const struct tl_lengths *all,
					   __u32 len)
{
	__u32 at = TL_LENGTH_TOP, next = TL_LENGTH_TOP;

	for (__u32 i = 0; i < TL_LENGTH_TOP; i++) {
		if (!next_length(all, &next) || next <= len)
			break;
		at = next;
	}
	return at;
}

/* Writes a link of the list. An exchange orders all writes before it. */
static __always_inline void set_shorter(struct tl_lengths *all, __u32 at,
					__u32 value)
{
	if (at <= TL_LENGTH_TOP)
		__atomic_exchange_n(&all->shorter[at], value, __ATOMIC_SEQ_CST);
}

static __always_inline void use_length(struct tl_lengths *all, __u32 len)
{
	__u32 before = length_before(all, len);

	if (before > TL_LENGTH_TOP)
		return;
	set_shorter(all, len, all->shorter[before]);
	set_shorter(all, before, len + 1);
}

/* A reader at this length finds its way on: its link stays. */
static __always_inline void drop_length(struct tl_lengths *all, __u32 len)
{
	__u32 before = length_before(all, len);

	set_shorter(all, before, all->shorter[len]);
}

/* Writes a row; it is counted and its length in use whatever happens in
 * between. */
static __always_inline long put_row(void *map, const struct tl_prefix_row *row,
				    struct tl_lengths *all)
{
	__u32 len = row->key.prefixlen;
	long err;

	if (len >= TL_LENGTH_TOP)
		return -EINVAL;
	if (!all->rows[len])
		use_length(all, len);
	err = bpf_map_update_elem(map, &row->key, &row->value, BPF_NOEXIST);
	if (!err)
		all->rows[len]++;
	else if (err == -EEXIST)
		err = bpf_map_update_elem(map, &row->key, &row->value,
					  BPF_EXIST);
	if (!all->rows[len])
		drop_length(all, len);
	return err;
}

static __always_inline long
remove_row(void *map, const struct tl_prefix_row *row, struct tl_lengths *all)
{
	__u32 len = row->key.prefixlen;
	long err;

	if (len >= TL_LENGTH_TOP)
		return -EINVAL;
	err = bpf_map_delete_elem(map, &row->key);
	if (err)
		return err == -ENOENT ? 0 : err;
	if (!--all->rows[len])
		drop_length(all, len);
	return 0;
}

/* Puts or removes a row of a constant family. */
static __always_inline long write_row(const __u32 family, bool remove,
				      const struct tl_prefix_row *row)
{
	void *map = family == 4 ? (void *)&prefixes4 : (void *)&prefixes6;
	const __u32 slot = family == 4 ? TL_LENGTHS_4 : TL_LENGTHS_6;
	struct tl_lengths *all = bpf_map_lookup_elem(&lengths, &slot);

	if (!all || (family == 4 && row->key.prefixlen > 32))
		return -EINVAL;
	return remove ? remove_row(map, row, all) : put_row(map, row, all);
}

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

/* Writes rows up to the first error. What CPUs remember of prefixes is stale
 * then, whatever becomes of the loader: it need not expire (flow_renew()). */
static __always_inline void write_all(struct tl_prefix_write *ctx)
{
	struct tl_prefix_write w = {
		.rows = ctx->rows,
		.n = ctx->n,
		.family = ctx->family,
		.remove = ctx->remove,
	};

	bpf_loop(w.n, write_next, &w, 0);
	__sync_fetch_and_add(&generations.maps, 1);
	ctx->done = w.done;
	ctx->error = w.error;
}

#endif
