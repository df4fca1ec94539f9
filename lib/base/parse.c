/* SPDX-License-Identifier: MIT */
#include "lib/base/parse.h"

#include <errno.h>
#include <strings.h>

/* Reads the digits at *s and moves on. */
static int parse_digits(const char **s, uint64_t max, uint64_t *ret)
{
	uint64_t value = 0;

	if (**s < '0' || **s > '9')
		return -EINVAL;
	for (; **s >= '0' && **s <= '9'; (*s)++) {
		uint64_t digit = (uint64_t)(**s - '0');

		if (value > (UINT64_MAX - digit) / 10)
			return -ERANGE;
		value = value * 10 + digit;
	}
	if (value > max)
		return -ERANGE;
	*ret = value;
	return 0;
}

int cuv_parse_u64(const char *text, uint64_t max, uint64_t *ret)
{
	uint64_t value;
	int r = parse_digits(&text, max, &value);

	if (r < 0)
		return r;
	if (*text)
		return -EINVAL;
	*ret = value;
	return 0;
}

int cuv_parse_milli(const char *text, uint64_t max_milli, uint64_t *ret_milli)
{
	uint64_t value, thousandths = 0, unit = 100;
	int r = parse_digits(&text, max_milli / 1000, &value), n;

	if (r < 0)
		return r;
	if (*text == '.') {
		text++;
		if (*text < '0' || *text > '9')
			return -EINVAL;
		for (n = 0; n < 9 && *text >= '0' && *text <= '9'; n++, text++, unit /= 10)
			thousandths += (uint64_t)(*text - '0') * unit;
	}
	if (*text)
		return -EINVAL;
	value = value * 1000 + thousandths;
	if (value > max_milli)
		return -ERANGE;
	*ret_milli = value;
	return 0;
}

int cuv_parse_size(const char *text, uint64_t max, uint64_t *ret_bytes)
{
	static const struct {
		const char *name;
		unsigned shift;
	} units[] = {{"", 0}, {"k", 10}, {"kib", 10}, {"m", 20}, {"mib", 20}, {"g", 30}, {"gib", 30}};
	uint64_t value;
	size_t i;
	int r = parse_digits(&text, UINT64_MAX, &value);

	if (r < 0)
		return r;
	for (i = 0; i < ARRAY_SIZE(units); i++) {
		if (strcasecmp(text, units[i].name) != 0)
			continue;
		if (value > max >> units[i].shift)
			return -ERANGE;
		*ret_bytes = value << units[i].shift;
		return 0;
	}
	return -EINVAL;
}
