/* SPDX-License-Identifier: MIT */
/*
 * One box: what its keeper prepares, and the two processes of ours that turn it
 * into a sealed place before any foreign code exists.
 *
 *   keeper  (init.c's parent)  opens everything, makes the namespaces, watches
 *   init    pid 1 in the box   init.c: ids, mounts, root; then has no right left
 *                              and only waits; its end is the end of all
 *   program pid 2 in the box   program.c: cgroup, files, limits, privileges,
 *                              filter, exec
 *
 * Init tells the keeper what happens by one message per event over `status`.
 */
#ifndef CUV_LAUNCHER_BOX_H
#define CUV_LAUNCHER_BOX_H

#include "worker-image/launcher/cgroup.h"
#include "worker-image/launcher/host.h"
#include "worker-image/launcher/idmap.h"

#include "lib/proto/messages.h"

#include <sys/resource.h>

/* Steps inside a box that can fail. X(name, layer, "what") */
#define CUV_STAGE_TABLE(X)                                                                                             \
	X(IDS, UID, "take the box's user id")                                                                          \
	X(PROC, PROC, "mount /proc")                                                                                   \
	X(IMAGE, ROOT, "mount the image")                                                                              \
	X(PIVOT, ROOT, "change the root")                                                                              \
	X(OLD_ROOT, ROOT, "let go of the host's mounts")                                                               \
	X(STORE, ROOT, "mount the environment")                                                                        \
	X(TMPFS, ROOT, "mount the scratch folders")                                                                    \
	X(DEV, ROOT, "mount /dev")                                                                                     \
	X(FORK, NAMESPACES, "start a process")                                                                         \
	X(CGROUP, NAMESPACES, "enter the cgroup")                                                                      \
	X(FILES, ROOT, "write the files")                                                                              \
	X(STDIO, ROOT, "connect the streams")                                                                          \
	X(RLIMITS, PRIVILEGES, "set the limits")                                                                       \
	X(PRIVILEGES, PRIVILEGES, "give up privileges")                                                                \
	X(SECCOMP, SECCOMP, "load the system call filter")                                                             \
	X(EXEC, ROOT, "execute the program")

enum cuv_stage {
#define X(name, layer, text) CUV_STAGE_##name,
	CUV_STAGE_TABLE(X)
#undef X
		_CUV_STAGE_MAX,
};
const char *cuv_stage_text(enum cuv_stage s);
enum cuv_layer cuv_stage_layer(enum cuv_stage s);

/* What init reports. Same program on both sides, so it travels as it is. */
enum cuv_box_event_kind {
	CUV_BOX_STARTED = 1, /* at_ns: just before exec */
	CUV_BOX_ENDED,	     /* at_ns, wait_status, usage */
	CUV_BOX_FAILED,	     /* stage, error */
};
struct cuv_box_event {
	enum cuv_box_event_kind kind;
	enum cuv_stage stage;
	int error; /* errno */
	int wait_status;
	uint64_t at_ns;
	struct rusage usage; /* of the program and the children it waited for */
};

struct cuv_box {
	const struct cuv_run *run;   /* borrowed */
	const struct cuv_host *host; /* borrowed */
	struct cuv_idmap ids;
	int status; /* init's end of the socket pair */
	int image;  /* detached mounts, all read-only */
	int dev;
	int closure[CUV_CLOSURE_MAX]; /* as run->closure */
	int in, out, err;	      /* the program's streams */
	int files[CUV_FILES_MAX];     /* as run->files */
	uint64_t file_bytes[CUV_FILES_MAX];
	int procs[CUV_CGROUP_HIERARCHIES_MAX]; /* cgroup.procs to enter */
	size_t n_procs;
	char **envp;
	bool probe; /* no program: the launcher looks at the box from inside */
};

/* Pid 1 of the box, right after clone. Never returns. */
_noreturn_ void cuv_init_main(const struct cuv_box *box);
/* Pid 2, right after fork; failures go to report as a struct cuv_program_report.
 * It executes when init has written a byte to gate. */
struct cuv_program_report {
	enum cuv_stage stage;
	int error; /* 0: about to execute */
	uint64_t at_ns;
};
_noreturn_ void cuv_program_main(const struct cuv_box *box, int report, int gate);
/* Looks at the box from where a program would: 0, or the number of the layer
 * that does not hold + 1. Runs under the filter. */
int cuv_probe_inside(const struct cuv_box *box);

#endif
