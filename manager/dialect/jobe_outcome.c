/* SPDX-License-Identifier: MIT */
#include "manager/dialect/jobe_outcome.h"

#include "lib/base/ids.h"
#include "lib/base/utf8.h"

#include <signal.h>
#include <string.h>

#define FOLDER CUV_BOX_WORK "/"
#define PROGRAM "main.py"

/* --- what Python says --- */

/* The next line, without its end; false behind the last one. */
static bool next_line(const char **at, size_t *left, const char **ret, size_t *ret_len)
{
	const char *end;

	if (*left == 0)
		return false;
	end = memchr(*at, '\n', *left);
	*ret = *at;
	*ret_len = end ? (size_t)(end - *at) : *left;
	*at += *ret_len + (end != NULL);
	*left -= *ret_len + (end != NULL);
	return true;
}

static bool begins(const char *line, size_t len, const char *with)
{
	return len >= strlen(with) && memcmp(line, with, strlen(with)) == 0;
}

/* `/box/main.py:3: SyntaxWarning: …`; the line of the program follows, which is indented. */
static bool is_warning(const char *line, size_t len, const char *program)
{
	const size_t folder = sizeof(FOLDER) - 1, name = strlen(program);

	return len > folder + name && begins(line, len, FOLDER) && memcmp(line + folder, program, name) == 0 &&
	       line[folder + name] == ':' && memmem(line, len, "Warning: ", 9);
}

/* `  File "/box/main.py", line 3` and nothing more: in a traceback the function follows. */
static bool is_place(const char *line, size_t len, const char *program)
{
	static const char head[] = "  File \"" FOLDER, line_is[] = "\", line ";
	const size_t name = strlen(program);

	if (len <= sizeof(head) - 1 + name + sizeof(line_is) - 1 || !begins(line, len, head))
		return false;
	line += sizeof(head) - 1;
	len -= sizeof(head) - 1;
	if (memcmp(line, program, name) != 0 || !begins(line + name, len - name, line_is))
		return false;
	for (size_t i = name + sizeof(line_is) - 1; i < len; i++)
		if (line[i] < '0' || line[i] > '9')
			return false;
	return true;
}

static bool is_verdict(const char *line, size_t len)
{
	return begins(line, len, "SyntaxError: ") || begins(line, len, "IndentationError: ") ||
	       begins(line, len, "TabError: ");
}

bool cuv_jobe_is_syntax_error(const char *text, size_t len, const char *program)
{
	const char *line = "", *last = "";
	size_t line_len = 0, last_len = 0;
	bool warned = false;

	/* Warnings, each with the line that it is about, may stand before it. */
	do {
		warned = warned || is_warning(line, line_len, program);
		if (!next_line(&text, &len, &line, &line_len))
			return false;
	} while (is_warning(line, line_len, program) ||
		 (warned && begins(line, line_len, "  ") && !is_place(line, line_len, program)));
	if (!is_place(line, line_len, program))
		return false;
	while (next_line(&text, &len, &line, &line_len)) {
		last = line;
		last_len = line_len;
	}
	return is_verdict(last, last_len);
}

/* --- as JSON --- */

static bool is_plain(unsigned char c)
{
	return c == '\n' || c == '\r' || c == '\t' || (c >= ' ' && c <= '~');
}

json_t *cuv_jobe_text(const char *data, size_t len)
{
	_cleanup_buf_ struct cuv_buf out = CUV_BUF_INIT(4 * len);

	if (cuv_utf8_valid(data, len))
		return json_stringn_nocheck(data, len);
	for (size_t i = 0; i < len; i++)
		if (is_plain((unsigned char)data[i]))
			cuv_buf_add_char(&out, data[i]);
		else
			cuv_buf_addf(&out, "\\x%02x", (unsigned char)data[i]);
	return cuv_buf_err(&out) < 0 ? NULL : json_stringn_nocheck(cuv_buf_str(&out), out.len);
}

static json_t *answer(const char *run_id, enum cuv_jobe_outcome outcome, json_t *cmpinfo, json_t *out, json_t *err)
{
	return json_pack("{s:s, s:i, s:o, s:o, s:o}", "run_id", run_id, "outcome", (int)outcome, "cmpinfo", cmpinfo,
			 "stdout", out, "stderr", err);
}

json_t *cuv_jobe_answer(const char *run_id, enum cuv_jobe_outcome outcome, const char *cmpinfo)
{
	return answer(run_id, outcome, json_string_nocheck(cmpinfo), json_string(""), json_string(""));
}

