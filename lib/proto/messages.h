/* SPDX-License-Identifier: MIT */
/*
 * Every message between Cuvette's processes, who sends it, and in which state.
 *
 * A *control* socket joins the supervisor (`cuvette serve`) with each process,
 * and the manager with launcher and builder. A *session* is a connection of its
 * own for one run or one environment; it is opened by sending one end of a
 * socket pair in SESSION_OPEN over a control socket, or by connecting to the
 * process's listening socket. Closing a session cancels what it asked for.
 *
 *   session with the launcher:  RUN → RUN_STARTED? RUN_OUTPUT* (RUN_RESULT | FAILURE)
 *                               LAYERS_ASK → LAYERS
 *   session with the builder:   ENV_ASK → ENV_PROGRESS* (ENV_READY | FAILURE)
 *                               TOOLS_ASK → (TOOLS | FAILURE)
 *                               CHORE_ASK → ENV_PROGRESS* (CHORE_ANSWER | FAILURE)
 *                               SHARE_ASK → (SHARE | FAILURE)
 *                               LOOK_ASK → (LOOK | FAILURE)
 *                               WHICH_ASK → WHICH
 *                               ENV_USED, which has no answer
 *
 * Each message has a struct with put (encode), get (decode, -EBADMSG when it is
 * not well-formed or passes a bound) and, where it owns memory, done.
 */
#ifndef CUV_MESSAGES_H
#define CUV_MESSAGES_H

#include "lib/base/error.h"
#include "lib/proto/frame.h"
#include "lib/proto/limits.h"

/* X(name, number, "sender", "receiver", descriptors, "meaning") */
#define CUV_MESSAGE_TABLE(X)                                                                                           \
	X(READY, 1, "any child", "supervisor", 0, "set-up is complete, the process takes work")                        \
	X(SESSION_OPEN, 2, "manager", "launcher, builder", 1, "here is the other end of a new session")                \
	X(FAILURE, 3, "launcher, builder", "client", 0, "the session's request failed; the last message")              \
	X(LISTENING, 4, "manager", "supervisor", 0, "the port that the service listens on; comes before READY")        \
	X(RUN, 10, "client", "launcher", 2, "run argv in a box; descriptors: stdin, the files, their bundle")          \
	X(RUN_STARTED, 11, "launcher", "client", 0,                                                                    \
	  "the run is being executed; left out where output or its end tells")                                         \
	X(RUN_OUTPUT, 12, "launcher", "client", 0, "bytes of stdout or stderr, in order")                              \
	X(RUN_RESULT, 13, "launcher", "client", 0, "how the run ended; the last message; perhaps a bundle of files")   \
	X(LAYERS_ASK, 14, "client", "launcher", 0, "which layers of isolation are on?")                                \
	X(LAYERS, 15, "launcher", "client", 0, "the layers' states; the last message")                                 \
	X(ENV_ASK, 20, "client", "builder", 1, "environment for these requirements, this lock or this digest")         \
	X(ENV_PROGRESS, 21, "builder", "client", 0, "what is being done and how far it is")                            \
	X(ENV_READY, 22, "builder", "client", 2,                                                                       \
	  "the environment; its lock, its lease if it was made; the last message")                                     \
	X(TOOLS_ASK, 23, "client", "builder", 0, "store paths of images, uv and ruff?")                                \
	X(TOOLS, 24, "builder", "client", 0, "those paths; the last message")                                          \
	X(CHORE_ASK, 25, "client", "builder", 1, "something about the store: see lib/proto/chore.h")                   \
	X(CHORE_ANSWER, 26, "builder", "client", 1, "what came of it; descriptor: JSON; the last message")             \
	X(SHARE_ASK, 27, "client", "builder", 0, "a path's narinfo or archive: see lib/proto/share.h")                 \
	X(SHARE, 28, "builder", "client", 1, "the descriptor holds it; the last message")                              \
	X(LOOK_ASK, 29, "client", "builder", 0, "what is the environment of this digest? see lib/proto/look.h")        \
	X(LOOK, 30, "builder", "client", 1, "that environment, and its lock; the last message")                        \
	X(WHICH_ASK, 31, "client", "builder", 0, "which of these environments are there?")                             \
	X(WHICH, 32, "builder", "client", 0, "those of them that are; the last message")                               \
	X(ENV_USED, 33, "client", "builder", 0,                                                                        \
	  "an environment was used so often more under the lease that it came with")

