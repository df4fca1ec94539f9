/* SPDX-License-Identifier: MIT */
#include "nixenv/builder/public.h"

#include "lib/base/fd.h"
#include "lib/base/log.h"
#include "nixenv/address.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

/* --- addresses --- */

static const char blanks[] = " \t\r\n";

/* Whether netrc names the host, or has something for all hosts. Any word that is the host
 * counts: a password that is called so makes something private, which is no harm. */
static bool netrc_has(const struct cuv_settings *s, const char *host)
{
	const char *at = cuv_buf_str(&s->netrc);

	while (*(at += strspn(at, blanks))) {
		size_t len = strcspn(at, blanks);

		if ((len == strlen(host) && strncasecmp(at, host, len) == 0) ||
		    (len == strlen("default") && strncmp(at, "default", len) == 0))
			return true;
		at += len;
	}
	return false;
}

static bool needs_credentials(const struct cuv_settings *s, const struct cuv_place *p)
{
	return p->url.user || p->url.password || netrc_has(s, p->url.site.host);
}

/* An address that says no more than where it is: nothing in it can be a secret. */
static bool is_plain(const struct cuv_url *u)
{
	size_t len = strlen(u->path);

	while (len > 0 && u->path[len - 1] == '/')
		len--;
	return !strchr(u->bare, '?') &&
	       (len == 0 || (len == strlen("/simple") && strncmp(u->path, "/simple", len) == 0));
}

/* Whether an address is likely one of the operator's own network, which no password need
 * guard: no https, an address that is nobody's on the internet, or a name that is not for
 * all, being one word or below a domain that is kept for such networks. */
static bool is_internal(const struct cuv_site *s)
{
	static const char *const kept[] = {".internal", ".local", ".localhost", ".home.arpa"};
	const char *what = cuv_address_text_refused(s->host);
	const size_t len = strlen(s->host);

	if (!s->https || (what && what[0]))
		return true;
	if (!what)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
		if (len > strlen(kept[i]) && strcmp(s->host + len - strlen(kept[i]), kept[i]) == 0)
			return true;
	return !strchr(s->host, '.');
}

/* Whether not everybody may have what is there. Of an index without a password nobody knows
 * that: its address may be the secret, or its network. The default one is taken for the
 * public's where it does not look like the operator's own; else the operator's word counts. */
static bool is_closed(const struct cuv_settings *s, const struct cuv_place *p)
{
	if (needs_credentials(s, p))
		return true;
	if (p->cache || p->listed || cuv_access_open(&s->access, &p->url))
		return false;
	return !p->standard || !is_plain(&p->url) || is_internal(&p->url.site);
}

/* Whether some index has what others may not have, as far as is known. */
static bool any_private(const struct cuv_settings *s)
{
	for (size_t i = 0; i < s->access.n; i++)
		if (!s->access.places[i].cache && is_closed(s, &s->access.places[i]))
			return true;
	return s->access.unknown;
}

/* Whether an index that is public is there, or the operator says that what is there is. */
static bool is_open_site(const struct cuv_settings *s, const struct cuv_site *site)
{
	for (size_t i = 0; i < s->access.n_open; i++)
		if (cuv_site_same(&s->access.open[i].site, site))
			return true;
	for (size_t i = 0; i < s->access.n; i++) {
		const struct cuv_place *p = &s->access.places[i];

		if (!p->cache && !p->listed && cuv_site_same(&p->url.site, site))
			return true;
	}
	return false;
}

bool cuv_public_address(const struct cuv_settings *s, const char *url)
{
	_cleanup_url_ struct cuv_url u = {0};

	if (cuv_url_parse(url, &u) < 0 || u.user || u.password)
		return false;
	/* A cache's credentials go to all of its site, and files may lie anywhere on an index's. */
	for (size_t i = 0; i < s->access.n; i++)
		if (is_closed(s, &s->access.places[i]) && cuv_site_same(&s->access.places[i].url.site, &u.site))
			return false;
	return !any_private(s) || is_open_site(s, &u.site);
}

/* --- notes --- */

static bool has_note(const struct cuv_builder *b, const char *store_name)
{
	char path[PATH_MAX];

	cuv_path_join(b->state.publics, store_name, path);
	return faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static int write_note(const struct cuv_builder *b, const char *store_name)
{
	_cleanup_close_ int fd = -1;
	char path[PATH_MAX];

	cuv_path_join(b->state.publics, store_name, path);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
	return fd < 0 ? -errno : 0;
}

static bool is_public(const struct cuv_builder *b, const struct cuv_locked *p)
{
	switch (p->origin.kind) {
	case CUV_ORIGIN_INDEX:
		return p->url && cuv_public_address(&b->settings, p->url);
	case CUV_ORIGIN_BUILT:
		/* It may hold something of what it was built with, which may have come from any index. */
		return p->origin.file && p->origin.url && !p->origin.user_url && !any_private(&b->settings) &&
		       cuv_public_address(&b->settings, p->origin.url);
	case CUV_ORIGIN_URL:
	case CUV_ORIGIN_WHEELHOUSE:
	case _CUV_ORIGIN_MAX:
	default:
		return false;
	}
}

void cuv_public_note(const struct cuv_builder *b, const struct cuv_lock *lock, const struct cuv_env_paths *paths)
{
	bool all = true;
	int r = 0;

	for (size_t i = 0; r == 0 && i < lock->n; i++) {
		const char *name = paths->installs.items[i];

		if (has_note(b, name))
			continue;
		if (is_public(b, &lock->packages[i]))
			r = write_note(b, name);
		else
			all = false;
	}
	if (r == 0 && all && !has_note(b, paths->env))
		r = write_note(b, paths->env);
	if (r < 0)
		cuv_log(CUV_LOG_WARNING, "public-note-failed", CUV_S("environment", paths->env),
			CUV_S("error", strerror(-r)));
}

void cuv_public_forget(const struct cuv_builder *b, const char *store_name)
{
	char path[PATH_MAX];

	cuv_path_join(b->state.publics, store_name, path);
	(void)unlink(path);
}

bool cuv_public_has(const struct cuv_builder *b, const char *store_name)
{
	for (size_t i = 0; i < b->pins.n_pythons; i++) {
		const struct cuv_pinned *p = &b->pins.pythons[i];
		char zygote[CUV_STORE_NAME_SIZE];

		if (strcmp(p->image.store_name, store_name) == 0 || strcmp(p->build_root, store_name) == 0 ||
		    (cuv_pins_zygote(p->python, &b->state, zygote) && strcmp(zygote, store_name) == 0))
			return true;
	}
	return has_note(b, store_name);
}
