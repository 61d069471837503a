/* SPDX-License-Identifier: GPL-2.0-only */
/* The maps and the clock of the data plane in user space. With them ingress.h
 * and egress.h run under the sanitizers, and on super-packets and at times that
 * no test run of the BPF program can have. Include it before those two. */
#ifndef TUNLOAD_FAKE_MAPS_H
#define TUNLOAD_FAKE_MAPS_H

#include <linux/bpf.h>

#include "core.h"

#define SEC(name)
#define __uint(name, value)	      int(*name)[value]
#define __type(name, value)	      typeof(value) *name
#define bpf_map_lookup_elem(map, key) fake_lookup(map, key)
#define bpf_map_update_elem(map, key, value, flags)                            \
	fake_update(map, key, value, flags)
#define bpf_get_smp_processor_id() fake_cpu
#define bpf_ktime_get_ns()	   fake_now
#define bpf_ktime_get_coarse_ns()  fake_now

#define bpf_jiffies64() fake_now

static uint32_t fake_cpu __attribute__((unused));

#include "../../bpf/record/maps.h"

struct fake_prefix {
	uint8_t family;
	uint8_t addr[16];
	uint32_t len;
	struct tl_prefix value;
};

#define FAKE_PEERS    4
#define FAKE_PREFIXES 8
#define FAKE_SHARED   8
#define FAKE_CPUS     2

static uint64_t fake_now __attribute__((unused));
static struct tl_peer fake_peers[FAKE_PEERS]; /* by id; family 0: none */
static struct fake_prefix fake_prefixes[FAKE_PREFIXES]; /* family 0: none */
static struct tl_interface fake_interface;
static struct tl_learned fake_learned[FAKE_PEERS]; /* by id; mtu 0: none */
static uint64_t fake_learned_until[FAKE_PEERS];
static struct fake_rate {
	bool made;
	struct tl_rate value;
} fake_rates[FAKE_PEERS];
static struct tl_limit fake_limits[TL_LIMITS];
static struct fake_shared {
	struct tl_shared key; /* prefixlen 0: none */
	struct tl_shared_len value;
} fake_shared[FAKE_SHARED];
static struct tl_broadcast fake_broadcast;
static struct cached fake_flows[FAKE_CPUS << CACHE_BITS];
static struct cached fake_sources[1 << CACHE_BITS];
static struct cached_head fake_heads[FAKE_CPUS * TL_PEER_SLOTS];
static struct cached_path fake_paths[FAKE_CPUS * TL_PEER_SLOTS];
static struct tl_next_hop fake_hops[TL_PEER_SLOTS];
static struct tl_traffic
	fake_traffic[FAKE_CPUS * TL_TRAFFIC_KINDS * TL_PEER_SLOTS];
static struct tl_verdicts fake_verdicts;
static struct fake_stats {
	bool made;
	struct tl_peer_stats value;
} fake_stats[FAKE_PEERS][FAKE_CPUS];

static inline struct tl_peer *fake_peer(uint32_t id)
{
	return id < FAKE_PEERS && fake_peers[id].family ? &fake_peers[id]
							: NULL;
}

static inline struct tl_peer_id *fake_endpoint(const struct tl_endpoint *key)
{
	static struct tl_peer_id found;

	for (found.peer = 1; found.peer < FAKE_PEERS; found.peer++) {
		const struct tl_peer *p = &fake_peers[found.peer];
		struct tl_endpoint want = {.family = p->family};

		memcpy(want.endpoint, p->endpoint, 16);
		memcpy(want.local, p->local, 16);
		if (p->family && !memcmp(&want, key, sizeof(want)))
			return &found;
	}
	return NULL;
}

static inline bool same_bits(const uint8_t *a, const uint8_t *b, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if ((a[i / 8] ^ b[i / 8]) >> (7 - i % 8) & 1)
			return false;
	return true;
}

