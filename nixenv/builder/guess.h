/* SPDX-License-Identifier: MIT */
/*
 * What the resolver will most likely say: what its cache says. Asking an index whether all
 * that is still so is mostly waiting, and meanwhile the environment is built that the
 * cache's answer comes to, if the store has all wheels of that. It is used only if the
 * resolver then says the same; what was installed for a wrong guess is in the store, as
 * valid as what else is there, and is collected like that.
 */
#ifndef CUV_BUILDER_GUESS_H
#define CUV_BUILDER_GUESS_H

#include "nixenv/builder/installs.h"
#include "nixenv/builder/make.h"
#include "nixenv/builder/resolve.h"

struct cuv_guess;

/* Starts a thread that guesses, and builds with installs, which is open and is nobody else's until
 * the end. m, what and installs are borrowed. *ret is NULL where there is nothing to be gained, or
 * no thread. */
void cuv_guess_start(const struct cuv_make *m, const struct cuv_resolve *what, struct cuv_installs *installs,
		     struct cuv_guess **ret);
/* The resolver has answered: who has not guessed by now stops, and m and what are free
 * again. What has begun goes on. NULL is allowed. */
void cuv_guess_end(struct cuv_guess *g);

/* The environment that installs has begun with, to be waited for; "": none, and installs are to
 * be opened anew; NULL: none, and they are as they were. After the end. */
const char *cuv_guess_env(const struct cuv_guess *g);

/* After installs were freed, which borrow its lock. */
void cuv_guess_freep(struct cuv_guess **g);

#endif
