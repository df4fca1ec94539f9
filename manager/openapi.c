/* SPDX-License-Identifier: MIT */
#include "manager/openapi.h"

#include "manager/profiles.h"

#include <jansson.h>
#include <string.h>

#define MARK "x-cuvette-profile"
/* Of the document, which is ours. */
#define DEPTH_MAX 40

static char *served; /* NULL: as it was built */

static json_t *seconds(uint32_t ms)
{
	return ms % 1000 ? json_real(ms / 1000.0) : json_integer(ms / 1000);
}

/* Sets them; false: they are so already. */
static bool set(json_t *schema, const char *name, uint32_t ms)
{
	json_t *value = seconds(ms);
	const bool same = json_equal(json_object_get(schema, name), value);

	if (same)
		json_decref(value);
	else
		(void)json_object_set_new(schema, name, value);
	return !same;
}

static bool adjust(json_t *schema)
{
	const char *name = json_string_value(json_object_get(schema, MARK));
	const int which = name ? cuv_profile_find(name, strlen(name)) : -1;
	const struct cuv_profile_limits *l;
	bool changed;

	if (which < 0)
		return false;
	l = cuv_profile_limits((enum cuv_profile)which);
	changed = set(schema, "maximum", l->wall_max_ms);
	return set(schema, "default", l->wall_ms) || changed;
}

static bool adjust_all(json_t *node, unsigned depth)
{
	bool changed = json_is_object(node) && adjust(node);
	const char *name;
	json_t *item;
	size_t i;

	if (depth == 0)
		return changed;
	json_object_foreach(node, name, item)
	{
		changed = adjust_all(item, depth - 1) || changed;
	}
	json_array_foreach(node, i, item)
	{
		changed = adjust_all(item, depth - 1) || changed;
	}
	return changed;
}

void cuv_openapi_setup(void)
{
	json_t *document = json_loadb(cuv_openapi_text, cuv_openapi_len, 0, NULL);

	if (document && adjust_all(document, DEPTH_MAX))
		served = json_dumps(document, JSON_COMPACT);
	json_decref(document);
}

const char *cuv_openapi_served(size_t *ret_len)
{
	*ret_len = served ? strlen(served) : cuv_openapi_len;
	return served ? served : cuv_openapi_text;
}
