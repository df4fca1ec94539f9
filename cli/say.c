/* SPDX-License-Identifier: MIT */
#include "cli/command.h"
#include "cli/run_files.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Others write to the same place, and what is written at once stays together. */
struct saying {
	FILE *to;
	char *text;
	size_t len;
};

static void begin(struct saying *s)
{
	*s = (struct saying){0};
	s->to = open_memstream(&s->text, &s->len);
	if (!s->to)
		s->to = stderr;
	fputs("cuvette: ", s->to);
}

static void end(struct saying *s)
{
	if (s->to == stderr)
		return;
	if (fclose(s->to) == 0)
		(void)fwrite(s->text, 1, s->len, stderr);
	free(s->text);
}

void cuv_say(const char *fmt, ...)
{
	struct saying s;
	va_list ap;

	begin(&s);
	va_start(ap, fmt);
	vfprintf(s.to, fmt, ap);
	va_end(ap);
	fputc('\n', s.to);
	end(&s);
}

/* The line itself, indented, and a mark below its column. Tabs are kept, so
 * that the mark stands right whatever their width is. */
static void say_excerpt(FILE *to, const char *line, uint32_t column)
{
	uint32_t i;

	fprintf(to, "    %s\n", line);
	if (column == 0 || column > strlen(line) + 1)
		return;
	fputs("    ", to);
	for (i = 0; i + 1 < column; i++) {
		/* One mark position a character, not a byte of UTF-8. */
		if (((unsigned char)line[i] & 0xc0) != 0x80)
			fputc(line[i] == '\t' ? '\t' : ' ', to);
	}
	fputs("^\n", to);
}

static void say_indented(FILE *to, const char *text)
{
	while (*text) {
		size_t n = strcspn(text, "\n");

		fprintf(to, "  %.*s\n", (int)n, text);
		text += n + (text[n] ? 1 : 0);
	}
}

void cuv_say_error(const struct cuv_error *err, const char *file)
{
	struct saying s;

	begin(&s);
	/* A file that was included. */
	if (err->line && err->file[0])
		fprintf(s.to, "%.*s%s:%u:", file ? (int)cuv_run_files_folder(file) : 0, file ? file : "", err->file,
			err->line);
	else if (err->line)
		fprintf(s.to, "%s:%u:", file ? file : "line", err->line);
	if (err->line && err->column)
		fprintf(s.to, "%u:", err->column);
	fprintf(s.to, "%s%s (%s)\n", err->line ? " " : "", err->message, cuv_error_name(err->code));
	if (err->excerpt[0])
		say_excerpt(s.to, err->excerpt, err->column);
	if (err->explanation[0])
		say_indented(s.to, err->explanation);
	if (err->retry_after_s)
		fprintf(s.to, "  try again in %u s\n", err->retry_after_s);
	end(&s);
}
