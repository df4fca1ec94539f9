/* SPDX-License-Identifier: MIT */
/*
 * One box: the two processes of ours in it that turn it into a sealed place
 * before any foreign code exists.
 *
 *   keeper  (init.c's parent)  makes the namespaces, sets limits, watches
 *   init    pid 1 in the box   init.c: ids, mounts, root; then has no right left
 *                              and only waits; its end is the end of all
 *   program pid 2 in the box   program.c: cgroup, privileges, filter, and when it
 *                              is told what to run: files, limits, exec
 *
 * A box is begun before there is a run for it and waits half-way; what a run
 * brings is sent in as a RUN frame, to init over `status` and, with the
 * descriptors of stdin and files, to the program's process over `order`. Init
 * tells the keeper what happens by one event per message over `status`.
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
	X(SCRATCH, ROOT, "mount the scratch folders")                                                                  \
	X(FORK, NAMESPACES, "start a process")                                                                         \
	X(ORDER, ROOT, "take the order")                                                                               \
	X(IMAGE, ROOT, "mount the image")                                                                              \
	X(STORE, ROOT, "mount the environment")                                                                        \
	X(PIVOT, ROOT, "change the root")                                                                              \
	X(DEV, ROOT, "mount /dev")                                                                                     \
	X(OLD_ROOT, ROOT, "let go of the host's mounts")                                                               \
	X(CGROUP, NAMESPACES, "enter the cgroup")                                                                      \
	X(PRIVILEGES, PRIVILEGES, "give up privileges")                                                                \
	X(SECCOMP, SECCOMP, "load the system call filter")                                                             \
	X(FILES, ROOT, "write the files")                                                                              \
	X(STDIO, ROOT, "connect the streams")                                                                          \
	X(RLIMITS, PRIVILEGES, "set the limits")                                                                       \
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
	CUV_BOX_ENDED = 1, /* at_ns, wait_status, usage, alone */
	CUV_BOX_FAILED,	   /* stage, error, item */
	/* Of a zygote and its boxes only (maker.h): */
	CUV_BOX_WARM,	 /* to the zygote's keeper: it can be forked; pss_bytes, imported, failed */
	CUV_BOX_MADE,	 /* comes with the pidfd of the box's init */
	CUV_BOX_OVER,	 /* to the zygote's keeper: it is dead, why says of what; its runs go on */
	CUV_BOX_WAITING, /* a run is in the box, sealed, and waits for its RUN frame */
	CUV_BOX_MOUNTS,	 /* comes with the box's mount namespace, as it was asked for */
};
struct cuv_box_event {
	enum cuv_box_event_kind kind;
	enum cuv_stage stage;
	int error; /* errno */
	int item;  /* STORE: which of the closure */
	int wait_status;
	bool alone; /* ENDED: nothing but init was left in the box */
	uint64_t at_ns;
	struct rusage usage; /* of the program and the children it waited for */
	uint64_t pss_bytes;
	uint32_t imported; /* packages, as the zygote says */
	uint32_t failed;
	uint32_t forks;		     /* that the zygote has been asked for, ever */
	char why[CUV_WHY_COLD_SIZE]; /* FAILED, OVER: said by the box maker; "" otherwise */
};

/* Memory that keeper, init and the program's process share until it executes;
 * exec takes it from the program. It spares waking anybody when a run starts. */
struct cuv_box_shared {
	volatile uint64_t started_ns; /* just before exec; 0 until then */
};

/* What both processes are given when they are made; borrowed by them. */
struct cuv_box {
	const struct cuv_host *host;
	struct cuv_idmap ids;
	struct cuv_box_shared *shared;
	int status;			       /* init's end of its socket pair */
	int order;			       /* the program's end of its own */
	int out, err;			       /* the program's streams */
	int procs[CUV_CGROUP_HIERARCHIES_MAX]; /* cgroup.procs to enter */
	size_t n_procs;
	bool limit_data; /* no cgroup limits memory: do what a resource limit can */
	bool probe;	 /* no program: the launcher looks at the box from inside */
	/* The program is a zygote and init its box maker; otherwise all -1: */
	int boxes;   /* init's end of the socket on which keepers ask for boxes */
	int control; /* init's end of the zygote's control socket */
	int zygote;  /* the zygote's own */
};

static inline bool cuv_box_is_zygote(const struct cuv_box *b)
{
	return b->boxes >= 0;
}

/* Pid 1 of the box, right after clone. Never returns. */
_noreturn_ void cuv_init_main(const struct cuv_box *box);

/* Pid 2, right after fork. It gets ready when init has written a byte to gate, and executes
 * after a second one; what goes wrong it writes to report. */
struct cuv_program_report {
	enum cuv_stage stage;
	int error; /* errno */
};
_noreturn_ void cuv_program_main(const struct cuv_box *box, int report, int gate);
/* Looks at the box from where a program would: 0, or the number of the layer
 * that does not hold + 1. Runs under the filter. */
int cuv_probe_inside(const struct cuv_box *box);

#endif
