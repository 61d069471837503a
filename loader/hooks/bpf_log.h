/* SPDX-License-Identifier: GPL-2.0-only */
/* Keeps the messages of libbpf and the kernel about a refusal, for our error
 * line. */
#ifndef TUNLOAD_BPF_LOG_H
#define TUNLOAD_BPF_LOG_H

/* Stops libbpf from printing and clears the kept messages. With TUNLOAD_DEBUG=1
 * in the environment libbpf still prints to standard error. */
void bpf_log_start(void);
/* The kernel's message since bpf_log_start() (extended ack, the end of a
 * verifier log), else libbpf's first warning, else "". */
const char *bpf_log_words(void);

#endif