enum cuv_msg {
#define X(name, number, from, to, fds, text) CUV_MSG_##name = number,
	CUV_MESSAGE_TABLE(X)
#undef X
};

/* "<32 base-32 characters>-<name>", the last component of a store path. */
#define CUV_STORE_NAME_SIZE 256
/* True for exactly that form: 32 characters of Nix's alphabet, '-', then 1..211
 * of [A-Za-z0-9+._?=-], not starting with '.'. */
bool cuv_store_name_valid(const char *name);

/* --- READY, LAYERS_ASK, TOOLS_ASK, SESSION_OPEN have no body --- */
int cuv_msg_send_plain(int sock, enum cuv_msg type, const int *fds, size_t n_fds);

/* --- LISTENING --- */
int cuv_listening_send(int sock, uint16_t port);
int cuv_listening_get(struct cuv_reader *r, uint16_t *ret_port);

/* --- FAILURE --- */
void cuv_failure_put(struct cuv_writer *w, const struct cuv_error *err);
int cuv_failure_get(struct cuv_reader *r, struct cuv_error *ret);
int cuv_failure_send(int sock, const struct cuv_error *err);

/* --- RUN ---
 * The box's root is `image`; `closure` are the store paths bound below
 * /nix/store (image not among them); when `env` is not "" it is one of closure
 * and its bin/ stands first in PATH. argv[0] is an absolute path in the box.
 * Files are written to the work folder with the given names (one component
 * each, not "." or "..", mode 0644), from the descriptors after stdin, which
 * are regular files or sealed memfds read from offset 0. With `bundle` the last
 * descriptor is one of many files (lib/proto/bundle.h), which are put beside them.
 *
 * With `artifacts`, patterns (lib/proto/glob.h), RUN_RESULT comes with a descriptor:
 * what the run has left in the work folder under names that match.
 *
 * With `zygote` the run is `argv[0] main.py …` and may be forked from a zygote
 * that is shared with other runs of the same environment and tenant; a `strict`
 * one never is. */
#define CUV_FILE_NAME_SIZE 128
#define CUV_TENANT_SIZE 40
struct cuv_run {
	char run_id[40]; /* for the launcher's log */
	char image[CUV_STORE_NAME_SIZE];
	char env[CUV_STORE_NAME_SIZE];
	char zygote[CUV_STORE_NAME_SIZE]; /* its store path; "": none */
	char tenant[CUV_TENANT_SIZE];	  /* whose run it is: [A-Za-z0-9_:.-]*; "": nobody's in particular */
	bool strict;
	struct cuv_strv closure;
	struct cuv_strv argv;
	struct cuv_strv files;
	bool bundle;
	struct cuv_strv artifacts;
	struct cuv_limits limits;
	/* stdin is one end of a pair of connected Unix stream sockets instead, and
	 * stdout too: a program that is spoken with. There are a few places for
	 * such runs, apart from the others', and no queue. */
	bool stream;
	bool kept;	    /* such a one that answers many, one after the other, for as long as it may */
	bool deterministic; /* the same each time, as far as it goes (docs/api.md); cold */
};
#define CUV_RUN_INIT ((struct cuv_run){0})
void cuv_run_done(struct cuv_run *m);
void cuv_run_put(struct cuv_writer *w, const struct cuv_run *m);
/* Checks all bounds and names too, so that a decoded run is safe to act on. */
int cuv_run_get(struct cuv_reader *r, struct cuv_run *ret);
bool cuv_file_name_valid(const char *name);
/* How many descriptors come with it. */
size_t cuv_run_fds(const struct cuv_run *m);

/* --- RUN_OUTPUT --- */
enum cuv_stream { CUV_STREAM_STDOUT = 1, CUV_STREAM_STDERR = 2 };
#define CUV_OUTPUT_CHUNK_MAX 32768
struct cuv_output {
	enum cuv_stream stream;
	const uint8_t *data; /* borrowed from the frame */
	size_t len;
};
void cuv_output_put(struct cuv_writer *w, const struct cuv_output *m);
int cuv_output_get(struct cuv_reader *r, struct cuv_output *ret);

