// SPDX-License-Identifier: GPL-2.0-only
/* The pin directory of an interface: its path, its lock, its removal. */
#include "maps.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#define BPFFS_DEFAULT "/sys/fs/bpf"

static const char *bpffs_option;

void pins_set_bpffs(const char *dir)
{
	bpffs_option = dir;
}

const char *pins_bpffs(void)
{
	const char *env = getenv("TUNLOAD_BPFFS");

	if (bpffs_option)
		return bpffs_option;
	return env && *env ? env : BPFFS_DEFAULT;
}

/* True if neither --bpffs nor TUNLOAD_BPFFS is given. */
static bool bpffs_is_default(void)
{
	const char *env = getenv("TUNLOAD_BPFFS");

	return !bpffs_option && !(env && *env);
}

static void replace_char(char *s, char from, char to)
{
	while ((s = strchr(s, from)))
		*s++ = to;
}

int pins_path(char buf[static PATH_MAX], const char *ifname, const char *name)
{
	char dir[IFNAMSIZ];
	int n;

	snprintf(dir, sizeof(dir), "%s", ifname);
	replace_char(dir, '.', ':');
	n = snprintf(buf, PATH_MAX, "%s/tunload/%s%s%s", pins_bpffs(), dir,
		     name ? "/" : "", name ? name : "");
	if (n >= PATH_MAX)
		return fail("the bpffs path \"%s\" is too long", pins_bpffs());
	return OK;
}

bool pins_exist(const char *ifname)
{
	char dir[PATH_MAX];

	return !pins_path(dir, ifname, NULL) && !access(dir, F_OK);
}

/* Pins without a cookie were made before any program was on a hook. Pins with
 * dead links belong to an interface that is gone with its namespace. */
static int check_owner(const struct pins *p)
{
	struct tl_interface iface;

	if (!pins_interface(p->ifname, &iface) || !iface.netns_cookie ||
	    pins_dead(p->ifname))
		return OK;
	return pins_check_netns(p->ifname, &iface);
}

/* Checks an existing directory, which anybody may have made: a bpffs is often
 * open to all. ENOENT: a detach has just removed it or its parent; the caller
 * tries again. */
static int make_dir(const char *dir)
{
	struct stat st = {0};
	int fd, ret;

	if (!mkdir(dir, 0700) || errno == ENOENT)
		return OK;
	if (errno != EEXIST)
		return fail("cannot make \"%s\": %s", dir, strerror(errno));
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? OK
				       : fail("cannot open \"%s\": %s", dir,
					      strerror(errno));
	if (fstat(fd, &st) || st.st_uid != geteuid())
		ret = fail(
			"\"%s\" belongs to user %u: see who made it, then `rm -r` it",
			dir, st.st_uid);
	else
		ret = fchmod(fd, 0700)
			      ? fail("cannot close \"%s\" to others: %s", dir,
				     strerror(errno))
			      : OK;
	close(fd);
	return ret;
}

static int make_dirs(const struct pins *p)
{
	char parent[PATH_MAX];

	strcpy(parent, p->dir);
	*strrchr(parent, '/') = 0;
	return make_dir(parent) ?: make_dir(p->dir);
}

static int not_attached(const struct pins *p)
{
	if (errno == ENOENT || errno == ENOTDIR)
		return fail_not_attached(p->ifname);
	return fail("cannot open \"%s\": %s", p->dir, strerror(errno));
}

/* False if the former holder of the lock has removed the directory. */
static bool still_there(const struct pins *p)
{
	struct stat held, there;

	return !fstat(p->lock_fd, &held) && !stat(p->dir, &there) &&
	       held.st_dev == there.st_dev && held.st_ino == there.st_ino;
}

static int try_lock(struct pins *p, bool create, bool *locked)
{
	*locked = false;
	if (create && make_dirs(p))
		return FAILED;
	p->lock_fd = open(p->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (p->lock_fd < 0)
		return create && errno == ENOENT ? OK : not_attached(p);
	if (!flock(p->lock_fd, LOCK_EX | LOCK_NB) && still_there(p)) {
		*locked = true;
		return OK;
	}
	close(p->lock_fd);
	p->lock_fd = -1;
	return OK;
}

static int lock(struct pins *p, bool create)
{
	bool locked;

	for (int ms = 0; ms <= LOCK_WAIT_MS; ms += LOCK_POLL_MS) {
		if (try_lock(p, create, &locked))
			return FAILED;
		if (locked)
			return OK;
		sleep_ms(LOCK_POLL_MS);
	}
	return fail(
		"another tunload command is working on %s: try again when it is done",
		p->ifname);
}

int pins_open(struct pins *p, const char *ifname, bool create)
{
	int ret;

	memset(p, 0, sizeof(*p));
	p->lock_fd = -1;
	snprintf(p->ifname, sizeof(p->ifname), "%s", ifname);
	ret = pins_path(p->dir, ifname, NULL);
	if (!ret && create)
		ret = bpffs_mount(p, bpffs_is_default());
	if (!ret)
		ret = lock(p, create);
	if (!ret)
		ret = check_owner(p);
	if (ret)
		pins_close(p);
	return ret;
}

static int remove_pin(int dir_fd, const char *name)
{
	if (!unlinkat(dir_fd, name, 0) || errno == ENOENT)
		return OK;
	return fail("cannot remove the pin \"%s\": %s", name, strerror(errno));
}

/* Removes `interface` last: if this is killed, it still tells whose the
 * remaining pins are. */
int pins_remove(struct pins *p)
{
	struct dirent *e;
	DIR *d = opendir(p->dir);
	int ret = OK;

	if (!d)
		return fail("cannot open \"%s\": %s", p->dir, strerror(errno));
	while ((e = readdir(d))) {
		if (e->d_name[0] != '.' && strcmp(e->d_name, "interface"))
			ret |= remove_pin(p->lock_fd, e->d_name);
	}
	closedir(d);
	return ret ?: remove_pin(p->lock_fd, "interface");
}

bool pins_empty(const struct pins *p)
{
	return dir_empty(p->dir);
}

void pins_close(struct pins *p)
{
	if (p->lock_fd >= 0) {
		if (still_there(p))
			rmdir(p->dir);
		*strrchr(p->dir, '/') = 0;
		rmdir(p->dir);
		close(p->lock_fd);
		p->lock_fd = -1;
	}
	if (p->mounted && access(p->dir, F_OK))
		umount(pins_bpffs());
	p->mounted = false;
}

int pins_list(char (**names)[IFNAMSIZ], size_t *n)
{
	char path[PATH_MAX], name[IFNAMSIZ];
	struct dirent *e;
	int ret = OK;
	DIR *d;

	*names = NULL;
	*n = 0;
	if (pins_path(path, "", NULL))
		return FAILED;
	d = opendir(path);
	if (!d && (errno == ENOENT || errno == ENOTDIR))
		return OK;
	if (!d)
		return fail("cannot open \"%s\": %s", path, strerror(errno));
	while (!ret && (e = readdir(d))) {
		if (e->d_name[0] == '.' || strlen(e->d_name) >= IFNAMSIZ)
			continue;
		strcpy(name, e->d_name);
		replace_char(name, ':', '.');
		ret = array_push((void **)names, n, name, sizeof(name));
	}
	closedir(d);
	return ret;
}
