/* SPDX-License-Identifier: GPL-2.0-only */
/* bpf/core/flow.h: packets of a flow have one hash, and fragments that of the
 * flow of all fragments. */
#include "core.h"
#include "../../bpf/core/flow.h"

struct packet4 {
	struct iphdr ip;
	__u8 ports[4];
	__u8 rest[16];
};

struct packet6 {
	struct ipv6hdr ip;
	__u8 ports[4];
	__u8 rest[16];
};

static struct packet4 good4(void)
{
	struct packet4 p = {.ip = {.version = 4, .ihl = 5, .protocol = 17},
			    .ports = {1, 2, 3, 4}};

	inet_pton(AF_INET, "10.1.0.1", &p.ip.saddr);
	inet_pton(AF_INET, "198.51.100.1", &p.ip.daddr);
	return p;
}

static struct packet6 good6(void)
{
	struct packet6 p = {.ip = {.version = 6, .nexthdr = 17},
			    .ports = {1, 2, 3, 4}};

	inet_pton(AF_INET6, "fd00:1::1", &p.ip.saddr);
	inet_pton(AF_INET6, "2001:db8::1", &p.ip.daddr);
	return p;
}

static __u32 of4(const struct packet4 *p)
{
	return flow_of4(&p->ip, p + 1);
}

static __u32 of6(const struct packet6 *p)
{
	return flow_of6(&p->ip, p + 1);
}

static void ip4_flows(void **state)
{
	struct packet4 p = good4();
	__u32 base = of4(&p);

	(void)state;
	p.ip.tot_len = 7;
	p.ip.id = 7;
	p.ip.ttl = 7;
	p.ip.tos = 7;
	p.ip.frag_off = htons(IP4_DF);
	p.rest[0] = 7;
	assert_int_equal(of4(&p), base);
	for (int i = 0; i < 4; i++) {
		p = good4();
		p.ports[i] ^= 1;
		assert_int_not_equal(of4(&p), base);
		p = good4();
		((__u8 *)&p.ip.saddr)[i] ^= 1;
		assert_int_not_equal(of4(&p), base);
		p = good4();
		((__u8 *)&p.ip.daddr)[i] ^= 1;
		assert_int_not_equal(of4(&p), base);
	}
	p = good4();
	p.ip.protocol = 6;
	assert_int_not_equal(of4(&p), base);
}

static void ip6_flows(void **state)
{
	struct packet6 p = good6();
	__u32 base = of6(&p);

	(void)state;
	p.ip.payload_len = 7;
	p.ip.hop_limit = 7;
	p.ip.flow_lbl[2] = 7;
	p.rest[0] = 7;
	assert_int_equal(of6(&p), base);
	for (int i = 0; i < 4; i++) {
		p = good6();
		p.ports[i] ^= 1;
		assert_int_not_equal(of6(&p), base);
	}
	for (int i = 0; i < 16; i++) {
		p = good6();
		((__u8 *)&p.ip.saddr)[i] ^= 1;
		assert_int_not_equal(of6(&p), base);
		p = good6();
		((__u8 *)&p.ip.daddr)[i] ^= 1;
		assert_int_not_equal(of6(&p), base);
	}
	p = good6();
	p.ip.nexthdr = 6;
	assert_int_not_equal(of6(&p), base);
}

/* What has no ports, or has them in some packets only, is one flow whatever is
 * in their place. */
static void without_ports(void **state)
{
	static const __u16 fragments[] = {IP4_MF, IP4_MF | 9, 9};
	struct packet4 p = good4(), q;
	struct packet6 six = good6(), other;
	__u32 all;

	(void)state;
	p.ip.frag_off = htons(IP4_MF);
	all = of4(&p);
	for (size_t i = 0; i < 3; i++) {
		q = p;
		q.ip.frag_off = htons(fragments[i]);
		q.ports[i] ^= 1;
		assert_int_equal(of4(&q), all);
	}
	p = good4();
	p.ip.ihl = 6;
	q = p;
	q.ports[0] ^= 1;
	assert_int_equal(of4(&q), of4(&p));
	p = good4();
	p.ip.protocol = 1;
	q = p;
	q.ports[0] ^= 1;
	assert_int_equal(of4(&q), of4(&p));
	six.ip.nexthdr = 44;
	other = six;
	other.ports[0] ^= 1;
	assert_int_equal(of6(&other), of6(&six));
}

static void short_packets(void **state)
{
	struct packet4 p = good4();
	struct packet6 six = good6();

	(void)state;
	assert_int_equal(flow_of4(&p.ip, p.ports + 3),
			 flow_of4(&p.ip, p.ports));
	assert_int_equal(flow_of4(&p.ip, p.ports + 4), of4(&p));
	assert_int_equal(flow_of4(&p.ip, p.ports - 1), 0);
	assert_int_equal(flow_of6(&six.ip, six.ports + 3),
			 flow_of6(&six.ip, six.ports));
	assert_int_equal(flow_of6(&six.ip, six.ports + 4), of6(&six));
	assert_int_equal(flow_of6(&six.ip, six.ports - 1), 0);
}

/* Many flows come to every share about as often. */
static void shares(void **state)
{
	enum { N = 7, FLOWS = 7000 };
	struct packet4 p = good4();
	int count[N] = {0};

	(void)state;
	for (int i = 0; i < FLOWS; i++) {
		p.ports[0] = i >> 8;
		p.ports[1] = i;
		assert_in_range(flow_share(of4(&p), N), 0, N - 1);
		count[flow_share(of4(&p), N)]++;
	}
	for (int i = 0; i < N; i++)
		assert_in_range(count[i], FLOWS / N / 2, FLOWS / N * 2);
	assert_int_equal(flow_share(0xffffffff, N), N - 1);
	assert_int_equal(flow_share(0, N), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ip4_flows),
		cmocka_unit_test(ip6_flows),
		cmocka_unit_test(without_ports),
		cmocka_unit_test(short_packets),
		cmocka_unit_test(shares),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
