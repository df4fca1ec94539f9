/* SPDX-License-Identifier: MIT */
/*
 * envask: asks a builder for an environment, for tests and by hand.
 *
 *   envask --builder BIN --state DIR [--uid N --gid N] [options] [FILE]
 *   envask --connect SOCKET [options] [FILE]
 *
 * Starts a builder of its own or connects to a running one's socket. FILE is a
 * requirements file; it is parsed and made canonical as the manager does it.
 * Progress goes to stderr; each answer is one line of JSON on stdout: the
 * environment, or {"failure": {...}}.
 *
 *   --exclude-newer DATE   2026-11-01 or RFC 3339
 *   --repeat N             ask N times, one after the other
 *   --parallel N           N sessions at once
 *   --cancel-ms N          close the session after N ms; prints {"cancelled": true}
 *   --cancel-at PHASE      the same when one step of this phase is done
 *   --resolve-ms N --build-ms N
 *   --lock                 FILE is a lock in its complete JSON form, which is sent as it is
 *   --digest DIGEST        ask for a known environment; no FILE
 *   --with-lock            print the lock's text too, as "lock"
 *   --tools                ask for the tools instead
 *   --chore VERB           something about the store instead (lib/proto/chore.h), after the
 *                          asks where there is a FILE; prints the answer
 *   --env DIGEST           an environment that the chore is about; may be repeated
 *   --bytes N --count N    of the chore
 *   --io FILE              what the chore reads or writes
 *   --env-bytes N --env-count N  handed on to the builder
 *   --allow-degraded NAMES handed on to the builder
 *   --launcher BIN         starts a launcher, too: source distributions may be built
 *   --as-manager           the builder takes us for one: no chores
 *   --keep                 environments are in use until the end
 *   --hold                 after the answers wait until stdin ends
 *   --quiet                no progress
 *
 * Each answer has "ask_us": from the ask to the answer. Exit status: 0 all
 * environments (or cancelled), 1 a failure among the answers, 3 the builder did
 * not start or went away, 2 a wrong command line.
 */
#include "lib/base/clock.h"
#include "lib/base/fd.h"
#include "lib/proto/chore.h"
#include "lib/proto/messages.h"
#include "lib/proto/session.h"
#include "nixenv/pylock_write.h"
#include "nixenv/requirements.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define PARALLEL_MAX 256
#define ANSWER_MS 3600000

struct options {
	const char *builder, *launcher, *state, *connect, *uid, *gid, *allow, *file, *cancel_at, *env_bytes, *env_count,
		*io;
	struct cuv_chore_ask chore; /* verb 0: none */
	struct cuv_env_ask ask;
	uint64_t repeat, parallel, cancel_ms;
	bool tools, hold, quiet, with_lock, keep, as_manager;
};

static _noreturn_ void die(int status, const char *what, const char *why)
{
	fprintf(stderr, "envask: %s: %s\n", what, why);
	exit(status);
}

static void print_json(json_t *j, uint64_t asked_ns)
{
	char *text;

	if (asked_ns)
		json_object_set_new(j, "ask_us", json_integer((json_int_t)((cuv_now_ns() - asked_ns) / 1000)));
	text = json_dumps(j, JSON_COMPACT | JSON_SORT_KEYS);
	puts(text);
	fflush(stdout);
	free(text);
	json_decref(j);
}

static json_t *strings(const struct cuv_strv *v)
{
	json_t *a = json_array();

	for (size_t i = 0; i < v->n; i++)
		json_array_append_new(a, json_string(v->items[i]));
	return a;
}

static void print_failure(const struct cuv_error *e, uint64_t asked_ns)
{
	print_json(json_pack("{s:{s:s, s:i, s:s, s:i, s:i, s:s, s:s, s:i}}", "failure", "code", cuv_error_name(e->code),
			     "status", cuv_error_http_status(e->code), "message", e->message, "line", (int)e->line,
			     "column", (int)e->column, "excerpt", e->excerpt, "explanation", e->explanation,
			     "retry_after", (int)e->retry_after_s),
		   asked_ns);
}

