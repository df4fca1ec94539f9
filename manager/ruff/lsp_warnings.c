/* SPDX-License-Identifier: MIT */
#include "manager/json_write.h"
#include "manager/ruff/lint.h"
#include "manager/ruff/lsp.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define HELP "\n\nhelp: " /* begins what ruff check does not say */
#define TEXTS_MAX (8 * (size_t)CUV_LSP_MESSAGE_MAX)

struct warning {
	struct cuv_lsp_place start, end;
	size_t code, message; /* where they begin in the texts */
	struct cuv_json url, data;
};

struct list {
	struct warning *items;
	size_t n, room;
	struct cuv_buf texts; /* codes and messages, each with a NUL behind it */
};

static bool has_edits(struct cuv_json data)
{
	struct cuv_json edits = cuv_json_member(data, "edits"), edit = {.len = 0};

	return cuv_json_next(edits, &edit);
}

/* What can't be fixed has no edits. */
static bool is_fix(struct cuv_json data)
{
	struct cuv_json edits = cuv_json_member(data, "edits"), edit = {.len = 0};
	struct cuv_lsp_place start, end;

	while (cuv_json_next(edits, &edit))
		if (!cuv_json_is_string(cuv_json_member(edit, "newText")) || !cuv_lsp_range(edit, &start, &end))
			return false;
	return true;
}

/* Where it is in the texts; it is cut at what may not be said. */
static size_t add_text(struct list *l, struct cuv_json string, const char *cut)
{
	const size_t at = l->texts.len;
	const char *found;

	if (cuv_json_add_text(&l->texts, string) == 0 && l->texts.len > at) {
		found = cut ? strstr(l->texts.data + at, cut) : NULL;
		l->texts.len = found ? (size_t)(found - l->texts.data) : l->texts.len;
	}
	cuv_buf_add(&l->texts, "", 1);
	return at;
}

static int make_room(struct list *l)
{
	const size_t room = l->room ? 2 * l->room : 32;
	struct warning *items;

	if (l->n < l->room)
		return 0;
	items = reallocarray(l->items, room, sizeof(*items));
	if (!items)
		return -ENOMEM;
	l->items = items;
	l->room = room;
	return 0;
}

static int add_item(struct list *l, struct cuv_json item)
{
	const struct cuv_json code = cuv_json_member(item, "code"), message = cuv_json_member(item, "message");
	struct warning w = {.url = cuv_json_member(cuv_json_member(item, "codeDescription"), "href"),
			    .data = cuv_json_member(item, "data")};

	if (!cuv_json_is_string(code) || !cuv_json_is_string(message) || !cuv_lsp_range(item, &w.start, &w.end) ||
	    !is_fix(w.data))
		return -EBADMSG;
	if (make_room(l) < 0)
		return -ENOMEM;
	w.code = add_text(l, code, NULL);
	w.message = add_text(l, message, HELP);
	l->items[l->n++] = w;
	return cuv_buf_err(&l->texts);
}

/* The order of cuv_lint_sorted. */
static int compare(const void *a, const void *b, void *texts)
{
	const struct warning *x = a, *y = b;
	const char *t = texts;
	int r;

	if (x->start.line != y->start.line)
		return x->start.line < y->start.line ? -1 : 1;
	if (x->start.character != y->start.character)
		return x->start.character < y->start.character ? -1 : 1;
	r = strcmp(t + x->code, t + y->code);
	return r ? r : strcmp(t + x->message, t + y->message);
}

/* --- as ours --- */

static void put_range(struct cuv_buf *b, const struct cuv_lsp_place *start, const struct cuv_lsp_place *end)
{
	cuv_buf_addf(b, ",\"row\":%" PRIu64 ",\"column\":%" PRIu64 ",\"end_row\":%" PRIu64 ",\"end_column\":%" PRIu64,
		     start->line + 1, start->character + 1, end->line + 1, end->character + 1);
}

/* A string as it is; it is valid JSON. */
static void put_or_null(struct cuv_buf *b, struct cuv_json v)
{
	if (cuv_json_is_string(v))
		cuv_buf_add(b, v.at, v.len);
	else
		cuv_buf_add_str(b, "null");
}

static void put_fix(struct cuv_buf *b, struct cuv_json data)
{
	struct cuv_json edits = cuv_json_member(data, "edits"), edit = {.len = 0};
	const char *separator = "";

	if (!has_edits(data)) {
		cuv_buf_add_str(b, "null");
		return;
	}
	cuv_buf_add_str(b, "{\"message\":");
	put_or_null(b, cuv_json_member(data, "title"));
	cuv_buf_add_str(b, ",\"edits\":[");
	while (cuv_json_next(edits, &edit)) {
		struct cuv_lsp_place start, end;

		(void)cuv_lsp_range(edit, &start, &end);
		cuv_buf_addf(b, "%s{\"content\":", separator);
		put_or_null(b, cuv_json_member(edit, "newText"));
		put_range(b, &start, &end);
		cuv_buf_add_char(b, '}');
		separator = ",";
	}
	cuv_buf_add_str(b, "]}");
}

static void put_warning(struct cuv_buf *b, const struct warning *w, const char *texts)
{
	const char *code = texts + w->code, *message = texts + w->message;

	cuv_buf_add_str(b, "{\"code\":");
	cuv_json_add_string(b, code, strlen(code));
	cuv_buf_add_str(b, ",\"message\":");
	cuv_json_add_string(b, message, strlen(message));
	put_range(b, &w->start, &w->end);
	cuv_buf_add_str(b, ",\"url\":");
	put_or_null(b, w->url);
	cuv_buf_add_str(b, ",\"fix\":");
	put_fix(b, w->data);
	cuv_buf_add_char(b, '}');
}

static int put_list(struct list *l, bool syntax_only, struct cuv_buf *ret, bool *ret_syntax)
{
	const char *texts = cuv_buf_str(&l->texts);
	const size_t first = ret->len + 1;
	size_t i;

	*ret_syntax = false;
	if (l->n > 0)
		qsort_r(l->items, l->n, sizeof(*l->items), compare, l->texts.data);
	cuv_buf_add_char(ret, '[');
	for (i = 0; i < CUV_MIN(l->n, (size_t)CUV_LINT_WARNINGS_MAX); i++) {
		const bool syntax = strcmp(texts + l->items[i].code, CUV_LINT_SYNTAX) == 0;

		if (syntax_only && (!syntax || *ret_syntax))
			continue;
		*ret_syntax |= syntax;
		if (ret->len > first)
			cuv_buf_add_char(ret, ',');
		put_warning(ret, &l->items[i], texts);
	}
	return cuv_buf_add_char(ret, ']');
}

int cuv_lsp_warnings(struct cuv_json diagnostics, bool syntax_only, struct cuv_buf *ret, bool *ret_syntax)
{
	struct list l = {.texts = CUV_BUF_INIT(TEXTS_MAX)};
	struct cuv_json item = {.len = 0};
	int r = cuv_json_is_array(diagnostics) ? 0 : -EBADMSG;

	while (r == 0 && cuv_json_next(diagnostics, &item))
		r = add_item(&l, item);
	if (r == 0)
		r = put_list(&l, syntax_only, ret, ret_syntax);
	cuv_buf_done(&l.texts);
	free(l.items);
	return r;
}
