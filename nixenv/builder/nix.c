/* SPDX-License-Identifier: MIT */
#include "nixenv/builder/nix.h"

#include "lib/base/child.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "nixenv/builder/nix_log.h"
#include "nixenv/storepath.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define DISK_FREE_BYTES_MIN (16u * 1024u * 1024u)
#define DISK_FREE_INODES_MIN 64u

static const char *const program_folders[] = {
	"/usr/bin",
	"/usr/local/bin",
	"/nix/var/nix/profiles/default/bin",
	"/run/current-system/sw/bin",
};

static int find_program(const char *name, char ret[PATH_MAX])
{
	for (size_t i = 0; i < ARRAY_SIZE(program_folders); i++) {
		cuv_path_join(program_folders[i], name, ret);
		if (access(ret, X_OK) == 0)
			return 0;
	}
	return -ENOENT;
}

int cuv_nix_check(struct cuv_error *err)
{
	static const char *const names[] = {"nix-daemon", "nix-store"};
	char path[PATH_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (find_program(names[i], path) < 0)
			return cuv_error_set(err, CUV_E_UNAVAILABLE, "Nix is missing: there is no %s (run: make deps)",
					     names[i]);
	return 0;
}

static int nix_env(const struct cuv_builder_state *s, const char *tmp, struct cuv_strv *env)
{
	int r = cuv_strv_add(env, "PATH=/usr/bin:/bin");

	r = r ? r : cuv_strv_add(env, "LC_ALL=C.UTF-8");
	r = r ? r : cuv_strv_add(env, "USER=cuvette-build");
	r = r ? r : cuv_strv_add(env, "NIX_USER_CONF_FILES=");
	r = r ? r : cuv_strv_addf(env, "NIX_REMOTE=%s", s->nix);
	r = r ? r : cuv_strv_addf(env, "NIX_CONF_DIR=%s", s->recipes);
	r = r ? r : cuv_strv_addf(env, "HOME=%s", s->home);
	r = r ? r : cuv_strv_addf(env, "TMPDIR=%s", tmp);
	return r;
}

int cuv_nix_program(const struct cuv_builder *b, const char *name, const char *tmp, char ret_path[PATH_MAX],
		    struct cuv_strv *env, struct cuv_error *err)
{
	if (find_program(name, ret_path) < 0)
		return cuv_nix_check(err);
	if (nix_env(&b->state, tmp, env) < 0)
		return cuv_error_set(err, CUV_E_INTERNAL, "out of memory");
	return 0;
}

/* Its heap grows with what is asked, which is ours; what a wheel makes grow runs in
 * the build, which limits itself. */
const struct cuv_child_limits cuv_nix_limits = {
	.cpu_s = 3600,
	.file_bytes = CUV_CLOSURE_BYTES_MAX,
	.descriptors = 4096,
	.processes = 1024,
};

/* What one run of Nix shares with its callbacks. */
struct run {
	struct cuv_nix_log log;
	const struct cuv_nix_options *o;
};

static void run_done(struct run *r)
{
	cuv_nix_log_done(&r->log);
}

static void on_stderr(void *arg, const char *data, size_t len)
{
	struct run *r = arg;

	if (cuv_nix_log_feed(&r->log, data, len) && r->o->on_progress)
		r->o->on_progress(r->o->arg, r->log.done, CUV_MAX(r->log.total, r->log.done));
}

/* A build that finds no space says so in its own text, which is not to be
 * believed: the file system is asked. */
static bool disk_is_full(const char *folder)
{
	struct statvfs fs;

	return statvfs(folder, &fs) == 0 &&
	       (fs.f_bavail * fs.f_frsize < DISK_FREE_BYTES_MIN || (fs.f_files && fs.f_favail < DISK_FREE_INODES_MIN));
}

int cuv_nix_failure(const struct cuv_nix_log *log, const char *tmp, int status, struct cuv_error *err)
{
	if (err->code == CUV_E_NONE)
		(void)cuv_nix_log_error(log, err);
	if (err->code != CUV_E_NO_SPACE && disk_is_full(tmp)) {
		cuv_error_set(err, CUV_E_NO_SPACE, "the service's disk is full");
		err->retry_after_s = 60;
	}
	if (err->code != CUV_E_NO_SPACE)
		cuv_log(CUV_LOG_WARNING, "nix-failed", CUV_I("status", status), CUV_S("error", err->message),
			CUV_S("log", cuv_buf_str(&log->messages)));
	return -EINVAL;
}

static int failed(const struct run *run, const struct cuv_child_result *res, struct cuv_error *err)
{
	if (res->end == CUV_CHILD_TIMEOUT)
		return cuv_error_set(err, CUV_E_BUILD_TIMEOUT, "building the environment took longer than its limit");
	if (res->end == CUV_CHILD_CANCELLED)
		return cuv_error_set(err, CUV_E_CANCELLED, "the request was given up");
	if (res->end == CUV_CHILD_SIGNALED)
		(void)cuv_error_set_errno(err, res->status == SIGKILL ? -ENOMEM : 0, "Nix was killed by signal %d",
					  res->status);
	return cuv_nix_failure(&run->log, run->o->tmp, res->status, err);
}

static int run_nix(const struct cuv_builder *b, const char *program, const struct cuv_strv *argv, struct run *run,
		   struct cuv_child_result *ret, struct cuv_error *err)
{
	_cleanup_strv_ struct cuv_strv env = CUV_STRV_INIT;
	struct cuv_child_spec spec = CUV_CHILD_SPEC_INIT;
	char path[PATH_MAX];
	int r;

	if (cuv_nix_program(b, program, run->o->tmp, path, &env, err) < 0)
		return -EINVAL;
	spec.path = path;
	spec.argv = argv;
	spec.env = &env;
	spec.cwd = run->o->tmp;
	spec.limits = cuv_nix_limits;
	spec.deadline_ns = run->o->deadline_ns;
	spec.cancel_fd = run->o->cancel_fd;
	spec.on_stderr = on_stderr;
	spec.arg = run;
	r = cuv_child_run(&spec, ret);
	if (r < 0)
		return cuv_error_set_errno(err, r, "Nix can't be started: %s", strerror(-r));
	return cuv_child_ok(ret) ? 0 : failed(run, ret, err);
}

int cuv_nix_add_fixed(const struct cuv_builder *b, const struct cuv_strv *files, const struct cuv_nix_options *o,
		      struct cuv_error *err)
{
	_cleanup_strv_ struct cuv_strv argv = CUV_STRV_INIT;
	_cleanup_child_result_ struct cuv_child_result res = CUV_CHILD_RESULT_INIT;
	_cleanup_(run_done) struct run run = {.o = o};
	static const char *const words[] = {"nix-store", "--log-format", "internal-json", "--add-fixed", "sha256"};

	cuv_nix_log_init(&run.log);
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (cuv_strv_add(&argv, words[i]) < 0)
			return cuv_error_set(err, CUV_E_INTERNAL, "out of memory");
	for (size_t i = 0; i < files->n; i++)
		if (cuv_strv_add(&argv, files->items[i]) < 0)
			return cuv_error_set(err, CUV_E_INTERNAL, "out of memory");
	return run_nix(b, "nix-store", &argv, &run, &res, err);
}

int cuv_nix_collect(const struct cuv_builder *b, const struct cuv_nix_options *o, struct cuv_error *err)
{
	_cleanup_strv_ struct cuv_strv argv = CUV_STRV_INIT;
	_cleanup_child_result_ struct cuv_child_result res = CUV_CHILD_RESULT_INIT;
	_cleanup_(run_done) struct run run = {.o = o};
	static const char *const words[] = {"nix-store", "--log-format", "internal-json", "--gc", "--quiet"};

	cuv_nix_log_init(&run.log);
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (cuv_strv_add(&argv, words[i]) < 0)
			return cuv_error_set(err, CUV_E_INTERNAL, "out of memory");
	return run_nix(b, "nix-store", &argv, &run, &res, err);
}

/* Store paths as Nix's arguments, after words. */
static int path_argv(const char *const *words, size_t n_words, const struct cuv_strv *names, struct cuv_strv *argv)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < n_words; i++)
		r = cuv_strv_add(argv, words[i]);
	for (size_t i = 0; r == 0 && i < names->n; i++)
		r = cuv_strv_addf(argv, CUV_STORE_DIR "/%s", names->items[i]);
	return r;
}

