/* SPDX-License-Identifier: MIT */
#include "nixenv/builder/nix_log.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#define LINE_MAX_BYTES 65536
#define MESSAGES_MAX 16384

/* Nix's own numbers. */
enum { ACTIVITY_BUILD = 105, RESULT_LOG_LINE = 101 };

void cuv_nix_log_init(struct cuv_nix_log *l)
{
	*l = (struct cuv_nix_log){.line = CUV_BUF_INIT(LINE_MAX_BYTES), .messages = CUV_BUF_INIT(MESSAGES_MAX)};
}

void cuv_nix_log_done(struct cuv_nix_log *l)
{
	cuv_buf_done(&l->line);
	cuv_buf_done(&l->messages);
}

/* Keeps text without colour codes, as long as there is room. */
static void keep(struct cuv_nix_log *l, const char *text)
{
	if (l->messages.len + strlen(text) + 1 > l->messages.max)
		return;
	while (*text) {
		if (*text == '\033') {
			text += strcspn(text, "m");
			text += *text == 'm';
			continue;
		}
		cuv_buf_add_char(&l->messages, *text++);
	}
	cuv_buf_add_char(&l->messages, '\n');
}

static bool has(const char *text, size_t len, const char *what)
{
	return memmem(text, len, what, strlen(what)) != NULL;
}

/* What Nix itself says decides what kind of failure it was. It repeats the end
 * of a build's log in its message, and that is a wheel's text: cut off. */
static void judge(struct cuv_nix_log *l, const char *text)
{
	const char *log = strstr(text, "log lines:");
	size_t len = log ? (size_t)(log - text) : strlen(text);

	if (has(text, len, "Resource temporarily unavailable"))
		l->short_of = EAGAIN;
	if (has(text, len, "Cannot allocate memory") || has(text, len, "std::bad_alloc"))
		l->short_of = ENOMEM;
	l->disk_full |= has(text, len, "No space left on device") || has(text, len, "Disk quota exceeded") ||
			has(text, len, "database or disk is full");
	l->timed_out |= has(text, len, "timed out after");
	l->build_failed |= has(text, len, "builder for ") || has(text, len, "failed with exit code");
}

void cuv_nix_log_failure(struct cuv_nix_log *l, const char *text)
{
	judge(l, text);
	keep(l, text);
}

void cuv_nix_log_line(struct cuv_nix_log *l, const char *text)
{
	static const char ours[] = "cuvette: ";

	if (strncmp(text, ours, strlen(ours)) == 0)
		cuv_error_copy_text(l->reason, sizeof(l->reason), text + strlen(ours), strlen(text + strlen(ours)));
	else
		keep(l, text);
}

static void on_message(struct cuv_nix_log *l, json_t *j)
{
	const char *text = json_string_value(json_object_get(j, "msg"));
	json_int_t level = json_integer_value(json_object_get(j, "level"));
	unsigned n;

	if (!text)
		return;
	if (sscanf(text, "these %u derivations will be built", &n) == 1)
		l->total = n;
	else if (strncmp(text, "this derivation will be built", 29) == 0)
		l->total = 1;
	else if (level == 0)
		cuv_nix_log_failure(l, text);
}

static void on_start(struct cuv_nix_log *l, json_t *j)
{
	if (json_integer_value(json_object_get(j, "type")) == ACTIVITY_BUILD && l->n_running < CUV_NIX_RUNNING_MAX)
		l->running[l->n_running++] = (uint64_t)json_integer_value(json_object_get(j, "id"));
}

static void on_stop(struct cuv_nix_log *l, json_t *j)
{
	uint64_t id = (uint64_t)json_integer_value(json_object_get(j, "id"));

	for (size_t i = 0; i < l->n_running; i++) {
		if (l->running[i] != id)
			continue;
		l->running[i] = l->running[--l->n_running];
		l->done++;
		return;
	}
}

static void on_result(struct cuv_nix_log *l, json_t *j)
{
	const char *text;

	if (json_integer_value(json_object_get(j, "type")) != RESULT_LOG_LINE)
		return;
	text = json_string_value(json_array_get(json_object_get(j, "fields"), 0));
	if (text)
		cuv_nix_log_line(l, text);
}

static void on_line(struct cuv_nix_log *l, const char *line, size_t len)
{
	static const char mark[] = "@nix ";
	json_auto_t *j = NULL;
	const char *action;

	if (len < strlen(mark) || memcmp(line, mark, strlen(mark)) != 0) {
		cuv_nix_log_failure(l, line);
		return;
	}
	j = json_loadb(line + strlen(mark), len - strlen(mark), 0, NULL);
	action = json_string_value(json_object_get(j, "action"));
	if (!action)
		return;
	if (strcmp(action, "msg") == 0)
		on_message(l, j);
	else if (strcmp(action, "start") == 0)
		on_start(l, j);
	else if (strcmp(action, "stop") == 0)
		on_stop(l, j);
	else if (strcmp(action, "result") == 0)
		on_result(l, j);
}

bool cuv_nix_log_feed(struct cuv_nix_log *l, const char *data, size_t len)
{
	uint32_t done = l->done, total = l->total;

	for (size_t i = 0; i < len; i++) {
		if (data[i] != '\n') {
			/* A line that is too long is dropped whole, by the sticky error. */
			cuv_buf_add_char(&l->line, data[i]);
			continue;
		}
		if (cuv_buf_err(&l->line) == 0 && l->line.len > 0)
			on_line(l, l->line.data, l->line.len);
		cuv_buf_reset(&l->line);
	}
	return done != l->done || total != l->total;
}

int cuv_nix_log_error(const struct cuv_nix_log *l, struct cuv_error *err)
{
	if (l->disk_full) {
		cuv_error_set(err, CUV_E_NO_SPACE, "the service's disk is full");
		err->retry_after_s = 60;
		return -EINVAL;
	}
	if (l->short_of)
		return cuv_error_set_errno(err, -l->short_of, "Nix had not enough %s",
					   l->short_of == ENOMEM ? "memory" : "processes");
	if (l->timed_out)
		return cuv_error_set(err, CUV_E_BUILD_TIMEOUT, "installing a wheel took longer than the limit");
	if (l->reason[0])
		return cuv_error_set(err, CUV_E_BUILD_FAILED, "%s", l->reason);
	if (l->build_failed)
		return cuv_error_set(err, CUV_E_BUILD_FAILED, "a wheel could not be installed");
	return cuv_error_set(err, CUV_E_INTERNAL, "the environment could not be built");
}
