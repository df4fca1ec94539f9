/* SPDX-License-Identifier: MIT */
/* Encodings, control characters, and the limits of a file. */
#include "nixenv/marker.h"
#include "nixenv/pep440.h"
#include "nixenv/pep440_specifier.h"
#include "tests/unit/requirements_test.h"

#define BYTES(literal) (literal), sizeof(literal) - 1

static void byte_order_marks(void **state)
{
	(void)state;
	assert_canonical_bytes(BYTES("\xef\xbb\xbf"), "");
	assert_canonical_bytes(BYTES("\xef\xbb\xbf"
				     "foo\n"),
			       "foo\n");
	assert_canonical_bytes(BYTES("\xff\xfe"), "");
	assert_canonical_bytes(BYTES("\xff\xfe"
				     "f\0o\0o\0\r\0\n\0b\0"),
			       "b\nfoo\n");
	assert_canonical_bytes(BYTES("\xfe\xff"
				     "\0f\0o\0o\0\n\0b"),
			       "b\nfoo\n");
	/* U+1F40D as a surrogate pair, in a comment. */
	assert_canonical_bytes(BYTES("\xff\xfe"
				     "f\0 \0#\0\x3d\xd8\x0d\xdc"),
			       "f\n");
	/* The coding comment says what the mark makes untrue; the mark wins. */
	assert_canonical_bytes(BYTES("\xef\xbb\xbf# coding: latin-1\nfoo"), "foo\n");
}

static void column_counts_characters(void **state)
{
	(void)state;
	assert_refused_bytes(BYTES("\xef\xbb\xbf"
				   "foo!"),
			     CUV_E_REQUIREMENT_INVALID, 1, 4, "write `!=`");
	assert_refused_bytes(BYTES("\xff\xfe"
				   "f\0\n\0f\0o\0o\0!\0"),
			     CUV_E_REQUIREMENT_INVALID, 2, 4, "write `!=`");
	assert_refused("# \xc3\xa9\xc3\xa9\x01", CUV_E_REQUIREMENT_INVALID, 1, 5, "U+0001");
}

static void bad_encodings(void **state)
{
	(void)state;
	assert_refused_bytes(BYTES("a\n# \xe9t\xe9\n"), CUV_E_REQUIREMENTS_ENCODING, 2, 3, "0xe9 is not UTF-8");
	assert_refused_bytes(BYTES("# \xc3"), CUV_E_REQUIREMENTS_ENCODING, 1, 3, "0xc3");
	assert_refused_bytes(BYTES("# \xc0\xaf"), CUV_E_REQUIREMENTS_ENCODING, 1, 3, "0xc0");
	assert_refused_bytes(BYTES("# \xed\xa0\x80"), CUV_E_REQUIREMENTS_ENCODING, 1, 3, "0xed");
	assert_refused_bytes(BYTES("\xff\xfe"
				   "a\0\n\0b"),
			     CUV_E_REQUIREMENTS_ENCODING, 2, 1, "from here on");
	assert_refused_bytes(BYTES("\xff\xfe"
				   "a\0\x3d\xd8"
				   "b\0"),
			     CUV_E_REQUIREMENTS_ENCODING, 1, 2, "from here on");
	assert_refused_bytes(BYTES("\xfe\xff\xdc\x0d"), CUV_E_REQUIREMENTS_ENCODING, 1, 1, "from here on");
	assert_refused_bytes(BYTES("\xff\xfe\0\0a\0\0\0"), CUV_E_REQUIREMENTS_ENCODING, 0, 0, "UTF-32");
	assert_refused_bytes(BYTES("\0\0\xfe\xff\0\0\0a"), CUV_E_REQUIREMENTS_ENCODING, 0, 0, "UTF-32");
	/* UTF-16 without its mark. */
	assert_refused_bytes(BYTES("f\0o\0o\0"), CUV_E_REQUIREMENTS_ENCODING, 1, 2, "byte order mark");
	assert_refused_bytes(BYTES("a\nfoo\0"), CUV_E_REQUIREMENTS_ENCODING, 2, 4, "NUL");
}

