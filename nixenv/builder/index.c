/* SPDX-License-Identifier: MIT */
#include "nixenv/builder/index.h"

#include "lib/base/fd.h"
#include "nixenv/storepath.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MANIFEST "cuvette.json"
#define MANIFEST_BYTES_MAX (512u * 1024u)
#define KEY_VERSION "cuvette-request-1"

void cuv_index_key(const struct cuv_builder *b, const struct cuv_env_ask *ask, const void *text, size_t len,
		   struct cuv_key *ret)
{
	char recipes[CUV_SHA256_HEX_SIZE], indexes[CUV_SHA256_HEX_SIZE], text_hex[CUV_SHA256_HEX_SIZE], all[512];
	const struct cuv_pinned *pinned = cuv_pins_find(&b->pins, ask->python);
	struct cuv_sha256 hash;
	int n;

	cuv_assert(pinned);
	cuv_sha256(text, len, &hash);
	cuv_hex(hash.bytes, sizeof(hash.bytes), text_hex);
	cuv_hex(pinned->recipes.bytes, sizeof(pinned->recipes.bytes), recipes);
	cuv_hex(b->settings.indexes.bytes, sizeof(b->settings.indexes.bytes), indexes);
	n = snprintf(all, sizeof(all), KEY_VERSION "\n%s\n%s\n%" PRId64 "\n%s\n%s\n%s\n", ask->python, CUV_PLATFORM,
		     ask->exclude_s, recipes, indexes, text_hex);
	/* What came later stands behind, so that keys of before stay what they were. */
	if (ask->source != CUV_ENV_REQUIREMENTS)
		n += snprintf(all + n, sizeof(all) - (size_t)n, "%s\n%s\n", cuv_env_source_name(ask->source),
			      ask->digest);
	if (ask->sdist)
		n += snprintf(all + n, sizeof(all) - (size_t)n, "sdist\n");
	if (ask->lock_only)
		n += snprintf(all + n, sizeof(all) - (size_t)n, "lock\n");
	cuv_assert(n > 0 && (size_t)n < sizeof(all));
	cuv_sha256(all, (size_t)n, &hash);
	cuv_hex(hash.bytes, sizeof(hash.bytes), ret->hex);
}

static void root_path(const struct cuv_builder *b, const char *kind, const char *name, char ret[PATH_MAX])
{
	char relative[CUV_STORE_NAME_SIZE + 16];

	(void)snprintf(relative, sizeof(relative), "%s/%s", kind, name);
	cuv_path_join(b->state.roots, relative, ret);
}

void cuv_index_env_link(const struct cuv_builder *b, const char *store_name, char ret[PATH_MAX])
{
	root_path(b, "env", store_name, ret);
}

/* Where a link leads, as a store name. 0; 1 when there is none or it is not ours. */
static int read_link(const char *path, char ret[CUV_STORE_NAME_SIZE])
{
	static const char prefix[] = CUV_STORE_DIR "/";
	char target[CUV_STORE_PATH_SIZE + 1];
	ssize_t n = readlink(path, target, sizeof(target) - 1);

	if (n < 0)
		return errno == ENOENT ? 1 : -errno;
	target[n] = '\0';
	if (strncmp(target, prefix, strlen(prefix)) != 0 || !cuv_store_name_valid(target + strlen(prefix)))
		return 1;
	memcpy(ret, target + strlen(prefix), (size_t)n - strlen(prefix) + 1);
	return 0;
}

/* --- the manifest --- */

