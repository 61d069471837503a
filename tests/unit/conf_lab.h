/* SPDX-License-Identifier: GPL-2.0-only */
/* Helpers that read configurations from text and check the errors. */
#ifndef TUNLOAD_CONF_LAB_H
#define TUNLOAD_CONF_LAB_H

#include <stdarg.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#undef fail /* error.h has a function of that name */

#include "conf/conf.h"

#define LEN(array) (sizeof(array) / sizeof(*(array)))

/* A valid section of a peer, for tests that append a line to it. */
#define PEER "[peer tokyo]\nendpoint = 192.0.2.1\nallowed-ips = 10.10.0.0/24\n"

/* Returns the standard error of run(arg), without "tunload: ", in a static
 * buffer. */
static inline const char *said(int (*run)(void *arg), void *arg, int *ret)
{
	static char text[4096];
	FILE *to = tmpfile();
	int saved = dup(STDERR_FILENO);
	size_t n;

	fflush(stderr);
	dup2(fileno(to), STDERR_FILENO);
	*ret = run(arg);
	fflush(stderr);
	dup2(saved, STDERR_FILENO);
	close(saved);
	rewind(to);
	n = fread(text, 1, sizeof(text) - 1, to);
	fclose(to);
	text[n] = '\0';
	if (n && text[n - 1] == '\n')
		text[n - 1] = '\0';
	return strncmp(text, "tunload: ", 9) ? text : text + 9;
}

/* Writes n bytes to the file "c" in the working directory, which is one of the
 * test's own: errors name the file "c". */
static inline void write_file(const void *bytes, size_t n)
{
	FILE *f = fopen("c", "w");

	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, n, f), n);
	assert_int_equal(fclose(f), 0);
}

static inline int enter_directory(void **state)
{
	static char dir[] = "/tmp/tunload-conf-XXXXXX";

	*state = dir;
	return mkdtemp(dir) ? chdir(dir) : -1;
}

static inline int leave_directory(void **state)
{
	unlink("c");
	return chdir("/") ?: rmdir(*state);
}

static inline int read_and_check(void *arg)
{
	struct conf *c = arg;
	int ret;

	conf_init(c, "eth0");
	ret = conf_read(c, "c");
	return ret ?: conf_check(c);
}

/* Asserts that the configuration is valid. */
static inline void read_good(struct conf *c, const char *text)
{
	const char *error;
	int ret;

	write_file(text, strlen(text));
	error = said(read_and_check, c, &ret);
	assert_string_equal(error, "");
	assert_int_equal(ret, OK);
}

/* Asserts that the configuration is refused with this error. */
static inline void read_bad(const char *text, const char *line)
{
	const char *error;
	struct conf c;
	int ret;

	write_file(text, strlen(text));
	error = said(read_and_check, &c, &ret);
	conf_free(&c);
	assert_string_equal(error, line);
	assert_int_equal(ret, USAGE);
}

/* Sets a key of a peer, as `peer set` does. */
static inline int peer_set(struct peer *p, struct origin from, const char *key,
			   const char *value)
{
	const struct key *k = key_find(p, from, key);

	return k ? key_set(k, p, from, value) : USAGE;
}

static inline void expect_prefix(const struct prefix *p, const char *text)
{
	char buf[PREFIX_STRLEN];

	assert_string_equal(prefix_str(p, buf), text);
}

#endif
