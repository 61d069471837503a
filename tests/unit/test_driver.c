// SPDX-License-Identifier: GPL-2.0-only
/* What `check` says of drivers, above all of Amazon's: ioctl() plays one.
 * Needs: loader/base/ loader/check/driver.c loader/host/nic.c
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>

#include "check/check.h"

#undef fail /* of base.h */
#include <cmocka.h>

/* The driver, and what is said. */
static struct nic played;
static char said[2048];
static bool one;

int ioctl(int fd, unsigned long request, ...)
{
	struct ethtool_drvinfo *info;
	struct ethtool_channels *channels;
	struct ifreq *req;
	va_list args;

	va_start(args, request);
	req = va_arg(args, struct ifreq *);
	va_end(args);
	assert_true(fd >= 0);
	assert_int_equal(request, SIOCETHTOOL);
	assert_string_equal(req->ifr_name, "eth0");
	info = (void *)req->ifr_data;
	channels = (void *)req->ifr_data;
	if (info->cmd == ETHTOOL_GDRVINFO)
		strcpy(info->driver, played.driver);
	else if (info->cmd != ETHTOOL_GCHANNELS || !played.channels_max)
		return -1;
	else
		channels->combined_count = played.channels;
	if (info->cmd == ETHTOOL_GCHANNELS)
		channels->max_combined = played.channels_max;
	return 0;
}

bool one_cpu(const struct snapshot *s, char *mask, size_t len)
{
	(void)s;
	snprintf(mask, len, "ff");
	return one;
}

static void say(const char *fmt, va_list args)
{
	size_t n = strlen(said);

	vsnprintf(said + n, sizeof(said) - n, fmt, args);
}

__attribute__((format(printf, 1, 2))) static void add(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	say(fmt, args);
	va_end(args);
}

void found(struct check *c, enum level level, const char *what,
	   const struct peer *p, const char *fmt, ...)
{
	static const char *const names[] = {"ok", "warning", "failure"};
	va_list args;

	(void)c;
	assert_null(p);
	add("%s, %s: ", names[level], what);
	va_start(args, fmt);
	say(fmt, args);
	va_end(args);
	add("\n");
}

void mend(struct check *c, const char *fmt, ...)
{
	va_list args;

	(void)c;
	add("-> ");
	va_start(args, fmt);
	say(fmt, args);
	va_end(args);
	add("\n");
}

#define MTU_SAID                                                                \
	"MTU for XDP: ena takes native XDP up to an MTU of 3498, and eth0 has " \
	"9001\n-> ip link set eth0 mtu 3498\n"
#define CHANNELS_SAID                                                          \
	"channels for XDP: ena takes native XDP with at most half of its "     \
	"channels in use, and eth0 uses 8 of 8\n"                              \
	"-> ethtool -L eth0 combined 4\n"
#define TC_SAID                                                                \
	"warning, tc mode: packets are taken in tc, which costs more than "    \
	"native XDP: no room\n-> tunload attach eth0 --mode auto\n"
#define GSO_SAID                                                               \
	"warning, GSO: native XDP on veth switches GSO off, which costs more " \
	"than it saves: mode = tc is faster there\n"                           \
	"-> tunload attach eth0 --mode tc\n"
#define CPU_SAID                                                               \
	"warning, one CPU: a tunnel is one flow for the network card, so one " \
	"CPU does its work: RPS spreads it by inner flow\n"                    \
	"-> echo ff | tee /sys/class/net/eth0/queues/rx-*/rps_cpus\n"

/* Of what is attached; NONE: nothing is. */
#define NONE -1

static const struct {
	struct nic nic;
	uint32_t mtu;
	enum tl_mode asked;
	int runs; /* the mode */
	bool one;
	const char *said;
} rows[] = {
	{{"ena", 8, 8},
	 9001,
	 TL_MODE_AUTO,
	 NONE,
	 false,
	 "warning, " MTU_SAID "warning, " CHANNELS_SAID},
	{{"ena", 8, 8},
	 9001,
	 TL_MODE_NATIVE,
	 NONE,
	 false,
	 "failure, " MTU_SAID "failure, " CHANNELS_SAID},
	{{"ena", 8, 8}, 9001, TL_MODE_TC, NONE, false, ""},
	{{"ena", 8, 8},
	 3498,
	 TL_MODE_AUTO,
	 NONE,
	 false,
	 "warning, " CHANNELS_SAID},
	{{"ena", 4, 8}, 9001, TL_MODE_AUTO, NONE, false, "warning, " MTU_SAID},
	{{"ena", 4, 8}, 3498, TL_MODE_AUTO, NONE, false, ""},
	{{"ena", 1, 1}, 1500, TL_MODE_AUTO, NONE, false, ""},
	{{"ena", 0, 0}, 1500, TL_MODE_AUTO, NONE, false, ""},
	{{"vif", 8, 8}, 9001, TL_MODE_AUTO, NONE, true, ""},
	{{"ena", 8, 8},
	 9001,
	 TL_MODE_AUTO,
	 TL_MODE_TC,
	 false,
	 "warning, " MTU_SAID "warning, " CHANNELS_SAID TC_SAID},
	{{"ena", 4, 8}, 3498, TL_MODE_AUTO, TL_MODE_TC, true, TC_SAID CPU_SAID},
	{{"ena", 4, 8}, 3498, TL_MODE_TC, TL_MODE_TC, false, ""},
	{{"ena", 4, 8}, 3498, TL_MODE_AUTO, TL_MODE_NATIVE, true, CPU_SAID},
	{{"veth", 0, 0}, 1500, TL_MODE_NATIVE, TL_MODE_NATIVE, false, GSO_SAID},
	{{"veth", 0, 0}, 1500, TL_MODE_TC, TL_MODE_TC, false, ""},
};

static void test_driver(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct check c = {
			.conf = {.ifname = "eth0", .mode = rows[i].asked},
			.link.mtu = rows[i].mtu,
			.attached = rows[i].runs != NONE,
		};

		c.now.iface.mode = rows[i].runs;
		c.now.iface.mode_asked = rows[i].asked;
		strcpy(c.now.iface.mode_reason, "no room");
		played = rows[i].nic;
		one = rows[i].one;
		said[0] = '\0';
		assert_int_equal(check_driver(&c), OK);
		assert_string_equal(said, rows[i].said);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_driver),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
