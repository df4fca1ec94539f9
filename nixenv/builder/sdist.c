/* SPDX-License-Identifier: MIT */
#include "nixenv/builder/sdist.h"

#include "lib/base/clock.h"
#include "lib/base/fd.h"
#include "lib/base/log.h"
#include "nixenv/builder/build_box.h"
#include "nixenv/builder/download.h"
#include "nixenv/builder/nix.h"
#include "nixenv/builder/wheelhouse.h"
#include "nixenv/pep440.h"
#include "nixenv/requirements.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ROUNDS_MAX 3 /* of requirements that only the backend knows */
#define REQUIRES_MAX 64
#define WHAT_SIZE 200
#define LINE_MAX_BYTES 1000

/* One source distribution on its way. */
struct work {
	const struct cuv_make *m;
	const struct cuv_locked *p;
	const char *path; /* of the source distribution, where it is there; else NULL */
	const struct cuv_pinned *pinned;
	char python[32];
	uint64_t deadline_ns;
	char what[WHAT_SIZE];	       /* "docopt 0.6.2" */
	char hex[CUV_SHA256_HEX_SIZE]; /* of what is built: the source's hash, and where in it */
	char folder[PATH_MAX];	       /* its own */
	int sdist_fd;		       /* -1: not fetched yet */
	struct cuv_strv requires, known;
	bool compiled;
	struct cuv_environment env;
	unsigned envs; /* made so far */
};

static void work_done(struct work *k)
{
	k->sdist_fd = cuv_close(k->sdist_fd);
	cuv_strv_done(&k->requires);
	cuv_strv_done(&k->known);
	cuv_environment_done(&k->env);
	if (k->folder[0])
		(void)cuv_remove_tree(k->folder);
}

bool cuv_sdist_allowed(const struct cuv_make *m)
{
	return m->ask.sdist && m->launcher >= 0 && m->depth < CUV_SDIST_DEPTH_MAX;
}

static int internal(const struct work *k, struct cuv_error *err, const char *what, int r)
{
	cuv_log(CUV_LOG_ERROR, "sdist-failed", CUV_S("package", k->what), CUV_S("what", what),
		CUV_S("error", strerror(-r)));
	if (r == -ENOSPC || r == -EDQUOT) {
		cuv_error_set(err, CUV_E_NO_SPACE, "the service's disk is full");
		err->retry_after_s = 60;
		return -EINVAL;
	}
	return cuv_error_set_errno(err, r, "%s can't be built: %s: %s", k->what, what, strerror(-r));
}

/* --- the source --- */

static int make_folder(struct work *k, struct cuv_error *err)
{
	cuv_path_join(k->m->work, "sdist-XXXXXX", k->folder);
	if (!mkdtemp(k->folder)) {
		k->folder[0] = '\0';
		return internal(k, err, "its folder", -errno);
	}
	return 0;
}

static int open_sdist(struct work *k, const char *path, struct cuv_error *err)
{
	k->sdist_fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	return k->sdist_fd < 0 ? internal(k, err, "its source distribution", -errno) : 0;
}

static int copy_wheelhouse(struct work *k, const char *path, struct cuv_error *err)
{
	const struct cuv_wheelhouse_copy c = {
		.folder = k->m->builder->wheelhouse,
		.name = k->p->origin.file,
		.what = k->what,
		.path = path,
		.sha256 = &k->p->origin.sha256,
		.bytes_max = CUV_SDIST_BYTES_MAX,
		.deadline_ns = k->deadline_ns,
		.cancel_fd = k->m->cancel_fd,
	};
	uint64_t size;

	return cuv_wheelhouse_copy(&c, &size, err) < 0 ? -EINVAL : open_sdist(k, path, err);
}

