/* SPDX-License-Identifier: MIT */
#include "nixenv/builder/build_box.h"

#include "lib/base/clock.h"
#include "lib/base/fd.h"
#include "lib/base/ids.h"
#include "lib/base/log.h"
#include "lib/proto/session.h"
#include "nixenv/builder/recipes.h"
#include "nixenv/builder/resolve_error.h"

#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define SAY_MAX (1u << 20)
#define READ_BYTES 65536
#define TAIL_BYTES 4096 /* kept of what was printed */
#define STDERR_BYTES (16 * CUV_MIB)
#define PROCESSES 256
#define CPUS_MILLI 2000
#define PLACE_PAUSE_MS 250 /* when all places for such runs are taken */

struct talk {
	const struct cuv_build_job *job;
	struct cuv_build_answer *answer;
	int stream, session;
	struct cuv_buf say; /* the job's frame and the header of the next */
	size_t said;
	off_t sent, sdist_bytes;
	char tail[2 * TAIL_BYTES]; /* the end of stderr */
	size_t n_tail;
	bool started, ended, refused;
	struct cuv_run_result result;
	struct cuv_error failure;
};

static void talk_done(struct talk *t)
{
	t->stream = cuv_close(t->stream);
	t->session = cuv_close(t->session);
	cuv_buf_done(&t->say);
}

/* --- what is said --- */

static int add_header(struct cuv_buf *out, char letter, uint64_t len)
{
	cuv_buf_add_char(out, letter);
	for (int shift = 56; shift >= 0; shift -= 8)
		cuv_buf_add_char(out, (char)(len >> shift & 0xff));
	return cuv_buf_err(out);
}

static json_t *job_to_json(const struct cuv_build_job *job, uint64_t wheel_max)
{
	json_t *known = json_array();

	for (size_t i = 0; job->known && i < job->known->n; i++)
		json_array_append_new(known, json_string(job->known->items[i]));
	return json_pack("{s:s, s:o, s:I, s:s*}", "mode", job->inspect ? "inspect" : "build", "known", known,
			 "wheel_max", (json_int_t)wheel_max, "subdirectory", job->subdirectory);
}

static int prepare_words(struct talk *t)
{
	json_auto_t *j = job_to_json(t->job, t->answer->wheel_max);
	_cleanup_free_ char *text = j ? json_dumps(j, JSON_COMPACT) : NULL;
	struct stat st;

	if (!text)
		return -ENOMEM;
	if (fstat(t->job->sdist_fd, &st) < 0)
		return -errno;
	t->sdist_bytes = st.st_size;
	add_header(&t->say, 'J', strlen(text));
	cuv_buf_add_str(&t->say, text);
	return add_header(&t->say, 'S', (uint64_t)st.st_size);
}

static bool has_said_all(const struct talk *t)
{
	return t->said == t->say.len && t->sent == t->sdist_bytes;
}

/* The box may hang up before it has heard all; its answer says why. */
static int write_stream(struct talk *t)
{
	ssize_t n;

	if (t->said < t->say.len) {
		n = send(t->stream, t->say.data + t->said, t->say.len - t->said, MSG_DONTWAIT | MSG_NOSIGNAL);
		t->said += n > 0 ? (size_t)n : 0;
	} else {
		n = sendfile(t->stream, t->job->sdist_fd, &t->sent, (size_t)(t->sdist_bytes - t->sent));
	}
	if (n >= 0 || errno == EAGAIN || errno == EINTR)
		return 0;
	if (errno != EPIPE && errno != ECONNRESET)
		return -errno;
	t->said = t->say.len;
	t->sent = t->sdist_bytes;
	return 0;
}

/* --- what is heard --- */

static int read_stream(struct talk *t)
{
	char data[READ_BYTES];
	ssize_t n = recv(t->stream, data, sizeof(data), MSG_DONTWAIT);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR || errno == ECONNRESET ? 0 : -errno;
	if (n == 0) {
		t->stream = cuv_close(t->stream);
		return 0;
	}
	return cuv_build_answer_push(t->answer, data, (size_t)n);
}

