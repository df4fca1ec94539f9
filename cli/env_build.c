/* SPDX-License-Identifier: MIT */
/* cuvette env build, lock: an environment of a requirements file, without a run. */
#include "cli/command.h"
#include "cli/env.h"
#include "cli/run_input.h"
#include "lib/base/clock.h"
#include "lib/base/fd.h"
#include "lib/base/parse.h"
#include "manager/explain.h"
#include "nixenv/lock.h"
#include "nixenv/pylock_write.h"
#include "nixenv/python.h"
#include "nixenv/requirements.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define STEP_MS_MAX 3600000

enum { STATE, REQUIREMENTS, PYTHON, NEWER, RESOLVE, BUILD, QUIET, JSON, PIN, EXPLAIN, LOCK, EXTRA, GROUP };
#define COMMON                                                                                                         \
	[STATE] = {"state", 's', "DIR", "CUVETTE_STATE", NULL, "the state folder"},                                    \
	[REQUIREMENTS] = {"requirements", 'r', "FILE", NULL, NULL, "the packages; without: none"},                     \
	[PYTHON] = {"python", 0, "VERSION", NULL, NULL, "of the Pythons that there are, as 3.13; without: the first"}, \
	[NEWER] = {"exclude_newer",                                                                                    \
		   0,                                                                                                  \
		   "DATE",                                                                                             \
		   NULL,                                                                                               \
		   NULL,                                                                                               \
		   "packages as they were then (RFC 3339); without: today, 00:00 UTC"},                                \
	[RESOLVE] = {"resolve_timeout", 0, "S", NULL, "60", "seconds for choosing versions"},                          \
	[BUILD] = {"build_timeout", 0, "S", NULL, "600", "seconds for downloading and installing"},                    \
	[QUIET] = {"quiet", 'q', NULL, NULL, NULL, "no progress"}
static const struct cuv_option build_options[] = {
	COMMON,
	[JSON] = {"json", 0, NULL, NULL, NULL, "print what it holds, as JSON"},
	[PIN] = {"pin", 0, NULL, NULL, NULL, "never evict it"},
	[EXPLAIN] = {"explain", 0, NULL, NULL, NULL, "print for each package who asked for it, too"},
	[LOCK] = {"lock", 0, "FILE", NULL, NULL, "a pylock.toml to use as it is, instead of requirements"},
	[EXTRA] = {"extra", 0, "NAME,NAME", NULL, NULL, "extras of the lock; without: none"},
	[GROUP] = {"group", 0, "NAME,NAME", NULL, NULL, "dependency groups of the lock; without: its default ones"},
};
static const struct cuv_option lock_options[] = {COMMON};

#define STATUS                                                                                                         \
	"Exit status: 0; 1 there is no such environment; 2 the file can't be accepted; 3 the builder or the index is " \
	"not to be had."
static const struct cuv_usage build_usage = {
	.command = "env build",
	.operands = "",
	.about = "Makes the environment of a requirements file or a lock, as a run would, and prints its digest.",
	.more = STATUS,
	.options = build_options,
	.n_options = ARRAY_SIZE(build_options),
	.dotenv = true,
	.mixed = true,
};
static const struct cuv_usage lock_usage = {
	.command = "env lock",
	.operands = "[DIGEST]",
	.about = "Prints the lock (PEP 751, pylock.toml) of an environment, or of the one that -r comes to, which is "
		 "not made for that.",
	.more = STATUS,
	.options = lock_options,
	.n_options = ARRAY_SIZE(lock_options),
	.dotenv = true,
	.mixed = true,
};

static int read_step(const struct cuv_values *v, int option, const char *typed, uint32_t *ret, struct cuv_error *err)
{
	uint64_t ms;

	if (cuv_parse_milli(v->value[option].text, STEP_MS_MAX, &ms) < 0 || ms == 0)
		return cuv_error_set(err, CUV_E_FIELD_INVALID, "%s: %s is not a number of seconds up to %d", typed,
				     v->value[option].text, STEP_MS_MAX / 1000);
	*ret = (uint32_t)ms;
	return 0;
}

/* The lock in place of requirements; there is none where there is no --lock. */
static int read_lock(const struct cuv_values *v, struct cuv_run_input *in, struct cuv_env_ask *ask,
		     struct cuv_error *err)
{
	_cleanup_(cuv_run_lock_sets_done) struct cuv_run_lock_sets sets = {0};
	const struct cuv_python *python = v->value[PYTHON].text ? cuv_python_find(ask->python) : NULL;
	struct cuv_job_spec spec = {0};

