/* SPDX-License-Identifier: GPL-2.0-only */
/* What the JSON outputs of several commands have in common. */
#ifndef TUNLOAD_JSON_H
#define TUNLOAD_JSON_H

#include <jansson.h>

#include "maps/state.h"

/* The address as text; null for none. */
json_t *json_ip(const struct ip *ip);
/* {"packets": N, "bytes": N} */
json_t *json_counter(const struct tl_counter *c);
/* {"<verdict>": counter, ...} of those that happened. */
json_t *json_verdicts(const struct tl_verdicts *v);
/* ["10.0.0.0/8", ...] */
json_t *json_allowed(const struct peer *p);

/* Prints root and a newline to standard output, with flags of json_dumpf(), and
 * gives it free. NULL is what building it gave for want of memory. */
int json_print(json_t *root, size_t flags);

#endif
