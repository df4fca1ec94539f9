/* SPDX-License-Identifier: MIT */
/*
 * load: many clients that each run a program again and again, and how long each
 * run took. For benchmarks: one process, one thread, poll; it measures its own
 * weight too.
 *
 *   load launcher --connect SOCKET --image NAME [--env NAME] [--closure NAME]...
 *        [--zygote NAME] [--tenant NAME] [--strict] --code FILE -- argv…
 *   load http --port N --requirements FILE [--field NAME=VALUE]... --code FILE
 *   load exec [--root DIR] --work DIR [--inside DIR] --code FILE -- argv…
 *
 * launcher: sessions with a launcher. http: a connection for each request, the
 * whole answer read. exec: fork and exec in the root DIR, in a folder of the
 * client's own below --work, which is --inside in the program's eyes.
 *
 * Every run has a program that was never seen before: FILE with a line in front
 * that sets `token`. What it prints has to have the token in it; what has not, or
 * does not end well, counts as an error.
 *
 * Each line "RUNS CLIENTS [SECONDS]" on stdin is a measurement: so many runs, so
 * many at once, no new ones after so long. The answer is a line of JSON:
 *   {"runs", "errors", "wall_s", "own_cpu_s", "children_cpu_s",
 *    "paths": {"cold": N, …}, "ms": [of each run], "error": "the last one's"}
 * A line of JSON without figures comes first, when all is ready.
 */
#include "lib/base/clock.h"
#include "lib/base/fd.h"
#include "lib/proto/messages.h"
#include "lib/proto/session.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define CLIENTS_MAX 512
#define RUNS_MAX 1000000u
#define CODE_MAX (1u << 20)
#define ANSWER_MAX (1u << 20)
#define TOKEN_SIZE 40
#define BOUNDARY "cuvette-load-boundary"

struct client {
	int fd; /* session, connection or the program's output; -1: idle */
	pid_t pid;
	uint64_t begun_ns;
	char token[TOKEN_SIZE];
	struct cuv_buf answer;
	struct cuv_buf request; /* http: what is left to send */
	size_t sent;
	char folder[256]; /* exec */
	char inside[256];
};

struct load {
	/* Begins a run; the client's fd is then polled. 0 or -errno. */
	int (*begin)(struct load *l, struct client *c);
	/* The fd has something to say: 1 the run is over, 0 not yet, -errno it failed. */
	int (*go_on)(struct load *l, struct client *c);
	const char *connect, *root, *work, *inside, *code_path, *requirements_path;
	uint16_t port;
	struct cuv_run run;
	struct cuv_strv fields; /* name=value */
	struct cuv_buf code, requirements;
	int empty; /* stdin of runs */
	struct client client[CLIENTS_MAX];
	double *ms;
	size_t n_ms, errors;
	size_t paths[_CUV_RUN_PATH_MAX];
	uint64_t serial;
	char error[200];
};

static _noreturn_ void die(const char *what, const char *why)
{
	fprintf(stderr, "load: %s: %s\n", what, why);
	exit(2);
}

static int failed(struct load *l, const char *what, const char *why)
{
	snprintf(l->error, sizeof(l->error), "%s: %.100s", what, why);
	for (char *c = l->error; *c; c++)
		if (*c == '"' || *c == '\\' || (unsigned char)*c < ' ' || (unsigned char)*c > '~')
			*c = '.';
	return -EIO;
}

/* A program that nobody has seen. */
static int new_code(struct load *l, struct client *c, struct cuv_buf *ret)
{
	snprintf(c->token, sizeof(c->token), "t%dx%llu", (int)getpid(), (unsigned long long)l->serial++);
	if (cuv_buf_addf(ret, "token = \"%s\"\n", c->token) < 0)
		return -ENOMEM;
	return cuv_buf_add(ret, l->code.data, l->code.len);
}

static int check_token(struct load *l, struct client *c)
{
	return strstr(cuv_buf_str(&c->answer), c->token) ? 1 : failed(l, "no token in", cuv_buf_str(&c->answer));
}

/* --- sessions with a launcher --- */

