/* SPDX-License-Identifier: MIT */
/* The form of POST /api/v1/run: fields, their bounds, and what they mean. */
#include "lib/base/clock.h"
#include "manager/isolation.h"
#include "manager/run_request.h"
#include "nixenv/pylock_upload.h"
#include "nixenv/requirements.h"
#include "tests/unit/multipart_test.h"

#include <errno.h>

#define NOW_S 1750000000
#define FILE_PART(name, filename, content) PART("name=\"" name "\"; filename=\"" filename "\"", content)
#define FIELD(name, content) PART("name=\"" name "\"", content)
#define REQUIREMENTS FILE_PART("requirements", "requirements.txt", "Idna == 3.7 # why\n")
#define CODE FILE_PART("code", "main.py", "print(1)\n")

struct upload {
	struct cuv_budget budget;
	struct cuv_charge charge;
	struct cuv_form form;
	struct cuv_run_request request;
	struct cuv_error err;
	int result;
};

static void read_upload(struct upload *u, size_t budget, const char *body, size_t len)
{
	struct cuv_multipart_sink sink;
	_cleanup_multipart_ struct cuv_multipart m;
	const struct cuv_field_info *fields;
	size_t n;

	*u = (struct upload){.err = CUV_ERROR_INIT};
	cuv_budget_init(&u->budget, budget);
	u->charge = CUV_CHARGE_INIT(&u->budget);
	fields = cuv_run_fields(&n);
	cuv_form_init(&u->form, fields, n, CUV_UPLOAD_BYTES_MAX, &u->charge);
	sink = cuv_form_sink(&u->form);
	cuv_multipart_init(&m, "B", &sink);
	u->result = cuv_multipart_push(&m, body, len, &u->err);
	if (u->result == 0)
		u->result = cuv_multipart_finish(&m, &u->err);
	if (u->result == 0)
		u->result = cuv_run_request_read(&u->form, NOW_S, &u->request, &u->err);
}

static void upload_done(struct upload *u)
{
	cuv_run_request_done(&u->request);
	cuv_form_done(&u->form);
	cuv_charge_done(&u->charge);
	assert_int_equal(u->budget.used_bytes, 0);
}
#define _cleanup_upload_ _cleanup_(upload_done)

static void refused(const char *body, size_t len, enum cuv_error_code code, const char *words)
{
	_cleanup_upload_ struct upload u;

	read_upload(&u, SIZE_MAX, body, len);
	if (u.result == 0)
		fail_msg("accepted, wanted %s", cuv_error_name(code));
	if (u.err.code != code || !strstr(u.err.message, words))
		fail_msg("%s: %s", cuv_error_name(u.err.code), u.err.message);
}
#define REFUSED(body, code, words) refused(BYTES(body END), CUV_E_##code, words)

TEST(the_least_upload_has_the_defaults)
{
	_cleanup_upload_ struct upload u;
	struct cuv_limits defaults;

	cuv_limits_default(&defaults);
	read_upload(&u, SIZE_MAX, BYTES(REQUIREMENTS CODE END));
	assert_ok(u.result);
	assert_int_equal(u.request.spec.code_len, 9);
	assert_memory_equal(u.request.spec.code, "print(1)\n", 9);
	assert_string_equal(u.request.spec.requirements, "idna==3.7\n");
	assert_int_equal(u.request.spec.requirements_len, 10);
	assert_int_equal(u.request.spec.stdin_len, 0);
	assert_int_equal(u.request.spec.args->n, 0);
	assert_int_equal(u.request.spec.exclude_s, 0);
	assert_true(u.request.spec.lint);
	assert_memory_equal(&u.request.spec.limits, &defaults, sizeof(defaults));
}

