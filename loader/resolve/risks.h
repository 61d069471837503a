/* SPDX-License-Identifier: GPL-2.0-only */
/* What a configuration may do to its host that nobody meant. */
#ifndef TUNLOAD_RISKS_H
#define TUNLOAD_RISKS_H

#include "conf/conf.h"

/* Warnings about c, which resolve() has passed: default routes, prefixes that
 * hold addresses of this host, MTUs above the interface's. */
void warn_risks(const struct conf *c);
/* There is no file for this interface: a warning for each file that is there
 * for an interface that is not. */
void warn_lonely_files(void);

#endif
