/* SPDX-License-Identifier: MIT */
/* What follows a `?`: names come once, names and values are text, and written in escapes
 * alone they are read as the same. */
#include "lib/base/buf.h"
#include "lib/base/utf8.h"
#include "manager/query.h"

#include "tests/fuzz/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct seen {
	struct cuv_buf text; /* each name, "=", each value, "&" */
	struct cuv_buf escaped;
	size_t n;
};

static void escape(struct cuv_buf *to, const char *text)
{
	for (; *text; text++)
		cuv_buf_addf(to, "%%%02x", (unsigned char)*text);
}

static int see(void *arg, const char *name, const char *value, struct cuv_error *err)
{
	struct seen *s = arg;

	(void)err;
	cuv_assert(strlen(name) < CUV_QUERY_VALUE_SIZE && strlen(value) < CUV_QUERY_VALUE_SIZE);
	cuv_assert(cuv_utf8_valid(name, strlen(name)) && cuv_utf8_valid(value, strlen(value)));
	cuv_assert(++s->n <= CUV_QUERY_FIELDS_MAX);
	cuv_buf_addf(&s->text, "%s=%s&", name, value);
	escape(&s->escaped, name);
	cuv_buf_add_str(&s->escaped, "=");
	escape(&s->escaped, value);
	cuv_buf_add_str(&s->escaped, "&");
	return 0;
}

static int read_all(const char *raw, struct seen *s, struct cuv_error *err)
{
	*s = (struct seen){.text = CUV_BUF_INIT(1u << 16), .escaped = CUV_BUF_INIT(1u << 16)};
	return cuv_query_each(raw, see, s, err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cuv_error err = CUV_ERROR_INIT;
	struct seen first, second = {.n = 0};
	char *raw = fuzz_text(data, size);

	if (read_all(raw, &first, &err) < 0) {
		cuv_assert(err.code == CUV_E_BAD_REQUEST || err.code == CUV_E_FIELD_DUPLICATE);
	} else if (first.escaped.len <= CUV_QUERY_BYTES_MAX) {
		cuv_assert(read_all(cuv_buf_str(&first.escaped), &second, &err) == 0 && first.n == second.n);
		cuv_assert(strcmp(cuv_buf_str(&first.text), cuv_buf_str(&second.text)) == 0);
	}
	cuv_buf_done(&first.text);
	cuv_buf_done(&first.escaped);
	cuv_buf_done(&second.text);
	cuv_buf_done(&second.escaped);
	free(raw);
	return 0;
}
