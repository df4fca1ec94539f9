/* SPDX-License-Identifier: MIT */
/* A pattern, a NUL, a path: a valid pattern without signs matches itself alone, and what
 * matches lies in folders that are entered. */
#include "lib/proto/bundle.h"
#include "lib/proto/glob.h"

#include "tests/fuzz/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const char *pattern, char *path)
{
	const bool found = cuv_glob_match(pattern, path);

	if (!strpbrk(pattern, "*?["))
		cuv_assert(found == (strcmp(pattern, path) == 0));
	if (strcmp(pattern, "**") == 0)
		cuv_assert(found == (path[0] != '.' && !strstr(path, "/.")));
	for (char *slash = strrchr(path, '/'); found && slash; slash = strrchr(path, '/')) {
		*slash = '\0';
		cuv_assert(cuv_glob_enters(pattern, path));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *end = memchr(data, '\0', size);
	char *pattern, *path;

	if (!end)
		return 0;
	pattern = fuzz_text(data, (size_t)(end - data));
	path = fuzz_text(end + 1, size - (size_t)(end - data) - 1);
	if (cuv_glob_valid(pattern) && cuv_bundle_name_valid(path, strlen(path)))
		check(pattern, path);
	free(pattern);
	free(path);
	return 0;
}
