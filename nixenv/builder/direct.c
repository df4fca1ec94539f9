/* SPDX-License-Identifier: MIT */
#include "nixenv/builder/direct.h"

#include "nixenv/marker_eval.h"
#include "nixenv/wheel.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define OFFERED "file://" CUV_DIRECT_FOLDER "/"

void cuv_directs_done(struct cuv_directs *d)
{
	for (size_t i = 0; i < d->n; i++) {
		free(d->items[i].file);
		free(d->items[i].path);
		free(d->items[i].what);
	}
	free(d->items);
	free(d->folder);
	*d = CUV_DIRECTS_INIT;
}

int cuv_directs_at_line(const struct cuv_requirements *reqs, size_t item, struct cuv_error *err)
{
	const char *text = reqs->items[item].text;

	err->line = (uint32_t)item + 1;
	err->column = 1;
	cuv_error_copy_text(err->excerpt, sizeof(err->excerpt), text, strlen(text));
	return -EINVAL;
}

static int out_of_memory(struct cuv_error *err)
{
	return cuv_error_set(err, CUV_E_INTERNAL, "out of memory");
}

/* --- before the download --- */

/* A new entry, which the caller completes. */
static int begin(const struct cuv_requirements *reqs, size_t item, const char *file, struct cuv_directs *d,
		 struct cuv_error *err)
{
	struct cuv_direct_wheel *w = &d->items[d->n];

	if (d->n == CUV_DIRECT_MAX) {
		cuv_error_set(err, CUV_E_ENVIRONMENT_TOO_LARGE, "more than %d packages are named by their address",
			      CUV_DIRECT_MAX);
		return cuv_directs_at_line(reqs, item, err);
	}
	*w = (struct cuv_direct_wheel){.item = item, .file = strdup(file)};
	d->n++;
	return w->file ? 0 : out_of_memory(err);
}

static int add(const struct cuv_requirements *reqs, const struct cuv_python *python, size_t item, struct cuv_directs *d,
	       struct cuv_error *err)
{
	const struct cuv_requirement *req = &reqs->items[item];
	struct cuv_direct_wheel *w = &d->items[d->n];
	struct cuv_wheel name;

	if (begin(reqs, item, req->direct.file, d, err) < 0)
		return -EINVAL;
	if (cuv_wheel_parse(req->direct.file, &name) < 0 || !cuv_wheel_is_of(&name, req->name))
		return cuv_error_set(err, CUV_E_INTERNAL, "a wheel's name does not fit its requirement");
	if (cuv_wheel_rank(&name, python) < 0) {
		cuv_error_set(err, CUV_E_WHEEL_UNAVAILABLE, "the wheel `%s` does not fit CPython %s on " CUV_PLATFORM,
			      req->direct.file, python->version);
		return cuv_directs_at_line(reqs, item, err);
	}
	if (asprintf(&w->path, "%s/%zu", d->folder, item) < 0)
		w->path = NULL;
	if (asprintf(&w->what, "the wheel of %s", req->name) < 0)
		w->what = NULL;
	return w->path && w->what ? 0 : out_of_memory(err);
}

static int list(const struct cuv_requirements *reqs, const struct cuv_python *python, const char *work,
		struct cuv_directs *d, struct cuv_error *err)
{
	if (asprintf(&d->folder, "%s/direct", work) < 0)
		d->folder = NULL;
	d->items = calloc(CUV_DIRECT_MAX, sizeof(d->items[0]));
	if (!d->folder || !d->items)
		return out_of_memory(err);
	for (size_t i = 0; i < reqs->n; i++)
		if (reqs->items[i].direct.kind == CUV_DIRECT_WHEEL &&
		    cuv_marker_holds(reqs->items[i].marker, python->full) && add(reqs, python, i, d, err) < 0)
			return -EINVAL;
	if (mkdir(d->folder, 0755) < 0)
		return cuv_error_set_errno(err, -errno, "a folder for wheels: %s", strerror(errno));
	return 0;
}

/* --- the download --- */

/* The only SHA-256 among the listed hashes makes a wrong file known at once. */
static bool listed_hash(const struct cuv_requirement *req, struct cuv_sha256 *ret)
{
	return req->hashes.n == 1 && strncmp(req->hashes.items[0], "sha256:", 7) == 0 &&
	       cuv_unhex(req->hashes.items[0] + 7, sizeof(ret->bytes), ret->bytes) == 0;
}

static int download(const struct cuv_requirements *reqs, const struct cuv_download_options *o, struct cuv_directs *d,
		    struct cuv_error *err)
{
	struct cuv_download items[CUV_DIRECT_MAX];
	size_t n = 0;