TEST(every_field_arrives)
{
	_cleanup_upload_ struct upload u;

	read_upload(&u, SIZE_MAX,
		    BYTES(CODE REQUIREMENTS FIELD("stdin", "in\0put") FIELD("args", "[\"a\", \"\\u00e9\", \"\"]")
				  FIELD("python", "3.11") FIELD("exclude_newer", "2025-01-31") FIELD("timeout", "2.5")
					  FIELD("memory", "64MiB") FIELD("cpus", "0.5") FIELD("processes", "7") END));
	assert_ok(u.result);
	assert_int_equal(u.request.spec.stdin_len, 6);
	assert_memory_equal(u.request.spec.stdin_data, "in\0put", 6);
	assert_int_equal(u.request.spec.args->n, 3);
	assert_string_equal(u.request.spec.args->items[1], "\xc3\xa9");
	assert_int_equal(u.request.spec.exclude_s, 1738281600);
	assert_int_equal(u.request.spec.limits.value[CUV_LIMIT_WALL], 2500);
	assert_int_equal(u.request.spec.limits.value[CUV_LIMIT_MEMORY], 64 << 20);
	assert_int_equal(u.request.spec.limits.value[CUV_LIMIT_CPUS], 500);
	assert_int_equal(u.request.spec.limits.value[CUV_LIMIT_PROCESSES], 7);
}

TEST(isolation_is_auto_or_strict)
{
	static const struct {
		const char *body;
		bool strict;
	} cases[] = {{REQUIREMENTS CODE END, false},
		     {REQUIREMENTS CODE FIELD("isolation", "auto") END, false},
		     {REQUIREMENTS CODE FIELD("isolation", "strict") END, true}};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_upload_ struct upload u;
		struct cuv_job_spec spec;

		read_upload(&u, SIZE_MAX, cases[i].body, strlen(cases[i].body));
		assert_ok(u.result);
		assert_int_equal(u.request.spec.strict, cases[i].strict);
		spec = u.request.spec;
		cuv_sharing_apply(CUV_SHARING_TENANT, "t", &spec);
		assert_true(strcmp(spec.tenant, "t") == 0 && spec.strict == cases[i].strict);
		cuv_sharing_apply(CUV_SHARING_ENVIRONMENT, "t", &spec);
		assert_true(strcmp(spec.tenant, "") == 0 && spec.strict == cases[i].strict);
		cuv_sharing_apply(CUV_SHARING_NONE, "t", &spec);
		assert_true(spec.strict);
	}
}

TEST(lint_can_be_left_out)
{
	_cleanup_upload_ struct upload u, w;

	read_upload(&u, SIZE_MAX, BYTES(REQUIREMENTS CODE FIELD("lint", "off") END));
	assert_ok(u.result);
	assert_false(u.request.spec.lint);
	read_upload(&w, SIZE_MAX, BYTES(REQUIREMENTS CODE FIELD("lint", "on") END));
	assert_ok(w.result);
	assert_true(w.request.spec.lint);
}

TEST(a_byte_order_mark_is_dropped)
{
	_cleanup_upload_ struct upload u;

	read_upload(&u, SIZE_MAX,
		    BYTES(FILE_PART("requirements", "R.TXT", "\xef\xbb\xbfidna\n")
				  FILE_PART("code", "x.PY", "\xef\xbb\xbfpass\n") END));
	assert_ok(u.result);
	assert_memory_equal(u.request.spec.code, "pass\n", 5);
	assert_string_equal(u.request.spec.requirements, "idna\n");
}

TEST(files_are_required_named_and_readable)
{
	REFUSED(CODE, REQUIREMENTS_MISSING, "`requirements` is missing");
	REFUSED(REQUIREMENTS, CODE_MISSING, "`code` is missing");
	REFUSED(CODE FILE_PART("requirements", "r.toml", "#\n"), REQUIREMENTS_NAME, ".txt");
	REFUSED(CODE FILE_PART("requirements", ".txt", "#\n"), REQUIREMENTS_NAME, ".txt");
	REFUSED(CODE FIELD("requirements", "#\n"), REQUIREMENTS_NAME, ".txt");
	REFUSED(CODE FILE_PART("requirements", "r.txt", ""), REQUIREMENTS_EMPTY, "no bytes");
	REFUSED(CODE FILE_PART("requirements", "r.txt", "# \xe9"), REQUIREMENTS_ENCODING, "UTF-8");
	REFUSED(CODE FILE_PART("requirements", "r.txt", "a b\n"), REQUIREMENT_INVALID, "");
	REFUSED(REQUIREMENTS FILE_PART("code", "main.pyc", "1"), CODE_NAME, ".py");
	REFUSED(REQUIREMENTS FILE_PART("code", "", "1"), CODE_NAME, ".py");
	REFUSED(REQUIREMENTS FILE_PART("code", "m.py", ""), CODE_EMPTY, "no bytes");
	REFUSED(REQUIREMENTS FILE_PART("code", "m.py", "\xef\xbb\xbf"), CODE_EMPTY, "no bytes");
	REFUSED(REQUIREMENTS FILE_PART("code", "m.py", "\xff"), CODE_ENCODING, "UTF-8");
	REFUSED(REQUIREMENTS FILE_PART("code", "m.py", "\xed\xa0\x80"), CODE_ENCODING, "UTF-8");
}

