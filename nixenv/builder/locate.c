/* SPDX-License-Identifier: MIT */
#include "nixenv/builder/locate.h"

#include "lib/base/clock.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* Each failed attempt tells of one package that the indexes lack. */
#define ATTEMPTS_MAX 16

/* What is still looked for: one flag a package. */
struct search {
	const struct cuv_builder *b;
	const struct cuv_locate *what;
	struct cuv_lock *lock;
	bool open[CUV_PACKAGES_MAX];
	enum cuv_error_code why[CUV_PACKAGES_MAX]; /* why an index does not have it */
};

static size_t count_open(const struct search *s)
{
	size_t n = 0;

	for (size_t i = 0; i < s->lock->n; i++)
		n += s->open[i];
	return n;
}

static int no_memory(struct cuv_error *err)
{
	return cuv_error_set(err, CUV_E_INTERNAL, "out of memory");
}

static int write_requirements(const struct search *s, struct cuv_requirements **ret, struct cuv_buf *canonical,
			      struct cuv_error *err)
{
	_cleanup_buf_ struct cuv_buf text = CUV_BUF_INIT(CUV_REQUIREMENTS_BYTES_MAX);

	for (size_t i = 0; i < s->lock->n; i++) {
		const struct cuv_locked *p = &s->lock->packages[i];
		char hex[CUV_SHA256_HEX_SIZE];

		cuv_hex(p->sha256.bytes, sizeof(p->sha256.bytes), hex);
		if (s->open[i])
			cuv_buf_addf(&text, "%s==%s --hash=sha256:%s\n", p->name, p->version, hex);
	}
	if (cuv_buf_err(&text))
		return no_memory(err);
	if (cuv_requirements_parse(cuv_buf_str(&text), text.len, ret, err) < 0)
		return -EINVAL;
	return cuv_requirements_canonical(*ret, canonical) < 0 ? no_memory(err) : 0;
}

static struct cuv_locked *find(struct cuv_lock *l, const char *name, size_t *ret_i)
{
	for (*ret_i = 0; *ret_i < l->n; ++*ret_i)
		if (strcmp(l->packages[*ret_i].name, name) == 0)
			return &l->packages[*ret_i];
	return NULL;
}

/* Takes over the addresses that an index has; the package is found then. */
static int take_addresses(struct search *s, const struct cuv_lock *found)
{
	static const struct cuv_origin index = {.kind = CUV_ORIGIN_INDEX};

	for (size_t i = 0; i < found->n; i++) {
		const struct cuv_locked *f = &found->packages[i];
		size_t at;
		struct cuv_locked *p = find(s->lock, f->name, &at);
		char *url;

		if (!p || !s->open[at])
			continue;
		s->open[at] = false;
		s->why[at] = CUV_E_WHEEL_UNAVAILABLE;
		/* The same bytes under another name are another lock. */
		if (!f->url || strcmp(f->file, p->file) != 0 || memcmp(&f->sha256, &p->sha256, sizeof(f->sha256)) != 0)
			continue;
		url = strdup(f->url);
		if (!url || cuv_lock_set_origin(p, &index) < 0) {
			free(url);
			return -ENOMEM;
		}
		free(p->url);
		p->url = url;
		s->why[at] = CUV_E_NONE;
	}
	return 0;
}

/* The package that a failure is about is looked for no more. False when it is about none. */
static bool give_up(struct search *s, const struct cuv_requirements *reqs, const struct cuv_error *err)
{
	size_t at;

	if (err->code != CUV_E_REQUIREMENTS_UNRESOLVABLE && err->code != CUV_E_WHEEL_UNAVAILABLE &&
	    err->code != CUV_E_HASH_MISMATCH)
		return false;
	if (err->line == 0 || err->line > reqs->n || !find(s->lock, reqs->items[err->line - 1].name, &at)) {
		/* None of them, then: the lock's own addresses are left. */
		for (size_t i = 0; i < s->lock->n; i++)
			if (s->open[i])
				s->why[i] = err->code;
		memset(s->open, 0, sizeof(s->open));
		return true;
	}
	s->open[at] = false;
	s->why[at] = err->code;
	return true;
}

static int attempt(struct search *s, int number, struct cuv_error *err)
{
	_cleanup_(cuv_requirements_freep) struct cuv_requirements *reqs = NULL;
	_cleanup_buf_ struct cuv_buf text = CUV_BUF_INIT(CUV_REQUIREMENTS_BYTES_MAX);
	_cleanup_lock_ struct cuv_lock found = CUV_LOCK_INIT;
	char name[32], root[PATH_MAX];
	struct cuv_resolve what = {
		.pinned = s->what->pinned,
		.exclude_s = cuv_wall_s(),
		.deadline_ns = s->what->deadline_ns,
		.cancel_fd = s->what->cancel_fd,
		.no_deps = true,
	};

	if (write_requirements(s, &reqs, &text, err) < 0)
		return -EINVAL;
	(void)snprintf(name, sizeof(name), "locate-%d", number);
	cuv_path_join(s->what->work, name, root);
	if (mkdir(root, 0755) < 0)
		return cuv_error_set_errno(err, -errno, "the resolver's folder: %s", strerror(errno));
	what.reqs = reqs;
	what.canonical = cuv_buf_str(&text);
	what.canonical_len = text.len;
	what.root = root;
	if (cuv_resolve(s->b, &what, &found, err) < 0) {
		if (!give_up(s, reqs, err))
			return -EINVAL;
		*err = CUV_ERROR_INIT;
		return 0;
	}
	return take_addresses(s, &found) < 0 ? no_memory(err) : 0;
}

/* What no index has needs an address of its own. */
static int check_addresses(const struct search *s, struct cuv_error *err)
{
	for (size_t i = 0; i < s->lock->n; i++) {
		const struct cuv_locked *p = &s->lock->packages[i];

		if (!s->what->wanted[i] || p->url)
			continue;
		if (s->why[i] == CUV_E_HASH_MISMATCH)
			return cuv_error_set(err, CUV_E_HASH_MISMATCH,
					     "the index has %s %s, but no wheel of it with the lock's sha256", p->name,
					     p->version);
		return cuv_error_set(err, CUV_E_WHEEL_UNAVAILABLE,
				     "no index has the wheel `%s`, and the lock gives no address for it", p->file);
	}
	return 0;
}

int cuv_locate_wheels(const struct cuv_builder *b, const struct cuv_locate *what, struct cuv_lock *l,
		      struct cuv_error *err)
{
	struct search s = {.b = b, .what = what, .lock = l};
	int n = 0;

	for (size_t i = 0; i < l->n; i++)
		s.open[i] = what->wanted[i] && l->packages[i].file && l->packages[i].origin.kind != CUV_ORIGIN_BUILT;
	while (count_open(&s) > 0 && n < ATTEMPTS_MAX)
		if (attempt(&s, n++, err) < 0)
			return -EINVAL;
	return check_addresses(&s, err);
}