int cuv_nix_verify(const struct cuv_builder *b, const struct cuv_strv *names, const struct cuv_nix_options *o,
		   bool *ret_whole, struct cuv_error *err)
{
	static const char *const words[] = {"nix-store", "--log-format", "internal-json", "--verify-path"};
	_cleanup_strv_ struct cuv_strv argv = CUV_STRV_INIT;
	_cleanup_child_result_ struct cuv_child_result res = CUV_CHILD_RESULT_INIT;
	_cleanup_(run_done) struct run run = {.o = o};

	cuv_nix_log_init(&run.log);
	if (path_argv(words, ARRAY_SIZE(words), names, &argv) < 0)
		return cuv_error_set(err, CUV_E_INTERNAL, "out of memory");
	*ret_whole = run_nix(b, "nix-store", &argv, &run, &res, err) == 0;
	if (*ret_whole)
		return 0;
	/* It says so by its status, as it does where a file can't be read. */
	if (res.end != CUV_CHILD_EXITED || res.status != 1)
		return -EINVAL;
	*err = CUV_ERROR_INIT;
	return 0;
}

int cuv_nix_delete(const struct cuv_builder *b, const struct cuv_strv *names, const struct cuv_nix_options *o,
		   struct cuv_error *err)
{
	static const char *const words[] = {"nix-store", "--log-format", "internal-json", "--delete",
					    "--ignore-liveness"};
	_cleanup_strv_ struct cuv_strv argv = CUV_STRV_INIT;
	_cleanup_child_result_ struct cuv_child_result res = CUV_CHILD_RESULT_INIT;
	_cleanup_(run_done) struct run run = {.o = o};

	cuv_nix_log_init(&run.log);
	if (path_argv(words, ARRAY_SIZE(words), names, &argv) < 0)
		return cuv_error_set(err, CUV_E_INTERNAL, "out of memory");
	return run_nix(b, "nix-store", &argv, &run, &res, err);
}
