/* SPDX-License-Identifier: GPL-2.0-only */
/* Events of the data plane, as `tunload monitor` prints them. */
#ifndef TUNLOAD_EVENT_H
#define TUNLOAD_EVENT_H

#include <jansson.h>
#include <stdio.h>

#include "base/bpf_layout.h"
#include "base/text.h"

/* One packet's addresses; family 0 where there is no such header. */
struct event_addresses {
	struct ip outer_src, outer_dst, inner_src, inner_dst;
};

/* Reads the headers that the event brought along. */
void event_addresses(const struct tl_event *e, struct event_addresses *out);

/* One line: time (seconds since 1970), verdict, peer ("" for none), addresses,
 * length. */
void event_text(FILE *out, const struct tl_event *e, double time,
		const char *peer);
json_t *event_json(const struct tl_event *e, double time, const char *peer);

#endif
