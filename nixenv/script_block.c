/* SPDX-License-Identifier: MIT */
#include "nixenv/script_block.h"

#include "nixenv/pep508_scan.h"
#include "nixenv/script.h"

#include <errno.h>
#include <string.h>

/* A line of the program, without its end. */
struct line {
	size_t at;
	size_t len;
	size_t next; /* where the next one begins */
};

static struct line line_from(const char *code, size_t len, size_t at)
{
	struct line l = {.at = at};
	size_t end = at;

	while (end < len && code[end] != '\n' && code[end] != '\r')
		end++;
	l.len = end - at;
	if (end < len && code[end] == '\r')
		end++;
	if (end < len && code[end] == '\n')
		end++;
	l.next = end;
	return l;
}

static bool is(const char *code, const struct line *l, const char *text)
{
	return l->len == strlen(text) && memcmp(code + l->at, text, l->len) == 0;
}

/* `# /// TYPE`; *ret_script is whether TYPE is script. */
static bool opens(const char *code, const struct line *l, bool *ret_script)
{
	static const char start[] = "# /// ";
	const size_t n = sizeof(start) - 1;

	if (l->len <= n || memcmp(code + l->at, start, n) != 0)
		return false;
	for (size_t i = n; i < l->len; i++)
		if (!cuv_is_alnum(code[l->at + i]) && code[l->at + i] != '-')
			return false;
	*ret_script = is(code, l, "# /// script");
	return true;
}

static bool is_content(const char *code, const struct line *l)
{
	return is(code, l, "#") || (l->len >= 2 && code[l->at] == '#' && code[l->at + 1] == ' ');
}

/* Where the closing line of the block that opens before `at` begins, and what comes
 * behind it. False when there is none; then *ret_next is behind the comment lines, of
 * which none can open a block that is closed. At least one line stands between. */
static bool find_end(const char *code, size_t len, size_t at, size_t *ret_end, size_t *ret_next)
{
	bool found = false, first = true;

	while (at < len) {
		struct line l = line_from(code, len, at);

		if (!is_content(code, &l))
			break;
		if (!first && is(code, &l, "# ///")) {
			*ret_end = l.at;
			*ret_next = l.next;
			found = true;
		}
		first = false;
		at = l.next;
	}
	if (!found)
		*ret_next = at;
	return found;
}

/* Takes the comment signs off. */
static int take_out(const char *code, size_t start, size_t end, struct cuv_script_block *ret)
{
	size_t n = 0;

	for (size_t at = start; at < end; n++)
		at = line_from(code, end, at).next;
	ret->lines = calloc(n ? n : 1, sizeof(ret->lines[0]));
	if (!ret->lines)
		return -ENOMEM;
	cuv_buf_init(&ret->toml, CUV_SCRIPT_BYTES_MAX + 1);
	for (size_t at = start; at < end;) {
		struct line l = line_from(code, end, at);
		size_t sign = l.len > 1 ? 2 : 1;

		ret->lines[ret->n++] = (struct cuv_script_line){ret->toml.len, l.at + sign};
		cuv_buf_add(&ret->toml, code + l.at + sign, l.len - sign);
		cuv_buf_add_char(&ret->toml, '\n');
		at = l.next;
	}
	return cuv_buf_err(&ret->toml) < 0 ? -ENOMEM : 1;
}

static int refuse(size_t at, const char *reason, size_t *ret_at, const char **ret_reason)
{
	*ret_at = at;
	*ret_reason = reason;
	return -EINVAL;
}

int cuv_script_block_find(const char *code, size_t len, struct cuv_script_block *ret, size_t *ret_at,
			  const char **ret_reason)
{
	size_t at = 0, start = 0, end = 0, stop, next;
	bool found = false, script;

	while (at < len) {
		struct line l = line_from(code, len, at);

		bool closed;

		at = l.next;
		if (!opens(code, &l, &script))
			continue;
		closed = find_end(code, len, l.next, &stop, &next);
		at = next;
		if (!closed || !script)
			continue;
		if (found)
			return refuse(l.at, "this is a second header; a script has one", ret_at, ret_reason);
		found = true;
		start = l.next;
		end = stop;
	}
	if (!found)
		return 0;
	if (end - start > CUV_SCRIPT_BYTES_MAX)
		return refuse(start, "the script's header is larger than 64 KiB", ret_at, ret_reason);
	return take_out(code, start, end, ret);
}

void cuv_script_block_done(struct cuv_script_block *b)
{
	cuv_buf_done(&b->toml);
	free(b->lines);
	*b = (struct cuv_script_block){0};
}

size_t cuv_script_block_place(const struct cuv_script_block *b, size_t at)
{
	size_t i = b->n;

	cuv_assert(i > 0);
	while (i > 1 && b->lines[i - 1].at > at)
		i--;
	return b->lines[i - 1].code_at + (at - b->lines[i - 1].at);
}
