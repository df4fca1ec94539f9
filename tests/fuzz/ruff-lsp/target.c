/* SPDX-License-Identifier: MIT */
/*
 * Input: what a server says. It is read whole, byte by byte, and in pieces of
 * changing size, which must give the same messages; each is then taken as every
 * kind of answer.
 */
#include "manager/ruff/lint.h"
#include "manager/ruff/lsp.h"

#include <jansson.h>
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

static void take(struct cuv_json m)
{
	_cleanup_buf_ struct cuv_buf text = CUV_BUF_INIT(TRANSCRIPT_MAX), list = CUV_BUF_INIT(TRANSCRIPT_MAX);
	const struct cuv_lsp_answer a = cuv_lsp_look(m);
	struct cuv_json none = {.len = 0};
	bool syntax = false;

	cuv_assert(m.len >= 2 && *m.at == '{');
	(void)cuv_lsp_hello_is_good(a.result);
	if (cuv_lsp_warnings(a.result, false, &list, &syntax) == 0) {
		json_t *tree = json_loadb(cuv_buf_str(&list), list.len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);

		cuv_assert(json_is_array(tree));
		check_warnings(tree, syntax);
		json_decref(tree);
	}
	if (cuv_lsp_apply(a.result, TEXT, sizeof(TEXT) - 1, &text) == 0 && !cuv_json_next(a.result, &none))
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
		struct cuv_json m;

		if (n == 0) {
			seed = seed * 1103515245 + data[at] + 12345;
			n = 1 + (seed >> 16) % 61;
		}
		n = CUV_MIN(n, size - at);
		r = cuv_lsp_push(&reader, data + at, n);
		at += n;
		while (r == 0 && (r = cuv_lsp_next(&reader, &m)) == 1) {
			cuv_buf_add(out, m.at, m.len);
			take(m);
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
