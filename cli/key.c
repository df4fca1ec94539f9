/* SPDX-License-Identifier: MIT */
/*
 * cuvette key: API keys. They are in the manager's folder, so root works there as the
 * manager's user: whatever that could have left in it costs nobody but itself.
 */
#include "cli/command.h"
#include "cli/env.h"
#include "cli/options.h"
#include "cli/state.h"
#include "lib/base/clock.h"
#include "lib/base/ids.h"
#include "lib/base/parse.h"
#include "manager/keys.h"

#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { STATE, JSON, NAME, SCOPES, RATE, CONCURRENCY, QUOTA };
#define COMMON                                                                                                         \
	[STATE] = {"state", 's', "DIR", "CUVETTE_STATE", NULL, "the state folder"}, [JSON] = {"json", 0,               \
											      NULL,   NULL,            \
											      NULL,   "print JSON"}
static const struct cuv_option common[] = {COMMON};
static const struct cuv_option create_options[] = {
	COMMON,
	[NAME] = {"name", 'n', "NAME", NULL, NULL, "whose key it is, for lists and for revoking it"},
	[SCOPES] = {"scope", 0, "S,S", NULL, "run,environments",
		    "what it may do: run, environments, admin (how the service is doing)"},
	[RATE] = {"rate", 0, "N", NULL, "0", "runs a minute, 0: no bound"},
	[CONCURRENCY] = {"concurrency", 0, "N", NULL, "0", "runs at once, 0: no bound"},
	[QUOTA] = {"quota", 0, "N", NULL, "0", "runs a day (UTC), 0: no bound"},
};
#define STATUS "Exit status: 0; 1 there is no such key; 2 wrong words; 3 the keys can't be read or written."
static const struct cuv_usage create_usage = {
	.command = "key create",
	.operands = "",
	.about = "Makes an API key and prints it: this once, since only a hash of it is kept. A service that runs\n"
		 "knows it within a second; from then on it serves nobody without a key.",
	.more = STATUS,
	.options = create_options,
	.n_options = ARRAY_SIZE(create_options),
	.dotenv = true,
	.mixed = true,
};
static const struct cuv_usage list_usage = {
	.command = "key list",
	.operands = "",
	.about = "Prints id, name, scopes and bounds of each key, and when it was made or revoked.",
	.more = STATUS,
	.options = common,
	.n_options = ARRAY_SIZE(common),
	.dotenv = true,
	.mixed = true,
};
static const struct cuv_usage revoke_usage = {
	.command = "key revoke",
	.operands = "KEY...",
	.about = "Ends keys, by name or id. A service that runs refuses them within a second.",
	.more = STATUS,
	.options = common,
	.n_options = ARRAY_SIZE(common),
	.dotenv = true,
	.mixed = true,
};

static int become_manager(struct cuv_error *err)
{
	if (setgroups(0, NULL) == 0 && setresgid(CUV_MANAGER_UID, CUV_MANAGER_UID, CUV_MANAGER_UID) == 0 &&
	    setresuid(CUV_MANAGER_UID, CUV_MANAGER_UID, CUV_MANAGER_UID) == 0)
		return 0;
	return cuv_error_set(err, CUV_E_UNAVAILABLE, "the manager's user id can't be taken: %s", strerror(errno));
}

static int open_keys(const struct cuv_values *v, struct cuv_store **ret, struct cuv_error *err)
{
	_cleanup_state_ struct cuv_state state = CUV_STATE_INIT;
	int r = cuv_state_open(v->value[STATE].text, &state, err);

	if (r == 0 && state.root)
		r = become_manager(err);
	(void)umask(0077);
	return r < 0 ? r : cuv_store_open(state.manager, ret, err);
}

static int fail(const struct cuv_error *err)
{
	cuv_say("%s", err->message);
	if (err->code == CUV_E_NOT_FOUND)
		return CUV_EXIT_FAILED;
	return cuv_error_http_status(err->code) >= 500 ? CUV_EXIT_UNAVAILABLE : CUV_EXIT_USAGE;
}

/* --- create --- */

static int read_number(const struct cuv_values *v, int option, uint32_t *ret, struct cuv_error *err)
{
	uint64_t n;

	if (cuv_parse_u64(v->value[option].text, UINT32_MAX, &n) < 0)
		return cuv_error_set(err, CUV_E_FIELD_INVALID, "%s: %s is not a number", create_options[option].name,
				     v->value[option].text);
	*ret = (uint32_t)n;
	return 0;
}

static int read_key(const struct cuv_values *v, struct cuv_key_info *k, struct cuv_error *err)
{
	int scopes = cuv_scopes_read(v->value[SCOPES].text);

	*k = (struct cuv_key_info){0};
	if (v->n_operands > 0)
		return cuv_error_set(err, CUV_E_FIELD_INVALID, "key create takes options only, not `%s`",
				     v->operands[0]);
	if (!v->value[NAME].text || !cuv_key_name_valid(v->value[NAME].text))
		return cuv_error_set(err, CUV_E_FIELD_INVALID,
				     "--name: give the key a name, 1 to %d of the characters A-Z a-z 0-9 . _ - @ +",
				     CUV_KEY_NAME_SIZE - 1);
	if (scopes < 0)
		return cuv_error_set(err, CUV_E_FIELD_INVALID, "--scope: `%s` is no list of run, environments, admin",
				     v->value[SCOPES].text);
	(void)snprintf(k->name, sizeof(k->name), "%s", v->value[NAME].text);
	k->scopes = (unsigned)scopes;
	if (read_number(v, RATE, &k->rate, err) < 0 || read_number(v, CONCURRENCY, &k->concurrency, err) < 0)
		return -EINVAL;
	return read_number(v, QUOTA, &k->quota, err);
}

