/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as a requirements file; behind each byte 0x1e comes the name of a file that
 * may be included, a line end, and its text. What is accepted must have a canonical form
 * that is safe to hand to a resolver and is its own canonical form; what is
 * refused must come with a code of this grammar and a readable message.
 */
#include "lib/base/utf8.h"
#include "nixenv/requirements.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_refusal(const struct cuv_error *err)
{
	cuv_assert(err->code == CUV_E_REQUIREMENT_INVALID || err->code == CUV_E_REQUIREMENT_UNSUPPORTED ||
		   err->code == CUV_E_REQUIREMENTS_ENCODING || err->code == CUV_E_TOO_LARGE ||
		   err->code == CUV_E_REQUIREMENTS_FILE_MISSING);
	cuv_assert(err->message[0] != '\0');
	cuv_assert(cuv_utf8_valid(err->message, strlen(err->message)));
	cuv_assert(cuv_utf8_valid(err->excerpt, strlen(err->excerpt)));
	cuv_assert(!err->line == !err->column);
	cuv_assert(err->line || err->code == CUV_E_TOO_LARGE || err->code == CUV_E_REQUIREMENTS_ENCODING);
}

static bool is_hash_option(const char *word)
{
	return strncmp(word, "--hash=sha256:", 14) == 0 || strncmp(word, "--hash=sha384:", 14) == 0 ||
	       strncmp(word, "--hash=sha512:", 14) == 0;
}

/* The one address that a line may have; how long it is. */
static size_t check_address(const char *at, size_t len)
{
	size_t git = strncmp(at, "git+", 4) == 0 ? 4 : 0, n, host;

	cuv_assert(len > git + 8 && strncmp(at + git, "https://", 8) == 0);
	for (n = git + 8; n < len && at[n] != ' '; n++)
		cuv_assert(!strchr("\"'$;<>^`{|}?[]\\", at[n]));
	host = strcspn(at + git + 8, "/ \n");
	cuv_assert(host > 0 && !memchr(at + git + 8, '@', host) && git + 8 + host < n);
	return n;
}

/* The last lines may name indexes, by an address without credentials and variables. */
static bool check_index(const char *line, size_t len)
{
	static const char *const options[] = {"--index-url http", "--extra-index-url http"};

	for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
		size_t n = strlen(options[i]), host;

		if (len <= n + 3 || strncmp(line, options[i], n) != 0)
			continue;
		n += line[n] == 's';
		cuv_assert(strncmp(line + n, "://", 3) == 0);
		n += 3;
		host = strcspn(line + n, "/\n");
		cuv_assert(host > 0 && !memchr(line + n, '@', CUV_MIN(host, len - n)) && line[len - 1] != '/');
		for (; n < len; n++)
			cuv_assert(line[n] > ' ' && line[n] <= '~' && !strchr("\"$#<>?[\\]^`{|}", line[n]));
		return true;
	}
	return false;
}

/* Nothing that a resolver could take for an option, a URL, a path, a variable, a
 * comment or a continuation. */
static void check_line(const char *line, size_t len)
{
	char quote = '\0';
	bool in_hash = false;

	cuv_assert(len > 0 && ((line[0] >= 'a' && line[0] <= 'z') || (line[0] >= '0' && line[0] <= '9')));
	for (size_t i = 0; i < len; i++) {
		char c = line[i];

		if (!quote && !in_hash && strncmp(line + i, " @ ", 3) == 0) {
			i += 2 + check_address(line + i + 3, len - i - 3);
			continue;
		}
		cuv_assert(c >= ' ' && c <= '~' && c != '\\' && c != '$');
		if (i && line[i - 1] == ' ') {
			cuv_assert(c != '#');
			in_hash = !quote && is_hash_option(line + i);
			cuv_assert(c != '-' || in_hash);
		}
		if (c == '"' || c == '\'') {
			if (!quote)
				quote = c;
			else if (quote == c)
				quote = '\0';
		} else if (!quote) {
			cuv_assert(c != '@' && c != '/' && c != '#' && (c != ':' || in_hash));
		}
	}
	cuv_assert(!quote && line[len - 1] != ' ');
}

