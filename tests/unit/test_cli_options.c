/* SPDX-License-Identifier: MIT */
/* Options: from which place a value comes, and where options end. */
#include "cli/options.h"
#include "cli/serve_settings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { NAME, SWITCH, LONG_NAME, KEY };
static const struct cuv_option options[] = {
	[NAME] = {"name", 'n', "TEXT", "CLI_TEST_NAME", "default", "a name"},
	[SWITCH] = {"switch", 's', NULL, NULL, NULL, "a switch"},
	[LONG_NAME] = {"two_words", 0, "N", NULL, NULL, "another"},
	[KEY] = {"key", CUV_NO_FLAG, NULL, "CLI_TEST_KEY", NULL, "a secret"},
};
static const struct cuv_usage usage = {
	.command = "test",
	.operands = "",
	.about = "",
	.options = options,
	.n_options = ARRAY_SIZE(options),
	.dotenv = true,
};

/* Words into argv, argv[0] first; at most 15 of them. */
#define PARSE(v, ...) parse((v), (const char *[]){"test", __VA_ARGS__, NULL})
static enum cuv_parsed parse(struct cuv_values *v, const char **words)
{
	static char *argv[16];
	int argc = 0;

	while (words[argc]) {
		argv[argc] = (char *)(uintptr_t)words[argc];
		argc++;
	}
	argv[argc] = NULL;
	return cuv_options_parse(&usage, argc, argv, v);
}

