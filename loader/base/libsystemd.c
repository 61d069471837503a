// SPDX-License-Identifier: GPL-2.0-only
/* Talks to systemd as a service of it; libsystemd is loaded when needed. */
#include "base.h"

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

static bool load_systemd(void)
{
	static const struct symbol symbols[] = {
		{"sd_notify", &systemd.notify},
		{"sd_watchdog_enabled", &systemd.watchdog},
		{"sd_journal_sendv", &systemd.send},
		{0},
	};
	static struct library lib = {.names = {"libsystemd.so.0"},
				     .symbols = symbols};

	return library_load(&lib);
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

bool journal_send(const struct iovec *fields, int n)
{
	return stderr_is_journal() && load_systemd() &&
	       !systemd.send(fields, n);
}
