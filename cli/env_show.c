/* SPDX-License-Identifier: MIT */
/*
 * cuvette env show, diff: read from the manifest (cuvette.json) that an environment's
 * build wrote into it. Needs no service.
 */
#include "cli/command.h"
#include "cli/env.h"
#include "lib/base/fd.h"
#include "lib/base/hash.h"
#include "manager/requirers.h"
#include "nixenv/pylock_write.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

enum { STATE, JSON, EXPLAIN };
static const struct cuv_option show_options[] = {
	[STATE] = {"state", 's', "DIR", "CUVETTE_STATE", NULL, "the state folder"},
	[JSON] = {"json", 0, NULL, NULL, NULL, "print JSON"},
	[EXPLAIN] = {"explain", 0, NULL, NULL, NULL, "print which packages require each one, too"},
};
static const struct cuv_option diff_options[] = {
	[STATE] = {"state", 's', "DIR", "CUVETTE_STATE", NULL, "the state folder"},
	[JSON] = {"json", 0, NULL, NULL, NULL, "print JSON"},
};
static const struct cuv_usage show_usage = {
	.command = "env show",
	.operands = "DIGEST",
	.about = "Prints what an environment holds; with --json its manifest, and which packages were built here.",
	.more = "Exit status: 0; 1 this store has no such environment; 2 that is no digest.",
	.options = show_options,
	.n_options = ARRAY_SIZE(show_options),
	.dotenv = true,
	.mixed = true,
};
static const struct cuv_usage diff_usage = {
	.command = "env diff",
	.operands = "A B",
	.about = "Prints what B has that A has not: `+` a package more, `-` one less, `~` another version or file.",
	.more = "Exit status: 0 they are the same; 1 they differ, or one is not in this store; 2 that is no digest.",
	.options = diff_options,
	.n_options = ARRAY_SIZE(diff_options),
	.dotenv = true,
	.mixed = true,
};

/* --- show --- */

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

static bool is_built(const json_t *built, const char *name)
{
	const json_t *item;
	size_t i;

	json_array_foreach(built, i, item) if (strcmp(json_string_value(item), name) == 0) return true;
	return false;
}

/* nixenv/nix/farm.py says what stands in it. */
static void print_manifest(const json_t *manifest, const json_t *built)
{
	const json_t *lock = json_object_get(manifest, "lock"), *item;
	const json_t *packages = json_object_get(lock, "packages"), *closure = json_object_get(manifest, "closure");
	size_t i;

	print_text("image", "/nix/store/", json_object_get(manifest, "image"));
	print_text("python", "", json_object_get(manifest, "python"));
	print_text("platform", "", json_object_get(lock, "platform"));
	json_array_foreach(packages, i, item) printf(
		"%-12s %s %s  sha256:%s%s\n", i ? "" : "packages", text_of(item, "name"), text_of(item, "version"),
		text_of(item, "sha256"), is_built(built, text_of(item, "name")) ? "  built here" : "");
	json_array_foreach(closure, i, item) print_text(i ? "" : "closure", "/nix/store/", item);
	printf("%-12s %" JSON_INTEGER_FORMAT "\n", "clashes",
	       json_integer_value(json_object_get(manifest, "clashes_total")));
}

/* The text of the environment's lock, as the builder keeps it (nixenv/builder/locks.h). */
static int read_lock(const struct cuv_state *state, const json_t *manifest, struct cuv_buf *ret)
{
	_cleanup_free_ char *lock = json_dumps(json_object_get(manifest, "lock"), JSON_COMPACT | JSON_SORT_KEYS);
	char hex[CUV_SHA256_HEX_SIZE], path[sizeof(state->path) + CUV_SHA256_HEX_SIZE + 32];
	struct cuv_sha256 digest;

	if (!lock)
		return -EINVAL;
	cuv_sha256(lock, strlen(lock), &digest);
	cuv_hex(digest.bytes, sizeof(digest.bytes), hex);
	(void)snprintf(path, sizeof(path), "%s/nix/locks/%s" CUV_PYLOCK_SUFFIX, state->path, hex);
	return cuv_read_file(AT_FDCWD, path, ret);
}

/* Which packages were built here: what the builder keeps of the lock says so, the
 * manifest does not, for it is the same wherever a wheel came from. A new reference,
 * empty where nothing is kept. */