static void check_canonical(const char *text)
{
	static const char word[] = "--constraint ";
	const char *end, *last = NULL;
	bool constraints = false, indexes = false;

	for (; (end = strchr(text, '\n')); text = end + 1) {
		/* They are the last ones. */
		cuv_assert(!indexes || check_index(text, (size_t)(end - text)));
		indexes = indexes || check_index(text, (size_t)(end - text));
		if (indexes)
			continue;
		if (strncmp(text, word, strlen(word)) == 0) {
			text += strlen(word);
			last = constraints ? last : NULL;
			constraints = true;
		} else {
			cuv_assert(!constraints);
		}
		check_line(text, (size_t)(end - text));
		/* Sorted as bytes, and no line twice. */
		cuv_assert(!last || strcmp(last, text) < 0);
		last = text;
	}
	cuv_assert(*text == '\0');
}

static void check_again(const struct cuv_requirements *first, const struct cuv_buf *text)
{
	_cleanup_(cuv_requirements_freep) struct cuv_requirements *r = NULL;
	_cleanup_buf_ struct cuv_buf again = CUV_BUF_INIT(CUV_REQUIREMENTS_BYTES_MAX);
	struct cuv_error err = CUV_ERROR_INIT;

	cuv_assert(cuv_requirements_parse_canonical(cuv_buf_str(text), text->len, &r, &err) == 0);
	cuv_assert(r->n == first->n && r->n_ignored == 0);
	cuv_assert(cuv_requirements_canonical(r, &again) == 0);
	cuv_assert(strcmp(cuv_buf_str(&again), cuv_buf_str(text)) == 0);
	for (size_t i = 0; i < r->n; i++) {
		cuv_assert(r->items[i].line == i + 1);
		cuv_assert(cuv_requirements_find(first, r->items[i].name) != NULL);
	}
}

/* Cuts the input into files; names are copied, for they need a NUL. */
static void split(const char *data, size_t size, struct cuv_requirements_files *ret, char names[][64])
{
	while (ret->n < CUV_REQUIREMENTS_FILES_MAX) {
		const char *end = size ? memchr(data, 0x1e, size) : NULL, *line;
		size_t len = end ? (size_t)(end - data) : size, name = 0;

		line = ret->n && len ? memchr(data, '\n', len) : NULL;
		if (line)
			name = (size_t)(line - data) < 63 ? (size_t)(line - data) : 63;
		memcpy(names[ret->n], data, name);
		names[ret->n][name] = '\0';
		if (ret->n == 0 || cuv_requirements_file_name_valid(names[ret->n])) {
			ret->items[ret->n] = (struct cuv_requirements_file){
				names[ret->n], line ? line + 1 : data, line ? len - (size_t)(line + 1 - data) : len};
			ret->n++;
		}
		if (!end)
			break;
		size -= len + 1;
		data = end + 1;
	}
}

static void check_lines(const struct cuv_requirements *r)
{
	cuv_assert(r->n_lines >= r->n + r->n_constraints);
	for (size_t i = 0; i < r->n_lines; i++) {
		const struct cuv_requirements_line *l = &r->lines[i];

		cuv_assert(l->file < r->files.n && l->number > 0 && cuv_utf8_valid(l->text, strlen(l->text)));
		cuv_assert(l->item < (l->constraint ? r->n_constraints : r->n));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(cuv_requirements_freep) struct cuv_requirements *r = NULL;
	_cleanup_buf_ struct cuv_buf text = CUV_BUF_INIT(CUV_REQUIREMENTS_BYTES_MAX);
	struct cuv_requirements_files files = {0};
	char names[CUV_REQUIREMENTS_FILES_MAX][64];
	struct cuv_error err = CUV_ERROR_INIT;

	split(size ? (const char *)data : "", size, &files, names);
	if (cuv_requirements_parse_files(&files, &r, &err)) {
		check_refusal(&err);
		return 0;
	}
	cuv_assert(cuv_requirements_canonical(r, &text) == 0);
	check_lines(r);
	check_canonical(cuv_buf_str(&text));
	check_again(r, &text);
	return 0;
}