static void keep_tail(struct talk *t, const uint8_t *data, size_t len)
{
	if (len > TAIL_BYTES) {
		data += len - TAIL_BYTES;
		len = TAIL_BYTES;
	}
	if (t->n_tail + len > sizeof(t->tail)) {
		memmove(t->tail, t->tail + t->n_tail - TAIL_BYTES, TAIL_BYTES);
		t->n_tail = TAIL_BYTES;
	}
	memcpy(t->tail + t->n_tail, data, len);
	t->n_tail += len;
}

static int read_session(struct talk *t)
{
	_cleanup_frame_ struct cuv_frame f = CUV_FRAME_INIT;
	struct cuv_output out;
	int r = cuv_frame_recv(t->session, &f);

	if (r == -EAGAIN)
		return 0;
	if (r != 0)
		return r < 0 ? r : -EPIPE;
	switch (f.type) {
	case CUV_MSG_RUN_STARTED:
		t->started = true;
		return 0;
	case CUV_MSG_RUN_OUTPUT:
		r = cuv_output_get(&f.body, &out);
		if (r == 0)
			keep_tail(t, out.data, out.len);
		return r;
	case CUV_MSG_RUN_RESULT:
		t->ended = true;
		return cuv_run_result_get(&f.body, &t->result);
	case CUV_MSG_FAILURE:
		t->refused = true;
		return cuv_failure_get(&f.body, &t->failure);
	default:
		return -EBADMSG;
	}
}

/* The stream may still hold what was sent before the end. */
static int drain(struct talk *t)
{
	int r = 0;

	while (r == 0 && t->stream >= 0) {
		struct pollfd p = {.fd = t->stream, .events = POLLIN};

		if (poll(&p, 1, 0) <= 0)
			break;
		r = read_stream(t);
	}
	return r;
}

static int converse(struct talk *t)
{
	int r = 0;

	while (r == 0 && !t->ended && !t->refused) {
		const short out = has_said_all(t) ? 0 : POLLOUT;
		struct pollfd p[] = {{.fd = t->stream, .events = (short)(POLLIN | out)},
				     {.fd = t->session, .events = POLLIN},
				     {.fd = t->job->cancel_fd, .events = POLLIN | POLLRDHUP}};

		if (cuv_now_ns() >= t->job->deadline_ns)
			return -ETIMEDOUT;
		if (poll(p, ARRAY_SIZE(p), cuv_deadline_poll_ms(t->job->deadline_ns)) < 0) {
			r = errno == EINTR ? 0 : -errno;
			continue;
		}
		if (p[2].revents)
			return -ECANCELED;
		if (p[0].revents & ~POLLOUT)
			r = read_stream(t);
		if (r == 0 && (p[0].revents & POLLOUT) && t->stream >= 0)
			r = write_stream(t);
		if (r == 0 && p[1].revents)
			r = read_session(t);
	}
	return r == 0 ? drain(t) : r;
}

/* --- the run --- */

static const struct cuv_embedded *driver(void)
{
	const struct cuv_embedded *recipe = cuv_recipes;

	while (recipe->name && strcmp(recipe->name, CUV_BUILD_DRIVER) != 0)
		recipe++;
	cuv_assert(recipe->name);
	return recipe;
}

static void set_limits(const struct cuv_build_job *job, struct cuv_limits *l)
{
	const uint64_t now = cuv_now_ns(),
		       left_ms = job->deadline_ns > now ? (job->deadline_ns - now) / CUV_NS_PER_MS : 0;

	cuv_limits_default(l);
	l->value[CUV_LIMIT_WALL] = CUV_MAX(CUV_MIN(left_ms, (uint64_t)CUV_BUILD_WALL_MS), 1u);
	l->value[CUV_LIMIT_CPU_TIME] = 0;
	l->value[CUV_LIMIT_MEMORY] = CUV_BUILD_MEMORY_BYTES;
	l->value[CUV_LIMIT_CPUS] = CPUS_MILLI;
	l->value[CUV_LIMIT_PROCESSES] = PROCESSES;
	l->value[CUV_LIMIT_STDERR] = STDERR_BYTES;
	l->value[CUV_LIMIT_WORK] = CUV_GIB;
	l->value[CUV_LIMIT_WORK_INODES] = 65536;
	l->value[CUV_LIMIT_TMP] = CUV_GIB;
	l->value[CUV_LIMIT_FILE] = CUV_GIB;
}

