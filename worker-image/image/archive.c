/* SPDX-License-Identifier: MIT */
#include "worker-image/image/archive.h"

#include "lib/base/fd.h"
#include "worker-image/image/member.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define READ_BLOCK_BYTES (128u << 10)
#define MEMBERS_MAX 200000u

static void reader_freep(struct archive **a)
{
	if (*a)
		(void)archive_read_free(*a);
}
#define _cleanup_reader_ _cleanup_(reader_freep)

static int failed(struct cuv_error *err, const char *path, const char *why)
{
	const char *base = strrchr(path, '/');

	(void)cuv_error_set(err, CUV_E_BUILD_FAILED, "%.300s: %s", base ? base + 1 : path, why);
	return -EINVAL;
}

static int failed_reader(struct cuv_error *err, const char *path, struct archive *a)
{
	const char *why = archive_error_string(a);

	return failed(err, path, why ? why : "not a readable archive");
}

/* Copies the current member's bytes into a new file of the tree. */
static int copy_file(struct cuv_tree *t, struct archive *a, const char *archive_path, const char *path, bool executable,
		     struct cuv_error *err)
{
	_cleanup_close_ int fd = -1;
	const void *block;
	size_t len;
	la_int64_t offset, expected = 0;
	int status;

	int r = cuv_tree_add_file(t, path, executable, &fd, err);
	if (r < 0)
		return r;
	while ((status = archive_read_data_block(a, &block, &len, &offset)) == ARCHIVE_OK) {
		if (offset != expected)
			return failed(err, archive_path, "a file with holes");
		expected += (la_int64_t)len;
		r = cuv_tree_write(t, fd, block, len, err);
		if (r < 0)
			return r;
	}
	return status == ARCHIVE_EOF ? 0 : failed_reader(err, archive_path, a);
}

/* One member of a package's data.tar. */
static int unpack_member(struct cuv_tree *t, struct archive *tar, struct archive_entry *entry, const char *deb_path,
			 struct cuv_error *err)
{
	const char *raw = archive_entry_pathname(entry);
	struct cuv_member_name clean, merged, target;

	if (!raw)
		return failed(err, deb_path, "a member's name can't be read");
	int r = cuv_member_clean(raw, &clean, err);
	if (r == 0)
		r = cuv_member_merge(clean.path, &merged, err);
	if (r < 0)
		return r;
	/* Folders come with the files in them. */
	if (archive_entry_filetype(entry) == AE_IFDIR || !cuv_member_wanted(merged.path))
		return 0;

	const char *hard = archive_entry_hardlink(entry);
	if (hard) {
		r = cuv_member_clean(hard, &clean, err);
		if (r == 0)
			r = cuv_member_merge(clean.path, &target, err);
		return r < 0 ? r : cuv_tree_add_hardlink(t, merged.path, target.path, err);
	}
	switch (archive_entry_filetype(entry)) {
	case AE_IFREG:
		return copy_file(t, tar, deb_path, merged.path, (archive_entry_mode(entry) & 0111) != 0, err);
	case AE_IFLNK: {
		const char *to = archive_entry_symlink(entry);

		if (to && cuv_member_is_merge(clean.path, to))
			return 0;
		r = cuv_member_link(clean.path, to ? to : "", &target, err);
		return r < 0 ? r : cuv_tree_add_link(t, merged.path, target.path, err);
	}
	default:
		return failed(err, deb_path, "holds a device, a pipe or a socket");
	}
}

/* The inner archive reads the outer one's current member. */
static la_ssize_t read_outer(struct archive *tar, void *outer, const void **ret_block)
{
	size_t len;
	la_int64_t offset;
	int status = archive_read_data_block(outer, ret_block, &len, &offset);

	if (status == ARCHIVE_EOF)
		return 0;
	if (status != ARCHIVE_OK) {
		archive_set_error(tar, EIO, "%s", archive_error_string(outer));
		return -1;
	}
	return (la_ssize_t)len;
}

