# SPDX-License-Identifier: GPL-2.0-only
"""All cases of all tables."""

from importlib import import_module

from .case import TABLES

MODULES = ("ingress", "refused", "inner", "ecn", "plain", "icmp",
           "egress", "gateways", "mss", "keys", "large")


def all_cases():
    for name in MODULES:
        import_module(f".{name}", __package__)
    return [case for table in TABLES for case in table()]