	if (!v->value[LOCK].text && (v->value[EXTRA].text || v->value[GROUP].text))
		return cuv_error_set(err, CUV_E_FIELD_CONFLICT, "--extra and --group are for a --lock");
	if (!v->value[LOCK].text)
		return 0;
	if (v->value[REQUIREMENTS].text || v->value[NEWER].text || v->value[EXPLAIN].text)
		return cuv_error_set(
			err, CUV_E_FIELD_CONFLICT,
			"--lock takes the place of -r, and with it --exclude-newer and --explain say nothing");
	if (cuv_run_lock_extras(&sets, "--extra", v->value[EXTRA].text, err) < 0 ||
	    cuv_run_lock_groups(&sets, "--group", v->value[GROUP].text, err) < 0 ||
	    cuv_run_input_lock(in, v->value[LOCK].text, python, &sets, &spec, err) < 0)
		return -EINVAL;
	ask->source = CUV_ENV_LOCK;
	snprintf(ask->python, sizeof(ask->python), "%s", spec.python->version);
	return 0;
}

static int read_ask(const struct cuv_values *v, struct cuv_env_ask *ret, struct cuv_error *err)
{
	const char *newer = v->value[NEWER].text;
	const struct cuv_python *python = cuv_python_choose("--python", v->value[PYTHON].text, err);

	*ret = (struct cuv_env_ask){.source = CUV_ENV_REQUIREMENTS, .sdist = true};
	if (!python)
		return -EINVAL;
	snprintf(ret->python, sizeof(ret->python), "%s", python->version);
	if (newer && cuv_parse_rfc3339(newer, &ret->exclude_s) < 0)
		return cuv_error_set(err, CUV_E_FIELD_INVALID,
				     "--exclude-newer: `%s` is not a date such as 2026-11-01 or 2026-11-01T00:00:00Z",
				     newer);
	if (read_step(v, RESOLVE, "--resolve-timeout", &ret->resolve_ms, err) < 0)
		return -EINVAL;
	return read_step(v, BUILD, "--build-timeout", &ret->build_ms, err);
}

/* What was asked for, with the lease that keeps it. */
struct found {
	struct cuv_environment env;
	int lease;
	int lock;
	json_t *explain; /* what came of each line; NULL where no file was sent */
};
#define FOUND_INIT ((struct found){.lease = -1, .lock = -1})

static void found_done(struct found *f)
{
	cuv_environment_done(&f->env);
	(void)cuv_close(f->lease);
	(void)cuv_close(f->lock);
	json_decref(f->explain);
}

static void explain(struct found *f, const struct cuv_requirements *source)
{
	_cleanup_buf_ struct cuv_buf text = CUV_BUF_INIT(CUV_PYLOCK_BYTES_MAX);

	if (source && f->lock >= 0 && cuv_pread_all(f->lock, &text) == 0)
		f->explain = cuv_explain(source, &f->env, &text);
}

static int make(struct cuv_env_peer *peer, const struct cuv_values *v, const char *digest, bool lock_only,
		struct found *ret, struct cuv_error *err)
{
	struct cuv_run_input in;
	struct cuv_env_ask ask;
	int r;

	cuv_run_input_init(&in);
	r = read_ask(v, &ask, err);
	ask.lock_only = lock_only && !digest;
	if (r == 0 && digest) {
		ask.source = CUV_ENV_DIGEST;
		ask.exclude_s = 0;
		snprintf(ask.digest, sizeof(ask.digest), "%s", digest);
	}
	if (r == 0)
		r = cuv_run_input_requirements(&in, v->value[REQUIREMENTS].text, err);
	if (r == 0)
		r = read_lock(v, &in, &ask, err);
	peer->builds = !digest;
	if (r == 0)
		r = cuv_env_peer_open(peer, v->value[STATE].text, err);
	if (r == 0) {
		r = cuv_env_peer_ask(peer, &ask, cuv_buf_str(&in.requirements), in.requirements.len, &ret->env,
				     &ret->lease, &ret->lock, err);
		if (r < 0 && in.source)
			cuv_requirements_relocate(in.source, err);
		if (r == 0)
			explain(ret, in.source);
	}
	cuv_run_input_done(&in);
	return r;
}

static int pin_it(struct cuv_env_peer *peer, const char *digest, struct cuv_error *err)
{
	_cleanup_chore_ask_ struct cuv_chore_ask ask = CUV_CHORE_ASK_INIT;
	json_t *answer;

	ask.verb = CUV_CHORE_PIN;
	if (cuv_strv_add(&ask.digests, digest) < 0)
		return cuv_error_set(err, CUV_E_INTERNAL, "out of memory");
	answer = cuv_env_peer_chore(peer, &ask, -1, err);
	if (!answer)
		return -EIO;
	json_decref(answer);
	return 0;
}