static void write_dotenv(const char *text)
{
	int fd = open(".env", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

static void later_sources_win(void **state)
{
	struct cuv_values v;

	(void)state;
	assert_int_equal(PARSE(&v, "x"), CUV_PARSED_GO);
	assert_string_equal(v.value[NAME].text, "default");
	assert_int_equal(v.value[NAME].source, CUV_FROM_DEFAULT);
	cuv_values_done(&v);

	write_dotenv("CLI_TEST_NAME=from file\n");
	assert_int_equal(PARSE(&v, "x"), CUV_PARSED_GO);
	assert_string_equal(v.value[NAME].text, "from file");
	assert_int_equal(v.value[NAME].source, CUV_FROM_DOTENV);
	cuv_values_done(&v);

	setenv("CLI_TEST_NAME", "from environment", 1);
	assert_int_equal(PARSE(&v, "x"), CUV_PARSED_GO);
	assert_string_equal(v.value[NAME].text, "from environment");
	assert_int_equal(v.value[NAME].source, CUV_FROM_ENVIRONMENT);
	cuv_values_done(&v);

	assert_int_equal(PARSE(&v, "--name", "from flag", "x"), CUV_PARSED_GO);
	assert_string_equal(v.value[NAME].text, "from flag");
	assert_int_equal(v.value[NAME].source, CUV_FROM_FLAG);
	cuv_values_done(&v);

	/* An empty variable is one that is not set. */
	setenv("CLI_TEST_NAME", "", 1);
	assert_int_equal(PARSE(&v, "x"), CUV_PARSED_GO);
	assert_string_equal(v.value[NAME].text, "from file");
	cuv_values_done(&v);
	unsetenv("CLI_TEST_NAME");
	unlink(".env");
}

static void options_end_at_the_first_operand(void **state)
{
	struct cuv_values v;

	(void)state;
	assert_int_equal(PARSE(&v, "-s", "main.py", "--name", "theirs", "--help"), CUV_PARSED_GO);
	assert_string_equal(v.value[SWITCH].text, "1");
	assert_string_equal(v.value[NAME].text, "default");
	assert_int_equal(v.n_operands, 4);
	assert_string_equal(v.operands[0], "main.py");
	assert_string_equal(v.operands[1], "--name");
	cuv_values_done(&v);

	assert_int_equal(PARSE(&v, "--", "--name"), CUV_PARSED_GO);
	assert_int_equal(v.n_operands, 1);
	assert_string_equal(v.operands[0], "--name");
	cuv_values_done(&v);
}

static void ways_to_write_one(void **state)
{
	struct cuv_values v;

	(void)state;
	assert_int_equal(PARSE(&v, "--two-words=7", "-nshort"), CUV_PARSED_GO);
	assert_string_equal(v.value[LONG_NAME].text, "7");
	assert_string_equal(v.value[NAME].text, "short");
	cuv_values_done(&v);
}

static void wrong_words(void **state)
{
	struct cuv_values v;

	(void)state;
	assert_int_equal(PARSE(&v, "--no-such"), CUV_PARSED_USAGE);
	assert_int_equal(PARSE(&v, "-z"), CUV_PARSED_USAGE);
	assert_int_equal(PARSE(&v, "--name"), CUV_PARSED_USAGE);
	assert_int_equal(PARSE(&v, "--switch=1"), CUV_PARSED_USAGE);
	assert_int_equal(PARSE(&v, "-h"), CUV_PARSED_HELP);
}

static void a_secret_is_no_option(void **state)
{
	struct cuv_values v;

	(void)state;
	assert_int_equal(PARSE(&v, "--key"), CUV_PARSED_USAGE);
	setenv("CLI_TEST_KEY", "secret", 1);
	assert_int_equal(PARSE(&v, "x"), CUV_PARSED_GO);
	assert_string_equal(v.value[KEY].text, "secret");
	cuv_values_done(&v);
	unsetenv("CLI_TEST_KEY");
}

static void listen_address(void **state)
{
	struct cuv_error err;
	char host[16];
	uint16_t port;

	(void)state;
	assert_int_equal(cuv_serve_settings_listen("127.0.0.1:8000", host, &port, &err), 0);
	assert_string_equal(host, "127.0.0.1");
	assert_int_equal(port, 8000);
	assert_int_equal(cuv_serve_settings_listen("localhost:0", host, &port, &err), 0);
	assert_string_equal(host, "127.0.0.1");
	assert_int_equal(port, 0);
	assert_int_equal(cuv_serve_settings_listen("255.255.255.255:65535", host, &port, &err), 0);
	assert_string_equal(host, "255.255.255.255");
	assert_true(cuv_serve_settings_listen("127.0.0.1", host, &port, &err) < 0);
	assert_true(cuv_serve_settings_listen("127.0.0.1:", host, &port, &err) < 0);
	assert_true(cuv_serve_settings_listen(":8000", host, &port, &err) < 0);
	assert_true(cuv_serve_settings_listen("127.0.0.1:65536", host, &port, &err) < 0);
	assert_true(cuv_serve_settings_listen("127.0.0.1:80x", host, &port, &err) < 0);
	assert_true(cuv_serve_settings_listen("[::1]:8000", host, &port, &err) < 0);
	assert_true(cuv_serve_settings_listen("example.org:80", host, &port, &err) < 0);
	assert_true(cuv_serve_settings_listen("1.2.3.4.5:80", host, &port, &err) < 0);
	assert_int_equal(err.code, CUV_E_BAD_REQUEST);
}

static void degraded_layers(void **state)
{
	struct cuv_error err;

	(void)state;
	assert_int_equal(cuv_serve_settings_degraded("", &err), 0);
	assert_int_equal(cuv_serve_settings_degraded("cgroup-memory", &err), 0);
	assert_int_equal(cuv_serve_settings_degraded("cgroup-memory,uid-separation", &err), 0);
	assert_true(cuv_serve_settings_degraded("seccomp", &err) < 0); /* nothing runs without */
	assert_true(cuv_serve_settings_degraded("cgroup", &err) < 0);
	assert_true(cuv_serve_settings_degraded("cgroup-memory, cgroup-cpu", &err) < 0);
}

static int enter_folder(void **state)
{
	static char folder[] = "/tmp/cuvette-options-XXXXXX";

	*state = mkdtemp(folder);
	return *state && chdir(folder) == 0 ? 0 : -1;
}

static int leave_folder(void **state)
{
	return chdir("/") == 0 ? rmdir(*state) : -1;
}

static void options_follow_operands_where_they_may(void **state)
{
	struct cuv_usage mixed = usage;
	struct cuv_values v;
	char words[][9] = {"test", "one", "--switch", "two", "-n", "x", "--", "--three"};
	char *argv[ARRAY_SIZE(words) + 1] = {NULL};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		argv[i] = words[i];
	mixed.mixed = true;
	assert_int_equal(cuv_options_parse(&mixed, ARRAY_SIZE(argv) - 1, argv, &v), CUV_PARSED_GO);
	assert_string_equal(v.value[NAME].text, "x");
	assert_non_null(v.value[SWITCH].text);
	assert_int_equal(v.n_operands, 3);
	assert_string_equal(v.operands[1], "two");
	assert_string_equal(v.operands[2], "--three");
	cuv_values_done(&v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(options_follow_operands_where_they_may),
		cmocka_unit_test(later_sources_win),
		cmocka_unit_test(options_end_at_the_first_operand),
		cmocka_unit_test(ways_to_write_one),
		cmocka_unit_test(wrong_words),
		cmocka_unit_test(a_secret_is_no_option),
		cmocka_unit_test(listen_address),
		cmocka_unit_test(degraded_layers),
	};
	return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
