/* SPDX-License-Identifier: MIT */
/* cuvette env list, gc, pin, unpin: chores of the builder, and what came of them. */
#include "cli/command.h"
#include "cli/env.h"
#include "lib/base/parse.h"

#include <stdio.h>
#include <string.h>

enum { STATE, JSON, BYTES, COUNT };
#define COMMON                                                                                                         \
	[STATE] = {"state", 's', "DIR", "CUVETTE_STATE", NULL, "the state folder"}, [JSON] = {"json", 0,               \
											      NULL,   NULL,            \
											      NULL,   "print JSON"}
static const struct cuv_option common[] = {COMMON};
static const struct cuv_option gc_options[] = {
	COMMON,
	[BYTES] = {"env_bytes", 0, "SIZE", NULL, NULL, "what they may take, in place of the service's setting"},
	[COUNT] = {"env_count", 0, "N", NULL, NULL, "how many there may be; 0: none but pinned ones and those in use"},
};
#define STATUS "Exit status: 0; 1 there is no such environment; 2 wrong words; 3 the builder is not to be had."

static const struct cuv_usage list_usage = {
	.command = "env list",
	.operands = "",
	.about = "Prints the environments of the store, the latest used first: digest, packages, size of all that it "
		 "uses,\nsize of what only it uses, uses, last use, `pinned`.",
	.more = STATUS,
	.options = common,
	.n_options = ARRAY_SIZE(common),
	.dotenv = true,
	.mixed = true,
};
static const struct cuv_usage gc_usage = {
	.command = "env gc",
	.operands = "",
	.about =
		"Evicts the longest unused environments until the budget is kept (that of the running service; without "
		"one:\nnone), then deletes what nobody needs any more. Pinned ones stay, and those in use.",
	.more = STATUS,
	.options = gc_options,
	.n_options = ARRAY_SIZE(gc_options),
	.dotenv = true,
	.mixed = true,
};
static const struct cuv_usage pin_usage = {
	.command = "env pin",
	.operands = "DIGEST...",
	.about = "Keeps these environments from being evicted, whatever the budget.",
	.more = STATUS,
	.options = common,
	.n_options = ARRAY_SIZE(common),
	.dotenv = true,
	.mixed = true,
};
static const struct cuv_usage unpin_usage = {
	.command = "env unpin",
	.operands = "DIGEST...",
	.about = "Lets these environments be evicted again when they are the longest unused.",
	.more = STATUS,
	.options = common,
	.n_options = ARRAY_SIZE(common),
	.dotenv = true,
	.mixed = true,
};

/* The chore's answer, printed with --json; else by the function. */
static int do_chore(const struct cuv_values *v, const struct cuv_chore_ask *ask, void (*print)(const json_t *answer))
{
	struct cuv_env_peer peer = CUV_ENV_PEER_INIT;
	struct cuv_error err = CUV_ERROR_INIT;
	json_t *answer = NULL;
	int status;

	if (cuv_env_peer_open(&peer, v->value[STATE].text, &err) == 0)
		answer = cuv_env_peer_chore(&peer, ask, -1, &err);
	if (!answer)
		status = cuv_env_fail(&err, NULL);
	else if (v->value[JSON].text)
		cuv_env_print_json(answer), status = CUV_EXIT_OK;
	else
		print(answer), status = CUV_EXIT_OK;
	json_decref(answer);
	cuv_env_peer_close(&peer);
	return status;
}

static json_int_t number_of(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "?";
}

static const char *size_of(const json_t *object, const char *key, char ret[CUV_ENV_SIZE_SIZE])
{
	return cuv_env_size((uint64_t)number_of(object, key), ret);
}

/* --- list --- */

static void print_totals(const json_t *answer)
{
	char bytes[CUV_ENV_SIZE_SIZE], store[CUV_ENV_SIZE_SIZE], budget[CUV_ENV_SIZE_SIZE];
	json_int_t n = number_of(answer, "count");

	printf("%" JSON_INTEGER_FORMAT " environment%s, %s; the store without image and tools: %s", n,
	       n == 1 ? "" : "s", size_of(answer, "bytes", bytes), size_of(answer, "store_bytes", store));
	if (number_of(answer, "budget_bytes"))
		printf(" of %s", size_of(answer, "budget_bytes", budget));
	putchar('\n');
}

static void print_list(const json_t *answer)
{
	const json_t *e;
	size_t i;

	json_array_foreach(json_object_get(answer, "environments"), i, e)
	{
		char bytes[CUV_ENV_SIZE_SIZE], own[CUV_ENV_SIZE_SIZE];

		if (i == 0)
			printf("%-32s %8s %9s %9s %8s  %-20s\n", "DIGEST", "PACKAGES", "SIZE", "OWN", "USES", "USED");
		printf("%-32s %8" JSON_INTEGER_FORMAT " %9s %9s %8" JSON_INTEGER_FORMAT "  %-20s%s\n",
		       text_of(e, "digest"), number_of(e, "packages"), size_of(e, "bytes", bytes),
		       size_of(e, "own_bytes", own), number_of(e, "uses"), text_of(e, "used"),
		       json_is_true(json_object_get(e, "pinned")) ? "  pinned" : "");
	}
	print_totals(answer);
}

