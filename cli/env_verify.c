/* SPDX-License-Identifier: MIT */
/*
 * cuvette env verify: the builder hashes what it installed, takes away what is damaged,
 * and is then asked for the same environments again, by their locks.
 */
#include "cli/command.h"
#include "cli/env.h"
#include "lib/base/fd.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define BUILD_MS 3600000

enum { STATE, JSON, QUIET };
static const struct cuv_option options[] = {
	[STATE] = {"state", 's', "DIR", "CUVETTE_STATE", NULL, "the state folder"},
	[JSON] = {"json", 0, NULL, NULL, NULL, "print JSON"},
	[QUIET] = {"quiet", 'q', NULL, NULL, NULL, "no progress"},
};
static const struct cuv_usage usage = {
	.command = "env verify",
	.operands = "[DIGEST...]",
	.about = "Hashes what was installed for these environments (none named: for all), takes away what is not what\n"
		 "was built, and builds it again from its lock. What is damaged and in use stays until nobody uses it "
		 "any\n"
		 "more; no new run begins on it.",
	.more = "Exit status: 0 all is well, or well again; 1 something damaged could not be built again yet, or "
		"there\n"
		"is no such environment; 2 wrong words; 3 the builder is not to be had.",
	.options = options,
	.n_options = ARRAY_SIZE(options),
	.dotenv = true,
	.mixed = true,
};

/* 0 when it is there again; else negative, and err says why not. */
static int build_again(struct cuv_env_peer *peer, const json_t *item, struct cuv_error *err)
{
	_cleanup_environment_ struct cuv_environment env = CUV_ENVIRONMENT_INIT;
	_cleanup_close_ int lease = -1;
	const char *digest = json_string_value(json_object_get(item, "digest"));
	const char *python = json_string_value(json_object_get(item, "python"));
	const char *lock = json_string_value(json_object_get(item, "lock"));
	struct cuv_env_ask ask = {.source = CUV_ENV_LOCK, .sdist = true, .resolve_ms = BUILD_MS, .build_ms = BUILD_MS};

	if (!digest || !python || !lock)
		return cuv_error_set(err, CUV_E_INTERNAL, "the builder sent a broken answer");
	snprintf(ask.python, sizeof(ask.python), "%s", python);
	if (cuv_env_peer_ask(peer, &ask, lock, strlen(lock), &env, &lease, NULL, err) < 0)
		return -EIO;
	if (strcmp(env.digest, digest) != 0)
		return cuv_error_set(err, CUV_E_INTERNAL, "its lock comes to another environment now: %s", env.digest);
	return 0;
}

static bool repair(struct cuv_env_peer *peer, json_t *answer)
{
	json_t *again = json_object_get(answer, "again"), *repaired = json_array(), *failed = json_array();
	const json_t *item;
	size_t i, n;

	json_array_foreach(again, i, item)
	{
		const char *digest = json_string_value(json_object_get(item, "digest"));
		struct cuv_error err = CUV_ERROR_INIT;

		if (build_again(peer, item, &err) == 0)
			json_array_append_new(repaired, json_string(digest));
		else
			json_array_append_new(failed,
					      json_pack("{s:s, s:s, s:s}", "digest", digest ? digest : "?", "code",
							cuv_error_name(err.code), "message", err.message));
	}
	n = json_array_size(failed);
	json_object_set_new(answer, "repaired", repaired);
	json_object_set_new(answer, "failed", failed);
	json_object_del(answer, "again");
	return n == 0 && json_array_size(json_object_get(answer, "in_use")) == 0;
}

static void print_lines(const json_t *list, const char *what)
{
	const json_t *item;
	size_t i;

	json_array_foreach(list, i, item)
	{
		if (json_is_object(item))
			printf("%-10s %s: %s\n", what, json_string_value(json_object_get(item, "digest")),
			       json_string_value(json_object_get(item, "message")));
		else
			printf("%-10s %s\n", what, json_string_value(item));
	}
}

static void print_answer(const json_t *answer)
{
	print_lines(json_object_get(answer, "damaged"), "damaged");
	print_lines(json_object_get(answer, "in_use"), "in use");
	print_lines(json_object_get(answer, "repaired"), "repaired");
	print_lines(json_object_get(answer, "failed"), "failed");
	printf("%" JSON_INTEGER_FORMAT " paths, %zu damaged\n", json_integer_value(json_object_get(answer, "paths")),
	       json_array_size(json_object_get(answer, "damaged")));
}

int cuv_env_verify(int argc, char **argv)
{
	_cleanup_values_ struct cuv_values v = CUV_VALUES_INIT;
	_cleanup_chore_ask_ struct cuv_chore_ask ask = CUV_CHORE_ASK_INIT;
	enum cuv_parsed parsed = cuv_options_parse(&usage, argc, argv, &v);
	struct cuv_env_peer peer = CUV_ENV_PEER_INIT;
	struct cuv_error err = CUV_ERROR_INIT;
	json_t *answer = NULL;
	int status;

	if (parsed != CUV_PARSED_GO)
		return parsed == CUV_PARSED_HELP ? CUV_EXIT_OK : CUV_EXIT_USAGE;
	if (!cuv_env_digests(usage.command, &v, 0, CUV_CHORE_DIGESTS_MAX))
		return CUV_EXIT_USAGE;
	ask.verb = CUV_CHORE_VERIFY;
	for (int i = 0; i < v.n_operands; i++)
		if (cuv_strv_add(&ask.digests, v.operands[i]) < 0)
			return CUV_EXIT_FAILED;
	if (v.value[QUIET].text)
		peer.progress.how = CUV_PROGRESS_NONE;
	peer.builds = true;
	if (cuv_env_peer_open(&peer, v.value[STATE].text, &err) == 0)
		answer = cuv_env_peer_chore(&peer, &ask, -1, &err);
	if (!answer) {
		status = cuv_env_fail(&err, NULL);
	} else {
		status = repair(&peer, answer) ? CUV_EXIT_OK : CUV_EXIT_FAILED;
		if (v.value[JSON].text)
			cuv_env_print_json(answer);
		else
			print_answer(answer);
	}
	json_decref(answer);
	cuv_env_peer_close(&peer);
	return status;
}
