/* SPDX-License-Identifier: MIT */
#include "nixenv/builder/resolve.h"

#include "lib/base/child.h"
#include "lib/base/clock.h"
#include "lib/base/landlock.h"
#include "lib/base/log.h"
#include "nixenv/builder/indexes.h"
#include "nixenv/builder/interpreter.h"
#include "nixenv/builder/resolve_error.h"
#include "nixenv/builder/sdist_plan.h"
#include "nixenv/builder/seal.h"
#include "nixenv/pylock.h"
#include "nixenv/toml.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#define ROOT_BYTES (256ull * CUV_MIB)
#define STDERR_MAX 65536
#define GLIBC_MINOR_MAX 40 /* the youngest that the pinned uv has a name for */
#define LACKING_MAX 64
#define LEARN_MAX 8

/* The child's view of the world; python, its libraries and the resolver come from
 * the store, what names hosts from the machine. */
enum { BINDS = 8, BINDS_MAX = BINDS + 2, FILES_MAX = 6 };
#define OFFER_SIZE (sizeof("/offers/") + CUV_SHA256_HEX_SIZE + CUV_WHEEL_FILE_MAX)

struct view {
	char usr[PATH_MAX];
	char image_etc[PATH_MAX];
	char uv[PATH_MAX];
	char python[PATH_MAX], python_target[32];
	struct cuv_seal_bind binds[BINDS_MAX + CUV_OFFERS_MAX];
	char offers[CUV_OFFERS_MAX][OFFER_SIZE];
	struct cuv_buf config; /* uv.toml */
	struct cuv_seal_file files[FILES_MAX];
	struct cuv_seal seal;
};

/* Where the loader is looked for. */
static const struct cuv_seal_link links[] = {{"/lib", "usr/lib"}, {"/lib64", "usr/lib64"}};
static const char nsswitch[] = "hosts: files dns\n";

static void view_init(const struct cuv_builder *b, const struct cuv_resolve *what, struct view *v)
{
	const unsigned read = CUV_LANDLOCK_READ, exec = CUV_LANDLOCK_READ | CUV_LANDLOCK_EXEC,
		       write = CUV_LANDLOCK_READ | CUV_LANDLOCK_WRITE;
	/* Where it may choose source distributions it is the only program: no Python that
	 * could run what is in one. What it unpacks of them is bounded. */
	const unsigned usr = what->wanted ? read : exec;
	const struct cuv_settings *s = &b->settings;
	char image[PATH_MAX], uv[PATH_MAX];
	size_t n = 0, n_binds = BINDS;

	cuv_path_join(b->state.store, what->pinned->image.store_name, image);
	cuv_path_join(image, "usr", v->usr);
	cuv_path_join(b->state.store, b->pins.tools.uv, uv);
	cuv_path_join(uv, "bin", v->uv);
	cuv_path_join(image, "etc/passwd", v->image_etc);
	memcpy(v->binds,
	       (struct cuv_seal_bind[BINDS]){
		       {v->usr, "/usr", usr, false},
		       {v->uv, "/tool", exec, false},
		       {v->image_etc, "/etc/passwd", read, false},
		       {b->state.uv_cache, "/cache", write, false},
		       {"/etc/resolv.conf", "/etc/resolv.conf", read, true},
		       {"/etc/hosts", "/etc/hosts", read, true},
		       {"/dev/null", "/dev/null", write, false},
		       {"/dev/urandom", "/dev/urandom", read, false},
	       },
	       BINDS * sizeof(v->binds[0]));
	/* Over the image's; where there is none it is learnt of the image's as often as is needed. */
	(void)snprintf(v->python_target, sizeof(v->python_target), "/usr/bin/python%s", what->pinned->python->version);
	if (cuv_interpreter_own(b, what->pinned, v->python) == 0)
		v->binds[n_binds++] = (struct cuv_seal_bind){v->python, v->python_target, usr, false};
	if (what->directs && what->directs->n > 0)
		v->binds[n_binds++] = (struct cuv_seal_bind){what->directs->folder, CUV_DIRECT_FOLDER, read, false};
	for (size_t i = 0; i < what->n_offers; i++) {
		char hex[CUV_SHA256_HEX_SIZE];

		/* A folder for each: the resolver keeps what it read by the path. */
		cuv_hex(what->offers[i].sha256.bytes, sizeof(what->offers[i].sha256.bytes), hex);
		(void)snprintf(v->offers[i], OFFER_SIZE, "/offers/%s/%s", hex, what->offers[i].file);
		v->binds[n_binds++] = (struct cuv_seal_bind){what->offers[i].path, v->offers[i], read, false};
	}
	v->files[n++] = (struct cuv_seal_file){"/lock/requirements.txt", what->canonical, what->canonical_len};
	if (what->constraints_len)
		v->files[n++] =
			(struct cuv_seal_file){"/lock/constraints.txt", what->constraints, what->constraints_len};
	v->files[n++] = (struct cuv_seal_file){"/etc/nsswitch.conf", nsswitch, strlen(nsswitch)};
	if (s->ca.len)
		v->files[n++] = (struct cuv_seal_file){"/etc/ca.pem", s->ca.data, s->ca.len};
	if (v->config.len)
		v->files[n++] = (struct cuv_seal_file){"/etc/uv.toml", v->config.data, v->config.len};
	if (s->netrc.len)
		v->files[n++] = (struct cuv_seal_file){"/etc/netrc", s->netrc.data, s->netrc.len};
	cuv_assert(n <= FILES_MAX);
	v->seal = (struct cuv_seal){
		.root = what->root,
		.binds = v->binds,
		.n_binds = n_binds,
		.files = v->files,
		.n_files = n,
		.links = links,
		.n_links = ARRAY_SIZE(links),
		.scratch = what->wanted ? "/cache/sdists-v10" : NULL,
		.loader = what->wanted ? "/usr/lib64/ld-linux-x86-64.so.2" : NULL,
		.listable = what->n_offers ? "/offers" : NULL,
		.cwd = "/lock",
		.size_bytes = ROOT_BYTES,
		.landlock = b->sealed,
	};
}