static void coding_comments(void **state)
{
	static const char *const fine[] = {
		"# -*- coding: utf-8 -*-\nfoo",
		"#coding=UTF8\nfoo",
		"# a\n# coding:utf_8\nfoo",
		"# vim: set fileencoding=utf-8-sig :\nfoo",
		"# a\n# b\n# coding: latin-1\nfoo",
		"# a\r\n# b\r\n# coding: latin-1\nfoo",
		"# encoding is fine\nfoo",
		"  # coding: latin-1\nfoo",
		"foo # coding: latin-1",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(fine); i++)
		assert_canonical_bytes(fine[i], strlen(fine[i]), "foo\n");
	assert_refused("# -*- coding: latin-1 -*-\nfoo", CUV_E_REQUIREMENTS_ENCODING, 1, 15, "`latin-1`");
	assert_refused("foo\n# coding=cp1252", CUV_E_REQUIREMENTS_ENCODING, 2, 10, "`cp1252`");
	/* It explains the bytes that follow better than `not UTF-8` does. */
	assert_refused("# coding: latin-1\n# \xe9", CUV_E_REQUIREMENTS_ENCODING, 1, 11, "`latin-1`");
}

static void control_characters(void **state)
{
	char text[16], words[16];

	(void)state;
	for (unsigned c = 1; c <= 0x7f; c++) {
		if ((c >= 0x20 && c < 0x7f) || c == '\t' || c == '\n' || c == '\r')
			continue;
		(void)snprintf(text, sizeof(text), "a\n# %c", (char)c);
		(void)snprintf(words, sizeof(words), "U+%04X", c);
		assert_refused(text, CUV_E_REQUIREMENT_INVALID, 2, 3, words);
	}
	/* Line ends for some tools and not for others. */
	assert_refused("# a\xc2\x85"
		       "b",
		       CUV_E_REQUIREMENT_INVALID, 1, 4, "U+0085");
	assert_refused("# \xe2\x80\xa8", CUV_E_REQUIREMENT_INVALID, 1, 3, "U+2028");
	assert_refused("# \xe2\x80\xa9", CUV_E_REQUIREMENT_INVALID, 1, 3, "U+2029");
	assert_refused("foo\fbar", CUV_E_REQUIREMENT_INVALID, 1, 4, "U+000C");
}

/* `n` times a piece between a head and a tail; the separator goes between. */
static char *repeated(const char *head, const char *piece, const char *separator, size_t n, const char *tail)
{
	struct cuv_buf b = CUV_BUF_INIT(1 << 20);

	cuv_buf_add_str(&b, head);
	for (size_t i = 0; i < n; i++)
		cuv_buf_addf(&b, "%s%s", i ? separator : "", piece);
	cuv_buf_add_str(&b, tail);
	return cuv_buf_take(&b, NULL);
}

struct limit {
	const char *head, *piece, *separator, *tail;
	size_t max;
	const char *words;
};