static int describe_run(const struct cuv_build_job *job, struct cuv_run *run)
{
	char id[CUV_ID_HEX_SIZE];
	int r = 0;

	cuv_random_id(id);
	(void)snprintf(run->run_id, sizeof(run->run_id), "build-%.24s", id);
	(void)snprintf(run->image, sizeof(run->image), "%s", job->root);
	run->strict = true;
	run->stream = true;
	set_limits(job, &run->limits);
	if (job->env) {
		(void)snprintf(run->env, sizeof(run->env), "%s", job->env->store_name);
		for (size_t i = 0; r == 0 && i < job->env->closure.n; i++)
			r = cuv_strv_add(&run->closure, job->env->closure.items[i]);
		if (r == 0)
			r = cuv_strv_addf(&run->argv, "/nix/store/%s/bin/python", job->env->store_name);
	} else {
		r = cuv_strv_add(&run->argv, job->python);
	}
	if (r == 0)
		r = cuv_strv_add(&run->argv, "-I");
	if (r == 0)
		r = cuv_strv_add(&run->argv, CUV_BOX_WORK "/" CUV_BUILD_DRIVER);
	return r < 0 ? r : cuv_strv_add(&run->files, CUV_BUILD_DRIVER);
}

/* The control socket is the manager's too, and may be full for a moment. */
static int open_session(const struct cuv_build_job *job)
{
	for (;;) {
		struct pollfd p = {.fd = job->launcher, .events = POLLOUT};
		int fd = cuv_session_open(job->launcher);

		if (fd != -EAGAIN)
			return fd;
		if (cuv_now_ns() >= job->deadline_ns)
			return -ETIMEDOUT;
		(void)poll(&p, 1, (int)CUV_MIN(cuv_deadline_poll_ms(job->deadline_ns), PLACE_PAUSE_MS));
	}
}

static int start(struct talk *t)
{
	_cleanup_run_ struct cuv_run run = CUV_RUN_INIT;
	_cleanup_writer_ struct cuv_writer w;
	_cleanup_close_ int theirs = -1, file = -1;
	int pair[2], r = describe_run(t->job, &run);

	cuv_writer_init(&w, CUV_MSG_RUN);
	cuv_run_put(&w, &run);
	if (r < 0)
		return r;
	file = cuv_memfd(CUV_BUILD_DRIVER, driver()->data, driver()->len);
	if (file < 0)
		return file;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	t->stream = pair[0];
	theirs = pair[1];
	r = cuv_set_nonblock(t->stream, true);
	if (r < 0)
		return r;
	t->session = open_session(t->job);
	if (t->session < 0)
		return t->session;
	r = cuv_writer_send(&w, t->session, (const int[]){theirs, file}, 2);
	return r < 0 ? r : cuv_set_nonblock(t->session, true);
}

/* --- how it ended --- */

static int ended_by_us(const struct cuv_build_job *job, int r, struct cuv_error *err)
{
	switch (r) {
	case -ETIMEDOUT:
		return cuv_error_set(err, CUV_E_BUILD_TIMEOUT,
				     "%s: building it from its source distribution took longer than its limit",
				     job->what);
	case -ECANCELED:
		return cuv_error_set(err, CUV_E_CANCELLED, "the request was given up");
	case -EBADMSG:
		return cuv_error_set(err, CUV_E_BUILD_FAILED, "%s: its build gave no wheel but something else",
				     job->what);
	case -E2BIG:
		return cuv_error_set(err, CUV_E_BUILD_FAILED, "%s: its build gave a wheel or a list that is too large",
				     job->what);
	case -EPIPE:
	case -ECONNRESET:
		cuv_error_set(err, CUV_E_UNAVAILABLE, "the launcher went away while %s was built", job->what);
		err->retry_after_s = 2;
		return -EINVAL;
	default:
		cuv_log(CUV_LOG_ERROR, "build-box-failed", CUV_S("what", job->what), CUV_S("error", strerror(-r)));
		return cuv_error_set_errno(err, r, "%s can't be built: %s", job->what, strerror(-r));
	}
}

