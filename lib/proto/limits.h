/* SPDX-License-Identifier: MIT */
/*
 * The limits of a run: names, defaults and maxima, in one table. The manager
 * reads request fields by these names, the launcher enforces the values and
 * refuses what is above the maximum, docs and README list them.
 *
 * Units on the wire: milliseconds, bytes, thousandths of a CPU, or a count. A
 * field in a request is in seconds for milliseconds and in CPUs for thousandths.
 */
#ifndef CUV_LIMITS_H
#define CUV_LIMITS_H

#include "lib/base/base.h"

enum cuv_limit_unit { CUV_UNIT_MS, CUV_UNIT_BYTES, CUV_UNIT_MILLI, CUV_UNIT_COUNT };

#define CUV_MIB (1024ull * 1024ull)
#define CUV_GIB (1024ull * CUV_MIB)

/* X(enum suffix, "request field", unit, default, maximum, "meaning")
 * A default of 0 for CPU_TIME means wall time × CPUs. */
#define CUV_LIMIT_TABLE(X)                                                                                             \
	X(WALL, "timeout", MS, 10000, 300000, "wall time")                                                             \
	X(CPU_TIME, "cpu_time", MS, 0, 1200000, "CPU time of all processes; default wall time times CPUs")             \
	X(MEMORY, "memory", BYTES, 512 * CUV_MIB, 4 * CUV_GIB, "memory, tmpfs pages included; no swap")                \
	X(CPUS, "cpus", MILLI, 1000, 64000, "CPU quota")                                                               \
	X(PROCESSES, "processes", COUNT, 64, 512, "processes and threads")                                             \
	X(DESCRIPTORS, "descriptors", COUNT, 256, 1024, "open descriptors of a process")                               \
	X(STDOUT, "stdout_limit", BYTES, CUV_MIB, 16 * CUV_MIB, "bytes kept of stdout")                                \
	X(STDERR, "stderr_limit", BYTES, CUV_MIB, 16 * CUV_MIB, "bytes kept of stderr")                                \
	X(WORK, "work_size", BYTES, 64 * CUV_MIB, CUV_GIB, "size of the work folder")                                  \
	X(WORK_INODES, "work_inodes", COUNT, 4096, 65536, "files and folders in the work folder")                      \
	X(TMP, "tmp_size", BYTES, 64 * CUV_MIB, CUV_GIB, "size of /tmp")                                               \
	X(SHM, "shm_size", BYTES, 32 * CUV_MIB, CUV_GIB, "size of /dev/shm")                                           \
	X(FILE, "file_size", BYTES, 64 * CUV_MIB, CUV_GIB, "size of one file")                                         \
	X(ARTIFACTS, "artifacts_count", COUNT, 16, 1000, "files given back")                                           \
	X(ARTIFACTS_SIZE, "artifacts_size", BYTES, 8 * CUV_MIB, 64 * CUV_MIB, "size of all files given back")

enum cuv_limit {
#define X(name, field, unit, def, max, text) CUV_LIMIT_##name,
	CUV_LIMIT_TABLE(X)
#undef X
		_CUV_LIMIT_MAX,
};

struct cuv_limits {
	uint64_t value[_CUV_LIMIT_MAX];
};

struct cuv_limit_info {
	const char *field;
	enum cuv_limit_unit unit;
	uint64_t def;
	uint64_t max;
	const char *text;
};

/* Borrowed, static. */
const struct cuv_limit_info *cuv_limit_info(enum cuv_limit limit);
/* The limit whose request field has this name, or -1. */
int cuv_limit_find(const char *field);
/* Fills in the defaults. */
void cuv_limits_default(struct cuv_limits *ret);
/* Reads a request's text for one limit ("2.5", "128MiB") into *l. 0, -EINVAL
 * (not a value of that unit, or zero) or -ERANGE (above the maximum). */
int cuv_limit_parse(enum cuv_limit limit, const char *text, struct cuv_limits *l);
bool cuv_limits_same(const struct cuv_limits *a, const struct cuv_limits *b);
/* CPU time in effect, ms: as given, else wall time × CPUs. */
uint64_t cuv_limits_cpu_ms(const struct cuv_limits *l);
/* The first limit that is zero (CPU_TIME may be) or above its maximum, -1 if none. */
int cuv_limits_check(const struct cuv_limits *l);

/* Bounds of a request that are not choices of the client. */
#define CUV_CODE_BYTES_MAX CUV_MIB
#define CUV_STDIN_BYTES_MAX (16 * CUV_MIB)
#define CUV_UPLOAD_BYTES_MAX (32 * CUV_MIB)
#define CUV_ARGS_MAX 256
#define CUV_ARG_BYTES_MAX 8192
#define CUV_ARGS_BYTES_MAX 32768
#define CUV_FILES_MAX 8
#define CUV_CLOSURE_MAX 512 /* store paths bound into one box */

#endif
