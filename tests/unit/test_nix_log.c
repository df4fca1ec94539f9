/* SPDX-License-Identifier: MIT */
/* Which kind of failure Nix's messages mean, and that a wheel's text has no say. */
#include "nixenv/builder/nix_log.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static enum cuv_error_code code_of(const char *text, char *ret_message, size_t size)
{
	struct cuv_error err = CUV_ERROR_INIT;
	struct cuv_nix_log l;

	cuv_nix_log_init(&l);
	(void)cuv_nix_log_feed(&l, text, strlen(text));
	assert_int_equal(cuv_nix_log_error(&l, &err), -EINVAL);
	cuv_nix_log_done(&l);
	if (ret_message)
		cuv_error_copy_text(ret_message, size, err.message, strlen(err.message));
	return err.code;
}

#define MESSAGE(text) "@nix {\"action\":\"msg\",\"level\":0,\"msg\":\"" text "\"}\n"
#define LOG_LINE(text) "@nix {\"action\":\"result\",\"id\":1,\"type\":101,\"fields\":[\"" text "\"]}\n"

static void kinds(void **state)
{
	char message[256];

	(void)state;
	assert_int_equal(code_of("", NULL, 0), CUV_E_INTERNAL);
	assert_int_equal(code_of(MESSAGE("error: writing to file: No space left on device"), NULL, 0), CUV_E_NO_SPACE);
	assert_int_equal(code_of("error: database or disk is full\n", NULL, 0), CUV_E_NO_SPACE);
	assert_int_equal(code_of(MESSAGE("error: unable to fork: Resource temporarily unavailable"), NULL, 0),
			 CUV_E_NO_PROCESSES);
	assert_int_equal(code_of(MESSAGE("error: mapping: Cannot allocate memory"), NULL, 0), CUV_E_NO_MEMORY);
	assert_int_equal(code_of(MESSAGE("error: building of 'x' timed out after 5 seconds"), NULL, 0),
			 CUV_E_BUILD_TIMEOUT);
	assert_int_equal(code_of(MESSAGE("error: builder for 'x' failed with exit code 1"), NULL, 0),
			 CUV_E_BUILD_FAILED);
	assert_int_equal(code_of(LOG_LINE("cuvette: it is cut off"), message, sizeof(message)), CUV_E_BUILD_FAILED);
	assert_string_equal(message, "it is cut off");
}

static void text_of_a_wheel_decides_nothing(void **state)
{
	(void)state;
	assert_int_equal(code_of(LOG_LINE("No space left on device") LOG_LINE("timed out after"), NULL, 0),
			 CUV_E_INTERNAL);
	assert_int_equal(code_of(MESSAGE("error: builder for 'x' failed with exit code 1;\\n last 2 log lines:\\n > "
					 "No space left on device\\n > timed out after"),
				 NULL, 0),
			 CUV_E_BUILD_FAILED);
}

static void lines_may_come_in_pieces(void **state)
{
	static const char text[] = MESSAGE("error: builder for 'x' failed") "@nix not json\n@nix {}\n";
	struct cuv_error err = CUV_ERROR_INIT;
	struct cuv_nix_log l;

	(void)state;
	cuv_nix_log_init(&l);
	for (size_t i = 0; i < strlen(text); i++)
		(void)cuv_nix_log_feed(&l, text + i, 1);
	(void)cuv_nix_log_error(&l, &err);
	cuv_nix_log_done(&l);
	assert_int_equal(err.code, CUV_E_BUILD_FAILED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(kinds),
		cmocka_unit_test(text_of_a_wheel_decides_nothing),
		cmocka_unit_test(lines_may_come_in_pieces),
	};

	return cmocka_run_group_tests_name("nix_log", tests, NULL, NULL);
}