static inline struct tl_prefix *fake_prefix(uint8_t family, const uint8_t *addr,
					    uint32_t len)
{
	for (size_t i = 0; i < FAKE_PREFIXES; i++) {
		struct fake_prefix *p = &fake_prefixes[i];

		if (p->family == family && p->len == len &&
		    !memcmp(p->addr, addr, family == 4 ? 4 : 16))
			return &p->value;
	}
	return NULL;
}

/* The lengths in use. */
static inline struct tl_lengths *fake_used(uint8_t family)
{
	static struct tl_lengths all;
	uint32_t at = TL_LENGTH_TOP;

	memset(&all, 0, sizeof(all));
	for (size_t i = 0; i < FAKE_PREFIXES; i++)
		if (fake_prefixes[i].family == family)
			all.rows[fake_prefixes[i].len]++;
	for (uint32_t len = TL_LENGTH_TOP; len--;)
		if (all.rows[len]) {
			all.shorter[at] = len + 1;
			at = len;
		}
	return &all;
}

static inline struct tl_shared_len *fake_share(const struct tl_shared *key)
{
	struct fake_shared *best = NULL;

	for (size_t i = 0; i < FAKE_SHARED; i++) {
		struct fake_shared *s = &fake_shared[i];

		if (s->key.prefixlen && s->key.prefixlen <= key->prefixlen &&
		    (!best || s->key.prefixlen > best->key.prefixlen) &&
		    same_bits(&s->key.family, &key->family, s->key.prefixlen))
			best = s;
	}
	return best ? &best->value : NULL;
}

static inline struct fake_stats *fake_row(const struct tl_stats_key *key)
{
	assert_true(key->peer < FAKE_PEERS && key->cpu < FAKE_CPUS);
	return &fake_stats[key->peer][key->cpu];
}

static inline void *fake_lookup(const void *map, const void *key)
{
	const struct tl_prefix4 *four = key;
	const struct tl_prefix6 *six = key;

	if (map == &peers)
		return fake_peer(*(const uint32_t *)key);
	if (map == &learned)
		return fake_learned[*(const uint32_t *)key].mtu
			       ? &fake_learned[*(const uint32_t *)key]
			       : NULL;
	if (map == &rates && fake_rates[*(const uint32_t *)key].made)
		return &fake_rates[*(const uint32_t *)key].value;
	if (map == &rates)
		return NULL;
	if (map == &learned_until)
		return &fake_learned_until[*(const uint32_t *)key];
	if (map == &peer_stats && *(const uint32_t *)key >= FAKE_PEERS)
		return NULL;
	if (map == &peer_stats)
		return fake_row(key)->made ? &fake_row(key)->value : NULL;
	if (map == &shared)
		return fake_share(key);
	if (map == &broadcasts)
		return memcmp(key, &fake_broadcast, 4) ? NULL : &fake_broadcast;
	if (map == &endpoints)
		return fake_endpoint(key);
	if (map == &prefixes4)
		return fake_prefix(4, four->addr, four->prefixlen);
	if (map == &prefixes6)
		return fake_prefix(6, six->addr, six->prefixlen);
	if (map == &lengths)
		return fake_used(*(const uint32_t *)key == TL_LENGTHS_4 ? 4
									: 6);
	if (map == &interface)
		return &fake_interface;
	if (map == &verdicts)
		return &fake_verdicts;
	if (map == &flows)
		return &fake_flows[*(const uint32_t *)key];
	if (map == &sources)
		return &fake_sources[*(const uint32_t *)key];
	if (map == &paths)
		return &fake_paths[*(const uint32_t *)key];
	if (map == &heads)
		return &fake_heads[*(const uint32_t *)key];
	if (map == &next_hops)
		return &fake_hops[*(const uint32_t *)key];
	if (map == &traffic)
		return &fake_traffic[*(const uint32_t *)key];
	return map == &limits ? &fake_limits[*(const uint32_t *)key] : NULL;
}

