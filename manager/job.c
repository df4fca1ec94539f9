/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation. A job has up to four sides, each a session with another
 * process: the environment (builder), the program, ruff format and ruff check
 * (launcher). One poll loop reads all of them, in the calling thread. Where there
 * are kept ruffs (ruff/pool.h) a fifth side asks them first, and format and check
 * begin only when they don't answer.
 *
 *   start   environment and ruff begin together
 *   ENV_READY   the program's run begins; the lease that came with it is kept to the
 *               end, because the environment is only held while somebody has one.
 *               For one that is held already (held.h) it begins at the start
 *   end     the program's result is there, and both lint sides have ended or
 *           have used up their time
 *
 * The sides of ruff can't fail a job: whatever goes wrong there is lint state
 * 'unavailable'. Any failure of the other two ends the job at once; leaving
 * closes all sessions, which ends what they started.
 *
 * Every wait has a deadline: the environment (its limits and some), a free box
 * (queue_ms), the run (its wall time and some), ruff (after the run's end).
 */
#include "manager/job.h"

#include "lib/base/clock.h"
#include "lib/base/fd.h"
#include "manager/held.h"
#include "manager/ruff/lint.h"
#include "manager/ruff/pool.h"
#include "manager/upload.h"
#include "nixenv/pylock_write.h"
#include "nixenv/requirements.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Waiting for another request's flight, downloads and clean-up come on top. */
#define ENV_SLACK_MS 30000u
/* A box is killed and reported on within this after its time is over. */
#define RUN_SLACK_MS 30000u
#define RETRY_AFTER_S 5
/* A kept ruff that says nothing is not waited for any longer. */
#define RUFF_MS 3000
/* Names, and what is said of files that were left out. */
#define ARTIFACTS_OVERHEAD CUV_MIB

enum side_kind { SIDE_ENV, SIDE_RUN, SIDE_FORMAT, SIDE_CHECK, SIDE_RUFF, _SIDE_MAX };

struct side {
	int fd; /* -1: not begun, or closed */
	uint64_t deadline_ns;
	bool ended;
	bool ok;       /* of ruff: it exited by itself and was understood */
	int exit_code; /* of ruff */
};

struct job {
	const struct cuv_peers *peers;
	const struct cuv_tools *tools;
	const struct cuv_job_spec *spec;
	const struct cuv_job_events *events;
	struct cuv_job_result *ret;
	struct cuv_error *err;
	struct side side[_SIDE_MAX];
	bool started;			/* the program has been executed */
	struct cuv_ruff_ticket *ticket; /* of SIDE_RUFF, whose descriptor belongs to it; NULL: none */
	struct cuv_ruff_key key;	/* of the code, in the cache */
	bool boxes;			/* format and check have boxes of their own */
	int lock;			/* the environment's, read at the end: many may wait; -1: none came */
	int lease;			/* on it; -1: none came */
	struct cuv_env_ask ask;
	struct cuv_held_env *held; /* has both of them; NULL: the job has */
};

void cuv_job_result_init(struct cuv_job_result *r, const struct cuv_job_spec *spec)
{
	*r = (struct cuv_job_result){.lint_state = CUV_LINT_SKIPPED};
	cuv_buf_init(&r->out, spec->limits.value[CUV_LIMIT_STDOUT]);
	cuv_buf_init(&r->err, spec->limits.value[CUV_LIMIT_STDERR]);
	cuv_buf_init(&r->artifacts, spec->limits.value[CUV_LIMIT_ARTIFACTS_SIZE] + ARTIFACTS_OVERHEAD);
	cuv_buf_init(&r->lock, CUV_PYLOCK_BYTES_MAX);
	cuv_buf_init(&r->formatted, CUV_LINT_OUT_MAX);
	cuv_buf_init(&r->lint, CUV_LINT_OUT_MAX);
}

void cuv_job_result_done(struct cuv_job_result *r)
{
	cuv_environment_done(&r->environment);
	cuv_buf_done(&r->lock);
	cuv_buf_done(&r->out);
	cuv_buf_done(&r->err);
	cuv_buf_done(&r->artifacts);
	cuv_buf_done(&r->formatted);
	cuv_buf_done(&r->lint);
}

static int fail(struct job *j, enum cuv_error_code code, uint32_t retry_after_s, const char *text)
{
	cuv_error_set(j->err, code, "%s", text);
	if (j->err)
		j->err->retry_after_s = retry_after_s;
	return -EIO;
}

static int no_memory(struct job *j)
{
	return fail(j, CUV_E_OVERLOADED, RETRY_AFTER_S, "the service has no memory left for this request; try again");
}

/* --- beginning the sides --- */

static const struct cuv_python *python_of(const struct job *j)
{
	return j->spec->python ? j->spec->python : cuv_pythons;
}

static int begin_program(struct job *j);

static int ready(struct job *j)
{
	j->side[SIDE_ENV].ended = true;
	j->side[SIDE_RUN].ended = j->spec->build_only;
	return j->spec->build_only ? 0 : begin_program(j);
}

/* What is only to be made, and that it has been, is for the builder to say. */
static bool is_held(struct job *j)
{
	if (j->peers->held && !j->spec->build_only)
		j->held = cuv_held_take(j->peers->held, &j->ask, j->spec->requirements, j->spec->requirements_len,
					&j->ret->environment);
	return j->held;
}

static int ask_builder(struct job *j)
{
	struct side *s = &j->side[SIDE_ENV];
	_cleanup_close_ int text = cuv_memfd("environment", j->spec->requirements, j->spec->requirements_len);
	_cleanup_writer_ struct cuv_writer w;

	cuv_writer_init(&w, CUV_MSG_ENV_ASK);
	cuv_env_ask_put(&w, &j->ask);
	if (text < 0)
		return no_memory(j);
	s->deadline_ns = cuv_deadline_ms((uint64_t)j->spec->resolve_ms + j->spec->build_ms + ENV_SLACK_MS);
	s->fd = cuv_peers_tell_builder(j->peers, &w, &text, 1, j->err);
	return CUV_MIN(s->fd, 0);
}

static int begin_environment(struct job *j)
{
	j->ask = (struct cuv_env_ask){.source = j->spec->env_source,
				      .exclude_s = j->spec->exclude_s,
				      .resolve_ms = j->spec->resolve_ms,
				      .build_ms = j->spec->build_ms,
				      /* The builder's setting may be against it. */
				      .sdist = true};
	if (j->ask.source == CUV_ENV_DIGEST)
		snprintf(j->ask.digest, sizeof(j->ask.digest), "%s", j->spec->env_digest);
	snprintf(j->ask.python, sizeof(j->ask.python), "%s", python_of(j)->version);
	return is_held(j) ? ready(j) : ask_builder(j);
}

/* Opens a session with the launcher and sends the run; fds: stdin, then the
 * files. 0 or negative with err set. */
static int begin_run(const struct cuv_peers *peers, const struct cuv_run *run, const int *fds, size_t n_fds,
		     struct side *s, struct cuv_error *err)
{
	_cleanup_writer_ struct cuv_writer w;

	cuv_writer_init(&w, CUV_MSG_RUN);
	cuv_run_put(&w, run);
	s->fd = cuv_peers_tell_launcher(peers, &w, fds, n_fds, err);
	if (s->fd == -E2BIG)
		cuv_error_set(err, CUV_E_ENVIRONMENT_TOO_LARGE, "the environment has too many store paths for one box");
	return CUV_MIN(s->fd, 0);
}

static void begin_lint(struct job *j, enum side_kind kind)
{
	struct side *s = &j->side[kind];
	_cleanup_run_ struct cuv_run run = CUV_RUN_INIT;
	_cleanup_close_ int code = cuv_memfd("main.py", j->spec->code, j->spec->code_len);
	enum cuv_lint_tool tool = kind == SIDE_FORMAT ? CUV_LINT_FORMAT : CUV_LINT_CHECK;

	if (code < 0 || cuv_lint_run(tool, j->spec->lint_settings, python_of(j), j->tools, j->spec->run_id, &run) < 0) {
		s->ended = true;
		return;
	}
	/* Whose turn it is for a box goes by this. */
	snprintf(run.tenant, sizeof(run.tenant), "%s", j->spec->tenant ? j->spec->tenant : "");
	if (begin_run(j->peers, &run, &code, 1, s, NULL) < 0)
		s->ended = true;
}

static void begin_boxes(struct job *j)
{
	j->boxes = true;
	begin_lint(j, SIDE_FORMAT);
	begin_lint(j, SIDE_CHECK);
}

static struct cuv_ruff_pool *pool_of(const struct job *j)
{
	return j->spec->strict ? NULL : j->peers->ruff;
}

/* Takes over a report; empty afterwards. False when there is no room for it. */
static bool take_report(struct job *j, struct cuv_ruff_report *report)
{
	struct cuv_job_result *ret = j->ret;

	if (j->events->charge && !j->events->charge(j->events->arg, report->formatted.cap + report->warnings.cap))
		return false;
	ret->lint_state = CUV_LINT_DONE;
	ret->format_done = report->parsed;
	ret->formatted = report->formatted;
	ret->lint = report->warnings;
	ret->lint_is_ours = true;
	cuv_ruff_report_init(report);
	return true;
}

static void end_lint(struct job *j)
{
	j->side[SIDE_FORMAT].ended = j->side[SIDE_CHECK].ended = true;
}

/* The settings, what code is taken for among them, are part of what is known of it. */
static void lint_key(struct job *j)
{
	char ruff[CUV_STORE_NAME_SIZE + CUV_LINT_SETTINGS_TEXT_SIZE + 1], settings[CUV_LINT_SETTINGS_TEXT_SIZE];

	cuv_lint_settings_text(j->spec->lint_settings, python_of(j), settings);
	(void)snprintf(ruff, sizeof(ruff), "%s %s", j->tools->ruff, settings);
	cuv_ruff_cache_key(ruff, j->spec->code, j->spec->code_len, &j->key);
}

/* A report that is known; a kept ruff, which has settings of its own; boxes. */
static void begin_ruff(struct job *j)
{
	struct cuv_ruff_pool *pool = pool_of(j);
	enum cuv_ruff_known known = CUV_RUFF_TOO_MUCH;
	struct cuv_ruff_report report;

	cuv_ruff_report_init(&report);
	if (pool) {
		lint_key(j);
		known = cuv_ruff_cache_get(&pool->cache, &j->key, &report);
	}
	/* The ticket has a copy of the code. */
	if (known == CUV_RUFF_UNKNOWN && cuv_lint_settings_kept(j->spec->lint_settings, python_of(j)) &&
	    (!j->events->charge || j->events->charge(j->events->arg, j->spec->code_len)))
		j->ticket = cuv_ruff_pool_ask(pool, &j->key, j->spec->code, j->spec->code_len);
	if (j->ticket) {
		j->side[SIDE_RUFF].fd = cuv_ruff_ticket_fd(j->ticket);
		j->side[SIDE_RUFF].deadline_ns = cuv_deadline_ms(RUFF_MS);
		j->side[SIDE_RUFF].ended = false;
	} else if (known == CUV_RUFF_KNOWN && take_report(j, &report)) {
		end_lint(j);
	} else {
		begin_boxes(j);
	}
	cuv_ruff_report_done(&report);
}

/* The ticket has an answer, or is not waited for any more. */
static void end_ruff(struct job *j)
{
	struct cuv_ruff_report report;

	cuv_ruff_report_init(&report);
	j->side[SIDE_RUFF].fd = -1;
	j->side[SIDE_RUFF].ended = true;
	if (cuv_ruff_ticket_end(pool_of(j), TAKE_PTR(j->ticket), &report) && take_report(j, &report))
		end_lint(j);
	else
		begin_boxes(j);
	cuv_ruff_report_done(&report);
}

/* The zygote that was linked with what the image has; "" where the store has none. */
static const char *zygote_of(const struct cuv_tools *tools, const char *image)
{
	for (size_t i = 0; i < tools->n_pythons; i++)
		if (strcmp(tools->pythons[i].image, image) == 0)
			return tools->pythons[i].zygote;
	return "";
}

static int fill_program(const struct job *j, struct cuv_run *m)
{
	const struct cuv_environment *e = &j->ret->environment;
	const char *program = j->spec->program ? j->spec->program : "main.py";
	size_t i;
	int r = 0;

	snprintf(m->run_id, sizeof(m->run_id), "%s", j->spec->run_id);
	snprintf(m->image, sizeof(m->image), "%s", e->image);
	snprintf(m->env, sizeof(m->env), "%s", e->store_name);
	snprintf(m->zygote, sizeof(m->zygote), "%s", zygote_of(j->tools, e->image));
	snprintf(m->tenant, sizeof(m->tenant), "%s", j->spec->tenant ? j->spec->tenant : "");
	m->strict = j->spec->strict;
	m->deterministic = j->spec->deterministic;
	for (i = 0; r == 0 && i < e->closure.n; i++)
		r = cuv_strv_add(&m->closure, e->closure.items[i]);
	if (r == 0)
		r = cuv_strv_addf(&m->argv, "/nix/store/%s/bin/python", e->store_name);
	for (i = 0; r == 0 && j->spec->options && i < j->spec->options->n; i++)
		r = cuv_strv_add(&m->argv, j->spec->options->items[i]);
	if (r == 0)
		r = cuv_strv_add(&m->argv, program);
	for (i = 0; r == 0 && j->spec->args && i < j->spec->args->n; i++)
		r = cuv_strv_add(&m->argv, j->spec->args->items[i]);
	if (r == 0)
		r = cuv_strv_add(&m->files, program);
	m->bundle = j->spec->files && j->spec->files->out.fd >= 0;
	for (i = 0; r == 0 && j->spec->artifacts && i < j->spec->artifacts->n; i++)
		r = cuv_strv_add(&m->artifacts, j->spec->artifacts->items[i]);
	m->limits = j->spec->limits;
	return r;
}

static int begin_program(struct job *j)
{
	struct side *s = &j->side[SIDE_RUN];
	_cleanup_run_ struct cuv_run run = CUV_RUN_INIT;
	_cleanup_close_ int input = cuv_memfd("stdin", j->spec->stdin_data, j->spec->stdin_len);
	_cleanup_close_ int code = cuv_memfd("main.py", j->spec->code, j->spec->code_len);
	int fds[] = {input, code, j->spec->files ? j->spec->files->out.fd : -1};

	if (input < 0 || code < 0 || fill_program(j, &run) < 0)
		return no_memory(j);
	s->deadline_ns = cuv_deadline_ms(j->spec->queue_ms);
	return begin_run(j->peers, &run, fds, cuv_run_fds(&run), s, j->err);
}

/* --- what comes in --- */

static int failed(struct job *j, struct cuv_frame *f)
{
	struct cuv_error said;

	if (cuv_failure_get(&f->body, &said) < 0)
		return fail(j, CUV_E_INTERNAL, 0, "a part of the service sent a broken message");
	if (j->err)
		*j->err = said;
	return -EIO;
}

/* The lock's text, whose file comes with the environment. A run is not lost because it
 * can't be read, but for memory. By lseek, which fails for what is no file: the
 * sealed manager has no fstat. */
static int read_lock(struct job *j)
{
	struct cuv_buf *lock = &j->ret->lock;
	const int fd = j->held ? cuv_held_lock_fd(j->held) : j->lock;
	off_t len = fd < 0 ? -1 : lseek(fd, 0, SEEK_END);

	if (len < 0 || len > (off_t)lock->max)
		return 0;
	if (j->events->charge && !j->events->charge(j->events->arg, 6 * (size_t)len))
		return no_memory(j);
	if (cuv_pread_all(fd, lock) < 0)
		cuv_buf_reset(lock);
	return 0;
}

static int on_environment(struct job *j, struct cuv_frame *f)
{
	struct cuv_env_progress progress;

	switch (f->type) {
	case CUV_MSG_ENV_PROGRESS:
		if (cuv_env_progress_get(&f->body, &progress) < 0)
			break;
		if (j->events->progress)
			j->events->progress(j->events->arg, &progress);
		return 0;
	case CUV_MSG_ENV_READY:
		if (j->side[SIDE_ENV].ended || cuv_environment_get(&f->body, &j->ret->environment) < 0)
			break;
		j->side[SIDE_ENV].fd = cuv_close(j->side[SIDE_ENV].fd);
		j->lock = cuv_frame_take_fd(f, 0);
		j->lease = cuv_frame_take_fd(f, 1);
		if (j->peers->held)
			j->held = cuv_held_put(j->peers->held, &j->ask, j->spec->requirements,
					       j->spec->requirements_len, &j->ret->environment, &j->lock, &j->lease);
		return ready(j);
	case CUV_MSG_FAILURE:
		return failed(j, f);
	default:
		break;
	}
	return fail(j, CUV_E_INTERNAL, 0, "the builder sent a broken message");
}

/* Keeps output up to the buffer's maximum, which the launcher knows too. */
static int keep(struct job *j, struct cuv_buf *b, const struct cuv_output *o)
{
	size_t len = CUV_MIN(o->len, b->max - b->len);

	if (j->events->charge && !j->events->charge(j->events->arg, 2 * len))
		return no_memory(j);
	return cuv_buf_add(b, o->data, len) < 0 ? no_memory(j) : 0;
}

static int take_artifacts(struct job *j, struct cuv_frame *f)
{
	_cleanup_close_ int fd = cuv_frame_take_fd(f, 0);
	struct cuv_buf *b = &j->ret->artifacts;
	const off_t len = lseek(fd, 0, SEEK_END);

	if (len < 0 || len > (off_t)b->max)
		return fail(j, CUV_E_INTERNAL, 0, "the launcher sent artifacts that can't be read");
	if (j->events->charge && !j->events->charge(j->events->arg, 2 * (size_t)len))
		return no_memory(j);
	return cuv_pread_all(fd, b) < 0 ? no_memory(j) : 0;
}

/* The launcher says so, or what it says tells. */
static void begun(struct job *j)
{
	if (j->started)
		return;
	j->started = true;
	j->side[SIDE_RUN].deadline_ns = cuv_deadline_ms(j->spec->limits.value[CUV_LIMIT_WALL] + RUN_SLACK_MS);
	if (j->events->started)
		j->events->started(j->events->arg);
}

static int on_program(struct job *j, struct cuv_frame *f)
{
	struct side *s = &j->side[SIDE_RUN];
	struct cuv_output o;

	switch (f->type) {
	case CUV_MSG_RUN_STARTED:
		if (cuv_reader_end(&f->body) < 0)
			break;
		begun(j);
		return 0;
	case CUV_MSG_RUN_OUTPUT:
		if (cuv_output_get(&f->body, &o) < 0)
			break;
		begun(j);
		if (j->events->output)
			j->events->output(j->events->arg, o.stream, o.data, o.len);
		if (!j->events->output || j->events->keep)
			return keep(j, o.stream == CUV_STREAM_STDOUT ? &j->ret->out : &j->ret->err, &o);
		return 0;
	case CUV_MSG_RUN_RESULT:
		if (cuv_run_result_get(&f->body, &j->ret->run) < 0 || f->n_fds != (size_t)j->ret->run.collected)
			break;
		begun(j);
		s->ended = true;
		return j->ret->run.collected ? take_artifacts(j, f) : 0;
	case CUV_MSG_FAILURE:
		return failed(j, f);
	default:
		break;
	}
	return fail(j, CUV_E_INTERNAL, 0, "the launcher sent a broken message");
}

/* Any error here only ends this side. */
static int on_lint(struct job *j, struct side *s, struct cuv_buf *kept, struct cuv_frame *f)
{
	struct cuv_run_result result;
	struct cuv_output o;

	switch (f->type) {
	case CUV_MSG_RUN_STARTED:
		return 0;
	case CUV_MSG_RUN_OUTPUT:
		if (cuv_output_get(&f->body, &o) < 0)
			return -EBADMSG;
		return o.stream == CUV_STREAM_STDOUT ? keep(j, kept, &o) : 0;
	case CUV_MSG_RUN_RESULT:
		if (cuv_run_result_get(&f->body, &result) < 0)
			return -EBADMSG;
		s->ok = result.status == CUV_RUN_SUCCESS || result.status == CUV_RUN_ERROR;
		s->exit_code = result.exit_code;
		s->ended = true;
		return 0;
	default:
		return -EBADMSG;
	}
}

static int lost(struct job *j, enum side_kind kind)
{
	if (kind == SIDE_ENV)
		return fail(j, CUV_E_UNAVAILABLE, RETRY_AFTER_S, "the builder went away; try again");
	return fail(j, CUV_E_UNAVAILABLE, RETRY_AFTER_S, "the launcher went away; try again");
}

static int read_side(struct job *j, enum side_kind kind)
{
	_cleanup_frame_ struct cuv_frame f = CUV_FRAME_INIT;
	struct side *s = &j->side[kind];
	struct cuv_error before = j->err ? *j->err : CUV_ERROR_INIT;
	int r = cuv_frame_recv(s->fd, &f);

	if (kind == SIDE_FORMAT || kind == SIDE_CHECK) {
		if (r == 0)
			r = on_lint(j, s, kind == SIDE_FORMAT ? &j->ret->formatted : &j->ret->lint, &f);
		if (r != 0)
			s->ended = true;
		if (r != 0 && j->err)
			*j->err = before;
		if (s->ended)
			s->fd = cuv_close(s->fd);
		return 0;
	}
	if (r != 0) {
		s->fd = cuv_close(s->fd);
		return s->ended ? 0 : lost(j, kind);
	}
	r = kind == SIDE_ENV ? on_environment(j, &f) : on_program(j, &f);
	if (kind == SIDE_RUN && s->ended)
		s->fd = cuv_close(s->fd);
	return r;
}

/* --- the loop --- */

static int timed_out(struct job *j, enum side_kind kind)
{
	switch (kind) {
	case SIDE_ENV:
		return fail(j, CUV_E_BUILD_TIMEOUT, 0, "the environment was not ready in time; send the request again");
	case SIDE_RUN:
		if (j->started)
			return fail(j, CUV_E_INTERNAL, 0, "the run was not reported on; send the request again");
		return fail(j, CUV_E_OVERLOADED, RETRY_AFTER_S, "no box became free in time; try again later");
	case SIDE_RUFF:
		end_ruff(j);
		return 0;
	case SIDE_FORMAT:
	case SIDE_CHECK:
	case _SIDE_MAX:
	default:
		j->side[kind].ended = true;
		j->side[kind].fd = cuv_close(j->side[kind].fd);
		return 0;
	}
}

static bool finished(struct job *j)
{
	struct side *format = &j->side[SIDE_FORMAT], *check = &j->side[SIDE_CHECK];

	if (!j->side[SIDE_RUN].ended)
		return false;
	if (format->ended && check->ended)
		return true;
	if (j->boxes && format->deadline_ns == CUV_NEVER)
		format->deadline_ns = check->deadline_ns = cuv_deadline_ms(CUV_LINT_WAIT_MS);
	return false;
}

static int step(struct job *j)
{
	struct pollfd p[_SIDE_MAX + 1];
	uint64_t deadline = CUV_NEVER;
	short gone = j->events->cancel_events ? j->events->cancel_events : POLLIN;
	int i, r;

	/* Before it is asked who has said what: it may take a while. */
	if (j->events->waits)
		j->events->waits(j->events->arg);
	for (i = 0; i < _SIDE_MAX; i++) {
		p[i] = (struct pollfd){.fd = j->side[i].fd, .events = POLLIN};
		if (!j->side[i].ended && j->side[i].fd >= 0)
			deadline = CUV_MIN(deadline, j->side[i].deadline_ns);
	}
	p[_SIDE_MAX] = (struct pollfd){.fd = j->events->cancel_fd, .events = gone};
	if (j->events->waits)
		deadline = CUV_MIN(deadline, cuv_deadline_ms(CUV_JOB_WAITS_MS));
	r = poll(p, _SIDE_MAX + 1, cuv_deadline_poll_ms(deadline));
	if (r < 0 && errno != EINTR)
		return fail(j, CUV_E_INTERNAL, 0, "the service could not wait for the run");
	if (r < 0)
		return 0;
	if (p[_SIDE_MAX].revents & (gone | POLLHUP | POLLERR | POLLNVAL))
		return fail(j, CUV_E_CANCELLED, 0, "the client went away");
	for (i = 0; i < _SIDE_MAX; i++) {
		r = 0;
		if (p[i].revents && i == SIDE_RUFF)
			end_ruff(j);
		else if (p[i].revents)
			r = read_side(j, (enum side_kind)i);
		else if (!j->side[i].ended && j->side[i].fd >= 0 && j->side[i].deadline_ns <= cuv_now_ns())
			r = timed_out(j, (enum side_kind)i);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Boxes say it for the next time too, where there is a cache. */
static void keep_report(const struct job *j)
{
	const struct cuv_job_result *ret = j->ret;
	struct cuv_ruff_report report;
	json_t *warnings;
	char *text;

	if (!pool_of(j))
		return;
	cuv_ruff_report_init(&report);
	warnings = cuv_lint_warnings(cuv_buf_str(&ret->lint), ret->lint.len, !ret->format_done);
	text = warnings ? json_dumps(warnings, JSON_COMPACT) : NULL;
	report.parsed = ret->format_done;
	if (text && cuv_buf_add_str(&report.warnings, text) == 0 &&
	    (!report.parsed || cuv_buf_add(&report.formatted, cuv_buf_str(&ret->formatted), ret->formatted.len) == 0))
		cuv_ruff_cache_put(&pool_of(j)->cache, &j->key, &report);
	cuv_ruff_report_done(&report);
	json_decref(warnings);
	free(text);
}

static void judge_lint(struct job *j)
{
	const struct side *format = &j->side[SIDE_FORMAT], *check = &j->side[SIDE_CHECK];
	struct cuv_job_result *ret = j->ret;

	if (!j->boxes) /* it was skipped, or a kept ruff has said it */
		return;
	ret->lint_state = CUV_LINT_UNAVAILABLE;
	if (format->ok && check->ok && check->exit_code == 0) {
		ret->format_done = format->exit_code == 0;
		if (ret->format_done || cuv_lint_has_syntax_error(cuv_buf_str(&ret->lint), ret->lint.len))
			ret->lint_state = CUV_LINT_DONE;
	}
	if (ret->lint_state == CUV_LINT_DONE)
		keep_report(j);
}

int cuv_job_run(const struct cuv_peers *peers, const struct cuv_tools *tools, const struct cuv_job_spec *spec,
		const struct cuv_job_events *events, struct cuv_job_result *ret, struct cuv_error *err)
{
	struct job j = {.peers = peers,
			.tools = tools,
			.spec = spec,
			.events = events,
			.ret = ret,
			.err = err,
			.lock = -1,
			.lease = -1};
	int i, r;

	for (i = 0; i < _SIDE_MAX; i++)
		j.side[i] = (struct side){.fd = -1, .deadline_ns = CUV_NEVER};
	r = begin_environment(&j);
	j.side[SIDE_RUFF].ended = true;
	if (r == 0 && spec->lint)
		begin_ruff(&j);
	else
		end_lint(&j);
	while (r == 0 && !finished(&j))
		r = step(&j);
	(void)cuv_ruff_ticket_end(pool_of(&j), j.ticket, NULL);
	for (i = 0; i < SIDE_RUFF; i++)
		j.side[i].fd = cuv_close(j.side[i].fd);
	if (r == 0)
		r = read_lock(&j);
	j.lock = cuv_close(j.lock);
	j.lease = cuv_close(j.lease);
	j.held = cuv_held_unref(j.held);
	if (r == 0)
		judge_lint(&j);
	else if (spec->source)
		/* The builder knows the canonical text only. */
		cuv_requirements_relocate(spec->source, err);
	return r;
}
