/* SPDX-License-Identifier: MIT */
/*
 * cuvette env show DIGEST: what an environment of this store holds, read from
 * the manifest (cuvette.json) that its build wrote into it. Needs no service.
 */
#include "cli/command.h"
#include "cli/options.h"
#include "cli/state.h"
#include "lib/base/fd.h"
#include "lib/base/hash.h"
#include "lib/proto/messages.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#define DIGEST_LEN 32
#define MANIFEST_MAX (8 * 1024 * 1024)

enum { STATE, JSON };
static const struct cuv_option options[] = {
	[STATE] = {"state", 's', "DIR", "CUVETTE_STATE", NULL, "the state folder"},
	[JSON] = {"json", 0, NULL, NULL, NULL, "print the manifest"},
};
static const struct cuv_usage usage = {
	.command = "env show",
	.operands = "DIGEST",
	.about = "Prints what an environment holds. DIGEST is `environment.digest` of an answer.",
	.more = "Exit status: 0; 1 this store has no such environment; 2 that is no digest.",
	.options = options,
	.n_options = ARRAY_SIZE(options),
	.dotenv = true,
};

static bool is_digest(const char *s)
{
	size_t i;

	for (i = 0; i < DIGEST_LEN; i++)
		if (!s[i] || !cuv_is_nix32_char(s[i]))
			return false;
	return s[i] == '\0';
}

/* The store path's name that begins with the digest; -ENOENT when none does. */
static int find_name(const struct cuv_state *state, const char *digest, char ret[CUV_STORE_NAME_SIZE])
{
	DIR *d = opendir(state->store);
	struct dirent *e;
	int r = -ENOENT;

	if (!d)
		return -errno;
	while (r < 0 && (e = readdir(d)))
		if (strncmp(e->d_name, digest, DIGEST_LEN) == 0 && cuv_store_name_valid(e->d_name)) {
			snprintf(ret, CUV_STORE_NAME_SIZE, "%s", e->d_name);
			r = 0;
		}
	closedir(d);
	return r;
}

static void print_text(const char *key, const char *before, const json_t *text)
{
	if (json_is_string(text))
		printf("%-12s %s%s\n", key, before, json_string_value(text));
}

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "?";
}

/* nixenv/nix/farm.py says what stands in it. */
static void print_manifest(const json_t *manifest)
{
	const json_t *lock = json_object_get(manifest, "lock"), *item;
	const json_t *packages = json_object_get(lock, "packages"), *closure = json_object_get(manifest, "closure");
	size_t i;

	print_text("image", "/nix/store/", json_object_get(manifest, "image"));
	print_text("python", "", json_object_get(manifest, "python"));
	print_text("platform", "", json_object_get(lock, "platform"));
	json_array_foreach(packages, i, item)
		printf("%-12s %s %s  sha256:%s\n", i ? "" : "packages", text_of(item, "name"), text_of(item, "version"),
		       text_of(item, "sha256"));
	json_array_foreach(closure, i, item) print_text(i ? "" : "closure", "/nix/store/", item);
	printf("%-12s %" JSON_INTEGER_FORMAT "\n", "clashes",
	       json_integer_value(json_object_get(manifest, "clashes_total")));
}

static int show(const char *state_text, const char *digest, bool whole)
{
	_cleanup_state_ struct cuv_state state = CUV_STATE_INIT;
	_cleanup_buf_ struct cuv_buf b = CUV_BUF_INIT(MANIFEST_MAX);
	struct cuv_error err = CUV_ERROR_INIT;
	char name[CUV_STORE_NAME_SIZE], path[sizeof(state.store) + CUV_STORE_NAME_SIZE + 32];
	json_t *manifest;
	int r = cuv_state_look(state_text, &state, &err);

	if (r < 0) {
		cuv_say("%s", err.message);
		return CUV_EXIT_FAILED;
	}
	r = find_name(&state, digest, name);
	if (r == 0) {
		snprintf(path, sizeof(path), "%s/%s/cuvette.json", state.store, name);
		r = cuv_read_file(AT_FDCWD, path, &b);
	}
	manifest = r < 0 ? NULL : json_loadb(cuv_buf_str(&b), b.len, JSON_REJECT_DUPLICATES, NULL);
	if (!manifest) {
		cuv_say("the store in %s holds no environment %s", state.path, digest);
		return CUV_EXIT_FAILED;
	}
	if (whole) {
		(void)json_dumpf(manifest, stdout, JSON_INDENT(2) | JSON_SORT_KEYS);
		putchar('\n');
	} else {
		printf("%-12s /nix/store/%s\n", "store path", name);
		print_manifest(manifest);
	}
	json_decref(manifest);
	return CUV_EXIT_OK;
}

int cuv_cmd_env(int argc, char **argv)
{
	_cleanup_values_ struct cuv_values v = CUV_VALUES_INIT;
	bool is_show = argc > 1 && strcmp(argv[1], "show") == 0;
	enum cuv_parsed parsed = cuv_options_parse(&usage, argc - is_show, argv + is_show, &v);

	if (parsed != CUV_PARSED_GO)
		return parsed == CUV_PARSED_HELP ? CUV_EXIT_OK : CUV_EXIT_USAGE;
	if (!is_show || v.n_operands != 1) {
		cuv_say("env: which one? `cuvette env show DIGEST`");
		return CUV_EXIT_USAGE;
	}
	if (!is_digest(v.operands[0])) {
		cuv_say("env: `%s` is not a digest: 32 characters of 0-9 a-z without e o t u", v.operands[0]);
		return CUV_EXIT_USAGE;
	}
	return show(v.value[STATE].text, v.operands[0], v.value[JSON].text != NULL);
}
