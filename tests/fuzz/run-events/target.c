/* SPDX-License-Identifier: MIT */
/*
 * Input: a line, which is taken for a Last-Event-ID; then pieces of output, each with a
 * byte in front of it: bit 7 is the stream, bit 6 asks for the events so far, the rest is the
 * length. However it came and was asked for, the events' texts are those of the whole.
 */
#include "lib/base/utf8.h"
#include "manager/runs/events.h"

#include "tests/fuzz/text.h"

#include <stdlib.h>
#include <string.h>

#define EPOCH 0x12ab34cdu
#define INPUT_MAX 4096
#define TEXT_MAX (1u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct reader {
	uint64_t after;
	struct cuv_buf text[2]; /* of stdout, stderr */
	bool ended;
};

/* One block of the stream, without its empty line. */
static void take(struct reader *r, char *block)
{
	char *name = strstr(block, "event: "), *data = strstr(block, "\ndata: ");
	json_t *value;
	const char *text;

	if (block[0] == ':')
		return;
	cuv_assert(strncmp(block, "id: 12ab34cd-", 13) == 0 && name && data);
	value = json_loads(data + 7, JSON_ALLOW_NUL, NULL);
	cuv_assert(value && !r->ended);
	r->ended = strncmp(name + 7, "end\n", 4) == 0;
	text = json_string_value(json_object_get(value, "data"));
	cuv_assert(r->ended || text);
	if (text)
		cuv_assert(cuv_buf_add(&r->text[strncmp(name + 7, "stderr", 6) == 0], text,
				       json_string_length(json_object_get(value, "data"))) == 0);
	json_decref(value);
}

static void ask(struct cuv_run_events *e, struct reader *r)
{
	_cleanup_buf_ struct cuv_buf out = CUV_BUF_INIT(CUV_RUN_EVENTS_ROOM);
	char *block, *end;

	do {
		cuv_buf_reset(&out);
		r->after = cuv_run_events_read(e, r->after, EPOCH, &out);
		cuv_assert(cuv_buf_err(&out) == 0);
		for (block = out.data; out.len && (end = strstr(block, "\n\n")); block = end + 2) {
			*end = '\0';
			take(r, block);
		}
	} while (cuv_run_events_has_after(e, r->after));
}

static void check(const struct cuv_buf *raw, const struct cuv_buf *text)
{
	_cleanup_buf_ struct cuv_buf clean = CUV_BUF_INIT(TEXT_MAX);

	cuv_assert(cuv_utf8_add_replaced(&clean, cuv_buf_str(raw), raw->len) == 0);
	cuv_assert(clean.len == text->len && memcmp(cuv_buf_str(&clean), cuv_buf_str(text), clean.len) == 0);
}

static void feed(const uint8_t *data, size_t size)
{
	struct reader r = {.text = {CUV_BUF_INIT(TEXT_MAX), CUV_BUF_INIT(TEXT_MAX)}};
	struct cuv_buf raw[2] = {CUV_BUF_INIT(TEXT_MAX), CUV_BUF_INIT(TEXT_MAX)};
	struct cuv_run_events e;

	cuv_run_events_init(&e);
	while (size > 0) {
		const uint8_t head = *data++;
		const size_t len = CUV_MIN((size_t)(head & 0x3f), size - 1);
		const int stream = head >> 7;

		cuv_run_events_output(&e, stream ? CUV_STREAM_STDERR : CUV_STREAM_STDOUT, -1, data, len);
		cuv_buf_add(&raw[stream], data, len);
		if (head & 0x40)
			ask(&e, &r);
		data += len;
		size -= len + 1;
	}
	cuv_run_events_end(&e, json_object());
	ask(&e, &r);
	cuv_assert(r.ended);
	for (int i = 0; i < 2; i++) {
		check(&raw[i], &r.text[i]);
		cuv_buf_done(&raw[i]);
		cuv_buf_done(&r.text[i]);
	}
	cuv_run_events_done(&e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *line = size ? memchr(data, '\n', size) : NULL;
	const size_t len = line ? (size_t)(line - data) : 0;
	_cleanup_free_ char *id = fuzz_text(data, len);

	(void)cuv_run_events_after(id, EPOCH);
	if (size <= INPUT_MAX)
		feed(data + len, size - len);
	return 0;
}
