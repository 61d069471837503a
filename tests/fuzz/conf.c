// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fuzz target: the configuration reader. The input is the file.
 * Needs: loader/base/ loader/conf/
 */
#include "fuzz.h"

#include <sys/mman.h>
#include <unistd.h>

#include "conf/conf.h"

/* Writes the bytes to a file in memory, the same one each time; returns its
 * name. */
static const char *memory_file(const void *bytes, size_t n)
{
	static char name[32];
	static int fd = -1;

	if (fd < 0)
		fd = memfd_create("conf", 0);
	CHECK(fd >= 0 && !ftruncate(fd, 0));
	CHECK(pwrite(fd, bytes, n, 0) == (ssize_t)n);
	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	return name;
}

/* Calls a function that reads or checks c; checks that it prints nothing on
 * standard error if it returns OK, else one line of text. */
static int run_checked(int (*run)(struct conf *c), struct conf *c)
{
	FILE *saved = stderr;
	char *said = NULL;
	size_t n = 0;
	int ret;

	stderr = open_memstream(&said, &n);
	CHECK(stderr);
	ret = run(c);
	fclose(stderr);
	stderr = saved;
	CHECK(ret == OK || ret == USAGE);
	CHECK((ret == OK) == (n == 0));
	if (n) {
		CHECK(!strncmp(said, "tunload: ", 9) && n > 10);
		CHECK(strlen(said) == n && strchr(said, '\n') == said + n - 1);
	}
	free(said);
	return ret;
}

static const char *file;

static int read_it(struct conf *c)
{
	return conf_read(c, file);
}

static int check_it(struct conf *c)
{
	return conf_check(c);
}

/* Reads and checks a configuration; returns false if it is refused. */
static bool good(struct conf *c, const void *bytes, size_t n)
{
	conf_init(c, "eth0");
	file = memory_file(bytes, n);
	return !run_checked(read_it, c) && !run_checked(check_it, c);
}

static char *written(const struct conf *c, size_t *n)
{
	char *text = NULL;
	FILE *out = open_memstream(&text, n);

	CHECK(out);
	conf_write(out, c);
	CHECK(!fclose(out));
	return text;
}

/* The text written of c can be read, and is the same when written again. */
static void check_round_trip(const struct conf *c)
{
	struct conf again;
	size_t n, m;
	char *text = written(c, &n), *twice;

	CHECK(good(&again, text, n));
	CHECK(again.n_peers == c->n_peers);
	twice = written(&again, &m);
	CHECK(m == n && !memcmp(text, twice, n));
	free(twice);
	free(text);
	conf_free(&again);
}

static void check_copy(const struct conf *c)
{
	struct conf copy;
	size_t n, m;
	char *text = written(c, &n), *copied;

	CHECK(!conf_copy(&copy, c));
	copied = written(&copy, &m);
	CHECK(m == n && !memcmp(text, copied, n));
	free(copied);
	free(text);
	conf_free(&copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct conf c;

	if (good(&c, data, n)) {
		check_round_trip(&c);
		check_copy(&c);
	}
	conf_free(&c);
	return 0;
}
