/* SPDX-License-Identifier: MIT */
#include "manager/json_form.h"

#include "lib/proto/limits.h"

#include <errno.h>
#include <jansson.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* What a form's files are called when they come without a name. */
static const struct {
	const char *field, *name;
} names[] = {{"requirements", "requirements.txt"}, {"code", "main.py"}, {"lock", "pylock.toml"}};

bool cuv_json_form_is_meant(const char *content_type)
{
	static const char json[] = "application/json";
	const char *rest = content_type + sizeof(json) - 1;

	if (strncasecmp(content_type, json, sizeof(json) - 1) != 0)
		return false;
	rest += strspn(rest, " \t");
	if (*rest == '\0')
		return true;
	rest += *rest == ';';
	rest += strspn(rest, " \t");
	return strcasecmp(rest, "charset=utf-8") == 0 || strcasecmp(rest, "charset=\"utf-8\"") == 0;
}

/* Brackets and commas outside of strings say how deep it nests and how many values there
 * can be, well-formed or not: the parser recurses, and takes memory for each. */
int cuv_json_check_size(const char *text, size_t len, struct cuv_error *err)
{
	size_t depth = 0, values = 1;
	bool in_string = false;

	/* The parser would take it for the end, and not look at what follows. */
	if (memchr(text, '\0', len))
		return cuv_error_set(err, CUV_E_BAD_JSON, "the JSON can't be read: it has a byte that is 0");
	for (size_t i = 0; i < len; i++) {
		const char c = text[i];

		if (in_string) {
			i += c == '\\';
			in_string = c != '"';
			continue;
		}
		in_string = c == '"';
		depth += c == '[' || c == '{';
		depth -= depth > 0 && (c == ']' || c == '}');
		values += c == '[' || c == '{' || c == ',';
		if (depth > CUV_JSON_DEPTH_MAX || values > CUV_JSON_VALUES_MAX)
			return cuv_error_set(err, CUV_E_BAD_JSON,
					     "the JSON nests more than %d deep, or has more than %d values",
					     CUV_JSON_DEPTH_MAX, CUV_JSON_VALUES_MAX);
	}
	return 0;
}

static json_t *parse(const char *text, size_t len, struct cuv_error *err)
{
	json_error_t why;
	json_t *body = json_loadb(text, len, JSON_REJECT_DUPLICATES, &why);
	char shown[JSON_ERROR_TEXT_LENGTH];

	if (!body) {
		cuv_error_copy_text(shown, sizeof(shown), why.text, strlen(why.text));
		cuv_error_set(err, CUV_E_BAD_JSON, "the JSON body can't be read: %s", shown);
		err->line = why.line > 0 ? (uint32_t)why.line : 0;
		err->column = why.column > 0 ? (uint32_t)why.column : 0;
	} else if (!json_is_object(body)) {
		cuv_error_set(err, CUV_E_BAD_JSON, "the JSON body must be an object whose members are the fields");
		json_decref(body);
		body = NULL;
	}
	return body;
}

struct filler {
	struct cuv_multipart_sink sink;
	struct cuv_form *form;
};

static int wrong_type(const char *field, const char *wanted, struct cuv_error *err)
{
	return cuv_error_set(err, CUV_E_FIELD_INVALID, "the field `%s` must be %s", field, wanted);
}

static int put(struct filler *f, const struct cuv_part *part, const char *data, size_t len, struct cuv_error *err)
{
	int r = f->sink.begin(f->sink.arg, part, err);

	if (r == 0 && len > 0)
		r = f->sink.data(f->sink.arg, data, len, err);
	return r == 0 ? f->sink.end(f->sink.arg, err) : r;
}

static int put_base64(struct filler *f, const struct cuv_part *part, const json_t *value, struct cuv_error *err)
{
	const size_t len = json_string_length(value), size = len / 4 * 3 + 3;
	unsigned char *data;
	size_t n;
	int r;

	if (!cuv_charge_add(f->form->charge, size) || !(data = malloc(size))) {
		(void)cuv_charge_refused(f->form->charge, err, "request");
		return -ENOMEM;
	}
	if (sodium_base642bin(data, size, json_string_value(value), len, "\r\n", &n, NULL,
			      sodium_base64_VARIANT_ORIGINAL) == 0)
		r = put(f, part, (const char *)data, n, err);
	else
		r = cuv_error_set(err, CUV_E_FIELD_INVALID, "`base64` in the field `%s` is not Base64", part->name);
	free(data);
	return r;
}