static int resolver_argv(const struct cuv_resolve *what, const struct cuv_strv *projects, const char *date,
			 struct cuv_strv *argv)
{
	const struct cuv_python *p = what->pinned->python;
	char interpreter[32], platform[48];
	const char *const words[] = {
		"uv",
		"pip",
		"compile",
		"requirements.txt",
		"--format",
		"pylock.toml",
		"--python",
		interpreter,
		"--python-version",
		p->full,
		"--python-platform",
		platform,
		"--generate-hashes",
		"--no-sources",
		"--no-header",
		"--no-annotate",
		"--no-progress",
		"--index-strategy",
		"first-index",
		"--output-file",
		"pylock.toml",
		"--exclude-newer",
		date,
	};

	(void)snprintf(interpreter, sizeof(interpreter), "/usr/bin/python%s", p->version);
	(void)snprintf(platform, sizeof(platform), "x86_64-manylinux_2_%d", CUV_MIN(p->glibc_minor, GLIBC_MINOR_MAX));
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (cuv_strv_add(argv, words[i]) < 0)
			return -ENOMEM;
	if (!what->wanted && (cuv_strv_add(argv, "--only-binary") < 0 || cuv_strv_add(argv, ":all:") < 0))
		return -ENOMEM;
	if (what->no_deps && cuv_strv_add(argv, "--no-deps") < 0)
		return -ENOMEM;
	if (what->offline && cuv_strv_add(argv, "--offline") < 0)
		return -ENOMEM;
	for (size_t i = 0; what->directs && i < what->directs->n; i++) {
		char hex[CUV_SHA256_HEX_SIZE];

		cuv_hex(what->directs->items[i].sha256.bytes, CUV_SHA256_SIZE, hex);
		if (cuv_strv_add(argv, "--find-links") < 0 || cuv_strv_addf(argv, CUV_DIRECT_FOLDER "/%s", hex) < 0)
			return -ENOMEM;
	}
	for (size_t i = 0; projects && i < projects->n; i++)
		if (cuv_strv_add(argv, "--no-binary") < 0 || cuv_strv_add(argv, projects->items[i]) < 0)
			return -ENOMEM;
	for (size_t i = 0; i < what->n_offers; i++) {
		char hex[CUV_SHA256_HEX_SIZE];

		cuv_hex(what->offers[i].sha256.bytes, sizeof(what->offers[i].sha256.bytes), hex);
		if (cuv_strv_add(argv, "--find-links") < 0 || cuv_strv_addf(argv, "/offers/%s", hex) < 0)
			return -ENOMEM;
	}
	return what->constraints_len ? cuv_strv_add(argv, "--constraints=constraints.txt") : 0;
}

/* The operator's settings; and where one source distribution is looked for, that it
 * depends on nothing: then all that is needed is known. */