#define LOCK_TEXT                                                                                                      \
	"lock-version = \"1.0\"\n[[packages]]\nname = \"a\"\nwheels = [{ url = "                                       \
	"\"https://f.invalid/a-1-py3-none-any.whl\", hashes = { sha256 = "                                             \
	"\"1111111111111111111111111111111111111111111111111111111111111111\" } }]\n"
#define DIGEST "0123456789abcdfghijklmnpqrsvwxyz"

TEST(a_lock_or_a_digest_stands_for_requirements)
{
	_cleanup_upload_ struct upload u;
	_cleanup_upload_ struct upload v;

	read_upload(&u, SIZE_MAX, BYTES(CODE FILE_PART("lock", "pylock.toml", LOCK_TEXT) END));
	assert_ok(u.result);
	assert_int_equal(u.request.spec.env_source, CUV_ENV_LOCK);
	assert_non_null(strstr(u.request.spec.requirements, "{\"kind\":\"url\"}"));
	assert_null(u.request.spec.source);
	read_upload(&v, SIZE_MAX, BYTES(CODE FIELD("env", DIGEST) END));
	assert_ok(v.result);
	assert_int_equal(v.request.spec.env_source, CUV_ENV_DIGEST);
	assert_string_equal(v.request.spec.env_digest, DIGEST);
	assert_int_equal(v.request.spec.requirements_len, 0);

	/* the first Python that it is for, unless one is asked for */
	{
		_cleanup_upload_ struct upload w;

		read_upload(&w, SIZE_MAX,
			    BYTES(CODE FILE_PART("lock", "l.toml", "requires-python = '>=3.13'\n" LOCK_TEXT) END));
		assert_ok(w.result);
		assert_string_equal(u.request.spec.python->version, "3.11");
		assert_string_equal(w.request.spec.python->version, "3.13");
	}
	REFUSED(CODE FILE_PART("lock", "l.toml", "requires-python = '>=3.13'\n" LOCK_TEXT) FIELD("python", "3.11"),
		LOCK_MISMATCH, "lock it for 3.11");
	REFUSED(CODE FILE_PART("lock", "l.toml", "requires-python = '>=3.99'\n" LOCK_TEXT), LOCK_MISMATCH, ">=3.99");
	REFUSED(CODE REQUIREMENTS FIELD("env", DIGEST), FIELD_CONFLICT, "one of");
	REFUSED(CODE FILE_PART("lock", "l.toml", LOCK_TEXT) FIELD("env", DIGEST), FIELD_CONFLICT, "one of");
	REFUSED(CODE FIELD("env", DIGEST) FIELD("exclude_newer", "2024-01-01"), FIELD_CONFLICT, "exclude_newer");
	REFUSED(CODE FIELD("env", "sha256:00"), FIELD_INVALID, "environment.digest");
	REFUSED(CODE FIELD("env", "../23456789abcdfghijklmnpqrsvwxyz"), FIELD_INVALID, "environment.digest");
	REFUSED(CODE FILE_PART("lock", "uv.lock", LOCK_TEXT), LOCK_NAME, ".toml");
	REFUSED(CODE FIELD("lock", LOCK_TEXT), LOCK_NAME, ".toml");
	REFUSED(CODE FILE_PART("lock", "l.toml", ""), LOCK_EMPTY, "no bytes");
	REFUSED(CODE FILE_PART("lock", "l.toml", "lock-version = \"9\""), LOCK_UNSUPPORTED, "version 9");
}

