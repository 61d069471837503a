// SPDX-License-Identifier: GPL-2.0-only
/* Where text for people goes: its width and colours; wraps and aligns text. */
#include "show.h"

#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define WIDTH_MIN 80 /* of a narrower terminal, too: it wraps by itself */

void screen_init(struct screen *to)
{
	const char *columns = getenv("COLUMNS"), *term = getenv("TERM");
	const char *no_color = getenv("NO_COLOR");
	struct winsize size = {0};
	uint32_t n = 0;

	*to = (struct screen){.out = stdout, .width = WIDTH_MIN};
	to->terminal = isatty(STDOUT_FILENO) &&
		       !ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
	to->height = size.ws_row;
	if (to->terminal && size.ws_col > to->width)
		to->width = size.ws_col;
	if (columns && number_parse(columns, WIDTH_MIN, UINT16_MAX, &n))
		to->width = n;
	to->colour = to->terminal && !(no_color && *no_color) && term &&
		     strcmp(term, "dumb") != 0;
}

const char *paint(const struct screen *to, enum paint paint)
{
	static const char *const codes[] = {
		[PLAIN] = "\e[0m", [BOLD] = "\e[1m",	[GREEN] = "\e[32m",
		[RED] = "\e[31m",  [YELLOW] = "\e[33m",
	};

	return to->colour ? codes[paint] : "";
}

void print_ends(const struct screen *to, const char *left, const char *right,
		enum paint right_paint)
{
	int gap = WIDTH_MIN - (int)strlen(left) - (int)strlen(right);

	if (!*right)
		fprintf(to->out, "%s\n", left);
	else if (gap >= 2)
		fprintf(to->out, "%s%*s%s%s%s\n", left, gap, "",
			paint(to, right_paint), right, paint(to, PLAIN));
	else
		fprintf(to->out, "%s\n%*s%s%s%s\n", left,
			WIDTH_MIN - (int)strlen(right), "",
			paint(to, right_paint), right, paint(to, PLAIN));
}

/* Returns the length of the first line of a text: it ends at a blank, though
 * not within a `command`, which people copy. */
static size_t line_len(const char *text, size_t columns)
{
	bool command = false;
	size_t len = 0, n;

	for (n = 0; text[n] && (n <= columns || !len); n++) {
		command ^= text[n] == '`';
		if (text[n] == ' ' && !command)
			len = n;
	}
	return n > columns && len ? len : n;
}

void print_under(const struct screen *to, int column, const char *text)
{
	size_t n;

	while (*text) {
		n = line_len(text, WIDTH_MIN - column);
		fprintf(to->out, "%.*s\n", (int)n, text);
		text += n;
		text += strspn(text, " ");
		if (*text)
			fprintf(to->out, "%*s", column, "");
	}
}

void print_labelled(const struct screen *to, int indent, int column,
		    const char *label, const char *fmt, va_list args)
{
	char text[2048];

	vsnprintf(text, sizeof(text), fmt, args);
	fprintf(to->out, "%*s%-*s", indent, "", column - indent, label);
	print_under(to, column, text);
}

const char *human_count(double n, char buf[static HUMAN_STRLEN])
{
	static const char units[] = "\0kMGTPE";
	int unit = 0;

	/* What would be printed as 1000 takes the next unit. */
	for (; n >= (unit ? 999.5 : 1000) && unit < 6; unit++)
		n /= 1000;
	if (!unit)
		snprintf(buf, HUMAN_STRLEN, "%.0f", n);
	else
		snprintf(buf, HUMAN_STRLEN, n < 9.95 ? "%.1f%c" : "%.0f%c", n,
			 units[unit]);
	return buf;
}

const char *human_age(uint64_t now_ns, uint64_t then_ns,
		      char buf[static HUMAN_STRLEN])
{
	uint64_t s = then_ns < now_ns ? (now_ns - then_ns) / NS_PER_S : 0;

	if (!then_ns)
		return strcpy(buf, "never");
	if (s < 120)
		snprintf(buf, HUMAN_STRLEN, "%ju s", (uintmax_t)s);
	else if (s < 2 * 3600)
		snprintf(buf, HUMAN_STRLEN, "%ju min", (uintmax_t)s / 60);
	else if (s < 2 * 86400)
		snprintf(buf, HUMAN_STRLEN, "%ju h", (uintmax_t)s / 3600);
	else
		snprintf(buf, HUMAN_STRLEN, "%ju days", (uintmax_t)s / 86400);
	return buf;
}
