/* bpf.h - what a kernel filter says to a call, computed: the part of classic BPF that libseccomp writes. For a
 * filter that does not end, or has an instruction that we do not know, it is wrong: what no test expects. */
#ifndef TESTS_UNIT_BPF_H
#define TESTS_UNIT_BPF_H

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint32_t bpf_run(
	const struct sock_filter *f, size_t count, const struct seccomp_data *data, uint32_t wrong)
{
	uint32_t a = 0;

	for (size_t pc = 0; pc < count; pc++) {
		bool yes = true;

		switch (f[pc].code) {
		case BPF_LD | BPF_W | BPF_ABS:
			memcpy(&a, (const char *)data + f[pc].k, sizeof a);
			continue;
		case BPF_ALU | BPF_AND | BPF_K:
			a &= f[pc].k;
			continue;
		case BPF_RET | BPF_K:
			return f[pc].k;
		case BPF_JMP | BPF_JA:
			pc += f[pc].k;
			continue;
		case BPF_JMP | BPF_JEQ | BPF_K:
			yes = a == f[pc].k;
			break;
		case BPF_JMP | BPF_JGT | BPF_K:
			yes = a > f[pc].k;
			break;
		case BPF_JMP | BPF_JGE | BPF_K:
			yes = a >= f[pc].k;
			break;
		default:
			return wrong; /* an instruction we do not know */
		}
		pc += yes ? f[pc].jt : f[pc].jf;
	}
	return wrong;
}

#endif