static int fetch(struct work *k, struct cuv_error *err)
{
	const struct cuv_builder *b = k->m->builder;
	const struct cuv_download_options o = {
		.settings = &b->settings,
		.bytes_max = CUV_SDIST_BYTES_MAX,
		.deadline_ns = k->deadline_ns,
		.cancel_fd = k->m->cancel_fd,
	};
	char path[PATH_MAX];
	struct cuv_download item = {.url = k->p->origin.url,
				    .path = path,
				    .what = k->what,
				    .hash_known = true,
				    .sha256 = k->p->origin.sha256,
				    .source = k->p->origin.user_url ? CUV_SOURCE_USER : CUV_SOURCE_INDEX};

	if (k->sdist_fd >= 0)
		return 0;
	if (k->path)
		return open_sdist(k, k->path, err);
	cuv_path_join(k->folder, "sdist", path);
	if (k->p->origin.wheelhouse)
		return copy_wheelhouse(k, path, err);
	if (!k->p->origin.url)
		return cuv_error_set(err, CUV_E_LOCK_UNSUPPORTED,
				     "%s was not built here, and nothing says where its source can be fetched: the "
				     "lock has no address, or one of an `archive`, which this service does not take "
				     "(CUVETTE_LOCK_KINDS)",
				     k->what);
	return cuv_download_all(&item, 1, &o, err) < 0 ? -EINVAL : open_sdist(k, path, err);
}

/* --- what comes out of a box --- */

/* A list of requirements, each on a line that is a PEP 508 requirement and no more: so
 * that no one of them becomes several, or an option. */
