/* SPDX-License-Identifier: MIT */
#include "lib/base/clock.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <time.h>

uint64_t cuv_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * CUV_NS_PER_S + (uint64_t)ts.tv_nsec;
}

int64_t cuv_wall_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return ts.tv_sec;
}

int cuv_deadline_poll_ms(uint64_t deadline_ns)
{
	uint64_t now, left;

	if (deadline_ns == CUV_NEVER)
		return -1;
	now = cuv_now_ns();
	if (now >= deadline_ns)
		return 0;
	left = (deadline_ns - now + CUV_NS_PER_MS - 1) / CUV_NS_PER_MS;
	return left > INT_MAX ? INT_MAX : (int)left;
}

void cuv_format_rfc3339(int64_t seconds, char ret[CUV_RFC3339_SIZE])
{
	time_t t = seconds;
	struct tm tm;

	if (!gmtime_r(&t, &tm) || strftime(ret, CUV_RFC3339_SIZE, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		snprintf(ret, CUV_RFC3339_SIZE, "1970-01-01T00:00:00Z");
}

/* Reads exactly n digits at *s and moves on; -1 when there are fewer. */
static int digits(const char **s, int n)
{
	int value = 0;

	for (; n > 0; n--, (*s)++) {
		if (**s < '0' || **s > '9')
			return -1;
		value = value * 10 + (**s - '0');
	}
	return value;
}

static bool expect(const char **s, char c)
{
	if (**s != c)
		return false;
	(*s)++;
	return true;
}

/* "Z", "+hh:mm" or "-hh:mm" up to the end of the text, in seconds. */
static int parse_offset(const char *s, int *ret_offset_s)
{
	int sign, hours, minutes;

	if (*s == 'Z' || *s == 'z') {
		*ret_offset_s = 0;
		return s[1] == '\0' ? 0 : -EINVAL;
	}
	if (*s != '+' && *s != '-')
		return -EINVAL;
	sign = *s++ == '+' ? 1 : -1;
	hours = digits(&s, 2);
	if (hours < 0 || hours > 23 || !expect(&s, ':'))
		return -EINVAL;
	minutes = digits(&s, 2);
	if (minutes < 0 || minutes > 59 || *s != '\0')
		return -EINVAL;
	*ret_offset_s = sign * (hours * 3600 + minutes * 60);
	return 0;
}

static int parse_time(const char *s, struct tm *tm, int *ret_offset_s)
{
	tm->tm_hour = digits(&s, 2);
	if (tm->tm_hour < 0 || tm->tm_hour > 23 || !expect(&s, ':'))
		return -EINVAL;
	tm->tm_min = digits(&s, 2);
	if (tm->tm_min < 0 || tm->tm_min > 59 || !expect(&s, ':'))
		return -EINVAL;
	tm->tm_sec = digits(&s, 2);
	if (tm->tm_sec < 0 || tm->tm_sec > 59)
		return -EINVAL;
	if (*s == '.') {
		s++;
		if (digits(&s, 1) < 0)
			return -EINVAL;
		while (*s >= '0' && *s <= '9')
			s++;
	}
	return parse_offset(s, ret_offset_s);
}

int cuv_parse_rfc3339(const char *text, int64_t *ret_seconds)
{
	const char *s = text;
	struct tm tm = {0}, check;
	int year, month, offset_s = 0;
	time_t t;

	year = digits(&s, 4);
	if (year < 1970 || !expect(&s, '-'))
		return -EINVAL;
	month = digits(&s, 2);
	if (month < 1 || month > 12 || !expect(&s, '-'))
		return -EINVAL;
	tm.tm_year = year - 1900;
	tm.tm_mon = month - 1;
	tm.tm_mday = digits(&s, 2);
	if (tm.tm_mday < 1 || tm.tm_mday > 31)
		return -EINVAL;
	if (*s) {
		if (*s != 'T' && *s != 't' && *s != ' ')
			return -EINVAL;
		s++;
		if (parse_time(s, &tm, &offset_s) < 0)
			return -EINVAL;
	}
	check = tm;
	t = timegm(&check);
	/* timegm turns 31 April into 1 May: a date that moved was no date. */
	if (check.tm_mday != tm.tm_mday || check.tm_mon != tm.tm_mon || t < offset_s)
		return -EINVAL;
	*ret_seconds = (int64_t)t - offset_s;
	return 0;
}