static inline long fake_update(const void *map, const void *key,
			       const void *value, uint64_t flags)
{
	struct fake_stats *row;

	if (map == &learned) {
		fake_learned[*(const uint32_t *)key] =
			*(const struct tl_learned *)value;
		assert_int_equal(flags, BPF_ANY);
		return 0;
	}
	if (map == &rates) {
		fake_rates[*(const uint32_t *)key].made = true;
		fake_rates[*(const uint32_t *)key].value =
			*(const struct tl_rate *)value;
		assert_int_equal(flags, BPF_NOEXIST);
		return 0;
	}
	row = fake_row(key);
	assert_ptr_equal(map, &peer_stats);
	assert_int_equal(flags, BPF_NOEXIST);
	if (row->made)
		return -1;
	row->made = true;
	memcpy(&row->value, value, sizeof(row->value));
	return 0;
}

static inline void fake_address(uint8_t to[16], const char *text)
{
	memset(to, 0, 16);
	assert_int_equal(
		inet_pton(strchr(text, ':') ? AF_INET6 : AF_INET, text, to), 1);
}

/* Adds peer id with a prefix of each family: 10.ID.0.0/16 and fd00:ID::/32. */
static inline struct tl_peer *fake_add(uint32_t id, const char *endpoint,
				       const char *local, uint32_t mtu)
{
	struct fake_prefix *p = &fake_prefixes[2 * id];
	struct tl_peer *peer = &fake_peers[id];

	*peer = (struct tl_peer){.family = strchr(local, ':') ? 6 : 4,
				 .ttl = 64,
				 .dscp = TL_DSCP_COPY,
				 .mtu = mtu};
	fake_learned[id] = (struct tl_learned){0};
	fake_learned_until[id] = 0;
	fake_address(peer->endpoint, endpoint);
	fake_address(peer->local, local);
	p[0] = (struct fake_prefix){4, {10, id}, 16, {id, TL_PREFIX_F_GUARD}};
	p[1] = (struct fake_prefix){
		6, {0xfd, 0, 0, id}, 32, {id, TL_PREFIX_F_GUARD}};
	return peer;
}

/* The next hop of a peer is known until that time. */
static inline void fake_know_hop(uint32_t peer, uint64_t until)
{
	fake_hops[peer % TL_PEER_SLOTS] = (struct tl_next_hop){
		until, peer, {2, 0, 0, 0, 0, peer, 2, 0, 0, 0, 0, 99}};
}

/* A prepared header is completed to the one that is built. */
static inline void assert_header(const struct prepared *head,
				 const struct tl_peer *peer,
				 const struct inner *in)
{
	struct outer_header built = head->outer, done = head->outer;

	if (head->family == 4) {
		build_ip4(&built.ip4, peer, in, 0);
		finish_ip4(&done.ip4, head, in);
	} else {
		build_ip6(&built.ip6, peer, in);
		finish_ip6(&done.ip6, head, in);
	}
	assert_memory_equal(&built, &done, sizeof(built));
	assert_int_equal(done.ethertype,
			 htons(head->family == 4 ? ETH_P_IP : ETH_P_IPV6));
}

/* Write an IP header with addresses from text, and return its length. The
 * caller writes what follows. */
static inline size_t put_ip4(uint8_t *at, uint8_t proto, const char *src,
			     const char *dst, uint16_t tot_len)
{
	const uint8_t header[20] = {0x45, 0, tot_len >> 8, tot_len, 0, 1,
				    0,	  0, 64,	   proto};

	memcpy(at, header, sizeof(header));
	inet_pton(AF_INET, src, at + 12);
	inet_pton(AF_INET, dst, at + 16);
	return 20;
}

static inline size_t put_ip6(uint8_t *at, uint8_t proto, const char *src,
			     const char *dst, uint16_t tot_len)
{
	const uint16_t payload = tot_len - 40;
	const uint8_t header[8] = {0x60,	 0,	  0,	 0,
				   payload >> 8, payload, proto, 64};

	memcpy(at, header, sizeof(header));
	inet_pton(AF_INET6, src, at + 8);
	inet_pton(AF_INET6, dst, at + 24);
	return 40;
}

#endif