static void counted_limits(void **state)
{
	static const struct limit limits[] = {
		{"", "#\n", "", "", CUV_REQUIREMENTS_LINES_MAX, "4000 lines"},
		{"", "foo\n", "", "", CUV_REQUIREMENTS_MAX, "500 requirements"},
		{"", "a", "", "", CUV_NAME_LEN_MAX, "128 characters"},
		{"foo[", "a", "", "]", CUV_NAME_LEN_MAX, "128 characters"},
		{"foo[", "a", ",", "]", CUV_EXTRAS_MAX, "32 extras"},
		{"foo", ">=1", ",", "", CUV_SPECIFIERS_MAX, "32 version specifiers"},
		{"foo==", "9", "", "", 19, "too large"},
		{"foo==1.0+", "a", "", "", CUV_VERSION_LEN_MAX - 4, "128 characters"},
		{"foo;", "os_name=='nt'", " and ", "", CUV_MARKER_TERMS_MAX, "64 comparisons"},
		{"foo;", "(", "", "", CUV_MARKER_DEPTH_MAX, "16 deep"},
		{"foo;os_name=='", "a", "", "'", CUV_MARKER_STRING_MAX, "256 characters"},
		{"", "--pre", " ", "", CUV_REQUIREMENTS_IGNORED_MAX, "too many options"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
		const struct limit *l = &limits[i];
		_cleanup_free_ char *most = repeated(l->head, l->piece, l->separator, l->max, l->tail);
		_cleanup_free_ char *more = repeated(l->head, l->piece, l->separator, l->max + 1, l->tail);
		struct cuv_requirements *r = NULL;
		struct cuv_error err = CUV_ERROR_INIT;

		/* Just within: not refused for its size. */
		if (cuv_requirements_parse(most, strlen(most), &r, &err))
			assert_int_not_equal(err.code, CUV_E_TOO_LARGE);
		r = cuv_requirements_free(r);
		assert_int_equal(cuv_requirements_parse(more, strlen(more), &r, &err), -EINVAL);
		if (err.code != CUV_E_TOO_LARGE || !strstr(err.message, l->words) || !err.line)
			fail_msg("%.20s…: %s at %u: %s", more, cuv_error_name(err.code), err.line, err.message);
	}
}

static void hash_limit(void **state)
{
	static const char hash[] = " --hash=sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
	_cleanup_free_ char *most = repeated("foo", hash, "", CUV_HASHES_MAX, "");
	_cleanup_free_ char *more = repeated("foo", hash, "", CUV_HASHES_MAX + 1, "");
	_cleanup_(cuv_requirements_freep) struct cuv_requirements *r = parse_text(most);

	(void)state;
	assert_int_equal(r->items[0].hashes.n, 1);
	assert_refused(more, CUV_E_TOO_LARGE, 1, 20236, "256 hashes");
}

static void size_limit(void **state)
{
	_cleanup_free_ char *most = repeated("", "#", "", CUV_REQUIREMENTS_BYTES_MAX, "");
	_cleanup_free_ char *more = repeated("", "#", "", CUV_REQUIREMENTS_BYTES_MAX + 1, "");

	(void)state;
	assert_canonical_bytes(most, strlen(most), "");
	assert_refused(more, CUV_E_TOO_LARGE, 0, 0, "at most 262144");
}

/* What is small as it is sent can be large when written out. */
static void canonical_size_limit(void **state)
{
	_cleanup_buf_ struct cuv_buf file = CUV_BUF_INIT(CUV_REQUIREMENTS_BYTES_MAX);

	(void)state;
	for (unsigned i = 0; file.len < 250000; i++) {
		cuv_buf_addf(&file, "a%u;", i);
		for (unsigned j = 0; j < CUV_MARKER_TERMS_MAX; j++)
			cuv_buf_addf(&file, "%spython_implementation>'%u'", j ? "or " : "", j);
		cuv_buf_add_char(&file, '\n');
	}
	assert_refused(cuv_buf_str(&file), CUV_E_TOO_LARGE, 0, 0, "written out in full");
}

/* Continued lines count once, or a file of hashes would have no room. */
static void continued_lines_count_once(void **state)
{
	_cleanup_free_ char *text = repeated("foo", " ", "\\\n", 3 * CUV_REQUIREMENTS_LINES_MAX, "");

	(void)state;
	assert_canonical_bytes(text, strlen(text), "foo\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(byte_order_marks),	cmocka_unit_test(column_counts_characters),
		cmocka_unit_test(bad_encodings),	cmocka_unit_test(coding_comments),
		cmocka_unit_test(control_characters),	cmocka_unit_test(counted_limits),
		cmocka_unit_test(hash_limit),		cmocka_unit_test(size_limit),
		cmocka_unit_test(canonical_size_limit), cmocka_unit_test(continued_lines_count_once),
	};

	return cmocka_run_group_tests_name("requirements text", tests, NULL, NULL);
}
