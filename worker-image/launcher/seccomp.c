/* SPDX-License-Identifier: MIT */
#include "worker-image/launcher/seccomp.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CODE_MAX 4096 /* instructions; the kernel's own limit */
#define JUMP_MAX 255  /* a conditional jump's reach */
#define X32_BIT 0x40000000u
#define NR_SKIPPED 0xffffffffu		      /* -1: what a call's number is after a tracer cancelled it */
#define ALL_CALLS (CUV_SECCOMP_KNOWN_MAX + 2) /* those known, and one for all later ones */

#if defined(__x86_64__)
#define NATIVE_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define NATIVE_ARCH AUDIT_ARCH_AARCH64
#else
#error "the system call filter knows x86-64 and aarch64"
#endif

#define LOAD_NR BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)
#define LOAD_ARCH BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)

/* What becomes of a call: an answer, or its rules. */
struct verdict {
	uint32_t answer;
	const struct cuv_seccomp_check *rules; /* borrowed; NULL: the answer */
	size_t n_rules;
};

/* Calls from first on, up to the next range, share a verdict. */
struct range {
	uint32_t first;
	struct verdict verdict;
};

struct code {
	struct sock_filter at[CODE_MAX];
	size_t n;
	bool zygote; /* rules that are not for zygotes are left out */
	bool full;
};

/* Large, and of no use once a program is built: every fork would copy its pages' table. */
struct workspace {
	struct verdict verdicts[ALL_CALLS];
	struct range ranges[ALL_CALLS];
	struct code code;
};

static size_t emit(struct code *c, uint16_t op, uint32_t k, uint8_t jt, uint8_t jf)
{
	if (c->n == CODE_MAX) {
		c->full = true;
		return CODE_MAX - 1;
	}
	c->at[c->n] = (struct sock_filter){.code = op, .jt = jt, .jf = jf, .k = k};
	return c->n++;
}

static void emit_load(struct code *c, unsigned arg, bool upper)
{
	/* Both architectures are little-endian. */
	emit(c, BPF_LD | BPF_W | BPF_ABS,
	     (uint32_t)(offsetof(struct seccomp_data, args) + arg * sizeof(uint64_t) + (upper ? 4 : 0)), 0, 0);
}

static void emit_return(struct code *c, uint32_t answer)
{
	emit(c, BPF_RET | BPF_K, answer, 0, 0);
}

/* One rule: falls through to its answer where all comparisons hold, and jumps
 * behind it where one does not. */
static void emit_rule(struct code *c, const struct cuv_seccomp_check *rule)
{
	size_t past_if[CUV_SECCOMP_ARGS_MAX], past_unless[CUV_SECCOMP_ARGS_MAX], n_if = 0, n_unless = 0, i;

	for (i = 0; i < CUV_SECCOMP_ARGS_MAX && rule->when[i].op != CUV_ARG_END; i++) {
		const uint32_t value = rule->when[i].value;
		const unsigned arg = rule->when[i].arg;

		switch (rule->when[i].op) {
		case CUV_ARG_LOW_IS:
			emit_load(c, arg, false);
			past_unless[n_unless++] = emit(c, BPF_JMP | BPF_JEQ | BPF_K, value, 0, 0);
			break;
		case CUV_ARG_LOW_HAS:
			emit_load(c, arg, false);
			past_unless[n_unless++] = emit(c, BPF_JMP | BPF_JSET | BPF_K, value, 0, 0);
			break;
		case CUV_ARG_LOW_BITS_NOT:
			emit_load(c, arg, false);
			emit(c, BPF_ALU | BPF_AND | BPF_K, rule->when[i].mask, 0, 0);
			past_if[n_if++] = emit(c, BPF_JMP | BPF_JEQ | BPF_K, value, 0, 0);
			break;
		case CUV_ARG_IS_NOT:
			emit_load(c, arg, true);
			emit(c, BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 2); /* upper bits: it is another */
			emit_load(c, arg, false);
			past_if[n_if++] = emit(c, BPF_JMP | BPF_JEQ | BPF_K, value, 0, 0);
			break;
		case CUV_ARG_END:
			break;
		}
	}
	emit_return(c, SECCOMP_RET_ERRNO | (uint32_t)rule->error);
	/* A rule is at most 4 * 4 + 1 instructions long. */
	for (i = 0; i < n_if; i++)
		c->at[past_if[i]].jt = (uint8_t)(c->n - past_if[i] - 1);
	for (i = 0; i < n_unless; i++)
		c->at[past_unless[i]].jf = (uint8_t)(c->n - past_unless[i] - 1);
}

static void emit_verdict(struct code *c, const struct verdict *v)
{
	size_t i;

	for (i = 0; i < v->n_rules; i++)
		if (!c->zygote || !v->rules[i].zygote)
			emit_rule(c, &v->rules[i]);
	emit_return(c, v->answer);
}

