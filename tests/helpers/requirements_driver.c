/* SPDX-License-Identifier: MIT */
/*
 * Lets a script use the requirements grammar. Reads standard input:
 *
 *   requirements_driver lines   each line is a file of its own; answers one line
 *                               each: "ok<TAB>canonical" or
 *                               "code<TAB>line<TAB>column<TAB>message"
 *   requirements_driver file    all of it is one file; prints the canonical form,
 *                               or such an error line with exit status 1
 */
#include "nixenv/requirements.h"

#include <stdio.h>
#include <string.h>

#define INPUT_BYTES_MAX (4u << 20)

/* one_line: a result takes exactly one line, also the empty one. */
static int parse(const char *data, size_t len, bool one_line)
{
	_cleanup_(cuv_requirements_freep) struct cuv_requirements *r = NULL;
	_cleanup_buf_ struct cuv_buf text = CUV_BUF_INIT(CUV_REQUIREMENTS_BYTES_MAX);
	struct cuv_error err = CUV_ERROR_INIT;

	if (cuv_requirements_parse(data, len, &r, &err)) {
		printf("%s\t%u\t%u\t%s\n", cuv_error_name(err.code), err.line, err.column, err.message);
		return 1;
	}
	cuv_assert(cuv_requirements_canonical(r, &text) == 0);
	printf("%s%s%s", one_line ? "ok\t" : "", cuv_buf_str(&text), one_line && text.len == 0 ? "\n" : "");
	return 0;
}

static int read_all(struct cuv_buf *input)
{
	size_t n;

	do {
		char *room = cuv_buf_room(input, 65536);

		if (!room)
			return 2;
		n = fread(room, 1, 65536, stdin);
		cuv_buf_grew(input, n);
	} while (n);
	return 0;
}

static void parse_each_line(const struct cuv_buf *input)
{
	const char *line = cuv_buf_str(input), *end;

	for (; (end = strchr(line, '\n')); line = end + 1)
		(void)parse(line, (size_t)(end - line), true);
}

int main(int argc, char **argv)
{
	_cleanup_buf_ struct cuv_buf input = CUV_BUF_INIT(INPUT_BYTES_MAX);

	if (argc != 2 || (strcmp(argv[1], "lines") != 0 && strcmp(argv[1], "file") != 0)) {
		fprintf(stderr, "usage: requirements_driver lines|file < INPUT\n");
		return 2;
	}
	if (read_all(&input))
		return 2;
	if (strcmp(argv[1], "file") == 0)
		return parse(cuv_buf_str(&input), input.len, false);
	parse_each_line(&input);
	return 0;
}
