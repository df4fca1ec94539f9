/* SPDX-License-Identifier: MIT */
/* What `cuvette doctor` finds: a list of findings, filled in by doctor_host.c
 * (what can be seen without any process of ours) and doctor_crew.c (what
 * launcher and builder say of themselves). */
#ifndef CUV_DOCTOR_H
#define CUV_DOCTOR_H

#include "lib/base/error.h"
#include "lib/proto/messages.h"

enum cuv_finding_state { CUV_FOUND_OK, CUV_FOUND_DEGRADED, CUV_FOUND_MISSING, CUV_FOUND_INFO };

struct cuv_finding {
	const char *group; /* static: "host", "layers", "store", "service" */
	const char *name;  /* static */
	enum cuv_finding_state state;
	bool allowed;	/* a degraded layer that the operator has allowed */
	char text[256]; /* what is there */
	char fix[1024]; /* what to do; "" when nothing */
};

#define CUV_FINDINGS_MAX 48
struct cuv_findings {
	struct cuv_finding item[CUV_FINDINGS_MAX];
	size_t n;
};

/* Adds one; the texts are cut at their sizes. */
struct cuv_finding *cuv_findings_add(struct cuv_findings *f, const char *group, const char *name,
				     enum cuv_finding_state state);
void cuv_finding_text(struct cuv_finding *f, const char *fmt, ...) _printf_(2, 3);
void cuv_finding_fix(struct cuv_finding *f, const char *fmt, ...) _printf_(2, 3);

/* Nix, kernel, namespaces, ids, cgroups, Landlock, seccomp. */
void cuv_doctor_host(struct cuv_findings *f);

struct cuv_doctor_spec {
	const char *state;   /* NULL: the default place */
	const char *allowed; /* "layer,layer", "" none */
	bool online;	     /* ask the index for something */
	bool layers_only;
};
/* Service, layers, store, tools, index. */
void cuv_doctor_crew(const struct cuv_doctor_spec *spec, struct cuv_findings *f);

/* Whether name is one of "name,name". */
bool cuv_list_has(const char *list, const char *name);

#endif