static int read_requires(json_t *list, struct cuv_strv *ret)
{
	json_t *item;
	size_t i;

	if (!json_is_array(list) || json_array_size(list) + ret->n > REQUIRES_MAX)
		return -EBADMSG;
	json_array_foreach(list, i, item)
	{
		const char *text = json_string_value(item);

		/* Neither lines nor options of a requirements file. */
		if (!text || strlen(text) > LINE_MAX_BYTES || text[strcspn(text, "\r\n\\#")] ||
		    text[strspn(text, " \t\v\f")] == '-')
			return -EBADMSG;
		if (!cuv_strv_has(ret, text) && cuv_strv_add(ret, text) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int bad_requires(const struct work *k, int r, struct cuv_error *err)
{
	if (r == -ENOMEM)
		return internal(k, err, "its build requirements", r);
	return cuv_error_set(err, CUV_E_BUILD_FAILED, "%s: its build requirements are of an unknown form", k->what);
}

static int read_project(struct work *k, json_t *j)
{
	json_t *requires;
	int compiled;

	if (json_unpack(j, "{s:o, s:b !}", "requires", &requires, "compiled", &compiled) < 0)
		return -EBADMSG;
	k->compiled = compiled;
	return read_requires(requires, &k->requires);
}

static const char *root_of(const struct work *k)
{
	return k->compiled ? k->pinned->build_root : k->pinned->image.store_name;
}

static struct cuv_build_job job_of(const struct work *k)
{
	return (struct cuv_build_job){
		.launcher = k->m->launcher,
		.what = k->what,
		.python = k->python,
		.sdist_fd = k->sdist_fd,
		.subdirectory = k->p->origin.subdirectory,
		.deadline_ns = k->deadline_ns,
		.cancel_fd = k->m->cancel_fd,
	};
}

/* What pyproject.toml says: as foreign as the rest, so it is read in a box. */
static int inspect(struct work *k, struct cuv_error *err)
{
	const char *parts[] = {"project", k->hex, k->pinned->image.store_name, NULL};
	_cleanup_build_answer_ struct cuv_build_answer answer;
	struct cuv_build_job job;
	struct cuv_sdist_key key;
	json_auto_t *j = NULL;
	int r;

	cuv_sdist_key(parts, &key);
	cuv_build_answer_init(&answer, -1, 0);
	j = cuv_sdist_record_load(k->m->builder, &key);
	if (!j) {
		if (fetch(k, err) < 0)
			return -EINVAL;
		job = job_of(k);
		job.root = k->pinned->image.store_name;
		job.inspect = true;
		if (cuv_build_box(&job, &answer, err) < 0)
			return -EINVAL;
		j = json_loadb((const char *)answer.project.data, answer.project.len, JSON_REJECT_DUPLICATES, NULL);
		r = j ? read_project(k, j) : -EBADMSG;
		return r < 0 ? bad_requires(k, r, err)
		       : (r = cuv_sdist_record_keep(k->m->builder, &key, j)) < 0
			       ? internal(k, err, "the record of it", r)
			       : 0;
	}
	r = read_project(k, j);
	return r < 0 ? bad_requires(k, r, err) : 0;
}

/* --- the build requirements --- */

static int canonical_requires(const struct work *k, struct cuv_buf *out, struct cuv_error *err)
{
	_cleanup_buf_ struct cuv_buf text = CUV_BUF_INIT(CUV_REQUIREMENTS_BYTES_MAX);
	_cleanup_(cuv_requirements_freep) struct cuv_requirements *reqs = NULL;
	struct cuv_error why = CUV_ERROR_INIT;

	for (size_t i = 0; i < k->requires.n; i++)
		cuv_buf_addf(&text, "%s\n", k->requires.items[i]);
	if (cuv_buf_err(&text))
		return internal(k, err, "its build requirements", cuv_buf_err(&text));
	if (cuv_requirements_parse(cuv_buf_str(&text), text.len, &reqs, &why) < 0)
		return cuv_error_set(err, CUV_E_BUILD_FAILED, "%s: its build requirements are not served: %s", k->what,
				     why.message);
	return cuv_requirements_canonical(reqs, out) < 0 ? internal(k, err, "its build requirements", -ENOMEM) : 0;
}

/* The line is one of the build requirements': the user has not written it. */
static int no_environment(const struct work *k, struct cuv_error *err)
{
	struct cuv_error why = *err;

	cuv_error_set(err, why.code, "%s is built from its source distribution, and what that needs fails: %s", k->what,
		      why.message);
	err->retry_after_s = why.retry_after_s;
	memcpy(err->explanation, why.explanation, sizeof(err->explanation));
	return -EINVAL;
}

static void no_progress(void *arg, const struct cuv_env_progress *p)
{
	(void)arg;
	(void)p;
}

static int make_environment(struct work *k, struct cuv_error *err)
{
	_cleanup_buf_ struct cuv_buf canonical = CUV_BUF_INIT(CUV_REQUIREMENTS_BYTES_MAX);
	const struct cuv_builder *b = k->m->builder;
	struct cuv_make sub = *k->m;
	char folder[PATH_MAX], name[32];
	int r = canonical_requires(k, &canonical, err);

	if (r < 0)
		return r;
	cuv_environment_done(&k->env);
	k->env = CUV_ENVIRONMENT_INIT;
	sub.depth++;
	sub.ask.source = CUV_ENV_REQUIREMENTS;
	sub.ask.lock_only = false;
	sub.canonical = cuv_buf_str(&canonical);
	sub.canonical_len = canonical.len;
	sub.on_progress = no_progress;
	cuv_index_key(b, &sub.ask, sub.canonical, sub.canonical_len, &sub.key);
	if (cuv_index_find(b, &sub.key, &k->env) == 0)
		return 0;
	(void)snprintf(name, sizeof(name), "env-%u", k->envs++);
	cuv_path_join(k->folder, name, folder);
	if (mkdir(folder, 0755) < 0)
		return internal(k, err, "its folder", -errno);
	sub.work = folder;
	return cuv_make_environment(&sub, &k->env, err) < 0 ? no_environment(k, err) : 0;
}

/* --- the wheel --- */

static int normal_version(const char *text, size_t len, struct cuv_buf *out)
{
	struct cuv_version v;

	if (cuv_version_parse(text, len, &v) != CUV_VERSION_OK)
		return -EINVAL;
	return cuv_version_format(&v, true, out);
}

/* It must be what was asked for: a wheel of that project and version, for here. */
static int check_name(const struct work *k, const char *file, struct cuv_error *err)
{
	_cleanup_buf_ struct cuv_buf wanted = CUV_BUF_INIT(4 * CUV_VERSION_LEN_MAX),
				     given = CUV_BUF_INIT(4 * CUV_VERSION_LEN_MAX);
	struct cuv_wheel w;

	if (cuv_wheel_parse(file, &w) < 0 || !cuv_wheel_is_of(&w, k->p->name) ||
	    normal_version(w.version.at, w.version.len, &given) < 0 ||
	    (k->p->version[0] && (normal_version(k->p->version, strlen(k->p->version), &wanted) < 0 ||
				  strcmp(cuv_buf_str(&wanted), cuv_buf_str(&given)) != 0)))
		return cuv_error_set(err, CUV_E_BUILD_FAILED, "%s: its build gave another wheel: `%s`", k->what, file);
	if (cuv_wheel_rank(&w, k->pinned->python) < 0)
		return cuv_error_set(err, CUV_E_BUILD_FAILED,
				     "%s: its build gave a wheel that does not fit " CUV_PLATFORM ": `%s`", k->what,
				     file);
	return 0;
}

/* One build; 1 when the backend wants more first. */
static int build_once(struct work *k, const char *path, struct cuv_sdist_wheel *ret, struct cuv_error *err)
{
	_cleanup_close_ int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
	_cleanup_build_answer_ struct cuv_build_answer answer;
	struct cuv_build_job job = job_of(k);
	json_auto_t *j = NULL;
	int r;

	cuv_build_answer_init(&answer, fd, CUV_BUILT_WHEEL_BYTES_MAX);
	if (fd < 0)
		return internal(k, err, "its wheel", -errno);
	job.root = root_of(k);
	job.env = &k->env;
	job.known = &k->known;
	if (cuv_build_box(&job, &answer, err) < 0)
		return -EINVAL;
	if (answer.has_requires) {
		j = json_loadb((const char *)answer.requires.data, answer.requires.len, JSON_REJECT_DUPLICATES, NULL);
		r = read_requires(j, &k->known);
		if (r == 0)
			r = read_requires(j, &k->requires);
		return r < 0 ? bad_requires(k, r, err) : 1;
	}
	if (!answer.has_wheel)
		return cuv_error_set(err, CUV_E_BUILD_FAILED, "%s: its build gave no wheel", k->what);
	if (check_name(k, answer.file, err) < 0)
		return -EINVAL;
	*ret = (struct cuv_sdist_wheel){.sha256 = answer.sha256, .size_bytes = answer.wheel_bytes};
	memcpy(ret->file, answer.file, sizeof(ret->file));
	return cuv_sdist_wheel_locate(ret) < 0 ? internal(k, err, "its wheel's name", -EINVAL) : 0;
}

static int add_to_store(const struct work *k, const char *path, const struct cuv_sdist_wheel *w, struct cuv_error *err)
{
	const struct cuv_nix_options nix = {
		.tmp = k->folder, .deadline_ns = k->deadline_ns, .cancel_fd = k->m->cancel_fd};
	_cleanup_strv_ struct cuv_strv files = CUV_STRV_INIT;
	char named[PATH_MAX];
	int r;

	/* Nix takes the base name, which is what follows the hash. */
	cuv_path_join(k->folder, strchr(w->store_name, '-') + 1, named);
	if (rename(path, named) < 0)
		return internal(k, err, "its wheel", -errno);
	if (cuv_strv_add(&files, named) < 0)
		return internal(k, err, "its wheel", -ENOMEM);
	if (cuv_nix_add_fixed(k->m->builder, &files, &nix, err) < 0)
		return -EINVAL;
	(void)unlink(named);
	r = cuv_index_learn(k->m->builder, w->store_name);
	return r < 0 ? internal(k, err, "the note of its wheel", r) : 0;
}

/* The second build tells whether the bytes depend on anything but what went in. It is
 * no reason to fail, nor to wait for long. */
static int build_again(struct work *k, uint64_t took_ns, struct cuv_sdist_wheel *w, struct cuv_error *err)
{
	struct cuv_error ignored = CUV_ERROR_INIT;
	struct cuv_sdist_wheel again;
	char path[PATH_MAX];
	int r;

	if (cuv_now_ns() + 2 * took_ns > k->deadline_ns)
		return 0;
	cuv_path_join(k->folder, "again", path);
	r = build_once(k, path, &again, &ignored);
	(void)unlink(path);
	if (r < 0 && ignored.code == CUV_E_CANCELLED) {
		*err = ignored;
		return -EINVAL;
	}
	if (r == 0)
		w->rebuilt = strcmp(again.store_name, w->store_name) == 0 ? CUV_REBUILT_SAME : CUV_REBUILT_DIFFERS;
	return 0;
}

bool cuv_sdist_wheel_at_hand(const struct cuv_builder *b, const struct cuv_sdist_wheel *w)
{
	return cuv_index_known(b, w->store_name) && cuv_builder_has_path(&b->state, w->store_name);
}

/* 0 when a record names a wheel that the store has. */
static int find_built(const struct work *k, const struct cuv_sdist_key *key, struct cuv_sdist_wheel *ret)
{
	json_auto_t *j = cuv_sdist_record_load(k->m->builder, key);
	struct cuv_error ignored;

	return j && cuv_sdist_wheel_from_json(j, ret) == 0 && check_name(k, ret->file, &ignored) == 0 &&
			       cuv_sdist_wheel_at_hand(k->m->builder, ret)
		       ? 0
		       : -ENOENT;
}

static int keep_built(const struct work *k, const struct cuv_sdist_key *key, const struct cuv_sdist_wheel *w,
		      struct cuv_error *err)
{
	json_auto_t *j = cuv_sdist_wheel_to_json(w);
	int r = j ? cuv_sdist_record_keep(k->m->builder, key, j) : -ENOMEM;

	return r < 0 ? internal(k, err, "the record of its wheel", r) : 0;
}

static int build_new(struct work *k, struct cuv_sdist_wheel *ret, struct cuv_error *err)
{
	uint64_t start = cuv_now_ns();
	char path[PATH_MAX];
	int r;

	if (fetch(k, err) < 0)
		return -EINVAL;
	cuv_path_join(k->folder, "wheel", path);
	r = build_once(k, path, ret, err);
	if (r != 0)
		return r;
	if (build_again(k, cuv_now_ns() - start, ret, err) < 0 || add_to_store(k, path, ret, err) < 0)
		return -EINVAL;
	cuv_log(CUV_LOG_INFO, "sdist-built", CUV_S("package", k->what), CUV_S("wheel", ret->store_name),
		CUV_I("ms", (cuv_now_ns() - start) / CUV_NS_PER_MS), CUV_S("rebuilt", cuv_rebuilt_name(ret->rebuilt)));
	return 0;
}

/* With the environment that it asks for: known by what went in, or built. 1 when the
 * backend wants more first. */
static int build_in_environment(struct work *k, struct cuv_sdist_wheel *ret, struct cuv_error *err)
{
	const char *parts[] = {"wheel", k->hex, root_of(k), k->env.store_name, NULL};
	struct cuv_sdist_key key;
	int r;

	cuv_sdist_key(parts, &key);
	if (find_built(k, &key, ret) == 0)
		return 0;
	r = build_new(k, ret, err);
	return r == 0 ? keep_built(k, &key, ret, err) : r;
}

static int check_root(const struct work *k, struct cuv_error *err)
{
	struct cuv_error why;

	if (!k->compiled || cuv_pins_check_build_root(k->pinned, &k->m->builder->state, &why) == 0)
		return 0;
	/* Not a matter of time: for who asks, the package is as good as without a wheel. */
	return cuv_error_set(err, CUV_E_WHEEL_UNAVAILABLE, "%s has no wheel that fits and is to be compiled: %s",
			     k->what, why.message);
}

static int build(struct work *k, struct cuv_sdist_wheel *ret, struct cuv_error *err)
{
	int r = inspect(k, err);

	if (r == 0)
		r = check_root(k, err);
	for (unsigned round = 0; r == 0; round++) {
		r = make_environment(k, err);
		if (r == 0)
			r = build_in_environment(k, ret, err);
		if (r <= 0)
			break;
		if (round + 1 == ROUNDS_MAX)
			return cuv_error_set(err, CUV_E_BUILD_FAILED,
					     "%s: its build backend asked for other requirements %d times", k->what,
					     ROUNDS_MAX);
		r = 0;
	}
	return r;
}

int cuv_sdist_build(const struct cuv_make *m, const struct cuv_locked *p, uint64_t deadline_ns,
		    struct cuv_sdist_wheel *ret, struct cuv_error *err)
{
	return cuv_sdist_build_file(m, p, NULL, deadline_ns, ret, err);
}

static void identify(const struct cuv_locked *p, char ret[CUV_SHA256_HEX_SIZE])
{
	const char *parts[] = {"subdirectory", ret, p->origin.subdirectory, NULL};
	struct cuv_sdist_key key;

	cuv_hex(p->origin.sha256.bytes, sizeof(p->origin.sha256.bytes), ret);
	if (!p->origin.subdirectory)
		return;
	cuv_sdist_key(parts, &key);
	memcpy(ret, key.hex, sizeof(key.hex));
}

int cuv_sdist_build_file(const struct cuv_make *m, const struct cuv_locked *p, const char *path, uint64_t deadline_ns,
			 struct cuv_sdist_wheel *ret, struct cuv_error *err)
{
	_cleanup_(work_done) struct work k = {.m = m, .p = p, .path = path, .deadline_ns = deadline_ns, .sdist_fd = -1};
	const char *parts[] = {"date", k.hex, NULL, NULL, NULL, NULL, NULL};
	char date[32], recipes[CUV_SHA256_HEX_SIZE], indexes[CUV_SHA256_HEX_SIZE];
	struct cuv_sdist_key key;

	if (m->launcher < 0)
		return cuv_error_set(err, CUV_E_UNAVAILABLE,
				     "%s %s would be built from source, and there is no launcher here", p->name,
				     p->version);
	k.pinned = cuv_pins_find(&m->builder->pins, m->ask.python);
	if (!k.pinned)
		return cuv_error_set(err, CUV_E_INTERNAL, "there is no Python %s", m->ask.python);
	(void)snprintf(k.python, sizeof(k.python), "/usr/bin/python%s", m->ask.python);
	(void)snprintf(k.what, sizeof(k.what), "%.120s%s%.64s", p->name, p->version[0] ? " " : "", p->version);
	identify(p, k.hex);
	(void)snprintf(date, sizeof(date), "%" PRId64, m->ask.exclude_s);
	cuv_hex(k.pinned->recipes.bytes, sizeof(k.pinned->recipes.bytes), recipes);
	cuv_hex(m->builder->settings.indexes.bytes, sizeof(m->builder->settings.indexes.bytes), indexes);
	parts[2] = date;
	parts[3] = recipes;
	parts[4] = indexes;
	parts[5] = k.pinned->build_root;
	cuv_sdist_key(parts, &key);
	if (find_built(&k, &key, ret) == 0)
		return 0;
	if (make_folder(&k, err) < 0 || build(&k, ret, err) < 0)
		return -EINVAL;
	if (!path && k.sdist_fd >= 0) /* it was fetched; of what can't be built nothing is kept */
		cuv_sdist_note_address(m->builder, &p->origin);
	return keep_built(&k, &key, ret, err);
}
