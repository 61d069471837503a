/* SPDX-License-Identifier: GPL-2.0-only */
/* The pin directory of an interface: bpffs, paths, lock, whose it is. */
#ifndef TUNLOAD_PINS_H
#define TUNLOAD_PINS_H

#include <limits.h>

#include "conf.h"

/* --bpffs DIR, or TUNLOAD_BPFFS, or /sys/fs/bpf. */
void pins_set_bpffs(const char *dir);
const char *pins_bpffs(void);

/* BPFFS/tunload/IFACE or, with a name, BPFFS/tunload/IFACE/NAME. */
int pins_path(char buf[static PATH_MAX], const char *ifname, const char *name);

/* An open, exclusively locked pin directory. */
struct pins {
	char ifname[IFNAMSIZ];
	char dir[PATH_MAX];
	int lock_fd; /* -1: none */
};

/*
 * Locks the interface's pins, waiting up to ten seconds for another command;
 * create: mounts bpffs if needed and makes the directories (0700). Without
 * create, FAILED "not attached" when there is none. Refuses pins of
 * an equally named interface in another network namespace (with the --bpffs
 * hint).
 */
int pins_open(struct pins *p, const char *ifname, bool create);
/* Removes every pin and the directory (for detach and for a failed attach). */
int pins_remove(struct pins *p);
/* Unlocks; removes the directory if it is empty. */
void pins_close(struct pins *p);

/* Interfaces with a pin directory; *names is malloc()ed, for `status`. */
int pins_list(char (**names)[IFNAMSIZ], size_t *n);

/* SO_NETNS_COOKIE of the calling process. */
int netns_cookie(uint64_t *cookie);

/* One line that says why this process cannot work with BPF (not root or missing
 * capabilities, no BTF at /sys/kernel/btf/vmlinux, kernel older than 6.1). */
int require_bpf(void);

#endif
