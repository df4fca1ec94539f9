/* SPDX-License-Identifier: MIT */
#include "cli/command.h"
#include "cli/run_files.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void cuv_say(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fputs("cuvette: ", stderr);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
}

/* The line itself, indented, and a mark below its column. Tabs are kept, so
 * that the mark stands right whatever their width is. */
static void say_excerpt(const char *line, uint32_t column)
{
	uint32_t i;

	fprintf(stderr, "    %s\n", line);
	if (column == 0 || column > strlen(line) + 1)
		return;
	fputs("    ", stderr);
	for (i = 0; i + 1 < column; i++) {
		/* One mark position a character, not a byte of UTF-8. */
		if (((unsigned char)line[i] & 0xc0) != 0x80)
			fputc(line[i] == '\t' ? '\t' : ' ', stderr);
	}
	fputs("^\n", stderr);
}

static void say_indented(const char *text)
{
	while (*text) {
		size_t n = strcspn(text, "\n");

		fprintf(stderr, "  %.*s\n", (int)n, text);
		text += n + (text[n] ? 1 : 0);
	}
}

void cuv_say_error(const struct cuv_error *err, const char *file)
{
	fputs("cuvette: ", stderr);
	/* A file that was included. */
	if (err->line && err->file[0])
		fprintf(stderr, "%.*s%s:%u:", file ? (int)cuv_run_files_folder(file) : 0, file ? file : "", err->file,
			err->line);
	else if (err->line)
		fprintf(stderr, "%s:%u:", file ? file : "line", err->line);
	if (err->line && err->column)
		fprintf(stderr, "%u:", err->column);
	fprintf(stderr, "%s%s (%s)\n", err->line ? " " : "", err->message, cuv_error_name(err->code));
	if (err->excerpt[0])
		say_excerpt(err->excerpt, err->column);
	if (err->explanation[0])
		say_indented(err->explanation);
	if (err->retry_after_s)
		fprintf(stderr, "  try again in %u s\n", err->retry_after_s);
}