TEST(fields_are_known_and_sent_once)
{
	REFUSED(CODE CODE REQUIREMENTS, FIELD_DUPLICATE, "`code`");
	REFUSED(FIELD("timeout", "1") FIELD("timeout", "1"), FIELD_DUPLICATE, "`timeout`");
	REFUSED(FIELD("Code", "1"), FIELD_UNKNOWN,
		"`Code` is not a field of this request; there are `requirements`, `requirements_files`, "
		"`code`,");
	REFUSED(REQUIREMENTS CODE FIELD("mode", "later"), FIELD_INVALID, "`sync`, `async` or `stream`");
	REFUSED(REQUIREMENTS CODE FILE_PART("files", "../a", "1"), FILE_REFUSED, "`../a` can't be");
	REFUSED(FILE_PART("files", "a", "1") FILE_PART("files", "a", "1"), FIELD_DUPLICATE, "twice");
	REFUSED(REQUIREMENTS CODE FILE_PART("archive", "a.zip", "PK"), ARCHIVE_INVALID, "can't be unpacked");
	REFUSED(REQUIREMENTS CODE FIELD("artifacts", "[\"/etc/*\"]"), FIELD_INVALID, "item 1 of `artifacts`");
}

TEST(values_are_checked)
{
#define WITH(name, value) REQUIREMENTS CODE FIELD(name, value)
	REFUSED(WITH("timeout", ""), FIELD_INVALID, "in seconds");
	REFUSED(WITH("timeout", "0"), FIELD_INVALID, "above 0");
	REFUSED(WITH("timeout", " 1"), FIELD_INVALID, "in seconds");
	REFUSED(WITH("timeout", "1\0"), FIELD_INVALID, "NUL");
	REFUSED(WITH("timeout", "300.1"), LIMIT_EXCEEDED, "maximum of 300 s");
	REFUSED(WITH("memory", "5GiB"), LIMIT_EXCEEDED, "maximum of 4096 MiB");
	REFUSED(WITH("cpus", "65"), LIMIT_EXCEEDED, "maximum of 64 CPUs");
	REFUSED(WITH("processes", "513"), LIMIT_EXCEEDED, "maximum of 512");
	REFUSED(WITH("processes", "many"), FIELD_INVALID, "a whole number");
	REFUSED(WITH("lint", "no"), FIELD_INVALID, "must be `on` or `off`");
	REFUSED(WITH("isolation", "none"), FIELD_INVALID, "must be `auto`, or `strict`");
	REFUSED(WITH("isolation", ""), FIELD_INVALID, "must be `auto`, or `strict`");
	REFUSED(WITH("isolation", "STRICT"), FIELD_INVALID, "must be `auto`, or `strict`");
	REFUSED(WITH("python", "3.12"), FIELD_INVALID, "asks for Python 3.12; there are 3.11.2 and 3.13.5");
	REFUSED(WITH("python", "3.1"), FIELD_INVALID, "asks for Python 3.1;");
	REFUSED(WITH("python", "3"), FIELD_INVALID, "asks for Python 3;");
	REFUSED(WITH("python", "3.11.2.1"), FIELD_INVALID, "asks for");
	REFUSED(WITH("python", ""), FIELD_INVALID, "asks for");
	REFUSED(WITH("exclude_newer", "yesterday"), FIELD_INVALID, "must be a date");
	REFUSED(WITH("exclude_newer", "2999-01-01"), FIELD_INVALID, "in the future");
	REFUSED(WITH("exclude_newer", "1970-01-01"), FIELD_INVALID, "must be a date");
}

static void args(const char *text, int want_n)
{
	_cleanup_strv_ struct cuv_strv v = CUV_STRV_INIT;
	struct cuv_error err = CUV_ERROR_INIT;
	int r = cuv_run_request_args(text, strlen(text), &v, &err);

	if ((r < 0) != (want_n < 0))
		fail_msg("%.60s: %s", text, err.message);
	if (want_n >= 0)
		assert_int_equal(v.n, want_n);
	else
		assert_int_equal(err.code, CUV_E_FIELD_INVALID);
}

