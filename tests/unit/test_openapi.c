/* SPDX-License-Identifier: MIT */
/* The published document says what the code's tables say. */
#include "lib/proto/messages.h"
#include "manager/keys.h"
#include "manager/openapi.h"
#include "manager/profiles.h"
#include "manager/run_request.h"
#include "tests/unit/unit.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

static json_t *document;

static int setup(void **state)
{
	(void)state;
	document = json_loadb(cuv_openapi_text, cuv_openapi_len, JSON_REJECT_DUPLICATES, NULL);
	return document ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	json_decref(document);
	return 0;
}

static json_t *schema(const char *name)
{
	json_t *found = json_object_get(json_object_get(json_object_get(document, "components"), "schemas"), name);

	assert_non_null(found);
	return found;
}

static bool has_text(const json_t *array, const char *text)
{
	json_t *item;
	size_t i;

	json_array_foreach(array, i,
			   item) if (json_is_string(item) && strcmp(json_string_value(item), text) == 0) return true;
	return false;
}

TEST(it_is_openapi_3_1_of_this_version)
{
	assert_string_equal(json_string_value(json_object_get(document, "openapi")), "3.1.0");
	assert_string_equal(json_string_value(json_object_get(json_object_get(document, "info"), "version")),
			    CUV_VERSION);
}

TEST(nothing_of_ours_is_left_but_scopes_and_profiles)
{
	static const char scope[] = "\"x-cuvette-scope\":", profile[] = "\"x-cuvette-profile\":";
	const char *at = cuv_openapi_text;

	while ((at = strstr(at, "\"x-cuvette-"))) {
		assert_true(strncmp(at, scope, strlen(scope)) == 0 || strncmp(at, profile, strlen(profile)) == 0);
		at++;
	}
}

/* Looks through all of it for limits of this dialect. */
static void check_timeouts(json_t *node, const char *profile, double seconds, double max, int *found)
{
	const char *named = json_string_value(json_object_get(node, "x-cuvette-profile"));
	json_t *child;
	const char *key;
	size_t i;

	if (named && strcmp(named, profile) == 0) {
		assert_true(json_number_value(json_object_get(node, "default")) == seconds);
		assert_true(json_number_value(json_object_get(node, "maximum")) == max);
		(*found)++;
	}
	json_object_foreach(node, key, child) check_timeouts(child, profile, seconds, max, found);
	json_array_foreach(node, i, child) check_timeouts(child, profile, seconds, max, found);
}

/* Last: settings stay. */
TEST(limits_of_dialects_are_those_of_the_settings)
{
	struct cuv_error err;
	json_t *served;
	size_t len;
	int found = 0;

	check_timeouts(document, "agent", 5, 30, &found);
	check_timeouts(document, "pylearn", 5, 30, &found);
	assert_int_equal(found, 2);
	cuv_openapi_setup();
	assert_ptr_equal(cuv_openapi_served(&len), cuv_openapi_text);
	assert_int_equal(len, cuv_openapi_len);
	assert_int_equal(cuv_profile_set(CUV_PROFILE_AGENT, "timeout=7,timeout_max=120", &err), 0);
	assert_int_equal(cuv_profile_set(CUV_PROFILE_LEARN, "timeout=0.5,timeout_max=2.5", &err), 0);
	cuv_openapi_setup();
	served = json_loads(cuv_openapi_served(&len), JSON_REJECT_DUPLICATES, NULL);
	check_timeouts(served, "agent", 7, 120, &found);
	check_timeouts(served, "pylearn", 0.5, 2.5, &found);
	assert_int_equal(found, 4);
	assert_int_equal(len, strlen(cuv_openapi_served(&len)));
	json_decref(served);
}

TEST(error_codes_are_the_tables)
{
	json_t *codes = json_object_get(schema("ErrorCode"), "enum");

	assert_int_equal(json_array_size(codes), _CUV_E_MAX - 1);
	for (int i = CUV_E_NONE + 1; i < _CUV_E_MAX; i++)
		assert_true(has_text(codes, cuv_error_name((enum cuv_error_code)i)));
}

/* Does any operation say that it may answer with this code, under its status? */
static bool is_told(enum cuv_error_code code)
{
	const char *path, *method, *name = cuv_error_name(code);
	json_t *item, *operation, *answer;
	char status[16], quoted[80];

	snprintf(status, sizeof(status), "%d", cuv_error_http_status(code));
	snprintf(quoted, sizeof(quoted), "`%s`", name);
	json_object_foreach(json_object_get(document, "paths"), path, item)
	{
		json_object_foreach(item, method, operation)
		{
			answer = json_object_get(json_object_get(operation, "responses"), status);
			answer = json_object_get(answer, "description");
			if (answer && strstr(json_string_value(answer), quoted))
				return true;
		}
	}
	return false;
}

/* A code that is told nowhere: add it to a group of manager/openapi/base.json, or to the
 * x-cuvette-codes of its operation. */
TEST(each_code_is_told_by_some_operation)
{
	for (int i = CUV_E_NONE + 1; i < _CUV_E_MAX; i++) {
		const enum cuv_error_code code = (enum cuv_error_code)i;

		/* Of paths that are no operations, what nobody is told, and what only the
		 * description of a run has. */
		if (code == CUV_E_METHOD_NOT_ALLOWED || code == CUV_E_CANCELLED || code == CUV_E_INTERRUPTED)
			continue;
		if (!is_told(code))
			fail_msg("no operation in manager/openapi/ has the code `%s`", cuv_error_name(code));
	}
}

