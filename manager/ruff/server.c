/* SPDX-License-Identifier: MIT */
#include "manager/ruff/server.h"

#include "lib/base/clock.h"
#include "lib/base/fd.h"
#include "lib/base/log.h"
#include "manager/ruff/guard.h"
#include "manager/ruff/lint.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define START_MS 10000
/* Of one document. Those that are let through take a few milliseconds; a busy
 * host needs some more. */
#define DOCUMENT_MS 500
/* A document escaped as JSON, twice, and what is said around it. */
#define SAY_MAX (16 * CUV_RUFF_DOCUMENT_MAX + 8192)
#define READ_BYTES 65536
#define IGNORED_MAX 100 /* messages that answer nothing, for one document */

void cuv_ruff_server_init(struct cuv_ruff_server *s)
{
	*s = (struct cuv_ruff_server){.stream = -1, .session = -1};
}

void cuv_ruff_server_stop(struct cuv_ruff_server *s)
{
	s->stream = cuv_close(s->stream);
	s->session = cuv_close(s->session);
	cuv_lsp_reader_done(&s->reader);
}

static int lost(struct cuv_ruff_server *s, int r, const char *why)
{
	if (cuv_ruff_server_lives(s))
		cuv_log(CUV_LOG_WARNING, "ruff-server-lost", CUV_S("why", why), CUV_I("errno", -r),
			CUV_I("documents", s->documents));
	cuv_ruff_server_stop(s);
	return r;
}

/* --- what comes --- */

/* The session says that it has started and what is on its stderr; anything else
 * is the end of the run. */
static int read_session(struct cuv_ruff_server *s)
{
	_cleanup_frame_ struct cuv_frame f = CUV_FRAME_INIT;
	int r = cuv_frame_recv(s->session, &f);

	if (r == 0 && (f.type == CUV_MSG_RUN_STARTED || f.type == CUV_MSG_RUN_OUTPUT))
		return 0;
	return -EPIPE;
}

static int read_stream(struct cuv_ruff_server *s)
{
	char data[READ_BYTES];
	ssize_t n = recv(s->stream, data, sizeof(data), MSG_DONTWAIT);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	return n == 0 ? -EPIPE : cuv_lsp_push(&s->reader, data, (size_t)n);
}