/* The text that came with the environment; null when none did. */
static json_t *lock_text(struct cuv_frame *f)
{
	_cleanup_buf_ struct cuv_buf text = CUV_BUF_INIT(CUV_PYLOCK_BYTES_MAX);
	_cleanup_close_ int fd = cuv_frame_take_fd(f, 0);

	return fd >= 0 && cuv_pread_all(fd, &text) == 0 ? json_stringn(cuv_buf_str(&text), text.len) : json_null();
}

static void print_environment(const struct cuv_environment *e, json_t *lock, uint64_t asked_ns)
{
	json_t *j = json_pack("{s:s, s:s, s:s, s:s, s:s, s:I, s:o, s:o, s:b, s:I, s:I}", "digest", e->digest, "env",
			      e->store_name, "image", e->image, "lock_digest", e->lock_digest, "python", e->python,
			      "exclude_s", (json_int_t)e->exclude_s, "packages", strings(&e->packages), "closure",
			      strings(&e->closure), "cached", (int)e->cached, "resolve_ms",
			      (json_int_t)(e->resolve_ns / CUV_NS_PER_MS), "build_ms",
			      (json_int_t)(e->build_ns / CUV_NS_PER_MS));

	if (lock)
		json_object_set_new(j, "lock", lock);
	print_json(j, asked_ns);
}

static void print_tools(const struct cuv_tools *t, uint64_t asked_ns)
{
	const struct cuv_tools_python *p = t->pythons;
	json_t *all = json_array();

	for (size_t i = 0; i < t->n_pythons; i++)
		json_array_append_new(all, json_pack("{s:s, s:s, s:s, s:b}", "python", p[i].python, "image", p[i].image,
						     "zygote", p[i].zygote, "made", (int)p[i].made));
	print_json(json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:b, s:o}", "image", p->image, "python", p->python,
			     "uv", t->uv, "ruff", t->ruff, "zygote", p->zygote, "uv_version", t->uv_version,
			     "ruff_version", t->ruff_version, "resolver_sealed", (int)t->resolver_sealed, "pythons",
			     all),
		   asked_ns);
}

/* --- the builder --- */

/* Descriptor 3 is to our supervisor's end, 5 to the control socket, 6 to the launcher's. */
static void place(int supervisor, int control, int launcher)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* Away from the numbers they go to first. */
	supervisor = fcntl(supervisor, F_DUPFD, 20);
	control = fcntl(control, F_DUPFD, 20);
	launcher = launcher < 0 ? -1 : fcntl(launcher, F_DUPFD, 20);
	dup2(supervisor, 3);
	dup2(control, 5);
	(void)fcntl(4, F_SETFD, FD_CLOEXEC);
	if (launcher >= 0)
		dup2(launcher, 6);
	(void)close_range(launcher < 0 ? 6 : 7, ~0u, 0);
}

static void launcher_child(const struct options *o, int supervisor, int control)
{
	char store[4096];

	place(supervisor, control, -1);
	(void)snprintf(store, sizeof(store), "%s/nix/nix/store", o->state);
	execl(o->launcher, o->launcher, "--store", store, "--control-fd", "5", "--zygotes", "0", "--boxes", "4",
	      (char *)NULL);
	die(127, o->launcher, strerror(errno));
}

static void builder_child(const struct options *o, int supervisor, int control, int launcher)
{
	const char *argv[24];
	size_t n = 0;

	place(supervisor, control, launcher);
	argv[n++] = o->builder;
	argv[n++] = "--state";
	argv[n++] = o->state;
	argv[n++] = "--control-fd";
	argv[n++] = "5";
	if (launcher >= 0) {
		argv[n++] = "--launcher-fd";
		argv[n++] = "6";
	}
	if (o->uid) {
		argv[n++] = "--uid";
		argv[n++] = o->uid;
		argv[n++] = "--gid";
		argv[n++] = o->gid ? o->gid : o->uid;
	}
	if (!o->as_manager)
		argv[n++] = "--chores";
	if (o->env_bytes) {
		argv[n++] = "--env-bytes";
		argv[n++] = o->env_bytes;
	}
	if (o->env_count) {
		argv[n++] = "--env-count";
		argv[n++] = o->env_count;
	}
	if (o->allow) {
		argv[n++] = "--allow-degraded";
		argv[n++] = o->allow;
	}
	argv[n] = NULL;
	execv(o->builder, (char *const *)(uintptr_t)argv);
	die(127, o->builder, strerror(errno));
}