	for (size_t i = 0; i < d->n; i++) {
		const struct cuv_direct_wheel *w = &d->items[i];
		const struct cuv_requirement *req = &reqs->items[w->item];

		items[n] = (struct cuv_download){
			.url = req->direct.url,
			.path = w->path,
			.what = w->what,
			.source = CUV_SOURCE_USER,
			.line = (uint32_t)w->item + 1,
		};
		items[n].hash_known = listed_hash(req, &items[n].sha256);
		n++;
	}
	if (cuv_download_all(items, n, o, err) < 0)
		return err->line ? cuv_directs_at_line(reqs, err->line - 1, err) : -EINVAL;
	for (size_t i = 0; i < d->n; i++) {
		d->items[i].sha256 = items[i].sha256;
		d->items[i].size_bytes = items[i].size_bytes;
	}
	return 0;
}

/* --- after it --- */

static void hash_text(const struct cuv_sha256 *hash, char ret[7 + CUV_SHA256_HEX_SIZE])
{
	memcpy(ret, "sha256:", 7);
	cuv_hex(hash->bytes, sizeof(hash->bytes), ret + 7);
}

/* The wheel's place in a folder of its own: the resolver keeps what it has read by the path. */
static int make_place(const struct cuv_directs *d, const struct cuv_direct_wheel *w, char ret[PATH_MAX],
		      struct cuv_error *err)
{
	char hex[CUV_SHA256_HEX_SIZE];
	int n;

	cuv_hex(w->sha256.bytes, sizeof(w->sha256.bytes), hex);
	n = snprintf(ret, PATH_MAX, "%s/%s", d->folder, hex);
	if (n < 0 || n >= PATH_MAX - CUV_WHEEL_FILE_MAX - 2)
		return cuv_error_set(err, CUV_E_INTERNAL, "the state folder's path is too long");
	if (mkdir(ret, 0755) < 0 && errno != EEXIST)
		return cuv_error_set_errno(err, -errno, "a folder for a wheel: %s", strerror(errno));
	(void)snprintf(ret + n, PATH_MAX - (size_t)n, "/%s", w->file);
	return 0;
}

static int put_in_place(const struct cuv_directs *d, struct cuv_direct_wheel *w, struct cuv_error *err)
{
	char path[PATH_MAX];

	if (make_place(d, w, path, err) < 0)
		return -EINVAL;
	if (rename(w->path, path) < 0)
		return cuv_error_set_errno(err, -errno, "a wheel's place: %s", strerror(errno));
	free(w->path);
	w->path = strdup(path);
	return w->path ? 0 : out_of_memory(err);
}

int cuv_directs_add_built(const struct cuv_requirements *reqs, size_t item, const struct cuv_sdist_wheel *wheel,
			  const char *path, const char *commit, struct cuv_directs *d, struct cuv_error *err)
{
	struct cuv_direct_wheel *w = &d->items[d->n];
	char place[PATH_MAX];

	if (begin(reqs, item, wheel->file, d, err) < 0)
		return -EINVAL;
	w->sha256 = wheel->sha256;
	w->size_bytes = wheel->size_bytes;
	(void)snprintf(w->commit, sizeof(w->commit), "%s", commit);
	if (make_place(d, w, place, err) < 0)
		return -EINVAL;
	if (link(path, place) < 0 && errno != EEXIST)
		return cuv_error_set_errno(err, -errno, "a wheel's place: %s", strerror(errno));
	w->path = strdup(place);
	return w->path ? 0 : out_of_memory(err);
}

/* What may be taken for a package that is required by address are its wheels there,
 * whichever of several lines holds. */
int cuv_directs_pin(struct cuv_requirements *reqs, const struct cuv_directs *d, struct cuv_error *err)
{
	for (size_t i = 0; i < d->n; i++)
		cuv_strv_done(&reqs->items[d->items[i].item].hashes);
	for (size_t i = 0; i < d->n; i++) {
		char text[7 + CUV_SHA256_HEX_SIZE];

		hash_text(&d->items[i].sha256, text);
		for (size_t j = 0; j < d->n; j++) {
			struct cuv_requirement *req = &reqs->items[d->items[j].item];

			if (strcmp(req->name, reqs->items[d->items[i].item].name) == 0 &&
			    cuv_strv_add(&req->hashes, text) < 0)
				return out_of_memory(err);
		}
	}
	return 0;
}