static int write_stream(struct cuv_ruff_server *s, const struct cuv_buf *out, size_t *at)
{
	ssize_t n = send(s->stream, out->data + *at, out->len - *at, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	*at += (size_t)n;
	return 0;
}

/* Says what is left of out, and takes in what has come meanwhile. */
static int exchange(struct cuv_ruff_server *s, const struct cuv_buf *out, size_t *at, uint64_t deadline_ns)
{
	struct pollfd p[] = {{.fd = s->stream, .events = (short)(POLLIN | (*at < out->len ? POLLOUT : 0))},
			     {.fd = s->session, .events = POLLIN}};
	int r = 0;

	if (cuv_now_ns() >= deadline_ns)
		return -ETIMEDOUT;
	if (poll(p, ARRAY_SIZE(p), cuv_deadline_poll_ms(deadline_ns)) < 0)
		return errno == EINTR ? 0 : -errno;
	if (p[0].revents & ~POLLOUT)
		r = read_stream(s);
	if (r == 0 && (p[0].revents & POLLOUT))
		r = write_stream(s, out, at);
	if (r == 0 && p[1].revents)
		r = read_session(s);
	return r;
}

/* Says all of out and waits for the answers with these ids, n of them, in any
 * order; new references. */
static int converse(struct cuv_ruff_server *s, const struct cuv_buf *out, const json_int_t *ids, json_t **ret, size_t n,
		    uint64_t deadline_ns)
{
	size_t said = 0, have = 0, ignored = 0, i;
	int r = cuv_buf_err(out);

	/* Nothing is owed from before. */
	if (r == 0)
		r = write_stream(s, out, &said);
	while (r == 0 && (have < n || said < out->len)) {
		json_t *m = NULL;

		r = cuv_lsp_next(&s->reader, &m);
		if (r == 0) {
			r = exchange(s, out, &said, deadline_ns);
			continue;
		}
		if (r < 0)
			break;
		r = 0;
		for (i = 0; i < n && !(cuv_lsp_answers(m, ids[i]) && !ret[i]); i++)
			;
		if (i < n) {
			ret[i] = json_incref(m);
			have++;
		} else if (++ignored > IGNORED_MAX) {
			r = -EBADMSG;
		}
		json_decref(m);
	}
	return r;
}

/* --- a document --- */

/* The formatter says nothing both for what can't be parsed and for what is
 * formatted already; and ruff check calls a syntax error also what the parser lets
 * pass. So where there is one: a line before it that every formatting removes. */
static int ask_parses(struct cuv_ruff_server *s, const char *code, size_t len, uint64_t deadline_ns, bool *ret)
{
	_cleanup_buf_ struct cuv_buf out = CUV_BUF_INIT(SAY_MAX);
	const json_int_t ids[] = {s->next_id + 1};
	json_t *answer = NULL, *result;
	int r = cuv_lsp_put_document(&out, s->next_id, "\n", code, len);

	s->next_id += 2;
	if (r == 0)
		r = converse(s, &out, ids, &answer, 1, deadline_ns);
	result = json_object_get(answer, "result");
	if (r == 0 && !result)
		r = -EBADMSG;
	*ret = result && !json_is_null(result);
	json_decref(answer);
	return r;
}

/* Of what can't be parsed only the first syntax error is of use. */
static json_t *first_syntax_error(json_t *warnings)
{
	json_t *list = json_array(), *w;
	size_t i;

	json_array_foreach(warnings, i, w)
	{
		if (strcmp(json_string_value(json_object_get(w, "code")), CUV_LINT_SYNTAX) != 0)
			continue;
		json_array_append(list, w);
		break;
	}
	json_decref(warnings);
	return list;
}

static int keep_warnings(const json_t *warnings, struct cuv_buf *ret)
{
	char *text = json_dumps(warnings, JSON_COMPACT);
	int r = text ? cuv_buf_add_str(ret, text) : -ENOMEM;

	free(text);
	return r;
}

static int judge(struct cuv_ruff_server *s, json_t *diagnostics, json_t *formatting, const char *code, size_t len,
		 uint64_t deadline_ns, struct cuv_ruff_report *ret)
{
	const json_t *edits = json_object_get(formatting, "result");
	bool syntax = false;
	json_t *warnings = cuv_lsp_warnings(json_object_get(diagnostics, "result"), &syntax);
	int r = warnings && edits ? 0 : -EBADMSG;

	ret->parsed = true;
	if (r == 0 && json_is_null(edits) && syntax)
		r = ask_parses(s, code, len, deadline_ns, &ret->parsed);
	if (r == 0 && !ret->parsed)
		warnings = first_syntax_error(warnings);
	else if (r == 0)
		r = json_is_null(edits) ? cuv_buf_add(&ret->formatted, code, len)
					: cuv_lsp_apply(edits, code, len, &ret->formatted);
	if (r == 0)
		r = keep_warnings(warnings, &ret->warnings);
	json_decref(warnings);
	return r;
}

int cuv_ruff_server_ask(struct cuv_ruff_server *s, const char *code, size_t len, struct cuv_ruff_report *ret)
{
	_cleanup_buf_ struct cuv_buf out = CUV_BUF_INIT(SAY_MAX);
	const uint64_t deadline = cuv_deadline_ms(DOCUMENT_MS);
	const json_int_t ids[] = {s->next_id, s->next_id + 1};
	json_t *answers[] = {NULL, NULL};
	int r = cuv_lsp_put_document(&out, s->next_id, "", code, len);

	s->next_id += 2;
	s->documents++;
	if (r == 0)
		r = converse(s, &out, ids, answers, 2, deadline);
	if (r == 0)
		r = judge(s, answers[0], answers[1], code, len, deadline, ret);
	json_decref(answers[0]);
	json_decref(answers[1]);
	return r < 0 ? lost(s, r, r == -ETIMEDOUT ? "a document took too long" : "a document was not answered") : 0;
}

/* --- life --- */

static int start_run(struct cuv_ruff_server *s, const struct cuv_peers *peers, const struct cuv_tools *tools)
{
	_cleanup_run_ struct cuv_run run = CUV_RUN_INIT;
	_cleanup_writer_ struct cuv_writer w;
	_cleanup_close_ int theirs = -1;
	int pair[2], r = cuv_lint_server_run(tools, &run);

	cuv_writer_init(&w, CUV_MSG_RUN);
	cuv_run_put(&w, &run);
	if (r < 0)
		return r;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	s->stream = pair[0];
	theirs = pair[1];
	s->session = cuv_peers_tell_launcher(peers, &w, &theirs, 1, NULL);
	return CUV_MIN(s->session, 0);
}

static int greet(struct cuv_ruff_server *s)
{
	_cleanup_buf_ struct cuv_buf hello = CUV_BUF_INIT(SAY_MAX), ready = CUV_BUF_INIT(SAY_MAX);
	const uint64_t deadline = cuv_deadline_ms(START_MS);
	const json_int_t id = CUV_LSP_HELLO_ID;
	json_t *answer = NULL;
	int r = cuv_lsp_put_hello(&hello);

	if (r == 0)
		r = converse(s, &hello, &id, &answer, 1, deadline);
	if (r == 0 && !cuv_lsp_hello_is_good(answer))
		r = -EBADMSG;
	json_decref(answer);
	if (r == 0)
		r = cuv_lsp_put_ready(&ready);
	return r == 0 ? converse(s, &ready, NULL, NULL, 0, deadline) : r;
}

static int rehearse(struct cuv_ruff_server *s)
{
	static const char code[] = "import os\n\n\ndef f( x ):\n    return {'a': x}\n";
	struct cuv_ruff_report report;
	int r;

	cuv_ruff_report_init(&report);
	r = cuv_ruff_server_ask(s, code, sizeof(code) - 1, &report);
	cuv_ruff_report_done(&report);
	s->documents = 0;
	return r;
}

int cuv_ruff_server_start(struct cuv_ruff_server *s, const struct cuv_peers *peers, const struct cuv_tools *tools)
{
	int r;

	cuv_ruff_server_init(s);
	cuv_lsp_reader_init(&s->reader);
	s->next_id = CUV_LSP_HELLO_ID + 1;
	s->born_ns = cuv_now_ns();
	r = start_run(s, peers, tools);
	if (r == 0)
		r = greet(s);
	if (r < 0)
		return lost(s, r, "it could not be started");
	r = rehearse(s);
	if (r == 0)
		cuv_log(CUV_LOG_INFO, "ruff-server-started", CUV_I("took_us", (cuv_now_ns() - s->born_ns) / 1000));
	return r;
}

bool cuv_ruff_server_check(struct cuv_ruff_server *s)
{
	struct pollfd p[] = {{.fd = s->stream, .events = POLLIN}, {.fd = s->session, .events = POLLIN}};
	int r = 0, i;

	/* What it says of documents that are closed is no more than a few messages. */
	for (i = 0; i < IGNORED_MAX && r == 0 && cuv_ruff_server_lives(s) && poll(p, ARRAY_SIZE(p), 0) > 0; i++) {
		json_t *m = NULL;

		if (p[0].revents)
			r = read_stream(s);
		if (r == 0 && p[1].revents)
			r = read_session(s);
		while (r == 0 && (r = cuv_lsp_next(&s->reader, &m)) == 1) {
			json_decref(m);
			r = 0;
		}
	}
	if (r < 0)
		lost(s, r, "it ended");
	return cuv_ruff_server_lives(s);
}
