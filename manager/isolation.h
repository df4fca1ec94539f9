/* SPDX-License-Identifier: MIT */
/*
 * How much runs may share: what a client asks for (`isolation`), and what the
 * operator allows at most (`zygote-sharing`).
 *
 * A zygote is a process that has imported an environment's packages and that
 * runs are forked from. It is as trustworthy as the packages and runs that it
 * has met, so whoever shares one shares what those could do to it.
 */
#ifndef CUV_ISOLATION_H
#define CUV_ISOLATION_H

#include "manager/job.h"

/* X(enum suffix, "name", "who shares a zygote") */
#define CUV_SHARING_TABLE(X)                                                                                           \
	X(TENANT, "tenant", "runs of the same environment and tenant")                                                 \
	X(ENVIRONMENT, "environment", "runs of the same environment, whoever asks for them")                           \
	X(NONE, "none", "nobody: every run is strict")

enum cuv_sharing {
#define X(suffix, name, text) CUV_SHARING_##suffix,
	CUV_SHARING_TABLE(X)
#undef X
		_CUV_SHARING_MAX,
};
const char *cuv_sharing_name(enum cuv_sharing s);
/* -1: there is none of this name. */
int cuv_sharing_find(const char *name);
/* "tenant, environment or none", for messages. */
#define CUV_SHARING_CHOICES "tenant, environment or none"

/* What a client asks for: "auto" or "strict" (a new interpreter in a new box,
 * as if there were no zygotes). what names the field or option in the message.
 * 0, or -EINVAL with err set (CUV_E_FIELD_INVALID). */
int cuv_isolation_read(const char *what, const char *text, bool *ret_strict, struct cuv_error *err);

/* Writes into a spec whose runs it may share a zygote with. tenant is borrowed
 * for the spec's time. What a client asked for is never widened. */
void cuv_sharing_apply(enum cuv_sharing s, const char *tenant, struct cuv_job_spec *spec);

/* Who comes by HTTP without a key of the store (clients.h). */
#define CUV_TENANT_HTTP "default"

#endif
