/* SPDX-License-Identifier: MIT */
#include "manager/run_cases.h"

#include "lib/proto/limits.h"
#include "manager/json_form.h"
#include "manager/run_request.h"

#include <errno.h>
#include <jansson.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

void cuv_run_cases_done(struct cuv_run_cases *c)
{
	for (size_t i = 0; i < c->n; i++) {
		cuv_buf_done(&c->items[i].stdin_data);
		cuv_strv_done(&c->items[i].args);
	}
	free(c->items);
	*c = (struct cuv_run_cases){0};
}

static int no_memory(struct cuv_error *err)
{
	cuv_error_set(err, CUV_E_OVERLOADED, "the service has no memory left for this request; try again");
	if (err)
		err->retry_after_s = 2;
	return -ENOMEM;
}

static int bad(struct cuv_error *err, size_t i, const char *what)
{
	return cuv_error_set(err, CUV_E_FIELD_INVALID, "case %zu of `cases`: %s", i + 1, what);
}

static int add_base64(const json_t *value, struct cuv_buf *b, size_t i, struct cuv_error *err)
{
	const size_t len = json_string_length(value), size = len / 4 * 3 + 3;
	char *room = cuv_buf_room(b, size);
	size_t n;

	if (!room)
		return no_memory(err);
	if (sodium_base642bin((unsigned char *)room, size, json_string_value(value), len, "\r\n", &n, NULL,
			      sodium_base64_VARIANT_ORIGINAL) != 0)
		return bad(err, i, "`base64` is not Base64");
	cuv_buf_grew(b, n);
	return 0;
}

static int read_stdin(const json_t *value, struct cuv_run_case *c, size_t i, struct cuv_error *err)
{
	const json_t *base64 = json_object_size(value) == 1 ? json_object_get(value, "base64") : NULL;

	c->has_stdin = true;
	if (json_is_string(base64))
		return add_base64(base64, &c->stdin_data, i, err);
	if (!json_is_string(value))
		return bad(err, i, "`stdin` must be a string, or an object with a string `base64` alone");
	return cuv_buf_add(&c->stdin_data, json_string_value(value), json_string_length(value)) < 0 ? no_memory(err)
												    : 0;
}

static int read_args(const json_t *value, struct cuv_run_case *c, struct cuv_error *err)
{
	char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
	int r = text ? cuv_run_request_args(text, strlen(text), &c->args, err) : no_memory(err);

	free(text);
	c->has_args = true;
	return r;
}

static int read_case(json_t *value, struct cuv_run_case *c, size_t i, struct cuv_error *err)
{
	const char *name;
	json_t *member;
	int r = 0;

	if (!json_is_object(value))
		return bad(err, i, "it must be an object");
	json_object_foreach(value, name, member)
	{
		if (strcmp(name, "stdin") == 0)
			r = read_stdin(member, c, i, err);
		else if (strcmp(name, "args") == 0)
			r = read_args(member, c, err);
		else
			r = bad(err, i, "it has `stdin` and `args` and nothing else");
		if (r < 0)
			return r;
	}
	return 0;
}

static int read_list(json_t *list, struct cuv_run_cases *ret, struct cuv_error *err)
{
	const size_t n = json_array_size(list);
	json_t *item;
	size_t i;
	int r;

	if (n == 0 || n > CUV_CASES_MAX)
		return cuv_error_set(err, CUV_E_FIELD_INVALID,
				     "the field `cases` must be a JSON array of 1 to %d objects", CUV_CASES_MAX);
	ret->items = calloc(n, sizeof(*ret->items));
	if (!ret->items)
		return no_memory(err);
	json_array_foreach(list, i, item)
	{
		struct cuv_run_case *c = &ret->items[ret->n++];

		cuv_buf_init(&c->stdin_data, CUV_STDIN_BYTES_MAX);
		r = read_case(item, c, i, err);
		if (r < 0)
			return r;
	}
	return 0;
}

int cuv_run_cases_read(const char *text, size_t len, struct cuv_run_cases *ret, struct cuv_error *err)
{
	json_t *list;
	int r = cuv_json_check_size(text, len, err);

	if (r < 0)
		return r;
	list = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	r = read_list(list, ret, err);
	json_decref(list);
	return r;
}
