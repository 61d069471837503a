// SPDX-License-Identifier: GPL-2.0-only
/* Reads the secret of loaded programs from their constants. */
#include "capture.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <unistd.h>

/* The offset of a constant among those of a map of constants, or -1. */
static long constant_at(const struct bpf_map_info *map, const char *name)
{
	struct btf *btf = btf__load_from_kernel_by_id(map->btf_id);
	const struct btf_type *type =
		btf ? btf__type_by_id(btf, map->btf_value_type_id) : NULL;
	const struct btf_var_secinfo *var;
	long at = -1;

	for (int i = 0; type && btf_is_datasec(type) && i < btf_vlen(type);
	     i++) {
		var = btf_var_secinfos(type) + i;
		if (!strcmp(name,
			    btf__name_by_offset(
				    btf,
				    btf__type_by_id(btf, var->type)->name_off)))
			at = var->offset;
	}
	btf__free(btf);
	return at;
}

/* Reads a constant of 8 bytes of a loaded program from the map of that id. */
static bool read_constant(uint32_t map_id, const char *name, uint64_t *out)
{
	int fd = bpf_map_get_fd_by_id(map_id);
	struct bpf_map_info info = {0};
	uint32_t len = sizeof(info), zero = 0;
	long at = -1;
	uint8_t *all;

	if (fd >= 0 && !bpf_obj_get_info_by_fd(fd, &info, &len) &&
	    strstr(info.name, ".rodata"))
		at = constant_at(&info, name);
	all = at < 0 ? NULL : malloc(info.value_size);
	if (all && at + sizeof(*out) <= info.value_size &&
	    !bpf_map_lookup_elem(fd, &zero, all))
		memcpy(out, all + at, sizeof(*out));
	else
		at = -1;
	free(all);
	if (fd >= 0)
		close(fd);
	return at >= 0;
}

#define MAPS_MOST 64 /* of a program */

int read_secret(int prog_fd, uint64_t *secret)
{
	uint32_t maps[MAPS_MOST] = {0}, len = sizeof(struct bpf_prog_info);
	struct bpf_prog_info info = {
		.nr_map_ids = MAPS_MOST,
		.map_ids = (uintptr_t)maps,
	};

	if (bpf_obj_get_info_by_fd(prog_fd, &info, &len))
		return fail("cannot read which maps a program uses: %s",
			    strerror(errno));
	for (uint32_t i = 0; i < info.nr_map_ids && i < MAPS_MOST; i++)
		if (read_constant(maps[i], "own_secret", secret))
			return OK;
	return fail("cannot read the constants of the programs: run as root");
}