TEST(args_are_a_json_array_of_strings)
{
	_cleanup_buf_ struct cuv_buf long_list = CUV_BUF_INIT(1 << 20), long_item = CUV_BUF_INIT(1 << 20);
	int i;

	args("[]", 0);
	args(" [ \"a\" , \"b\" ] ", 2);
	args("", -1);
	args("a", -1);
	args("\"a\"", -1);
	args("{}", -1);
	args("null", -1);
	args("[1]", -1);
	args("[null]", -1);
	args("[[\"a\"]]", -1);
	args("[\"a\"] x", -1);
	args("[\"a\",]", -1);
	args("[\"a\\u0000b\"]", -1);
	args("[\"\\ud800\"]", -1);
	for (i = 0; i <= CUV_ARGS_MAX; i++)
		cuv_buf_addf(&long_list, "%s\"\"", i ? "," : "[");
	cuv_buf_add_str(&long_list, "]");
	args(long_list.data, -1);
	cuv_buf_addf(&long_item, "[\"%0*d\"]", CUV_ARG_BYTES_MAX, 0);
	args(long_item.data, 1);
	cuv_buf_reset(&long_item);
	cuv_buf_addf(&long_item, "[\"%0*d\"]", CUV_ARG_BYTES_MAX + 1, 0);
	args(long_item.data, -1);
	cuv_buf_reset(&long_item);
	for (i = 0; i < 5; i++)
		cuv_buf_addf(&long_item, "%s\"%08000d\"", i ? "," : "[", 0);
	cuv_buf_add_str(&long_item, "]");
	args(long_item.data, -1);
}

static void too_large(const char *name, const char *filename, size_t bytes, enum cuv_error_code code)
{
	_cleanup_buf_ struct cuv_buf body = CUV_BUF_INIT(64 << 20);
	_cleanup_upload_ struct upload u;
	char *room;

	cuv_buf_add_str(&body, REQUIREMENTS CODE);
	body.len = 0; /* only the memory */
	cuv_buf_addf(&body, "--B" CRLF "Content-Disposition: form-data; name=\"%s\"; filename=\"%s\"" CRLF CRLF, name,
		     filename);
	room = cuv_buf_room(&body, bytes);
	assert_non_null(room);
	memset(room, '#', bytes);
	cuv_buf_grew(&body, bytes);
	cuv_buf_add_str(&body, CRLF END);
	read_upload(&u, SIZE_MAX, body.data, body.len);
	assert_true(u.result < 0);
	if (u.err.code != code)
		fail_msg("%s: %s", name, u.err.message);
}

#define SCRIPT(text) FILE_PART("code", "main.py", "# /// script" CRLF text CRLF "# ///" CRLF)

TEST(a_script_says_what_it_needs)
{
	_cleanup_upload_ struct upload u, both, newer;

	read_upload(&u, SIZE_MAX, BYTES(SCRIPT("# dependencies = ['Rich']") END));
	if (u.result < 0)
		fail_msg("%s", u.err.message);
	assert_string_equal(u.request.spec.requirements, "rich\n");
	assert_non_null(u.request.spec.source);
	/* What is sent counts, and the header is not even read. */
	read_upload(&both, SIZE_MAX, BYTES(SCRIPT("# dependencies = 1") FILE_PART("requirements", "r.txt", "foo") END));
	assert_true(both.result == 0);
	assert_string_equal(both.request.spec.requirements, "foo\n");
	read_upload(&newer, SIZE_MAX, BYTES(SCRIPT("# requires-python = '>=3.12'") END));
	assert_true(newer.result == 0);
	assert_string_equal(newer.request.spec.python->version, "3.13");
	REFUSED(SCRIPT("# dependencies = 1"), SCRIPT_INVALID, "list of texts");
	REFUSED(SCRIPT("# dependencies = ['a b']"), REQUIREMENT_INVALID, "line of its own");
	REFUSED(SCRIPT("# requires-python = '<3'"), REQUIREMENTS_UNRESOLVABLE, "needs Python <3");
	REFUSED(SCRIPT("# requires-python = '>=3.12'") FIELD("python", "3.11"), REQUIREMENTS_UNRESOLVABLE,
		"this one is 3.11");
	REFUSED(CODE, REQUIREMENTS_MISSING, "PEP 723");
}

#define MORE(name, text) FILE_PART("requirements_files", name, text)

