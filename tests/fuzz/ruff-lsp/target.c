/* SPDX-License-Identifier: MIT */
/*
 * Input: what a server says. It is read whole, byte by byte, and in pieces of
 * changing size, which must give the same messages; each is then taken as every
 * kind of answer.
 */
#include "manager/ruff/lint.h"
#include "manager/ruff/lsp.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define TRANSCRIPT_MAX (4u << 20)
#define TEXT "import os\r\nx = '\xf0\x9f\x98\x80'; y=1\rz=2\n\xc3\xa9 = 3"

static void check_warnings(json_t *list, bool syntax)
{
	json_int_t row = 0, column = 0;
	bool found = false;
	json_t *w;
	size_t i;

	json_array_foreach(list, i, w)
	{
		const json_int_t r = json_integer_value(json_object_get(w, "row"));
		const json_int_t c = json_integer_value(json_object_get(w, "column"));
		const char *code = json_string_value(json_object_get(w, "code"));

		cuv_assert(code && json_object_size(w) == 8);
		cuv_assert(r > row || (r == row && c >= column));
		cuv_assert(strlen(json_string_value(json_object_get(w, "message"))) > 0 || r > 0);
		found = found || strcmp(code, CUV_LINT_SYNTAX) == 0;
		row = r;
		column = c;
	}
	cuv_assert(found == syntax || json_array_size(list) == CUV_LINT_WARNINGS_MAX);
}

static void take(json_t *m)
{
	_cleanup_buf_ struct cuv_buf text = CUV_BUF_INIT(TRANSCRIPT_MAX);
	const json_t *result = json_object_get(m, "result");
	bool syntax = false;
	json_t *list;

	cuv_assert(json_is_object(m));
	(void)cuv_lsp_hello_is_good(m);
	(void)cuv_lsp_answers(m, CUV_LSP_HELLO_ID);
	list = cuv_lsp_warnings(result, &syntax);
	if (list)
		check_warnings(list, syntax);
	json_decref(list);
	if (cuv_lsp_apply(result, TEXT, sizeof(TEXT) - 1, &text) == 0 && json_array_size(result) == 0)
		cuv_assert(text.len == sizeof(TEXT) - 1 && memcmp(text.data, TEXT, text.len) == 0);
}

/* step 0: pieces of changing size. */
static void transcribe(const uint8_t *data, size_t size, size_t step, struct cuv_buf *out)
{
	struct cuv_lsp_reader reader;
	size_t at = 0, seed = size;
	int r = 0;

	cuv_lsp_reader_init(&reader);
	while (r == 0 && at < size) {
		size_t n = step;
		json_t *m = NULL;

		if (n == 0) {
			seed = seed * 1103515245 + data[at] + 12345;
			n = 1 + (seed >> 16) % 61;
		}
		n = CUV_MIN(n, size - at);
		r = cuv_lsp_push(&reader, data + at, n);
		at += n;
		while (r == 0 && (r = cuv_lsp_next(&reader, &m)) == 1) {
			char *text = json_dumps(m, JSON_COMPACT | JSON_SORT_KEYS);

			cuv_buf_add_str(out, text ? text : "?");
			free(text);
			take(m);
			json_decref(m);
			r = 0;
		}
	}
	cuv_buf_addf(out, "[%d]", r);
	cuv_lsp_reader_done(&reader);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_buf_ struct cuv_buf whole = CUV_BUF_INIT(TRANSCRIPT_MAX), bytes = CUV_BUF_INIT(TRANSCRIPT_MAX),
				     pieces = CUV_BUF_INIT(TRANSCRIPT_MAX);

	if (size > 65536)
		return 0;
	transcribe(data, size, size ? size : 1, &whole);
	transcribe(data, size, 1, &bytes);
	transcribe(data, size, 0, &pieces);
	cuv_assert(whole.len == bytes.len && memcmp(cuv_buf_str(&whole), cuv_buf_str(&bytes), whole.len) == 0);
	cuv_assert(whole.len == pieces.len && memcmp(cuv_buf_str(&whole), cuv_buf_str(&pieces), whole.len) == 0);
	return 0;
}
