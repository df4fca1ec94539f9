/* SPDX-License-Identifier: MIT */
/*
 * A limited child process, run to its end: own process group, built
 * environment, resource limits, captured output with caps, a deadline, and a
 * descriptor whose readiness cancels it.
 *
 * The child dies with the thread that made it (PDEATHSIG); at its end, however
 * it comes, its whole process group is killed. All descriptors above 2 are
 * closed at exec. Call it from single-threaded processes, or with a hook that
 * only makes system calls.
 */
#ifndef CUV_CHILD_H
#define CUV_CHILD_H

#include "lib/base/buf.h"
#include "lib/base/strv.h"

#include <sys/types.h>

/* 0 leaves a limit as it is inherited. */
struct cuv_child_limits {
	uint64_t cpu_s;
	uint64_t memory_bytes; /* address space of each process */
	uint64_t file_bytes;   /* largest file written */
	uint64_t descriptors;
	uint64_t processes; /* of the uid in its user namespace */
};

/* All pointers are borrowed for the call. */
struct cuv_child_spec {
	const char *path; /* what is executed; argv[0] may differ */
	const struct cuv_strv *argv;
	const struct cuv_strv *env; /* "NAME=value"; NULL is the empty environment */
	const char *cwd;	    /* NULL: "/" */
	int stdin_fd;		    /* -1: /dev/null */
	struct cuv_child_limits limits;
	size_t stdout_max; /* bytes kept from the beginning of stdout */
	size_t stderr_max; /* bytes kept of the end of stderr */
	uint64_t deadline_ns;
	int cancel_fd; /* readable or hung up: the child is killed; -1: never */
	/* In the child, last before exec; 0, or -errno which ends it all. */
	int (*before_exec)(void *arg);
	/* In the parent, each time the child has written to stderr. */
	void (*on_stderr)(void *arg, const char *data, size_t len);
	void *arg;
};

#define CUV_CHILD_SPEC_INIT                                                                                            \
	((struct cuv_child_spec){                                                                                      \
		.stdin_fd = -1, .cancel_fd = -1, .deadline_ns = UINT64_MAX, .stdout_max = 65536, .stderr_max = 65536})

enum cuv_child_end {
	CUV_CHILD_EXITED = 1, /* status is its exit status */
	CUV_CHILD_SIGNALED,   /* status is the signal */
	CUV_CHILD_TIMEOUT,    /* killed at the deadline */
	CUV_CHILD_CANCELLED,  /* killed because of cancel_fd */
};

struct cuv_child_result {
	enum cuv_child_end end;
	int status;
	struct cuv_buf out;
	struct cuv_buf err;
	bool out_cut; /* more was written than kept */
	bool err_cut;
	uint64_t wall_ns;
	uint64_t cpu_ns; /* of the child and of those it waited for */
};
#define CUV_CHILD_RESULT_INIT ((struct cuv_child_result){0})
void cuv_child_result_done(struct cuv_child_result *r);
#define _cleanup_child_result_ _cleanup_(cuv_child_result_done)

/* Runs it. 0 when the program was executed (look at ret->end); -errno when it
 * could not be (nothing is left behind; ret stays empty). */
int cuv_child_run(const struct cuv_child_spec *spec, struct cuv_child_result *ret);

/* Starts one that is spoken with: both_fd is its stdin and stdout, err_fd its stderr
 * (-1: /dev/null). Of spec it takes path, argv, env, cwd, limits and before_exec. The
 * pid of a program that was executed, or -errno. It is the caller's to stop. */
pid_t cuv_child_start(const struct cuv_child_spec *spec, int both_fd, int err_fd);
/* Kills it with its process group, and reaps it. */
void cuv_child_stop(pid_t pid);

static inline bool cuv_child_ok(const struct cuv_child_result *r)
{
	return r->end == CUV_CHILD_EXITED && r->status == 0;
}

#endif
