/* SPDX-License-Identifier: MIT */
#include "manager/ruff/lsp.h"

#include "lib/base/parse.h"
#include "manager/json_text.h"
#include "manager/json_write.h"
#include "manager/ruff/lint.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* The box's work folder. The folder is a workspace, because settings are then
 * made once and not for each document; the file never exists. */
#define FOLDER "file:///box"
#define URI FOLDER "/main.py"
#define VERSION "\"jsonrpc\":\"2.0\""
#define LENGTH_NAME "Content-Length:"
#define HEADER_END "\r\n\r\n"
#define NO_LENGTH "00000000"
#define EDITS_MAX 1000

/* --- frames --- */

void cuv_lsp_reader_init(struct cuv_lsp_reader *r)
{
	*r = (struct cuv_lsp_reader){.at = 0};
	cuv_buf_init(&r->in, CUV_LSP_MESSAGE_MAX + CUV_LSP_HEADER_MAX);
}

void cuv_lsp_reader_done(struct cuv_lsp_reader *r)
{
	cuv_buf_done(&r->in);
	r->at = 0;
}

bool cuv_lsp_is_empty(const struct cuv_lsp_reader *r)
{
	return r->at == r->in.len;
}

int cuv_lsp_push(struct cuv_lsp_reader *r, const void *data, size_t len)
{
	if (cuv_lsp_is_empty(r)) {
		cuv_buf_reset(&r->in);
		r->at = 0;
	} else if (r->at > 0) {
		r->in.len -= r->at;
		memmove(r->in.data, r->in.data + r->at, r->in.len + 1);
		r->at = 0;
	}
	return cuv_buf_add(&r->in, data, len);
}

/* One header line without its end; only the length matters. */
static int read_header(const char *line, size_t len, uint64_t *ret_length)
{
	char digits[16];
	size_t skip = strlen(LENGTH_NAME);

	if (len < skip || strncasecmp(line, LENGTH_NAME, skip) != 0)
		return memchr(line, ':', len) ? 0 : -EBADMSG;
	while (skip < len && line[skip] == ' ')
		skip++;
	if (len - skip >= sizeof(digits))
		return -EBADMSG;
	memcpy(digits, line + skip, len - skip);
	digits[len - skip] = '\0';
	return cuv_parse_u64(digits, CUV_LSP_MESSAGE_MAX, ret_length) < 0 ? -EBADMSG : 0;
}

/* The headers, end included, are len bytes. */
static int read_headers(const char *text, size_t len, uint64_t *ret_length)
{
	const char *end = text + len - 2;

	*ret_length = 0;
	while (text < end) {
		const char *stop = memmem(text, (size_t)(end + 2 - text), "\r\n", 2);
		int r = read_header(text, (size_t)(stop - text), ret_length);

		if (r < 0)
			return r;
		text = stop + 2;
	}
	return *ret_length > 0 ? 0 : -EBADMSG;
}

int cuv_lsp_next(struct cuv_lsp_reader *r, struct cuv_json *ret)
{
	const char *text = cuv_buf_str(&r->in) + r->at, *end;
	const size_t have = r->in.len - r->at;
	uint64_t length;
	size_t head;

	end = memmem(text, CUV_MIN(have, (size_t)CUV_LSP_HEADER_MAX), HEADER_END, strlen(HEADER_END));
	if (!end)
		return have >= CUV_LSP_HEADER_MAX ? -EBADMSG : 0;
	head = (size_t)(end - text) + strlen(HEADER_END);
	if (read_headers(text, head, &length) < 0)
		return -EBADMSG;
	if (have - head < length)
		return 0;
	if (!cuv_json_text_valid(text + head, length))
		return -EBADMSG;
	*ret = (struct cuv_json){text + head, length};
	if (*ret->at != '{')
		return -EBADMSG;
	r->at += head + length;
	return 1;
}

/* A message is written where it goes, behind a length that is filled in when it is known. */
static size_t begin(struct cuv_buf *out)
{
	cuv_buf_add_str(out, LENGTH_NAME " " NO_LENGTH HEADER_END);
	return out->len;
}

