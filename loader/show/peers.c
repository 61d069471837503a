// SPDX-License-Identifier: GPL-2.0-only
/* `tunload peer list` for people. */
#include "show.h"

#include <string.h>

/* The columns of the table, and their ranks. */
enum { L_PEER, L_ENDPOINT, L_LOCAL, L_ALLOWED, L_MTU, L_PROBE, L_COLUMNS };

static const struct column list_columns[L_COLUMNS] = {
	[L_PEER] = {"PEER"},
	[L_ENDPOINT] = {"ENDPOINT", .rank = 1},
	[L_LOCAL] = {"LOCAL", .rank = 4},
	[L_ALLOWED] = {"ALLOWED IPS", .rank = 2},
	[L_MTU] = {"MTU", .right = true, .rank = 3},
	[L_PROBE] = {"PROBE", .rank = 5},
};

static void list_cell(const void *data, size_t row, int column,
		      char text[static CELL_STRLEN])
{
	const struct peer *p = &((const struct conf *)data)->peers[row];

	switch (column) {
	case L_PEER:
		snprintf(text, CELL_STRLEN, "%s", p->name);
		break;
	case L_ENDPOINT:
		ip_str(&p->endpoint, text);
		break;
	case L_LOCAL:
		ip_str(&p->local, text);
		break;
	case L_ALLOWED:
		allowed_str(p, text);
		break;
	case L_MTU:
		snprintf(text, CELL_STRLEN, "%u", p->mtu);
		break;
	default:
		ip_str(&p->probe, text);
	}
}

static enum paint list_paint(const void *data, size_t row, int column)
{
	const struct peer *p = &((const struct conf *)data)->peers[row];

	return column == L_PEER && *p->waiting ? YELLOW : PLAIN;
}

void peers_text(const struct screen *to, const struct conf *c)
{
	const struct grid grid = {
		.columns = list_columns,
		.n_columns = L_COLUMNS,
		.n_rows = c->n_peers,
		.cell = list_cell,
		.paint = list_paint,
		.data = c,
		.more = "--json",
	};
	bool any = false;

	if (!c->n_peers) {
		fprintf(to->out,
			"no peers: add them with `tunload peer add %s NAME endpoint A allowed-ips P`\n",
			c->ifname);
		return;
	}
	grid_print(to, &grid);
	for_each_peer (p, c) {
		if (!*p->waiting)
			continue;
		fprintf(to->out, "%s%s waits: ", any ? "" : "\n", p->name);
		print_under(to, strlen(p->name) + strlen(" waits: "),
			    p->waiting);
		any = true;
	}
}
