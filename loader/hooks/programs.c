// SPDX-License-Identifier: GPL-2.0-only
/* Loads the BPF object, pins its programs and replaces them. */

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "one_hook.h"
#include "tunload.skel.h"

static const char *const prog_pins[PROG_COUNT] = {
	[HOOK_XDP] = "prog_xdp_ingress",
	[HOOK_TC_INGRESS] = "prog_tc_ingress",
	[HOOK_TC_EGRESS] = "prog_tc_egress",
	[PROG_FORWARD] = "prog_xdp_forward",
	[PROG_WRITE_PREFIXES] = PIN_WRITE_PREFIXES,
};

static int check_layout(const char *ifname)
{
	struct tl_interface iface;

	if (!pins_interface(ifname, &iface) || !iface.layout ||
	    iface.layout == TL_LAYOUT)
		return OK;
	return fail(
		"%s was attached by another version of tunload (map layout %u, this one's is %u): `tunload detach %s` first",
		ifname, iface.layout, TL_LAYOUT, ifname);
}

/* A map, or a section of variables, by the name of its pin. */
static struct bpf_map *map_of(const struct tunload_bpf *skel, const char *name)
{
	char section[BPF_OBJ_NAME_LEN + 8];

	snprintf(section, sizeof(section), ".data.%s", name);
	return bpf_object__find_map_by_name(skel->obj, name)
		       ?: bpf_object__find_map_by_name(skel->obj, section);
}

static int set_pin_paths(struct tunload_bpf *skel, const char *ifname)
{
	char path[PATH_MAX];
	struct bpf_map *map;

	for (size_t i = 0; i < MAP_COUNT; i++) {
		map = map_of(skel, map_pins[i].name);
		if (pins_path(path, ifname, map_pins[i].name))
			return FAILED;
		if (!map || bpf_map__set_pin_path(map, path))
			return fail("cannot pin the map \"%s\" at \"%s\": %s",
				    map_pins[i].name, path, strerror(errno));
	}
	return OK;
}

/* How many prefixes the running attachment of that name has, or 0. */
static uint32_t prefixes_pinned(const char *ifname)
{
	static const struct tl_name everybody;
	struct tl_named all = {0};
	char path[PATH_MAX];
	int fd = pins_path(path, ifname, "names") ? -1 : bpf_obj_get(path);

	if (fd < 0)
		return 0;
	bpf_map_lookup_elem(fd, &everybody, &all);
	close(fd);
	return all.prefixes;
}

/* Slots of `flows` on each CPU: sixteen for each prefix, a MiB at most, or more
 * where two for each prefix need more and those of all CPUs do not exceed
 * room_of_caches(). size: bytes of one. */
#define FLOW_BITS_MIB 14

static uint32_t flow_bits(size_t prefixes, uint32_t bits, uint32_t size)
{
	const uint64_t most = room_of_caches() / size / (uint32_t)stats_cpus();

	while (bits < FLOW_BITS_MIB && 1u << bits < 16 * prefixes)
		bits++;
	while (1u << bits < 2 * prefixes && 2u << bits <= most)
		bits++;
	return bits;
}

static void set_flows(struct tunload_bpf *skel, const char *ifname,
		      const struct conf *want)
{
	size_t now = ifname ? prefixes_pinned(ifname) : 0, n = 0;
	uint32_t bits;

	for_each_peer (p, want)
		n += p->n_allowed;
	bits = flow_bits(n > now ? n : now, skel->rodata->flow_bits,
			 bpf_map__value_size(skel->maps.flows));
	skel->rodata->flow_bits = bits;
	bpf_map__set_max_entries(skel->maps.flows, (uint32_t)stats_cpus()
							   << bits);
	if (want->forward == TL_FORWARD_XDP)
		return;
	bpf_map__set_max_entries(skel->maps.ways, 1);
	bpf_map__set_max_entries(skel->maps.strays, 1);
}

