/* SPDX-License-Identifier: MIT */
/*
 * Archives, read by libarchive from memory into memory. Whoever calls has no right
 * that could be misused: the manager can open, execute and connect to nothing
 * (seal.h), so that what a bug in a decompressor could be made to do ends there.
 * Bounds are our own: how many entries, how much in all, how much for each byte of
 * the archive.
 */
#include "manager/upload.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <locale.h>
#include <string.h>

/* What is so small is no bomb, however well it was packed. */
#define FREE_BYTES (16 * CUV_MIB)
#define RATIO_MAX 200

static locale_t utf8;

void cuv_upload_setup(void)
{
	if (!utf8)
		utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
}

static void free_reader(struct archive **a)
{
	if (*a)
		(void)archive_read_free(*a);
}

static int invalid(const struct cuv_upload *u, const char *what, struct cuv_error *err)
{
	char shown[200];

	cuv_error_copy_text(shown, sizeof(shown), what, strlen(what));
	return cuv_error_set(err, CUV_E_ARCHIVE_INVALID, "%s can't be unpacked: %s", u->where, shown);
}

static int broken(const struct cuv_upload *u, struct archive *a, struct cuv_error *err)
{
	const char *why = archive_error_string(a);

	return invalid(u, why ? why : "it is not a zip, or a tar that is plain or compressed by gzip, zstd or xz", err);
}

static int entry_invalid(const struct cuv_upload *u, const char *name, const char *what, struct cuv_error *err)
{
	char text[200];

	(void)snprintf(text, sizeof(text), "`%.120s` %s", name, what);
	return invalid(u, text, err);
}

/* Both kinds of limits at once: what comes out, and what for. */
static int check_ratio(const struct cuv_upload *u, uint64_t before, size_t packed, struct cuv_error *err)
{
	const uint64_t unpacked = u->out.total - before;

	if (unpacked > FREE_BYTES && unpacked / RATIO_MAX > packed)
		return cuv_error_set(err, CUV_E_TOO_LARGE, "%s is more than %d times as large when it is unpacked",
				     u->where, RATIO_MAX);
	return 0;
}

static int copy_data(struct cuv_upload *u, struct archive *a, const char *name, uint64_t before, size_t packed,
		     struct cuv_error *err)
{
	const void *block;
	la_int64_t offset;
	size_t len;
	int status, r;

	while ((status = archive_read_data_block(a, &block, &len, &offset)) == ARCHIVE_OK) {
		if (offset != (la_int64_t)u->out.size)
			return entry_invalid(u, name, "has holes", err);
		r = cuv_upload_data(u, block, len, err);
		if (r == 0)
			r = check_ratio(u, before, packed, err);
		if (r < 0)
			return r;
	}
	return status == ARCHIVE_EOF ? 0 : broken(u, a, err);
}

/* Without what tar puts in front, and the slash that ends a folder. */
static void trim(const char **name, size_t *len)
{
	while (*len >= 2 && strncmp(*name, "./", 2) == 0) {
		*name += 2;
		*len -= 2;
	}
	while (*len > 1 && (*name)[*len - 1] == '/')
		(*len)--;
}

static int take_entry(struct cuv_upload *u, struct archive *a, struct archive_entry *e, uint64_t before, size_t packed,
		      struct cuv_error *err)
{
	const char *name = archive_entry_pathname(e), *whole = name;
	const bool folder = archive_entry_filetype(e) == AE_IFDIR;
	size_t len;
	int r;

	if (!name)
		return invalid(u, "the name of an entry is not UTF-8", err);
	if (archive_entry_hardlink(e) || archive_entry_symlink(e) || archive_entry_filetype(e) == AE_IFLNK)
		return entry_invalid(u, name, "is a link; send the file itself", err);
	if (!folder && archive_entry_filetype(e) != AE_IFREG)
		return entry_invalid(u, name, "is neither a file nor a folder", err);
	/* What is not read is skipped with the next header, however much there is to unpack. */
	if (folder && archive_entry_size_is_set(e) && archive_entry_size(e) > 0)
		return entry_invalid(u, name, "is a folder with bytes of its own", err);
	if (archive_entry_sparse_count(e) > 0)
		return entry_invalid(u, name, "has holes", err);
	if (archive_entry_is_encrypted(e))
		return entry_invalid(u, name, "is encrypted", err);
	len = strlen(name);
	trim(&name, &len);
	if (folder && (len == 0 || (len == 1 && name[0] == '.')))
		return 0;
	r = cuv_upload_begin(u, folder ? CUV_BUNDLE_FOLDER : CUV_BUNDLE_FILE, !folder && (archive_entry_perm(e) & 0111),
			     name, len, err);
	if (r == 0 && !folder)
		r = copy_data(u, a, whole, before, packed, err);
	return r == 0 ? cuv_upload_end(u, err) : r;
}

static int unpack(struct cuv_upload *u, const void *data, size_t len, struct cuv_error *err)
{
	_cleanup_(free_reader) struct archive *a = archive_read_new();
	const uint64_t before = u->out.total;
	struct archive_entry *e;
	int status, r;

	if (!a || archive_read_support_format_zip_seekable(a) != ARCHIVE_OK ||
	    archive_read_support_format_tar(a) != ARCHIVE_OK || archive_read_support_filter_gzip(a) != ARCHIVE_OK ||
	    archive_read_support_filter_xz(a) != ARCHIVE_OK || archive_read_support_filter_zstd(a) != ARCHIVE_OK)
		return invalid(u, "libarchive knows none of its formats", err);
	if (archive_read_open_memory(a, data, len) != ARCHIVE_OK)
		return broken(u, a, err);
	while ((status = archive_read_next_header(a, &e)) == ARCHIVE_OK) {
		if (archive_filter_count(a) > 2)
			return invalid(u, "it is compressed more than once", err);
		r = take_entry(u, a, e, before, len, err);
		if (r < 0)
			return r;
	}
	return status == ARCHIVE_EOF ? 0 : broken(u, a, err);
}

int cuv_upload_archive(struct cuv_upload *u, const void *data, size_t len, struct cuv_error *err)
{
	const locale_t before = utf8 ? uselocale(utf8) : (locale_t)0;
	int r = len ? unpack(u, data, len, err) : invalid(u, "it has no bytes", err);

	if (before)
		(void)uselocale(before);
	return r;
}
