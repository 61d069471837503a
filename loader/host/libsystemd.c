// SPDX-License-Identifier: GPL-2.0-only
/* Talks to systemd as a service of it; libsystemd is loaded when needed. */
#include "host.h"

#include <stdio.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

static struct {
	typeof(sd_notify) *notify;
	typeof(sd_watchdog_enabled) *watchdog;
	typeof(sd_journal_sendv) *send;
} systemd;

/* Tries once. */
static bool load_systemd(void)
{
	static const char *const names[] = {"libsystemd.so.0", NULL};
	const struct symbol symbols[] = {
		{"sd_notify", &systemd.notify},
		{"sd_watchdog_enabled", &systemd.watchdog},
		{"sd_journal_sendv", &systemd.send},
		{0},
	};
	static bool tried, loaded;

	if (!tried)
		loaded = library_load(names, symbols);
	tried = true;
	return loaded;
}

void service_notify(const char *state)
{
	if (getenv("NOTIFY_SOCKET") && load_systemd())
		systemd.notify(false, state);
}

uint64_t service_watchdog_ns(void)
{
	uint64_t us = 0;

	if (!getenv("WATCHDOG_USEC") || !load_systemd() ||
	    systemd.watchdog(false, &us) <= 0)
		return 0;
	return us * 1000;
}

/* JOURNAL_STREAM has device and inode of the output that systemd has connected
 * to the journal (systemd.exec(5)): ours may have been redirected since. */
static bool is_journal(int fd)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long device, inode;
	struct stat st;

	return stream && sscanf(stream, "%lu:%lu", &device, &inode) == 2 &&
	       !fstat(fd, &st) && st.st_dev == device && st.st_ino == inode;
}

bool journal_send(const struct iovec *fields, int n)
{
	return is_journal(STDERR_FILENO) && load_systemd() &&
	       !systemd.send(fields, n);
}