/* --- RUN_RESULT --- */
enum cuv_run_status {
	CUV_RUN_SUCCESS = 1,   /* exit status 0 */
	CUV_RUN_ERROR,	       /* another exit status */
	CUV_RUN_TIMEOUT,       /* wall or CPU time */
	CUV_RUN_OUT_OF_MEMORY, /* the OOM killer struck in the run's cgroup */
	CUV_RUN_OUTPUT_LIMIT,  /* stdout or stderr passed its limit */
	CUV_RUN_KILLED,	       /* a signal */
	CUV_RUN_FAILED,	       /* our fault, not the program's */
	_CUV_RUN_STATUS_MAX,
};
const char *cuv_run_status_name(enum cuv_run_status s); /* "out-of-memory" … */

/* The way a run came into its box. X(enum suffix, "name", "what it means") */
#define CUV_RUN_PATH_TABLE(X)                                                                                          \
	X(COLD, "cold", "a new interpreter was executed")                                                              \
	X(ZYGOTE, "zygote", "forked from the environment's zygote when it was asked for")                              \
	X(POOL, "pool", "forked from the environment's zygote before, and waiting")
enum cuv_run_path {
#define X(suffix, name, text) CUV_RUN_PATH_##suffix,
	CUV_RUN_PATH_TABLE(X)
#undef X
		_CUV_RUN_PATH_MAX,
};
const char *cuv_run_path_name(enum cuv_run_path p);

#define CUV_WHY_COLD_SIZE 120
struct cuv_run_result {
	enum cuv_run_status status;
	enum cuv_run_path path;
	char why_cold[CUV_WHY_COLD_SIZE]; /* why not by a zygote; "" unless the path is cold */
	int32_t exit_code;		  /* 0..255, or 128 + signal where a signal ended it */
	int32_t signal;			  /* 0 if none */
	uint64_t wall_ns;		  /* from exec to its end as its parent saw it */
	uint64_t cpu_user_ns;
	uint64_t cpu_system_ns;
	uint64_t max_memory_bytes; /* peak of the cgroup; of the largest process without one */
	bool stdout_truncated;
	bool stderr_truncated;
	bool cpu_timeout; /* TIMEOUT was CPU time, not wall time */
	bool collected;	  /* a descriptor comes along: the artifacts' bundle (lib/proto/bundle.h) */
};
void cuv_run_result_put(struct cuv_writer *w, const struct cuv_run_result *m);
int cuv_run_result_get(struct cuv_reader *r, struct cuv_run_result *ret);

/* --- LAYERS --- */
/* X(enum suffix, "name" for --allow-degraded, may be degraded?, "what it does") */
#define CUV_LAYER_TABLE(X)                                                                                             \
	X(NAMESPACES, "namespaces", false, "pid, mount, net, ipc, uts and user namespaces")                            \
	X(ROOT, "root", false, "read-only root by pivot_root, only the closure's store paths")                         \
	X(PROC, "proc", true, "/proc that shows only the run's own processes")                                         \
	X(PRIVILEGES, "privileges", false, "no capabilities, no_new_privs")                                            \
	X(SECCOMP, "seccomp", false, "system call filter")                                                             \
	X(UID, "uid-separation", true, "a host user id of its own for each box")                                       \
	X(CGROUP_MEMORY, "cgroup-memory", true, "memory limit of the whole run, no swap")                              \
	X(CGROUP_PIDS, "cgroup-pids", true, "limit of processes and threads of the whole run")                         \
	X(CGROUP_CPU, "cgroup-cpu", true, "CPU quota and accounting of the whole run")                                 \
	X(LANDLOCK, "landlock", true, "manager and resolver see no files but their own")

