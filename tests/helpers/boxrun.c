/* SPDX-License-Identifier: MIT */
/*
 * boxrun: runs one program in a box, for tests and by hand.
 *
 *   boxrun --launcher BIN --store DIR --image NAME [options] -- /path argv…
 *   boxrun --connect SOCKET --image NAME [options] -- /path argv…
 *   boxrun … --layers
 *   boxrun --launcher BIN --store DIR --serve SOCKET [-- options of the launcher…]
 *
 * Starts a launcher of its own (control socket on descriptor 3) or uses a
 * running one's socket, sends one RUN (or --repeat N of them, one after the
 * other; or --parallel N at once), copies the output to stdout and stderr, and
 * prints the result as one line of JSON on descriptor --result-fd (default 2).
 * With --zygote a run may be forked from that store path's zygote, which is
 * --tenant's; --strict forbids it. The result tells which way it went.
 * With --serve the launcher is there for others, who --connect, until stdin ends.
 * Exit status: 0 when every run gave a result or failure of its own, 1 when the
 * launcher did not start or went away, 2 for a wrong command line.
 */
#include "lib/base/clock.h"
#include "lib/base/fd.h"
#include "lib/proto/messages.h"
#include "lib/proto/session.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define PARALLEL_MAX 512
#define START_MS 120000
#define STOP_MS 90000

struct options {
	const char *launcher, *store, *connect, *serve, *stdin_path, *allow, *boxes, *instance;
	struct cuv_run run;
	const char *file_path[CUV_FILES_MAX];
	uint64_t repeat, parallel, cancel_ms;
	int result_fd;
	bool layers, quiet, timing;
};

struct launcher {
	pid_t pid;
	int control; /* -1: connected to somebody else's */
};

static _noreturn_ void usage(const char *why)
{
	fprintf(stderr,
		"boxrun: %s\n"
		"usage: boxrun (--launcher BIN --store DIR | --connect SOCKET) --image NAME [--env NAME]\n"
		"              [--closure NAME]... [--limit name=value]... [--file name=path]... [--stdin PATH]\n"
		"              [--allow-degraded NAMES] [--boxes N] [--instance NAME] [--repeat N | --parallel N]\n"
		"              [--zygote NAME] [--tenant NAME] [--strict]\n"
		"              [--cancel-ms N] [--result-fd N] [--quiet] [--timing]\n"
		"              (--layers | --serve SOCKET [-- launcher's options...] | -- /program args...)\n",
		why);
	exit(2);
}

static uint64_t number(const char *text)
{
	char *end;
	unsigned long long v = strtoull(text, &end, 10);

	if (!*text || *end)
		usage("a number is wrong");
	return v;
}

static void add_limit(struct options *o, char *arg)
{
	char *value = strchr(arg, '=');
	int limit;

	if (!value)
		usage("--limit takes name=value");
	*value++ = '\0';
	limit = cuv_limit_find(arg);
	if (limit < 0 || cuv_limit_parse((enum cuv_limit)limit, value, &o->run.limits) < 0)
		usage("--limit: unknown name or bad value");
}

static void add_file(struct options *o, char *arg)
{
	char *path = strchr(arg, '=');

	if (!path || o->run.files.n == CUV_FILES_MAX)
		usage("--file takes name=path, a few times at most");
	*path++ = '\0';
	o->file_path[o->run.files.n] = path;
	(void)cuv_strv_add(&o->run.files, arg);
}

static const struct option long_options[] = {
	{"launcher", 1, NULL, 'l'},	  {"store", 1, NULL, 's'},    {"connect", 1, NULL, 'c'},
	{"image", 1, NULL, 'i'},	  {"env", 1, NULL, 'e'},      {"closure", 1, NULL, 'p'},
	{"limit", 1, NULL, 'L'},	  {"file", 1, NULL, 'f'},     {"stdin", 1, NULL, 'I'},
	{"allow-degraded", 1, NULL, 'a'}, {"boxes", 1, NULL, 'b'},    {"instance", 1, NULL, 'n'},
	{"repeat", 1, NULL, 'r'},	  {"parallel", 1, NULL, 'P'}, {"cancel-ms", 1, NULL, 'C'},
	{"result-fd", 1, NULL, 'R'},	  {"quiet", 0, NULL, 'q'},    {"timing", 0, NULL, 't'},
	{"layers", 0, NULL, 'y'},	  {"zygote", 1, NULL, 'z'},   {"tenant", 1, NULL, 'T'},
	{"strict", 0, NULL, 'S'},	  {"serve", 1, NULL, 'V'},    {NULL, 0, NULL, 0},
};

