/* SPDX-License-Identifier: MIT */
/*
 * cuvette run: one job from the shell.
 *
 * Theory of operation. All input is read and checked before anything is
 * started. Then one job (manager/job.h) is driven by this thread, over the
 * sockets of a running service or over processes of our own. The program's
 * output is written as it comes; its end becomes ours. The user's signals are
 * blocked and only make a descriptor readable that everything polls, so that
 * Ctrl-C closes the job's sessions, which ends box and build, ends our own
 * processes, and then ends us by that same signal.
 */
#include "cli/attach.h"
#include "cli/command.h"
#include "cli/options.h"
#include "cli/run_input.h"
#include "cli/run_output.h"
#include "cli/run_work.h"
#include "cli/serve_settings.h"
#include "lib/base/clock.h"
#include "lib/base/parse.h"
#include "manager/answer.h"
#include "manager/isolation.h"
#include "manager/lint_settings.h"
#include "manager/run_lock.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define ASK_MS 10000
#define STEP_MS_MAX 3600000

enum {
	REQUIREMENTS,
	LOCK,
	EXTRA,
	GROUP,
	ENV,
	LOCK_OUT,
	STATE,
	STANDALONE,
	DEGRADED,
	JSON,
	QUIET,
	STDIN,
	NEWER,
	RESOLVE,
	BUILD,
	QUEUE,
	PYTHON,
	ISOLATION,
	DETERMINISTIC,
	FILES,
	ARCHIVE,
	ARTIFACT,
	OUT,
	LINT_SELECT,
	LINE_LENGTH,
	TARGET_VERSION,
	FIRST_LIMIT
};

/* clang-format off */
static const struct cuv_option options[] = {
	[REQUIREMENTS] = {"requirements", 'r', "FILE", NULL, NULL, "the packages it needs; without: what its header (PEP 723) says"},
	[LOCK] = {"lock", 0, "FILE", NULL, NULL, "a pylock.toml to use as it is, instead of requirements"},
	[EXTRA] = {"extra", 0, "NAME,NAME", NULL, NULL, "extras of the lock; without: none"},
	[GROUP] = {"group", 0, "NAME,NAME", NULL, NULL, "dependency groups of the lock; without: its default ones"},
	[ENV] = {"env", 0, "DIGEST", NULL, NULL, "an environment that is known here, instead of both"},
	[LOCK_OUT] = {"lock_out", 0, "FILE", NULL, NULL, "write the lock that was used there, as a pylock.toml"},
	[STATE] = {"state", 's', "DIR", "CUVETTE_STATE", NULL, "the state folder"},
	[STANDALONE] = {"standalone", 0, NULL, NULL, NULL, "start processes of its own beside a running service"},
	[DEGRADED] = {"allow_degraded", 0, "L,L", "CUVETTE_ALLOW_DEGRADED", NULL,
		      "start although these layers of isolation are missing"},
	[JSON] = {"json", 0, NULL, NULL, NULL, "print the full answer as JSON, with format and lint"},
	[QUIET] = {"quiet", 'q', NULL, NULL, NULL, "no progress on a terminal"},
	[STDIN] = {"stdin", 0, "FILE", NULL, NULL, "the program's input; without: ours, unless it is a terminal"},
	[NEWER] = {"exclude_newer", 0, "DATE", NULL, NULL, "packages as they were then (RFC 3339); without: today, 00:00 UTC"},
	[RESOLVE] = {"resolve_timeout", 0, "S", NULL, "60", "seconds for choosing versions"},
	[BUILD] = {"build_timeout", 0, "S", NULL, "600", "seconds for downloading and installing"},
	[QUEUE] = {"queue_timeout", 0, "S", NULL, "60", "seconds to wait for a free box"},
	[PYTHON] = {"python", 0, "VERSION", NULL, NULL, "of the Pythons that there are (docs/image.md), as 3.13; without: the first"},
	[ISOLATION] = {"isolation", 0, "HOW", NULL, "auto", "auto, or strict: share nothing with other runs, be slower"},
	[DETERMINISTIC] = {"deterministic", 0, NULL, NULL, NULL, "fixed seeds: the same output each time, as far as docs/api.md says"},
	[FILES] = {"file", 0, "[NAME=]FILE", NULL, NULL, "put it beside the program; may be given more than once"},
	[ARCHIVE] = {"archive", 0, "FILE", NULL, NULL, "unpack a zip or tar (gz, xz, zst) beside the program"},
	[ARTIFACT] = {"artifact", 0, "PATTERN", NULL, NULL, "give back such files, as '*.png' or 'out/**'; may be given more than once"},
	[OUT] = {"out", 0, "DIR", NULL, NULL, "the folder for them"},
	[LINT_SELECT] = {"lint_select", 0, "RULE,RULE", NULL, NULL, "with --json: rules of ruff's, as E,F401,PL; without: its own choice"},
	[LINE_LENGTH] = {"line_length", 0, "N", NULL, NULL, "with --json: for lint and format, 1 to 320; without: 88"},
	[TARGET_VERSION] = {"target_version", 0, "PY3NN", NULL, NULL, "with --json: what the code is linted for, as py312; without: its Python"},
#define MS "S"
#define BYTES "SIZE"
#define MILLI "CPUS"
#define COUNT "N"
#define X(name, field, unit, def, max, text) {field, 0, unit, NULL, NULL, text},
	CUV_LIMIT_TABLE(X)
#undef X
#undef MS
#undef BYTES
#undef MILLI
#undef COUNT
};
/* clang-format on */
_Static_assert(ARRAY_SIZE(options) == FIRST_LIMIT + _CUV_LIMIT_MAX, "a limit, an option");
_Static_assert(ARRAY_SIZE(options) <= CUV_OPTIONS_MAX, "room for all options");

