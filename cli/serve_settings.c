/* SPDX-License-Identifier: MIT */
#include "cli/serve_settings.h"

#include "cli/command.h"
#include "cli/state.h"
#include "lib/base/ids.h"
#include "lib/base/parse.h"
#include "lib/proto/messages.h"
#include "manager/origins.h"
#include "nixenv/pylock_kinds.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define BOXES_MAX 512
#define CLIENTS_MAX 4096
#define ZYGOTES_MAX 64
#define LINT_SERVERS_MAX 2
#define RUNS_QUEUE_MAX 100000
#define RUNS_AT_ONCE_MAX 64
#define POOL_MAX 16

enum {
	LISTEN,
	PORT,
	LISTEN_UNIX,
	UNIX_MODE,
	UNIX_OWNER,
	STATE,
	KEY,
	DEGRADED,
	BOXES,
	CLIENTS,
	REQUESTS,
	DRAIN,
	MEMORY,
	PROCESSES,
	ENV_BYTES,
	ENV_COUNT,
	SHARING,
	LINT_SERVERS,
	RUNS_QUEUE,
	RUNS_AT_ONCE,
	ZYGOTES,
	ZYGOTE_MEMORY,
	ZYGOTE_RUNS,
	ZYGOTE_AGE,
	POOL,
	FAVORDYNMODS,
	LOG,
	SDIST,
	LOCK_KINDS,
	WHEELHOUSE,
	SHARE,
	ORIGINS,
	PREWARM,
	JOBE_ENV,
	LIMITS,
	LIMITS_LAST = LIMITS + _CUV_PROFILE_MAX - 1,
	CHECK
};

