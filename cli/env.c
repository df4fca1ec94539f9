/* SPDX-License-Identifier: MIT */
/*
 * cuvette env: the environments that the store has. Some of it is reading (show, diff);
 * the rest is asked of the builder, which owns the store (env_peer.c).
 */
#include "cli/env.h"

#include "cli/command.h"
#include "lib/base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define MANIFEST_MAX (8 * 1024 * 1024)
#define DIGESTS_MAX CUV_CHORE_DIGESTS_MAX

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *text;
} commands[] = {
	{"list", cuv_env_list, "which there are, how large, when they were used"},
	{"show", cuv_env_show, "what one holds"},
	{"diff", cuv_env_diff, "what one has that another has not"},
	{"build", cuv_env_build, "make one of a requirements file or a lock, and print its digest"},
	{"lock", cuv_env_lock, "print the lock of one, as pylock.toml"},
	{"prewarm", cuv_env_prewarm, "make the one that scripts with main() run in"},
	{"gc", cuv_env_gc, "make room: what passes the budget, and what nobody needs"},
	{"pin", cuv_env_pin, "never evict these"},
	{"unpin", cuv_env_unpin, "evict these again when they are the oldest"},
	{"verify", cuv_env_verify, "hash again what was installed, and build again what is damaged"},
	{"export", cuv_env_export, "write one to a file, for machines without a network"},
	{"import", cuv_env_import, "make the environment of such a file"},
	{"key", cuv_env_key, "print the key that the binary cache is signed with"},
};

static void print_help(FILE *to)
{
	fputs("Usage: cuvette env COMMAND [OPTIONS] [DIGEST...]\n\nThe environments of a state folder, with or without "
	      "a service that runs on it.\nDIGEST is `environment.digest` of an answer.\n\n",
	      to);
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		fprintf(to, "  %-8s %s\n", commands[i].name, commands[i].text);
	fputs("\n`cuvette env COMMAND --help` tells a command's options.\n", to);
}

int cuv_cmd_env(int argc, char **argv)
{
	if (argc < 2) {
		print_help(stderr);
		return CUV_EXIT_USAGE;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0) {
		print_help(stdout);
		return CUV_EXIT_OK;
	}
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (strcmp(argv[1], commands[i].name) == 0)
			return commands[i].run(argc - 1, argv + 1);
	cuv_say("env: there is no command '%s'; `cuvette env --help` lists them", argv[1]);
	return CUV_EXIT_USAGE;
}

/* --- what they share --- */

bool cuv_env_digests(const char *command, const struct cuv_values *v, int least, int most)
{
	if (v->n_operands < least || v->n_operands > most) {
		if (most == 0)
			cuv_say("%s takes options only, not `%s`", command, v->operands[0]);
		else if (v->n_operands < least)
			cuv_say("%s: which environment%s? `cuvette env list` has their digests", command,
				least > 1 ? "s" : "");
		else if (most == 1)
			cuv_say("%s: one environment at a time, not `%s` too", command, v->operands[1]);
		else
			cuv_say("%s: not more than %d environments at once", command, most);
		return false;
	}
	for (int i = 0; i < v->n_operands; i++)
		if (!cuv_env_digest_valid(v->operands[i])) {
			cuv_say("%s: `%s` is not a digest: 32 characters of 0-9 a-z without e o t u", command,
				v->operands[i]);
			return false;
		}
	return true;
}

int cuv_env_fail(const struct cuv_error *err, const char *file)
{
	cuv_say_error(err, file);
	if (err->code == CUV_E_ENVIRONMENT_UNKNOWN)
		return CUV_EXIT_FAILED;
	return cuv_error_http_status(err->code) >= 500 ? CUV_EXIT_UNAVAILABLE : CUV_EXIT_USAGE;
}

json_t *cuv_env_manifest(const struct cuv_state *state, const char *digest, char ret_name[CUV_STORE_NAME_SIZE])
{
	_cleanup_buf_ struct cuv_buf b = CUV_BUF_INIT(MANIFEST_MAX);
	char path[sizeof(state->store) + CUV_STORE_NAME_SIZE + 48];

	snprintf(path, sizeof(path), "%s/%s-cuvette-environment/cuvette.json", state->store, digest);
	if (cuv_read_file(AT_FDCWD, path, &b) < 0)
		return NULL;
	if (ret_name)
		snprintf(ret_name, CUV_STORE_NAME_SIZE, "%s-cuvette-environment", digest);
	return json_loadb(cuv_buf_str(&b), b.len, JSON_REJECT_DUPLICATES, NULL);
}

const char *cuv_env_size(uint64_t bytes, char ret[CUV_ENV_SIZE_SIZE])
{
	static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};
	uint64_t tenths = bytes < UINT64_MAX / 10 ? 10 * bytes : UINT64_MAX;
	size_t unit = 0;

	for (; tenths >= 10000 && unit + 1 < ARRAY_SIZE(units); unit++)
		tenths /= 1000;
	if (unit == 0)
		snprintf(ret, CUV_ENV_SIZE_SIZE, "%llu B", (unsigned long long)tenths / 10);
	else
		snprintf(ret, CUV_ENV_SIZE_SIZE, "%llu.%llu %s", (unsigned long long)tenths / 10,
			 (unsigned long long)tenths % 10, units[unit]);
	return ret;
}

void cuv_env_print_json(const json_t *j)
{
	if (!j || json_dumpf(j, stdout, JSON_INDENT(2) | JSON_SORT_KEYS) < 0)
		cuv_say("the answer can't be written as JSON: %m");
	putchar('\n');
}
