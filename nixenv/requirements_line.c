/* SPDX-License-Identifier: MIT */
#include "nixenv/requirements_line.h"

#include "nixenv/pep508_list.h"
#include "nixenv/pep508_url.h"
#include "nixenv/requirements.h"
#include "nixenv/requirements_option.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

static const char index_form[] = "name a version from the index, as in name==1.2.3";

/* U+00A0, U+201C and the like come from word processors and web pages. */
static const char *foreign_advice(const char *text)
{
	if (memcmp(text, "\xc2\xa0", 2) == 0)
		return "this is a no-break space; use a plain space";
	if (memcmp(text, "\xe2\x80", 2) == 0 && (unsigned char)text[2] >= 0x98 && (unsigned char)text[2] <= 0x9f)
		return "this is a typographic quote; use \" or '";
	if (memcmp(text, "\xe2\x80", 2) == 0 && (unsigned char)text[2] >= 0x90 && (unsigned char)text[2] <= 0x95)
		return "this is a typographic dash; use -";
	if (memcmp(text, "\xef\xbb\xbf", 3) == 0)
		return "this is a byte order mark inside the file; remove it";
	return "only comments may hold characters outside ASCII";
}

int cuv_requirement_line_check(struct cuv_scan *s)
{
	for (size_t i = 0; i < s->len; i++) {
		if ((unsigned char)s->text[i] >= 0x80)
			/* The text is valid UTF-8 and ends in a NUL: the bytes are there. */
			return cuv_scan_fail(s, i, CUV_E_REQUIREMENT_INVALID, "%s", foreign_advice(s->text + i));
		if (s->text[i] != '\\')
			continue;
		if (i + 1 == s->len)
			return cuv_scan_fail(
				s, i, CUV_E_REQUIREMENT_INVALID,
				"a backslash continues a line only as its very last character; a second backslash, a "
				"blank or a comment follows this one");
	}
	return 0;
}

static size_t word_len(const struct cuv_scan *s)
{
	size_t n = 0;

	while (s->pos + n < s->len && !cuv_is_blank(s->text[s->pos + n]) && !strchr(";[(<>=!~,@", s->text[s->pos + n]))
		n++;
	return n;
}

static bool looks_like_path(const char *word, size_t len)
{
	if (len && (word[0] == '.' || word[0] == '~'))
		return true;
	return memchr(word, '/', len) || memchr(word, '\\', len);
}

static bool looks_like_archive(const char *word, size_t len)
{
	static const char *const endings[] = {".whl",	  ".zip", ".tar.gz", ".tgz", ".tar",
					      ".tar.bz2", ".tbz", ".tar.xz", ".txz"};

	for (size_t i = 0; i < ARRAY_SIZE(endings); i++) {
		size_t n = strlen(endings[i]);

		if (len > n && strncasecmp(word + len - n, endings[i], n) == 0)
			return true;
	}
	return false;
}

/* What other installers take in this place and this one does not. */
static int refuse_elsewhere(struct cuv_scan *s)
{
	const char *word = s->text + s->pos, *variable;
	size_t len = word_len(s);

	variable = strstr(s->text + s->pos, "${");
	if (variable)
		return cuv_scan_fail(s, (size_t)(variable - s->text), CUV_E_REQUIREMENT_UNSUPPORTED,
				     "environment variables are never expanded; write the value itself");
	if (cuv_pep508_is_address(s))
		return 0;
	if ((s->len > s->pos && *word == '~') || looks_like_path(word, len))
		return cuv_scan_fail(s, s->pos, CUV_E_REQUIREMENT_UNSUPPORTED, "a local path is not served; %s",
				     index_form);
	if (looks_like_archive(word, len))
		return cuv_scan_fail(s, s->pos, CUV_E_REQUIREMENT_UNSUPPORTED, "a local file is not served; %s",
				     index_form);
	return 0;
}

static int read_hashes(struct cuv_scan *s, struct cuv_strv *hashes)
{
	for (;;) {
		int r;

		cuv_scan_skip_blanks(s);
		if (cuv_scan_at_end(s))
			break;
		if (cuv_scan_looks_at(s, "--hash=") || cuv_scan_looks_at(s, "--hash ") ||
		    cuv_scan_looks_at(s, "--hash\t")) {
			r = cuv_option_parse_hash(s, hashes);
		} else if (cuv_scan_peek(s) == '-') {
			struct cuv_requirements_option o;
			size_t start = s->pos;

			r = cuv_option_parse(s, &o);
			if (r == 0)
				r = cuv_scan_fail(s, start, CUV_E_REQUIREMENT_INVALID,
						  "`%s` can't follow a requirement; only --hash can", o.name);
		} else {
			r = cuv_scan_fail(s, s->pos, CUV_E_REQUIREMENT_INVALID,
					  "only --hash options and the end of the line may follow here");
		}
		if (r)
			return r;
	}
	cuv_list_sort_unique(hashes);
	return 0;
}

/* The canonical line: every character of it is written here or by a normaliser. */
static int write_text(struct cuv_requirement *q)
{
	_cleanup_buf_ struct cuv_buf text = CUV_BUF_INIT(CUV_REQUIREMENTS_BYTES_MAX * 4);

	cuv_buf_add_str(&text, q->name);
	if (q->extras.n) {
		cuv_buf_add_char(&text, '[');
		cuv_list_join(&q->extras, ",", &text);
		cuv_buf_add_char(&text, ']');
	}
	cuv_buf_add_str(&text, q->specifiers);
	if (q->direct.url) {
		cuv_buf_add_str(&text, " @ ");
		cuv_direct_write(&q->direct, &text);
	}
	if (q->marker[0])
		cuv_buf_addf(&text, " ; %s", q->marker);
	for (size_t i = 0; i < q->hashes.n; i++)
		cuv_buf_addf(&text, " --hash=%s", q->hashes.items[i]);
	q->text = cuv_buf_take(&text, NULL);
	return q->text ? 0 : -ENOMEM;
}

int cuv_requirement_line_parse(struct cuv_scan *s, struct cuv_requirement *ret)
{
	size_t start;
	int r;

	r = refuse_elsewhere(s);
	if (r)
		return r;
	r = cuv_pep508_parse(s, ret);
	if (r)
		return r;
	start = s->pos;
	r = read_hashes(s, &ret->hashes);
	if (r)
		return r;
	if (ret->direct.kind == CUV_DIRECT_GIT && ret->hashes.n)
		return cuv_scan_fail(s, start, CUV_E_REQUIREMENT_INVALID,
				     "a repository has no hash; name the commit behind its @ instead");
	return write_text(ret);
}
