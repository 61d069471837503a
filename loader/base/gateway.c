// SPDX-License-Identifier: GPL-2.0-only
/* The addresses of the peers' gateways, which hold the peer's id. */
#include "base.h"

#include <string.h>

static const uint8_t mac_head[] = TL_GATEWAY_MAC;
static const uint8_t net6[] = TL_GATEWAY_NET6;

const struct prefix gateway_net4 = {{4, {TL_GATEWAY_NET4}}, 8};

_Static_assert(sizeof(mac_head) == MAC_LEN - 3, "three bytes for the peer id");
_Static_assert(sizeof(net6) == TL_GATEWAY_NET6_LEN / 8, "whole bytes");

static void put_id(uint8_t *to, uint32_t id)
{
	to[0] = id >> 16;
	to[1] = id >> 8;
	to[2] = id;
}

static uint32_t get_id(const uint8_t *from)
{
	return from[0] << 16 | from[1] << 8 | from[2];
}

struct ip gateway_ip(uint32_t peer_id, uint8_t family)
{
	struct ip ip = gateway_net4.ip;

	ip.family = family;
	if (family == 4) {
		put_id(ip.addr + 1, peer_id);
	} else {
		memcpy(ip.addr, net6, sizeof(net6));
		put_id(ip.addr + sizeof(net6), peer_id);
	}
	return ip;
}

void gateway_ether(uint32_t peer_id, uint8_t mac[static MAC_LEN])
{
	memcpy(mac, mac_head, sizeof(mac_head));
	put_id(mac + sizeof(mac_head), peer_id);
}

bool gateway_id(const struct ip *ip, uint32_t *peer_id)
{
	if (ip->family == 6 && !memcmp(ip->addr, net6, sizeof(net6)))
		*peer_id = get_id(ip->addr + sizeof(net6));
	else if (prefix_contains(&gateway_net4, ip))
		*peer_id = get_id(ip->addr + 1);
	else
		return false;
	return true;
}

bool gateway_is_mac(const uint8_t mac[static MAC_LEN])
{
	return !memcmp(mac, mac_head, sizeof(mac_head));
}

uint32_t gateway_mac_id(const uint8_t mac[static MAC_LEN])
{
	return get_id(mac + sizeof(mac_head));
}