/* launcher: the control socket of one, for a builder; -1: this is to be a launcher, or
 * a builder without one. */
static pid_t start(const struct options *o, bool builder, int launcher, int *ret_supervisor, int *ret_control)
{
	_cleanup_frame_ struct cuv_frame f = CUV_FRAME_INIT;
	int a[2], b[2], r;
	struct cuv_error err;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, a) < 0 ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, b) < 0)
		die(3, "socketpair", strerror(errno));
	pid = fork();
	if (pid == 0) {
		if (builder)
			builder_child(o, a[1], b[1], launcher);
		launcher_child(o, a[1], b[1]);
	}
	close(a[1]);
	close(b[1]);
	*ret_supervisor = a[0];
	*ret_control = b[0];
	r = cuv_frame_recv_until(a[0], cuv_deadline_ms(30000), &f);
	if (r == 0 && f.type == CUV_MSG_READY) {
		fprintf(stderr, "%s %d\n", builder ? "builder" : "launcher", (int)pid);
		return pid;
	}
	if (r == 0 && f.type == CUV_MSG_FAILURE && cuv_failure_get(&f.body, &err) == 0) {
		print_failure(&err, 0);
		exit(3);
	}
	die(3, builder ? "the builder" : "the launcher", "did not start");
}

/* --- asking --- */

struct ask {
	int fd;
	uint64_t asked_ns;
};

static int open_session(const struct options *o, int control)
{
	int fd = o->connect ? cuv_session_connect(o->connect) : cuv_session_open(control);

	if (fd < 0)
		die(3, "session", strerror(-fd));
	return fd;
}

static void send_ask(const struct options *o, struct ask *a, const struct cuv_buf *canonical)
{
	_cleanup_writer_ struct cuv_writer w;
	_cleanup_close_ int text = -1;
	int r;

	a->asked_ns = cuv_now_ns();
	if (o->tools) {
		r = cuv_msg_send_plain(a->fd, CUV_MSG_TOOLS_ASK, NULL, 0);
	} else {
		text = cuv_memfd("requirements", cuv_buf_str(canonical), canonical->len);
		cuv_writer_init(&w, CUV_MSG_ENV_ASK);
		cuv_env_ask_put(&w, &o->ask);
		r = cuv_writer_send(&w, a->fd, &text, 1);
	}
	if (r < 0)
		die(3, "ask", strerror(-r));
}

/* True when it is time to cancel. */
static bool print_progress(const struct options *o, struct cuv_frame *f)
{
	struct cuv_env_progress p;

	if (cuv_env_progress_get(&f->body, &p) < 0)
		die(3, "progress", "not well-formed");
	if (!o->quiet)
		fprintf(stderr, "%s %u/%u %llu/%llu %s %llu/%llu\n", cuv_env_phase_name(p.phase), p.done, p.total,
			(unsigned long long)p.bytes_done, (unsigned long long)p.bytes_total, p.file[0] ? p.file : "-",
			(unsigned long long)p.file_done, (unsigned long long)p.file_total);
	return o->cancel_at && p.done > 0 && strcmp(o->cancel_at, cuv_env_phase_name(p.phase)) == 0;
}