static int check(const struct cuv_requirements *reqs, struct cuv_directs *d, struct cuv_error *err)
{
	for (size_t i = 0; i < d->n; i++) {
		struct cuv_direct_wheel *w = &d->items[i];
		const struct cuv_requirement *req = &reqs->items[w->item];
		char text[7 + CUV_SHA256_HEX_SIZE];

		hash_text(&w->sha256, text);
		if (req->hashes.n > 0 && !cuv_strv_has(&req->hashes, text)) {
			cuv_error_set(err, CUV_E_HASH_MISMATCH, "%s at its address has none of the listed hashes",
				      w->what);
			return cuv_directs_at_line(reqs, w->item, err);
		}
		if (put_in_place(d, w, err) < 0)
			return -EINVAL;
	}
	return 0;
}

int cuv_directs_fetch(const struct cuv_requirements *reqs, const struct cuv_python *python, const char *work,
		      const struct cuv_download_options *o, struct cuv_directs *ret, struct cuv_error *err)
{
	_cleanup_(cuv_directs_done) struct cuv_directs d = CUV_DIRECTS_INIT;

	if (list(reqs, python, work, &d, err) < 0 || download(reqs, o, &d, err) < 0 || check(reqs, &d, err) < 0)
		return -EINVAL;
	*ret = d;
	d = CUV_DIRECTS_INIT;
	return 0;
}

/* --- the resolver --- */

static void write_line(const struct cuv_requirement *req, const char *file, struct cuv_buf *out)
{
	struct cuv_wheel name;

	cuv_buf_add_str(out, req->name);
	for (size_t i = 0; i < req->extras.n; i++)
		cuv_buf_addf(out, "%c%s", i ? ',' : '[', req->extras.items[i]);
	if (req->extras.n)
		cuv_buf_add_char(out, ']');
	if (cuv_wheel_parse(file, &name) == 0)
		cuv_buf_addf(out, "==%.*s", (int)name.version.len, name.version.at);
	if (req->marker[0])
		cuv_buf_addf(out, " ; %s", req->marker);
	cuv_buf_add_char(out, '\n');
}

int cuv_directs_text(const struct cuv_requirements *reqs, const struct cuv_directs *d, struct cuv_buf *out)
{
	for (size_t i = 0; i < reqs->n; i++) {
		size_t at = 0;

		while (at < d->n && d->items[at].item != i)
			at++;
		if (at < d->n)
			write_line(&reqs->items[i], d->items[at].file, out);
		else
			cuv_buf_addf(out, "%s\n",
				     reqs->items[i].direct.kind == CUV_DIRECT_NONE ? reqs->items[i].text : "");
	}
	return cuv_buf_err(out);
}

const struct cuv_direct_wheel *cuv_directs_find(const struct cuv_directs *d, const struct cuv_sha256 *sha256)
{
	for (size_t i = 0; i < d->n; i++)
		if (memcmp(&d->items[i].sha256, sha256, sizeof(*sha256)) == 0)
			return &d->items[i];
	return NULL;
}

static int mark(const struct cuv_requirement *req, const struct cuv_direct_wheel *w, struct cuv_locked *p)
{
	struct cuv_origin o = {.kind = CUV_ORIGIN_URL};
	char commit[sizeof(w->commit)];

	free(p->url);
	p->url = NULL;
	p->size_bytes = w->size_bytes;
	if (!w->commit[0]) {
		p->url = strdup(req->direct.url);
		return p->url ? cuv_lock_set_origin(p, &o) : -ENOMEM;
	}
	memcpy(commit, w->commit, sizeof(commit));
	o = (struct cuv_origin){.kind = CUV_ORIGIN_BUILT,
				.url = req->direct.url,
				.commit = commit,
				.subdirectory = req->direct.subdirectory,
				.user_url = true};
	return cuv_lock_set_origin(p, &o);
}

int cuv_directs_mark(const struct cuv_requirements *reqs, const struct cuv_directs *d, struct cuv_lock *l,
		     struct cuv_error *err)
{
	for (size_t i = 0; i < l->n; i++) {
		struct cuv_locked *p = &l->packages[i];
		const struct cuv_direct_wheel *w;

		if (!p->url || strncmp(p->url, OFFERED, strlen(OFFERED)) != 0)
			continue;
		w = cuv_directs_find(d, &p->sha256);
		if (!w)
			return cuv_error_set(err, CUV_E_INTERNAL, "the resolver names a wheel that nobody offered");
		if (mark(&reqs->items[w->item], w, p) < 0)
			return out_of_memory(err);
	}
	return d->n > 0 ? cuv_lock_seal(l, err) : 0;
}
