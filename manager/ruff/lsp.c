/* SPDX-License-Identifier: MIT */
#include "manager/ruff/lsp.h"

#include "lib/base/parse.h"
#include "manager/ruff/lint.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* The box's work folder. The folder is a workspace, because settings are then
 * made once and not for each document; the file never exists. */
#define FOLDER "file:///box"
#define URI FOLDER "/main.py"
#define LENGTH_NAME "Content-Length:"
#define HEADER_END "\r\n\r\n"
#define EDITS_MAX 1000
#define HELP "\n\nhelp: " /* begins what ruff check does not say */

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

int cuv_lsp_next(struct cuv_lsp_reader *r, json_t **ret)
{
	const char *text = cuv_buf_str(&r->in) + r->at, *end;
	const size_t have = r->in.len - r->at;
	uint64_t length;
	size_t head;
	json_t *m;

	end = memmem(text, CUV_MIN(have, (size_t)CUV_LSP_HEADER_MAX), HEADER_END, strlen(HEADER_END));
	if (!end)
		return have >= CUV_LSP_HEADER_MAX ? -EBADMSG : 0;
	head = (size_t)(end - text) + strlen(HEADER_END);
	if (read_headers(text, head, &length) < 0)
		return -EBADMSG;
	if (have - head < length)
		return 0;
	m = json_loadb(text + head, length, 0, NULL);
	if (!json_is_object(m)) {
		json_decref(m);
		return -EBADMSG;
	}
	r->at += head + length;
	*ret = m;
	return 1;
}

/* Takes the message over; NULL is one that there was no memory for. */
static int put(struct cuv_buf *out, json_t *message)
{
	char *text = NULL;
	int r = -ENOMEM;

	if (message && json_object_set_new(message, "jsonrpc", json_string("2.0")) == 0)
		text = json_dumps(message, JSON_COMPACT);
	if (text)
		r = cuv_buf_addf(out, "Content-Length: %zu\r\n\r\n", strlen(text));
	if (r == 0)
		r = cuv_buf_add_str(out, text);
	free(text);
	json_decref(message);
	return r;
}

/* --- what we say --- */

/* The same settings as cuv_lint_run gives to ruff check and ruff format for the default Python. */
int cuv_lsp_put_hello(struct cuv_buf *out)
{
	char target[CUV_LINT_TARGET_SIZE];

	cuv_lint_target(NULL, cuv_pythons, target);
	json_t *settings = json_pack("{s:s, s:s, s:{s:s}}", "configurationPreference", "editorOnly", "logLevel",
				     "error", "configuration", "target-version", target);
	json_t *capabilities = json_pack("{s:{s:[s]}, s:{s:{}}}", "general", "positionEncodings", "utf-32",
					 "textDocument", "diagnostic");

	return put(out, json_pack("{s:i, s:s, s:{s:n, s:o, s:[{s:s, s:s}], s:{s:o}}}", "id", CUV_LSP_HELLO_ID, "method",
				  "initialize", "params", "processId", "capabilities", capabilities, "workspaceFolders",
				  "uri", FOLDER, "name", "box", "initializationOptions", "settings", settings));
}

bool cuv_lsp_hello_is_good(const json_t *answer)
{
	const json_t *can = json_object_get(json_object_get(answer, "result"), "capabilities");
	const char *encoding = json_string_value(json_object_get(can, "positionEncoding"));

	return encoding && strcmp(encoding, "utf-32") == 0;
}

int cuv_lsp_put_ready(struct cuv_buf *out)
{
	return put(out, json_pack("{s:s, s:{}}", "method", "initialized", "params"));
}

static int put_request(struct cuv_buf *out, json_int_t id, const char *method)
{
	return put(out, json_pack("{s:I, s:s, s:{s:{s:s}, s:{s:i, s:b}}}", "id", id, "method", method, "params",
				  "textDocument", "uri", URI, "options", "tabSize", 4, "insertSpaces", true));
}

int cuv_lsp_put_document(struct cuv_buf *out, json_int_t id, const char *prefix, const char *text, size_t len)
{
	json_t *document = json_pack("{s:s, s:s, s:I, s:s+%}", "uri", URI, "languageId", "python", "version", id,
				     "text", prefix, text, len);
	int r = document ? put(out, json_pack("{s:s, s:{s:o}}", "method", "textDocument/didOpen", "params",
					      "textDocument", document))
			 : -ENOMEM;

	if (r == 0 && !*prefix)
		r = put_request(out, id, "textDocument/diagnostic");
	if (r == 0)
		r = put_request(out, id + 1, "textDocument/formatting");
	if (r == 0)
		r = put(out, json_pack("{s:s, s:{s:{s:s}}}", "method", "textDocument/didClose", "params",
				       "textDocument", "uri", URI));
	return r;
}

/* --- what it answers --- */

bool cuv_lsp_answers(const json_t *message, json_int_t id)
{
	const json_t *its = json_object_get(message, "id");

	return json_is_integer(its) && json_integer_value(its) == id && !json_object_get(message, "method");
}

struct place {
	json_int_t line, character; /* from 0; UTF-32 */
};

