// SPDX-License-Identifier: GPL-2.0-only
/*
 * Loads small tc programs to find out what the running kernel allows.
 * libbpf_probe_bpf_helper() searches the verifier's log for a text, and Linux
 * 6.12 has another text for a forbidden helper.
 */
#include "features.h"

#include <bpf/bpf.h>
#include <unistd.h>

#include "bpf_log.h"

/* Sets a register to an immediate value. */
#define MOV_IMM(reg, value)                                                    \
	{                                                                      \
		.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = reg,           \
		.imm = value                                                   \
	}
#define MOV_REG(to, from)                                                      \
	{                                                                      \
		.code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = to,            \
		.src_reg = from                                                \
	}
#define ADD_IMM(reg, value)                                                    \
	{                                                                      \
		.code = BPF_ALU64 | BPF_ADD | BPF_K, .dst_reg = reg,           \
		.imm = value                                                   \
	}
#define CALL(helper)                                                           \
	{                                                                      \
		.code = BPF_JMP | BPF_CALL, .imm = helper                      \
	}
#define EXIT                                                                   \
	{                                                                      \
		.code = BPF_JMP | BPF_EXIT                                     \
	}

static bool loads(const struct bpf_insn *insns, size_t n)
{
	int fd;

	bpf_log_start(); /* a refusal is an answer, not an error */
	fd = bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "tunload_probe", "GPL",
			   insns, n, NULL);
	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

bool feature_probe_read(void)
{
	static const struct bpf_insn insns[] = {
		MOV_REG(BPF_REG_1, BPF_REG_10),
		ADD_IMM(BPF_REG_1, -8),
		MOV_IMM(BPF_REG_2, 8),
		MOV_IMM(BPF_REG_3, 0),
		CALL(BPF_FUNC_probe_read_kernel),
		MOV_IMM(BPF_REG_0, 0),
		EXIT,
	};

	return loads(insns, sizeof(insns) / sizeof(*insns));
}

bool feature_xfrm(void)
{
	const int size = sizeof(struct bpf_xfrm_state);
	const struct bpf_insn insns[] = {
		MOV_IMM(BPF_REG_2, 0),	 MOV_REG(BPF_REG_3, BPF_REG_10),
		ADD_IMM(BPF_REG_3, -64), MOV_IMM(BPF_REG_4, size),
		MOV_IMM(BPF_REG_5, 0),	 CALL(BPF_FUNC_skb_get_xfrm_state),
		MOV_IMM(BPF_REG_0, 0),	 EXIT,
	};

	return loads(insns, sizeof(insns) / sizeof(*insns));
}
