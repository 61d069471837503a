// SPDX-License-Identifier: GPL-2.0-only
/* `tunload metrics` */
#include "cmd.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "show/show.h"

struct snapshots {
	struct snapshot *all;
	size_t n;
};

static int add_snapshot(struct snapshots *to, const char *ifname)
{
	struct snapshot s;
	int ret = snapshot_read(&s, ifname);

	if (ret)
		return ret;
	ret = push(to->all, to->n, &s);
	if (ret)
		snapshot_free(&s);
	return ret;
}

/* Of all interfaces for NULL: then a bad one does not hide the others. */
static int read_snapshots(struct snapshots *to, const char *ifname)
{
	char(*names)[IFNAMSIZ];
	size_t n;
	int ret;

	if (ifname)
		return add_snapshot(to, ifname);
	ret = pins_list(&names, &n);
	if (ret)
		return ret;
	for (size_t i = 0; i < n; i++)
		if (!pins_foreign(names[i]))
			ret |= add_snapshot(to, names[i]);
	free(names);
	return ret;
}

/* Prints what can be read, also on failure. */
static int print_metrics(FILE *out, enum metrics_format format,
			 const char *ifname)
{
	struct snapshots s = {0};
	int ret = read_snapshots(&s, ifname);

	if (!ret || s.n)
		metrics_print(out, format, s.all, s.n);
	for (size_t i = 0; i < s.n; i++)
		snapshot_free(&s.all[i]);
	free(s.all);
	return ret;
}

/* Closes f, with the rights of a file that all may read, as path. */
static int put_in_place(FILE *f, const char *temporary, const char *path)
{
	bool written = !fflush(f) && !ferror(f) && !fchmod(fileno(f), 0644);

	if (!fclose(f) && written && !rename(temporary, path))
		return OK;
	return fail("%s: cannot write: %s", path, strerror(errno));
}

/* Readers find the former file or the new one, never a part. */
static int write_file(const char *path, const char *ifname)
{
	char temporary[PATH_MAX];
	int fd, ret;
	FILE *f;

	if (snprintf(temporary, sizeof(temporary), "%s.XXXXXX", path) >=
	    (int)sizeof(temporary))
		return fail_usage("metrics: -o: the path is too long");
	fd = mkstemp(temporary);
	f = fd < 0 ? NULL : fdopen(fd, "w");
	if (!f)
		return fail(
			"%s: cannot write: %s; name a file in another directory with -o",
			path, strerror(errno));
	ret = print_metrics(f, METRICS_TEXT, ifname);
	if (ret)
		fclose(f);
	else
		ret = put_in_place(f, temporary, path);
	if (ret)
		unlink(temporary);
	return ret;
}

static int answer_request(const char *ifname)
{
	struct http_request r = http_read(STDIN_FILENO, "/metrics");
	char *body = NULL;
	size_t len = 0;
	FILE *out;
	int ret = OK;

	if (!r.status)
		return OK;
	out = open_memstream(&body, &len);
	if (!out)
		return fail("out of memory");
	if (r.status == 200)
		ret = print_metrics(out, METRICS_OPEN, ifname);
	fclose(out);
	if (ret && !len)
		r.status = 503;
	if (r.status == 200)
		http_answer(STDOUT_FILENO, &r, METRICS_OPEN_TYPE, body, len);
	else if (r.status == 503)
		http_answer(STDOUT_FILENO, &r, "text/plain",
			    "see the journal\n", 16);
	else
		http_answer(STDOUT_FILENO, &r, "text/plain", "GET /metrics\n",
			    13);
	free(body);
	return ret;
}

static int run_metrics(int argc, char **argv)
{
	const char *ifname = NULL, *path = NULL;
	bool http = false;
	const struct opt opts[] = {
		{"output", 'o', .value = &path},
		{"http", .flag = &http},
		{0},
	};
	int ret = take_options(argc, argv, opts);

	if (!ret && optind < argc)
		ret = take_iface(argc, argv, &ifname);
	ret = ret ?: no_more_args(argc, argv);
	if (!ret && http && path)
		ret = fail_usage(
			"metrics: --http answers on standard output: leave it or -o out");
	ret = ret ?: require_bpf();
	if (ret)
		return ret;
	if (path)
		return write_file(path, ifname);
	if (!http)
		return print_metrics(stdout, METRICS_OPEN, ifname);
	signal(SIGPIPE, SIG_IGN);
	return answer_request(ifname);
}

const struct command cmd_metrics = {
	.name = "metrics",
	.run = run_metrics,
	.args = "[IFACE] [-o FILE | --http]",
	.brief = "print counters and states for Prometheus",
	.text = "In OpenMetrics; without IFACE of every attached interface.\n"
		"\n"
		"  -o, --output FILE   to a file for node_exporter's textfile collector,\n"
		"                      replaced as a whole, in the format that it reads\n"
		"  --http              answer a request for /metrics on standard input\n"
		"                      (for the socket unit)\n",
};