static bool get_place(const json_t *position, struct place *ret)
{
	const json_t *line = json_object_get(position, "line"), *character = json_object_get(position, "character");

	*ret = (struct place){json_integer_value(line), json_integer_value(character)};
	return json_is_integer(line) && json_is_integer(character) && ret->line >= 0 && ret->character >= 0 &&
	       ret->line < INT32_MAX && ret->character < INT32_MAX;
}

static bool get_range(const json_t *item, struct place *ret_start, struct place *ret_end)
{
	const json_t *range = json_object_get(item, "range");

	return get_place(json_object_get(range, "start"), ret_start) &&
	       get_place(json_object_get(range, "end"), ret_end);
}

/* NULL when it is not a text edit. */
static json_t *map_edit(json_t *edit)
{
	json_t *text = json_object_get(edit, "newText");
	struct place start, end;

	if (!json_is_string(text) || !get_range(edit, &start, &end))
		return NULL;
	return json_pack("{s:O, s:I, s:I, s:I, s:I}", "content", text, "row", start.line + 1, "column",
			 start.character + 1, "end_row", end.line + 1, "end_column", end.character + 1);
}

/* What can't be fixed has no edits. NULL when it is not well-formed. */
static json_t *map_fix(json_t *data)
{
	json_t *from = json_object_get(data, "edits"), *title = json_object_get(data, "title"), *edits, *edit;
	size_t i;

	if (json_array_size(from) == 0)
		return json_null();
	edits = json_array();
	json_array_foreach(from, i, edit) if (json_array_append_new(edits, map_edit(edit)) < 0)
	{
		json_decref(edits);
		return NULL;
	}
	return json_pack("{s:o, s:o}", "message", json_is_string(title) ? json_incref(title) : json_null(), "edits",
			 edits);
}

static json_t *map_item(json_t *item)
{
	const char *message = json_string_value(json_object_get(item, "message"));
	json_t *code = json_object_get(item, "code"), *fix = map_fix(json_object_get(item, "data"));
	json_t *url = json_object_get(json_object_get(item, "codeDescription"), "href");
	const char *help = message ? strstr(message, HELP) : NULL;
	struct place start, end;

	if (!message || !fix || !json_is_string(code) || !get_range(item, &start, &end)) {
		json_decref(fix);
		return NULL;
	}
	return json_pack("{s:O, s:s%, s:I, s:I, s:I, s:I, s:o, s:o}", "code", code, "message", message,
			 help ? (size_t)(help - message) : strlen(message), "row", start.line + 1, "column",
			 start.character + 1, "end_row", end.line + 1, "end_column", end.character + 1, "url",
			 json_is_string(url) ? json_incref(url) : json_null(), "fix", fix);
}

json_t *cuv_lsp_warnings(const json_t *result, bool *ret_syntax)
{
	json_t *items = json_object_get(result, "items"), *list, *item;
	bool syntax = false;
	size_t i;

	if (!json_is_array(items))
		return NULL;
	list = json_array();
	json_array_foreach(items, i, item)
	{
		if (json_array_append_new(list, map_item(item)) < 0) {
			json_decref(list);
			return NULL;
		}
		syntax = syntax || strcmp(json_string_value(json_object_get(item, "code")), CUV_LINT_SYNTAX) == 0;
	}
	*ret_syntax = syntax;
	return cuv_lint_sorted(list);
}

/* --- edits --- */

/* A walk through a text, by ruff's idea of lines. */
struct walk {
	const char *text;
	size_t len, at;
	struct place place;
};

static void advance(struct walk *w)
{
	const char c = w->text[w->at];
	const bool line = c == '\n' || (c == '\r' && !(w->at + 1 < w->len && w->text[w->at + 1] == '\n'));

	w->at++;
	while (w->at < w->len && ((unsigned char)w->text[w->at] & 0xc0) == 0x80)
		w->at++;
	w->place = line ? (struct place){w->place.line + 1, 0} : (struct place){w->place.line, w->place.character + 1};
}

/* Goes on to a place, which must be one of the text and not behind us. */
static int walk_to(struct walk *w, struct place to)
{
	while (w->at < w->len &&
	       (w->place.line < to.line || (w->place.line == to.line && w->place.character < to.character)))
		advance(w);
	return w->place.line == to.line && w->place.character == to.character ? 0 : -EBADMSG;
}

int cuv_lsp_apply(const json_t *result, const char *text, size_t len, struct cuv_buf *ret)
{
	struct walk w = {.text = text, .len = len};
	json_t *edit;
	size_t i;

	if (!json_is_array(result) || json_array_size(result) > EDITS_MAX)
		return -EBADMSG;
	json_array_foreach(result, i, edit)
	{
		json_t *with = json_object_get(edit, "newText");
		struct place start, end;
		size_t from = w.at;

		if (!json_is_string(with) || !get_range(edit, &start, &end) || walk_to(&w, start) < 0)
			return -EBADMSG;
		cuv_buf_add(ret, text + from, w.at - from);
		if (walk_to(&w, end) < 0)
			return -EBADMSG;
		cuv_buf_add(ret, json_string_value(with), json_string_length(with));
	}
	cuv_buf_add(ret, text + w.at, len - w.at);
	return cuv_buf_err(ret);
}