static void print_environment(const struct found *f)
{
	const struct cuv_environment *e = &f->env;
	json_t *packages = json_array(), *j;
	char date[CUV_RFC3339_SIZE];

	for (size_t i = 0; i < e->packages.n; i++)
		json_array_append_new(packages, json_string(e->packages.items[i]));
	cuv_format_rfc3339(e->exclude_s, date);
	j = json_pack("{s:s, s:o, s:s, s:s, s:s?, s:o, s:b}", "digest", e->digest, "store_path",
		      json_sprintf("/nix/store/%s", e->store_name), "lock", e->lock_digest, "python", e->python,
		      "exclude_newer", e->exclude_s > 0 ? date : NULL, "packages", packages, "cached", (int)e->cached);
	json_object_set_new(j, "explain", f->explain ? json_incref(f->explain) : json_null());
	cuv_env_print_json(j);
	json_decref(j);
}

/* "certifi 2024.8.30  requests, requirements.txt:2" */
static void print_explain(const json_t *explain)
{
	json_t *package, *item;
	size_t i, k;

	json_array_foreach(json_object_get(explain, "packages"), i, package)
	{
		const json_t *lines = json_object_get(package, "lines"), *by = json_object_get(package, "required_by");

		printf("%s %s ", json_string_value(json_object_get(package, "name")),
		       json_string_value(json_object_get(package, "version")));
		json_array_foreach(lines, k, item)
			printf("%s %s:%d", k ? "," : "", json_string_value(json_object_get(item, "file")),
			       (int)json_integer_value(json_object_get(item, "line")));
		json_array_foreach(by, k, item)
			printf("%s %s", k || json_array_size(lines) ? "," : "", json_string_value(item));
		putchar('\n');
	}
}

int cuv_env_build(int argc, char **argv)
{
	_cleanup_values_ struct cuv_values v = CUV_VALUES_INIT;
	_cleanup_(found_done) struct found found = FOUND_INIT;
	enum cuv_parsed parsed = cuv_options_parse(&build_usage, argc, argv, &v);
	struct cuv_env_peer peer = CUV_ENV_PEER_INIT;
	struct cuv_error err = CUV_ERROR_INIT;
	int r, status = CUV_EXIT_OK;

	if (parsed != CUV_PARSED_GO)
		return parsed == CUV_PARSED_HELP ? CUV_EXIT_OK : CUV_EXIT_USAGE;
	if (!cuv_env_digests("env build", &v, 0, 0))
		return CUV_EXIT_USAGE;
	if (v.value[QUIET].text)
		peer.progress.how = CUV_PROGRESS_NONE;
	r = make(&peer, &v, NULL, false, &found, &err);
	if (r == 0 && v.value[PIN].text)
		r = pin_it(&peer, found.env.digest, &err);
	if (r < 0)
		status = cuv_env_fail(&err, v.value[v.value[LOCK].text ? LOCK : REQUIREMENTS].text);
	else if (v.value[JSON].text)
		print_environment(&found);
	else
		puts(found.env.digest);
	if (r == 0 && v.value[EXPLAIN].text && !v.value[JSON].text)
		print_explain(found.explain);
	cuv_env_peer_close(&peer);
	return status;
}

int cuv_env_lock(int argc, char **argv)
{
	_cleanup_values_ struct cuv_values v = CUV_VALUES_INIT;
	_cleanup_(found_done) struct found found = FOUND_INIT;
	_cleanup_buf_ struct cuv_buf text = CUV_BUF_INIT(CUV_LOCK_COMPLETE_BYTES_MAX);
	enum cuv_parsed parsed = cuv_options_parse(&lock_usage, argc, argv, &v);
	struct cuv_env_peer peer = CUV_ENV_PEER_INIT;
	struct cuv_error err = CUV_ERROR_INIT;
	int status = CUV_EXIT_OK;

	if (parsed != CUV_PARSED_GO)
		return parsed == CUV_PARSED_HELP ? CUV_EXIT_OK : CUV_EXIT_USAGE;
	if (!cuv_env_digests("env lock", &v, v.value[REQUIREMENTS].text ? 0 : 1, v.value[REQUIREMENTS].text ? 0 : 1))
		return CUV_EXIT_USAGE;
	if (v.value[QUIET].text)
		peer.progress.how = CUV_PROGRESS_NONE;
	if (make(&peer, &v, v.operands[0], true, &found, &err) == 0 &&
	    (found.lock < 0 || cuv_pread_all(found.lock, &text) < 0))
		cuv_error_set(&err, CUV_E_INTERNAL, "the builder keeps no text of this lock");
	if (err.code != CUV_E_NONE)
		status = cuv_env_fail(&err, v.value[REQUIREMENTS].text);
	else
		fputs(cuv_buf_str(&text), stdout);
	cuv_env_peer_close(&peer);
	return status;
}
