/* SPDX-License-Identifier: GPL-2.0-only */
/* The two outputs of `tunload peer list`. */
#ifndef TUNLOAD_PEER_LIST_H
#define TUNLOAD_PEER_LIST_H

#include "conf/conf.h"

/* An array of the peers with all their settings. */
int peer_list_json(const struct conf *c);
/* One line a peer, in the words of `peer add`. */
void peer_list_text(const struct conf *c);

#endif