static int unpack_data(struct cuv_tree *t, struct archive *outer, const char *deb_path, struct cuv_error *err)
{
	_cleanup_reader_ struct archive *tar = archive_read_new();
	struct archive_entry *entry;
	int status = ARCHIVE_FATAL;

	if (!tar || archive_read_support_format_tar(tar) != ARCHIVE_OK ||
	    archive_read_support_filter_xz(tar) != ARCHIVE_OK || archive_read_support_filter_zstd(tar) != ARCHIVE_OK ||
	    archive_read_support_filter_gzip(tar) != ARCHIVE_OK)
		return failed(err, deb_path, "this program was built without a decompressor");
	if (archive_read_open(tar, outer, NULL, read_outer, NULL) != ARCHIVE_OK)
		return failed_reader(err, deb_path, tar);
	for (uint32_t n = 0; (status = archive_read_next_header(tar, &entry)) == ARCHIVE_OK; n++) {
		if (n >= MEMBERS_MAX)
			return failed(err, deb_path, "too many members");
		int r = unpack_member(t, tar, entry, deb_path, err);
		if (r < 0)
			return r;
	}
	return status == ARCHIVE_EOF ? 0 : failed_reader(err, deb_path, tar);
}

int cuv_archive_unpack_deb(struct cuv_tree *t, const char *deb_path, struct cuv_error *err)
{
	_cleanup_reader_ struct archive *outer = archive_read_new();
	struct archive_entry *entry;

	if (!outer || archive_read_support_format_ar(outer) != ARCHIVE_OK ||
	    archive_read_open_filename(outer, deb_path, READ_BLOCK_BYTES) != ARCHIVE_OK)
		return outer ? failed_reader(err, deb_path, outer) : failed(err, deb_path, "out of memory");
	/* debian-binary, control.tar.*, data.tar.*; nothing more is defined. */
	for (int n = 0; n < 8 && archive_read_next_header(outer, &entry) == ARCHIVE_OK; n++) {
		const char *name = archive_entry_pathname(entry);

		if (n == 0 && (!name || strcmp(name, "debian-binary") != 0))
			break;
		if (name && strncmp(name, "data.tar", 8) == 0)
			return unpack_data(t, outer, deb_path, err);
	}
	return failed(err, deb_path, "not a Debian package with a data.tar member");
}

/* Where a wheel's member goes in a tool's folder; false: nowhere. */
static bool tool_path(const char *member, const char *name, char *ret_path, size_t size)
{
	const char *slash = strchr(member, '/');

	if (!slash)
		return false;
	size_t top = (size_t)(slash - member);
	const char *rest = slash + 1;

	if (top > 5 && strncmp(slash - 5, ".data", 5) == 0 && strncmp(rest, "scripts/", 8) == 0 &&
	    strcmp(rest + 8, name) == 0)
		return snprintf(ret_path, size, "bin/%s", name) < (int)size;
	if (top > 10 && strncmp(slash - 10, ".dist-info", 10) == 0 && strncmp(rest, "licenses/", 9) == 0)
		return snprintf(ret_path, size, "share/licenses/%s/%s", name, rest + 9) < (int)size;
	return false;
}

int cuv_archive_unpack_tool(struct cuv_tree *t, const char *wheel_path, const char *name, struct cuv_error *err)
{
	_cleanup_reader_ struct archive *zip = archive_read_new();
	struct archive_entry *entry;
	char path[CUV_MEMBER_NAME_MAX];
	bool found = false;
	int status = ARCHIVE_FATAL;

	if (!zip || archive_read_support_format_zip_seekable(zip) != ARCHIVE_OK ||
	    archive_read_open_filename(zip, wheel_path, READ_BLOCK_BYTES) != ARCHIVE_OK)
		return zip ? failed_reader(err, wheel_path, zip) : failed(err, wheel_path, "out of memory");
	for (uint32_t n = 0; (status = archive_read_next_header(zip, &entry)) == ARCHIVE_OK; n++) {
		const char *raw = archive_entry_pathname(entry);
		struct cuv_member_name clean;

		if (n >= MEMBERS_MAX)
			return failed(err, wheel_path, "too many members");
		if (!raw)
			return failed(err, wheel_path, "a member's name can't be read");
		int r = cuv_member_clean(raw, &clean, err);
		if (r < 0)
			return r;
		if (!tool_path(clean.path, name, path, sizeof(path)))
			continue;
		if (archive_entry_filetype(entry) != AE_IFREG)
			return failed(err, wheel_path, "the program is not a plain file");
		bool program = strncmp(path, "bin/", 4) == 0;
		r = copy_file(t, zip, wheel_path, path, program, err);
		if (r < 0)
			return r;
		found = found || program;
	}
	if (status != ARCHIVE_EOF)
		return failed_reader(err, wheel_path, zip);
	return found ? 0 : failed(err, wheel_path, "the wheel does not bring that program");
}