/* The coarse clock moves on with the jiffies. */
static void set_ttl(struct tunload_bpf *skel)
{
	struct timespec tick;

	if (!clock_getres(CLOCK_MONOTONIC_COARSE, &tick) && !tick.tv_sec &&
	    tick.tv_nsec)
		skel->rodata->renew_ttl = NS_PER_S / (uint64_t)tick.tv_nsec;
}

static void set_room(struct tunload_bpf *skel, const char *ifname,
		     const struct conf *want)
{
	struct room room = room_wanted(ifname, want);
	uint32_t rows, slots = room.slots * (uint32_t)stats_cpus();

	for (size_t i = 0; i < MAP_COUNT; i++) {
		rows = room_rows(&room, map_pins[i].name);
		if (rows)
			bpf_map__set_max_entries(map_of(skel, map_pins[i].name),
						 rows);
	}
	skel->rodata->peer_mask = room.slots - 1;
	bpf_map__set_max_entries(skel->maps.heads, slots);
	/* Where XDP forwards, no entry of `flows` lasts. */
	bpf_map__set_max_entries(skel->maps.paths,
				 want->forward == TL_FORWARD_XDP ? 1 : slots);
}

static int load_failed(const char *ifname, int err)
{
	const char *words = bpf_log_words();

	if (ifname && strstr(words, "parameter mismatch"))
		return fail(
			"%s was attached by another version of tunload, whose maps differ: `tunload detach %s` first",
			ifname, ifname);
	return fail(
		"the kernel refuses the BPF programs: %s%s%s (TUNLOAD_DEBUG=1 shows all it says)",
		words, *words ? ": " : "", strerror(-err));
}

static void take_fds(struct programs *g)
{
	g->fd[HOOK_XDP] = bpf_program__fd(g->skel->progs.xdp_ingress);
	g->fd[HOOK_TC_INGRESS] = bpf_program__fd(g->skel->progs.tc_ingress);
	g->fd[HOOK_TC_EGRESS] = bpf_program__fd(g->skel->progs.tc_egress);
	g->fd[PROG_WRITE_PREFIXES] =
		bpf_program__fd(g->skel->progs.write_prefixes);
	g->maps.write_prefixes = g->fd[PROG_WRITE_PREFIXES];
	g->fd[PROG_FORWARD] = bpf_program__fd(g->skel->progs.xdp_forward);
	for (size_t i = 0; i < MAP_COUNT; i++)
		*map_fd(&g->maps, &map_pins[i]) =
			bpf_map__fd(map_of(g->skel, map_pins[i].name));
}

/*
 * libbpf also searches the modules for a weak kfunc that the kernel lacks
 * (bpf_xdp_pull_data, before Linux 6.18), and without CAP_SYS_ADMIN that fails
 * the load. But it loads the list of modules only once: this look-up of a name
 * that does not exist makes it fail here, where it does no harm.
 */
static void skip_modules(struct tunload_bpf *skel)
{
	bpf_program__set_attach_target(skel->progs.xdp_ingress, 0,
				       "tunload_no_such_function");
	bpf_log_start(); /* drop the warning about it */
}

/*
 * True if the kernel loads this tc program. libbpf_probe_bpf_helper() searches
 * the verifier's log for a text, and Linux 6.12 has another text for a
 * forbidden helper.
 */
static bool loads(const struct bpf_insn *insns, size_t n)
{
	int fd;

	bpf_log_start(); /* a refusal is an answer, not an error */
	fd = bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "tunload_probe", "GPL",
			   insns, n, NULL);
	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

#define LEN(array) (sizeof(array) / sizeof(*(array)))

/* Operations of struct bpf_insn: code, destination, source, offset, value. */
#define SET  (BPF_ALU64 | BPF_MOV | BPF_K)
#define COPY (BPF_ALU64 | BPF_MOV | BPF_X)
#define ADD  (BPF_ALU64 | BPF_ADD | BPF_K)
#define CALL (BPF_JMP | BPF_CALL)
#define EXIT (BPF_JMP | BPF_EXIT)

