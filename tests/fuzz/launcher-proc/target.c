/* SPDX-License-Identifier: MIT */
/*
 * Input: a text as /proc has them. What the box maker reads out of it to judge a
 * process it has not made itself must be what plain, slow readers find here.
 */
#include "worker-image/launcher/maker.h"

#include "lib/base/base.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct {
	const char *key;
	int base;
} keys[] = {
	{"PPid", 10},	 {"Uid", 10},	     {"Threads", 10}, {"CapEff", 16},	       {"CapBnd", 16},
	{"Seccomp", 10}, {"NoNewPrivs", 10}, {"NSpid", 10},   {"Seccomp_filters", 10}, {"Pss", 10},
};

static int digit(char c, int base)
{
	const char *all = "0123456789abcdef0123456789ABCDEF", *at = c ? strchr(all, c) : NULL;
	int value = at ? (int)((at - all) % 16) : 16;

	return value < base ? value : -1;
}

/* The number that begins the rest of a line, after blanks. */
static int number_at(const char *p, int base, uint64_t *ret)
{
	uint64_t n = 0;

	while (*p == ' ' || *p == '\t')
		p++;
	if (base == 16 && p[0] == '0' && (p[1] == 'x' || p[1] == 'X') && digit(p[2], 16) >= 0)
		p += 2;
	if (digit(*p, base) < 0)
		return -EINVAL;
	for (; digit(*p, base) >= 0; p++)
		if (__builtin_mul_overflow(n, (uint64_t)base, &n) ||
		    __builtin_add_overflow(n, (uint64_t)digit(*p, base), &n))
			return -EINVAL;
	*ret = n;
	return 0;
}

/* NULL after the last. */
static const char *next_line(const char *line)
{
	while (*line && *line != '\n')
		line++;
	return *line ? line + 1 : NULL;
}

static void check_numbers(const char *text)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(keys); i++) {
		const size_t len = strlen(keys[i].key);
		uint64_t want = 0, have = 0;
		int want_r = -ENOENT, r;
		const char *line;

		for (line = text; line && want_r == -ENOENT; line = next_line(line))
			if (strncmp(line, keys[i].key, len) == 0 && line[len] == ':')
				want_r = number_at(line + len + 1, keys[i].base, &want);
		r = cuv_status_number(text, keys[i].key, keys[i].base, &have);
		cuv_assert(r == want_r);
		cuv_assert(r != 0 || have == want);
	}
}

/* True for exactly one number in the line, which is never the file's first. */
static void check_namespace(const char *text)
{
	const char *line;
	bool want = false;

	for (line = next_line(text); line; line = next_line(line)) {
		if (strncmp(line, "NSpid:\t", 7) != 0)
			continue;
		for (line += 7, want = true; *line && *line != '\n'; line++)
			want = want && *line != '\t';
		break;
	}
	cuv_assert(cuv_status_is_of_namespace(text) == want);
}

/* What a mapping is called, which is its maker's choice, must not count. */
static void check_maps(char *text)
{
	static const char modes[][5] = {"rw-s", "-w-s", "rwxs", "rw-p", "r--s", "---s"};
	char *line, *rest = NULL;
	size_t i;

	for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		char made[256];
		const char *mode = strchr(line, ' ');
		bool want = mode && mode[1] && mode[2] == 'w' && mode[3] && mode[4] == 's';

		cuv_assert(cuv_maps_line_is_shared(line) == want);
		for (i = 0; i < ARRAY_SIZE(modes); i++) {
			snprintf(made, sizeof(made), "7f00-7f01 %s 00000000 00:01 12 %s", modes[i], line);
			cuv_assert(cuv_maps_line_is_shared(made) == (modes[i][1] == 'w' && modes[i][3] == 's'));
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* Exactly as long as it is, so that a read past its end is seen. */
	char *text = malloc(size + 1);

	if (!text)
		return 0;
	if (size)
		memcpy(text, data, size);
	text[size] = '\0';
	check_numbers(text);
	check_namespace(text);
	check_maps(text);
	free(text);
	return 0;
}
