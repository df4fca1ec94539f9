/* SPDX-License-Identifier: MIT */
/*
 * lookup: what a known environment costs the builder's process, without its socket.
 *
 *   lookup STATE DIGEST N
 *
 * Run by the store's owner. Prints N times in microseconds for each of two ways, as
 * {"disk": [...], "memory": [...]}: its link and manifest read, as for the first
 * request after a start; and out of the table of those asked for last. Both with the
 * request's key, and a lease taken and given back.
 */
#include "lib/base/clock.h"
#include "nixenv/builder/cache.h"
#include "nixenv/builder/uses.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#define TIMES_MAX 100000

static struct cuv_builder builder = {.launcher = -1};

static _noreturn_ void die(const char *what)
{
	fprintf(stderr, "lookup: %s\n", what);
	exit(1);
}

/* Microseconds for one. */
static double look_up(struct cuv_uses *uses, struct cuv_cache *cache, const struct cuv_env_ask *ask, bool forget)
{
	_cleanup_environment_ struct cuv_environment e = CUV_ENVIRONMENT_INIT;
	char store_name[CUV_STORE_NAME_SIZE];
	const struct cuv_environment *known;
	struct cuv_key key;
	uint64_t start;
	int lease;

	cuv_index_key(&builder, ask, "", 0, &key);
	if (forget)
		cuv_cache_drop_ready(cache, &key);
	start = cuv_now_ns();
	cuv_index_key(&builder, ask, "", 0, &key);
	known = cuv_cache_ready(cache, &key);
	if (!known) {
		cuv_index_store_name(ask->digest, store_name);
		if (cuv_index_load(&builder, store_name, &e) != 0)
			die("no such environment");
		known = cuv_cache_take_ready(cache, &key, &e);
	}
	lease = cuv_uses_take(uses, known->store_name);
	if (lease < 0)
		die("no lease");
	(void)close(lease);
	return (double)(cuv_now_ns() - start) / 1000;
}

int main(int argc, char **argv)
{
	struct cuv_env_ask ask = {.source = CUV_ENV_DIGEST, .exclude_s = 1};
	json_auto_t *disk = json_array(), *memory = json_array();
	struct cuv_cache *cache = cuv_cache_new();
	struct cuv_error err = CUV_ERROR_INIT;
	struct cuv_uses *uses;
	unsigned long n;

	if (argc != 4 || strlen(argv[2]) >= sizeof(ask.digest) || (n = strtoul(argv[3], NULL, 10)) > TIMES_MAX)
		die("usage: lookup STATE DIGEST N");
	memcpy(ask.digest, argv[2], strlen(argv[2]));
	if (cuv_builder_state_open(argv[1], &builder.state, &err) < 0 || cuv_pins_read(&builder.pins, &err) < 0)
		die(err.message);
	(void)snprintf(ask.python, sizeof(ask.python), "%s", builder.pins.pythons[0].python->version);
	uses = cuv_uses_new(&builder);
	for (unsigned long i = 0; i < n; i++)
		json_array_append_new(disk, json_real(look_up(uses, cache, &ask, true)));
	for (unsigned long i = 0; i < n; i++)
		json_array_append_new(memory, json_real(look_up(uses, cache, &ask, false)));
	(void)cuv_uses_free(uses);
	(void)cuv_cache_free(cache);
	printf("{\"disk\": ");
	(void)json_dumpf(disk, stdout, JSON_REAL_PRECISION(6));
	printf(", \"memory\": ");
	(void)json_dumpf(memory, stdout, JSON_REAL_PRECISION(6));
	printf("}\n");
	return 0;
}
