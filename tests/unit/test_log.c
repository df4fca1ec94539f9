/* SPDX-License-Identifier: MIT */
/* Lines are read back from a file in stderr's place. */
#include "lib/base/fd.h"
#include "lib/base/log.h"
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <jansson.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static int capture = -1, real_stderr = -1;

static void begin(void)
{
	capture = memfd_create("log", MFD_CLOEXEC);
	real_stderr = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 10);
	assert_true(capture >= 0 && real_stderr >= 0 && dup2(capture, STDERR_FILENO) >= 0);
}

static void end(struct cuv_buf *ret)
{
	dup2(real_stderr, STDERR_FILENO);
	assert_ok(cuv_pread_all(capture, ret));
	close(capture);
	close(real_stderr);
}

TEST(a_line_is_one_json_object)
{
	_cleanup_buf_ struct cuv_buf text = CUV_BUF_INIT(65536);
	json_t *line;

	begin();
	cuv_log_setup("test", CUV_LOG_INFO);
	cuv_log(CUV_LOG_DEBUG, "not-written", CUV_I("n", 1));
	cuv_log(CUV_LOG_WARNING, "event", CUV_S("text", "a\"b\\c\n\x01\x7f\xff\xc3\xa9"), CUV_I("number", -5));
	end(&text);
	assert_int_equal(text.data[text.len - 1], '\n');
	assert_ptr_equal(strchr(text.data, '\n'), text.data + text.len - 1);
	line = json_loads(text.data, 0, NULL);
	assert_non_null(line);
	assert_string_equal(json_string_value(json_object_get(line, "component")), "test");
	assert_string_equal(json_string_value(json_object_get(line, "level")), "warning");
	assert_string_equal(json_string_value(json_object_get(line, "event")), "event");
	assert_string_equal(json_string_value(json_object_get(line, "text")), "a\"b\\c\n\x01\x7f\xef\xbf\xbd\xc3\xa9");
	assert_int_equal(json_integer_value(json_object_get(line, "number")), -5);
	assert_int_equal(strlen(json_string_value(json_object_get(line, "time"))), strlen("2026-11-21T03:28:00.000Z"));
	json_decref(line);
}

TEST(a_long_text_is_cut_and_still_json)
{
	_cleanup_buf_ struct cuv_buf text = CUV_BUF_INIT(65536);
	static char huge[100000];
	json_t *line;

	memset(huge, 'x', sizeof(huge) - 1);
	begin();
	cuv_log_setup("test", CUV_LOG_INFO);
	cuv_log(CUV_LOG_INFO, "long", CUV_S("text", huge), CUV_I("after", 1));
	end(&text);
	line = json_loads(cuv_buf_str(&text), 0, NULL);
	assert_non_null(line);
	assert_int_equal(json_integer_value(json_object_get(line, "after")), 1);
	json_decref(line);
}

static void *write_lines(void *arg)
{
	int i;

	(void)arg;
	for (i = 0; i < 500; i++)
		cuv_log(CUV_LOG_INFO, "thread", CUV_S("text", "some words to make the line longer"), CUV_I("i", i));
	return NULL;
}

TEST(lines_of_threads_do_not_mix)
{
	_cleanup_buf_ struct cuv_buf text = CUV_BUF_INIT(1 << 20);
	pthread_t threads[4];
	char *line, *save = NULL;
	size_t i, lines = 0;

	begin();
	assert_true(fcntl(STDERR_FILENO, F_SETFL, O_APPEND) == 0);
	for (i = 0; i < ARRAY_SIZE(threads); i++)
		assert_ok(pthread_create(&threads[i], NULL, write_lines, NULL));
	for (i = 0; i < ARRAY_SIZE(threads); i++)
		pthread_join(threads[i], NULL);
	end(&text);
	for (line = strtok_r(text.data, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		json_t *j = json_loads(line, 0, NULL);

		assert_non_null(j);
		json_decref(j);
		lines++;
	}
	assert_int_equal(lines, 2000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_is_one_json_object),
		cmocka_unit_test(a_long_text_is_cut_and_still_json),
		cmocka_unit_test(lines_of_threads_do_not_mix),
	};

	return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
