/* SPDX-License-Identifier: MIT */
#include "lib/proto/limits.h"

#include "lib/base/parse.h"

#include <errno.h>
#include <string.h>

static const struct cuv_limit_info table[_CUV_LIMIT_MAX] = {
#define X(name, field, unit, def, max, text) [CUV_LIMIT_##name] = {field, CUV_UNIT_##unit, def, max, text},
	CUV_LIMIT_TABLE(X)
#undef X
};

const struct cuv_limit_info *cuv_limit_info(enum cuv_limit limit)
{
	cuv_assert((unsigned)limit < _CUV_LIMIT_MAX);
	return &table[limit];
}

int cuv_limit_find(const char *field)
{
	int i;

	for (i = 0; i < _CUV_LIMIT_MAX; i++)
		if (strcmp(table[i].field, field) == 0)
			return i;
	return -1;
}

void cuv_limits_default(struct cuv_limits *ret)
{
	int i;

	for (i = 0; i < _CUV_LIMIT_MAX; i++)
		ret->value[i] = table[i].def;
}

int cuv_limit_parse(enum cuv_limit limit, const char *text, struct cuv_limits *l)
{
	const struct cuv_limit_info *info = cuv_limit_info(limit);
	uint64_t value;
	int r;

	switch (info->unit) {
	case CUV_UNIT_MS:
	case CUV_UNIT_MILLI:
		r = cuv_parse_milli(text, info->max, &value);
		break;
	case CUV_UNIT_BYTES:
		r = cuv_parse_size(text, info->max, &value);
		break;
	case CUV_UNIT_COUNT:
	default:
		r = cuv_parse_u64(text, info->max, &value);
		break;
	}
	if (r < 0)
		return r;
	if (value == 0)
		return -EINVAL;
	l->value[limit] = value;
	return 0;
}

uint64_t cuv_limits_cpu_ms(const struct cuv_limits *l)
{
	if (l->value[CUV_LIMIT_CPU_TIME])
		return l->value[CUV_LIMIT_CPU_TIME];
	return l->value[CUV_LIMIT_WALL] * l->value[CUV_LIMIT_CPUS] / 1000;
}

int cuv_limits_check(const struct cuv_limits *l)
{
	int i;

	for (i = 0; i < _CUV_LIMIT_MAX; i++) {
		if (l->value[i] > table[i].max)
			return i;
		if (l->value[i] == 0 && i != CUV_LIMIT_CPU_TIME)
			return i;
	}
	return -1;
}

bool cuv_limits_same(const struct cuv_limits *a, const struct cuv_limits *b)
{
	int i;

	for (i = 0; i < _CUV_LIMIT_MAX; i++)
		if (a->value[i] != b->value[i])
			return false;
	return true;
}
