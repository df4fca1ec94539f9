/* SPDX-License-Identifier: MIT */
#include "manager/runs/events.h"

#include "lib/base/hash.h"
#include "lib/base/parse.h"
#include "lib/base/utf8.h"
#include "manager/artifacts.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_SIZE 16
#define EPOCH_DIGITS 8

struct cuv_run_event {
	struct cuv_run_event *next;
	uint64_t number;
	char name[NAME_SIZE];
	size_t len;
	char data[];
};

void cuv_run_events_init(struct cuv_run_events *e)
{
	*e = (struct cuv_run_events){.next = 1, .stream = CUV_STREAM_STDOUT, .number = -1};
	cuv_buf_init(&e->pending, CUV_RUN_EVENT_OUTPUT);
}

static void drop_first(struct cuv_run_events *e)
{
	struct cuv_run_event *first = e->first;

	e->first = first->next;
	if (!e->first)
		e->last = NULL;
	e->bytes -= first->len + CUV_RUN_EVENT_COST;
	free(first);
}

void cuv_run_events_trim(struct cuv_run_events *e, size_t max_bytes)
{
	while (e->first && e->bytes > max_bytes)
		drop_first(e);
}

void cuv_run_events_done(struct cuv_run_events *e)
{
	cuv_run_events_trim(e, 0);
	cuv_buf_done(&e->pending);
}

static void append(struct cuv_run_events *e, const char *name, json_t *data)
{
	const size_t len = data ? json_dumpb(data, NULL, 0, JSON_COMPACT) : 0;
	struct cuv_run_event *event = len ? malloc(sizeof(*event) + len) : NULL;
	const uint64_t number = e->next++;

	if (event) {
		*event = (struct cuv_run_event){.number = number, .len = len};
		(void)snprintf(event->name, sizeof(event->name), "%s", name);
		(void)json_dumpb(data, event->data, len, JSON_COMPACT);
		*(e->last ? &e->last->next : &e->first) = event;
		e->last = event;
		e->bytes += len + CUV_RUN_EVENT_COST;
		cuv_run_events_trim(e, CUV_RUN_EVENTS_BYTES_MAX);
	}
	json_decref(data);
}

/* --- output --- */

/* Bytes at the end that may be the beginning of a character. */
static size_t open_end(const char *s, size_t len)
{
	for (size_t n = 1; n <= CUV_MIN(len, (size_t)3); n++) {
		const unsigned char c = (unsigned char)s[len - n];
		const size_t whole = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : c >= 0xc0 ? 2 : 1;

		if (whole > 1)
			return whole > n ? n : 0;
		if (c < 0x80)
			return 0;
	}
	return 0;
}

static json_t *as_text(struct cuv_run_events *e, bool last)
{
	char *part = e->part[e->stream == CUV_STREAM_STDERR];
	size_t *part_len = &e->part_len[e->stream == CUV_STREAM_STDERR];
	_cleanup_buf_ struct cuv_buf raw = CUV_BUF_INIT(e->pending.len + sizeof(e->part[0]));
	_cleanup_buf_ struct cuv_buf clean = CUV_BUF_INIT(3 * raw.max);
	size_t rest;

	cuv_buf_add(&raw, part, *part_len);
	cuv_buf_add(&raw, cuv_buf_str(&e->pending), e->pending.len);
	if (cuv_buf_err(&raw))
		return NULL;
	rest = last ? 0 : open_end(cuv_buf_str(&raw), raw.len);
	if (cuv_utf8_add_replaced(&clean, cuv_buf_str(&raw), raw.len - rest) < 0)
		return NULL;
	if (rest)
		memcpy(part, raw.data + raw.len - rest, rest);
	*part_len = rest;
	return json_stringn_nocheck(cuv_buf_str(&clean), clean.len);
}

/* last: of this stream, of this case. */
static void flush(struct cuv_run_events *e, bool last)
{
	json_t *text, *data;

	if (e->pending.len == 0 && !(last && e->part_len[e->stream == CUV_STREAM_STDERR]))
		return;
	text = e->base64 ? cuv_base64(cuv_buf_str(&e->pending), e->pending.len) : as_text(e, last);
	cuv_buf_reset(&e->pending);
	/* Only the beginning of a character has come. */
	if (text && json_string_length(text) == 0) {
		json_decref(text);
		return;
	}
	data = json_pack("{s:o*}", "data", text);
	if (e->number >= 0)
		json_object_set_new(data, "case", json_integer(e->number));
	append(e, e->stream == CUV_STREAM_STDERR ? "stderr" : "stdout", text ? data : NULL);
	if (!text)
		json_decref(data);
}

/* What either stream has left of a character. */
static void flush_all(struct cuv_run_events *e)
{
	flush(e, true);
	e->stream = e->stream == CUV_STREAM_STDOUT ? CUV_STREAM_STDERR : CUV_STREAM_STDOUT;
	flush(e, true);
}

void cuv_run_events_output(struct cuv_run_events *e, enum cuv_stream stream, int64_t number, const void *data,
			   size_t len)
{
	const char *at = data;

	if (number != e->number)
		flush_all(e);
	else if (stream != e->stream)
		flush(e, false);
	e->number = number;
	e->stream = stream;
	while (len > 0) {
		const size_t n = CUV_MIN(len, e->pending.max - e->pending.len);

		if (cuv_buf_add(&e->pending, at, n) < 0) {
			cuv_buf_reset(&e->pending);
			return;
		}
		at += n;
		len -= n;
		if (e->pending.len == e->pending.max)
			flush(e, false);
	}
}

void cuv_run_events_add(struct cuv_run_events *e, const char *name, json_t *data)
{
	flush(e, false);
	append(e, name, data);
}

void cuv_run_events_end(struct cuv_run_events *e, json_t *data)
{
	flush_all(e);
	append(e, "end", data);
	e->ended = true;
}

/* --- reading --- */

uint64_t cuv_run_events_read(struct cuv_run_events *e, uint64_t after, uint32_t epoch, struct cuv_buf *out)
{
	const struct cuv_run_event *event;

	flush(e, false);
	if (after >= e->next)
		after = 0;
	for (event = e->first; event; event = event->next) {
		if (event->number <= after)
			continue;
		if (out->len + event->len + 2 * CUV_RUN_EVENT_COST > out->max)
			break;
		if (event->number > after + 1)
			cuv_buf_addf(out, ": %" PRIu64 " events are not kept any more\n\n", event->number - after - 1);
		cuv_buf_addf(out, "id: %08" PRIx32 "-%" PRIu64 "\nevent: %s\ndata: ", epoch, event->number,
			     event->name);
		cuv_buf_add(out, event->data, event->len);
		cuv_buf_add_str(out, "\n\n");
		after = event->number;
	}
	return after;
}

bool cuv_run_events_has_after(const struct cuv_run_events *e, uint64_t after)
{
	return e->last && e->last->number > after;
}

uint64_t cuv_run_events_after(const char *id, uint32_t epoch)
{
	char digits[EPOCH_DIGITS + 1];
	uint8_t bytes[EPOCH_DIGITS / 2];
	uint64_t number;

	if (!id || strlen(id) <= EPOCH_DIGITS + 1 || id[EPOCH_DIGITS] != '-')
		return 0;
	memcpy(digits, id, EPOCH_DIGITS);
	digits[EPOCH_DIGITS] = '\0';
	if (cuv_unhex(digits, sizeof(bytes), bytes) < 0 ||
	    cuv_parse_u64(id + EPOCH_DIGITS + 1, UINT64_MAX - 1, &number) < 0)
		return 0;
	return ((uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3]) == epoch
		       ? number
		       : 0;
}