/* A text, or {"base64": "…"}. */
static int put_content(struct filler *f, const struct cuv_part *part, const json_t *value, struct cuv_error *err)
{
	const json_t *base64 = json_object_size(value) == 1 ? json_object_get(value, "base64") : NULL;

	if (json_is_string(value))
		return put(f, part, json_string_value(value), json_string_length(value), err);
	if (json_is_string(base64))
		return put_base64(f, part, base64, err);
	return wrong_type(part->name, "a string, or an object with a string `base64` alone", err);
}

static int put_files(struct filler *f, struct cuv_part *part, json_t *value, struct cuv_error *err)
{
	const char *name;
	json_t *content;

	if (!json_is_object(value))
		return wrong_type(part->name, "an object: names of files, and their contents", err);
	json_object_foreach(value, name, content)
	{
		int r = 0;

		if (strlen(name) >= sizeof(part->filename))
			r = cuv_error_set(err, CUV_E_FILE_REFUSED, "the field `%s`: a name is longer than %zu bytes",
					  part->name, sizeof(part->filename) - 1);
		snprintf(part->filename, sizeof(part->filename), "%s", name);
		if (r == 0)
			r = put_content(f, part, content, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int put_array(struct filler *f, const struct cuv_part *part, const json_t *value, struct cuv_error *err)
{
	char *text = json_dumps(value, JSON_COMPACT);
	int r = text ? put(f, part, text, strlen(text), err)
		     : cuv_error_set(err, CUV_E_OVERLOADED, "no memory for the request");

	free(text);
	return r;
}

/* What is a text in a form, and a number only where it is a limit, or a length. */
static int put_value(struct filler *f, const struct cuv_part *part, const json_t *value, struct cuv_error *err)
{
	const bool limit = cuv_limit_find(part->name) >= 0 || strcmp(part->name, "line_length") == 0;
	char number[64];

	if (json_is_string(value))
		return put(f, part, json_string_value(value), json_string_length(value), err);
	if (json_is_array(value))
		return put_array(f, part, value, err);
	if (json_is_boolean(value) && !limit)
		return json_is_true(value) ? put(f, part, "on", 2, err) : put(f, part, "off", 3, err);
	if (!limit || !json_is_number(value))
		return wrong_type(part->name, limit ? "a number or a string" : "a string, an array or a boolean", err);
	if (json_is_integer(value))
		snprintf(number, sizeof(number), "%lld", (long long)json_integer_value(value));
	else if (json_real_value(value) > -1e15 && json_real_value(value) < 1e15)
		snprintf(number, sizeof(number), "%.3f", json_real_value(value));
	else
		return wrong_type(part->name, "a number within its bounds", err);
	return put(f, part, number, strlen(number), err);
}

static const struct cuv_field_info *find(const struct cuv_form *form, const char *name)
{
	for (size_t i = 0; i < form->n; i++)
		if (strcmp(form->table[i].name, name) == 0)
			return &form->table[i];
	return NULL;
}

static int put_member(struct filler *f, const char *name, json_t *value, struct cuv_error *err)
{
	const struct cuv_field_info *info = find(f->form, name);
	struct cuv_part part = {0};
	size_t i;

	/* The form says what there is instead of a name that is not known. */
	snprintf(part.name, sizeof(part.name), "%s", name);
	if (!info)
		return f->sink.begin(f->sink.arg, &part, err);
	if (info->kind == CUV_FIELD_TEXT)
		return put_value(f, &part, value, err);
	part.has_filename = true;
	if (info->kind == CUV_FIELD_FILES)
		return put_files(f, &part, value, err);
	for (i = 0; i < ARRAY_SIZE(names); i++)
		if (strcmp(name, names[i].field) == 0)
			snprintf(part.filename, sizeof(part.filename), "%s", names[i].name);
	return put_content(f, &part, value, err);
}

int cuv_json_form_read(const char *text, size_t len, struct cuv_form *form, struct cuv_error *err)
{
	struct filler f = {.sink = cuv_form_sink(form), .form = form};
	const char *name;
	json_t *body, *value;
	int r = cuv_json_check_size(text, len, err);

	body = r == 0 ? parse(text, len, err) : NULL;
	if (!body)
		return -EINVAL;
	json_object_foreach(body, name, value)
	{
		r = put_member(&f, name, value, err);
		if (r < 0)
			break;
	}
	json_decref(body);
	return r;
}
