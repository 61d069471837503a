// SPDX-License-Identifier: GPL-2.0-only
/* The pin directory of an interface: its bpffs, its path, its lock, its
 * removal. */
#include "maps.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#define BPFFS_DEFAULT "/sys/fs/bpf"

#define LOCK_WAIT_MS 10000 /* the longest wait for a lock */
#define LOCK_POLL_MS 50

static const char *bpffs_option;

void pins_set_bpffs(const char *dir)
{
	bpffs_option = dir;
}

/* The directory of --bpffs or TUNLOAD_BPFFS, or NULL. */
static const char *bpffs_asked(void)
{
	const char *env = getenv("TUNLOAD_BPFFS");

	if (bpffs_option)
		return bpffs_option;
	return env && *env ? env : NULL;
}

const char *pins_bpffs(void)
{
	return bpffs_asked() ?: BPFFS_DEFAULT;
}

static bool dir_empty(const char *path)
{
	struct dirent *e;
	DIR *d = opendir(path);
	bool empty = d;

	while (d && (e = readdir(d)))
		empty &= !strcmp(e->d_name, ".") || !strcmp(e->d_name, "..");
	if (d)
		closedir(d);
	return empty;
}

static bool is_bpffs(const char *dir)
{
	struct statfs fs;

	return !statfs(dir, &fs) && fs.f_type == BPF_FS_MAGIC;
}

/* Mounts only over an existing empty directory: `--bpffs /proc` must not hide
 * the host's /proc, and a typing error must not make a directory. */
static int mount_over(struct pins *p, const char *dir)
{
	if (!dir_empty(dir))
		return fail(
			"\"%s\" is not a bpffs, nor an empty directory to mount one at: name another with --bpffs",
			dir);
	if (mount("bpf", dir, "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC,
		  "mode=0700"))
		return fail(
			"\"%s\" is not a bpffs and mounting one fails: %s; try `mount -t bpf bpf %s`",
			dir, strerror(errno), dir);
	p->mounted = true;
	return OK;
}

/* Formats the process that holds a flock on the file of fd, from /proc/locks: "
 * (pid N, NAME)", or "". */
static const char *lock_holder(int fd, char buf[static 64])
{
	FILE *locks = fopen("/proc/locks", "re"), *comm;
	char line[256], path[64], name[32] = "?";
	unsigned int major, minor;
	unsigned long inode;
	struct stat st;
	int pid = 0;

	buf[0] = '\0';
	while (locks && !fstat(fd, &st) && !pid &&
	       fgets(line, sizeof(line), locks)) {
		if (sscanf(line, "%*d: FLOCK %*s %*s %d %x:%x:%lu", &pid,
			   &major, &minor, &inode) != 4 ||
		    inode != st.st_ino || minor != minor(st.st_dev) ||
		    major != major(st.st_dev))
			pid = 0;
	}
	if (locks)
		fclose(locks);
	if (pid <= 0)
		return buf;
	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	comm = fopen(path, "re");
	if (comm && fgets(name, sizeof(name), comm))
		name[strcspn(name, "\n")] = '\0';
	if (comm)
		fclose(comm);
	snprintf(buf, 64, " (pid %d, %s)", pid, name);
	return buf;
}

/* Waits with a limit, as any process that can open the directory can hold this
 * lock. */
static int lock_dir(int fd, const char *dir)
{
	char holder[64];

	for (int ms = 0; ms <= LOCK_WAIT_MS; ms += LOCK_POLL_MS) {
		if (!flock(fd, LOCK_EX | LOCK_NB))
			return OK;
		if (errno != EWOULDBLOCK && errno != EINTR)
			return fail("cannot lock \"%s\": %s", dir,
				    strerror(errno));
		sleep_ms(LOCK_POLL_MS);
	}
	return fail(
		"\"%s\" is not a bpffs yet, and somebody%s holds a lock on it for more than %d s: end that, or `mount -t bpf bpf %s`",
		dir, lock_holder(fd, holder), LOCK_WAIT_MS / 1000, dir);
}

/* Locks the directory below the mount, so that two commands that start at once
 * do not stack two mounts. */
static int mount_locked(struct pins *p, const char *dir)
{
	int fd = open(dir, O_RDONLY | O_NONBLOCK | O_CLOEXEC), ret;

	if (fd < 0)
		return fail(
			"cannot use \"%s\" as bpffs: %s; make it, or name another with --bpffs",
			dir, strerror(errno));
	ret = lock_dir(fd, dir);
	if (!ret && !is_bpffs(dir))
		ret = mount_over(p, dir);
	close(fd);
	return ret;
}