/* The program by the client's name for it, where Python names it. */
static int rename_program(const struct cuv_buf *raw, const char *program, const char *name, struct cuv_buf *ret)
{
	_cleanup_buf_ struct cuv_buf from = CUV_BUF_INIT(1024);
	const char *at = cuv_buf_str(raw), *end = at + raw->len, *found;

	cuv_buf_addf(&from, "\"" FOLDER "%s\"", program);
	while (from.len > 0 && (found = memmem(at, (size_t)(end - at), from.data, from.len))) {
		cuv_buf_add(ret, at, (size_t)(found - at));
		cuv_buf_addf(ret, "\"%s\"", name);
		at = found + from.len;
	}
	cuv_buf_add(ret, at, (size_t)(end - at));
	return cuv_buf_err(ret);
}

/* What its clients look at is whether there is anything on stderr, whatever the program's
 * exit status was. */
static enum cuv_jobe_outcome outcome_of(const struct cuv_run_result *run, bool said)
{
	switch (run->status) {
	case CUV_RUN_TIMEOUT:
		return CUV_JOBE_TIME_LIMIT;
	case CUV_RUN_OUT_OF_MEMORY:
		return CUV_JOBE_MEMORY_LIMIT;
	case CUV_RUN_OUTPUT_LIMIT:
		return CUV_JOBE_RUNTIME_ERROR;
	case CUV_RUN_KILLED:
		return run->signal == SIGSYS ? CUV_JOBE_ILLEGAL_CALL : CUV_JOBE_RUNTIME_ERROR;
	case CUV_RUN_SUCCESS:
	case CUV_RUN_ERROR:
		return said ? CUV_JOBE_RUNTIME_ERROR : CUV_JOBE_SUCCESS;
	case CUV_RUN_FAILED:
	case _CUV_RUN_STATUS_MAX:
	default:
		return CUV_JOBE_INTERNAL;
	}
}

/* What ended a program that could not say so itself. */
static void explain(const struct cuv_run_result *run, struct cuv_buf *ret)
{
	const char *name = run->signal > 0 ? sigabbrev_np(run->signal) : NULL;

	if (run->status == CUV_RUN_OUTPUT_LIMIT)
		cuv_buf_addf(ret, "%sThe program was ended: it wrote more than it may.\n", ret->len ? "\n" : "");
	else if (run->status == CUV_RUN_KILLED)
		cuv_buf_addf(ret, "%sThe program was ended by signal %d (SIG%s).\n", ret->len ? "\n" : "", run->signal,
			     name ? name : "?");
}

json_t *cuv_jobe_answer_run(const struct cuv_job_spec *spec, const struct cuv_job_result *r, const char *name)
{
	const char *program = spec->program ? spec->program : PROGRAM;
	_cleanup_buf_ struct cuv_buf err = CUV_BUF_INIT(2 * r->err.len + 64 * 1024);
	const bool unread = r->run.status == CUV_RUN_ERROR && r->run.exit_code == 1 && r->out.len == 0 &&
			    cuv_jobe_is_syntax_error(cuv_buf_str(&r->err), r->err.len, program);
	enum cuv_jobe_outcome outcome;

	/* More bytes than there is room for only where somebody prints names to no end. */
	if (rename_program(&r->err, program, name, &err) < 0) {
		cuv_buf_reset(&err);
		cuv_buf_add(&err, r->err.data, r->err.len);
	}
	explain(&r->run, &err);
	if (cuv_buf_err(&err) < 0)
		return NULL;
	outcome = unread ? CUV_JOBE_COMPILE_ERROR : outcome_of(&r->run, err.len > 0);
	if (unread)
		return answer(spec->run_id, outcome, cuv_jobe_text(cuv_buf_str(&err), err.len), json_string(""),
			      json_string(""));
	/* A limit that was hit is the answer; with words beside it, it would not be seen. */
	if (outcome == CUV_JOBE_TIME_LIMIT || outcome == CUV_JOBE_MEMORY_LIMIT || outcome == CUV_JOBE_ILLEGAL_CALL)
		cuv_buf_reset(&err);
	return answer(spec->run_id, outcome, json_string(""), cuv_jobe_text(cuv_buf_str(&r->out), r->out.len),
		      cuv_jobe_text(cuv_buf_str(&err), err.len));
}