/* bpf_probe_read_kernel(), which a kernel lockdown forbids. */
static bool can_probe_read(void)
{
	static const struct bpf_insn insns[] = {
		{COPY, BPF_REG_1, BPF_REG_10, 0, 0},
		{ADD, BPF_REG_1, 0, 0, -8},
		{SET, BPF_REG_2, 0, 0, 8},
		{SET, BPF_REG_3, 0, 0, 0},
		{CALL, 0, 0, 0, BPF_FUNC_probe_read_kernel},
		{SET, BPF_REG_0, 0, 0, 0},
		{EXIT, 0, 0, 0, 0},
	};

	return loads(insns, LEN(insns));
}

/* bpf_skb_get_xfrm_state(), which a kernel without IPsec lacks. */
static bool has_xfrm(void)
{
	static const struct bpf_insn insns[] = {
		{SET, BPF_REG_2, 0, 0, 0},
		{COPY, BPF_REG_3, BPF_REG_10, 0, 0},
		{ADD, BPF_REG_3, 0, 0, -64},
		{SET, BPF_REG_4, 0, 0, sizeof(struct bpf_xfrm_state)},
		{SET, BPF_REG_5, 0, 0, 0},
		{CALL, 0, 0, 0, BPF_FUNC_skb_get_xfrm_state},
		{SET, BPF_REG_0, 0, 0, 0},
		{EXIT, 0, 0, 0, 0},
	};

	return loads(insns, LEN(insns));
}

/* Tells the programs the CPUs on which this process may run: those of the host,
 * unless somebody has chosen (taskset). */
static int set_cpus(struct tunload_bpf *skel)
{
	cpu_set_t allowed;
	uint32_t n = 0;

	if (sched_getaffinity(0, sizeof(allowed), &allowed))
		return fail("cannot read which CPUs there are: %s",
			    strerror(errno));
	for (int cpu = 0; cpu < CPU_SETSIZE && n < TL_SPREAD_CPUS; cpu++)
		if (CPU_ISSET(cpu, &allowed))
			skel->rodata->spread_list[n++] = cpu;
	skel->rodata->spread_cpus = n;
	bpf_map__set_max_entries(skel->maps.cpus, stats_cpus());
	return OK;
}

/* Makes the kernel threads that take frames from XDP. */
static int start_cpus(struct tunload_bpf *skel)
{
	const uint32_t waiting = 2048; /* frames */

	for (uint32_t i = 0; i < skel->rodata->spread_cpus; i++) {
		uint32_t cpu = skel->rodata->spread_list[i];

		if (bpf_map__update_elem(skel->maps.cpus, &cpu, sizeof(cpu),
					 &waiting, sizeof(waiting), 0))
			return fail("cannot use CPU %u (cpus = all): %s", cpu,
				    strerror(errno));
	}
	return OK;
}

/* Sets the secret that marks our own skbs (bpf/packet/marks.h), whether the
 * kernel allows two helpers (bpf/packet/kernel.h), whether XDP forwards
 * (bpf/packet/forward.h), and to which CPUs it gives packets
 * (bpf/packet/spread.h). */
static int set_constants(struct tunload_bpf *skel, const struct conf *c)
{
	uint64_t secret = 0;

	while (!secret)
		if (getrandom(&secret, sizeof(secret), 0) != sizeof(secret))
			return fail("cannot get random numbers: %s",
				    strerror(errno));
	skel->rodata->own_secret = secret;
	skel->rodata->can_read_kernel = can_probe_read();
	skel->rodata->has_xfrm = has_xfrm();
	skel->rodata->forward_xdp = c->forward == TL_FORWARD_XDP;
	bpf_log_start();
	return c->cpus == TL_CPUS_ALL ? set_cpus(skel) : OK;
}

static int open_object(struct programs *g, const struct conf *c)
{
	bpf_log_start();
	memset(g, 0, sizeof(*g));
	g->skel = tunload_bpf__open();
	if (!g->skel)
		return fail("cannot open the BPF object: %s", strerror(errno));
	skip_modules(g->skel);
	if (!set_constants(g->skel, c))
		return OK;
	programs_close(g);
	return FAILED;
}

