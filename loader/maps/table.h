/* SPDX-License-Identifier: GPL-2.0-only */
/* A map as a sorted array of rows, to compare what is with what is wanted. */
#ifndef TUNLOAD_TABLE_H
#define TUNLOAD_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Rows are key and value, one behind the other. */
struct table {
	const char *name; /* of the map, for errors */
	int fd;
	size_t key, value; /* bytes */
	size_t has;	   /* bytes of the value in a map that was read: less,
			    * if its layout is older */
	size_t n;	   /* rows */
	void *rows;
};

void table_free(struct table *t);
/* Key and value both begin where any integer may. */
static inline size_t table_room(size_t bytes)
{
	return (bytes + 7) / 8 * 8;
}
static inline size_t table_row(const struct table *t)
{
	return table_room(t->key) + table_room(t->value);
}
static inline void *table_key(const struct table *t, size_t i)
{
	return (uint8_t *)t->rows + i * table_row(t);
}
static inline void *table_value(const struct table *t, size_t i)
{
	return (uint8_t *)table_key(t, i) + table_room(t->key);
}

/* The functions that follow return a status, their error printed. */

/* Takes in the whole map, sorted. */
int table_read(struct table *t);
int table_add(struct table *t, const void *key, const void *value);
/* By key as memcmp() has it; of rows with equal keys one stays. */
void table_sort(struct table *t);
/* The value of that key in a sorted table, or NULL. */
void *table_find(const struct table *t, const void *key);
/* The same where keys come in the table's order; *at: where the last one was, 0
 * at first. */
const void *table_next(const struct table *t, const void *key, size_t *at);

/* Which rows a pass is about; NULL for all. */
typedef bool table_filter(const void *value);

/* Writes the rows of want that differ from now to the map. Both are sorted. */
int table_put(const struct table *now, const struct table *want,
	      table_filter *which);
/* Deletes the rows of now whose keys are not in want. */
int table_prune(const struct table *now, const struct table *want,
		table_filter *which);

#endif
