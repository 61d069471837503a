// SPDX-License-Identifier: GPL-2.0-only
/* Loads libraries that only a few commands need. */
#include "base.h"

#include <dlfcn.h>
#include <string.h>

bool library_load(const char *const *names, const struct symbol *symbols)
{
	void *lib = NULL;

	for (; !lib && *names; names++)
		lib = dlopen(*names, RTLD_NOW);
	for (; lib && symbols->name; symbols++) {
		void *symbol = dlsym(lib, symbols->name);

		if (!symbol)
			return false;
		memcpy(symbols->to, &symbol, sizeof(symbol));
	}
	return lib;
}