static int resolver_config(const struct cuv_settings *s, const struct cuv_strv *projects, struct cuv_buf *out)
{
	cuv_buf_add(out, s->uv_config.data, s->uv_config.len);
	for (size_t i = 0; projects && i < projects->n; i++)
		cuv_buf_addf(out, "\n[[dependency-metadata]]\nname = \"%s\"\nrequires-dist = []\n", projects->items[i]);
	return cuv_buf_err(out);
}

static int resolver_env(const struct cuv_settings *s, const struct cuv_requirements *reqs, bool config,
			struct cuv_strv *env, struct cuv_error *err)
{
	static const char *const fixed[] = {
		"HOME=/lock",	    "PATH=/usr/bin",	   "LC_ALL=C.UTF-8",
		"NO_COLOR=1",	    "UV_CACHE_DIR=/cache", "UV_PYTHON_DOWNLOADS=never",
		"UV_NO_PROGRESS=1", "TMPDIR=/lock",	   "UV_HTTP_RETRIES=1",
	};
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(fixed); i++)
		r = cuv_strv_add(env, fixed[i]);
	if (r == 0)
		r = cuv_indexes_env(s, reqs, env, err);
	if (r == 0 && s->ca.len)
		r = cuv_strv_add(env, "SSL_CERT_FILE=/etc/ca.pem");
	if (r == 0 && config)
		r = cuv_strv_add(env, "UV_CONFIG_FILE=/etc/uv.toml");
	if (r == 0 && s->netrc.len)
		r = cuv_strv_add(env, "NETRC=/etc/netrc");
	return r;
}

static int before_exec(void *arg)
{
	const struct view *v = arg;

	return cuv_seal_enter(&v->seal);
}

static void log_failed(const struct cuv_child_result *res)
{
	_cleanup_buf_ struct cuv_buf said = CUV_BUF_INIT(STDERR_MAX);

	cuv_url_scrub(cuv_buf_str(&res->err), res->err.len, &said);
	cuv_log(CUV_LOG_ERROR, "resolver-failed", CUV_I("status", res->status), CUV_S("stderr", cuv_buf_str(&said)));
}

static bool lacks_interpreter(const struct cuv_child_result *res, const struct cuv_error *err)
{
	return err->code == CUV_E_INTERNAL && strstr(cuv_buf_str(&res->err), "Python interpreter");
}

static int failed(const struct cuv_child_result *res, const struct cuv_resolve *what, const char *date,
		  struct cuv_error *err)
{
	if (res->end == CUV_CHILD_TIMEOUT)
		return cuv_error_set(err, CUV_E_RESOLVE_TIMEOUT,
				     "the resolver needed longer than its limit; pin more "
				     "versions, or allow it more time");
	if (res->end == CUV_CHILD_CANCELLED)
		return cuv_error_set(err, CUV_E_CANCELLED, "the request was given up");
	if (res->end == CUV_CHILD_SIGNALED) {
		cuv_log(CUV_LOG_ERROR, "resolver-killed", CUV_I("signal", res->status));
		/* Nobody else sends it this signal. */
		return cuv_error_set_errno(err, res->status == SIGKILL ? -ENOMEM : 0,
					   "the resolver was killed by signal %d", res->status);
	}
	cuv_resolve_error(cuv_buf_str(&res->err), res->err.len, what->reqs, what->pinned->python->version, date, err);
	if (what->lacking && err->code == CUV_E_WHEEL_UNAVAILABLE &&
	    cuv_resolve_lacking(cuv_buf_str(&res->err), LACKING_MAX, what->lacking) < 0)
		return cuv_error_set(err, CUV_E_INTERNAL, "out of memory");
	if (what->wanted && cuv_resolve_wanted(cuv_buf_str(&res->err), what->wanted))
		return cuv_error_set(err, CUV_E_WHEEL_UNAVAILABLE, "%s %s has no wheel for CPython %s on " CUV_PLATFORM,
				     what->wanted->name, what->wanted->version, what->pinned->python->version);
	/* Which index it was is for the operator only. */
	if (!what->offline &&
	    ((err->code == CUV_E_INTERNAL && !lacks_interpreter(res, err)) || err->code == CUV_E_INDEX_UNREACHABLE))
		log_failed(res);
	return -EINVAL;
}