/* ifname NULL: with maps of its own. */
static int load(struct programs *g, const char *ifname, const struct conf *want)
{
	int ret = open_object(g, want), err;

	if (ret)
		return ret;
	set_ttl(g->skel);
	set_room(g->skel, ifname, want);
	set_flows(g->skel, ifname, want);
	if (ifname)
		ret = set_pin_paths(g->skel, ifname);
	if (!ret) {
		err = tunload_bpf__load(g->skel);
		ret = err ? load_failed(ifname, err) : start_cpus(g->skel);
	}
	if (ret)
		programs_close(g);
	return ret;
}

int programs_try(const struct conf *want)
{
	struct programs g;
	int ret = load(&g, NULL, want);

	if (!ret)
		programs_close(&g);
	return ret;
}

int programs_load(struct programs *g, const char *ifname,
		  const struct conf *want)
{
	int ret = check_layout(ifname) ?: load(g, ifname, want);

	if (ret)
		return ret;
	take_fds(g);
	ret = prefixes_freeze(&g->maps);
	if (ret)
		programs_close(g);
	return ret;
}

/* The staged name has no dot, which bpffs refuses. */
int programs_path(char path[static PATH_MAX], const char *ifname, int prog,
		  bool staged)
{
	char name[64];

	snprintf(name, sizeof(name), "%s%s", prog_pins[prog],
		 staged ? "_new" : "");
	return pins_path(path, ifname, name);
}

static int commit_one(const char *ifname, int prog)
{
	char path[PATH_MAX], staged[PATH_MAX];

	if (programs_path(path, ifname, prog, false) ||
	    programs_path(staged, ifname, prog, true))
		return FAILED;
	if (rename(staged, path))
		return fail("cannot pin a program at \"%s\": %s", path,
			    strerror(errno));
	return OK;
}

static int stage_one(const char *ifname, int prog, int fd, uint32_t ifindex)
{
	char path[PATH_MAX];

	if (programs_path(path, ifname, prog, true))
		return FAILED;
	/* Left by a command that was killed after it had put it on the hook. */
	if (prog < HOOK_COUNT && filter_holds(ifname, prog, ifindex, true) &&
	    commit_one(ifname, prog))
		return FAILED;
	unlink(path); /* left by one killed before that */
	if (bpf_obj_pin(fd, path))
		return fail("cannot pin a program at \"%s\": %s", path,
			    strerror(errno));
	return OK;
}

int programs_stage(const struct programs *g, const char *ifname,
		   uint32_t ifindex)
{
	int ret = OK;

	for (int i = 0; !ret && i < PROG_COUNT; i++)
		ret = stage_one(ifname, i, g->fd[i], ifindex);
	return ret;
}

int programs_commit(const char *ifname)
{
	int ret = OK;

	for (int i = 0; !ret && i < PROG_COUNT; i++)
		ret = commit_one(ifname, i);
	return ret;
}

void programs_unstage(const char *ifname)
{
	char path[PATH_MAX];

	for (int i = 0; i < PROG_COUNT; i++) {
		if (!programs_path(path, ifname, i, true))
			unlink(path);
	}
}

int programs_open(struct programs *g, const char *ifname)
{
	char path[PATH_MAX];

	memset(g, 0, sizeof(*g));
	for (int i = 0; i < PROG_COUNT; i++)
		g->fd[i] = -1;
	for (int i = 0; i < PROG_COUNT; i++) {
		if (!programs_path(path, ifname, i, false))
			g->fd[i] = bpf_obj_get(path);
		if (g->fd[i] < 0) {
			programs_close(g);
			return fail("cannot open \"%s\": %s", path,
				    strerror(errno));
		}
	}
	return OK;
}

void programs_close(struct programs *g)
{
	if (g->skel) {
		tunload_bpf__destroy(g->skel);
		g->skel = NULL;
		return;
	}
	for (int i = 0; i < PROG_COUNT; i++) {
		if (g->fd[i] >= 0)
			close(g->fd[i]);
		g->fd[i] = -1;
	}
}
