# SPDX-License-Identifier: GPL-2.0-only
"""Single packets through the BPF programs; see README."""