static const struct cuv_usage usage = {
	.command = "run",
	.operands = "MAIN.PY [[--] ARGS]",
	.about = "Runs a program sealed, in an environment made of its requirements, and passes on its output and\n"
		 "exit status. Uses the service that runs on the state folder, or starts what it needs for itself.",
	.more = "Exit status: the program's own; 124 time was up, 137 out of memory, 153 too much output, 128+N signal "
		"N;\n"
		"2 the input can't be accepted, 3 the service or the index is not to be had. With --json: 0, 2 or 3.\n"
		"Defaults and maxima of the limits: docs/cli.md.",
	.options = options,
	.n_options = ARRAY_SIZE(options),
};

static int read_limits(const struct cuv_values *v, struct cuv_limits *ret, struct cuv_error *err)
{
	int i;

	cuv_limits_default(ret);
	for (i = 0; i < _CUV_LIMIT_MAX; i++) {
		const char *text = v->value[FIRST_LIMIT + i].text;
		char typed[48];
		int r;

		if (!text)
			continue;
		cuv_option_typed(options[FIRST_LIMIT + i].name, typed, sizeof(typed));
		r = cuv_limit_parse((enum cuv_limit)i, text, ret);
		if (r == -ERANGE)
			return cuv_error_set(err, CUV_E_LIMIT_EXCEEDED, "--%s: %s is above the maximum (docs/cli.md)",
					     typed, text);
		if (r < 0)
			return cuv_error_set(err, CUV_E_FIELD_INVALID, "--%s: `%s` can't be read as %s", typed, text,
					     options[FIRST_LIMIT + i].arg);
	}
	return 0;
}

static int read_step(const struct cuv_values *v, int option, uint32_t *ret, struct cuv_error *err)
{
	char typed[48];
	uint64_t ms;

	if (cuv_parse_milli(v->value[option].text, STEP_MS_MAX, &ms) < 0 || ms == 0) {
		cuv_option_typed(options[option].name, typed, sizeof(typed));
		return cuv_error_set(err, CUV_E_FIELD_INVALID, "--%s: %s is not a number of seconds up to %d", typed,
				     v->value[option].text, STEP_MS_MAX / 1000);
	}
	*ret = (uint32_t)ms;
	return 0;
}

