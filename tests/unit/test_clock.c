/* SPDX-License-Identifier: MIT */
#include "lib/base/clock.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <limits.h>

TEST(deadlines_become_waits)
{
	int i, ms;

	assert_int_equal(cuv_deadline_poll_ms(CUV_NEVER), -1);
	assert_int_equal(cuv_deadline_poll_ms(0), 0);
	assert_int_equal(cuv_deadline_poll_ms(cuv_now_ns()), 0);
	ms = cuv_deadline_poll_ms(cuv_deadline_ms(10000));
	assert_true(ms > 0 && ms <= 10000);
	/* rounded up: a wait never ends before its deadline */
	for (i = 0; i < 100 && (i == 0 || ms != 1); i++) /* the time may pass before it is looked at */
		ms = cuv_deadline_poll_ms(cuv_now_ns() + 900000);
	assert_int_equal(ms, 1);
	assert_int_equal(cuv_deadline_poll_ms(CUV_NEVER - 1), INT_MAX);
}

TEST(dates_are_written)
{
	char text[CUV_RFC3339_SIZE];

	cuv_format_rfc3339(0, text);
	assert_string_equal(text, "1970-01-01T00:00:00Z");
	cuv_format_rfc3339(1709210096, text);
	assert_string_equal(text, "2024-02-29T12:34:56Z");
	cuv_format_rfc3339(253402300799, text);
	assert_string_equal(text, "9999-12-31T23:59:59Z");
}

static void assert_date(const char *text, int64_t want)
{
	int64_t got = -1;

	if (cuv_parse_rfc3339(text, &got) != 0)
		fail_msg("not read: %s", text);
	assert_int_equal(got, want);
}

TEST(dates_are_read)
{
	assert_date("1970-01-01", 0);
	assert_date("1970-01-01T00:00:01Z", 1);
	assert_date("2024-02-29T12:34:56Z", 1709210096);
	assert_date("2024-02-29t12:34:56z", 1709210096);
	assert_date("2024-02-29 12:34:56Z", 1709210096);
	assert_date("2024-02-29T12:34:56.987654Z", 1709210096);
	assert_date("2024-02-29T14:34:56+02:00", 1709210096);
	assert_date("2024-02-29T07:04:56-05:30", 1709210096);
	assert_date("2024-03-01T00:34:56+12:00", 1709210096);
	assert_date("9999-12-31T23:59:59Z", 253402300799);
}

TEST(what_is_no_date_is_refused)
{
	static const char *const bad[] = {
		"",
		"today",
		"1969-12-31",
		"0000-00-00",
		"2024-13-01",
		"2024-00-10",
		"2024-04-31",
		"2023-02-29",
		"2024-2-29",
		"24-02-29",
		"2024-02-29T",
		"2024-02-29T12:34Z",
		"2024-02-29T12:34:56",
		"2024-02-29T24:00:00Z",
		"2024-02-29T12:60:00Z",
		"2024-02-29T12:34:60Z",
		"2024-02-29T12:34:56.Z",
		"2024-02-29T12:34:56+2:00",
		"2024-02-29T12:34:56+24:00",
		"2024-02-29T12:34:56+02:60",
		"2024-02-29T12:34:56Zx",
		"2024-02-29 ",
		"2024-02-29x",
		" 2024-02-29",
		"1970-01-01T00:00:00+01:00", /* before 1970 */
	};
	int64_t got = 7;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad); i++)
		if (cuv_parse_rfc3339(bad[i], &got) != -EINVAL)
			fail_msg("was read: `%s`", bad[i]);
	assert_int_equal(got, 7);
}

TEST(both_directions_agree)
{
	char text[CUV_RFC3339_SIZE];
	int64_t s;

	for (s = 0; s < 253402300799; s += 86400ll * 97 + 12345) {
		int64_t back = -1;

		cuv_format_rfc3339(s, text);
		assert_ok(cuv_parse_rfc3339(text, &back));
		assert_int_equal(back, s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(deadlines_become_waits), cmocka_unit_test(dates_are_written),
		cmocka_unit_test(dates_are_read),	  cmocka_unit_test(what_is_no_date_is_refused),
		cmocka_unit_test(both_directions_agree),
	};

	return cmocka_run_group_tests_name("clock", tests, NULL, NULL);
}
