// SPDX-License-Identifier: GPL-2.0-only
/* `tunload capture` */
#include "cmd.h"

#include <errno.h>
#include <stdio_ext.h>
#include <string.h>
#include <unistd.h>

#include "capture/capture.h"

#define SNAPLEN_MOST 262144 /* of tcpdump */

struct words {
	const char *ifname, *peer, *file, *count, *snaplen;
};

static int parse_number(const char *option, const char *word, uint32_t most,
			uint32_t *out)
{
	if (!word || number_parse(word, 1, most, out))
		return OK;
	return fail_usage(
		"capture: %s \"%s\" is not a number from 1 to %u: see `tunload help capture`",
		option, word, most);
}

static int parse_words(int argc, char **argv, struct words *w,
		       struct capture_wish *wish)
{
	const struct opt opts[] = {
		{"write", 'w', .value = &w->file},
		{"count", 'c', .value = &w->count},
		{"snaplen", .value = &w->snaplen},
		{0},
	};
	int ret = take_options(argc, argv, opts)
			  ?: take_iface(argc, argv, &w->ifname);

	if (ret)
		return ret;
	if (optind < argc)
		w->peer = argv[optind++];
	wish->ifname = w->ifname;
	wish->peer = w->peer;
	wish->snaplen = SNAPLEN_MOST;
	return no_more_args(argc, argv)
		       ?: parse_number("--count", w->count, UINT32_MAX,
				       &wish->frames)
		       ?: parse_number("--snaplen", w->snaplen, SNAPLEN_MOST,
				       &wish->snaplen);
}

static int peer_must_run(const struct capture_wish *wish)
{
	struct conf c;
	int ret = state_running_peers(wish->ifname, &c);

	if (ret)
		return ret;
	if (wish->peer && !conf_peer(&c, wish->peer))
		ret = fail_no_peer(&c, wish->peer);
	conf_free(&c);
	return ret;
}

#define BUFFER_SIZE (1 << 20)

static int check_output_file(const struct words *w)
{
	if ((w->file && strcmp(w->file, "-")) || !isatty(STDOUT_FILENO))
		return OK;
	return fail_usage(
		"capture: standard output is a terminal: name a file with -w, or read it, `tunload capture %s -w - | wireshark -k -i -`",
		w->ifname);
}

/* Opens the file, or takes standard output. */
static FILE *begin_output(void *ctx)
{
	const struct words *w = ctx;
	FILE *out = stdout;

	if (w->file && strcmp(w->file, "-"))
		out = fopen(w->file, "we");
	if (!out) {
		fail("%s: cannot write: %s; name another file with -w", w->file,
		     strerror(errno));
		return NULL;
	}
	setvbuf(out, NULL, _IOFBF, BUFFER_SIZE);
	fprintf(stderr, "capturing on %s, ^C ends\n", w->ifname);
	return out;
}

static void say_numbers(const struct capture_result *result)
{
	/* A reader that has gone is no failure of the command. */
	__fpurge(stdout);
	clearerr(stdout);
	fprintf(stderr, "%llu frames written, %llu lost\n",
		(unsigned long long)result->written,
		(unsigned long long)result->lost);
}

static int run_capture(int argc, char **argv)
{
	struct capture_result result = {0};
	struct capture_wish wish = {0};
	struct words words = {0};
	int ret = parse_words(argc, argv, &words, &wish)
			  ?: check_output_file(&words)
			  ?: require_bpf() ?: peer_must_run(&wish);

	if (ret)
		return ret;
	ret = capture(&wish, begin_output, &words, &result);
	if (result.begun)
		say_numbers(&result);
	return ret;
}

const struct command cmd_capture = {
	.name = "capture",
	.run = run_capture,
	.args = "IFACE [PEER] [-w FILE] [-c N] [--snaplen N]",
	.brief = "copy packets, inner and outer, with their verdicts to a file",
	.text = "A tunnelled packet is two frames of a pcapng file, with and without the\n"
		"outer header; a dropped one is the frame that came. Each has the verdict\n"
		"and the peer as its comment. Packets without a tunnel are left out.\n"
		"Works in native mode, too, where tcpdump sees no outer packets that\n"
		"arrive. Live: tunload capture eth0 -w - | wireshark -k -i -\n"
		"\n"
		"  PEER             only packets of this peer\n"
		"  -w, --write FILE write to FILE; - and without it: standard output\n"
		"  -c, --count N    end after N frames\n"
		"  --snaplen N      keep at most N bytes of each frame\n",
};
