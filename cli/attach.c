/* SPDX-License-Identifier: MIT */
#include "cli/attach.h"

#include "cli/command.h"
#include "nixenv/pylock_kinds.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* 1: a service that is ready and that we started, whose processes take our word:
 * in the user namespace of an ordinary user's launcher root is nobody. */
static int find_service(const struct cuv_attach_spec *spec, struct cuv_attach *a)
{
	struct cuv_service_note note = {0};
	struct cuv_error ignored;

	if (cuv_state_look(spec->state, &a->state, &ignored) < 0)
		return 0;
	if (a->state.own && cuv_state_service(&a->state, &note) == 1 && note.url[0] &&
	    access(a->state.launcher_sock, W_OK) == 0 && access(a->state.builder_sock, W_OK) == 0) {
		snprintf(a->url, sizeof(a->url), "%s", note.url);
		return 1;
	}
	cuv_state_done(&a->state);
	return 0;
}

/* Of a service the service's own setting counts. */
static bool sdists_wanted(void)
{
	const char *value = getenv("ALLOW_SDIST");

	return !value || strcmp(value, "0") != 0;
}

/* Where there can be no boxes all but source distributions is to be had without. */
static int start_with_boxes(const struct cuv_crew_spec *spec, struct cuv_crew *crew, struct cuv_error *err)
{
	int r = spec->no_sdists ? cuv_crew_start_builder(spec, crew, err) : cuv_crew_start_workers(spec, crew, err);

	if (r == 0 || r == -EINTR || spec->no_sdists || crew->member[CUV_ROLE_BUILDER].pid <= 0)
		return r;
	cuv_crew_stop(crew, 0, -1);
	*crew = CUV_CREW_INIT;
	cuv_say("packages without a wheel can't be built here: %s (`cuvette doctor` tells more)", err->message);
	return cuv_crew_start_builder(spec, crew, err);
}

int cuv_attach_open(const struct cuv_attach_spec *spec, struct cuv_attach *ret, struct cuv_error *err)
{
	const char *wheelhouse = getenv("CUVETTE_WHEELHOUSE");
	struct cuv_crew_spec crew = {
		.state = &ret->state,
		.instance = ret->instance,
		.allow_degraded = spec->allow_degraded,
		.log_fd = -1,
		.builder_limits = CUV_BUILDER_LIMITS_DEFAULT,
		.no_sdists = !sdists_wanted(),
		.lock_kinds = getenv("CUVETTE_LOCK_KINDS"),
		.wheelhouse = wheelhouse && wheelhouse[0] ? wheelhouse : NULL,
		.chores = spec->chores,
		.cancel_fd = spec->cancel_fd,
	};
	unsigned kinds;
	int r;

	if (!spec->standalone && find_service(spec, ret))
		return 0;
	if (cuv_lock_kinds_read(crew.lock_kinds, &kinds, err) < 0 ||
	    cuv_lock_kinds_check(kinds, crew.wheelhouse, err) < 0)
		return -EINVAL;
	r = cuv_state_open(spec->state, &ret->state, err);
	if (r < 0)
		return r;
	cuv_crew_instance("run", ret->instance);
	if (spec->launcher_only)
		return cuv_crew_start_launcher(&crew, &ret->crew, err);
	if (spec->may_build)
		return start_with_boxes(&crew, &ret->crew, err);
	if (spec->builder_only)
		return cuv_crew_start_builder(&crew, &ret->crew, err);
	return cuv_crew_start_workers(&crew, &ret->crew, err);
}

void cuv_attach_close(struct cuv_attach *a)
{
	cuv_crew_stop(&a->crew, 0, -1);
	cuv_state_done(&a->state);
}

struct cuv_peers cuv_attach_peers(const struct cuv_attach *a)
{
	struct cuv_peers p = cuv_crew_peers(&a->crew);

	if (a->url[0]) {
		p.launcher_path = a->state.launcher_sock;
		p.builder_path = a->state.builder_sock;
	}
	return p;
}
