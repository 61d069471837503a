// SPDX-License-Identifier: GPL-2.0-only
#include "programs.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "bpf_log.h"
#include "tunload.skel.h"

/* The order of enum hook. */
static const char *const prog_pins[HOOK_COUNT] = {
	"prog_xdp_ingress", "prog_tc_ingress", "prog_tc_egress"};

static int check_layout(const struct pins *p)
{
	struct tl_interface iface;

	if (!pins_interface(p->ifname, &iface) || !iface.layout ||
	    iface.layout == TL_LAYOUT)
		return OK;
	return fail("%s was attached by another version of tunload (map layout "
		    "%u, this one's is %u): `tunload detach %s` first",
		    p->ifname, iface.layout, TL_LAYOUT, p->ifname);
}

static int set_pin_paths(struct tunload_bpf *skel, const struct pins *p)
{
	char path[PATH_MAX];
	struct bpf_map *map;

	for (size_t i = 0; i < MAP_COUNT; i++) {
		map = bpf_object__find_map_by_name(skel->obj, map_pins[i].name);
		if (pins_path(path, p->ifname, map_pins[i].name))
			return FAILED;
		if (!map || bpf_map__set_pin_path(map, path))
			return fail("cannot pin the map \"%s\" at \"%s\": %s",
				    map_pins[i].name, path, strerror(errno));
	}
	return OK;
}

static int load_failed(const struct pins *p, int err)
{
	const char *words = bpf_log_words();

	if (strstr(words, "parameter mismatch"))
		return fail("%s was attached by another version of tunload, "
			    "whose maps differ: `tunload detach %s` first",
			    p->ifname, p->ifname);
	return fail("the kernel refuses the BPF programs: %s%s%s "
		    "(TUNLOAD_DEBUG=1 shows all it says)",
		    words, *words ? ": " : "", strerror(-err));
}

static void take_fds(struct programs *g)
{
	struct bpf_object *obj = g->skel->obj;

	g->fd[HOOK_XDP] = bpf_program__fd(g->skel->progs.xdp_ingress);
	g->fd[HOOK_TC_INGRESS] = bpf_program__fd(g->skel->progs.tc_ingress);
	g->fd[HOOK_TC_EGRESS] = bpf_program__fd(g->skel->progs.tc_egress);
	for (size_t i = 0; i < MAP_COUNT; i++)
		*map_fd(&g->maps, &map_pins[i]) =
			bpf_object__find_map_fd_by_name(obj, map_pins[i].name);
}

int programs_load(struct programs *g, const struct pins *p)
{
	int ret = check_layout(p), err;

	memset(g, 0, sizeof(*g));
	if (ret)
		return ret;
	bpf_log_start();
	g->skel = tunload_bpf__open();
	if (!g->skel)
		return fail("cannot open the BPF object: %s", strerror(errno));
	ret = set_pin_paths(g->skel, p);
	if (!ret) {
		err = tunload_bpf__load(g->skel);
		ret = err ? load_failed(p, err) : OK;
	}
	if (ret)
		programs_close(g);
	else
		take_fds(g);
	return ret;
}

/* No dots in the name of the moment: bpffs refuses them. */
static int pin_one(const struct pins *p, const char *name, int fd)
{
	char path[PATH_MAX], new_name[64], new_path[PATH_MAX];

	snprintf(new_name, sizeof(new_name), "%s_new", name);
	if (pins_path(path, p->ifname, name) ||
	    pins_path(new_path, p->ifname, new_name))
		return FAILED;
	unlink(new_path); /* of a command that was killed here */
	if (bpf_obj_pin(fd, new_path) || rename(new_path, path))
		return fail("cannot pin a program at \"%s\": %s", path,
			    strerror(errno));
	return OK;
}

int programs_pin(const struct programs *g, const struct pins *p)
{
	int ret = OK;

	for (enum hook h = 0; !ret && h < HOOK_COUNT; h++)
		ret = pin_one(p, prog_pins[h], g->fd[h]);
	return ret;
}

int programs_open(struct programs *g, const struct pins *p)
{
	char path[PATH_MAX];

	memset(g, 0, sizeof(*g));
	for (enum hook h = 0; h < HOOK_COUNT; h++)
		g->fd[h] = -1;
	for (enum hook h = 0; h < HOOK_COUNT; h++) {
		if (!pins_path(path, p->ifname, prog_pins[h]))
			g->fd[h] = bpf_obj_get(path);
		if (g->fd[h] < 0) {
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
	for (enum hook h = 0; h < HOOK_COUNT; h++) {
		if (g->fd[h] >= 0)
			close(g->fd[h]);
		g->fd[h] = -1;
	}
}
