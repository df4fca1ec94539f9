/* SPDX-License-Identifier: MIT */
#include "manager/run_lock.h"

#include "nixenv/pep508.h"
#include "nixenv/pylock_upload.h"

#include <errno.h>
#include <string.h>

static unsigned allowed_kinds;

void cuv_run_lock_allow(unsigned kinds)
{
	allowed_kinds = kinds;
}

void cuv_run_lock_sets_done(struct cuv_run_lock_sets *s)
{
	cuv_strv_done(&s->extras);
	cuv_strv_done(&s->groups);
}

static int read_names(const char *what, const char *text, struct cuv_strv *ret, struct cuv_error *err)
{
	for (const char *at = text; text && *(at += strspn(at, ", \t"));) {
		_cleanup_buf_ struct cuv_buf name = CUV_BUF_INIT(CUV_NAME_LEN_MAX);
		size_t n = strcspn(at, ", \t");

		if (cuv_name_normalize(at, n, &name) != 0 || ret->n == CUV_UPLOADED_NAMES_MAX)
			return cuv_error_set(err, CUV_E_FIELD_INVALID,
					     "%s must be names of letters, digits, . _ and - with commas between "
					     "them, at most %d",
					     what, CUV_UPLOADED_NAMES_MAX);
		if (cuv_strv_add(ret, cuv_buf_str(&name)) < 0)
			return cuv_error_set(err, CUV_E_OVERLOADED, "no memory for the request");
		at += n;
	}
	return 0;
}

int cuv_run_lock_extras(struct cuv_run_lock_sets *s, const char *what, const char *text, struct cuv_error *err)
{
	return read_names(what, text, &s->extras, err);
}

int cuv_run_lock_groups(struct cuv_run_lock_sets *s, const char *what, const char *text, struct cuv_error *err)
{
	s->groups_given = text != NULL;
	return read_names(what, text, &s->groups, err);
}

/* Of several Pythons the lock is for the first one that it does not call another's. */
static int read_for(const char *text, size_t len, const struct cuv_python *wanted, const struct cuv_run_lock_sets *sets,
		    struct cuv_lock *ret, struct cuv_error *err)
{
	struct cuv_pylock_options o = {.python = wanted ? wanted : cuv_pythons,
				       .sdist = true,
				       .kinds = allowed_kinds,
				       .extras = &sets->extras,
				       .groups = sets->groups_given ? &sets->groups : NULL};
	struct cuv_error other;
	int r = cuv_pylock_upload(text, len, &o, ret, err);

	for (size_t i = 1; r < 0 && !wanted && err->code == CUV_E_LOCK_MISMATCH && i < cuv_pythons_n; i++) {
		o.python = &cuv_pythons[i];
		r = cuv_pylock_upload(text, len, &o, ret, &other);
		if (r < 0 && other.code != CUV_E_LOCK_MISMATCH) {
			*err = other;
			return r;
		}
	}
	return r;
}

int cuv_run_lock_read(const char *text, size_t len, const struct cuv_python *wanted,
		      const struct cuv_run_lock_sets *sets, const struct cuv_python **ret_python, struct cuv_buf *out,
		      struct cuv_error *err)
{
	_cleanup_lock_ struct cuv_lock l = CUV_LOCK_INIT;
	int r;

	if (len == 0)
		return cuv_error_set(err, CUV_E_LOCK_EMPTY, "the lock has no bytes");
	if (read_for(text, len, wanted, sets, &l, err) < 0)
		return -EINVAL;
	*ret_python = cuv_python_find(l.python);
	cuv_buf_init(out, CUV_LOCK_COMPLETE_BYTES_MAX);
	r = cuv_lock_complete(&l, out);
	if (r == -E2BIG)
		return cuv_error_set(err, CUV_E_ENVIRONMENT_TOO_LARGE, "the lock's addresses are longer than %u KiB",
				     CUV_LOCK_COMPLETE_BYTES_MAX >> 10);
	return r < 0 ? cuv_error_set(err, CUV_E_OVERLOADED, "no memory for the request") : 0;
}

int cuv_run_digest_read(const char *what, const char *digest, struct cuv_error *err)
{
	if (cuv_env_digest_valid(digest))
		return 0;
	return cuv_error_set(
		err, CUV_E_FIELD_INVALID,
		"%s must be the `environment.digest` of an answer: 32 characters of 0-9 and a-z without e o "
		"t u",
		what);
}