static int read_lock(json_t *lock, struct cuv_environment *e)
{
	_cleanup_free_ char *text = json_dumps(lock, JSON_COMPACT | JSON_SORT_KEYS);
	struct cuv_sha256 hash;
	json_t *package;
	size_t i;

	if (!text)
		return -EBADMSG;
	cuv_sha256(text, strlen(text), &hash);
	memcpy(e->lock_digest, "sha256:", 7);
	cuv_hex(hash.bytes, sizeof(hash.bytes), e->lock_digest + 7);
	if (json_array_size(json_object_get(lock, "packages")) > CUV_PACKAGES_MAX)
		return -EBADMSG;
	json_array_foreach(json_object_get(lock, "packages"), i, package)
	{
		const char *name, *version;
		int r;

		if (json_unpack(package, "{s:s, s:s}", "name", &name, "version", &version) < 0)
			return -EBADMSG;
		r = cuv_strv_addf(&e->packages, "%s %s", name, version);
		if (r < 0)
			return r;
	}
	return 0;
}

static int read_closure(json_t *closure, struct cuv_environment *e)
{
	json_t *item;
	size_t i;

	if (json_array_size(closure) == 0 || json_array_size(closure) > CUV_CLOSURE_MAX)
		return -EBADMSG;
	json_array_foreach(closure, i, item)
	{
		const char *name = json_string_value(item);
		int r;

		if (!name || !cuv_store_name_valid(name))
			return -EBADMSG;
		r = cuv_strv_add(&e->closure, name);
		if (r < 0)
			return r;
	}
	return 0;
}

static int parse_manifest(const struct cuv_buf *text, const char *store_name, struct cuv_environment *e)
{
	json_auto_t *root = json_loadb(cuv_buf_str(text), text->len, JSON_REJECT_DUPLICATES, NULL);
	const char *image, *python;
	json_t *lock, *closure;
	int r;

	if (!root ||
	    json_unpack(root, "{s:s, s:s, s:o, s:o}", "image", &image, "python", &python, "lock", &lock, "closure",
			&closure) < 0 ||
	    !cuv_store_name_valid(image) || strlen(python) >= sizeof(e->python))
		return -EBADMSG;
	if ((r = read_lock(lock, e)) < 0 || (r = read_closure(closure, e)) < 0)
		return r;
	memcpy(e->digest, store_name, sizeof(e->digest) - 1);
	e->digest[sizeof(e->digest) - 1] = '\0';
	(void)snprintf(e->store_name, sizeof(e->store_name), "%s", store_name);
	(void)snprintf(e->image, sizeof(e->image), "%s", image);
	(void)snprintf(e->python, sizeof(e->python), "%s", python);
	return 0;
}

/* The text of an environment's manifest. 0; 1 when it was never finished here or
 * is gone; -errno. */
static int read_manifest(const struct cuv_builder *b, const char *store_name, struct cuv_buf *text)
{
	char link[PATH_MAX], target[CUV_STORE_NAME_SIZE], relative[CUV_STORE_PATH_SIZE + 16], path[PATH_MAX];
	int r;

	cuv_index_env_link(b, store_name, link);
	r = read_link(link, target);
	if (r != 0)
		return r;
	if (strcmp(target, store_name) != 0)
		return 1;
	(void)snprintf(relative, sizeof(relative), "%s/" MANIFEST, store_name);
	cuv_path_join(b->state.store, relative, path);
	r = cuv_read_file(AT_FDCWD, path, text);
	return r == -ENOENT ? 1 : r;
}

int cuv_index_load(const struct cuv_builder *b, const char *store_name, struct cuv_environment *ret)
{
	_cleanup_environment_ struct cuv_environment e = CUV_ENVIRONMENT_INIT;
	_cleanup_buf_ struct cuv_buf text = CUV_BUF_INIT(MANIFEST_BYTES_MAX);
	int r = read_manifest(b, store_name, &text);

	if (r != 0)
		return r;
	r = parse_manifest(&text, store_name, &e);
	if (r < 0)
		return r;
	*ret = e;
	e = CUV_ENVIRONMENT_INIT;
	return 0;
}

