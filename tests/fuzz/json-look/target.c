/* SPDX-License-Identifier: MIT */
/*
 * Input: JSON. What is found in valid text is what jansson finds in it; what is made of a
 * string is read back as that string. In other text anything may be found, within it.
 */
#include "manager/json_look.h"
#include "manager/json_text.h"
#include "manager/json_write.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SIZE_MAX_IN 65536
#define FLAGS (JSON_DECODE_ANY | JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES)

static void check(struct cuv_json v, const json_t *tree);

static void check_text(struct cuv_json v, const json_t *tree)
{
	_cleanup_buf_ struct cuv_buf text = CUV_BUF_INIT(SIZE_MAX_IN), again = CUV_BUF_INIT(6 * SIZE_MAX_IN + 2);
	json_t *back;

	cuv_assert(cuv_json_add_text(&text, v) == 0);
	cuv_assert(text.len == json_string_length(tree));
	cuv_assert(memcmp(cuv_buf_str(&text), json_string_value(tree), text.len) == 0);
	cuv_assert(cuv_json_add_string(&again, cuv_buf_str(&text), text.len) == 0);
	back = json_loadb(again.data, again.len, FLAGS, NULL);
	cuv_assert(json_equal(back, tree));
	json_decref(back);
}

static void check_object(struct cuv_json v, const json_t *tree)
{
	const char *name;
	json_t *member;

	json_object_foreach((json_t *)(uintptr_t)tree, name, member)
	{
		const struct cuv_json found = cuv_json_member(v, name);

		/* A name may be written with escapes; jansson cuts one at a NUL. */
		if (found.len > 0 && strlen(name) > 0)
			check(found, member);
	}
}

static void check(struct cuv_json v, const json_t *tree)
{
	struct cuv_json item = {.len = 0};
	uint64_t n;
	size_t i;

	cuv_assert(cuv_json_is_string(v) == json_is_string(tree) && cuv_json_is_null(v) == json_is_null(tree));
	cuv_assert(cuv_json_is_array(v) == json_is_array(tree));
	for (i = 0; cuv_json_next(v, &item); i++)
		check(item, json_array_get(tree, i));
	cuv_assert(i == json_array_size(tree));
	if (json_is_string(tree))
		check_text(v, tree);
	if (json_is_object(tree))
		check_object(v, tree);
	if (cuv_json_number(v, INT64_MAX, &n))
		cuv_assert(json_is_integer(tree) && (uint64_t)json_integer_value(tree) == n);
	else
		cuv_assert(!json_is_integer(tree) || json_integer_value(tree) < 0 || *v.at == '-');
}

/* The same bytes as jansson's. */
static void check_written(const json_t *tree)
{
	_cleanup_buf_ struct cuv_buf ours = CUV_BUF_INIT(8 * SIZE_MAX_IN);
	char *theirs = json_dumps(tree, JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(9));

	cuv_assert(theirs && cuv_json_add(&ours, tree) == 0);
	cuv_assert(strcmp(cuv_buf_str(&ours), theirs) == 0);
	free(theirs);
}

/* Whatever it is, nothing outside of it is touched. */
static void look(struct cuv_json v, int depth)
{
	_cleanup_buf_ struct cuv_buf text = CUV_BUF_INIT(SIZE_MAX_IN);
	struct cuv_json item = {.len = 0};
	uint64_t n;

	(void)cuv_json_add_text(&text, v);
	(void)cuv_json_number(v, UINT64_MAX, &n);
	(void)cuv_json_member(v, "a");
	while (depth > 0 && cuv_json_next(v, &item))
		look(item, depth - 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	const struct cuv_json v = cuv_json_of(text, size);
	json_t *tree;

	if (size > SIZE_MAX_IN)
		return 0;
	cuv_assert(v.len <= size);
	look(v, 8);
	if (!cuv_json_text_valid(text, size))
		return 0;
	tree = json_loadb(text, size, FLAGS, NULL);
	if (tree) {
		check(v, tree);
		check_written(tree);
	}
	json_decref(tree);
	return 0;
}