static enum cuv_parsed parse(const struct cuv_usage *usage, int argc, char **argv, int least, int most,
			     struct cuv_values *ret)
{
	enum cuv_parsed parsed = cuv_options_parse(usage, argc, argv, ret);

	if (parsed == CUV_PARSED_GO && !cuv_env_digests(usage->command, ret, least, most))
		return CUV_PARSED_USAGE;
	return parsed;
}

#define EXIT_OF(parsed) ((parsed) == CUV_PARSED_HELP ? CUV_EXIT_OK : CUV_EXIT_USAGE)

int cuv_env_list(int argc, char **argv)
{
	_cleanup_values_ struct cuv_values v = CUV_VALUES_INIT;
	enum cuv_parsed parsed = parse(&list_usage, argc, argv, 0, 0, &v);
	struct cuv_chore_ask ask = CUV_CHORE_ASK_INIT;

	ask.verb = CUV_CHORE_LIST;
	return parsed == CUV_PARSED_GO ? do_chore(&v, &ask, print_list) : EXIT_OF(parsed);
}

/* --- gc --- */

static void print_gc(const json_t *answer)
{
	char freed[CUV_ENV_SIZE_SIZE];
	json_int_t in_use = number_of(answer, "in_use"), pinned = number_of(answer, "pinned"),
		   locks = number_of(answer, "locks");

	printf("%" JSON_INTEGER_FORMAT " evicted, %s freed\n", number_of(answer, "evicted"),
	       size_of(answer, "freed_bytes", freed));
	if (locks)
		printf("%" JSON_INTEGER_FORMAT " %s without an environment forgotten\n", locks,
		       locks == 1 ? "lock" : "locks");
	if (in_use)
		printf("%" JSON_INTEGER_FORMAT " would have gone but %s in use\n", in_use, in_use == 1 ? "is" : "are");
	if (pinned)
		printf("%" JSON_INTEGER_FORMAT " would have gone but %s pinned\n", pinned, pinned == 1 ? "is" : "are");
	if (!json_is_true(json_object_get(answer, "collected")))
		puts("nothing was deleted: environments are being made; try again");
	print_totals(answer);
}

int cuv_env_gc(int argc, char **argv)
{
	_cleanup_values_ struct cuv_values v = CUV_VALUES_INIT;
	enum cuv_parsed parsed = parse(&gc_usage, argc, argv, 0, 0, &v);
	struct cuv_chore_ask ask = CUV_CHORE_ASK_INIT;

	ask.verb = CUV_CHORE_GC;
	if (parsed != CUV_PARSED_GO)
		return EXIT_OF(parsed);
	if (v.value[BYTES].text && cuv_parse_size(v.value[BYTES].text, INT64_MAX, &ask.bytes) < 0) {
		cuv_say("--env-bytes: %s is not a size such as 20GiB", v.value[BYTES].text);
		return CUV_EXIT_USAGE;
	}
	if (v.value[COUNT].text && cuv_parse_u64(v.value[COUNT].text, INT64_MAX, &ask.count) < 0) {
		cuv_say("--env-count: %s is not a number", v.value[COUNT].text);
		return CUV_EXIT_USAGE;
	}
	return do_chore(&v, &ask, print_gc);
}

/* --- pins --- */

static void print_nothing(const json_t *answer)
{
	(void)answer;
}

static int pin(const struct cuv_usage *usage, enum cuv_chore_verb verb, int argc, char **argv)
{
	_cleanup_values_ struct cuv_values v = CUV_VALUES_INIT;
	_cleanup_chore_ask_ struct cuv_chore_ask ask = CUV_CHORE_ASK_INIT;
	enum cuv_parsed parsed = parse(usage, argc, argv, 1, CUV_CHORE_DIGESTS_MAX, &v);

	if (parsed != CUV_PARSED_GO)
		return EXIT_OF(parsed);
	ask.verb = verb;
	for (int i = 0; i < v.n_operands; i++)
		if (cuv_strv_add(&ask.digests, v.operands[i]) < 0)
			return CUV_EXIT_FAILED;
	return do_chore(&v, &ask, print_nothing);
}

int cuv_env_pin(int argc, char **argv)
{
	return pin(&pin_usage, CUV_CHORE_PIN, argc, argv);
}

int cuv_env_unpin(int argc, char **argv)
{
	return pin(&unpin_usage, CUV_CHORE_UNPIN, argc, argv);
}