int cuv_index_lock(const struct cuv_builder *b, const char *store_name, struct cuv_lock *ret)
{
	_cleanup_buf_ struct cuv_buf manifest = CUV_BUF_INIT(MANIFEST_BYTES_MAX);
	_cleanup_free_ char *text = NULL;
	json_auto_t *root = NULL;
	int r = read_manifest(b, store_name, &manifest);

	if (r != 0)
		return r;
	root = json_loadb(cuv_buf_str(&manifest), manifest.len, JSON_REJECT_DUPLICATES, NULL);
	text = json_dumps(json_object_get(root, "lock"), JSON_COMPACT);
	return text && cuv_lock_parse(text, strlen(text), ret, NULL) == 0 ? 0 : -EBADMSG;
}

void cuv_index_store_name(const char digest[CUV_ENV_DIGEST_SIZE], char ret[CUV_STORE_NAME_SIZE])
{
	(void)snprintf(ret, CUV_STORE_NAME_SIZE, "%s-" CUV_ENV_NAME, digest);
}

int cuv_index_find(const struct cuv_builder *b, const struct cuv_key *key, struct cuv_environment *ret)
{
	char link[PATH_MAX], store_name[CUV_STORE_NAME_SIZE];
	int r;

	root_path(b, "req", key->hex, link);
	r = read_link(link, store_name);
	return r == 0 ? cuv_index_load(b, store_name, ret) : r;
}

int cuv_index_target(const struct cuv_builder *b, const struct cuv_key *key, char ret[CUV_STORE_NAME_SIZE])
{
	char link[PATH_MAX];

	root_path(b, "req", key->hex, link);
	return read_link(link, ret);
}

static bool link_is_there(const struct cuv_builder *b, const char *kind, const char *name)
{
	char link[PATH_MAX];

	root_path(b, kind, name, link);
	return faccessat(AT_FDCWD, link, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

bool cuv_index_has(const struct cuv_builder *b, const char *store_name)
{
	return link_is_there(b, "env", store_name) && cuv_builder_has_path(&b->state, store_name);
}

static void drop_link(const struct cuv_builder *b, const char *kind, const char *name)
{
	char link[PATH_MAX];

	root_path(b, kind, name, link);
	(void)unlink(link);
}

void cuv_index_drop(const struct cuv_builder *b, const char *store_name)
{
	drop_link(b, "env", store_name);
}

void cuv_index_drop_key(const struct cuv_builder *b, const char *key_hex)
{
	drop_link(b, "req", key_hex);
}

bool cuv_index_pinned(const struct cuv_builder *b, const char *store_name)
{
	return link_is_there(b, "pin", store_name);
}

int cuv_index_pin(const struct cuv_builder *b, const char *store_name, bool pinned)
{
	char link[PATH_MAX], path[CUV_STORE_PATH_SIZE];

	root_path(b, "pin", store_name, link);
	if (!pinned)
		return unlink(link) < 0 && errno != ENOENT ? -errno : 0;
	cuv_store_path(store_name, path);
	return cuv_builder_link(&b->state, path, link);
}

int cuv_index_put(const struct cuv_builder *b, const struct cuv_key *key, const char *store_name)
{
	char link[PATH_MAX], path[CUV_STORE_PATH_SIZE];

	root_path(b, "req", key->hex, link);
	cuv_store_path(store_name, path);
	return cuv_builder_link(&b->state, path, link);
}

/* --- what Nix has taken --- */

static void known_path(const struct cuv_builder *b, const char *store_name, char ret[PATH_MAX])
{
	cuv_path_join(b->state.known, store_name, ret);
}

bool cuv_index_known(const struct cuv_builder *b, const char *store_name)
{
	char path[PATH_MAX];

	known_path(b, store_name, path);
	return access(path, F_OK) == 0 && cuv_builder_has_path(&b->state, store_name);
}

int cuv_index_learn(const struct cuv_builder *b, const char *store_name)
{
	_cleanup_close_ int fd = -1;
	char path[PATH_MAX];

	known_path(b, store_name, path);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
	return fd < 0 ? -errno : 0;
}

void cuv_index_forget(const struct cuv_builder *b, const char *store_name)
{
	char path[PATH_MAX];

	known_path(b, store_name, path);
	(void)unlink(path);
}
