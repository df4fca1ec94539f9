/* SPDX-License-Identifier: MIT */
#include "nixenv/toml.h"

#include "lib/base/buf.h"
#include "lib/base/utf8.h"

#include <errno.h>
#include <string.h>

#define KEY_MAX 256
#define STRING_MAX 65536

struct parser {
	const char *at;
	const char *end;
	uint32_t line;
	const char *reason; /* of the first error */
	bool no_memory;
};

static int fail(struct parser *p, const char *reason)
{
	if (!p->reason)
		p->reason = reason;
	return -EINVAL;
}

static json_t *value(struct parser *p, int depth);

static char peek(const struct parser *p)
{
	return p->at < p->end ? *p->at : '\0';
}

static bool accept(struct parser *p, char c)
{
	if (p->at >= p->end || *p->at != c)
		return false;
	p->at++;
	return true;
}

static void skip_blanks(struct parser *p)
{
	while (p->at < p->end && (*p->at == ' ' || *p->at == '\t'))
		p->at++;
}

static void skip_comment(struct parser *p)
{
	if (peek(p) == '#')
		while (p->at < p->end && *p->at != '\n')
			p->at++;
}

/* Blanks, comments and line ends. */
static void skip_lines(struct parser *p)
{
	for (;;) {
		skip_blanks(p);
		skip_comment(p);
		if (p->at + 1 < p->end && p->at[0] == '\r' && p->at[1] == '\n')
			p->at++;
		if (!accept(p, '\n'))
			return;
		p->line++;
	}
}

