/* SPDX-License-Identifier: MIT */
#include "worker-image/launcher/rlimits.h"

#include <errno.h>

#define STACK_BYTES (8 * CUV_MIB) /* what Linux starts with; a program may raise its own */
#define MEMLOCK_BYTES (8 * CUV_MIB)
#define SIGNALS_PENDING 1024
#define SIGNALS_PENDING_SHARED (64 * SIGNALS_PENDING)
/* Not 0: where core_pattern is a pipe, the host's handler is called all the same,
 * as root, with a stranger's memory. 1 is what stops it. */
#define CORE_BYTES 1

void cuv_rlimits_of(const struct cuv_limits *l, bool limit_data, struct cuv_rlimit ret[CUV_RLIMITS_N])
{
	/* Per process, so it can only be a second line; a second later than the
	 * cgroup's figure, which says how it ended. Hard at once: SIGXCPU could be
	 * caught. */
	const rlim_t cpu_s = (cuv_limits_cpu_ms(l) + 999) / 1000 + 1;
	const rlim_t processes = l->value[CUV_LIMIT_PROCESSES], files = l->value[CUV_LIMIT_DESCRIPTORS];
	/* Counted by user id, as processes are: where ids are shared it is a limit of all
	 * together. But it is one, because the kernel lets what it queues in interrupts, which
	 * signals could be, pass a cgroup's memory limit: 80 bytes for each, without an end. */
	const rlim_t signals = processes == RLIM_INFINITY ? SIGNALS_PENDING_SHARED : SIGNALS_PENDING;
	const rlim_t file_bytes = l->value[CUV_LIMIT_FILE];
	const rlim_t data = limit_data ? (rlim_t)l->value[CUV_LIMIT_MEMORY] : RLIM_INFINITY;
	const struct cuv_rlimit all[] = {
		{RLIMIT_CPU, cpu_s, cpu_s},
		{RLIMIT_NPROC, processes, processes},
		{RLIMIT_NOFILE, files, files},
		{RLIMIT_FSIZE, file_bytes, file_bytes},
		{RLIMIT_CORE, CORE_BYTES, CORE_BYTES},
		{RLIMIT_STACK, STACK_BYTES, RLIM_INFINITY},
		{RLIMIT_MEMLOCK, MEMLOCK_BYTES, MEMLOCK_BYTES},
		{RLIMIT_MSGQUEUE, 0, 0},
		{RLIMIT_SIGPENDING, signals, signals},
		{RLIMIT_NICE, 0, 0},
		{RLIMIT_RTPRIO, 0, 0},
		{RLIMIT_RTTIME, 0, 0},
		{RLIMIT_DATA, data, data},
	};
	size_t i;

	_Static_assert(sizeof(all) / sizeof(all[0]) == CUV_RLIMITS_N, "as many as the header says");
	for (i = 0; i < CUV_RLIMITS_N; i++)
		ret[i] = all[i];
}

int cuv_rlimits_set_core(void)
{
	const struct rlimit core = {.rlim_cur = CORE_BYTES, .rlim_max = CORE_BYTES};

	return prlimit(0, RLIMIT_CORE, &core, NULL) < 0 ? -errno : 0;
}

void cuv_rlimits_raise_shared(void)
{
	const struct rlimit none = {.rlim_cur = RLIM_INFINITY, .rlim_max = RLIM_INFINITY};

	(void)prlimit(0, RLIMIT_NPROC, &none, NULL);
	(void)prlimit(0, RLIMIT_SIGPENDING, &none, NULL);
}

int cuv_rlimits_set(const struct cuv_limits *l, bool limit_data)
{
	struct cuv_rlimit all[CUV_RLIMITS_N];
	size_t i;

	cuv_rlimits_of(l, limit_data, all);
	for (i = 0; i < CUV_RLIMITS_N; i++) {
		struct rlimit want = {.rlim_cur = all[i].soft, .rlim_max = all[i].hard}, have;

		if (prlimit(0, all[i].resource, NULL, &have) < 0)
			return -errno;
		/* Lower limits that we were started under stay. */
		want.rlim_max = CUV_MIN(want.rlim_max, have.rlim_max);
		want.rlim_cur = CUV_MIN(want.rlim_cur, want.rlim_max);
		if (want.rlim_cur == have.rlim_cur && want.rlim_max == have.rlim_max)
			continue;
		if (prlimit(0, all[i].resource, &want, NULL) < 0)
			return -errno;
	}
	return 0;
}
