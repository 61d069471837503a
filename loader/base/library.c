// SPDX-License-Identifier: GPL-2.0-only
/* Loads libraries that only a few commands need. */
#include "base.h"

#include <dlfcn.h>
#include <string.h>

#define NAMES (sizeof(((struct library *)NULL)->names) / sizeof(char *))

static bool find_symbols(const struct library *l)
{
	const struct symbol *s = l->symbols;
	void *lib = NULL;

	for (size_t i = 0; !lib && i < NAMES && l->names[i]; i++)
		lib = dlopen(l->names[i], RTLD_NOW);
	for (; lib && s->name; s++) {
		void *symbol = dlsym(lib, s->name);

		if (!symbol)
			return false;
		memcpy(s->to, &symbol, sizeof(symbol));
	}
	return lib;
}

bool library_load(struct library *l)
{
	if (!l->tried)
		l->loaded = find_symbols(l);
	l->tried = true;
	return l->loaded;
}