/* One frame: -1 not the end, 0 an environment, 1 a failure, 2 cancel now. */
static int take_frame(const struct options *o, struct ask *a)
{
	_cleanup_frame_ struct cuv_frame f = CUV_FRAME_INIT;
	_cleanup_environment_ struct cuv_environment e = CUV_ENVIRONMENT_INIT;
	struct cuv_error err;
	struct cuv_tools tools;
	int r = cuv_frame_recv(a->fd, &f);

	if (r != 0)
		die(3, "the builder", r > 0 ? "closed the session" : strerror(-r));
	if (f.type == CUV_MSG_ENV_PROGRESS) {
		return print_progress(o, &f) ? 2 : -1;
	}
	if (f.type == CUV_MSG_ENV_READY && cuv_environment_get(&f.body, &e) == 0) {
		print_environment(&e, o->with_lock ? lock_text(&f) : NULL, a->asked_ns);
		if (o->keep)
			(void)cuv_frame_take_fd(&f, 1);
		return 0;
	}
	if (f.type == CUV_MSG_TOOLS && cuv_tools_get(&f.body, &tools) == 0) {
		print_tools(&tools, a->asked_ns);
		return 0;
	}
	if (f.type == CUV_MSG_FAILURE && cuv_failure_get(&f.body, &err) == 0) {
		print_failure(&err, a->asked_ns);
		return 1;
	}
	die(3, "the builder", "sent what nobody expects");
}

static int ask_all(const struct options *o, int control, const struct cuv_buf *canonical)
{
	struct ask asks[PARALLEL_MAX];
	struct pollfd p[PARALLEL_MAX];
	uint64_t deadline = cuv_deadline_ms(o->cancel_ms ? o->cancel_ms : ANSWER_MS);
	size_t n = o->parallel, left = n;
	int status = 0;

	for (size_t i = 0; i < n; i++)
		asks[i].fd = open_session(o, control);
	for (size_t i = 0; i < n; i++)
		send_ask(o, &asks[i], canonical);
	for (size_t i = 0; i < n; i++)
		p[i] = (struct pollfd){.fd = asks[i].fd, .events = POLLIN};
	while (left > 0) {
		int r = poll(p, n, cuv_deadline_poll_ms(deadline));

		if (r == 0 && o->cancel_ms) {
			print_json(json_pack("{s:b}", "cancelled", 1), 0);
			break;
		}
		if (r <= 0)
			die(3, "poll", r ? strerror(errno) : "no answer");
		for (size_t i = 0; i < n; i++) {
			int end = p[i].fd >= 0 && p[i].revents ? take_frame(o, &asks[i]) : -1;

			if (end < 0)
				continue;
			if (end == 2)
				print_json(json_pack("{s:b}", "cancelled", 1), 0);
			else
				status |= end;
			p[i].fd = -1;
			close(TAKE_FD(asks[i].fd));
			left--;
		}
	}
	for (size_t i = 0; i < n; i++)
		(void)cuv_close(asks[i].fd);
	return status;
}

/* --- chores --- */

