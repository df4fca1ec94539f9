/* SPDX-License-Identifier: MIT */
/*
 * What a marker comes to here (PEP 508, and PEP 751's sets `extras` and
 * `dependency_groups`): the platform is the worker image's, CPython on x86_64 Linux.
 *
 * platform_release and platform_version are "": a lock that hangs on the kernel
 * that happens to run would be another one each time.
 *
 * Other than the requirements' parser (marker.h) this one takes every comparison
 * that the standard gives a meaning: what is no version is compared as text.
 */
#ifndef CUV_MARKER_EVAL_H
#define CUV_MARKER_EVAL_H

#include "lib/base/strv.h"
#include "nixenv/pep508_scan.h"

/* Most comparisons in one marker of a lock. */
#define CUV_MARKER_EVAL_TERMS_MAX 512

struct cuv_marker_env {
	const char *python_full;       /* "3.11.2" */
	const struct cuv_strv *extras; /* normalised names; NULL: none */
	const struct cuv_strv *groups; /* the same of dependency groups */
	const char *extra;	       /* what `extra` is, a normalised name; NULL: "" */
};

/* Reads the whole scan. 0 with *ret; -EINVAL with the failure in s. */
int cuv_marker_eval(struct cuv_scan *s, const struct cuv_marker_env *env, bool *ret);

/* Whether a requirement with this canonical marker ("" for none) counts here: one
 * that is not understood does. */
bool cuv_marker_holds(const char *marker, const char *python_full);

#endif