static void parse(int argc, char **argv, struct options *o)
{
	int c;

	cuv_limits_default(&o->run.limits);
	snprintf(o->run.run_id, sizeof(o->run.run_id), "boxrun-%d", (int)getpid());
	while ((c = getopt_long(argc, argv, "+", long_options, NULL)) != -1) {
		switch (c) {
		case 'l':
			o->launcher = optarg;
			break;
		case 's':
			o->store = optarg;
			break;
		case 'c':
			o->connect = optarg;
			break;
		case 'i':
			snprintf(o->run.image, sizeof(o->run.image), "%s", optarg);
			break;
		case 'e':
			snprintf(o->run.env, sizeof(o->run.env), "%s", optarg);
			break;
		case 'p':
			(void)cuv_strv_add(&o->run.closure, optarg);
			break;
		case 'L':
			add_limit(o, optarg);
			break;
		case 'f':
			add_file(o, optarg);
			break;
		case 'I':
			o->stdin_path = optarg;
			break;
		case 'a':
			o->allow = optarg;
			break;
		case 'b':
			o->boxes = optarg;
			break;
		case 'n':
			o->instance = optarg;
			break;
		case 'r':
			o->repeat = number(optarg);
			break;
		case 'P':
			o->parallel = number(optarg);
			break;
		case 'C':
			o->cancel_ms = number(optarg);
			break;
		case 'R':
			o->result_fd = (int)number(optarg);
			break;
		case 'q':
			o->quiet = true;
			break;
		case 't':
			o->timing = true;
			break;
		case 'y':
			o->layers = true;
			break;
		case 'z':
			snprintf(o->run.zygote, sizeof(o->run.zygote), "%s", optarg);
			break;
		case 'T':
			snprintf(o->run.tenant, sizeof(o->run.tenant), "%s", optarg);
			break;
		case 'S':
			o->run.strict = true;
			break;
		case 'V':
			o->serve = optarg;
			break;
		default:
			usage("unknown option");
		}
	}
	if (o->run.env[0] && !cuv_strv_has(&o->run.closure, o->run.env))
		(void)cuv_strv_add(&o->run.closure, o->run.env);
	for (; optind < argc; optind++)
		(void)cuv_strv_add(&o->run.argv, argv[optind]);
	if (!o->connect && (!o->launcher || !o->store))
		usage("--launcher and --store, or --connect, are needed");
	if (o->serve && (o->connect || o->layers))
		usage("--serve stands alone");
	if (!o->layers && !o->serve && (!o->run.image[0] || o->run.argv.n == 0))
		usage("an image and a program are needed");
	if (o->parallel > PARALLEL_MAX)
		usage("--parallel is too large");
}

/* A socket that listens, for the launcher to have. */
static int listen_at(const char *path)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);

	if (strlen(path) >= sizeof(at.sun_path))
		usage("the socket's path is too long");
	snprintf(at.sun_path, sizeof(at.sun_path), "%s", path);
	if (fd < 0 || bind(fd, (const struct sockaddr *)&at, sizeof(at)) < 0 || listen(fd, PARALLEL_MAX) < 0) {
		fprintf(stderr, "boxrun: %s: %s\n", path, strerror(errno));
		_exit(127);
	}
	return fd;
}

static _noreturn_ void exec_launcher(const struct options *o, int control)
{
	const char *argv[32];
	char listener[16];
	size_t n = 0, i;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	argv[n++] = o->launcher;
	argv[n++] = "--store";
	argv[n++] = o->store;
	if (o->allow) {
		argv[n++] = "--allow-degraded";
		argv[n++] = o->allow;
	}
	if (o->boxes) {
		argv[n++] = "--boxes";
		argv[n++] = o->boxes;
	}
	if (o->instance) {
		argv[n++] = "--instance";
		argv[n++] = o->instance;
	}
	if (control == 3)
		(void)cuv_set_cloexec(3, false);
	else
		(void)dup2(control, 3);
	if (o->serve) {
		snprintf(listener, sizeof(listener), "%d", listen_at(o->serve));
		argv[n++] = "--listen-fd";
		argv[n++] = listener;
		for (i = 0; i < o->run.argv.n && n + 1 < ARRAY_SIZE(argv); i++)
			argv[n++] = o->run.argv.items[i];
	}
	argv[n] = NULL;
	execv(o->launcher, (char *const *)(uintptr_t)argv);
	fprintf(stderr, "boxrun: %s: %s\n", o->launcher, strerror(errno));
	_exit(127);
}

static int start_launcher(const struct options *o, struct launcher *ret)
{
	int pair[2];
	_cleanup_frame_ struct cuv_frame f = CUV_FRAME_INIT;
	struct cuv_error err;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	ret->pid = fork();
	if (ret->pid == 0)
		exec_launcher(o, pair[1]);
	cuv_close(pair[1]);
	ret->control = pair[0];
	if (cuv_frame_recv_until(ret->control, cuv_deadline_ms(START_MS), &f) != 0) {
		fprintf(stderr, "boxrun: the launcher did not start\n");
		return -ECHILD;
	}
	if (f.type == CUV_MSG_READY)
		return 0;
	if (f.type == CUV_MSG_FAILURE && cuv_failure_get(&f.body, &err) == 0)
		fprintf(stderr, "boxrun: the launcher refuses: %s\n", err.message);
	return -ECHILD;
}

