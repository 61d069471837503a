/* SPDX-License-Identifier: GPL-2.0-only */
/* bpf/decide/flows.h and bpf/record/cache.h: whose entries are found again,
 * where they are kept, and for how long. */
#include "lean_lab.h"

/* Puts what is remembered into every slot, as if all addresses had the same. */
static void fill_all_slots(void)
{
	const struct cached *entry = fake_flows;

	while (!entry->kind)
		entry++;
	for (int i = 0; i < 1 << CACHE_BITS; i++)
		if (&fake_flows[i] != entry)
			fake_flows[i] = *entry;
}

/* Fails unless it is a packet of that peer; now: the time that is kept of it,
 * or 0. */
static void assert_passes(const struct packet *p, uint32_t peer, uint64_t now)
{
	struct rx rx;

	memset(fake_traffic, 0, sizeof(fake_traffic));
	assert_true(passes(p, &rx));
	assert_int_equal(rx.outcome.verdict, TL_rx_decap);
	assert_int_equal(rx.outcome.peer, peer);
	assert_int_equal(
		fake_traffic[traffic_slot(TL_TRAFFIC_rx_decap, peer)].last_ns,
		now);
}

/* True if the packet passes with another byte there. */
static bool passes_changed(struct packet *p, size_t at)
{
	bool is_ip4 = p->proto == htons(ETH_P_IP);
	struct packet changed = *p;
	struct rx rx;

	changed.bytes[at] ^= 0x11;
	if (is_ip4)
		set_checksum(changed.bytes);
	return passes(&changed, &rx);
}

static void all_bytes_are_compared(uint8_t outer, uint8_t inner)
{
	size_t source = ip_hlen(outer) + source_at(inner);
	struct packet p = tunnel(outer, inner);
	struct rx rx;

	memset(fake_flows, 0, sizeof(fake_flows));
	through_ingress(&p);
	fill_all_slots();
	for (size_t at = source_at(outer); at < ip_hlen(outer); at++)
		assert_false(passes_changed(&p, at));
	for (size_t at = source; at < source + (inner == 4 ? 4 : 16); at++)
		assert_false(passes_changed(&p, at));
	assert_true(passes(&p, &rx));
}

/* Another address than the remembered ones, each byte of each. */
static void other_addresses(void **state)
{
	(void)state;
	each_combination(all_bytes_are_compared);
}

/* The same addresses' bytes in other families. */
static void other_families(void **state)
{
	const uint8_t families[] = {4, 6};
	struct rx rx;

	(void)state;
	for (int i = 0; i < 16; i++) {
		struct packet kept =
			tunnel(families[i / 8], families[i / 4 % 2]);
		struct packet p = tunnel(families[i / 2 % 2], families[i % 2]);

		memset(fake_flows, 0, sizeof(fake_flows));
		through_ingress(&kept);
		fill_all_slots();
		for (int slot = 0; slot < 1 << CACHE_BITS; slot++)
			memset(&fake_flows[slot].key, 0x11,
			       sizeof(struct cache_key));
		memset(p.bytes + (p.proto == htons(ETH_P_IP) ? 12 : 8), 0x11,
		       p.proto == htons(ETH_P_IP) ? 8 : 32);
		memset(p.bytes + ip_hlen(families[i / 2 % 2]) +
			       (i % 2 ? 8 : 12),
		       0x11, i % 2 ? 16 : 4);
		if (p.proto == htons(ETH_P_IP))
			set_checksum(p.bytes);
		for (int slot = 0; slot < 1 << CACHE_BITS && !(i % 2); slot++)
			fake_flows[slot].key.words[i / 2 % 2 ? 4 : 1] =
				0x11111111;
		assert_int_equal(passes(&p, &rx), i / 4 == i % 4);
	}
}

static void forgets(void **state)
{
	struct packet p = tunnel(4, 4),
		      q = plain(4, IPPROTO_UDP, "203.0.113.9");
	struct rx rx;

	(void)state;
	fake_peers[1].flags = TL_PEER_F_ROUTED; /* so that no entry lasts */
	fake_prefixes[2].value.peer = 3;
	through_ingress(&p);
	assert_true(passes(&q, &rx));
	fake_now = 1000 + cache_ttl - 1;
	assert_true(passes(&p, &rx));
	fake_now++;
	assert_false(passes(&p, &rx));
	through_ingress(&p);
	assert_true(passes(&p, &rx));
	generations.maps++;
	assert_false(passes(&p, &rx));
	/* An edit by hand, of which the generation says nothing. */
	assert_true(passes(&q, &rx));
	fake_prefixes[0] =
		(struct fake_prefix){4, {203}, 8, {1, TL_PREFIX_F_GUARD}};
	assert_true(passes(&q, &rx));
	fake_now += cache_ttl;
	assert_false(passes(&q, &rx));
	fake_prefixes[0].value.flags = 0;
	assert_true(passes(&q, &rx));
	fake_prefixes[0].family = 0;
	fake_prefixes[2].value.peer = 1;
}