static json_t *find_built(const struct cuv_state *state, const json_t *manifest)
{
	_cleanup_buf_ struct cuv_buf lock = CUV_BUF_INIT(CUV_PYLOCK_BYTES_MAX);
	_cleanup_strv_ struct cuv_strv names = CUV_STRV_INIT;
	json_t *ret = json_array();

	if (read_lock(state, manifest, &lock) == 0 && cuv_pylock_built(cuv_buf_str(&lock), lock.len, &names) == 0)
		for (size_t i = 0; i < names.n; i++)
			json_array_append_new(ret, json_string(names.items[i]));
	return ret;
}

/* Which packages require each one: an object of arrays, or of nulls where that is not known. */
static json_t *requirers(const struct cuv_state *state, const json_t *manifest)
{
	_cleanup_buf_ struct cuv_buf lock = CUV_BUF_INIT(CUV_PYLOCK_BYTES_MAX);
	struct cuv_requirers *who = NULL;
	json_t *ret = json_object(), *item;
	size_t i;

	if (read_lock(state, manifest, &lock) == 0)
		who = cuv_requirers_read(cuv_buf_str(&lock), lock.len);
	if (who)
		cuv_requirers_ask_all(who);
	json_array_foreach(json_object_get(json_object_get(manifest, "lock"), "packages"), i, item)
		json_object_set_new(ret, text_of(item, "name"), cuv_requirers_of(who, text_of(item, "name")));
	cuv_requirers_free(who);
	return ret;
}

static void print_requirers(const json_t *requirers)
{
	const char *name, *key = "required by";
	json_t *list, *item;
	size_t i;

	json_object_foreach((json_t *)(uintptr_t)requirers, name, list)
	{
		printf("%-12s %s:", key, name);
		json_array_foreach(list, i, item) printf("%s %s", i ? "," : "", json_string_value(item));
		printf("%s\n", json_is_null(list) ? " not known" : json_array_size(list) ? "" : " nothing here");
		key = "";
	}
}

/* NULL, said on stderr, when the store has none. */
static json_t *find(const struct cuv_state *state, const char *digest, char name[CUV_STORE_NAME_SIZE])
{
	json_t *manifest = cuv_env_manifest(state, digest, name);

	if (!manifest)
		cuv_say("the store in %s holds no environment %s", state->path, digest);
	return manifest;
}

static int look(const char *state_text, struct cuv_state *ret)
{
	struct cuv_error err = CUV_ERROR_INIT;
	int r = cuv_state_look(state_text, ret, &err);

	if (r < 0)
		cuv_say("%s", err.message);
	return r;
}

int cuv_env_show(int argc, char **argv)
{
	_cleanup_values_ struct cuv_values v = CUV_VALUES_INIT;
	_cleanup_state_ struct cuv_state state = CUV_STATE_INIT;
	enum cuv_parsed parsed = cuv_options_parse(&show_usage, argc, argv, &v);
	char name[CUV_STORE_NAME_SIZE];
	json_t *manifest, *built;

	if (parsed != CUV_PARSED_GO)
		return parsed == CUV_PARSED_HELP ? CUV_EXIT_OK : CUV_EXIT_USAGE;
	if (!cuv_env_digests("env show", &v, 1, 1))
		return CUV_EXIT_USAGE;
	if (look(v.value[STATE].text, &state) < 0 || !(manifest = find(&state, v.operands[0], name)))
		return CUV_EXIT_FAILED;
	if (v.value[EXPLAIN].text)
		json_object_set_new(manifest, "required_by", requirers(&state, manifest));
	built = find_built(&state, manifest);
	if (v.value[JSON].text) {
		json_object_set(manifest, "built", built);
		cuv_env_print_json(manifest);
	} else {
		printf("%-12s /nix/store/%s\n", "store path", name);
		print_manifest(manifest, built);
		print_requirers(json_object_get(manifest, "required_by"));
	}
	json_decref(built);
	json_decref(manifest);
	return CUV_EXIT_OK;
}

/* --- diff --- */

static const json_t *package_of(const json_t *manifest, const char *name)
{
	const json_t *item;
	size_t i;

	json_array_foreach(json_object_get(json_object_get(manifest, "lock"), "packages"), i,
			   item) if (strcmp(text_of(item, "name"), name) == 0) return item;
	return NULL;
}