static int end(struct cuv_buf *out, size_t body)
{
	char digits[sizeof(NO_LENGTH)];

	if (cuv_buf_err(out))
		return cuv_buf_err(out);
	(void)snprintf(digits, sizeof(digits), "%0*zu", (int)strlen(NO_LENGTH), out->len - body);
	memcpy(out->data + body - strlen(NO_LENGTH HEADER_END), digits, strlen(NO_LENGTH));
	return 0;
}

/* --- what we say --- */

/* The same settings as cuv_lint_run gives to ruff check and ruff format for the default Python. */
int cuv_lsp_put_hello(struct cuv_buf *out)
{
	const size_t body = begin(out);
	char target[CUV_LINT_TARGET_SIZE];

	cuv_lint_target(NULL, cuv_pythons, target);
	/* It knows nothing of being asked for diagnostics: then they come with each
	 * document, which is two messages less. */
	cuv_buf_addf(out,
		     "{" VERSION ",\"id\":%d,\"method\":\"initialize\",\"params\":{\"processId\":null,"
		     "\"capabilities\":{\"general\":{\"positionEncodings\":[\"utf-32\"]}},"
		     "\"workspaceFolders\":[{\"uri\":\"" FOLDER "\",\"name\":\"box\"}],"
		     "\"initializationOptions\":{\"settings\":{\"configurationPreference\":\"editorOnly\","
		     "\"logLevel\":\"error\",\"configuration\":{\"target-version\":\"%s\"}}}}}",
		     CUV_LSP_HELLO_ID, target);
	return end(out, body);
}

bool cuv_lsp_hello_is_good(struct cuv_json result)
{
	return cuv_json_is(cuv_json_member(cuv_json_member(result, "capabilities"), "positionEncoding"), "utf-32");
}

int cuv_lsp_put_ready(struct cuv_buf *out)
{
	const size_t body = begin(out);

	cuv_buf_add_str(out, "{" VERSION ",\"method\":\"initialized\",\"params\":{}}");
	return end(out, body);
}

int cuv_lsp_put_document(struct cuv_buf *out, bool first, uint64_t id, const char *prefix, const char *text, size_t len)
{
	_cleanup_buf_ struct cuv_buf joined = CUV_BUF_INIT(out->max);
	size_t body;

	if (*prefix) {
		cuv_buf_add_str(&joined, prefix);
		if (cuv_buf_add(&joined, text, len) < 0)
			return cuv_buf_err(&joined);
		text = cuv_buf_str(&joined);
		len = joined.len;
	}
	/* As much as most need. */
	(void)cuv_buf_room(out, CUV_MIN(len + len / 8 + 1024, out->max - out->len));
	body = begin(out);
	cuv_buf_addf(out,
		     "{" VERSION ",\"method\":\"textDocument/%s\",\"params\":{\"textDocument\":{\"uri\":\"" URI
		     "\",\"version\":%" PRIu64 "%s\"text\":",
		     first ? "didOpen" : "didChange", id,
		     first ? ",\"languageId\":\"python\"," : "},\"contentChanges\":[{");
	cuv_json_add_string(out, text, len);
	cuv_buf_add_str(out, first ? "}}}" : "}]}}");
	return end(out, body);
}

int cuv_lsp_put_formatting(struct cuv_buf *out, uint64_t id)
{
	const size_t body = begin(out);

	cuv_buf_addf(out,
		     "{" VERSION ",\"id\":%" PRIu64 ",\"method\":\"textDocument/formatting\",\"params\":{"
		     "\"textDocument\":{\"uri\":\"" URI "\"},\"options\":{\"tabSize\":4,\"insertSpaces\":true}}}",
		     id);
	return end(out, body);
}

/* --- what it answers --- */

struct cuv_lsp_answer cuv_lsp_look(struct cuv_json message)
{
	static const char *const names[] = {"method", "id", "result", "params"}, *const of_params[] = {"version",
												       "diagnostics"};
	struct cuv_json m[ARRAY_SIZE(names)], about[ARRAY_SIZE(of_params)];
	struct cuv_lsp_answer ret = {.id = 0};

