/* SPDX-License-Identifier: GPL-2.0-only */
/* A map as a sorted array of rows, to compare the running state with the wanted
 * one. */
#ifndef TUNLOAD_TABLE_H
#define TUNLOAD_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A row is a key followed by a value. */
struct table {
	const char *name; /* of the map, for errors */
	int fd;
	int writer; /* the program that writes a frozen map, or -1 */
	bool grows; /* `attach` with a larger configuration makes it larger */
	size_t key, value; /* bytes */
	size_t has; /* bytes of the value in the map; less than value if its
		       layout is older */
	size_t n;   /* rows */
	void *rows;
};

void table_free(struct table *t);
/* Rounds up, so that key and value are aligned for any integer. */
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

/* Reads the whole map, sorted. */
int table_read(struct table *t);
/* The same in any order, which is faster: for reading all rows once. */
int table_load(struct table *t);
/* Adds the row of that key, if the map has one. */
int table_get(struct table *t, const void *key);
int table_add(struct table *t, const void *key, const void *value);
/* Sorts by key, with memcmp(); keeps one of the rows with equal keys. */
void table_sort(struct table *t);
/* The first row of a sorted table whose key is not less than this one, or n. */
size_t table_lower(const struct table *t, const void *key);
/* Returns the value of that key in a sorted table, or NULL. */
void *table_find(const struct table *t, const void *key);
/* The same for keys in ascending order; *at keeps the position and starts at
 * 0. */
const void *table_next(const struct table *t, const void *key, size_t *at);

/* Selects the rows to write or delete; NULL for all. */
typedef bool table_filter(const void *value);

/* Writes the rows of want that differ from now to the map. Both are sorted. */
int table_put(const struct table *now, const struct table *want,
	      table_filter *which);
/* Deletes the rows of now whose keys are not in want. */
int table_prune(const struct table *now, const struct table *want,
		table_filter *which);

/* Puts or removes up to *n rows of a map of prefixes, which is frozen
 * (frozen.c). Returns 0 or an errno, and sets *n to the rows before the first
 * error. */
int frozen_write(const struct table *t, bool remove, const uint8_t *keys,
		 const uint8_t *values, uint32_t *n);

#endif