/* Adds what `of` has and `than` has not, or has otherwise: to `more` and to `changed`. */
static void compare(const json_t *of, const json_t *than, json_t *more, json_t *changed)
{
	const json_t *item;
	size_t i;

	json_array_foreach(json_object_get(json_object_get(of, "lock"), "packages"), i, item)
	{
		const char *name = text_of(item, "name");
		const json_t *other = package_of(than, name);

		if (!other)
			json_array_append_new(
				more, json_pack("{s:s, s:s}", "name", name, "version", text_of(item, "version")));
		else if (changed && strcmp(text_of(item, "sha256"), text_of(other, "sha256")) != 0)
			json_array_append_new(
				changed, json_pack("{s:s, s:{s:s, s:s}, s:{s:s, s:s}}", "name", name, "from", "version",
						   text_of(other, "version"), "file", text_of(other, "file"), "to",
						   "version", text_of(item, "version"), "file", text_of(item, "file")));
	}
}

static void add_field(json_t *changed, const char *key, const json_t *a, const json_t *b)
{
	const char *from = json_string_value(json_object_get(a, key)), *to = json_string_value(json_object_get(b, key));

	if (from && to && strcmp(from, to) != 0)
		json_object_set_new(changed, key, json_pack("{s:s, s:s}", "from", from, "to", to));
}

static void print_diff(const json_t *diff)
{
	const json_t *item;
	const char *key;
	size_t i;

	json_array_foreach(json_object_get(diff, "removed"), i, item)
		printf("- %s %s\n", text_of(item, "name"), text_of(item, "version"));
	json_array_foreach(json_object_get(diff, "added"), i, item)
		printf("+ %s %s\n", text_of(item, "name"), text_of(item, "version"));
	json_array_foreach(json_object_get(diff, "changed"), i, item)
	{
		const json_t *from = json_object_get(item, "from"), *to = json_object_get(item, "to");
		/* The same version in another file: the files tell. */
		key = strcmp(text_of(from, "version"), text_of(to, "version")) != 0 ? "version" : "file";
		printf("~ %s %s -> %s\n", text_of(item, "name"), text_of(from, key), text_of(to, key));
	}
	json_object_foreach((json_t *)(uintptr_t)json_object_get(diff, "environment"), key, item)
		printf("~ (%s) %s -> %s\n", key, text_of(item, "from"), text_of(item, "to"));
}

static json_t *make_diff(const json_t *a, const json_t *b)
{
	json_t *added = json_array(), *removed = json_array(), *changed = json_array(), *fields = json_object();

	compare(b, a, added, changed);
	compare(a, b, removed, NULL);
	add_field(fields, "image", a, b);
	add_field(fields, "python", a, b);
	return json_pack("{s:o, s:o, s:o, s:o}", "added", added, "removed", removed, "changed", changed, "environment",
			 fields);
}

int cuv_env_diff(int argc, char **argv)
{
	_cleanup_values_ struct cuv_values v = CUV_VALUES_INIT;
	_cleanup_state_ struct cuv_state state = CUV_STATE_INIT;
	enum cuv_parsed parsed = cuv_options_parse(&diff_usage, argc, argv, &v);
	json_t *a = NULL, *b = NULL, *diff = NULL;
	char name[CUV_STORE_NAME_SIZE];
	int status = CUV_EXIT_FAILED;

	if (parsed != CUV_PARSED_GO)
		return parsed == CUV_PARSED_HELP ? CUV_EXIT_OK : CUV_EXIT_USAGE;
	if (!cuv_env_digests("env diff", &v, 2, 2))
		return CUV_EXIT_USAGE;
	if (look(v.value[STATE].text, &state) == 0 && (a = find(&state, v.operands[0], name)) &&
	    (b = find(&state, v.operands[1], name)) && (diff = make_diff(a, b))) {
		if (v.value[JSON].text)
			cuv_env_print_json(diff);
		else
			print_diff(diff);
		status = strcmp(v.operands[0], v.operands[1]) == 0 ? CUV_EXIT_OK : CUV_EXIT_FAILED;
	}
	json_decref(diff);
	json_decref(a);
	json_decref(b);
	return status;
}