/* clang-format off */
static const struct cuv_option options[] = {
	[LISTEN] = {"listen", 'l', "ADDR:PORT", "CUVETTE_LISTEN", "127.0.0.1:8000",
		    "IPv4 address and port, port 0: any"},
	[PORT] = {"port", 'p', "PORT", "PORT", NULL, "the port alone"},
	[LISTEN_UNIX] = {"listen_unix", 0, "PATH", "CUVETTE_LISTEN_UNIX", NULL,
			 "a Unix socket besides, for a proxy on this machine; needs a key"},
	[UNIX_MODE] = {"unix_mode", 0, "MODE", "CUVETTE_UNIX_MODE", "0660", "its mode"},
	[UNIX_OWNER] = {"unix_owner", 0, "USER:GROUP", "CUVETTE_UNIX_OWNER", NULL,
			"its owner: USER, USER:GROUP or :GROUP"},
	[STATE] = {"state", 's', "DIR", "CUVETTE_STATE", NULL,
		   "state folder; root's is /var/lib/cuvette, a user's is in ~/.local/state"},
	[KEY] = {"api_key", CUV_NO_FLAG, NULL, "API_KEY", NULL,
		 "a key that clients may send, besides those of `cuvette key`"},
	[DEGRADED] = {"allow_degraded", 0, "L,L", "CUVETTE_ALLOW_DEGRADED", NULL,
		      "start although these layers of isolation are missing"},
	[BOXES] = {"boxes", 0, "N", "CUVETTE_BOXES", NULL, "runs at the same time; default: by the CPUs"},
	[CLIENTS] = {"clients", 0, "N", "CUVETTE_CLIENTS", NULL, "connections at the same time"},
	[REQUESTS] = {"request_memory", 0, "SIZE", "CUVETTE_REQUEST_MEMORY", NULL,
		      "memory that all requests together may hold"},
	[DRAIN] = {"drain_timeout", 0, "S", "CUVETTE_DRAIN_TIMEOUT", "30",
		   "seconds that requests get to finish on SIGTERM"},
	[MEMORY] = {"builder_memory", 0, "SIZE", "CUVETTE_BUILDER_MEMORY", "4GiB",
		    "memory of all resolving and building together"},
	[PROCESSES] = {"builder_processes", 0, "N", "CUVETTE_BUILDER_PROCESSES", "512",
		       "processes of all resolving and building together"},
	[ENV_BYTES] = {"env_bytes", 0, "SIZE", "CUVETTE_ENV_BYTES", "20GiB",
		       "what environments may take; the longest unused go first; 0: no bound"},
	[ENV_COUNT] = {"env_count", 0, "N", "CUVETTE_ENV_COUNT", "10000", "how many there may be, 0: no bound"},
	[SHARING] = {"zygote_sharing", 0, "HOW", "ZYGOTE_SHARING", "tenant",
		     "who shares the processes that runs are forked from: tenant, environment or none"},
	[ZYGOTES] = {"zygotes", 0, "N", "ZYGOTES", "16", "as many of them at the same time, 0: none"},
	[ZYGOTE_MEMORY] = {"zygote_memory", 0, "SIZE", "ZYGOTE_MEMORY", "512MiB", "memory of all of them together"},
	[ZYGOTE_RUNS] = {"zygote_runs", 0, "N", "ZYGOTE_RUNS", "5000", "runs after which one is made anew"},
	[ZYGOTE_AGE] = {"zygote_age", 0, "S", "ZYGOTE_AGE", "3600", "seconds after which one is made anew"},
	[POOL] = {"pool", 0, "N", "POOL", "2", "runs of each that wait ready in their boxes, 0: none"},
	[FAVORDYNMODS] = {"favordynmods", 0, "0|1", "FAVORDYNMODS", "1",
			  "as root: processes enter control groups without delay, on the whole machine"},
	[LINT_SERVERS] = {"lint_servers", 0, "N", "LINT_SERVERS", "2",
			  "ruffs that are kept for format and lint, at most 2; 0: one is started for each request"},
	[RUNS_QUEUE] = {"runs_queue", 0, "N", "RUNS_QUEUE", "1000",
			"runs of each client that may wait to be answered later (mode=async)"},
	[RUNS_AT_ONCE] = {"runs_at_once", 0, "N", "RUNS_AT_ONCE", "8", "as many of these are under way"},
	[SDIST] = {"allow_sdist", 0, "0|1", "ALLOW_SDIST", "1",
		   "0: packages without a wheel that fits are refused, not built"},
	[LOCK_KINDS] = {"lock_kinds", 0, "K,K", "CUVETTE_LOCK_KINDS", NULL,
			"kinds of entries of locks that are taken, too: vcs, archive, path"},
	[WHEELHOUSE] = {"wheelhouse", 0, "DIR", "CUVETTE_WHEELHOUSE", NULL,
			"folder of wheels and sources of your own, for locks with files of the kind path"},
	[SHARE] = {"cache_share", 0, "0|1", "CACHE_SHARE", "0",
		   "1: be a signed Nix binary cache for what is public, behind a key"},
	[ORIGINS] = {"allowed_origins", 0, "URL,URL", "ALLOWED_ORIGINS", NULL,
		     "web pages that may use POST /execute, as https://site.example; others may not"},
	[PREWARM] = {"prewarm", 0, "0|1", "PREWARM", "0",
		     "1: make the environment of scripts with main() at start, not when it is first needed"},
	[JOBE_ENV] = {"jobe_env", 0, "DIGEST", "JOBE_ENV", NULL,
		      "environment of Jobe's programs that have no header of their own; none: no packages"},
	[LIMITS + CUV_PROFILE_AGENT] = {"limits_agent", 0, "LIST", "LIMITS_AGENT", NULL,
					"limits of POST /api/v1/execute, as timeout=5,memory=512MiB"},
	[LIMITS + CUV_PROFILE_LEARN] = {"limits_pylearn", 0, "LIST", "LIMITS_PYLEARN", NULL,
					"the same of POST /execute with test cases"},
	[LIMITS + CUV_PROFILE_MAIN] = {"limits_main", 0, "LIST", "LIMITS_MAIN", NULL,
				       "the same of POST /execute with a script"},
	[LIMITS + CUV_PROFILE_SESSIONS] = {"limits_sessions", 0, "LIST", "LIMITS_SESSIONS", NULL,
					   "the same of sessions, and what they may keep, as size=32MiB,idle=86400"},
	[LOG] = {"log", 0, "FILE", "CUVETTE_LOG", NULL, "append the log here instead of stderr"},
	[CHECK] = {"check", 0, NULL, NULL, NULL,
		   "print the effective configuration and where each value came from"},
};
/* clang-format on */

