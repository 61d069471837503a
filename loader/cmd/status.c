// SPDX-License-Identifier: GPL-2.0-only
/* `tunload status` */
#include "cmd.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "show/show.h"

#define WATCH_S	    2 /* --watch alone */
#define WATCH_MAX_S 3600

struct status_args {
	const char *ifname; /* NULL: all */
	char **names;	    /* of peers; none: all */
	size_t n_names;
	bool json, verbose, watch;
	double every_s;
	struct samples samples; /* of --watch */
};

/* Appends to list or, if that is NULL, prints text. */
static int show_one(const char *ifname, struct status_args *a, json_t *list,
		    FILE *out)
{
	struct next_hop hop = {0};
	struct screen to;
	struct snapshot s;
	int ret = snapshot_read(&s, ifname);

	if (ret)
		return ret;
	hop.oif = s.conf.ifindex;
	s.last_hop = &hop;
	screen_init(&to);
	to.out = out;
	ret = snapshot_select(&s, a->names, a->n_names);
	if (!ret && a->watch)
		ret = rates_take(&a->samples, &s);
	if (!ret && !list)
		ret = status_text(&to, &s, a->verbose);
	else if (!ret && json_array_append_new(list, status_json(&s)))
		ret = fail("out of memory");
	snapshot_free(&s);
	return ret;
}

static int show_all(struct status_args *a, json_t *list)
{
	char(*names)[IFNAMSIZ];
	size_t n, shown = 0;
	int ret = pins_list(&names, &n);

	if (ret)
		return ret;
	for (size_t i = 0; i < n; i++) {
		if (!list && i)
			putchar('\n');
		if (!pins_foreign(names[i])) {
			ret |= show_one(names[i], a, list, stdout);
			shown++;
		} else if (!list) {
			printf("%s: attached in another network namespace\n",
			       names[i]);
		}
	}
	free(names);
	if (!list && !shown)
		printf("no interface is attached here: run `tunload attach IFACE`\n");
	return ret;
}

static int show_json(struct status_args *a)
{
	json_t *list = json_array();
	int ret = a->ifname ? show_one(a->ifname, a, list, NULL)
			    : show_all(a, list);

	if (!a->ifname)
		return json_print(list, JSON_INDENT(2)) ?: ret;
	if (!ret)
		ret = json_print(json_incref(json_array_get(list, 0)),
				 JSON_INDENT(2));
	json_decref(list);
	return ret;
}

/* Returns the length of as many whole lines of text as fit. */
static size_t lines_len(const char *text, size_t len, int lines)
{
	const char *at = text, *end = text + len;

	while (lines-- && at < end) {
		const char *newline = memchr(at, '\n', end - at);

		at = newline ? newline + 1 : end;
	}
	return at - text;
}

/* Redraws a terminal from its top, as far as it reaches; else prints blocks. */
static int draw(const char *text, size_t len)
{
	struct screen to;

	screen_init(&to);
	if (to.terminal && to.height)
		len = lines_len(text, len, to.height - 1);
	if (to.terminal)
		printf("\e[H\e[J");
	fwrite(text, 1, len, stdout);
	if (!to.terminal)
		putchar('\n');
	if (fflush(stdout) || ferror(stdout))
		return fail("cannot write to standard output");
	return OK;
}

static int draw_now(struct status_args *a)
{
	time_t now = time(NULL);
	char *text = NULL, clock[32];
	size_t len = 0;
	struct tm tm;
	FILE *out = open_memstream(&text, &len);
	int ret;

	if (!out)
		return fail("out of memory");
	strftime(clock, sizeof(clock), "%F %T", localtime_r(&now, &tm));
	fprintf(out, "%s, every %g s, ^C ends\n", clock, a->every_s);
	ret = show_one(a->ifname, a, NULL, out);
	if (fclose(out) && !ret)
		ret = fail("out of memory");
	if (!ret)
		ret = draw(text, len);
	free(text);
	return ret;
}

static int watch_status(struct status_args *a)
{
	const struct timespec every = {
		.tv_sec = a->every_s,
		.tv_nsec = (a->every_s - (time_t)a->every_s) * NS_PER_S,
	};
	sigset_t signals;
	int ret;

	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	do
		ret = draw_now(a);
	while (!ret && sigtimedwait(&signals, NULL, &every) < 0);
	free(a->samples.all);
	return ret;
}

static int check_watch(struct status_args *a, const char *every)
{
	char *end;

	a->watch = every;
	if (!a->watch)
		return OK;
	a->every_s = *every ? strtod(every, &end) : WATCH_S;
	if (*every && (every[strspn(every, "0123456789.")] || *end ||
		       a->every_s < 0.1 || a->every_s > WATCH_MAX_S))
		return fail_usage(
			"status: --watch \"%s\" is not a number of seconds from 0.1 to %d",
			every, WATCH_MAX_S);
	if (a->json)
		return fail_usage(
			"status: --watch is for people: leave it or --json out");
	if (!a->ifname)
		return fail_usage(
			"status: --watch needs an interface: write `tunload status IFACE --watch`");
	return OK;
}

static int run_status(int argc, char **argv)
{
	struct status_args a = {0};
	const char *every = NULL;
	const struct opt opts[] = {
		{"json", .flag = &a.json},
		{"verbose", 'v', .flag = &a.verbose},
		{"watch", .value = &every, .number = true},
		{0},
	};
	int ret = take_options(argc, argv, opts);

	if (!ret && optind < argc)
		ret = take_iface(argc, argv, &a.ifname);
	a.names = argv + optind;
	a.n_names = argc - optind;
	ret = ret ?: check_watch(&a, every) ?: require_bpf();
	if (ret)
		return ret;
	if (a.json)
		return show_json(&a);
	if (a.watch)
		return watch_status(&a);
	return a.ifname ? show_one(a.ifname, &a, NULL, stdout)
			: show_all(&a, NULL);
}

const struct command cmd_status = {
	.name = "status",
	.run = run_status,
	.args = "[IFACE [PEER...]] [-v] [--watch [S]] [--json]",
	.brief = "show what runs, its peers and what is wrong with them",
	.text = "Without IFACE: every attached interface. Peers that need attention come\n"
		"first. States: waiting, no answer, silent, idle, up (see tunload(8)).\n"
		"\n"
		"  -v, --verbose   all about each peer, and every verdict\n"
		"  --watch [S]     again every S seconds (2), with the rates since then\n"
		"  --json          for programs\n",
};
