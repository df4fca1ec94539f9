/* SPDX-License-Identifier: MIT */
/* Sessions of a test's own. */
#ifndef CUV_TEST_SESSIONS_H
#define CUV_TEST_SESSIONS_H

#include "manager/backends.h"
#include "manager/sessions.h"
#include "tests/unit/store_test.h"

static struct cuv_backends in;
static struct cuv_sessions *sessions;

static int open_sessions(void **state)
{
	struct cuv_error why;

	if (set_up(state) < 0 || cuv_backends_open_local(store, folder, 100, &in, &why) < 0)
		return -1;
	return cuv_sessions_new(store, in.files, &sessions, &why);
}

static int close_sessions(void **state)
{
	cuv_sessions_free(&sessions);
	cuv_backends_close(&in);
	return tear_down(state);
}

#define WITH_SESSIONS(name) cmocka_unit_test_setup_teardown(name, open_sessions, close_sessions)

#endif
