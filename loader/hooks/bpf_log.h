/* SPDX-License-Identifier: GPL-2.0-only */
/* What libbpf and the kernel say when they refuse, kept for our one line. */
#ifndef TUNLOAD_BPF_LOG_H
#define TUNLOAD_BPF_LOG_H

/* Silences libbpf's own lines from here on and forgets what was kept. With
 * TUNLOAD_DEBUG=1 in the environment they still go to standard error. */
void bpf_log_start(void);
/* The kernel's words since bpf_log_start() (extended ack, the end of a verifier
 * log), else libbpf's first warning, else "". */
const char *bpf_log_words(void);

#endif
