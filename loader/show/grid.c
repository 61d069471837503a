// SPDX-License-Identifier: GPL-2.0-only
/* Prints a table of peers: nothing in it is cut; a column that does not fit is
 * left out. */
#include "show.h"

#include <string.h>

#define GAP 2 /* between columns */

static void measure(const struct grid *g, int width[static GRID_COLUMNS])
{
	char text[CELL_STRLEN];

	for (int c = 0; c < g->n_columns; c++) {
		width[c] = strlen(g->columns[c].head);
		for (size_t row = 0; row < g->n_rows; row++) {
			int n;

			g->cell(g->data, row, c, text);
			n = strlen(text);
			if (n > width[c])
				width[c] = n;
		}
	}
}

/* Sets the width of columns that have no room to -1: the first ones by rank
 * have it. */
static void choose(const struct grid *g, int room,
		   int width[static GRID_COLUMNS])
{
	room += GAP;
	for (int rank = 0; rank < g->n_columns; rank++) {
		for (int c = 0; c < g->n_columns; c++) {
			if (g->columns[c].rank != rank)
				continue;
			if (rank && width[c] + GAP > room)
				width[c] = -1;
			else
				room -= width[c] + GAP;
		}
	}
}

struct line {
	FILE *out;
	int blanks; /* that are due before the next text */
};

static void put_cell(struct line *l, const struct column *column, int width,
		     const char *text, const char *const paints[2])
{
	int pad = width - (int)strlen(text);

	fprintf(l->out, "%*s%s%s%s", l->blanks + (column->right ? pad : 0), "",
		paints[0], text, paints[1]);
	l->blanks = GAP + (column->right ? 0 : pad);
}

static void grid_row(const struct screen *to, const struct grid *g, size_t row,
		     const int width[static GRID_COLUMNS])
{
	struct line l = {to->out, 0};
	char text[CELL_STRLEN];

	for (int c = 0; c < g->n_columns; c++) {
		enum paint how = PLAIN;

		if (width[c] < 0)
			continue;
		g->cell(g->data, row, c, text);
		if (g->paint)
			how = g->paint(g->data, row, c);
		put_cell(&l, &g->columns[c], width[c], text,
			 (const char *[]){how ? paint(to, how) : "",
					  how ? paint(to, PLAIN) : ""});
	}
	fputc('\n', to->out);
}

static void print_left_out(const struct screen *to, const struct grid *g,
			   const int width[static GRID_COLUMNS])
{
	const char *comma = "(no room for ";

	for (int c = 0; c < g->n_columns; c++) {
		if (width[c] >= 0)
			continue;
		fprintf(to->out, "%s%s", comma, g->columns[c].head);
		comma = ", ";
	}
	if (*comma == ',')
		fprintf(to->out, ": see %s, or a wider terminal)\n", g->more);
}

void grid_print(const struct screen *to, const struct grid *g)
{
	struct line l = {to->out, 0};
	int width[GRID_COLUMNS];

	measure(g, width);
	choose(g, to->width, width);
	fputs(paint(to, BOLD), to->out);
	for (int c = 0; c < g->n_columns; c++)
		if (width[c] >= 0)
			put_cell(&l, &g->columns[c], width[c],
				 g->columns[c].head, (const char *[]){"", ""});
	fprintf(to->out, "%s\n", paint(to, PLAIN));
	for (size_t row = 0; row < g->n_rows; row++)
		grid_row(to, g, row, width);
	print_left_out(to, g, width);
}

const char *allowed_str(const struct peer *p, char text[static CELL_STRLEN])
{
	char prefix[PREFIX_STRLEN];

	if (!p->n_allowed)
		snprintf(text, CELL_STRLEN, p->routed ? "routed" : "none");
	else if (p->routed)
		snprintf(text, CELL_STRLEN, "routed +%zu", p->n_allowed);
	else if (p->n_allowed == 1)
		prefix_str(&p->allowed[0], text);
	else
		snprintf(text, CELL_STRLEN, "%s +%zu",
			 prefix_str(&p->allowed[0], prefix), p->n_allowed - 1);
	return text;
}
