/* SPDX-License-Identifier: MIT */
/*
 * The limits of the dialects' runs, which their clients can't choose: one table of defaults, each
 * line of which the operator can change by a setting, as `timeout=5,memory=256MiB`. Set before there
 * are threads, read by all of them.
 */
#ifndef CUV_PROFILES_H
#define CUV_PROFILES_H

#include "lib/base/error.h"
#include "lib/proto/limits.h"

/* X(enum suffix, "name", wall time when none is asked for, longest, ms; memory, bytes; CPUs,
 *   thousandths; bytes kept of stdout and stderr each) */
#define CUV_PROFILE_TABLE(X)                                                                                           \
	X(AGENT, "agent", 5000, 30000, 512 * CUV_MIB, 1000, CUV_MIB)                                                   \
	X(LEARN, "pylearn", 5000, 30000, 128 * CUV_MIB, 250, CUV_MIB)                                                  \
	X(MAIN, "main", 10000, 10000, 512 * CUV_MIB, 1000, CUV_MIB)                                                    \
	X(SESSIONS, "sessions", 30000, 30000, 256 * CUV_MIB, 1000, CUV_MIB)

enum cuv_profile {
#define X(suffix, name, wall, wall_max, memory, cpus, output) CUV_PROFILE_##suffix,
	CUV_PROFILE_TABLE(X)
#undef X
		_CUV_PROFILE_MAX,
};

struct cuv_profile_limits {
	uint32_t wall_ms, wall_max_ms;
	uint64_t memory_bytes;
	uint32_t cpus_milli;
	uint64_t output_bytes;
};

/* Of the files of sessions. */
struct cuv_session_limits {
	uint64_t bytes;	    /* of one session */
	uint64_t files;	    /* of one */
	uint64_t sessions;  /* of one owner */
	uint64_t key_bytes; /* of all of an owner's */
	uint64_t all_bytes; /* of everybody's */
	uint64_t idle_s;    /* after which one goes */
};

/* In effect. Borrowed, static. */
const struct cuv_profile_limits *cuv_profile_limits(enum cuv_profile which);
const struct cuv_session_limits *cuv_profile_sessions(void);

/* "agent" or another one's name; -EINVAL for none of them. */
int cuv_profile_find(const char *name, size_t len);
const char *cuv_profile_name(enum cuv_profile which);
/* Changes what the text names and leaves the rest. 0, or -EINVAL with err set (BAD_REQUEST);
 * then nothing has changed. */
int cuv_profile_set(enum cuv_profile which, const char *text, struct cuv_error *err);

#endif