static const struct cuv_usage usage = {
	.command = "serve",
	.operands = "",
	.about = "Starts the service and prints one line with its URL when it takes runs. SIGTERM or Ctrl-C lets\n"
		 "requests finish, a second one does not wait.",
	.more = "A value on the command line wins over the environment, that over .env in the working directory.\n"
		"A missing layer of isolation is a reason not to start; `cuvette doctor` tells what to do about it.",
	.options = options,
	.n_options = ARRAY_SIZE(options),
	.dotenv = true,
};

void cuv_serve_settings_done(struct cuv_serve_settings *s)
{
	cuv_values_done(&s->values);
	cuv_strv_done(&s->zygote_args);
}

int cuv_serve_settings_listen(const char *text, char ret_host[16], uint16_t *ret_port, struct cuv_error *err)
{
	const char *colon = strrchr(text, ':');
	size_t len = colon ? (size_t)(colon - text) : 0;
	struct in_addr a;
	char host[16];
	uint64_t port;

	if (len == 0 || len >= sizeof(host) || cuv_parse_u64(colon + 1, UINT16_MAX, &port) < 0)
		return cuv_error_set(err, CUV_E_BAD_REQUEST, "listen: `%s` is not ADDR:PORT, such as 127.0.0.1:8000",
				     text);
	snprintf(host, sizeof(host), "%.*s", (int)len, text);
	if (strcmp(host, "localhost") == 0)
		snprintf(host, sizeof(host), "127.0.0.1");
	if (inet_pton(AF_INET, host, &a) != 1)
		return cuv_error_set(err, CUV_E_BAD_REQUEST, "listen: `%s` is not an IPv4 address", host);
	memcpy(ret_host, host, sizeof(host));
	*ret_port = (uint16_t)port;
	return 0;
}

int cuv_serve_settings_degraded(const char *list, struct cuv_error *err)
{
	while (*list) {
		size_t len = strcspn(list, ",");
		char name[64];
		int layer;

		snprintf(name, sizeof(name), "%.*s", (int)len, list);
		layer = cuv_layer_find(name);
		if (layer < 0)
			return cuv_error_set(err, CUV_E_BAD_REQUEST,
					     "allow-degraded: there is no layer `%s`; `cuvette doctor` lists them",
					     name);
		if (!cuv_layer_degradable((enum cuv_layer)layer))
			return cuv_error_set(err, CUV_E_BAD_REQUEST,
					     "allow-degraded: nothing runs without the layer `%s`", name);
		list += len + (list[len] ? 1 : 0);
	}
	return 0;
}

/* Where both are given, the later source tells the port; with equal ones PORT
 * does, which says nothing about the address. */
static int read_listen(struct cuv_serve_settings *s, struct cuv_error *err)
{
	const struct cuv_value *listen = &s->values.value[LISTEN], *port = &s->values.value[PORT];
	uint64_t number;
	int r = cuv_serve_settings_listen(listen->text, s->host, &s->port, err);

	if (r < 0)
		return r;
	if (port->text && port->source >= listen->source) {
		if (cuv_parse_u64(port->text, UINT16_MAX, &number) < 0)
			return cuv_error_set(err, CUV_E_BAD_REQUEST, "port: %s is not a number up to 65535",
					     port->text);
		s->port = (uint16_t)number;
	}
	snprintf(s->listen, sizeof(s->listen), "%s:%u", s->host, s->port);
	return 0;
}

static int read_lock_kinds(const struct cuv_serve_settings *s, struct cuv_error *err)
{
	unsigned kinds;
	int r = cuv_lock_kinds_read(s->lock_kinds, &kinds, err);

	return r < 0 ? r : cuv_lock_kinds_check(kinds, s->wheelhouse, err);
}

