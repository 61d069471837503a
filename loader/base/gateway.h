/* SPDX-License-Identifier: GPL-2.0-only */
/* A peer's gateway on the interface: its addresses and its MAC hold the peer id
 * (layout.h says how). */
#ifndef TUNLOAD_GATEWAY_H
#define TUNLOAD_GATEWAY_H

#include "bpf_layout.h"
#include "text.h"

#define MAC_LEN 6

/* The gateway's address of that family (4 or 6). */
struct ip gateway_ip(uint32_t peer_id, uint8_t family);
void gateway_mac(uint32_t peer_id, uint8_t mac[static MAC_LEN]);

/* False if ip is no gateway's address; *peer_id is the peer's. */
bool gateway_id(const struct ip *ip, uint32_t *peer_id);
bool gateway_is_mac(const uint8_t mac[static MAC_LEN]);

/* 240.0.0.0/8: the other end of the point-to-point address that the source has
 * on the interface. */
extern const struct prefix gateway_net4;

#endif
