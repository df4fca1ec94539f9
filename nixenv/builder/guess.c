/* SPDX-License-Identifier: MIT */
#include "nixenv/builder/guess.h"

#include "lib/base/clock.h"
#include "lib/base/fd.h"
#include "nixenv/builder/interpreter.h"
#include "nixenv/builder/place.h"
#include "nixenv/builder/verify.h"
#include "nixenv/envpath.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>

struct cuv_guess {
	const struct cuv_make *m;
	struct cuv_resolve what; /* of which the folder and the descriptor are our own */
	struct cuv_installs *installs;
	char root[PATH_MAX];
	int stop; /* readable: the answer is there */
	pthread_t thread;
	bool started;
	struct cuv_lock lock;
	struct cuv_env_paths paths;
	bool begun;
	bool spoiled; /* the daemon that was asked is no use any more */
};

/* Who waits for the answer waits for this too. */
#define PLAN_MS 5000

/* -ENOENT when a wheel is not there, -EEXIST when the environment is. */
static int plan(struct cuv_guess *g, struct cuv_error *err)
{
	const struct cuv_builder *b = g->m->builder;
	bool needed[CUV_PACKAGES_MAX] = {false};
	int r = cuv_env_paths(&g->lock, &g->what.pinned->image, &b->pins.scripts, &g->paths);

	if (r == 0 && cuv_index_has(b, g->paths.env))
		r = -EEXIST;
	if (r == 0 && cuv_verify_any_of(b, &g->paths))
		r = -EUCLEAN;
	if (r == 0) {
		r = cuv_installs_plan(g->installs, &g->lock, &g->paths, cuv_deadline_ms(PLAN_MS), needed, err);
		g->spoiled = r < 0;
	}
	for (size_t i = 0; r == 0 && i < g->lock.n; i++)
		r = needed[i] ? -ENOENT : 0;
	return r;
}

/* Whatever fails here is told by who does it in earnest. Nobody is kept waiting for a guess:
 * it takes a place only if one is free. */
static void *guess_main(void *arg)
{
	struct cuv_guess *g = arg;
	struct cuv_error err = CUV_ERROR_INIT;
	int place;

	if (mkdir(g->root, 0755) < 0 || cuv_resolve(g->m->builder, &g->what, &g->lock, &err) < 0 || plan(g, &err) < 0)
		return NULL;
	place = cuv_place_take(g->m->builder, CUV_PLACE_INSTALL, 0, -1, &err);
	if (place < 0)
		return NULL;
	g->begun = true;
	if (cuv_installs_begin_guess(g->installs, place, cuv_make_step(g->m, g->m->ask.build_ms), &err) < 0)
		g->paths.env[0] = '\0'; /* nobody waits for that */
	return NULL;
}

/* Wheels of addresses are fetched before the resolver is asked. What others have built is
 * theirs to give before anything is built. */
static bool is_worth_it(const struct cuv_make *m, const struct cuv_resolve *what)
{
	return what->reqs->n > 0 && what->directs->n == 0 && m->builder->caches.n == 0 &&
	       !cuv_settings_offline(&m->builder->settings);
}

void cuv_guess_start(const struct cuv_make *m, const struct cuv_resolve *what, struct cuv_installs *installs,
		     struct cuv_guess **ret)
{
	_cleanup_(cuv_guess_freep) struct cuv_guess *g = NULL;
	char python[PATH_MAX];

	*ret = NULL;
	/* Two threads do not make the resolver's copy of Python at once. */
	if (!installs || !is_worth_it(m, what) || cuv_interpreter_own(m->builder, what->pinned, python) < 0)
		return;
	g = calloc(1, sizeof(*g));
	if (!g)
		return;
	g->m = m;
	g->installs = installs;
	g->lock = CUV_LOCK_INIT;
	g->paths = CUV_ENV_PATHS_INIT;
	g->stop = eventfd(0, EFD_CLOEXEC);
	cuv_path_join(m->work, "guess", g->root);
	g->what = *what;
	g->what.offline = true;
	g->what.root = g->root;
	g->what.deadline_ns = cuv_make_step(m, m->ask.resolve_ms);
	g->what.cancel_fd = g->stop;
	g->started = g->stop >= 0 && pthread_create(&g->thread, NULL, guess_main, g) == 0;
	if (g->started)
		*ret = TAKE_PTR(g);
}

void cuv_guess_end(struct cuv_guess *g)
{
	if (!g || !g->started)
		return;
	(void)eventfd_write(g->stop, 1);
	(void)pthread_join(g->thread, NULL);
	g->started = false;
}

const char *cuv_guess_env(const struct cuv_guess *g)
{
	if (g && g->spoiled)
		return "";
	return g && g->begun ? g->paths.env : NULL;
}

void cuv_guess_freep(struct cuv_guess **p)
{
	struct cuv_guess *g = *p;

	if (!g)
		return;
	cuv_guess_end(g);
	cuv_lock_done(&g->lock);
	cuv_env_paths_done(&g->paths);
	(void)cuv_close(g->stop);
	free(g);
	*p = NULL;
}