enum cuv_layer {
#define X(name, text, degradable, doc) CUV_LAYER_##name,
	CUV_LAYER_TABLE(X)
#undef X
		_CUV_LAYER_MAX,
};
enum cuv_layer_state { CUV_LAYER_OK = 1, CUV_LAYER_DEGRADED, CUV_LAYER_MISSING };
const char *cuv_layer_name(enum cuv_layer l);
bool cuv_layer_degradable(enum cuv_layer l);
int cuv_layer_find(const char *name); /* -1: no such layer */

/* What the launcher has counted since it was started, and how many there are now. X(enum
 * suffix, "name of the metric", "its type", "what it is") */
#define CUV_COUNT_TABLE(X)                                                                                             \
	X(ZYGOTES, "cuvette_zygotes", "gauge", "Zygotes that are warm.")                                               \
	X(POOL, "cuvette_pool", "gauge", "Boxes that wait in zygotes for a run.")                                      \
	X(READY, "cuvette_boxes_ready", "gauge", "Boxes outside of zygotes that wait for a run, half made.")           \
	X(QUEUE, "cuvette_box_queue", "gauge", "Runs that wait for a box.")                                            \
	X(WARMED, "cuvette_zygotes_warmed_total", "counter", "Zygotes that have become warm.")                         \
	X(FAILED, "cuvette_zygotes_failed_total", "counter", "Zygotes that died, or did not become warm.")             \
	X(FAULTS, "cuvette_launcher_faults_total", "counter",                                                          \
	  "Runs that failed because a process of theirs could not be started, died or left something.")                \
	X(LOST, "cuvette_boxes_lost_total", "counter", "Places for boxes given up because something stayed in them.")
enum cuv_count {
#define X(suffix, name, type, text) CUV_COUNT_##suffix,
	CUV_COUNT_TABLE(X)
#undef X
		_CUV_COUNT_MAX,
};
struct cuv_layers {
	struct {
		enum cuv_layer_state state;
		char why[200]; /* "" when ok; what to do otherwise */
	} layer[_CUV_LAYER_MAX];
	uint32_t boxes_max;
	uint32_t boxes_busy;
	uint64_t counts[_CUV_COUNT_MAX];
};
void cuv_layers_put(struct cuv_writer *w, const struct cuv_layers *m);
int cuv_layers_get(struct cuv_reader *r, struct cuv_layers *ret);

/* --- ENV_ASK ---
 * The descriptor is a regular file or a memfd, and what it holds depends on the
 * source:
 *
 *   REQUIREMENTS  canonical requirements text (nixenv/requirements.h)
 *   LOCK	   a lock in its complete JSON form (nixenv/lock.h); exclude_s is 0
 *   DIGEST	   nothing, it is empty; the environment must be known already,
 *		   else ENVIRONMENT_UNKNOWN; exclude_s is 0 */
/* X(enum suffix, "name") */
#define CUV_ENV_SOURCE_TABLE(X)                                                                                        \
	X(REQUIREMENTS, "requirements")                                                                                \
	X(LOCK, "lock")                                                                                                \
	X(DIGEST, "digest")
enum cuv_env_source {
	_CUV_ENV_SOURCE_NONE,
#define X(suffix, name) CUV_ENV_##suffix,
	CUV_ENV_SOURCE_TABLE(X)
#undef X
		_CUV_ENV_SOURCE_MAX,
};
const char *cuv_env_source_name(enum cuv_env_source s);
#define CUV_ENV_DIGEST_SIZE 33 /* 32 characters of Nix's alphabet and NUL */
bool cuv_env_digest_valid(const char *digest);
struct cuv_env_ask {
	enum cuv_env_source source;
	char python[16];		  /* "3.11" */
	char digest[CUV_ENV_DIGEST_SIZE]; /* of DIGEST; "" otherwise */
	int64_t exclude_s;		  /* exclude_newer, seconds since 1970; 0 = today 00:00 UTC */
	uint32_t resolve_ms;
	uint32_t build_ms;
	bool sdist;	/* source distributions may be built where no wheel fits */
	bool lock_only; /* of REQUIREMENTS: nothing is installed; READY tells what it would come to */
};
void cuv_env_ask_put(struct cuv_writer *w, const struct cuv_env_ask *m);
int cuv_env_ask_get(struct cuv_reader *r, struct cuv_env_ask *ret);