static int run_resolver(const struct cuv_builder *b, const struct cuv_resolve *what, const struct cuv_strv *projects,
			const char *date, struct cuv_child_result *ret, struct cuv_error *err)
{
	_cleanup_strv_ struct cuv_strv argv = CUV_STRV_INIT, env = CUV_STRV_INIT;
	_cleanup_free_ struct view *v = NULL;
	_cleanup_buf_ struct cuv_buf config = CUV_BUF_INIT(2 * CUV_UV_CONFIG_BYTES_MAX);
	struct cuv_child_spec spec = CUV_CHILD_SPEC_INIT;
	int r;

	cuv_assert(what->n_offers <= CUV_OFFERS_MAX);
	if (resolver_config(&b->settings, projects, &config) < 0 || resolver_argv(what, projects, date, &argv) < 0)
		return cuv_error_set(err, CUV_E_INTERNAL, "out of memory");
	r = resolver_env(&b->settings, what->reqs, config.len > 0, &env, err);
	if (r == -EINVAL)
		return r;
	v = calloc(1, sizeof(*v));
	if (r < 0 || !v)
		return cuv_error_set(err, CUV_E_INTERNAL, "out of memory");
	v->config = config; /* borrowed */
	view_init(b, what, v);
	spec.path = "/tool/uv";
	spec.argv = &argv;
	spec.env = &env;
	spec.limits = (struct cuv_child_limits){
		.cpu_s = 300,
		.memory_bytes = 8 * CUV_GIB,
		.file_bytes = CUV_WHEEL_BYTES_MAX,
		.descriptors = 1024,
		.processes = 512,
	};
	spec.stdout_max = CUV_TOML_BYTES_MAX;
	spec.stderr_max = STDERR_MAX;
	spec.deadline_ns = what->deadline_ns;
	spec.cancel_fd = what->cancel_fd;
	spec.before_exec = before_exec;
	spec.arg = v;
	r = cuv_child_run(&spec, ret);
	if (r < 0) {
		cuv_log(CUV_LOG_ERROR, "resolver-not-started", CUV_S("error", strerror(-r)));
		return cuv_error_set_errno(err, r, "the resolver can't be started: %s", strerror(-r));
	}
	return 0;
}

/* The resolver's answer; projects is NULL unless it is for a plan. */
static int ask(const struct cuv_builder *b, const struct cuv_resolve *what, const struct cuv_strv *projects,
	       struct cuv_child_result *ret, struct cuv_error *err)
{
	char date[CUV_RFC3339_SIZE];

	cuv_format_rfc3339(what->exclude_s, date);
	if (run_resolver(b, what, projects, date, ret, err) < 0)
		return -EINVAL;
	if (!cuv_child_ok(ret))
		return failed(ret, what, date, err);
	if (ret->out_cut)
		return cuv_error_set(err, CUV_E_ENVIRONMENT_TOO_LARGE, "the resolver's lock is larger than %u MiB",
				     CUV_TOML_BYTES_MAX >> 20);
	return 0;
}

static int read_lock(const struct cuv_resolve *what, struct cuv_child_result *res, struct cuv_lock *ret,
		     struct cuv_error *err)
{
	char package[CUV_NAME_LEN_MAX + 1];

	if (cuv_pylock_read(cuv_buf_str(&res->out), res->out.len, what->pinned->python->version, what->reqs, ret,
			    package, err) < 0) {
		cuv_resolve_point(what->reqs, package, err);
		return -EINVAL;
	}
	return 0;
}

static int empty_lock(const struct cuv_resolve *what, struct cuv_lock *ret)
{
	*ret = CUV_LOCK_INIT;
	(void)snprintf(ret->python, sizeof(ret->python), "%s", what->pinned->python->version);
	return 0;
}

/* Whether the resolver's cache knows any interpreter, if perhaps not this one. */
static bool knows_interpreters(const struct cuv_builder *b)
{
	static const char prefix[] = "interpreter-";
	DIR *d = opendir(b->state.uv_cache);
	struct dirent *e = NULL;

	while (d && (e = readdir(d)) && strncmp(e->d_name, prefix, strlen(prefix)) != 0)
		;
	if (d)
		(void)closedir(d);
	return e != NULL;
}

int cuv_resolve(const struct cuv_builder *b, const struct cuv_resolve *what, struct cuv_lock *ret,
		struct cuv_error *err)
{
	_cleanup_child_result_ struct cuv_child_result res = CUV_CHILD_RESULT_INIT;
	struct cuv_resolve wheels = *what;