static int read_front(struct cuv_serve_settings *s, struct cuv_error *err)
{
	const struct cuv_value *v = s->values.value;
	const char *path = v[LISTEN_UNIX].text, *owner = v[UNIX_OWNER].text;
	int r = cuv_front_mode(v[UNIX_MODE].text, &s->front.mode, err);

	s->front.uid = (uid_t)-1;
	s->front.gid = (gid_t)-1;
	s->front.path = path && path[0] ? path : NULL;
	if (r == 0 && s->front.path)
		r = cuv_front_path(path, err);
	if (r == 0 && owner && owner[0])
		r = cuv_front_owner(owner, &s->front.uid, &s->front.gid, err);
	return r;
}

static int read_numbers(struct cuv_serve_settings *s, struct cuv_error *err)
{
	const struct cuv_value *v = s->values.value;
	uint64_t boxes, n;

	if (s->clients && (cuv_parse_u64(s->clients, CLIENTS_MAX, &n) < 0 || n < 2))
		return cuv_error_set(err, CUV_E_BAD_REQUEST, "clients: %s is not a number from 2 to %d", s->clients,
				     CLIENTS_MAX);
	if (s->request_memory && (cuv_parse_size(s->request_memory, 1024 * CUV_GIB, &n) < 0 || n < 64 * CUV_MIB))
		return cuv_error_set(err, CUV_E_BAD_REQUEST, "request-memory: %s is not a size of at least 64MiB",
				     s->request_memory);
	if (s->boxes && (cuv_parse_u64(s->boxes, BOXES_MAX, &boxes) < 0 || boxes == 0))
		return cuv_error_set(err, CUV_E_BAD_REQUEST, "boxes: %s is not a number from 1 to %d", s->boxes,
				     BOXES_MAX);
	if (cuv_parse_u64(s->lint_servers, LINT_SERVERS_MAX, &n) < 0)
		return cuv_error_set(err, CUV_E_BAD_REQUEST, "lint-servers: %s is not a number up to %d",
				     s->lint_servers, LINT_SERVERS_MAX);
	if (s->jobe_env && !cuv_env_digest_valid(s->jobe_env))
		return cuv_error_set(err, CUV_E_BAD_REQUEST,
				     "jobe-env: `%s` is not the digest of an environment (`cuvette env list`)",
				     s->jobe_env);
	if (s->origins && !cuv_origins_valid(s->origins))
		return cuv_error_set(
			err, CUV_E_BAD_REQUEST,
			"allowed-origins: `%s` is not a list such as https://a.example,https://b.example:8443",
			s->origins);
	if (cuv_parse_u64(s->runs_queue, RUNS_QUEUE_MAX, &n) < 0 || n == 0)
		return cuv_error_set(err, CUV_E_BAD_REQUEST, "runs-queue: %s is not a number from 1 to %d",
				     s->runs_queue, RUNS_QUEUE_MAX);
	if (cuv_parse_u64(s->runs_at_once, RUNS_AT_ONCE_MAX, &n) < 0 || n == 0)
		return cuv_error_set(err, CUV_E_BAD_REQUEST, "runs-at-once: %s is not a number from 1 to %d",
				     s->runs_at_once, RUNS_AT_ONCE_MAX);
	if (cuv_parse_milli(v[DRAIN].text, 3600 * 1000, &s->drain_ms) < 0)
		return cuv_error_set(err, CUV_E_BAD_REQUEST, "drain-timeout: %s is not a number of seconds up to 3600",
				     v[DRAIN].text);
	if (cuv_parse_size(v[MEMORY].text, UINT64_MAX / 2, &s->builder_memory_bytes) < 0 ||
	    s->builder_memory_bytes < 256 * CUV_MIB)
		return cuv_error_set(err, CUV_E_BAD_REQUEST, "builder-memory: %s is not a size of at least 256MiB",
				     v[MEMORY].text);
	if (cuv_parse_u64(v[PROCESSES].text, 1u << 20, &s->builder_processes) < 0 || s->builder_processes < 32)
		return cuv_error_set(err, CUV_E_BAD_REQUEST, "builder-processes: %s is not a number of at least 32",
				     v[PROCESSES].text);
	if (cuv_parse_size(v[ENV_BYTES].text, INT64_MAX, &s->env_budget.bytes) < 0)
		return cuv_error_set(err, CUV_E_BAD_REQUEST, "env-bytes: %s is not a size", v[ENV_BYTES].text);
	if (cuv_parse_u64(v[ENV_COUNT].text, INT64_MAX, &s->env_budget.count) < 0)
		return cuv_error_set(err, CUV_E_BAD_REQUEST, "env-count: %s is not a number", v[ENV_COUNT].text);
	return 0;
}