static int ask_chore(const struct options *o, int control)
{
	_cleanup_close_ int fd = open_session(o, control);
	_cleanup_close_ int io = open(o->io ? o->io : "/dev/null", O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	_cleanup_buf_ struct cuv_buf text = CUV_BUF_INIT(CUV_CHORE_ANSWER_MAX);
	_cleanup_writer_ struct cuv_writer w;
	struct cuv_error err;

	cuv_writer_init(&w, CUV_MSG_CHORE_ASK);
	cuv_chore_ask_put(&w, &o->chore);
	if (io < 0 || cuv_writer_send(&w, fd, &io, 1) < 0)
		die(3, "chore", strerror(errno));
	for (;;) {
		_cleanup_frame_ struct cuv_frame f = CUV_FRAME_INIT;
		int r = cuv_frame_recv_until(fd, cuv_deadline_ms(ANSWER_MS), &f);

		if (r != 0)
			die(3, "the builder", r > 0 ? "closed the session" : strerror(-r));
		if (f.type == CUV_MSG_ENV_PROGRESS) {
			(void)print_progress(o, &f);
			continue;
		}
		if (f.type == CUV_MSG_FAILURE && cuv_failure_get(&f.body, &err) == 0) {
			print_failure(&err, 0);
			return 1;
		}
		if (f.type != CUV_MSG_CHORE_ANSWER || f.n_fds != 1 || cuv_pread_all(f.fds[0], &text) < 0)
			die(3, "the builder", "sent what nobody expects");
		puts(cuv_buf_str(&text));
		fflush(stdout);
		return 0;
	}
}

static enum cuv_chore_verb find_verb(const char *name)
{
	for (int v = 1; v < _CUV_CHORE_MAX; v++)
		if (strcmp(cuv_chore_name((enum cuv_chore_verb)v), name) == 0)
			return (enum cuv_chore_verb)v;
	die(2, name, "there is no such chore");
}

/* --- command line --- */

static uint64_t number(const char *text)
{
	char *end;
	unsigned long long v = strtoull(text, &end, 10);

	if (!*text || *end)
		die(2, text, "not a number");
	return v;
}

static void parse_options(int argc, char **argv, struct options *o)
{
	static const struct option table[] = {
		{"builder", 1, NULL, 'b'},
		{"state", 1, NULL, 's'},
		{"connect", 1, NULL, 'C'},
		{"uid", 1, NULL, 'u'},
		{"gid", 1, NULL, 'g'},
		{"exclude-newer", 1, NULL, 'e'},
		{"repeat", 1, NULL, 'r'},
		{"parallel", 1, NULL, 'p'},
		{"cancel-ms", 1, NULL, 'c'},
		{"resolve-ms", 1, NULL, 'R'},
		{"build-ms", 1, NULL, 'B'},
		{"tools", 0, NULL, 't'},
		{"hold", 0, NULL, 'h'},
		{"quiet", 0, NULL, 'q'},
		{"allow-degraded", 1, NULL, 'd'},
		{"python", 1, NULL, 'y'},
		{"cancel-at", 1, NULL, 'a'},
		{"lock", 0, NULL, 'l'},
		{"digest", 1, NULL, 'D'},
		{"with-lock", 0, NULL, 'w'},
		{"env", 1, NULL, 'E'},
		{"chore", 1, NULL, 'H'},
		{"bytes", 1, NULL, 'x'},
		{"count", 1, NULL, 'n'},
		{"io", 1, NULL, 'i'},
		{"env-bytes", 1, NULL, 'X'},
		{"keep", 0, NULL, 'k'},
		{"as-manager", 0, NULL, 'M'},
		{"env-count", 1, NULL, 'N'},
		{"launcher", 1, NULL, 'L'},
		{0},
	};
	int c;

	*o = (struct options){
		.repeat = 1,
		.parallel = 1,
		.ask = {.source = CUV_ENV_REQUIREMENTS, .python = "3.11", .resolve_ms = 120000, .build_ms = 600000}};
	o->chore = CUV_CHORE_ASK_INIT;
	while ((c = getopt_long(argc, argv, "", table, NULL)) != -1) {
		switch (c) {
		case 'k':
			o->keep = true;
			break;
		case 'M':
			o->as_manager = true;
			break;
		case 'H':
			o->chore.verb = find_verb(optarg);
			break;
		case 'E':
			if (cuv_strv_add(&o->chore.digests, optarg) < 0)
				die(3, optarg, "no memory");
			break;
		case 'x':
			o->chore.bytes = number(optarg);
			break;
		case 'n':
			o->chore.count = number(optarg);
			break;
		case 'i':
			o->io = optarg;
			break;
		case 'X':
			o->env_bytes = optarg;
			break;
		case 'N':
			o->env_count = optarg;
			break;
		case 'b':
			o->builder = optarg;
			break;
		case 'L':
			o->launcher = optarg;
			o->ask.sdist = true;
			break;
		case 's':
			o->state = optarg;
			break;
		case 'C':
			o->connect = optarg;
			break;
		case 'u':
			o->uid = optarg;
			break;
		case 'g':
			o->gid = optarg;
			break;
		case 'd':
			o->allow = optarg;
			break;
		case 'r':
			o->repeat = number(optarg);
			break;
		case 'p':
			o->parallel = number(optarg);
			break;
		case 'c':
			o->cancel_ms = number(optarg);
			break;
		case 'R':
			o->ask.resolve_ms = (uint32_t)number(optarg);
			break;
		case 'B':
			o->ask.build_ms = (uint32_t)number(optarg);
			break;
		case 'a':
			o->cancel_at = optarg;
			break;
		case 't':
			o->tools = true;
			break;
		case 'h':
			o->hold = true;
			break;
		case 'l':
			o->ask.source = CUV_ENV_LOCK;
			break;
		case 'D':
			o->ask.source = CUV_ENV_DIGEST;
			(void)snprintf(o->ask.digest, sizeof(o->ask.digest), "%s", optarg);
			break;
		case 'w':
			o->with_lock = true;
			break;
		case 'q':
			o->quiet = true;
			break;
		case 'y':
			(void)snprintf(o->ask.python, sizeof(o->ask.python), "%s", optarg);
			break;
		case 'e':
			if (cuv_parse_rfc3339(optarg, &o->ask.exclude_s) < 0)
				die(2, optarg, "not a date");
			break;
		default:
			exit(2);
		}
	}
	o->file = optind < argc ? argv[optind] : NULL;
	if (o->ask.source != CUV_ENV_REQUIREMENTS)
		o->ask.exclude_s = 0;
	if ((!o->connect && (!o->builder || !o->state)) ||
	    (!o->tools && o->ask.source != CUV_ENV_DIGEST && !o->file && !o->chore.verb) ||
	    o->parallel > PARALLEL_MAX || o->parallel == 0)
		die(2, "usage", "see the head of tests/helpers/envask.c");
}

static int read_requirements(const char *path, struct cuv_buf *canonical)
{
	_cleanup_buf_ struct cuv_buf text = CUV_BUF_INIT(CUV_REQUIREMENTS_BYTES_MAX);
	_cleanup_(cuv_requirements_freep) struct cuv_requirements *reqs = NULL;
	struct cuv_error err;
	int r = cuv_read_file(AT_FDCWD, path, &text);

	if (r < 0)
		die(2, path, strerror(-r));
	if (cuv_requirements_parse(cuv_buf_str(&text), text.len, &reqs, &err) < 0) {
		print_failure(&err, 0);
		return -EINVAL;
	}
	return cuv_requirements_canonical(reqs, canonical);
}

int main(int argc, char **argv)
{
	_cleanup_buf_ struct cuv_buf canonical = CUV_BUF_INIT(CUV_LOCK_COMPLETE_BYTES_MAX);
	int supervisor = -1, control = -1, boxes = -1, boxes_supervisor = -1, status = 0;
	struct options o;
	pid_t pid = 0, launcher = 0;
	char c;

	parse_options(argc, argv, &o);
	if (o.file && (o.ask.source == CUV_ENV_LOCK ? cuv_read_file(AT_FDCWD, o.file, &canonical)
						    : read_requirements(o.file, &canonical)) < 0)
		return 1;
	if (o.launcher)
		launcher = start(&o, false, -1, &boxes_supervisor, &boxes);
	if (!o.connect)
		pid = start(&o, true, boxes, &supervisor, &control);
	for (uint64_t i = 0; (o.file || o.tools) && i < o.repeat; i++)
		status |= ask_all(&o, control, &canonical);
	if (o.chore.verb)
		status |= ask_chore(&o, control);
	if (o.hold)
		while (read(STDIN_FILENO, &c, 1) > 0)
			;
	cuv_chore_ask_done(&o.chore);
	close(control);
	close(supervisor);
	if (pid > 0)
		waitpid(pid, NULL, 0);
	close(boxes);
	close(boxes_supervisor);
	if (launcher > 0)
		waitpid(launcher, NULL, 0);
	return status;
}