static void check_limit(const json_t *properties, const struct cuv_limit_info *info, bool json)
{
	const json_t *value = json_object_get(properties, info->field), *number;
	const bool parts = info->unit == CUV_UNIT_MS || info->unit == CUV_UNIT_MILLI;
	const uint64_t scale = parts ? 1000 : 1;
	const json_t *def = json_object_get(value, "default");
	char text[32];

	assert_non_null(value);
	assert_int_equal(info->def == 0, def == NULL);
	if (!json) {
		snprintf(text, sizeof(text), "%llu", (unsigned long long)(info->def / scale));
		if (def)
			assert_string_equal(json_string_value(def), text);
		return;
	}
	number = json_array_get(json_object_get(value, "anyOf"), 0);
	assert_true(json_number_value(json_object_get(number, "maximum")) == (double)info->max / (double)scale);
	assert_string_equal(json_string_value(json_object_get(number, "type")), parts ? "number" : "integer");
	if (def)
		assert_true(json_number_value(def) == (double)info->def / (double)scale);
}

TEST(limits_are_the_tables)
{
	for (int i = 0; i < _CUV_LIMIT_MAX; i++) {
		check_limit(json_object_get(schema("RunForm"), "properties"), cuv_limit_info((enum cuv_limit)i), false);
		check_limit(json_object_get(schema("RunJson"), "properties"), cuv_limit_info((enum cuv_limit)i), true);
	}
}

static const struct cuv_field_info *field_of(const struct cuv_field_info *fields, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(fields[i].name, name) == 0)
			return &fields[i];
	return NULL;
}

/* A text whose values are not listed may be as long as the form takes it. */
static void check_kind(const struct cuv_field_info *info, const json_t *property)
{
	const char *format = json_string_value(json_object_get(property, "format"));
	const char *type = json_string_value(json_object_get(property, "type"));
	const json_t *max = json_object_get(property, "maxLength");

	assert_int_equal(info->kind == CUV_FIELD_FILE, format && strcmp(format, "binary") == 0);
	assert_int_equal(info->kind == CUV_FIELD_FILES, type && strcmp(type, "array") == 0);
	if (max)
		assert_int_equal(json_integer_value(max), info->max_bytes);
}

static void check_fields(const struct cuv_field_info *fields, size_t n, const char *form_name, const char *json_name)
{
	json_t *form = json_object_get(schema(form_name), "properties"), *value;
	json_t *json = json_object_get(schema(json_name), "properties");
	const char *name;

	for (size_t i = 0; i < n; i++) {
		if (!json_object_get(form, fields[i].name) || !json_object_get(json, fields[i].name))
			fail_msg("%s and %s of manager/openapi/ lack the field `%s`", form_name, json_name,
				 fields[i].name);
	}
	json_object_foreach(form, name, value)
	{
		assert_non_null(field_of(fields, n, name));
		check_kind(field_of(fields, n, name), value);
	}
	json_object_foreach(json, name, value) assert_non_null(field_of(fields, n, name));
}

TEST(fields_of_a_run_and_a_build_are_the_forms)
{
	const struct cuv_field_info *fields;
	size_t n;

	fields = cuv_run_fields(&n);
	check_fields(fields, n, "RunForm", "RunJson");
	fields = cuv_build_fields(&n);
	check_fields(fields, n, "BuildForm", "BuildJson");
}

TEST(what_a_run_says_of_itself_is_in_the_tables)
{
	const json_t *statuses = json_object_get(schema("RunStatus"), "enum");
	const json_t *paths = json_object_get(schema("RunPath"), "enum");

	assert_int_equal(json_array_size(statuses), _CUV_RUN_STATUS_MAX - CUV_RUN_SUCCESS);
	for (int i = CUV_RUN_SUCCESS; i < _CUV_RUN_STATUS_MAX; i++)
		assert_true(has_text(statuses, cuv_run_status_name((enum cuv_run_status)i)));
	assert_int_equal(json_array_size(paths), _CUV_RUN_PATH_MAX);
	for (int i = 0; i < _CUV_RUN_PATH_MAX; i++)
		assert_true(has_text(paths, cuv_run_path_name((enum cuv_run_path)i)));
}

static void check_references(json_t *node)
{
	const json_t *reference = json_object_get(node, "$ref");
	json_t *child;
	const char *key;
	size_t i;

	if (json_is_string(reference)) {
		char path[200], *part, *rest = path;
		json_t *at = document;

		snprintf(path, sizeof(path), "%s", json_string_value(reference));
		assert_string_equal(strsep(&rest, "/"), "#");
		while ((part = strsep(&rest, "/")))
			at = json_object_get(at, part);
		if (!at)
			fail_msg("%s leads nowhere", json_string_value(reference));
	}
	json_object_foreach(node, key, child) check_references(child);
	json_array_foreach(node, i, child) check_references(child);
}

TEST(each_reference_leads_somewhere)
{
	check_references(document);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_is_openapi_3_1_of_this_version),
		cmocka_unit_test(nothing_of_ours_is_left_but_scopes_and_profiles),
		cmocka_unit_test(error_codes_are_the_tables),
		cmocka_unit_test(each_code_is_told_by_some_operation),
		cmocka_unit_test(limits_are_the_tables),
		cmocka_unit_test(fields_of_a_run_and_a_build_are_the_forms),
		cmocka_unit_test(what_a_run_says_of_itself_is_in_the_tables),
		cmocka_unit_test(each_reference_leads_somewhere),
		cmocka_unit_test(limits_of_dialects_are_those_of_the_settings),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