/* The user's own zygotes, apart from those of the service's HTTP clients. */
static const char *own_tenant(char ret[CUV_TENANT_SIZE])
{
	snprintf(ret, CUV_TENANT_SIZE, "uid:%u", (unsigned)getuid());
	return ret;
}

static int read_lint(const struct cuv_values *v, struct cuv_lint_settings *ret, struct cuv_error *err)
{
	const char *select = v->value[LINT_SELECT].text, *line = v->value[LINE_LENGTH].text,
		   *target = v->value[TARGET_VERSION].text;
	int r = 0;

	if ((select || line || target) && !v->value[JSON].text)
		return cuv_error_set(err, CUV_E_FIELD_CONFLICT,
				     "--lint-select, --line-length and --target-version are for lint and format, which "
				     "come with --json");
	if (select)
		r = cuv_lint_select_read("--lint-select", select, ret, err);
	if (r == 0 && line)
		r = cuv_lint_line_read("--line-length", line, ret, err);
	if (r == 0 && target)
		r = cuv_lint_target_read("--target-version", target, ret, err);
	return r;
}

static int read_spec(const struct cuv_values *v, struct cuv_job_spec *ret, struct cuv_error *err)
{
	int r = read_limits(v, &ret->limits, err);

	if (r == 0)
		r = read_step(v, RESOLVE, &ret->resolve_ms, err);
	if (r == 0)
		r = read_step(v, BUILD, &ret->build_ms, err);
	if (r == 0)
		r = read_step(v, QUEUE, &ret->queue_ms, err);
	if (r == 0 && v->value[NEWER].text && cuv_parse_rfc3339(v->value[NEWER].text, &ret->exclude_s) < 0)
		r = cuv_error_set(err, CUV_E_FIELD_INVALID,
				  "--exclude-newer: `%s` is not a date such as 2026-11-01 or 2026-11-01T00:00:00Z",
				  v->value[NEWER].text);
	if (r == 0) {
		ret->python = cuv_python_choose("--python", v->value[PYTHON].text, err);
		r = ret->python ? 0 : -EINVAL;
	}
	if (r == 0 && v->value[DEGRADED].text)
		r = cuv_serve_settings_degraded(v->value[DEGRADED].text, err);
	if (r == 0)
		r = cuv_isolation_read("--isolation", v->value[ISOLATION].text, &ret->strict, err);
	ret->deterministic = v->value[DETERMINISTIC].text != NULL;
	ret->lint = v->value[JSON].text != NULL;
	cuv_random_id(ret->run_id);
	return r;
}

static void print_json(json_t *answer)
{
	if (!answer || json_dumpf(answer, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(9)) < 0)
		cuv_say("the answer can't be written as JSON: %m");
	putchar('\n');
	json_decref(answer);
}

/* Whose fault an error is: the input's, or ours. */
static int fail(const struct cuv_values *v, const char *run_id, const struct cuv_error *err)
{
	const char *about = v->value[v->value[LOCK].text ? LOCK : REQUIREMENTS].text;

	/* Only requirements, a lock and the program's header have lines that errors are about. */
	if (v->value[JSON].text)
		print_json(cuv_answer_error(err, run_id));
	else
		cuv_say_error(err, about ? about : v->operands[0]);
	return cuv_error_http_status(err->code) >= 500 ? CUV_EXIT_UNAVAILABLE : CUV_EXIT_USAGE;
}

/* Which environment: at most one of the three ways to name it. */
static int check_environment(const struct cuv_values *v, struct cuv_error *err)
{
	const char *digest = v->value[ENV].text;
	int n = (v->value[REQUIREMENTS].text != NULL) + (v->value[LOCK].text != NULL) + (digest != NULL);

	if (n > 1)
		return cuv_error_set(err, CUV_E_FIELD_CONFLICT,
				     "give one of --requirements, --lock and --env: each says what the environment is");
	if (!v->value[LOCK].text && (v->value[EXTRA].text || v->value[GROUP].text))
		return cuv_error_set(err, CUV_E_FIELD_CONFLICT,
				     "--extra and --group are for --lock; requirements name extras themselves, as in "
				     "name[extra]");
	if (v->value[NEWER].text && (v->value[LOCK].text || digest))
		return cuv_error_set(err, CUV_E_FIELD_CONFLICT,
				     "--exclude-newer is for --requirements; what is locked has its versions");
	return digest ? cuv_run_digest_read("--env", digest, err) : 0;
}

