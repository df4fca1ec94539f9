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

/* The answer that is waited for. */
struct wanted {
	uint64_t id;
	bool diagnostics;
	bool have;
	struct cuv_buf result; /* empty: it was an error */
};

static int take(struct wanted *w, size_t n, struct cuv_json message, size_t *ignored)
{
	const struct cuv_lsp_answer a = cuv_lsp_look(message);
	size_t i;

	for (i = 0; i < n; i++) {
		if (w[i].have || w[i].id != a.id || w[i].diagnostics != a.diagnostics)
			continue;
		w[i].have = true;
		return cuv_buf_add(&w[i].result, a.result.at, a.result.len);
	}
	return ++*ignored > IGNORED_MAX ? -EBADMSG : 0;
}

static bool have_all(const struct wanted *w, size_t n)
{
	size_t i;

	for (i = 0; i < n && w[i].have; i++)
		;
	return i == n;
}

/* Says all of out and waits for n answers, in any order. */
static int converse(struct cuv_ruff_server *s, const struct cuv_buf *out, struct wanted *w, size_t n,
		    uint64_t deadline_ns)
{
	size_t said = 0, ignored = 0;
	int r = cuv_buf_err(out);

	/* Nothing is owed from before. */
	if (r == 0)
		r = write_stream(s, out, &said);
	while (r == 0 && (!have_all(w, n) || said < out->len)) {
		struct cuv_json m;

		r = cuv_lsp_next(&s->reader, &m);
		if (r == 0)
			r = exchange(s, out, &said, deadline_ns);
		else if (r == 1)
			r = take(w, n, m, &ignored);
	}
	return r;
}

/* --- a document --- */

/* What the document has in it now; it takes the place of what was there before. */
static int put_document(struct cuv_ruff_server *s, struct cuv_buf *out, const char *prefix, const char *text,
			size_t len)
{
	const int r = cuv_lsp_put_document(out, !s->open, ++s->last_id, prefix, text, len);

	s->open = true;
	return r;
}

static struct wanted want(const struct cuv_ruff_server *s, bool diagnostics)
{
	return (struct wanted){
		.id = s->last_id, .diagnostics = diagnostics, .result = CUV_BUF_INIT(CUV_LSP_MESSAGE_MAX)};
}

static struct cuv_json result_of(const struct wanted *w)
{
	return (struct cuv_json){cuv_buf_str(&w->result), w->result.len};
}

/* The formatter says nothing both for what can't be parsed and for what is
 * formatted already; and ruff check calls a syntax error also what the parser lets
 * pass. So where there is one: a line before it that every formatting removes. */
static int ask_parses(struct cuv_ruff_server *s, const char *code, size_t len, uint64_t deadline_ns, bool *ret)
{
	_cleanup_buf_ struct cuv_buf out = CUV_BUF_INIT(SAY_MAX);
	int r = put_document(s, &out, "\n", code, len);
	struct wanted w = want(s, false);

	if (r == 0)
		r = cuv_lsp_put_formatting(&out, w.id);
	if (r == 0)
		r = converse(s, &out, &w, 1, deadline_ns);
	if (r == 0 && w.result.len == 0)
		r = -EBADMSG;
	*ret = r == 0 && !cuv_json_is_null(result_of(&w));
	cuv_buf_done(&w.result);
	return r;
}

static int judge(struct cuv_ruff_server *s, struct cuv_json diagnostics, struct cuv_json edits, const char *code,
		 size_t len, uint64_t deadline_ns, struct cuv_ruff_report *ret)
{
	bool syntax = false;
	int r = edits.len ? cuv_lsp_warnings(diagnostics, false, &ret->warnings, &syntax) : -EBADMSG;

	ret->parsed = true;
	if (r == 0 && cuv_json_is_null(edits) && syntax)
		r = ask_parses(s, code, len, deadline_ns, &ret->parsed);
	if (r < 0)
		return r;
	if (!ret->parsed) {
		/* Of what can't be parsed only the first syntax error is of use. */
		cuv_buf_reset(&ret->warnings);
		return cuv_lsp_warnings(diagnostics, true, &ret->warnings, &syntax);
	}
	return cuv_json_is_null(edits) ? cuv_buf_add(&ret->formatted, code, len)
				       : cuv_lsp_apply(edits, code, len, &ret->formatted);
}

int cuv_ruff_server_ask(struct cuv_ruff_server *s, const char *code, size_t len, struct cuv_ruff_report *ret)
{
	_cleanup_buf_ struct cuv_buf out = CUV_BUF_INIT(SAY_MAX);
	const uint64_t deadline = cuv_deadline_ms(DOCUMENT_MS);
	int r = put_document(s, &out, "", code, len);
	struct wanted w[] = {want(s, true), want(s, false)};

	s->documents++;
	s->holds = true;
	if (r == 0)
		r = cuv_lsp_put_formatting(&out, w[1].id);
	if (r == 0)
		r = converse(s, &out, w, ARRAY_SIZE(w), deadline);
	if (r == 0)
		r = judge(s, result_of(&w[0]), result_of(&w[1]), code, len, deadline, ret);
	cuv_buf_done(&w[0].result);
	cuv_buf_done(&w[1].result);
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
	struct wanted w = want(s, false);
	int r = cuv_lsp_put_hello(&hello);

	if (r == 0)
		r = converse(s, &hello, &w, 1, deadline);
	if (r == 0 && !cuv_lsp_hello_is_good(result_of(&w)))
		r = -EBADMSG;
	cuv_buf_done(&w.result);
	if (r == 0)
		r = cuv_lsp_put_ready(&ready);
	return r == 0 ? converse(s, &ready, NULL, 0, deadline) : r;
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
	s->last_id = CUV_LSP_HELLO_ID;
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

	/* What it says of documents that were there before is no more than a few messages. */
	for (i = 0; i < IGNORED_MAX && r == 0 && cuv_ruff_server_lives(s) && poll(p, ARRAY_SIZE(p), 0) > 0; i++) {
		struct cuv_json m;

		if (p[0].revents)
			r = read_stream(s);
		if (r == 0 && p[1].revents)
			r = read_session(s);
		while (r == 0 && (r = cuv_lsp_next(&s->reader, &m)) == 1)
			r = 0;
	}
	if (r < 0)
		lost(s, r, "it ended");
	return cuv_ruff_server_lives(s);
}

bool cuv_ruff_server_rest(struct cuv_ruff_server *s)
{
	_cleanup_buf_ struct cuv_buf out = CUV_BUF_INIT(SAY_MAX);
	int r;

	if (!cuv_ruff_server_check(s) || !s->holds)
		return cuv_ruff_server_lives(s);
	s->holds = false;
	r = put_document(s, &out, "", "", 0);
	if (r == 0)
		r = converse(s, &out, NULL, 0, cuv_deadline_ms(DOCUMENT_MS));
	if (r < 0)
		lost(s, r, "it could not be emptied");
	return cuv_ruff_server_lives(s);
}