static int launcher_begin(struct load *l, struct client *c)
{
	_cleanup_buf_ struct cuv_buf code = CUV_BUF_INIT(CODE_MAX + 256);
	_cleanup_writer_ struct cuv_writer w;
	_cleanup_close_ int file = -1;
	int r = new_code(l, c, &code);

	cuv_writer_init(&w, CUV_MSG_RUN);
	cuv_run_put(&w, &l->run);
	if (r == 0)
		file = cuv_memfd("main.py", code.data, code.len);
	if (file < 0)
		return failed(l, "memfd", strerror(errno));
	c->fd = cuv_session_connect(l->connect);
	if (c->fd < 0)
		return failed(l, l->connect, strerror(-c->fd));
	r = cuv_writer_send(&w, c->fd, (int[]){l->empty, file}, 2);
	return r < 0 ? failed(l, "RUN", strerror(-r)) : 0;
}

static int launcher_go_on(struct load *l, struct client *c)
{
	_cleanup_frame_ struct cuv_frame f = CUV_FRAME_INIT;
	struct cuv_run_result result;
	struct cuv_output out;
	struct cuv_error err;

	if (cuv_frame_recv(c->fd, &f) != 0)
		return failed(l, "the session", "closed");
	switch (f.type) {
	case CUV_MSG_RUN_STARTED:
		return 0;
	case CUV_MSG_RUN_OUTPUT:
		if (cuv_output_get(&f.body, &out) < 0 || cuv_buf_add(&c->answer, out.data, out.len) < 0)
			return failed(l, "output", "not readable");
		return 0;
	case CUV_MSG_RUN_RESULT:
		if (cuv_run_result_get(&f.body, &result) < 0)
			return failed(l, "result", "not readable");
		l->paths[result.path]++;
		if (result.status != CUV_RUN_SUCCESS)
			return failed(l, cuv_run_status_name(result.status), cuv_buf_str(&c->answer));
		return check_token(l, c);
	case CUV_MSG_FAILURE:
		return failed(l, "failure", cuv_failure_get(&f.body, &err) == 0 ? err.message : "");
	default:
		return failed(l, "a message", "of another kind");
	}
}

/* --- whole requests --- */

static int add_part(struct cuv_buf *b, const char *name, const char *filename, const struct cuv_buf *content)
{
	int r = cuv_buf_addf(b, "--" BOUNDARY "\r\nContent-Disposition: form-data; name=\"%s\"", name);

	if (r == 0 && filename)
		r = cuv_buf_addf(b, "; filename=\"%s\"", filename);
	if (r == 0)
		r = cuv_buf_add_str(b, "\r\n\r\n");
	if (r == 0)
		r = cuv_buf_add(b, cuv_buf_str(content), content->len);
	return r == 0 ? cuv_buf_add_str(b, "\r\n") : r;
}

static int make_request(struct load *l, struct client *c)
{
	_cleanup_buf_ struct cuv_buf code = CUV_BUF_INIT(CODE_MAX + 256), body = CUV_BUF_INIT(2 * CODE_MAX);
	int r = new_code(l, c, &code);
	size_t i;

	if (r == 0)
		r = add_part(&body, "requirements", "requirements.txt", &l->requirements);
	if (r == 0)
		r = add_part(&body, "code", "main.py", &code);
	for (i = 0; r == 0 && i < l->fields.n; i++) {
		_cleanup_buf_ struct cuv_buf value = CUV_BUF_INIT(CODE_MAX);
		char name[64];
		size_t len = strcspn(l->fields.items[i], "=");

		snprintf(name, sizeof(name), "%.*s", (int)len, l->fields.items[i]);
		r = cuv_buf_add_str(&value, l->fields.items[i] + len + 1);
		if (r == 0)
			r = add_part(&body, name, NULL, &value);
	}
	if (r == 0)
		r = cuv_buf_add_str(&body, "--" BOUNDARY "--\r\n");
	cuv_buf_reset(&c->request);
	c->sent = 0;
	if (r == 0)
		r = cuv_buf_addf(&c->request,
				 "POST /api/v1/run HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
				 "Content-Type: multipart/form-data; boundary=" BOUNDARY "\r\n"
				 "Content-Length: %zu\r\n\r\n",
				 body.len);
	return r == 0 ? cuv_buf_add(&c->request, body.data, body.len) : r;
}

