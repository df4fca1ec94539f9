/* SPDX-License-Identifier: MIT */
/*
 * The grammar, with every letter in either case and `sep` one of - _ . :
 *
 *   [v] [N!] N(.N)*  [sep] [a|b|c|rc|alpha|beta|pre|preview [sep] [N]]
 *   [-N | [sep] post|rev|r [sep] [N]]  [[sep] dev [sep] [N]]  [+local]
 *
 * It is read left to right without going back, except that a separator in front
 * of a word that does not come is handed back to the next part.
 */
#include "nixenv/pep440.h"

#include "nixenv/pep508_scan.h"

#include <inttypes.h>
#include <string.h>

static bool is_separator(char c)
{
	return c == '-' || c == '_' || c == '.';
}

/* One or more digits; false when there is none. *ret_fits tells whether the
 * number can be held. */
static bool read_number(struct cuv_scan *s, uint64_t *ret, bool *fits)
{
	uint64_t n = 0;

	if (!cuv_is_digit(cuv_scan_peek(s)))
		return false;
	for (; cuv_is_digit(cuv_scan_peek(s)); s->pos++) {
		uint64_t digit = (uint64_t)(cuv_scan_peek(s) - '0');

		if (n > (CUV_VERSION_NUMBER_MAX - digit) / 10) {
			*fits = false;
			n = 0;
		}
		n = n * 10 + digit;
	}
	*ret = n;
	return true;
}

static bool eat_word(struct cuv_scan *s, const char *word)
{
	size_t i;

	for (i = 0; word[i]; i++)
		if (s->pos + i >= s->len || cuv_lower(s->text[s->pos + i]) != word[i])
			return false;
	s->pos += i;
	return true;
}

struct label {
	const char *word;
	const char *normal;
};

/* Longer words stand before the words they begin with. */
static const struct label pre_labels[] = {
	{"alpha", "a"},	   {"a", "a"},	  {"beta", "b"}, {"b", "b"},
	{"preview", "rc"}, {"pre", "rc"}, {"rc", "rc"},	 {"c", "rc"},
};
static const struct label post_labels[] = {{"post", "post"}, {"rev", "post"}, {"r", "post"}};
static const struct label dev_labels[] = {{"dev", "dev"}};

/* [sep] word [sep] [number]; NULL and an unmoved cursor when no word is there.
 * A missing number is 0. */
static const char *read_label(struct cuv_scan *s, const struct label *labels, size_t n, uint64_t *ret, bool *fits)
{
	size_t start = s->pos;

	if (is_separator(cuv_scan_peek(s)))
		s->pos++;
	for (size_t i = 0; i < n; i++) {
		if (!eat_word(s, labels[i].word))
			continue;
		if (is_separator(cuv_scan_peek(s)))
			s->pos++;
		*ret = 0;
		(void)read_number(s, ret, fits);
		return labels[i].normal;
	}
	s->pos = start;
	return NULL;
}

static bool read_release(struct cuv_scan *s, struct cuv_version *v, bool *fits)
{
	uint64_t n;

	(void)eat_word(s, "v");
	if (!read_number(s, &n, fits))
		return false;
	if (cuv_scan_eat(s, "!")) {
		v->epoch = n;
		if (!read_number(s, &n, fits))
			return false;
	}
	v->release[v->n_release++] = n;
	while (cuv_scan_peek(s) == '.' && s->pos + 1 < s->len && cuv_is_digit(s->text[s->pos + 1])) {
		s->pos++;
		(void)read_number(s, &n, fits);
		cuv_assert(v->n_release < CUV_VERSION_RELEASE_MAX);
		v->release[v->n_release++] = n;
	}
	return true;
}

static void read_post(struct cuv_scan *s, struct cuv_version *v, bool *fits)
{
	if (cuv_scan_peek(s) == '-' && s->pos + 1 < s->len && cuv_is_digit(s->text[s->pos + 1])) {
		s->pos++;
		v->has_post = read_number(s, &v->post, fits);
		return;
	}
	v->has_post = read_label(s, post_labels, ARRAY_SIZE(post_labels), &v->post, fits) != NULL;
}

/* One part of the local label, lower-cased; a part that is a number loses its
 * leading zeros, as it is compared as a number. */
static bool read_local_part(struct cuv_scan *s, struct cuv_version *v, size_t *len)
{
	size_t start = s->pos, end;
	bool number = true;

	for (; cuv_is_alnum(cuv_scan_peek(s)); s->pos++)
		number = number && cuv_is_digit(cuv_scan_peek(s));
	end = s->pos;
	if (start == end)
		return false;
	while (number && start + 1 < end && s->text[start] == '0')
		start++;
	for (; start < end; start++)
		v->local[(*len)++] = cuv_lower(s->text[start]);
	return true;
}

static bool read_local(struct cuv_scan *s, struct cuv_version *v)
{
	size_t len = 0;

	if (!cuv_scan_eat(s, "+"))
		return true;
	for (;;) {
		if (!read_local_part(s, v, &len))
			return false;
		if (!is_separator(cuv_scan_peek(s)))
			break;
		s->pos++;
		v->local[len++] = '.';
	}
	cuv_assert(len < sizeof(v->local));
	v->local[len] = '\0';
	return true;
}

int cuv_version_parse(const char *text, size_t len, struct cuv_version *ret)
{
	struct cuv_scan s = CUV_SCAN_INIT(text, len);
	struct cuv_version v = {0};
	bool fits = true;

	if (len > CUV_VERSION_LEN_MAX)
		return CUV_VERSION_E_LENGTH;
	if (!read_release(&s, &v, &fits))
		return CUV_VERSION_E_SYNTAX;
	v.pre = read_label(&s, pre_labels, ARRAY_SIZE(pre_labels), &v.pre_n, &fits);
	read_post(&s, &v, &fits);
	v.has_dev = read_label(&s, dev_labels, ARRAY_SIZE(dev_labels), &v.dev, &fits) != NULL;
	if (!read_local(&s, &v) || !cuv_scan_at_end(&s))
		return CUV_VERSION_E_SYNTAX;
	if (!fits)
		return CUV_VERSION_E_NUMBER;
	*ret = v;
	return CUV_VERSION_OK;
}

int cuv_version_format(const struct cuv_version *v, bool short_release, struct cuv_buf *out)
{
	size_t n = v->n_release;

	cuv_assert(n > 0);
	while (short_release && n > 1 && v->release[n - 1] == 0)
		n--;
	if (v->epoch)
		cuv_buf_addf(out, "%" PRIu64 "!", v->epoch);
	for (size_t i = 0; i < n; i++)
		cuv_buf_addf(out, "%s%" PRIu64, i ? "." : "", v->release[i]);
	if (v->pre)
		cuv_buf_addf(out, "%s%" PRIu64, v->pre, v->pre_n);
	if (v->has_post)
		cuv_buf_addf(out, ".post%" PRIu64, v->post);
	if (v->has_dev)
		cuv_buf_addf(out, ".dev%" PRIu64, v->dev);
	if (v->local[0])
		cuv_buf_addf(out, "+%s", v->local);
	return cuv_buf_err(out);
}