TEST(requirements_include_files_sent_along)
{
	_cleanup_upload_ struct upload u;

	read_upload(&u, SIZE_MAX,
		    BYTES(FILE_PART("requirements", "r.txt", "-r dev/a.txt" CRLF "-c c.txt") MORE("c.txt", "bar<2")
				  CODE MORE("dev/a.txt", "-r b.txt") MORE("dev/b.txt", "Foo") END));
	if (u.result < 0)
		fail_msg("%s", u.err.message);
	assert_string_equal(u.request.spec.requirements, "foo\n--constraint bar<2\n");
	assert_int_equal(u.request.source->files.n, 4);
	REFUSED(CODE FILE_PART("requirements", "r.txt", "-r b.txt") MORE("a.txt", "a"), REQUIREMENTS_FILE_MISSING,
		"`b.txt`");
	REFUSED(REQUIREMENTS CODE MORE("a.txt", "a") MORE("a.txt", "b"), FIELD_DUPLICATE, "`a.txt` twice");
	REFUSED(REQUIREMENTS CODE MORE("../a.txt", "a"), FIELD_INVALID, "`../a.txt`");
	REFUSED(REQUIREMENTS CODE MORE("/a.txt", "a"), FIELD_INVALID, "relative path");
	REFUSED(REQUIREMENTS CODE MORE("", "a"), FIELD_INVALID, "with a name");
	REFUSED(REQUIREMENTS CODE FIELD("requirements_files", "a"), FIELD_INVALID, "must be a file");
	REFUSED(REQUIREMENTS CODE MORE("1", "") MORE("2", "") MORE("3", "") MORE("4", "") MORE("5", "") MORE("6", "")
			MORE("7", "") MORE("8", "") MORE("9", "") MORE("10", "") MORE("11", "") MORE("12", "")
				MORE("13", "") MORE("14", "") MORE("15", "") MORE("16", ""),
		TOO_LARGE, "16 requirements files");
}

TEST(each_field_has_its_size)
{
	too_large("code", "m.py", CUV_CODE_BYTES_MAX + 1, CUV_E_TOO_LARGE);
	too_large("code", "m.py", CUV_CODE_BYTES_MAX, CUV_E_REQUIREMENTS_MISSING);
	too_large("requirements", "r.txt", CUV_REQUIREMENTS_BYTES_MAX + 1, CUV_E_TOO_LARGE);
	too_large("lock", "l.toml", CUV_UPLOADED_LOCK_BYTES_MAX + 1, CUV_E_TOO_LARGE);
	too_large("lock", "l.toml", CUV_UPLOADED_LOCK_BYTES_MAX, CUV_E_LOCK_INVALID);
	too_large("requirements", "r.txt", CUV_REQUIREMENTS_BYTES_MAX, CUV_E_CODE_MISSING);
	too_large("stdin", "", CUV_STDIN_BYTES_MAX + 1, CUV_E_TOO_LARGE);
	too_large("timeout", "", 65, CUV_E_TOO_LARGE);
}

TEST(memory_is_charged_before_it_is_taken)
{
	_cleanup_upload_ struct upload u;

	read_upload(&u, 20, BYTES(CODE FIELD("stdin", "0123456789") END));
	assert_true(u.result < 0);
	assert_int_equal(u.err.code, CUV_E_OVERLOADED);
	assert_true(u.err.retry_after_s > 0);
	assert_true(u.budget.used_bytes <= 20);
}

TEST(a_budget_is_shared)
{
	struct cuv_budget b;
	struct cuv_charge one = CUV_CHARGE_INIT(&b), two = CUV_CHARGE_INIT(&b), unbounded = CUV_CHARGE_INIT(NULL);

	cuv_budget_init(&b, 100);
	assert_true(cuv_charge_add(&one, 60));
	assert_false(cuv_charge_add(&two, 41));
	assert_true(cuv_charge_add(&two, 40));
	assert_false(cuv_charge_add(&one, SIZE_MAX));
	cuv_charge_done(&one);
	assert_true(cuv_charge_add(&two, 60));
	cuv_charge_done(&two);
	assert_int_equal(b.used_bytes, 0);
	assert_true(cuv_charge_add(&unbounded, SIZE_MAX));
	cuv_charge_done(&unbounded);
}

