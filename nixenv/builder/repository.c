/* SPDX-License-Identifier: MIT */
#include "nixenv/builder/repository.h"

#include "nixenv/builder/sdist.h"
#include "nixenv/marker_eval.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define WHAT_SIZE 200

static void on_progress(void *arg, uint64_t bytes_done, uint64_t bytes_total)
{
	const struct cuv_make *const *at = arg, *m = *at;

	m->on_progress(m->arg, &(struct cuv_env_progress){.phase = CUV_PHASE_DOWNLOADING,
							  .total = 1,
							  .bytes_done = bytes_done,
							  .bytes_total = bytes_total});
}

static int fetch(const struct cuv_make *m, const struct cuv_repository *r, uint64_t deadline_ns,
		 struct cuv_git_source *ret, struct cuv_error *err)
{
	char what[WHAT_SIZE];
	const struct cuv_git_ask ask = {
		.settings = &m->builder->settings,
		.url = r->url,
		.ref = r->ref,
		.subdirectory = r->subdirectory,
		.what = what,
		.work = m->work,
		.landlock = m->builder->sealed,
		.deadline_ns = deadline_ns,
		.cancel_fd = m->cancel_fd,
		.on_progress = on_progress,
		.arg = &m,
	};

	(void)snprintf(what, sizeof(what), "the repository of %s", r->name);
	return cuv_git_fetch(&ask, ret, err);
}

int cuv_repository_build(const struct cuv_make *m, const struct cuv_repository *repository, uint64_t deadline_ns,
			 struct cuv_sdist_wheel *ret, char ret_commit[CUV_GIT_OID_SIZE], struct cuv_error *err)
{
	struct cuv_locked p = {.name = (char *)(uintptr_t)repository->name,
			       .version = (char *)(uintptr_t)repository->version};
	struct cuv_git_source source;
	int r;

	if (fetch(m, repository, deadline_ns, &source, err) < 0)
		return -EINVAL;
	p.origin = (struct cuv_origin){.kind = CUV_ORIGIN_BUILT, .sha256 = source.sha256, .user_url = true};
	r = cuv_sdist_build_file(m, &p, source.path, deadline_ns, ret, err);
	(void)unlink(source.path);
	memcpy(ret_commit, source.commit, CUV_GIT_OID_SIZE);
	return r;
}

static int build(const struct cuv_make *m, const struct cuv_requirement *req, uint64_t deadline_ns,
		 struct cuv_sdist_wheel *wheel, char ret_commit[CUV_GIT_OID_SIZE], struct cuv_error *err)
{
	const struct cuv_repository r = {.name = req->name,
					 .version = "",
					 .url = req->direct.url,
					 .ref = req->direct.ref ? req->direct.ref : "",
					 .subdirectory = req->direct.subdirectory};

	return cuv_repository_build(m, &r, deadline_ns, wheel, ret_commit, err);
}

int cuv_repositories_build(const struct cuv_make *m, const struct cuv_requirements *reqs, uint64_t deadline_ns,
			   struct cuv_directs *d, struct cuv_error *err)
{
	for (size_t i = 0; i < reqs->n; i++) {
		const struct cuv_requirement *req = &reqs->items[i];
		struct cuv_sdist_wheel wheel;
		char commit[CUV_GIT_OID_SIZE], path[PATH_MAX];

		if (req->direct.kind != CUV_DIRECT_GIT ||
		    !cuv_marker_holds(req->marker, cuv_python_find(m->ask.python)->full))
			continue;
		if (!cuv_sdist_allowed(m)) {
			cuv_error_set(err, CUV_E_WHEEL_UNAVAILABLE,
				      "`%s` would be built from its repository, and nothing is built here; name the "
				      "address of a wheel",
				      req->name);
			return cuv_directs_at_line(reqs, i, err);
		}
		if (build(m, req, deadline_ns, &wheel, commit, err) < 0)
			return cuv_directs_at_line(reqs, i, err);
		cuv_path_join(m->builder->state.store, wheel.store_name, path);
		if (cuv_directs_add_built(reqs, i, &wheel, path, commit, d, err) < 0)
			return -EINVAL;
	}
	return 0;
}
