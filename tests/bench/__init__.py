# SPDX-License-Identifier: GPL-2.0-only
"""Measures speed and memory; `make bench` runs it and writes the tables of
docs/performance.md."""
