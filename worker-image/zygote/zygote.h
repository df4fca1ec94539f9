/* SPDX-License-Identifier: MIT */
/*
 * What the parts of cuvette-zygote know of each other. The theory of operation is
 * main.c's first comment.
 *
 * Python.h comes first wherever this is included, as it asks for; the interpreter's
 * own headers are used too, because what they hold (generations of the collector,
 * hooks of a fork, the configuration) has no other door.
 */
#ifndef CUV_ZYGOTE_H
#define CUV_ZYGOTE_H

#include "worker-image/zygote/protocol.h"

#include "lib/base/base.h"

#include <sys/types.h>

/* --- interpreter.c: an interpreter as the exec of argv[1] would be --- */

/* Starts it, with descriptors 0 to 2 of the kinds that a run has. Exits with
 * python's own message and status when it can't be; 0, or -errno for what python
 * has no part in. printed: site or a sitecustomize has written something. */
int cuv_interpreter_start(const char *python, bool *ret_printed);
/* Takes down what a new interpreter has: the collector's counters and the names of
 * the modules. To be called when it is ready. 0 or -ENOMEM. */
int cuv_interpreter_remember(void);
/* True for a module that is loaded, and would not be in a new interpreter. */
bool cuv_interpreter_has_preloaded(const char *module);
/* The counters as they were; before a program runs. */
void cuv_interpreter_restore_gc(void);
/* Makes argv the interpreter's: sys.argv, sys.orig_argv and /proc/self/cmdline.
 * argv[1] is the program's file. 0 or -errno. */
int cuv_interpreter_set_argv(char *const *argv, size_t n);
/* Where the kernel keeps what /proc/self/cmdline shows; to be called once before
 * set_argv, while /proc can be read. Failure is remembered and does no harm. */
void cuv_interpreter_find_cmdline(void);

/* --- preload.c: the environment's packages --- */

struct cuv_preload {
	uint32_t imported; /* top-level packages */
	uint32_t failed;   /* that raised */
	uint64_t ns;
};
/* Imports them but for those in skip. 0; 1 when the import of *ret_culprit changed
 * what can't be put back, so that this process is spoiled; or -errno. */
int cuv_preload_packages(const char *python, char *const *skip, size_t n_skip, struct cuv_preload *ret,
			 char **ret_culprit);

/* --- state.c: what an import may not change --- */

/* Takes down how things are; 0 or -errno. */
int cuv_state_take(void);
/* Puts back what can be. NULL when all is as it was, else what is not (static). */
const char *cuv_state_check(void);
/* What would outlive an exec, as it was. 0 or -errno. */
int cuv_state_restore_process(void);
/* Lets go of it: an interpreter's objects must be able to die with it. */
void cuv_state_done(void);

/* --- atfork.c: handlers that libraries registered for fork --- */

/* glibc runs them for fork alone, and a run is made by clone. */
void cuv_atfork_before(void);
void cuv_atfork_parent(void);
void cuv_atfork_child(void);

/* --- text.c: code and constants in page tables --- */

/* Has forks copy the page tables of all that is loaded. To be called before anything
 * foreign is. */
void cuv_text_share(void);

/* --- rehearse.c: what each run does --- */

/* In the zygote, before its objects are frozen. */
void cuv_rehearse_start(void);
/* Finds out what runs write to; to be called when there is nothing left to be done before them. Where
 * it can't be found out, a run that waits is not prepared for it. */
void cuv_rehearse_prepare(char *python);
/* In a run that waits: the pages which every run writes to are its own afterwards. */
void cuv_rehearse_run(void);

/* --- script.c: the program's file before it is run --- */

/* Looks at sys.path_hooks; to be called once, when packages are imported. */
void cuv_script_prepare(void);
/* Spares python asking them where it is known that none of them takes the file. */
void cuv_script_find_importer(const char *file);

/* --- heap.c: where new objects come to be --- */

/* Fills the holes. To be called when there is nothing left to be done before runs. */
void cuv_heap_fill(void);

/* --- huge.c: what all runs share, in huge pages --- */

/* Prepares for it; to be called before the interpreter is started. */
void cuv_huge_start(void);
/* To be called when there is nothing left to be done before runs. */
void cuv_huge_collapse(void);

/* --- fork.c: on demand --- */

/* Finds out what is needed to fork; 0 or -errno. */
int cuv_fork_prepare(void);
/* Serves the control socket until its other end closes: then 0. -errno when it
 * does not hold to the protocol, or this process can't go on. Never returns in a
 * run. */
int cuv_fork_serve(void);

/* --- run.c: the child --- */

/* fds are the order's, in their order. Never returns. */
_noreturn_ void cuv_run_child(const struct cuv_zygote_fork *q, const int fds[CUV_ZYGOTE_FDS]);
/* Tells the box maker. */
void cuv_hello_send(int sock, enum cuv_zygote_step step, int r);
/* The python that runs must name as their argv[0]. */
void cuv_run_set_python(const char *python);

/* --- signals.c --- */

/* All as the exec of a program leaves it when nobody has touched them. */
void cuv_signals_default(void);

/* --- quit.c: the end of a process --- */

/* Looks at what is loaded; to be called once, before any run. */
void cuv_quit_prepare(void);
/* exit(status), or what can't be told from it. */
_noreturn_ void cuv_quit(int status);

/* --- finish.c: the end of an interpreter --- */

/* Looks at what there is before any run: what is found to need an orderly end now
 * will need one in each run. */
void cuv_finish_prepare(void);

#endif
