/* SPDX-License-Identifier: MIT */
/*
 * What is said to a zygote, and what it says.
 *
 * A zygote is an interpreter with one environment's packages imported, forked
 * for each run. After its first import it is foreign code, so only the box maker
 * (worker-image/launcher/maker.c), which has rights in the zygote's own user
 * namespace and nowhere else, ever reads what it sends, and believes none of it.
 *
 *   zygote's control socket, descriptor 3 (SOCK_SEQPACKET):
 *     zygote → box maker   cuv_zygote_ready, once, when it has imported
 *     box maker → zygote   cuv_zygote_fork with CUV_ZYGOTE_FDS descriptors
 *   a run's hello socket, one of those descriptors:
 *     run → box maker      cuv_zygote_hello, once: it is sealed and waits, or what
 *                          went wrong; the kernel tells the box maker whose it is
 *   a run's order socket, another of them:
 *     keeper → run         a RUN frame with the descriptors of stdin and the files
 *                          (lib/proto/messages.h); then the program runs
 */
#ifndef CUV_ZYGOTE_PROTOCOL_H
#define CUV_ZYGOTE_PROTOCOL_H

#include <stdint.h>

/* Another one whenever anything here changes, or the RUN frame: the zygotes of a store that was
 * made before are not used then, and their runs are cold until `make store` has made new ones. */
#define CUV_ZYGOTE_VERSION 2u
#define CUV_ZYGOTE_CONTROL_FD 3

/* argv of the zygote: [1] is the python that a run would execute
 * ("/nix/store/…/bin/python"), [2] one of these words. Its environment is
 * exactly the one its runs have. */
#define CUV_ZYGOTE_PRELOAD_PACKAGES "packages" /* import the environment's packages */
#define CUV_ZYGOTE_PRELOAD_NOTHING "nothing"   /* the bare interpreter */

struct cuv_zygote_ready {
	uint32_t version;
	uint32_t imported; /* top-level packages that were imported */
	uint32_t failed;   /* that raised, and were left out */
	uint32_t reserved;
	uint64_t import_ns;
};

struct cuv_zygote_fork {
	uint32_t version;
	uint32_t rehearse; /* 1: it waits before it is wanted; touch what every run writes to */
};

/* The descriptors of cuv_zygote_fork, in this order. */
enum cuv_zygote_fd {
	CUV_ZYGOTE_FD_PID, /* namespaces of the box */
	CUV_ZYGOTE_FD_MNT,
	CUV_ZYGOTE_FD_NET,
	CUV_ZYGOTE_FD_IPC,
	CUV_ZYGOTE_FD_UTS,
	CUV_ZYGOTE_FD_CGROUP,
	CUV_ZYGOTE_FD_HELLO,
	CUV_ZYGOTE_FD_ORDER,
	CUV_ZYGOTE_FD_OUT, /* the run's stdout and stderr */
	CUV_ZYGOTE_FD_ERR,
	CUV_ZYGOTE_FDS,
};

/* Steps of a run that can fail before it has its order. */
enum cuv_zygote_step {
	CUV_ZYGOTE_STEP_NONE, /* all is well: sealed, waiting */
	CUV_ZYGOTE_STEP_FORK,
	CUV_ZYGOTE_STEP_NAMESPACES,
	CUV_ZYGOTE_STEP_PRIVILEGES,
	CUV_ZYGOTE_STEP_FILTER,
	CUV_ZYGOTE_STEP_RANDOM, /* generators could not be seeded anew */
	/* After the first hello, when the order can't be carried out. A run that says
	 * one of these ends with CUV_ZYGOTE_REFUSED, and no line of its program has run; one that began
	 * has closed its hello socket. */
	CUV_ZYGOTE_STEP_ORDER,
	CUV_ZYGOTE_STEP_FILES,
	CUV_ZYGOTE_STEP_STREAMS,
	CUV_ZYGOTE_STEP_LIMITS,
};

#define CUV_ZYGOTE_REFUSED 127

struct cuv_zygote_hello {
	uint32_t version;
	uint32_t step;
	int32_t error; /* errno */
	uint32_t reserved;
};

#endif