/* What the launcher is told about zygotes, in its own options' words. */
static int read_zygotes(struct cuv_serve_settings *s, struct cuv_error *err)
{
	static const struct {
		int option;
		uint64_t least, most;
		const char *what;
	} numbers[] = {{ZYGOTES, 0, ZYGOTES_MAX, "number up to 64"},
		       {ZYGOTE_MEMORY, 16 * CUV_MIB, 1024 * CUV_GIB, "size of at least 16MiB"},
		       {ZYGOTE_RUNS, 1, UINT32_MAX, "number of at least 1"},
		       {ZYGOTE_AGE, 1, 365 * 86400, "number of seconds of at least 1"},
		       {POOL, 0, POOL_MAX, "number up to 16"},
		       {FAVORDYNMODS, 0, 1, "choice: 0 or 1"}};
	const struct cuv_value *v = s->values.value;
	int sharing = cuv_sharing_find(v[SHARING].text), r = 0;
	size_t i;

	if (sharing < 0)
		return cuv_error_set(err, CUV_E_BAD_REQUEST, "zygote-sharing: `%s` is none of " CUV_SHARING_CHOICES,
				     v[SHARING].text);
	s->sharing = (enum cuv_sharing)sharing;
	for (i = 0; r == 0 && i < ARRAY_SIZE(numbers); i++) {
		int option = numbers[i].option;
		const char *text = v[option].text;
		char typed[48];
		uint64_t n;

		cuv_option_typed(options[option].name, typed, sizeof(typed));
		r = option == ZYGOTE_MEMORY ? cuv_parse_size(text, numbers[i].most, &n)
					    : cuv_parse_u64(text, numbers[i].most, &n);
		if (r < 0 || n < numbers[i].least)
			return cuv_error_set(err, CUV_E_BAD_REQUEST, "%s: %s is not a %s", typed, text,
					     numbers[i].what);
		if (option == ZYGOTES && s->sharing == CUV_SHARING_NONE)
			n = 0;
		r = cuv_strv_addf(&s->zygote_args, "--%s", typed);
		if (r == 0)
			r = cuv_strv_addf(&s->zygote_args, "%llu", (unsigned long long)n);
	}
	return r < 0 ? cuv_error_set(err, CUV_E_INTERNAL, "no memory for the settings") : 0;
}

/* Of the dialects; this process has no use for them but to know that they can be read. */
static int read_dialects(struct cuv_serve_settings *s, struct cuv_error *err)
{
	int r = 0;

	for (int i = 0; r == 0 && i < _CUV_PROFILE_MAX; i++) {
		const char *text = s->values.value[LIMITS + i].text;

		s->limits[i] = text && text[0] ? text : NULL;
		if (s->limits[i])
			r = cuv_profile_set((enum cuv_profile)i, s->limits[i], err);
	}
	return r;
}

/* What is either on or off. */
static int read_switches(struct cuv_serve_settings *s, struct cuv_error *err)
{
	static const int switches[] = {SDIST, SHARE, PREWARM};
	const struct cuv_value *v = s->values.value;

	for (size_t i = 0; i < ARRAY_SIZE(switches); i++) {
		const char *text = v[switches[i]].text;
		char typed[48];

		cuv_option_typed(options[switches[i]].name, typed, sizeof(typed));
		if (strcmp(text, "0") != 0 && strcmp(text, "1") != 0)
			return cuv_error_set(err, CUV_E_BAD_REQUEST, "%s: %s is neither 0 nor 1", typed, text);
	}
	s->no_sdists = v[SDIST].text[0] == '0';
	s->share = v[SHARE].text[0] == '1';
	s->prewarm = v[PREWARM].text[0] == '1';
	return 0;
}

