// SPDX-License-Identifier: GPL-2.0-only
/* Puts the tracing programs on those of an interface, and reads what they
 * send. No link is pinned: all ends with the process. */
#include "capture.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/perf_event.h>
#include <unistd.h>

#include "capture.skel.h"

#define ROOM	 (64u << 20) /* bytes, of all CPUs together */
#define ROOM_MIN (1u << 20)  /* ... and of one */

/* The programs that are traced. */
static const int traced[HOOK_COUNT + 1] = {HOOK_XDP, HOOK_TC_INGRESS,
					   HOOK_TC_EGRESS, PROG_FORWARD};

static uint32_t program_id(int fd)
{
	struct bpf_prog_info info = {0};
	uint32_t len = sizeof(info);

	return bpf_obj_get_info_by_fd(fd, &info, &len) ? 0 : info.id;
}

/* Fills in the ids of the pinned programs; false if they are not there. */
static bool read_ids(const char *ifname, uint32_t ids[HOOK_COUNT + 1])
{
	char path[PATH_MAX];
	int fd;

	for (size_t i = 0; i <= HOOK_COUNT; i++) {
		if (programs_path(path, ifname, traced[i], false))
			return false;
		fd = bpf_obj_get(path);
		if (fd < 0)
			return false;
		ids[i] = program_id(fd);
		close(fd);
	}
	return true;
}

bool tracer_is_stale(const struct tracer *t, const char *ifname)
{
	uint32_t ids[HOOK_COUNT + 1];

	return !read_ids(ifname, ids) || memcmp(ids, t->ids, sizeof(ids)) != 0;
}

/* Which program traces which function of which. */
static int set_targets(struct capture_bpf *skel, const struct programs *g)
{
	const struct {
		struct bpf_program *prog;
		int target;
		const char *function;
	} all[] = {
		{skel->progs.xdp_ingress_ends, HOOK_XDP, "xdp_ingress"},
		{skel->progs.xdp_ingress_reports, HOOK_XDP, "report_xdp"},
		{skel->progs.xdp_ingress_begins, HOOK_XDP, "xdp_ingress"},
		{skel->progs.xdp_forward_ends, PROG_FORWARD, "xdp_forward"},
		{skel->progs.xdp_forward_begins, PROG_FORWARD, "xdp_forward"},
		{skel->progs.tc_ingress_ends, HOOK_TC_INGRESS, "tc_ingress"},
		{skel->progs.tc_ingress_reports, HOOK_TC_INGRESS, "report_skb"},
		{skel->progs.tc_ingress_begins, HOOK_TC_INGRESS, "tc_ingress"},
		{skel->progs.tc_egress_ends, HOOK_TC_EGRESS, "tc_egress"},
		{skel->progs.tc_egress_reports, HOOK_TC_EGRESS, "report_skb"},
		{skel->progs.tc_egress_begins, HOOK_TC_EGRESS, "tc_egress"},
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		if (bpf_program__set_attach_target(
			    all[i].prog, g->fd[all[i].target], all[i].function))
			return FAILED;
	return OK;
}

static int refused(const char *ifname)
{
	return fail(
		"the kernel refuses to trace the programs of %s: %s (TUNLOAD_DEBUG=1 shows all it says); if another version has put them there, run `tunload attach %s`",
		ifname, bpf_log_words(), ifname);
}

/* A record as the kernel frames it. */
struct sample {
	struct perf_event_header header;
	uint32_t size;
	uint8_t data[];
} __attribute__((packed));

static enum bpf_perf_event_ret take_event(void *ctx, int cpu,
					  struct perf_event_header *event)
{
	const struct sample *sample = (const void *)event;
	struct record_taker *taker = ctx;
	struct tl_captured record;

	if (event->type != PERF_RECORD_SAMPLE || sample->size < sizeof(record))
		return LIBBPF_PERF_EVENT_CONT;
	memcpy(&record, sample->data, sizeof(record));
	if (record.caught <= sample->size - sizeof(record))
		taker->take(taker->ctx, cpu, &record,
			    sample->data + sizeof(record));
	return LIBBPF_PERF_EVENT_CONT;
}

/* The pages of the buffer of a CPU: a power of two. */
static size_t pages_each(void)
{
	const size_t page = sysconf(_SC_PAGESIZE);
	size_t size = ROOM_MIN;

	while (2 * size * stats_cpus() <= ROOM)
		size *= 2;
	return size / page;
}

/* Opens the buffers, one for each CPU. They wake the reader when they are an
 * eighth full; it looks by itself a few times a second. */
static int open_records(struct tracer *t)
{
	const size_t pages = pages_each();
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_SW_BPF_OUTPUT,
		.sample_type = PERF_SAMPLE_RAW,
		.sample_period = 1,
		.watermark = 1,
		.wakeup_watermark = pages * sysconf(_SC_PAGESIZE) / 8,
	};

	t->records =
		perf_buffer__new_raw(bpf_map__fd(t->skel->maps.records), pages,
				     &attr, take_event, &t->taker, NULL);
	return t->records ? OK
			  : fail("cannot make room for packets: %s",
				 strerror(errno));
}

/* The buffers come first, so that no record finds none. */
static int trace(struct tracer *t, const struct programs *g, const char *ifname)
{
	bpf_log_start();
	if (set_targets(t->skel, g) || capture_bpf__load(t->skel))
		return refused(ifname);
	if (open_records(t))
		return FAILED;
	return capture_bpf__attach(t->skel) ? refused(ifname) : OK;
}

static int set_up(struct tracer *t, const struct programs *g,
		  const char *ifname, uint32_t snaplen)
{
	struct tl_interface iface = {0};
	int ret;

	t->skel = capture_bpf__open();
	if (!t->skel)
		return fail("cannot open the BPF object: %s", strerror(errno));
	ret = read_secret(g->fd[HOOK_TC_EGRESS],
			  (uint64_t *)&t->skel->rodata->own_secret);
	if (ret)
		return ret;
	pins_interface(ifname, &iface);
	t->skel->rodata->forwards = iface.forward == TL_FORWARD_XDP;
	t->skel->rodata->snaplen = snaplen;
	for (size_t i = 0; i <= HOOK_COUNT; i++)
		t->ids[i] = program_id(g->fd[traced[i]]);
	return trace(t, g, ifname);
}

int tracer_open(struct tracer *t, const char *ifname, uint32_t snaplen,
		const struct record_taker *taker)
{
	struct programs g;
	int ret = programs_open(&g, ifname);

	if (ret)
		return ret;
	*t = (struct tracer){.taker = *taker};
	ret = set_up(t, &g, ifname, snaplen);
	programs_close(&g);
	if (ret)
		tracer_close(t);
	return ret;
}

int tracer_poll(struct tracer *t, int timeout_ms)
{
	const int n = perf_buffer__poll(t->records, timeout_ms);

	if (n > 0 || n == -EINTR)
		return OK;
	return n < 0 || perf_buffer__consume(t->records)
		       ? fail("cannot read the packets: %s", strerror(errno))
		       : OK;
}

void tracer_lost(const struct tracer *t, uint64_t lost[TL_SIDES])
{
	for (size_t i = 0; i < TL_SIDES; i++)
		lost[i] += t->skel->bss->lost[i];
}

void tracer_stop(struct tracer *t)
{
	capture_bpf__detach(t->skel);
	perf_buffer__consume(t->records);
}

void tracer_close(struct tracer *t)
{
	perf_buffer__free(t->records);
	capture_bpf__destroy(t->skel);
	memset(t, 0, sizeof(*t));
}
