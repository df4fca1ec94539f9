/* SPDX-License-Identifier: MIT */
/*
 * One run of pep517.py in a box of the launcher: a source distribution goes in, what
 * the project says or its wheel comes out. Foreign code runs there and nowhere else:
 * cold, strict, a box for this one run, without a network, with its inputs read-only
 * and limits of time, memory, processes and disk.
 */
#ifndef CUV_BUILD_BOX_H
#define CUV_BUILD_BOX_H

#include "nixenv/builder/build_answer.h"
#include "nixenv/builder/builder.h"

#define CUV_BUILD_DRIVER "pep517.py"
#define CUV_BUILD_WALL_MS 300000u
#define CUV_BUILD_MEMORY_BYTES (2 * CUV_GIB)
#define CUV_SDIST_BYTES_MAX (256 * CUV_MIB)
#define CUV_BUILT_WHEEL_BYTES_MAX (256 * CUV_MIB)

/* All borrowed. */
struct cuv_build_job {
	int launcher;			   /* its control socket */
	const char *what;		   /* "docopt 0.6.2", for messages */
	const char *root;		   /* store name of the box's root */
	const char *python;		   /* path of its interpreter, for without an environment */
	const struct cuv_environment *env; /* of its build requirements; NULL: none */
	int sdist_fd;			   /* a regular file, read from its beginning */
	const char *subdirectory;	   /* of the source, which becomes the top; NULL: all of it */
	bool inspect;			   /* only ask what the project says */
	const struct cuv_strv *known;	   /* requirements that were asked for before; may be NULL */
	uint64_t deadline_ns;
	int cancel_fd;
};

/* 0 with a complete answer that is no reason; -EINVAL with err: BUILD_FAILED with the last
 * lines of what was printed, BUILD_TIMEOUT, CANCELLED, UNAVAILABLE, OVERLOADED, NO_SPACE
 * or INTERNAL. The answer must have been initialised, and is only used once. */
int cuv_build_box(const struct cuv_build_job *job, struct cuv_build_answer *ret, struct cuv_error *err);

#endif