	cuv_json_members(message, ARRAY_SIZE(names), names, m);
	ret.diagnostics = cuv_json_is(m[0], "textDocument/publishDiagnostics");
	if (m[0].len > 0 && !ret.diagnostics)
		return ret;
	cuv_json_members(m[3], ARRAY_SIZE(of_params), of_params, about);
	ret.result = ret.diagnostics ? about[1] : m[2];
	if (!cuv_json_number(ret.diagnostics ? about[0] : m[1], INT32_MAX, &ret.id))
		ret.id = 0;
	return ret;
}

static bool get_place(struct cuv_json position, struct cuv_lsp_place *ret)
{
	return cuv_json_number(cuv_json_member(position, "line"), INT32_MAX - 1, &ret->line) &&
	       cuv_json_number(cuv_json_member(position, "character"), INT32_MAX - 1, &ret->character);
}

bool cuv_lsp_range(struct cuv_json item, struct cuv_lsp_place *ret_start, struct cuv_lsp_place *ret_end)
{
	const struct cuv_json range = cuv_json_member(item, "range");

	return get_place(cuv_json_member(range, "start"), ret_start) &&
	       get_place(cuv_json_member(range, "end"), ret_end);
}

/* --- edits --- */

/* A walk through a text, by ruff's idea of lines. */
struct walk {
	const char *text;
	size_t len, at;
	bool returns; /* some lines end with a carriage return */
	struct cuv_lsp_place place;
};

static void advance(struct walk *w)
{
	const char c = w->text[w->at];
	const bool line = c == '\n' || (c == '\r' && !(w->at + 1 < w->len && w->text[w->at + 1] == '\n'));

	w->at++;
	while (w->at < w->len && ((unsigned char)w->text[w->at] & 0xc0) == 0x80)
		w->at++;
	w->place = line ? (struct cuv_lsp_place){w->place.line + 1, 0}
			: (struct cuv_lsp_place){w->place.line, w->place.character + 1};
}

/* Goes on to a place, which must be one of the text and not behind us. */
static int walk_to(struct walk *w, struct cuv_lsp_place to)
{
	/* Characters do not count in lines that are passed over. */
	while (w->at < w->len && w->place.line < to.line) {
		const char *stop = w->returns ? NULL : memchr(w->text + w->at, '\n', w->len - w->at);

		if (!w->returns)
			w->at = stop ? (size_t)(stop - w->text) : w->len;
		if (w->at == w->len)
			break;
		if (w->text[w->at] == '\n' || w->text[w->at] == '\r')
			advance(w);
		else
			w->at++;
	}
	while (w->at < w->len && w->place.line == to.line && w->place.character < to.character)
		advance(w);
	return w->place.line == to.line && w->place.character == to.character ? 0 : -EBADMSG;
}

int cuv_lsp_apply(struct cuv_json edits, const char *text, size_t len, struct cuv_buf *ret)
{
	struct walk w = {.text = text, .len = len, .returns = memchr(text, '\r', len) != NULL};
	struct cuv_json edit = {.len = 0};
	size_t n;

	if (!cuv_json_is_array(edits))
		return -EBADMSG;
	for (n = 0; cuv_json_next(edits, &edit); n++) {
		const struct cuv_json with = cuv_json_member(edit, "newText");
		struct cuv_lsp_place start, end;
		size_t from = w.at;

		if (n == EDITS_MAX || !cuv_json_is_string(with) || !cuv_lsp_range(edit, &start, &end) ||
		    walk_to(&w, start) < 0)
			return -EBADMSG;
		cuv_buf_add(ret, text + from, w.at - from);
		if (walk_to(&w, end) < 0)
			return -EBADMSG;
		cuv_json_add_text(ret, with);
	}
	cuv_buf_add(ret, text + w.at, len - w.at);
	return cuv_buf_err(ret);
}