enum cuv_parsed cuv_serve_settings_read(int argc, char **argv, struct cuv_serve_settings *ret)
{
	const struct cuv_value *v = ret->values.value;
	struct cuv_error err = CUV_ERROR_INIT;
	enum cuv_parsed parsed;
	int r;

	*ret = (struct cuv_serve_settings){0};
	parsed = cuv_options_parse(&usage, argc, argv, &ret->values);
	if (parsed != CUV_PARSED_GO)
		return parsed;
	if (ret->values.n_operands > 0) {
		cuv_say("serve takes options only, not `%s`", ret->values.operands[0]);
		return CUV_PARSED_USAGE;
	}
	ret->state = v[STATE].text;
	ret->allow_degraded = v[DEGRADED].text ? v[DEGRADED].text : "";
	ret->boxes = v[BOXES].text;
	ret->log = v[LOG].text;
	ret->api_key = v[KEY].text;
	ret->clients = v[CLIENTS].text;
	ret->request_memory = v[REQUESTS].text;
	ret->drain = v[DRAIN].text;
	ret->jobe_env = v[JOBE_ENV].text && v[JOBE_ENV].text[0] ? v[JOBE_ENV].text : NULL;
	ret->origins = v[ORIGINS].text && v[ORIGINS].text[0] ? v[ORIGINS].text : NULL;
	ret->lint_servers = v[LINT_SERVERS].text;
	ret->runs_queue = v[RUNS_QUEUE].text;
	ret->runs_at_once = v[RUNS_AT_ONCE].text;
	ret->check = v[CHECK].text != NULL;
	ret->lock_kinds = v[LOCK_KINDS].text && v[LOCK_KINDS].text[0] ? v[LOCK_KINDS].text : NULL;
	ret->wheelhouse = v[WHEELHOUSE].text && v[WHEELHOUSE].text[0] ? v[WHEELHOUSE].text : NULL;
	r = read_switches(ret, &err);
	if (r == 0)
		r = read_lock_kinds(ret, &err);
	if (r == 0)
		r = read_listen(ret, &err);
	if (r == 0)
		r = read_front(ret, &err);
	if (r == 0)
		r = read_numbers(ret, &err);
	if (r == 0)
		r = read_zygotes(ret, &err);
	if (r == 0)
		r = read_dialects(ret, &err);
	if (r == 0)
		r = cuv_serve_settings_degraded(ret->allow_degraded, &err);
	if (r < 0) {
		cuv_say("%s", err.message);
		return CUV_PARSED_USAGE;
	}
	return CUV_PARSED_GO;
}

static void print_row(const char *name, const char *value, const char *source)
{
	printf("%-20s  %-40s  %s\n", name, value, source);
}

void cuv_serve_settings_print(const struct cuv_serve_settings *s)
{
	const struct cuv_value *v = s->values.value;
	char typed[48], place[256];
	size_t i;

	print_row("setting", "value", "from");
	for (i = 0; i < ARRAY_SIZE(options); i++) {
		const char *text = v[i].text ? v[i].text : "-";
		const char *source = v[i].text ? cuv_source_name(v[i].source) : "not set";

		if (i == CHECK)
			continue;
		if (i == STATE && !v[i].text && cuv_state_default(place, sizeof(place)) == 0) {
			text = place;
			source = cuv_source_name(CUV_FROM_DEFAULT);
		}
		if (options[i].letter == CUV_NO_FLAG && v[i].text)
			text = "(set)";
		cuv_option_typed(options[i].name, typed, sizeof(typed));
		print_row(typed, text, source);
	}
	printf("\nlistens on http://%s%s%s, started as %s\n", s->listen, s->front.path ? " and " : "",
	       s->front.path ? s->front.path : "",
	       cuv_ids_are_root() ? "root: builder, manager and boxes get user ids of their own"
				  : "an ordinary user: all processes run as that user");
}
