/* SPDX-License-Identifier: MIT */
#include "nixenv/builder/parcel.h"

#include "lib/base/fd.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FORMAT 1
#define DESCRIPTION "cuvette-environment.json"
#define BLOCK_BYTES 65536
/* Wheels are compressed already. */
#define LEVEL "1"

void cuv_parcel_done(struct cuv_parcel *b)
{
	cuv_lock_done(&b->lock);
}

/* --- the description --- */

int cuv_parcel_describe(const struct cuv_parcel *b, struct cuv_buf *out)
{
	_cleanup_buf_ struct cuv_buf lock = CUV_BUF_INIT(CUV_LOCK_COMPLETE_BYTES_MAX);
	_cleanup_free_ char *text = NULL;
	json_auto_t *root = NULL;
	int r = cuv_lock_complete(&b->lock, &lock);

	if (r < 0)
		return r;
	root = json_pack("{s:s, s:i, s:o}", "digest", b->digest, "format", FORMAT, "lock",
			 json_loadb(cuv_buf_str(&lock), lock.len, 0, NULL));
	text = root ? json_dumps(root, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
	return text ? cuv_buf_add_str(out, text) : -ENOMEM;
}

int cuv_parcel_parse(const void *text, size_t len, struct cuv_parcel *ret, struct cuv_error *err)
{
	json_auto_t *root = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	_cleanup_parcel_ struct cuv_parcel b = CUV_PARCEL_INIT;
	_cleanup_free_ char *lock = NULL;
	const char *digest = NULL;
	json_t *described = NULL;
	int format = 0;

	if (!root ||
	    json_unpack(root, "{s:s, s:i, s:o!}", "digest", &digest, "format", &format, "lock", &described) < 0)
		return cuv_error_set(err, CUV_E_LOCK_INVALID, "this is no parcel of `cuvette env export`");
	if (format != FORMAT)
		return cuv_error_set(err, CUV_E_LOCK_INVALID, "the parcel has the format %d, this Cuvette knows %d",
				     format, FORMAT);
	if (!cuv_env_digest_valid(digest))
		return cuv_error_set(err, CUV_E_LOCK_INVALID, "the parcel's digest is none");
	(void)snprintf(b.digest, sizeof(b.digest), "%s", digest);
	lock = json_dumps(described, JSON_COMPACT | JSON_ENCODE_ANY);
	if (!lock || cuv_lock_parse(lock, strlen(lock), &b.lock, NULL) < 0)
		return cuv_error_set(err, CUV_E_LOCK_INVALID, "the parcel's lock can't be read");
	if (cuv_lock_pending(&b.lock) > 0)
		return cuv_error_set(err, CUV_E_LOCK_INVALID, "the parcel's lock names packages without their wheels");
	*ret = b;
	b = CUV_PARCEL_INIT;
	return 0;
}

/* --- writing --- */

static int write_failed(struct archive *a, struct cuv_error *err)
{
	int code = archive_errno(a);

	if (code == ENOSPC || code == EDQUOT || code == EFBIG)
		return cuv_error_set(err, CUV_E_NO_SPACE, "the parcel has no room where it is written to");
	if (code == EPIPE)
		return cuv_error_set(err, CUV_E_CANCELLED, "nobody reads the parcel any more");
	return cuv_error_set(err, CUV_E_INTERNAL, "the parcel can't be written: %s", archive_error_string(a));
}

static int write_head(struct archive *a, const char *name, uint64_t size, struct cuv_error *err)
{
	struct archive_entry *e = archive_entry_new();
	int r;

	if (!e)
		return cuv_error_set(err, CUV_E_INTERNAL, "out of memory");
	archive_entry_set_pathname(e, name);
	archive_entry_set_filetype(e, AE_IFREG);
	archive_entry_set_perm(e, 0644);
	archive_entry_set_size(e, (la_int64_t)size);
	archive_entry_set_mtime(e, 0, 0);
	r = archive_write_header(a, e);
	archive_entry_free(e);
	return r == ARCHIVE_OK ? 0 : write_failed(a, err);
}

static int write_file(struct archive *a, const char *name, const char *path, struct cuv_error *err)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	char block[BLOCK_BYTES];
	struct stat st;
	ssize_t n;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return cuv_error_set(err, CUV_E_INTERNAL, "a wheel can't be read: %s", strerror(errno));
	if (write_head(a, name, (uint64_t)st.st_size, err) < 0)
		return -EINVAL;
	while ((n = read(fd, block, sizeof(block))) > 0)
		if (archive_write_data(a, block, (size_t)n) != n)
			return write_failed(a, err);
	return n < 0 ? cuv_error_set(err, CUV_E_INTERNAL, "a wheel can't be read: %s", strerror(errno)) : 0;
}

static int write_all(struct archive *a, const struct cuv_parcel *b, const struct cuv_strv *paths, struct cuv_error *err)
{
	_cleanup_buf_ struct cuv_buf text = CUV_BUF_INIT(CUV_PARCEL_DESCRIPTION_MAX);

	if (cuv_parcel_describe(b, &text) < 0)
		return cuv_error_set(err, CUV_E_INTERNAL, "the lock has no description");
	if (write_head(a, DESCRIPTION, text.len, err) < 0)
		return -EINVAL;
	if (archive_write_data(a, text.data, text.len) != (la_ssize_t)text.len)
		return write_failed(a, err);
	for (size_t i = 0; i < b->lock.n; i++) {
		char name[CUV_STORE_NAME_SIZE + 16];

		(void)snprintf(name, sizeof(name), "wheels/%s", b->lock.packages[i].file);
		if (write_file(a, name, paths->items[i], err) < 0)
			return -EINVAL;
	}
	return archive_write_close(a) == ARCHIVE_OK ? 0 : write_failed(a, err);
}

int cuv_parcel_write(const struct cuv_parcel *b, const struct cuv_strv *paths, int fd, struct cuv_error *err)
{
	struct archive *a = archive_write_new();
	int r;

	if (!a)
		return cuv_error_set(err, CUV_E_INTERNAL, "out of memory");
	/* No padding behind the end: the size is that of what is in it. */
	if (archive_write_set_format_pax_restricted(a) != ARCHIVE_OK ||
	    archive_write_add_filter_zstd(a) < ARCHIVE_WARN ||
	    archive_write_set_filter_option(a, "zstd", "compression-level", LEVEL) < ARCHIVE_WARN ||
	    archive_write_set_bytes_in_last_block(a, 1) != ARCHIVE_OK || archive_write_open_fd(a, fd) != ARCHIVE_OK)
		r = write_failed(a, err);
	else
		r = write_all(a, b, paths, err);
	/* What is open still would be written to the end. */
	if (r < 0)
		(void)archive_write_fail(a);
	archive_write_free(a);
	return r;
}