static void keep_flow(const uint8_t *at, uint8_t kind, uint32_t peer)
{
	struct cache_key key;

	cache_keep(flow_place(flow_slot(at, 4, 4), generations.maps), &key,
		   flow_key(&key, at, 4, 4), kind, generations.maps, peer);
}

static uint32_t peer_of_flow(const uint8_t *at)
{
	const struct cached *entry = flow_find(at, 4, 4);

	return entry ? entry->peer : TL_PEER_NONE;
}

/* True if what ingress() has passed passes later, too, as its peer is looked up
 * again. */
static bool lasts(const struct packet *p)
{
	struct rx rx;

	memset(fake_flows, 0, sizeof(fake_flows));
	through_ingress(p);
	assert_true(passes(p, &rx));
	fake_now += cache_ttl;
	return passes(p, &rx);
}

/* Entries last if addresses tell all. */
static void lasting_entries(void **state)
{
	struct packet p = tunnel(4, 4);

	(void)state;
	assert_true(lasts(&p));
	fake_peers[1].flags = TL_PEER_F_ROUTED;
	assert_true(lasts(&p));
	fake_prefixes[2].value.peer = 3;
	assert_false(lasts(&p));
	fake_prefixes[2].value.peer = 1;
	fake_peers[1].flags = 0;
	/* One of several peers: another one has the row. */
	fake_prefixes[0] = (struct fake_prefix){
		4,
		{10, 1, 0, 9},
		32,
		{2, TL_PREFIX_F_SHARED | 32 << TL_PREFIX_LEN_SHIFT}};
	fake_shared[0].key =
		(struct tl_shared){64, 4, {0, 0, 1}, {10, 1, 0, 9}};
	fake_shared[0].value.prefixlen = 32;
	assert_false(lasts(&p));
	fake_prefixes[0].value.peer = 1;
	assert_true(lasts(&p));
	fake_prefixes[0] = (struct fake_prefix){0};
	fake_shared[0].key.prefixlen = 0;
}

/* The peer of an entry is looked up once in a while. */
static void renews(uint8_t outer, uint8_t inner)
{
	const uint32_t peer = outer == 4 ? 1 : 2;
	const struct tl_peer good = fake_peers[peer];
	struct packet p = tunnel(outer, inner);
	struct rx rx;

	memset(fake_flows, 0, sizeof(fake_flows));
	through_ingress(&p);
	fake_now += renew_ttl - 1;
	assert_passes(&p, peer, 0);
	/* Edits by hand; of the prefix there can be none. */
	fake_prefixes[2 * peer].value.peer = 3;
	fake_prefixes[2 * peer + 1].value.peer = 3;
	fake_now++;
	assert_passes(&p, peer, fake_now); /* looks the peer up */
	fake_peers[peer].endpoint[0]++;
	fake_now += renew_ttl - 1;
	assert_passes(&p, peer, 0);
	fake_now++;
	assert_false(passes(&p, &rx));
	fake_peers[3] = good; /* has the addresses now */
	assert_false(passes(&p, &rx));
	fake_peers[3] = (struct tl_peer){0};
	fake_peers[peer] = good;
	fake_peers[peer].flags = TL_PEER_F_SPECIAL;
	assert_false(passes(&p, &rx));
	fake_peers[peer] = good;
	assert_passes(&p, peer, fake_now);
	generations.maps++;
	assert_false(passes(&p, &rx));
	fake_prefixes[2 * peer].value.peer = peer;
	fake_prefixes[2 * peer + 1].value.peer = peer;
}

static void expired_entries(void **state)
{
	(void)state;
	each_combination(renews);
}

