/* SPDX-License-Identifier: GPL-2.0-only */
/* The pin directory of an interface: bpffs, paths, lock, whose it is. */
#ifndef TUNLOAD_PINS_H
#define TUNLOAD_PINS_H

#include <limits.h>

#include "conf/conf.h"

/* --bpffs DIR, or TUNLOAD_BPFFS, or /sys/fs/bpf. */
void pins_set_bpffs(const char *dir);
const char *pins_bpffs(void);

/* BPFFS/tunload/IFACE or, with a name, BPFFS/tunload/IFACE/NAME. FAILED if that
 * is longer than a path may be. A dot in IFACE (eth0.100) becomes a colon:
 * bpffs has no names with dots, and interfaces none with colons. */
int pins_path(char buf[static PATH_MAX], const char *ifname, const char *name);

#define LOCK_WAIT_MS 10000 /* for which a lock is waited for */
#define LOCK_POLL_MS 50

/* An open, exclusively locked pin directory. */
struct pins {
	char ifname[IFNAMSIZ];
	char dir[PATH_MAX];
	int lock_fd;  /* -1: none */
	bool mounted; /* bpffs, by us: unmounted should nothing be pinned */
};

/*
 * Locks the interface's pins, waiting up to ten seconds for another command;
 * create: mounts bpffs if needed and makes the directories (0700). Without
 * create, FAILED "not attached" when there is none. Refuses pins of
 * an equally named interface in another network namespace (with the --bpffs
 * hint), unless what they held is gone.
 */
int pins_open(struct pins *p, const char *ifname, bool create);
/* Removes every pin (for detach and for a failed attach); the lock stays. */
int pins_remove(struct pins *p);
bool pins_empty(const struct pins *p);
/* Unlocks; removes the directory if it is empty. */
void pins_close(struct pins *p);

/* pins_mount.c. Mounts a bpffs where the pins go, if there is none. FAILED
 * where the one of the default place belongs to this mount namespace alone
 * (made by `ip netns exec` or `unshare -m`) and would vanish with it. */
int bpffs_mount(struct pins *p, bool is_default);
/* False for what cannot be read, too. */
bool dir_empty(const char *path);

/* There is a pin directory of that interface; what it holds may be anything. */
bool pins_exist(const char *ifname);
/* Interfaces with a pin directory; *names is malloc()ed, for `status`. */
int pins_list(char (**names)[IFNAMSIZ], size_t *n);

/* What the pinned map `interface` says, whatever TL_LAYOUT wrote it; false if
 * it is not there. Fields that another layout does not have are zero. */
bool pins_interface(const char *ifname, struct tl_interface *out);
/* Takes TL_IF_F_READY away: what follows may be cut off. */
void pins_unready(const char *ifname);
/* FAILED, with what to do, unless these pins are of this network namespace. */
int pins_check_netns(const char *ifname, const struct tl_interface *iface);

/* FAILED: not attached, or no such interface at all. */
int fail_not_attached(const char *ifname);

/* SO_NETNS_COOKIE of the calling process. */
int netns_cookie(uint64_t *cookie);

/* One line that says why this process cannot work with BPF (not root or missing
 * capabilities, no BTF at /sys/kernel/btf/vmlinux, kernel older than 6.1). */
int require_bpf(void);

/* Is the running kernel of that version, or a newer one? */
bool kernel_at_least(unsigned int major, unsigned int minor);

#endif