static int read_lock(const struct cuv_values *v, struct cuv_run_input *in, struct cuv_job_spec *spec,
		     struct cuv_error *err)
{
	_cleanup_(cuv_run_lock_sets_done) struct cuv_run_lock_sets sets = {0};

	if (cuv_run_lock_extras(&sets, "--extra", v->value[EXTRA].text, err) < 0 ||
	    cuv_run_lock_groups(&sets, "--group", v->value[GROUP].text, err) < 0)
		return -EINVAL;
	return cuv_run_input_lock(in, v->value[LOCK].text, v->value[PYTHON].text ? spec->python : NULL, &sets, spec,
				  err);
}

/* The program has run by now: its end counts, a lock that can't be written is said. */
static void write_lock(const struct cuv_values *v, const struct cuv_buf *lock)
{
	const char *path = v->value[LOCK_OUT].text;
	int r;

	if (!path)
		return;
	r = lock->len ? cuv_run_output_file(path, lock) : -ENODATA;
	if (r < 0)
		cuv_say("--lock-out: %s can't be written: %s", path, strerror(-r));
}

/* The files beside the program, and the patterns of those that are wanted. */
static int read_work(const struct cuv_values *v, struct cuv_upload *files, struct cuv_job_spec *spec,
		     struct cuv_error *err)
{
	const char *bad = cuv_run_work_bad_pattern(&v->all[ARTIFACT]);

	if (bad)
		return cuv_error_set(err, CUV_E_FIELD_INVALID,
				     "--artifact: `%s` is not a pattern, or one too many: a relative path such as "
				     "*.png or out/**",
				     bad);
	if (v->all[ARTIFACT].n > 0 && !v->value[OUT].text && !v->value[JSON].text)
		return cuv_error_set(err, CUV_E_FIELD_CONFLICT, "--artifact: say where to put them: --out DIR");
	spec->artifacts = &v->all[ARTIFACT];
	spec->files = files;
	return cuv_run_work_files(&v->all[FILES], v->value[ARCHIVE].text, &spec->limits, files, err);
}

/* The job, once there is somebody to do it. */
static int drive(const struct cuv_values *v, const struct cuv_attach *a, const struct cuv_job_spec *spec,
		 struct cuv_run_output *output)
{
	struct cuv_peers peers = cuv_attach_peers(a);
	bool json = v->value[JSON].text != NULL;
	struct cuv_job_result result;
	struct cuv_job_events events;
	struct cuv_error err = CUV_ERROR_INIT;
	struct cuv_tools tools;
	int r = cuv_peers_tools(&peers, ASK_MS, &tools, &err), status, unwritten = 0;

	if (r < 0)
		return fail(v, spec->run_id, &err);
	cuv_run_output_events(output, json, &events);
	cuv_job_result_init(&result, spec);
	r = cuv_job_run(&peers, &tools, spec, &events, &result, &err);
	cuv_run_output_clear(output);
	if (r == 0)
		write_lock(v, &result.lock);
	if (r == 0 && v->value[OUT].text)
		unwritten = cuv_run_work_write(&result.artifacts, v->value[OUT].text);
	if (output->failed == -EPIPE) {
		status = 128 + SIGPIPE;
	} else if (output->failed) {
		cuv_say("the program's output can't be written: %s", strerror(-output->failed));
		status = CUV_EXIT_FAILED;
	} else if (r < 0) {
		/* Cancelled: the signal tells, and ends us. */
		status = err.code == CUV_E_CANCELLED ? CUV_EXIT_FAILED : fail(v, spec->run_id, &err);
	} else if (json) {
		print_json(cuv_answer_run(spec, &result, spec->run_id));
		status = CUV_EXIT_OK;
	} else {
		status = cuv_run_exit_status(&result.run, &spec->limits);
	}
	if (unwritten < 0 && status == CUV_EXIT_OK)
		status = CUV_EXIT_FAILED;
	cuv_job_result_done(&result);
	return status;
}

