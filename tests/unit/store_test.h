/* SPDX-License-Identifier: MIT */
/* A database of a test's own, in a folder that goes with it. */
#ifndef CUV_TEST_STORE_H
#define CUV_TEST_STORE_H

#include "manager/store.h"
#include "tests/unit/unit.h"

#include <sqlite3.h>
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

/* The one number that a question has. */
static inline int64_t number_of(const char *sql)
{
	sqlite3_stmt *q = NULL;
	int64_t n;

	assert_int_equal(sqlite3_prepare_v2(cuv_store_take(store), sql, -1, &q, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(q), SQLITE_ROW);
	n = sqlite3_column_int64(q, 0);
	cuv_store_finish(&q);
	cuv_store_give(store);
	return n;
}

#define WITH_STORE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif
