/* SPDX-License-Identifier: MIT */
/* A database of a test's own, in a folder that goes with it. */
#ifndef CUV_TEST_STORE_H
#define CUV_TEST_STORE_H

#include "manager/store.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char folder[] = "/tmp/cuvette-store-XXXXXX";
static struct cuv_store *store; /* who closes it opens it again */

/* *state is the store, too. */
static int set_up(void **state)
{
	struct cuv_error why;

	memcpy(folder + sizeof(folder) - 7, "XXXXXX", 6);
	if (!mkdtemp(folder) || cuv_store_open(folder, &store, &why) < 0)
		return -1;
	*state = store;
	return 0;
}

static int tear_down(void **state)
{
	static const char *const names[] = {"service.db", "service.db-wal", "service.db-shm", "files.data"};
	char path[96];

	(void)state;
	cuv_store_close(&store);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
		(void)unlink(path);
	}
	return rmdir(folder);
}

#define WITH_STORE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif
