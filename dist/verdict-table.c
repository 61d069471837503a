// SPDX-License-Identifier: GPL-2.0-only
/*
 * Prints the verdicts as rows of the manual page's table (tbl(1), one row a
 * verdict: name, fate, text). Runs while building.
 */
#include <stdio.h>

#include "../bpf/verdicts.h"

#define FATE_WORD_TUNNEL "tunnel"
#define FATE_WORD_PASS	 "pass"
#define FATE_WORD_DROP	 "drop"
#define FATE_WORD_ANSWER "answer"

#define ROW(name, fate, report, from, text)                                    \
	printf("%s\t%s\tT{\n%s\nT}\n", #name, FATE_WORD_##fate, text);

int main(void)
{
	TL_VERDICTS(ROW)
	return 0;
}