	if (what->reqs->n == 0)
		return empty_lock(what, ret);
	/* An empty cache says nothing, and it takes a Python to find that out. */
	if (what->offline && !knows_interpreters(b))
		return cuv_error_set(err, CUV_E_INDEX_UNREACHABLE, "nothing was resolved here yet");
	wheels.wanted = NULL;
	return ask(b, &wheels, NULL, &res, err) < 0 ? -EINVAL : read_lock(what, &res, ret, err);
}

/* Where the source distribution of one version is. */
static int plan_one(const struct cuv_builder *b, const struct cuv_resolve *what, const struct cuv_wanted *wanted,
		    struct cuv_lock *ret, struct cuv_error *err)
{
	_cleanup_child_result_ struct cuv_child_result res = CUV_CHILD_RESULT_INIT;
	_cleanup_strv_ struct cuv_strv projects = CUV_STRV_INIT;
	char text[sizeof(wanted->name) + sizeof(wanted->version) + 4];
	struct cuv_resolve one = {.reqs = what->reqs,
				  .canonical = text,
				  .pinned = what->pinned,
				  .root = what->root,
				  .exclude_s = what->exclude_s,
				  .deadline_ns = what->deadline_ns,
				  .cancel_fd = what->cancel_fd,
				  .no_deps = true};

	one.canonical_len = (size_t)snprintf(text, sizeof(text), "%s==%s\n", wanted->name, wanted->version);
	if (cuv_strv_add(&projects, wanted->name) < 0)
		return cuv_error_set(err, CUV_E_INTERNAL, "out of memory");
	if (ask(b, &one, &projects, &res, err) < 0)
		return -EINVAL;
	return cuv_sdist_plan_read(cuv_buf_str(&res.out), res.out.len, what->pinned->python->version, &projects, ret,
				   err);
}

/* Asks about no requirements, for which no index is asked, in a child that may start Python. */
static void learn(const struct cuv_builder *b, const struct cuv_resolve *what)
{
	_cleanup_child_result_ struct cuv_child_result learnt = CUV_CHILD_RESULT_INIT;
	struct cuv_error ignored = CUV_ERROR_INIT;
	const struct cuv_resolve nothing = {.reqs = what->reqs,
					    .canonical = "",
					    .pinned = what->pinned,
					    .root = what->root,
					    .exclude_s = what->exclude_s,
					    .deadline_ns = what->deadline_ns,
					    .cancel_fd = what->cancel_fd};

	(void)ask(b, &nothing, NULL, &learnt, &ignored);
}

/* What the resolver knows of the interpreter it keeps in its cache. Only a child that may
 * start one can put it there. It counts until the file's ctime changes: of our own copy
 * (interpreter.h), or of the store's where there was no room for one. */
static int ask_without_python(const struct cuv_builder *b, const struct cuv_resolve *what, struct cuv_child_result *ret,
			      struct cuv_error *err)
{
	int r;

	/* Of a new cache that need not be found out by failing. */
	if (!knows_interpreters(b))
		learn(b, what);
	r = ask(b, what, NULL, ret, err);
	for (int i = 0; r < 0 && i < LEARN_MAX && lacks_interpreter(ret, err); i++) {
		learn(b, what);
		cuv_child_result_done(ret);
		*ret = CUV_CHILD_RESULT_INIT;
		r = ask(b, what, NULL, ret, err);
	}
	if (r < 0 && lacks_interpreter(ret, err))
		log_failed(ret);
	return r;
}

int cuv_resolve_sources(const struct cuv_builder *b, const struct cuv_resolve *what, struct cuv_lock *ret,
			struct cuv_lock *ret_planned, struct cuv_error *err)
{
	_cleanup_child_result_ struct cuv_child_result res = CUV_CHILD_RESULT_INIT;
	struct cuv_resolve all = *what;
	struct cuv_wanted wanted = {0};
	int r;

	if (what->reqs->n == 0)
		return empty_lock(what, ret);
	all.wanted = &wanted;
	r = ask_without_python(b, &all, &res, err);
	if (r < 0 && wanted.name[0])
		return plan_one(b, what, &wanted, ret_planned, err) < 0 ? -EINVAL : 1;
	if (r < 0 || cuv_sdist_plan_read(cuv_buf_str(&res.out), res.out.len, what->pinned->python->version, NULL,
					 ret_planned, err) < 0)
		return -EINVAL;
	return ret_planned->n > 0 ? 1 : read_lock(what, &res, ret, err);
}
