/* SPDX-License-Identifier: GPL-2.0-only */
/* The functions of keys that are not scalars, for the tables of keys. */
#ifndef TUNLOAD_CONF_KEY_OPS_H
#define TUNLOAD_CONF_KEY_OPS_H

#include "conf.h"

extern const struct key_ops inner_ops, gateway_ops;

#endif