/* Halves the ranges until one is left. */
static void emit_tree(struct code *c, const struct range *r, size_t n)
{
	const size_t half = n / 2;
	size_t at, len;

	if (n == 1) {
		emit_verdict(c, &r->verdict);
		return;
	}
	at = emit(c, BPF_JMP | BPF_JGE | BPF_K, r[half].first, 0, 0);
	emit_tree(c, r, half);
	len = c->n - at - 1;
	if (len > JUMP_MAX) { /* too far: by an unconditional jump, which reaches everywhere */
		emit(c, 0, 0, 0, 0);
		memmove(&c->at[at + 2], &c->at[at + 1], len * sizeof(c->at[0]));
		c->at[at].jf = 1;
		c->at[at + 1] = (struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, (uint32_t)len);
	} else {
		c->at[at].jt = (uint8_t)len;
	}
	emit_tree(c, r + half, n - half);
}

/* Foreign architectures kill, x32 too, which shares our architecture's name. */
static void emit_gate(struct code *c)
{
	emit(c, LOAD_ARCH, 0, 0);
	emit(c, BPF_JMP | BPF_JEQ | BPF_K, NATIVE_ARCH, 1, 0);
	emit_return(c, SECCOMP_RET_KILL_PROCESS);
	emit(c, LOAD_NR, 0, 0);
#if defined(__x86_64__)
	emit(c, BPF_JMP | BPF_JGE | BPF_K, X32_BIT, 0, 2);
	emit(c, BPF_JMP | BPF_JEQ | BPF_K, NR_SKIPPED, 1, 0);
	emit_return(c, SECCOMP_RET_KILL_PROCESS);
#endif
}

/* The one verdict on a call; a number that is in two lists is our mistake. */
static struct verdict *place(struct verdict *all, bool *placed, int nr)
{
	cuv_assert(nr >= 0 && nr <= CUV_SECCOMP_KNOWN_MAX && !placed[nr]);
	placed[nr] = true;
	return &all[nr];
}

static void judge_all(bool zygote, struct verdict all[ALL_CALLS])
{
	static const struct verdict unknown = {.answer = SECCOMP_RET_ERRNO | ENOSYS};
	bool placed[ALL_CALLS] = {0};
	size_t i, n;
	const struct cuv_seccomp_call *calls;
	const struct cuv_seccomp_check *checks;

	for (i = 0; i < ALL_CALLS; i++)
		all[i] = unknown;
	calls = cuv_seccomp_allowed(&n);
	for (i = 0; i < n; i++)
		place(all, placed, calls[i].nr)->answer = SECCOMP_RET_ALLOW;
	calls = cuv_seccomp_denied(&n);
	for (i = 0; i < n; i++)
		place(all, placed, calls[i].nr)->answer =
			zygote && calls[i].zygote ? SECCOMP_RET_ALLOW : SECCOMP_RET_ERRNO | (uint32_t)calls[i].error;
	checks = cuv_seccomp_checks(&n);
	for (i = 0; i < n;) {
		struct verdict *v = place(all, placed, checks[i].nr);

		*v = (struct verdict){.answer = SECCOMP_RET_ALLOW, .rules = &checks[i]};
		while (i + v->n_rules < n && checks[i + v->n_rules].nr == checks[i].nr)
			v->n_rules++;
		i += v->n_rules;
	}
}

static size_t join_ranges(const struct verdict all[ALL_CALLS], struct range ret[ALL_CALLS])
{
	size_t i, n = 0;

	for (i = 0; i < ALL_CALLS; i++) {
		if (n > 0 && !all[i].rules && !ret[n - 1].verdict.rules && all[i].answer == ret[n - 1].verdict.answer)
			continue;
		ret[n++] = (struct range){.first = (uint32_t)i, .verdict = all[i]};
	}
	return n;
}

static int no_memory(struct cuv_error *err)
{
	cuv_error_set(err, CUV_E_UNAVAILABLE, "the system call filter could not be built: no memory");
	return -ENOMEM;
}

static int build(bool zygote, struct cuv_seccomp *ret, struct cuv_error *err)
{
	_cleanup_free_ struct workspace *w = calloc(1, sizeof(*w));
	struct sock_filter *filter;

	if (!w)
		return no_memory(err);
	w->code.zygote = zygote;
	judge_all(zygote, w->verdicts);
	emit_gate(&w->code);
	emit_tree(&w->code, w->ranges, join_ranges(w->verdicts, w->ranges));
	cuv_assert(!w->code.full); /* the lists decide that, nothing else */
	filter = malloc(w->code.n * sizeof(*filter));
	if (!filter)
		return no_memory(err);
	memcpy(filter, w->code.at, w->code.n * sizeof(*filter));
	*ret = (struct cuv_seccomp){.filter = filter, .n = (uint16_t)w->code.n};
	return 0;
}

int cuv_seccomp_build(struct cuv_seccomp *ret, struct cuv_error *err)
{
	return build(false, ret, err);
}

int cuv_seccomp_build_zygote(struct cuv_seccomp *ret, struct cuv_error *err)
{
	return build(true, ret, err);
}

void cuv_seccomp_done(struct cuv_seccomp *s)
{
	free(s->filter);
	*s = CUV_SECCOMP_INIT;
}

int cuv_seccomp_load(const struct cuv_seccomp *s)
{
	struct sock_fprog prog = {.len = s->n, .filter = s->filter};

	cuv_assert(s->n > 0);
	return syscall(__NR_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog) < 0 ? -errno : 0;
}