static json_t *describe(const struct cuv_key_info *k)
{
	char scopes[CUV_SCOPES_SIZE], made[CUV_RFC3339_SIZE], revoked[CUV_RFC3339_SIZE];

	cuv_scopes_text(k->scopes, scopes);
	cuv_format_rfc3339(k->made_s, made);
	cuv_format_rfc3339(k->revoked_s, revoked);
	return json_pack("{s:s, s:s, s:s, s:I, s:I, s:I, s:s, s:s?}", "id", k->id, "name", k->name, "scopes", scopes,
			 "rate", (json_int_t)k->rate, "concurrency", (json_int_t)k->concurrency, "quota",
			 (json_int_t)k->quota, "made", made, "revoked", k->revoked_s ? revoked : NULL);
}

static int create(const struct cuv_values *v)
{
	_cleanup_store_ struct cuv_store *store = NULL;
	struct cuv_error err = CUV_ERROR_INIT;
	struct cuv_key_info k;
	char text[CUV_KEY_TEXT_SIZE];

	if (read_key(v, &k, &err) < 0 || open_keys(v, &store, &err) < 0 ||
	    cuv_keys_make(store, cuv_wall_s(), &k, text, &err) < 0)
		return fail(&err);
	if (v->value[JSON].text) {
		json_t *j = describe(&k);

		(void)json_object_set_new(j, "key", json_string(text));
		cuv_env_print_json(j);
		json_decref(j);
	} else {
		puts(text);
	}
	return CUV_EXIT_OK;
}

/* --- list --- */

static int add_key(void *arg, const struct cuv_key_info *k)
{
	(void)json_array_append_new(arg, describe(k));
	return 0;
}

static void bound(uint32_t n, const char *what)
{
	if (n)
		printf(", %u %s", n, what);
}

static int print_key(void *arg, const struct cuv_key_info *k)
{
	char scopes[CUV_SCOPES_SIZE], when[CUV_RFC3339_SIZE];

	(void)arg;
	cuv_scopes_text(k->scopes, scopes);
	cuv_format_rfc3339(k->revoked_s ? k->revoked_s : k->made_s, when);
	printf("%s  %-24s %s %s  %s", k->id, k->name, k->revoked_s ? "revoked" : "made   ", when, scopes);
	bound(k->rate, "a minute");
	bound(k->concurrency, "at once");
	bound(k->quota, "a day");
	putchar('\n');
	return 0;
}

static int list_all(const struct cuv_values *v)
{
	_cleanup_store_ struct cuv_store *store = NULL;
	struct cuv_error err = CUV_ERROR_INIT;
	json_t *all;
	int r;

	if (v->n_operands > 0)
		cuv_error_set(&err, CUV_E_FIELD_INVALID, "key list takes options only, not `%s`", v->operands[0]);
	if (v->n_operands > 0 || open_keys(v, &store, &err) < 0)
		return fail(&err);
	if (!v->value[JSON].text)
		return cuv_keys_each(store, print_key, NULL, &err) < 0 ? fail(&err) : CUV_EXIT_OK;
	all = json_array();
	r = cuv_keys_each(store, add_key, all, &err);
	if (r == 0)
		cuv_env_print_json(all);
	json_decref(all);
	return r < 0 ? fail(&err) : CUV_EXIT_OK;
}

/* --- revoke --- */

static int revoke_all(const struct cuv_values *v)
{
	_cleanup_store_ struct cuv_store *store = NULL;
	struct cuv_error err = CUV_ERROR_INIT;
	int status = CUV_EXIT_OK;

	if (v->n_operands == 0)
		cuv_error_set(&err, CUV_E_FIELD_INVALID, "key revoke: which one? `cuvette key list` has their names");
	if (v->n_operands == 0 || open_keys(v, &store, &err) < 0)
		return fail(&err);
	for (int i = 0; i < v->n_operands; i++)
		if (cuv_keys_revoke(store, v->operands[i], cuv_wall_s(), &err) < 0) {
			int one = fail(&err);

			status = CUV_MAX(status, one);
		}
	return status;
}

static const struct {
	const char *name;
	const struct cuv_usage *usage;
	int (*run)(const struct cuv_values *v);
	const char *text;
} commands[] = {
	{"create", &create_usage, create, "make a key and print it"},
	{"list", &list_usage, list_all, "which there are, and what they may do"},
	{"revoke", &revoke_usage, revoke_all, "end keys"},
};

static void print_help(FILE *to)
{
	fputs("Usage: cuvette key COMMAND [OPTIONS]\n\nThe API keys of a service; it may run meanwhile.\n\n", to);
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		fprintf(to, "  %-8s %s\n", commands[i].name, commands[i].text);
	fputs("\n`cuvette key COMMAND --help` tells a command's options.\n", to);
}

int cuv_cmd_key(int argc, char **argv)
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
		if (strcmp(argv[1], commands[i].name) == 0) {
			_cleanup_values_ struct cuv_values v = CUV_VALUES_INIT;
			enum cuv_parsed parsed = cuv_options_parse(commands[i].usage, argc - 1, argv + 1, &v);

			if (parsed != CUV_PARSED_GO)
				return parsed == CUV_PARSED_HELP ? CUV_EXIT_OK : CUV_EXIT_USAGE;
			return commands[i].run(&v);
		}
	cuv_say("key: there is no command '%s'; `cuvette key --help` lists them", argv[1]);
	return CUV_EXIT_USAGE;
}
