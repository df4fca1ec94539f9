/* SPDX-License-Identifier: MIT */
#include "lib/base/log.h"

#include "lib/base/buf.h"
#include "lib/base/utf8.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LOG_LINE_MAX 8192

static const char *log_component = "cuvette";
static enum cuv_log_level log_least = CUV_LOG_INFO;

void cuv_log_setup(const char *component, enum cuv_log_level least)
{
	log_component = component;
	log_least = least;
}

/* How many bytes are ASCII that stands for itself. */
static size_t plain(const char *s, size_t len)
{
	size_t n = 0;

	while (n < len && s[n] >= 0x20 && s[n] < 0x7f && s[n] != '"' && s[n] != '\\')
		n++;
	return n;
}

static void add_json_string(struct cuv_buf *b, const char *s)
{
	size_t len = strnlen(s, LOG_LINE_MAX / 4), i = 0;

	cuv_buf_add_char(b, '"');
	while (i < len) {
		unsigned char c = (unsigned char)s[i];
		size_t n = plain(s + i, len - i);

		if (n > 0) {
			cuv_buf_add(b, s + i, n);
			i += n;
			continue;
		}
		n = cuv_utf8_char_len(s + i, len - i);
		if (n == 0) {
			cuv_buf_add_str(b, "\\ufffd");
			n = 1;
		} else if (c == '"' || c == '\\') {
			cuv_buf_addf(b, "\\%c", c);
		} else if (c < 0x20 || c == 0x7f) {
			cuv_buf_addf(b, "\\u%04x", c);
		} else {
			cuv_buf_add(b, s + i, n);
		}
		i += n;
	}
	cuv_buf_add_char(b, '"');
}

void cuv_log_fields(enum cuv_log_level level, const char *event, const struct cuv_log_field *fields, size_t n)
{
	static const char *const names[] = {"debug", "info", "warning", "error"};
	_cleanup_buf_ struct cuv_buf line = CUV_BUF_INIT(LOG_LINE_MAX);
	struct timespec now;
	struct tm tm;
	size_t i;

	if (level < log_least)
		return;
	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	cuv_buf_addf(&line, "{\"time\":\"%04d-%02d-%02dT%02d:%02d:%02d.%03ldZ\",\"level\":\"%s\",\"component\":",
		     tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec,
		     now.tv_nsec / 1000000, names[level]);
	add_json_string(&line, log_component);
	cuv_buf_add_str(&line, ",\"event\":");
	add_json_string(&line, event);
	for (i = 0; i < n; i++) {
		cuv_buf_add_char(&line, ',');
		add_json_string(&line, fields[i].key);
		cuv_buf_add_char(&line, ':');
		if (fields[i].text)
			add_json_string(&line, fields[i].text);
		else
			cuv_buf_addf(&line, "%lld", (long long)fields[i].number);
	}
	cuv_buf_add_str(&line, "}\n");
	if (cuv_buf_err(&line) == 0 && write(STDERR_FILENO, line.data, line.len) < 0)
		return; /* nowhere to say that stderr is gone */
}
