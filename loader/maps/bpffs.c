// SPDX-License-Identifier: GPL-2.0-only
/* Mounts a bpffs for the pins if there is none, and refuses one that would
 * vanish with this mount namespace. */
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

bool dir_empty(const char *path)
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

int bpffs_mount(struct pins *p, bool is_default)
{
	const char *dir = pins_bpffs();
	int ret = is_bpffs(dir) ? OK : mount_locked(p, dir);

	if (ret || !is_default || !is_private(dir))
		return ret;
	if (p->mounted)
		umount(dir);
	p->mounted = false;
	return fail(
		"the bpffs at \"%s\" belongs to this mount namespace alone and would vanish with it, the tunnels too: enter a network namespace with `nsenter --net=/run/netns/NAME`, not with `ip netns exec`, or name a bpffs that stays with --bpffs",
		dir);
}