static int run(const struct cuv_values *v, struct cuv_run_input *in, struct cuv_cancel *cancel)
{
	struct cuv_attach_spec to = {.state = v->value[STATE].text,
				     .allow_degraded = v->value[DEGRADED].text,
				     .standalone = v->value[STANDALONE].text != NULL,
				     .cancel_fd = cancel->fd};
	struct cuv_run_output output = {
		.cancel = cancel, .progress.how = v->value[QUIET].text ? CUV_PROGRESS_NONE : CUV_PROGRESS_TERMINAL};
	struct cuv_attach attach = CUV_ATTACH_INIT;
	struct cuv_upload files = CUV_UPLOAD_INIT;
	char tenant[CUV_TENANT_SIZE];
	struct cuv_lint_settings lint = {0};
	struct cuv_job_spec spec = {.tenant = own_tenant(tenant), .lint_settings = &lint};
	struct cuv_error err = CUV_ERROR_INIT;
	int r = read_spec(v, &spec, &err), status = CUV_EXIT_FAILED;

	if (r == 0)
		r = read_lint(v, &lint, &err);
	if (r == 0)
		r = check_environment(v, &err);
	if (r == 0)
		r = cuv_run_input_code(in, v->operands[0], &err);
	if (r == 0)
		r = cuv_run_input_requirements(in, v->value[REQUIREMENTS].text, &err);
	if (r == 0 && !v->value[REQUIREMENTS].text && !v->value[LOCK].text && !v->value[ENV].text) {
		const struct cuv_python *python = v->value[PYTHON].text ? spec.python : NULL;

		r = cuv_run_input_script(in, v->operands[0], &python, &err);
		if (python)
			spec.python = python;
	}
	if (r == 0)
		r = cuv_run_input_args(in, v->operands + 1, &err);
	if (r == 0)
		r = cuv_run_input_stdin(in, v->value[STDIN].text, cancel, &err);
	if (r == 0) {
		cuv_run_input_apply(in, &spec);
		if (v->value[ENV].text) {
			spec.env_source = CUV_ENV_DIGEST;
			spec.env_digest = v->value[ENV].text;
		}
		r = read_lock(v, in, &spec, &err);
	}
	if (r == 0)
		r = read_work(v, &files, &spec, &err);
	if (r == 0)
		r = cuv_attach_open(&to, &attach, &err);
	if (r == 0)
		status = drive(v, &attach, &spec, &output);
	else if (r != -ECANCELED && r != -EINTR)
		status = fail(v, spec.run_id, &err);
	cuv_attach_close(&attach);
	cuv_upload_done(&files);
	return status;
}

int cuv_cmd_run(int argc, char **argv)
{
	_cleanup_values_ struct cuv_values v;
	_cleanup_cancel_ struct cuv_cancel cancel = CUV_CANCEL_INIT;
	enum cuv_parsed parsed = cuv_options_parse(&usage, argc, argv, &v);
	struct cuv_run_input in;
	int r, status, sig;

	if (parsed != CUV_PARSED_GO)
		return parsed == CUV_PARSED_HELP ? CUV_EXIT_OK : CUV_EXIT_USAGE;
	if (v.n_operands == 0) {
		cuv_say("run: which program? `cuvette run -r requirements.txt main.py`");
		return CUV_EXIT_USAGE;
	}
	r = cuv_cancel_init(&cancel);
	if (r < 0) {
		cuv_say("signals can't be set up: %s", strerror(-r));
		return CUV_EXIT_FAILED;
	}
	cuv_run_input_init(&in);
	status = run(&v, &in, &cancel);
	cuv_run_input_done(&in);
	sig = cuv_cancel_signal(&cancel);
	if (sig)
		cuv_cancel_die(sig);
	return status;
}