static int http_begin(struct load *l, struct client *c)
{
	struct sockaddr_in to = {
		.sin_family = AF_INET, .sin_port = htons(l->port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

	if (make_request(l, c) < 0)
		return failed(l, "request", "no memory");
	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (c->fd < 0 || (connect(c->fd, (struct sockaddr *)&to, sizeof(to)) < 0 && errno != EINPROGRESS))
		return failed(l, "connect", strerror(errno));
	return 0;
}

static void count_path(struct load *l, const char *answer)
{
	int i;

	for (i = 0; i < _CUV_RUN_PATH_MAX; i++) {
		char field[64];

		snprintf(field, sizeof(field), "\"path\":\"%s\"", cuv_run_path_name((enum cuv_run_path)i));
		if (strstr(answer, field)) {
			l->paths[i]++;
			return;
		}
	}
}

static int http_go_on(struct load *l, struct client *c)
{
	char data[65536];
	ssize_t n;

	if (c->sent < c->request.len) {
		n = send(c->fd, c->request.data + c->sent, c->request.len - c->sent, MSG_NOSIGNAL);
		if (n < 0 && errno != EAGAIN)
			return failed(l, "send", strerror(errno));
		c->sent += n > 0 ? (size_t)n : 0;
		return 0;
	}
	n = recv(c->fd, data, sizeof(data), 0);
	if (n < 0)
		return errno == EAGAIN ? 0 : failed(l, "recv", strerror(errno));
	if (n > 0)
		return cuv_buf_add(&c->answer, data, (size_t)n) < 0 ? failed(l, "answer", "too long") : 0;
	if (strncmp(cuv_buf_str(&c->answer), "HTTP/1.1 200 ", 13) != 0 ||
	    !strstr(cuv_buf_str(&c->answer), "\"status\":\"success\""))
		return failed(l, "answer", cuv_buf_str(&c->answer));
	count_path(l, cuv_buf_str(&c->answer));
	return check_token(l, c);
}

/* --- programs of our own --- */

static _noreturn_ void become(const struct load *l, const struct client *c, int out)
{
	if ((l->root && (chroot(l->root) < 0 || chdir("/") < 0)) || chdir(c->inside) < 0 || dup2(l->empty, 0) < 0 ||
	    dup2(out, 1) < 0)
		_exit(126);
	execv(l->run.argv.items[0], l->run.argv.items);
	_exit(127);
}

static int exec_begin(struct load *l, struct client *c)
{
	_cleanup_buf_ struct cuv_buf code = CUV_BUF_INIT(CODE_MAX + 256);
	_cleanup_close_ int file = -1;
	char path[256 + 16];
	int out[2];

	snprintf(path, sizeof(path), "%s/main.py", c->folder);
	file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (file < 0 || new_code(l, c, &code) < 0 || cuv_write_all(file, code.data, code.len) < 0)
		return failed(l, path, strerror(errno));
	file = cuv_close(file);
	/* Where the program is put is not part of the run. */
	c->begun_ns = cuv_now_ns();
	if (pipe2(out, O_CLOEXEC) < 0)
		return failed(l, "pipe", strerror(errno));
	c->fd = out[0];
	c->pid = fork();
	if (c->pid == 0)
		become(l, c, out[1]);
	cuv_close(out[1]);
	return c->pid < 0 ? failed(l, "fork", strerror(errno)) : 0;
}

static int exec_go_on(struct load *l, struct client *c)
{
	char data[65536];
	ssize_t n = read(c->fd, data, sizeof(data));
	int status = 0;

	if (n > 0)
		return cuv_buf_add(&c->answer, data, (size_t)n) < 0 ? failed(l, "output", "too long") : 0;
	while (waitpid(c->pid, &status, 0) < 0 && errno == EINTR)
		;
	c->pid = 0;
	return status != 0 ? failed(l, "the program", cuv_buf_str(&c->answer)) : check_token(l, c);
}

/* --- the loop --- */

static void end(struct load *l, struct client *c, int r)
{
	c->fd = cuv_close(c->fd);
	if (c->pid > 0)
		(void)waitpid(c->pid, NULL, 0);
	c->pid = 0;
	l->ms[l->n_ms++] = (double)(cuv_now_ns() - c->begun_ns) / 1e6;
	l->errors += r < 0;
}

static void start(struct load *l, struct client *c)
{
	int r;

	cuv_buf_reset(&c->answer);
	c->begun_ns = cuv_now_ns();
	r = l->begin(l, c);
	if (r < 0)
		end(l, c, r);
}

static short wanted(const struct client *c)
{
	return c->sent < c->request.len ? POLLOUT : POLLIN;
}

static void measure(struct load *l, size_t runs, size_t clients, uint64_t until_ns)
{
	static struct pollfd p[CLIENTS_MAX];
	size_t begun = 0, ended = 0, i;

	while (ended < runs) {
		for (i = 0; i < clients; i++) {
			while (l->client[i].fd < 0 && begun < runs && cuv_now_ns() < until_ns) {
				begun++;
				start(l, &l->client[i]);
			}
			p[i] = (struct pollfd){.fd = l->client[i].fd, .events = wanted(&l->client[i])};
		}
		ended = l->n_ms;
		if (cuv_now_ns() >= until_ns)
			runs = begun;
		if (ended >= runs)
			break;
		if (poll(p, clients, cuv_deadline_poll_ms(until_ns)) < 0 && errno != EINTR)
			die("poll", strerror(errno));
		for (i = 0; i < clients; i++) {
			int r = p[i].fd >= 0 && p[i].revents ? l->go_on(l, &l->client[i]) : 0;

			if (r != 0)
				end(l, &l->client[i], r);
		}
		ended = l->n_ms;
	}
}

static double cpu_s(int who)
{
	struct rusage u;

	if (getrusage(who, &u) < 0)
		die("getrusage", strerror(errno));
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static void print(const struct load *l, double wall, double own, double children)
{
	size_t i;

	printf("{\"runs\": %zu, \"errors\": %zu, \"wall_s\": %.6f, \"own_cpu_s\": %.6f, \"children_cpu_s\": %.6f, "
	       "\"error\": \"%s\", \"paths\": {",
	       l->n_ms, l->errors, wall, own, children, l->error);
	for (i = 0; i < _CUV_RUN_PATH_MAX; i++)
		printf("%s\"%s\": %zu", i ? ", " : "", cuv_run_path_name((enum cuv_run_path)i), l->paths[i]);
	printf("}, \"ms\": [");
	for (i = 0; i < l->n_ms; i++)
		printf("%s%.4f", i ? "," : "", l->ms[i]);
	printf("]}\n");
	fflush(stdout);
}

static void one_line(struct load *l, const char *line)
{
	unsigned runs, clients;
	double seconds = 0, own, children;
	uint64_t begun;

	if (sscanf(line, "%u %u %lf", &runs, &clients, &seconds) < 2 || clients == 0 || clients > CLIENTS_MAX ||
	    runs > RUNS_MAX)
		die("stdin", "a line is RUNS CLIENTS [SECONDS]");
	l->n_ms = l->errors = 0;
	l->error[0] = '\0';
	memset(l->paths, 0, sizeof(l->paths));
	own = cpu_s(RUSAGE_SELF);
	children = cpu_s(RUSAGE_CHILDREN);
	begun = cuv_now_ns();
	measure(l, runs, clients, seconds > 0 ? begun + (uint64_t)(seconds * 1e9) : CUV_NEVER);
	print(l, (double)(cuv_now_ns() - begun) / 1e9, cpu_s(RUSAGE_SELF) - own, cpu_s(RUSAGE_CHILDREN) - children);
}

/* --- the command line --- */

static const struct option long_options[] = {
	{"connect", 1, NULL, 'c'}, {"image", 1, NULL, 'i'},	   {"env", 1, NULL, 'e'},
	{"closure", 1, NULL, 'p'}, {"zygote", 1, NULL, 'z'},	   {"tenant", 1, NULL, 'T'},
	{"strict", 0, NULL, 'S'},  {"code", 1, NULL, 'k'},	   {"port", 1, NULL, 'P'},
	{"field", 1, NULL, 'f'},   {"requirements", 1, NULL, 'q'}, {"root", 1, NULL, 'r'},
	{"work", 1, NULL, 'w'},	   {"inside", 1, NULL, 'I'},	   {NULL, 0, NULL, 0},
};

static void read_option(struct load *l, int c)
{
	switch (c) {
	case 'c':
		l->connect = optarg;
		break;
	case 'i':
		snprintf(l->run.image, sizeof(l->run.image), "%s", optarg);
		break;
	case 'e':
		snprintf(l->run.env, sizeof(l->run.env), "%s", optarg);
		break;
	case 'p':
		(void)cuv_strv_add(&l->run.closure, optarg);
		break;
	case 'z':
		snprintf(l->run.zygote, sizeof(l->run.zygote), "%s", optarg);
		break;
	case 'T':
		snprintf(l->run.tenant, sizeof(l->run.tenant), "%s", optarg);
		break;
	case 'S':
		l->run.strict = true;
		break;
	case 'k':
		l->code_path = optarg;
		break;
	case 'P':
		l->port = (uint16_t)strtoul(optarg, NULL, 10);
		break;
	case 'f':
		if (!strchr(optarg, '='))
			die("--field", "takes NAME=VALUE");
		(void)cuv_strv_add(&l->fields, optarg);
		break;
	case 'q':
		l->requirements_path = optarg;
		break;
	case 'r':
		l->root = optarg;
		break;
	case 'w':
		l->work = optarg;
		break;
	case 'I':
		l->inside = optarg;
		break;
	default:
		die("options", "one is not known");
	}
}

static void choose(struct load *l, const char *way)
{
	bool complete = false;

	if (strcmp(way, "launcher") == 0) {
		l->begin = launcher_begin;
		l->go_on = launcher_go_on;
		complete = l->connect && l->run.image[0] && l->run.argv.n > 0;
	} else if (strcmp(way, "http") == 0) {
		l->begin = http_begin;
		l->go_on = http_go_on;
		complete = l->port && l->requirements_path;
	} else if (strcmp(way, "exec") == 0) {
		l->begin = exec_begin;
		l->go_on = exec_go_on;
		complete = l->work && l->run.argv.n > 0;
	}
	if (!complete || !l->code_path)
		die(way, "no such way, or an option is missing");
}

static void read_whole(const char *path, struct cuv_buf *b)
{
	int r = cuv_read_file(AT_FDCWD, path, b);

	if (r < 0)
		die(path, strerror(-r));
}

static void prepare(struct load *l)
{
	const char *inside = l->inside ? l->inside : l->work;
	size_t i;

	l->code = CUV_BUF_INIT(CODE_MAX);
	l->requirements = CUV_BUF_INIT(CODE_MAX);
	read_whole(l->code_path, &l->code);
	if (l->requirements_path)
		read_whole(l->requirements_path, &l->requirements);
	cuv_limits_default(&l->run.limits);
	snprintf(l->run.run_id, sizeof(l->run.run_id), "load-%d", (int)getpid());
	(void)cuv_strv_add(&l->run.files, "main.py");
	l->empty = cuv_memfd("stdin", "", 0);
	l->ms = calloc(RUNS_MAX + CLIENTS_MAX, sizeof(*l->ms));
	if (!l->ms || l->empty < 0)
		die("memory", strerror(errno));
	for (i = 0; i < CLIENTS_MAX; i++) {
		struct client *c = &l->client[i];

		c->fd = -1;
		c->answer = CUV_BUF_INIT(ANSWER_MAX);
		c->request = CUV_BUF_INIT(3 * CODE_MAX);
		if (!l->work)
			continue;
		snprintf(c->folder, sizeof(c->folder), "%s/%zu", l->work, i);
		snprintf(c->inside, sizeof(c->inside), "%s/%zu", inside, i);
		if (mkdir(c->folder, 0755) < 0 && errno != EEXIST)
			die(c->folder, strerror(errno));
	}
}

int main(int argc, char **argv)
{
	static struct load l;
	char line[128];
	int c;

	(void)signal(SIGPIPE, SIG_IGN);
	if (argc < 2)
		die("usage", "load launcher|http|exec OPTIONS");
	optind = 2;
	while ((c = getopt_long(argc, argv, "+", long_options, NULL)) != -1)
		read_option(&l, c);
	for (; optind < argc; optind++)
		(void)cuv_strv_add(&l.run.argv, argv[optind]);
	choose(&l, argv[1]);
	prepare(&l);
	printf("{\"ready\": true, \"pid\": %d}\n", (int)getpid());
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin))
		one_line(&l, line);
	return 0;
}
