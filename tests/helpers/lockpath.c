/* SPDX-License-Identifier: MIT */
/*
 * lockpath: store paths of locks, computed without Nix. For each file named (a
 * lock in JSON) one line of JSON: where its environment, wheels and installations
 * lie and what .drv files make them, its digest and its canonical form. Exit status 1 when a lock is refused.
 */
#include "lib/base/fd.h"
#include "nixenv/builder/pins.h"
#include "nixenv/lock.h"

#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

static json_t *strings(const struct cuv_strv *v)
{
	json_t *a = json_array();

	for (size_t i = 0; i < v->n; i++)
		json_array_append_new(a, json_string(v->items[i]));
	return a;
}

static json_t *derivations(const struct cuv_env_paths *p)
{
	json_t *a = json_array();

	for (size_t i = 0; i < p->n_derivations; i++)
		json_array_append_new(a, json_string(p->derivations[i].self.drv));
	return a;
}

static int print_one(const struct cuv_pins *pins, const char *path)
{
	_cleanup_buf_ struct cuv_buf text = CUV_BUF_INIT(CUV_LOCK_BYTES_MAX),
				     canonical = CUV_BUF_INIT(CUV_LOCK_BYTES_MAX);
	_cleanup_env_paths_ struct cuv_env_paths paths = CUV_ENV_PATHS_INIT;
	_cleanup_lock_ struct cuv_lock lock = CUV_LOCK_INIT;
	_cleanup_free_ char *line = NULL;
	char digest[CUV_LOCK_DIGEST_SIZE];
	struct cuv_error err = CUV_ERROR_INIT;
	json_auto_t *j = NULL;

	if (cuv_read_file(AT_FDCWD, path, &text) < 0 || cuv_lock_parse(cuv_buf_str(&text), text.len, &lock, &err) < 0 ||
	    cuv_env_paths(&lock, &cuv_pins_find(pins, lock.python)->image, &pins->scripts, &paths) < 0 ||
	    cuv_lock_digest(&lock, digest) < 0 || cuv_lock_canonical(&lock, &canonical) < 0) {
		fprintf(stderr, "%s: %s\n", path, err.message);
		return -1;
	}
	j = json_pack("{s:s, s:s, s:s, s:o, s:o, s:o}", "env", paths.env, "digest", digest, "canonical",
		      cuv_buf_str(&canonical), "wheels", strings(&paths.wheels), "installs", strings(&paths.installs),
		      "derivations", derivations(&paths));
	line = json_dumps(j, JSON_COMPACT | JSON_SORT_KEYS);
	puts(line);
	return 0;
}

int main(int argc, char **argv)
{
	struct cuv_error err = CUV_ERROR_INIT;
	struct cuv_pins pins;
	int status = 0;

	if (cuv_pins_read(&pins, &err) < 0) {
		fprintf(stderr, "%s\n", err.message);
		return 1;
	}
	for (int i = 1; i < argc; i++)
		if (print_one(&pins, argv[i]) < 0)
			status = 1;
	return status;
}