static void stop_launcher(struct launcher *l)
{
	uint64_t deadline = cuv_deadline_ms(STOP_MS);

	if (l->control < 0)
		return;
	cuv_close(l->control);
	while (l->pid > 0 && waitpid(l->pid, NULL, WNOHANG) == 0 && cuv_now_ns() < deadline)
		(void)poll(NULL, 0, 1);
}

static int open_session(const struct options *o, const struct launcher *l)
{
	return o->connect ? cuv_session_connect(o->connect) : cuv_session_open(l->control);
}

static int send_run(const struct options *o, int session)
{
	_cleanup_writer_ struct cuv_writer w;
	int fds[1 + CUV_FILES_MAX], r;
	size_t i, n = 0;

	fds[n++] = o->stdin_path ? open(o->stdin_path, O_RDONLY | O_CLOEXEC) : cuv_memfd("stdin", "", 0);
	for (i = 0; i < o->run.files.n; i++)
		fds[n++] = open(o->file_path[i], O_RDONLY | O_CLOEXEC);
	for (i = 0; i < n; i++)
		if (fds[i] < 0)
			usage("a file can't be opened");
	cuv_writer_init(&w, CUV_MSG_RUN);
	cuv_run_put(&w, &o->run);
	r = cuv_writer_send(&w, session, fds, n);
	for (i = 0; i < n; i++)
		cuv_close(fds[i]);
	return r;
}

static void print_result(const struct options *o, const struct cuv_run_result *m, uint64_t total_ns)
{
	dprintf(o->result_fd,
		"{\"status\":\"%s\",\"path\":\"%s\",\"why_cold\":\"%s\",\"exit_code\":%d,\"signal\":%d,"
		"\"wall_ms\":%.3f,\"cpu_user_ms\":%.3f,"
		"\"cpu_system_ms\":%.3f,\"max_memory_bytes\":%llu,\"stdout_truncated\":%s,\"stderr_truncated\":%s,"
		"\"cpu_timeout\":%s,\"total_ms\":%.3f}\n",
		cuv_run_status_name(m->status), cuv_run_path_name(m->path), m->why_cold, m->exit_code, m->signal,
		(double)m->wall_ns / 1e6, (double)m->cpu_user_ns / 1e6, (double)m->cpu_system_ns / 1e6,
		(unsigned long long)m->max_memory_bytes, m->stdout_truncated ? "true" : "false",
		m->stderr_truncated ? "true" : "false", m->cpu_timeout ? "true" : "false", (double)total_ns / 1e6);
}

/* One frame of an answer: 1 when it was the last, 0 when not, -errno. */
static int take_frame(const struct options *o, struct cuv_frame *f, uint64_t since_ns)
{
	struct cuv_run_result result;
	struct cuv_output out;
	struct cuv_error err;

	switch (f->type) {
	case CUV_MSG_RUN_STARTED:
		return 0;
	case CUV_MSG_RUN_OUTPUT:
		if (cuv_output_get(&f->body, &out) < 0)
			return -EBADMSG;
		if (!o->quiet)
			(void)cuv_write_all(out.stream == CUV_STREAM_STDOUT ? 1 : 2, out.data, out.len);
		return 0;
	case CUV_MSG_RUN_RESULT:
		if (cuv_run_result_get(&f->body, &result) < 0)
			return -EBADMSG;
		print_result(o, &result, cuv_now_ns() - since_ns);
		return 1;
	case CUV_MSG_FAILURE:
		if (cuv_failure_get(&f->body, &err) < 0)
			return -EBADMSG;
		dprintf(o->result_fd, "{\"failure\":\"%s\",\"message\":\"%s\"}\n", cuv_error_name(err.code),
			err.message);
		return 1;
	default:
		return -EBADMSG;
	}
}

static int one_run(const struct options *o, const struct launcher *l)
{
	uint64_t since = cuv_now_ns();
	uint64_t until = o->cancel_ms ? cuv_deadline_ms(o->cancel_ms) : CUV_NEVER;
	_cleanup_close_ int session = open_session(o, l);
	int r;

	if (session < 0 || send_run(o, session) < 0)
		return -ECONNRESET;
	do {
		_cleanup_frame_ struct cuv_frame f = CUV_FRAME_INIT;

		r = cuv_frame_recv_until(session, until, &f);
		if (r == -ETIMEDOUT)
			return 0; /* closing the session is the cancelling */
		if (r == 0)
			r = take_frame(o, &f, since);
		else
			r = -ECONNRESET;
	} while (r == 0);
	return r < 0 ? r : 0;
}