/* Two flows of a peer whose entries have expired, and one look-up for both. */
static void one_path(uint8_t outer, uint8_t inner)
{
	const uint32_t peer = outer == 4 ? 1 : 2;
	const struct tl_peer good = fake_peers[peer];
	struct packet p = tunnel(outer, inner), q = tunnel(outer, inner);
	size_t source = ip_hlen(outer) + source_at(inner);
	struct rx rx;

	q.bytes[source + (inner == 4 ? 4 : 16) - 1]++;
	peers_up(NULL);
	through_ingress(&p);
	through_ingress(&q);
	fake_now += renew_ttl;
	assert_passes(&p, peer, fake_now);
	fake_peers[peer].endpoint[0]++; /* by hand */
	fake_now += renew_ttl - 1;
	assert_passes(&q, peer, fake_now);
	fake_now++;
	assert_false(passes(&q, &rx));
	assert_false(passes(&p, &rx));
	fake_peers[peer] = good;
}

static void flows_of_a_path(void **state)
{
	(void)state;
	each_combination(one_path);
}

/* Fails unless a flow of peer 1 is looked up although that path is known. */
static void looks_up(const struct packet *p, struct cached_path path)
{
	struct rx rx;

	memset(fake_flows, 0, sizeof(fake_flows));
	through_ingress(p);
	fake_now += renew_ttl;
	path.until += fake_now;
	fake_paths[1] = path;
	fake_peers[1].endpoint[0]++;
	assert_false(passes(p, &rx));
	fake_peers[1].endpoint[0]--;
	assert_passes(p, 1, fake_now);
}

/* The path of another peer or CPU, other addresses, an old one. */
static void other_paths(void **state)
{
	struct packet p = tunnel(4, 4);
	const struct cached_path good = {
		{load64(p.bytes + 12)}, 1, generations.maps, 1, 4, {0}};
	struct cached_path bad[6] = {0};
	struct rx rx;

	(void)state;
	for (size_t i = 0; i < 5; i++)
		bad[i] = good;
	bad[0].words[0]++;
	bad[1].until = 0;
	bad[2].generation--;
	bad[3].peer += TL_PEER_SLOTS;
	bad[4].family = 6;
	fake_paths[TL_PEER_SLOTS + 1] = good;
	fake_paths[TL_PEER_SLOTS + 1].until = UINT64_MAX;
	for (size_t i = 0; i < 6; i++)
		looks_up(&p, bad[i]);
	fake_now += renew_ttl;
	fake_paths[1] = good;
	fake_paths[1].until += fake_now;
	fake_peers[1].endpoint[0]++;
	assert_true(passes(&p, &rx));
	fake_peers[1].endpoint[0]--;
}

/* An entry that does not last takes the place of one that did. */
static void not_renewed(void **state)
{
	struct packet p = tunnel(4, 4);
	struct rx rx;

	(void)state;
	assert_true(lasts(&p));
	fake_peers[1].flags = TL_PEER_F_ROUTED;
	fake_prefixes[2].value.peer = 3;
	generations.maps++;
	through_ingress(&p);
	assert_true(passes(&p, &rx));
	fake_now += cache_ttl;
	assert_false(passes(&p, &rx));
	fake_prefixes[2].value.peer = 1;
}

/* A CPU does not see what another one remembers. */
static void flows_of_each_cpu(void **state)
{
	struct packet p = tunnel(6, 4);
	struct rx rx;

	(void)state;
	for (fake_cpu = 0; fake_cpu < FAKE_CPUS; fake_cpu++) {
		assert_false(passes(&p, &rx));
		through_ingress(&p);
	}
	while (fake_cpu--)
		assert_true(passes(&p, &rx));
	fake_cpu = 0;
}

/* Makes n packets of 4in4 whose first slot is 5. */
static void same_slot(uint8_t packets[][2 * IP4_HLEN], size_t n)
{
	memset(packets, 0, n * sizeof(*packets));
	for (uint32_t source = 1; n; source++) {
		memcpy(*packets + IP4_HLEN + source_at(4), &source, 4);
		if (flow_slot(*packets, 4, 4) != 5)
			continue;
		packets++;
		n--;
	}
}

/* Of the flows of a set the last one that came has the first slot. */
static void last_flow_comes_first(void **state)
{
	uint8_t packets[3][2 * IP4_HLEN];
	const struct cached *first = &fake_flows[5];
	struct cached kept[3];

	(void)state;
	same_slot(packets, 3);
	for (uint32_t i = 0; i < 3; i++) {
		keep_flow(packets[i], flow_kind(4, 4) | (i == 2) * FLOW_LASTING,
			  i + 1);
		fake_now++;
		kept[i] = fake_flows[5 ^ i];
		assert_int_equal(kept[i].peer, i + 1);
	}
	for (int i = 2; i >= 0; i--) {
		assert_int_equal(peer_of_flow(packets[i]), i + 1);
		assert_memory_equal(first, &kept[i], sizeof(*first));
	}
	assert_int_equal(peer_of_flow(packets[0]), 1);
	assert_memory_equal(first, &kept[0], sizeof(*first));
	for (uint32_t i = 0; i < 3; i++)
		assert_int_equal(peer_of_flow(packets[i]), i + 1);
}

