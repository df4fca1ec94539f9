/* SPDX-License-Identifier: MIT */
#include "nixenv/pep440_compare.h"

#include "nixenv/pep440_specifier.h"

#include <errno.h>
#include <string.h>

static int compare_numbers(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

static uint64_t release_at(const struct cuv_version *v, size_t i)
{
	return i < v->n_release ? v->release[i] : 0;
}

static int compare_releases(const struct cuv_version *a, const struct cuv_version *b, size_t n)
{
	int r = compare_numbers(a->epoch, b->epoch);

	for (size_t i = 0; r == 0 && i < n; i++)
		r = compare_numbers(release_at(a, i), release_at(b, i));
	return r;
}

static int base_compare(const struct cuv_version *a, const struct cuv_version *b)
{
	return compare_releases(a, b, CUV_MAX(a->n_release, b->n_release));
}

/* A development release of the final one comes first, then a, b, rc, the final one. */
static int pre_rank(const struct cuv_version *v)
{
	if (v->pre)
		return v->pre[0] == 'a' ? 1 : v->pre[0] == 'b' ? 2 : 3;
	return v->has_dev && !v->has_post ? 0 : 4;
}

/* One part of a local label: numbers are above words. */
static int compare_label(const char *a, size_t na, const char *b, size_t nb)
{
	bool da = na && cuv_is_digit(a[0]) && strspn(a, "0123456789") >= na;
	bool db = nb && cuv_is_digit(b[0]) && strspn(b, "0123456789") >= nb;
	int r;

	if (da != db)
		return da ? 1 : -1;
	/* In normal form numbers have no leading zeros. */
	if (da && na != nb)
		return na > nb ? 1 : -1;
	r = memcmp(a, b, CUV_MIN(na, nb));
	return r ? r : (na > nb) - (na < nb);
}

static int compare_locals(const char *a, const char *b)
{
	while (*a && *b) {
		size_t na = strcspn(a, "."), nb = strcspn(b, ".");
		int r = compare_label(a, na, b, nb);

		if (r)
			return r;
		a += na + (a[na] == '.');
		b += nb + (b[nb] == '.');
	}
	return (*a != '\0') - (*b != '\0');
}

static int public_compare(const struct cuv_version *a, const struct cuv_version *b)
{
	int r = base_compare(a, b);

	r = r ? r : pre_rank(a) - pre_rank(b);
	r = r ? r : compare_numbers(a->pre ? a->pre_n : 0, b->pre ? b->pre_n : 0);
	r = r ? r : (int)a->has_post - (int)b->has_post;
	r = r ? r : compare_numbers(a->has_post ? a->post : 0, b->has_post ? b->post : 0);
	/* without: above all with */
	r = r ? r : (int)b->has_dev - (int)a->has_dev;
	return r ? r : compare_numbers(a->has_dev ? a->dev : 0, b->has_dev ? b->dev : 0);
}

int cuv_version_compare(const struct cuv_version *a, const struct cuv_version *b)
{
	int r = public_compare(a, b);

	return r ? r : compare_locals(a->local, b->local);
}

static bool takes(const char *op, const struct cuv_version *spec, bool wildcard, const struct cuv_version *v)
{
	int r = public_compare(v, spec);

	if (op[0] == '~')
		return r >= 0 && compare_releases(v, spec, spec->n_release - 1) == 0;
	if (op[1] == '=' && (op[0] == '=' || op[0] == '!')) {
		bool same = wildcard	     ? compare_releases(v, spec, spec->n_release) == 0
			    : spec->local[0] ? cuv_version_compare(v, spec) == 0
					     : r == 0;

		return same == (op[0] == '=');
	}
	if (op[1] == '=')
		return op[0] == '<' ? r <= 0 : r >= 0;
	/* < and > leave out what belongs to the very version they name. */
	if (op[0] == '<')
		return r < 0 && (spec->pre || spec->has_dev || !(v->pre || v->has_dev) || base_compare(v, spec) != 0);
	return r > 0 && (spec->has_post || !v->has_post || base_compare(v, spec) != 0);
}

int cuv_specifier_takes(const char *op, const char *version, size_t len, const struct cuv_version *v, bool *ret)
{
	bool wildcard = len > 2 && memcmp(version + len - 2, ".*", 2) == 0;
	const char *reason;
	struct cuv_version spec;

	if (strcmp(op, "===") == 0 || cuv_specifier_normalize(op, version, len, NULL, &reason) != 0 ||
	    cuv_version_parse(version, wildcard ? len - 2 : len, &spec) != CUV_VERSION_OK)
		return -EINVAL;
	*ret = takes(op, &spec, wildcard, v);
	return 0;
}

int cuv_specifiers_take(struct cuv_scan *s, const struct cuv_version *v, bool *ret)
{
	*ret = true;
	cuv_scan_skip_blanks(s);
	while (!cuv_scan_at_end(s)) {
		size_t start = s->pos, begin;
		const char *op = cuv_specifier_operator(s);
		bool one;

		cuv_scan_skip_blanks(s);
		begin = s->pos;
		while (!cuv_scan_at_end(s) && cuv_scan_peek(s) != ',' && !cuv_is_blank(cuv_scan_peek(s)))
			s->pos++;
		if (!op || cuv_specifier_takes(op, s->text + begin, s->pos - begin, v, &one) < 0)
			return cuv_scan_fail(s, start, CUV_E_REQUIREMENT_INVALID,
					     "`%.*s` is not a version specifier such as >=3.11",
					     CUV_SCAN_SHOWN(s->pos - start), s->text + start);
		*ret = *ret && one;
		cuv_scan_skip_blanks(s);
		if (!cuv_scan_eat(s, ",") && !cuv_scan_at_end(s))
			return cuv_scan_fail(s, s->pos, CUV_E_REQUIREMENT_INVALID,
					     "version specifiers are separated by commas, as in >=3.9,<4");
		cuv_scan_skip_blanks(s);
	}
	return 0;
}