static int parallel_runs(const struct options *o, const struct launcher *l)
{
	static struct pollfd p[PARALLEL_MAX];
	uint64_t since = cuv_now_ns();
	size_t i, left = o->parallel, lost = 0;

	for (i = 0; i < o->parallel; i++) {
		p[i] = (struct pollfd){.fd = open_session(o, l), .events = POLLIN};
		if (p[i].fd < 0 || send_run(o, p[i].fd) < 0)
			return -ECONNRESET;
	}
	while (left > 0) {
		if (poll(p, o->parallel, -1) < 0)
			return -errno;
		for (i = 0; i < o->parallel; i++) {
			_cleanup_frame_ struct cuv_frame f = CUV_FRAME_INIT;
			int r;

			if (!p[i].revents)
				continue;
			r = cuv_frame_recv(p[i].fd, &f);
			r = r == 0 ? take_frame(o, &f, since) : -ECONNRESET;
			if (r == 0)
				continue;
			lost += r < 0;
			p[i].fd = cuv_close(p[i].fd);
			left--;
		}
	}
	if (lost)
		fprintf(stderr, "boxrun: %zu runs ended without a result\n", lost);
	return lost ? -ECONNRESET : 0;
}

static int serve(const struct launcher *l)
{
	struct pollfd p[2] = {{.fd = 0, .events = POLLIN}, {.fd = l->control, .events = POLLIN}};
	char byte;

	for (;;) {
		if (poll(p, 2, -1) < 0)
			return -errno;
		if (p[1].revents)
			return -ECONNRESET;
		if (p[0].revents && read(0, &byte, 1) <= 0)
			return 0;
	}
}

static int print_layers(const struct options *o, const struct launcher *l)
{
	_cleanup_close_ int session = open_session(o, l);
	_cleanup_frame_ struct cuv_frame f = CUV_FRAME_INIT;
	struct cuv_layers m;
	int i;

	if (session < 0 || cuv_msg_send_plain(session, CUV_MSG_LAYERS_ASK, NULL, 0) < 0 ||
	    cuv_frame_recv_until(session, cuv_deadline_ms(START_MS), &f) != 0 || f.type != CUV_MSG_LAYERS ||
	    cuv_layers_get(&f.body, &m) < 0)
		return -ECONNRESET;
	for (i = 0; i < _CUV_LAYER_MAX; i++)
		printf("%s: %s%s%s\n", cuv_layer_name((enum cuv_layer)i),
		       m.layer[i].state == CUV_LAYER_OK		? "ok"
		       : m.layer[i].state == CUV_LAYER_DEGRADED ? "degraded"
								: "missing",
		       m.layer[i].why[0] ? ": " : "", m.layer[i].why);
	printf("boxes: %u of %u busy\n", m.boxes_busy, m.boxes_max);
	return 0;
}

static int compare_u64(const void *a, const void *b)
{
	uint64_t x, y;

	memcpy(&x, a, sizeof(x));
	memcpy(&y, b, sizeof(y));
	return (x > y) - (x < y);
}

static int repeated_runs(const struct options *o, const struct launcher *l)
{
	_cleanup_free_ uint64_t *times = calloc(o->repeat, sizeof(*times));
	uint64_t i;
	int r = times ? 0 : -ENOMEM;

	for (i = 0; r == 0 && i < o->repeat; i++) {
		uint64_t since = cuv_now_ns();

		r = one_run(o, l);
		times[i] = cuv_now_ns() - since;
	}
	if (r == 0 && o->timing) {
		qsort(times, o->repeat, sizeof(*times), compare_u64);
		fprintf(stderr, "boxrun: %llu runs, ms: min %.3f, median %.3f, p90 %.3f, max %.3f\n",
			(unsigned long long)o->repeat, (double)times[0] / 1e6, (double)times[o->repeat / 2] / 1e6,
			(double)times[o->repeat * 9 / 10] / 1e6, (double)times[o->repeat - 1] / 1e6);
	}
	return r;
}

int main(int argc, char **argv)
{
	struct options o = {.repeat = 1, .result_fd = 2};
	struct launcher l = {.control = -1};
	int r = 0;

	(void)signal(SIGPIPE, SIG_IGN);
	parse(argc, argv, &o);
	if (!o.connect)
		r = start_launcher(&o, &l);
	if (r == 0 && o.layers)
		r = print_layers(&o, &l);
	else if (r == 0 && o.serve)
		r = serve(&l);
	else if (r == 0 && o.parallel)
		r = parallel_runs(&o, &l);
	else if (r == 0)
		r = repeated_runs(&o, &l);
	if (r == -ECONNRESET)
		fprintf(stderr, "boxrun: the launcher went away\n");
	stop_launcher(&l);
	cuv_run_done(&o.run);
	return r < 0;
}