TEST(one_client_leaves_a_part_to_others)
{
	atomic_size_t many = 0, few = 0;
	struct cuv_charge one, two, beside, other, alone;
	struct cuv_error err = CUV_ERROR_INIT;
	struct cuv_budget b;

	cuv_budget_init(&b, 100);
	one = cuv_charge_of(&b, &many, true);
	two = cuv_charge_of(&b, &many, true);
	other = cuv_charge_of(&b, &few, true);
	assert_true(cuv_charge_add(&one, 50));
	assert_false(cuv_charge_add(&two, 26));
	assert_true(cuv_charge_refused(&two, &err, "request") < 0);
	assert_int_equal(err.code, CUV_E_OVERLOADED);
	assert_true(err.retry_after_s > 0);
	assert_non_null(strstr(err.message, "API key"));
	assert_true(cuv_charge_add(&two, 25));
	beside = cuv_charge_beside(&one);
	assert_false(cuv_charge_add(&beside, 1));
	assert_int_equal(b.used_bytes, 75);
	/* Somebody else's, and what is refused for the lack of all is not counted. */
	assert_false(cuv_charge_add(&other, 26));
	assert_true(cuv_charge_refused(&other, &err, "request") < 0);
	assert_null(strstr(err.message, "API key"));
	assert_true(cuv_charge_add(&other, 25));
	assert_int_equal(few, 25);
	cuv_charge_done(&other);
	assert_int_equal(few, 0);
	cuv_charge_back(&one, 10);
	assert_int_equal(many, 35);
	assert_true(cuv_charge_add(&beside, 40));
	/* Who is alone may have all of it, until somebody comes. */
	alone = cuv_charge_of(&b, &many, false);
	assert_true(cuv_charge_add(&alone, 25));
	assert_false(cuv_charge_add(&two, 1));
	cuv_charge_done(&alone);
	cuv_charge_done(&beside);
	cuv_charge_done(&two);
	cuv_charge_done(&one);
	assert_int_equal(many, 0);
	assert_int_equal(b.used_bytes, 0);
}

TEST(a_part_of_a_charge_is_given_back)
{
	struct cuv_budget b;
	struct cuv_charge one = CUV_CHARGE_INIT(&b), two = CUV_CHARGE_INIT(&b), unbounded = CUV_CHARGE_INIT(NULL);

	cuv_budget_init(&b, 100);
	assert_true(cuv_charge_add(&one, 30));
	assert_true(cuv_charge_add(&one, 50));
	assert_false(cuv_charge_add(&two, 40));
	cuv_charge_back(&one, 80);
	cuv_charge_back(&one, SIZE_MAX);
	assert_int_equal(b.used_bytes, 80);
	cuv_charge_back(&one, 30);
	assert_int_equal(one.bytes, 30);
	assert_int_equal(one.most_bytes, 80);
	assert_int_equal(b.used_bytes, 30);
	assert_true(cuv_charge_add(&two, 70));
	cuv_charge_done(&one);
	cuv_charge_done(&two);
	assert_int_equal(b.used_bytes, 0);
	assert_true(cuv_charge_add(&unbounded, SIZE_MAX));
	cuv_charge_back(&unbounded, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_least_upload_has_the_defaults),
		cmocka_unit_test(every_field_arrives),
		cmocka_unit_test(isolation_is_auto_or_strict),
		cmocka_unit_test(lint_can_be_left_out),
		cmocka_unit_test(a_byte_order_mark_is_dropped),
		cmocka_unit_test(files_are_required_named_and_readable),
		cmocka_unit_test(a_lock_or_a_digest_stands_for_requirements),
		cmocka_unit_test(fields_are_known_and_sent_once),
		cmocka_unit_test(values_are_checked),
		cmocka_unit_test(args_are_a_json_array_of_strings),
		cmocka_unit_test(a_script_says_what_it_needs),
		cmocka_unit_test(requirements_include_files_sent_along),
		cmocka_unit_test(each_field_has_its_size),
		cmocka_unit_test(memory_is_charged_before_it_is_taken),
		cmocka_unit_test(a_budget_is_shared),
		cmocka_unit_test(one_client_leaves_a_part_to_others),
		cmocka_unit_test(a_part_of_a_charge_is_given_back),
	};

	return cmocka_run_group_tests_name("run form", tests, NULL, NULL);
}