static bool is_bare(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

/* --- strings --- */

static int escape_hex(struct parser *p, int digits, struct cuv_buf *out)
{
	uint32_t cp = 0;
	char bytes[4];

	for (int i = 0; i < digits; i++) {
		char c = peek(p);

		if (c >= '0' && c <= '9')
			cp = cp * 16 + (uint32_t)(c - '0');
		else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
			cp = cp * 16 + (uint32_t)((c | 0x20) - 'a' + 10);
		else
			return fail(p, "an escape with too few digits");
		p->at++;
	}
	if (cp == 0 || cp > 0x10ffff || (cp >= 0xd800 && cp < 0xe000))
		return fail(p, "an escape that is no character");
	return cuv_buf_add(out, bytes, cuv_utf8_encode(cp, bytes));
}

static int escape(struct parser *p, struct cuv_buf *out)
{
	static const char from[] = "btnfre\"\\", to[] = "\b\t\n\f\r\033\"\\";
	char c = peek(p);
	const char *found = c ? strchr(from, c) : NULL;

	if (p->at < p->end)
		p->at++;
	if (c == 'u')
		return escape_hex(p, 4, out);
	if (c == 'U')
		return escape_hex(p, 8, out);
	if (!found)
		return fail(p, "an unknown escape");
	return cuv_buf_add_char(out, to[found - from]);
}

/* After the opening quote, which is also the closing one. */
static int string(struct parser *p, char quote, struct cuv_buf *out)
{
	while (!accept(p, quote)) {
		size_t n = cuv_utf8_char_len(p->at, (size_t)(p->end - p->at));
		int r;

		if (n == 0)
			return fail(p, p->at < p->end ? "a string that is not UTF-8" : "a string without end");
		if (n == 1 && ((unsigned char)*p->at < 0x20 || *p->at == 0x7f) && *p->at != '\t')
			return fail(p, "a control character in a string");
		if (*p->at == '\\' && quote == '"') {
			p->at++;
			r = escape(p, out);
		} else {
			r = cuv_buf_add(out, p->at, n);
			p->at += n;
		}
		if (r < 0)
			return r == -EINVAL ? r : fail(p, "a string that is too long");
	}
	return 0;
}

static json_t *string_value(struct parser *p, char quote)
{
	_cleanup_buf_ struct cuv_buf text = CUV_BUF_INIT(STRING_MAX);
	json_t *j;

	p->at++;
	if (peek(p) == quote && p->at + 1 < p->end && p->at[1] == quote) {
		fail(p, "a multi-line string");
		return NULL;
	}
	if (string(p, quote, &text) < 0)
		return NULL;
	j = json_stringn(cuv_buf_str(&text), text.len);
	p->no_memory |= !j;
	return j;
}

static int key(struct parser *p, struct cuv_buf *out)
{
	char c = peek(p);

	if (c == '"' || c == '\'') {
		p->at++;
		if (string(p, c, out) < 0)
			return -EINVAL;
	} else {
		while (is_bare(peek(p)))
			cuv_buf_add_char(out, *p->at++);
		if (out->len == 0)
			return fail(p, "a key is missing");
	}
	if (cuv_buf_err(out))
		return fail(p, "a key that is too long");
	skip_blanks(p);
	return peek(p) == '.' ? fail(p, "a dotted key") : 0;
}

/* --- values --- */

/* Numbers, booleans and dates: what stands there up to a delimiter. */
static json_t *bare_value(struct parser *p)
{
	const char *start = p->at;
	char word[64];
	size_t len;
	json_t *j = NULL;

	while (p->at < p->end && (is_bare(*p->at) || strchr(":+.", *p->at)))
		p->at++;
	/* A date may be parted from its time by one blank. */
	if (p->at - start == 10 && start[4] == '-' && p->end - p->at > 3 && p->at[0] == ' ' && p->at[1] >= '0' &&
	    p->at[1] <= '2' && p->at[3] == ':')
		for (p->at++; p->at < p->end && (is_bare(*p->at) || strchr(":+.", *p->at));)
			p->at++;
	len = (size_t)(p->at - start);
	if (len == 0 || len >= sizeof(word)) {
		fail(p, "a value is missing or too long");
		return NULL;
	}
	memcpy(word, start, len);
	word[len] = '\0';
	if (strcmp(word, "true") == 0 || strcmp(word, "false") == 0) {
		j = json_boolean(word[0] == 't');
	} else if (strspn(word, "0123456789") == len && len <= 18 && (word[0] != '0' || len == 1)) {
		json_int_t n = 0;

		for (size_t i = 0; i < len; i++)
			n = n * 10 + (word[i] - '0');
		j = json_integer(n);
	} else if (len >= 8 && word[0] >= '0' && word[0] <= '9' && strspn(word, "0123456789-:.+TtZz ") == len &&
		   (word[2] == ':' || word[4] == '-')) {
		j = json_string(word);
	} else {
		fail(p, "a value of a kind that locks do not have");
		return NULL;
	}
	p->no_memory |= !j;
	return j;
}

static json_t *array(struct parser *p, int depth)
{
	json_t *a = json_array();

	p->at++;
	for (;;) {
		skip_lines(p);
		if (accept(p, ']'))
			return a;
		if (json_array_append_new(a, value(p, depth)) < 0)
			break;
		skip_lines(p);
		if (accept(p, ','))
			continue;
		if (peek(p) != ']') {
			fail(p, "an array without its ]");
			break;
		}
	}
	json_decref(a);
	return NULL;
}

/* key = value into table; the key must be new. */
static int pair(struct parser *p, json_t *table, int depth)
{
	_cleanup_buf_ struct cuv_buf name = CUV_BUF_INIT(KEY_MAX);
	json_t *j;

	if (key(p, &name) < 0)
		return -EINVAL;
	if (!accept(p, '='))
		return fail(p, "a key without =");
	skip_blanks(p);
	if (json_object_get(table, cuv_buf_str(&name)))
		return fail(p, "a key that stands twice");
	j = value(p, depth);
	if (!j)
		return -EINVAL;
	if (json_object_set_new(table, cuv_buf_str(&name), j) < 0) {
		p->no_memory = true;
		return -EINVAL;
	}
	return 0;
}

static json_t *inline_table(struct parser *p, int depth)
{
	json_t *table = json_object();

	p->at++;
	skip_blanks(p);
	if (table && accept(p, '}'))
		return table;
	while (table) {
		skip_blanks(p);
		if (pair(p, table, depth) < 0)
			break;
		skip_blanks(p);
		if (accept(p, '}'))
			return table;
		if (!accept(p, ',')) {
			fail(p, "an inline table without its }");
			break;
		}
	}
	json_decref(table);
	return NULL;
}

static json_t *value(struct parser *p, int depth)
{
	char c = peek(p);

	if (depth >= CUV_TOML_DEPTH_MAX) {
		fail(p, "values nested too deeply");
		return NULL;
	}
	if (c == '"' || c == '\'')
		return string_value(p, c);
	if (c == '[')
		return array(p, depth + 1);
	if (c == '{')
		return inline_table(p, depth + 1);
	return bare_value(p);
}

/* --- tables --- */

/* [name] or [[name]]; the table that the following pairs belong to. */
static int header(struct parser *p, json_t *root, json_t **ret_table)
{
	_cleanup_buf_ struct cuv_buf name = CUV_BUF_INIT(KEY_MAX);
	bool list = accept(p, '[');
	json_t *parent, *table;
	int r;

	skip_blanks(p);
	if (key(p, &name) < 0)
		return -EINVAL;
	if (!accept(p, ']') || (list && !accept(p, ']')))
		return fail(p, "a table header without its ]");
	parent = json_object_get(root, cuv_buf_str(&name));
	if (parent && (!list || !json_is_array(parent)))
		return fail(p, "a table that stands twice");
	table = json_object();
	if (!list) {
		r = json_object_set_new(root, cuv_buf_str(&name), table);
	} else {
		if (!parent) {
			parent = json_array();
			if (json_object_set_new(root, cuv_buf_str(&name), parent) < 0)
				parent = NULL;
		}
		r = json_array_append_new(parent, table);
	}
	if (r < 0) {
		p->no_memory = true;
		return -EINVAL;
	}
	*ret_table = table;
	return 0;
}

static int document(struct parser *p, json_t *root)
{
	json_t *table = root;

	for (;;) {
		uint32_t line;
		int r;

		skip_lines(p);
		if (p->at >= p->end)
			return 0;
		r = accept(p, '[') ? header(p, root, &table) : pair(p, table, 0);
		if (r < 0)
			return r;
		line = p->line;
		skip_lines(p);
		if (p->at < p->end && p->line == line)
			return fail(p, "more after the end of a value");
	}
}

int cuv_toml_parse(const char *text, size_t len, json_t **ret, struct cuv_toml_error *err)
{
	struct parser p = {.at = text, .end = text + len, .line = 1};
	json_t *root;
	int r;

	if (len > CUV_TOML_BYTES_MAX) {
		r = fail(&p, "a file that is too long");
	} else {
		root = json_object();
		if (!root)
			return -ENOMEM;
		r = document(&p, root);
		if (r == 0) {
			*ret = root;
			return 0;
		}
		json_decref(root);
	}
	if (p.no_memory)
		return -ENOMEM;
	if (err)
		*err = (struct cuv_toml_error){.line = p.line,
					       .reason = p.reason ? p.reason : "a value that is not valid"};
	return r;
}