static void add_explanation(const struct talk *t, struct cuv_error *err)
{
	_cleanup_buf_ struct cuv_buf out = CUV_BUF_INIT(4 * TAIL_BYTES);
	const char *text = t->tail;
	size_t len = t->n_tail, room = sizeof(err->explanation) - 1;

	cuv_clean_text(&out, text, len);
	/* The end says why. */
	text = cuv_buf_str(&out);
	len = out.len;
	if (len > room) {
		const char *line = memchr(text + len - room, '\n', room);

		line = line ? line + 1 : text + len - room;
		len -= (size_t)(line - text);
		text = line;
	}
	cuv_error_copy_text(err->explanation, sizeof(err->explanation), text, len);
}

static int judge(const struct talk *t, struct cuv_error *err)
{
	const struct cuv_build_answer *a = t->answer;
	const char *what = t->job->what;

	switch (t->result.status) {
	case CUV_RUN_TIMEOUT:
		return ended_by_us(t->job, -ETIMEDOUT, err);
	case CUV_RUN_FAILED:
		return cuv_error_set(err, CUV_E_INTERNAL, "the box in which %s was built failed", what);
	case CUV_RUN_OUT_OF_MEMORY:
		cuv_error_set(err, CUV_E_BUILD_FAILED, "%s: its build needs more memory than %llu MiB", what,
			      CUV_BUILD_MEMORY_BYTES >> 20);
		break;
	case CUV_RUN_OUTPUT_LIMIT:
		cuv_error_set(err, CUV_E_BUILD_FAILED, "%s: its build prints more than %llu MiB", what,
			      STDERR_BYTES >> 20);
		break;
	case CUV_RUN_KILLED:
		cuv_error_set(err, CUV_E_BUILD_FAILED, "%s: its build was ended by signal %d", what, t->result.signal);
		break;
	case CUV_RUN_SUCCESS:
	case CUV_RUN_ERROR:
	case _CUV_RUN_STATUS_MAX:
	default:
		if (cuv_build_answer_complete(a) && !a->has_reason && t->result.status == CUV_RUN_SUCCESS)
			return 0;
		cuv_error_set(err, CUV_E_BUILD_FAILED, "%s can't be built from its source distribution%s", what,
			      a->has_reason ? ": " : "");
		break;
	}
	if (a->has_reason) {
		_cleanup_buf_ struct cuv_buf reason = CUV_BUF_INIT(2 * CUV_BUILD_REASON_MAX);
		size_t at = strlen(err->message);

		cuv_clean_text(&reason, (const char *)a->reason.data, a->reason.len);
		cuv_error_copy_text(err->message + at, sizeof(err->message) - at, cuv_buf_str(&reason), reason.len);
	}
	add_explanation(t, err);
	return -EINVAL;
}

static int attempt(const struct cuv_build_job *job, struct cuv_build_answer *ret, struct cuv_error *err)
{
	_cleanup_(talk_done) struct talk t = {
		.job = job, .answer = ret, .stream = -1, .session = -1, .say = CUV_BUF_INIT(SAY_MAX)};
	int r = prepare_words(&t);

	if (r == 0)
		r = start(&t);
	if (r == 0)
		r = converse(&t);
	if (r < 0)
		return ended_by_us(job, r, err);
	if (t.refused) {
		*err = t.failure;
		return -EINVAL;
	}
	return judge(&t, err);
}

int cuv_build_box(const struct cuv_build_job *job, struct cuv_build_answer *ret, struct cuv_error *err)
{
	int r = attempt(job, ret, err);

	/* There is no queue for such runs: we are it. */
	while (r < 0 && err->code == CUV_E_OVERLOADED && cuv_now_ns() < job->deadline_ns) {
		struct pollfd p = {.fd = job->cancel_fd, .events = POLLIN | POLLRDHUP};

		if (poll(&p, 1, PLACE_PAUSE_MS) > 0)
			return cuv_error_set(err, CUV_E_CANCELLED, "the request was given up");
		r = attempt(job, ret, err);
	}
	return r;
}