/* Flows of one set do not push each other out, until it is full. */
static void flows_of_a_set(void **state)
{
	const uint8_t kind = flow_kind(4, 4);
	uint8_t packets[CACHE_SET + 1][2 * IP4_HLEN];
	size_t n;

	(void)state;
	same_slot(packets, CACHE_SET + 1);
	for (n = 0; n < CACHE_SET; n++)
		keep_flow(packets[n], kind, n + 1);
	for (n = 0; n < CACHE_SET; n++)
		assert_int_equal(peer_of_flow(packets[n]), n + 1);
	assert_int_equal(peer_of_flow(packets[CACHE_SET]), 0);
	keep_flow(packets[CACHE_SET], kind, 9);
	assert_int_equal(peer_of_flow(packets[CACHE_SET]), 9);
	for (n = 0; n < CACHE_SET && peer_of_flow(packets[n]); n++)
		;
	assert_true(n < CACHE_SET); /* it had the place */
	/* All are out of date. */
	generations.maps++;
	for (n = 0; n <= CACHE_SET; n++)
		assert_int_equal(peer_of_flow(packets[n]), 0);
	for (n = 0; n < CACHE_SET; n++)
		keep_flow(packets[n], kind, n + 7);
	for (n = 0; n < CACHE_SET; n++)
		assert_int_equal(peer_of_flow(packets[n]), n + 7);
	/* Those of other families are none of theirs. */
	generations.maps++;
	for (n = 0; n < CACHE_SET; n++)
		keep_flow(packets[n], kind + 1, n + 1);
	for (n = 0; n < CACHE_SET; n++)
		assert_int_equal(peer_of_flow(packets[n]), 0);
}

/* Many peers with prefixes of their own find room for nearly all of them. */
static void slots_of_many_peers(void **state)
{
	static uint8_t used[1 << CACHE_BITS];
	uint8_t packet[2 * IP6_HLEN] = {0};
	size_t slots = 0;

	(void)state;
	for (uint32_t peer = 0; peer < 250; peer++) {
		const uint32_t number = htonl(peer);

		memcpy(packet + 20, &number, 4); /* the end of its endpoint */
		packet[IP6_HLEN + 8] = 0xfd;	 /* its prefix */
		memcpy(packet + IP6_HLEN + 12, &number, 4);
		used[flow_slot(packet, 6, 6)] = 1;
	}
	for (size_t i = 0; i < sizeof(used); i++)
		slots += used[i];
	assert_true(slots > 212);
}

/* So do prefixes that follow one another, each with a host of the same number.
 */
static void slots_of_many_prefixes(void **state)
{
	static uint8_t used[1 << CACHE_BITS];
	uint8_t packet[2 * IP4_HLEN] = {0};
	size_t slots = 0;

	(void)state;
	for (uint32_t net = 0; net < 250; net++) {
		const uint32_t source = htonl(10U << 24 | net << 8 | 1);

		memcpy(packet + IP4_HLEN + source_at(4), &source, 4);
		used[flow_slot(packet, 4, 4)] = 1;
	}
	for (size_t i = 0; i < sizeof(used); i++)
		slots += used[i];
	assert_true(slots > 212);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(other_addresses, peers_up),
		cmocka_unit_test_setup(other_families, peers_up),
		cmocka_unit_test_setup(forgets, peers_up),
		cmocka_unit_test_setup(expired_entries, peers_up),
		cmocka_unit_test_setup(flows_of_a_path, peers_up),
		cmocka_unit_test_setup(other_paths, peers_up),
		cmocka_unit_test_setup(lasting_entries, peers_up),
		cmocka_unit_test_setup(not_renewed, peers_up),
		cmocka_unit_test_setup(flows_of_each_cpu, peers_up),
		cmocka_unit_test_setup(flows_of_a_set, peers_up),
		cmocka_unit_test_setup(last_flow_comes_first, peers_up),
		cmocka_unit_test(slots_of_many_peers),
		cmocka_unit_test(slots_of_many_prefixes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