static pid_t parent_of(pid_t pid)
{
	char path[32], line[512] = "";
	int parent = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	f = fopen(path, "re");
	if (f && fgets(line, sizeof(line), f) && strrchr(line, ')') &&
	    sscanf(strrchr(line, ')'), ") %*c %d", &parent) != 1)
		parent = 0;
	if (f)
		fclose(f);
	return parent;
}

static bool other_mounts(pid_t pid, const struct stat *own)
{
	struct stat st;
	char path[32];

	snprintf(path, sizeof(path), "/proc/%d/ns/mnt", pid);
	return !stat(path, &st) &&
	       (st.st_dev != own->st_dev || st.st_ino != own->st_ino);
}

/* Returns PID 1 or, if its namespaces cannot be read, an ancestor, that has
 * another mount namespace than this process; else 0. */
static pid_t outsider(void)
{
	struct stat own;
	pid_t pid;

	if (stat("/proc/self/ns/mnt", &own))
		return 0;
	if (other_mounts(1, &own))
		return 1;
	for (pid = getppid(); pid > 1; pid = parent_of(pid))
		if (other_mounts(pid, &own))
			return pid;
	return 0;
}

/* True if this process has its own mount namespace, whose bpffs is not the one
 * outside. False if the other namespace cannot be read (a unit without
 * CAP_SYS_PTRACE, whose mounts come from those of PID 1). */
static bool is_private(const char *dir)
{
	pid_t pid = outsider();
	struct stat here, there;
	char outside[PATH_MAX];

	if (!pid || stat(dir, &here))
		return false;
	snprintf(outside, sizeof(outside), "/proc/%d/root%s", pid, dir);
	if (stat(outside, &there))
		return errno == ENOENT || errno == ENOTDIR;
	return here.st_dev != there.st_dev;
}

/* Mounts a bpffs for the pins if there is none. FAILED if nobody chose it
 * and it belongs only to this mount namespace (made by `ip netns exec` or
 * `unshare -m`) and would vanish with it. */
static int bpffs_mount(struct pins *p)
{
	const char *dir = pins_bpffs();
	int ret = is_bpffs(dir) ? OK : mount_locked(p, dir);

	if (ret || bpffs_asked() || !is_private(dir))
		return ret;
	if (p->mounted)
		umount(dir);
	p->mounted = false;
	return fail(
		"the bpffs at \"%s\" belongs to this mount namespace alone and would vanish with it, the tunnels too: enter a network namespace with `nsenter --net=/run/netns/NAME`, not with `ip netns exec`, or name a bpffs that stays with --bpffs",
		dir);
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
		ret = bpffs_mount(p);
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

/* Lists the names in a directory of pins that follow the prefix and may be of
 * an interface. */
static int list_names(const char *path, const char *prefix,
		      char (**names)[IFNAMSIZ], size_t *n)
{
	size_t skip = strlen(prefix);
	char name[IFNAMSIZ];
	struct dirent *e;
	int ret = OK;
	DIR *d;

	*names = NULL;
	*n = 0;
	d = opendir(path);
	if (!d && (errno == ENOENT || errno == ENOTDIR))
		return OK;
	if (!d)
		return fail("cannot open \"%s\": %s", path, strerror(errno));
	while (!ret && (e = readdir(d))) {
		if (e->d_name[0] == '.' || strncmp(e->d_name, prefix, skip) ||
		    strlen(e->d_name + skip) >= IFNAMSIZ)
			continue;
		strcpy(name, e->d_name + skip);
		replace_char(name, ':', '.');
		ret = array_push((void **)names, n, name, sizeof(name));
	}
	closedir(d);
	return ret;
}

int pins_list(char (**names)[IFNAMSIZ], size_t *n)
{
	char path[PATH_MAX];

	return pins_path(path, "", NULL) ?: list_names(path, "", names, n);
}

#define LINK_FROM "link_from_"

int pins_from_list(const char *ifname, char (**names)[IFNAMSIZ], size_t *n)
{
	char path[PATH_MAX];

	return pins_path(path, ifname, NULL)
		       ?: list_names(path, LINK_FROM, names, n);
}

int pins_from_path(char buf[static PATH_MAX], const char *ifname,
		   const char *from)
{
	char name[sizeof(LINK_FROM) + IFNAMSIZ];

	snprintf(name, sizeof(name), LINK_FROM "%s", from);
	replace_char(name, '.', ':');
	return pins_path(buf, ifname, name);
}
