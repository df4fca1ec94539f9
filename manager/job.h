/* SPDX-License-Identifier: MIT */
/*
 * One job from accepted input to answer: the environment from the builder (or from what
 * it gave a moment ago, held.h), the run by the launcher, format and lint by two more boxes meanwhile. The HTTP
 * routes and `cuvette run` both go this way.
 *
 * A job is driven by the calling thread alone, with poll over its sessions; it
 * opens up to four sessions (environment, run, format, lint) and closes all of
 * them before it returns, which cancels what is still under way.
 */
#ifndef CUV_JOB_H
#define CUV_JOB_H

#include "lib/base/buf.h"
#include "lib/base/error.h"
#include "lib/base/hash.h"
#include "lib/proto/messages.h"
#include "nixenv/python.h"

struct cuv_held;
struct cuv_lint_settings;
struct cuv_requirements;
struct cuv_ruff_pool;
struct cuv_upload;

/* How to reach launcher and builder: control sockets when >= 0, else paths.
 * Borrowed by jobs; safe to use from many threads at once. */
struct cuv_peers {
	int launcher_control;
	int builder_control;
	const char *launcher_path;
	const char *builder_path;
	struct cuv_ruff_pool *ruff; /* NULL: none is kept, each job has its own in boxes */
	struct cuv_held *held;	    /* NULL: the builder is asked for each job */
};
#define CUV_PEERS_INIT ((struct cuv_peers){.launcher_control = -1, .builder_control = -1})

/* Opens a session; the descriptor is the caller's. -errno, with err set
 * (CUV_E_UNAVAILABLE) when the process can't be reached. */
int cuv_peers_launcher(const struct cuv_peers *p, struct cuv_error *err);
int cuv_peers_builder(const struct cuv_peers *p, struct cuv_error *err);
/* The same with the session's first message; -E2BIG when that is too large for a frame. */
int cuv_peers_tell_launcher(const struct cuv_peers *p, struct cuv_writer *first, const int *fds, size_t n_fds,
			    struct cuv_error *err);
int cuv_peers_tell_builder(const struct cuv_peers *p, struct cuv_writer *first, const int *fds, size_t n_fds,
			   struct cuv_error *err);
/* Asks for layers or tools within timeout_ms. 0 or -errno with err set. */
int cuv_peers_layers(const struct cuv_peers *p, uint32_t timeout_ms, struct cuv_layers *ret, struct cuv_error *err);
int cuv_peers_tools(const struct cuv_peers *p, uint32_t timeout_ms, struct cuv_tools *ret, struct cuv_error *err);

/* What to do. All pointers are borrowed for the job's time. */
struct cuv_job_spec {
	char run_id[CUV_ID_HEX_SIZE];
	const char *code; /* main.py as uploaded, a BOM dropped */
	size_t code_len;
	const struct cuv_python *python; /* NULL: the default one */
	/* What is asked for: canonical requirements (nixenv/requirements.h), a lock in
	 * its complete form (nixenv/lock.h), or the digest of an environment. */
	enum cuv_env_source env_source;
	const char *requirements; /* text of the first two */
	size_t requirements_len;
	const char *env_digest; /* of the third */
	/* What the requirements were read from, whose lines errors are about; NULL: none. */
	const struct cuv_requirements *source;
	const char *stdin_data;
	size_t stdin_len;
	const struct cuv_strv *args; /* after main.py; may be NULL */
	/* Before it, for the interpreter; may be NULL. With any, or a name of its own
	 * in place of main.py (NULL: none), a run is cold. */
	const struct cuv_strv *options;
	const char *program;
	const struct cuv_upload *files;	  /* finished; may be NULL */
	const struct cuv_strv *artifacts; /* valid patterns (lib/proto/glob.h); may be NULL */
	int64_t exclude_s;		  /* of requirements; 0: today 00:00 UTC */
	struct cuv_limits limits;
	uint32_t resolve_ms; /* limits of the environment's two steps */
	uint32_t build_ms;
	uint32_t queue_ms;  /* longest wait for a free box */
	bool lint;	    /* run ruff … */
	bool strict;	    /* never from a zygote */
	bool deterministic; /* the same each time, as far as it goes (docs/api.md) */
	bool build_only;    /* the environment is all; nothing is run, nor linted */
	/* … with these; NULL: its own for the Python. */
	const struct cuv_lint_settings *lint_settings;
	/* What is collected is not for the answer, and not charged for as a part of it. */
	bool artifacts_stay;
	bool base64; /* the answer has output as it is, in Base64 */
	/* Whose run it is; a zygote is shared with runs of the same tenant. "" or
	 * NULL: with everybody. */
	const char *tenant;
};

#define CUV_JOB_WAITS_MS 1000
/* Called from the job's thread while it runs; any may be NULL. */
struct cuv_job_events {
	void *arg;
	void (*progress)(void *arg, const struct cuv_env_progress *p);
	void (*started)(void *arg); /* the program has been executed */
	void (*waits)(void *arg);   /* every CUV_JOB_WAITS_MS, or sooner, until the job ends */
	/* Output as it comes. When set, the result's stdout and stderr stay empty, but
	 * with keep. */
	void (*output)(void *arg, enum cuv_stream stream, const uint8_t *data, size_t len);
	bool keep;
	/* Asked before more of the job's output is kept in memory; false ends the
	 * job with CUV_E_OVERLOADED. */
	bool (*charge)(void *arg, size_t bytes);
	int cancel_fd;	     /* one of cancel_events on it: the client is gone, give up; -1: none */
	short cancel_events; /* for poll(2), hang-ups always count; 0 means POLLIN */
};
#define CUV_JOB_EVENTS_INIT ((struct cuv_job_events){.cancel_fd = -1})

enum cuv_lint_state { CUV_LINT_DONE = 1, CUV_LINT_SKIPPED, CUV_LINT_UNAVAILABLE };

struct cuv_job_result {
	struct cuv_environment environment;
	struct cuv_buf lock; /* pylock.toml of the environment; empty: it can't be had */
	struct cuv_run_result run;
	struct cuv_buf out; /* stdout, raw bytes, at most the limit */
	struct cuv_buf err;
	struct cuv_buf artifacts; /* a bundle (lib/proto/bundle.h); empty: none came */
	enum cuv_lint_state lint_state;
	bool format_done;	  /* false with CUV_LINT_DONE: the code can't be parsed */
	struct cuv_buf formatted; /* with format_done */
	struct cuv_buf lint;	  /* ruff's JSON, as it came */
	bool lint_is_ours;	  /* our list of warnings instead (lint.h) */
};
void cuv_job_result_init(struct cuv_job_result *r, const struct cuv_job_spec *spec);
void cuv_job_result_done(struct cuv_job_result *r);

/* Runs the job to its end. 0 with *ret filled in whenever a run took place
 * (whatever its status); -errno with err set where none did. ret must have been
 * initialised. */
int cuv_job_run(const struct cuv_peers *peers, const struct cuv_tools *tools, const struct cuv_job_spec *spec,
		const struct cuv_job_events *events, struct cuv_job_result *ret, struct cuv_error *err);

#endif