/* --- ENV_PROGRESS --- */
enum cuv_env_phase {
	CUV_PHASE_RESOLVING = 1,
	CUV_PHASE_DOWNLOADING,
	CUV_PHASE_BUILDING,
	CUV_PHASE_VERIFYING, /* of the chore: store paths that were hashed again */
	CUV_PHASE_READY,     /* the environment was made: the last one, ENV_READY follows */
	_CUV_PHASE_MAX
};
const char *cuv_env_phase_name(enum cuv_env_phase p);
#define CUV_PROGRESS_FILE_SIZE 256
struct cuv_env_progress {
	enum cuv_env_phase phase;
	uint32_t done; /* wheels, or installations and the environment itself */
	uint32_t total;
	uint64_t bytes_done;
	uint64_t bytes_total; /* grows while sizes become known */
	/* One of those that are being fetched or built; of several, each has its own
	 * messages, the largest the last of each round. [!-~]*, "": none in particular. */
	char file[CUV_PROGRESS_FILE_SIZE];
	uint64_t file_done; /* its bytes; as many as file_total when it is whole */
	uint64_t file_total;
};
void cuv_env_progress_put(struct cuv_writer *w, const struct cuv_env_progress *m);
int cuv_env_progress_get(struct cuv_reader *r, struct cuv_env_progress *ret);

/* --- ENV_READY ---
 * The descriptor is a regular file, open for reading: the lock's text
 * (nixenv/pylock_write.h). A worker's message to the builder has none, nor has one
 * of a builder that can't write the text. */
#define CUV_PACKAGES_MAX 500
struct cuv_environment {
	char digest[CUV_ENV_DIGEST_SIZE]; /* hash part of the environment's store path */
	char store_name[CUV_STORE_NAME_SIZE];
	char image[CUV_STORE_NAME_SIZE];
	char lock_digest[CUV_STORE_NAME_SIZE]; /* "sha256:…" of the canonical lock */
	char python[16];		       /* "3.11.2" */
	int64_t exclude_s;		       /* the date in effect */
	struct cuv_strv packages;	       /* "name version", sorted by name */
	struct cuv_strv closure;	       /* store names to bind, environment included, image not */
	bool cached;			       /* nothing was resolved or built */
	uint64_t resolve_ns;
	uint64_t build_ns;
};
#define CUV_ENVIRONMENT_INIT ((struct cuv_environment){0})
void cuv_environment_done(struct cuv_environment *m);
void cuv_environment_put(struct cuv_writer *w, const struct cuv_environment *m);
int cuv_environment_get(struct cuv_reader *r, struct cuv_environment *ret);

/* --- ENV_USED --- */
struct cuv_env_used {
	char digest[CUV_ENV_DIGEST_SIZE];
	uint32_t count; /* not 0 */
};
void cuv_env_used_put(struct cuv_writer *w, const struct cuv_env_used *m);
int cuv_env_used_get(struct cuv_reader *r, struct cuv_env_used *ret);

/* --- TOOLS --- */
#define CUV_PYTHONS_MAX 8
struct cuv_tools_python {
	char python[16]; /* full version of the image's interpreter */
	char image[CUV_STORE_NAME_SIZE];
	bool made;			  /* the store has the image */
	char zygote[CUV_STORE_NAME_SIZE]; /* "": the store has none, all runs are cold */
};
struct cuv_tools {
	struct cuv_tools_python pythons[CUV_PYTHONS_MAX]; /* the default first */
	size_t n_pythons;				  /* at least 1 */
	char uv[CUV_STORE_NAME_SIZE];
	char ruff[CUV_STORE_NAME_SIZE];
	char uv_version[32];
	char ruff_version[32];
	bool resolver_sealed; /* the resolver runs under Landlock */
	uint64_t evicted;     /* environments, since the builder was started */
};
void cuv_tools_put(struct cuv_writer *w, const struct cuv_tools *m);
int cuv_tools_get(struct cuv_reader *r, struct cuv_tools *ret);

#define _cleanup_run_ _cleanup_(cuv_run_done)
#define _cleanup_environment_ _cleanup_(cuv_environment_done)

#endif
