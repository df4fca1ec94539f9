/* SPDX-License-Identifier: MIT */
/* Reading a parcel, of which every byte may be hostile: in a sealed child. */
#include "lib/base/fd.h"
#include "nixenv/builder/parcel.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define BLOCK_BYTES 65536
#define NAME_SIZE 16

struct reading {
	struct archive *a;
	const struct cuv_parcel_sink *sink;
	const char *why;
	uint64_t bytes;
};

static int no(struct reading *x, int r, const char *why)
{
	x->why = why;
	return r;
}

static int read_file(struct reading *x, unsigned number, struct archive_entry *e)
{
	const uint64_t max = number == 0 ? CUV_PARCEL_DESCRIPTION_MAX : CUV_WHEEL_BYTES_MAX;
	const la_int64_t size = archive_entry_size(e);
	uint64_t left;
	int r;

	if (archive_entry_filetype(e) != AE_IFREG || archive_entry_hardlink(e) || !archive_entry_size_is_set(e) ||
	    size < 0)
		return no(x, -EBADMSG, "it has something else than plain files");
	left = (uint64_t)size;
	if (left > max || left > CUV_PARCEL_BYTES_MAX - x->bytes)
		return no(x, -E2BIG, "it has too many bytes");
	x->bytes += left;
	r = x->sink->begin(x->sink->arg, number, left);
	while (r == 0 && left > 0) {
		char block[BLOCK_BYTES];
		la_ssize_t n = archive_read_data(x->a, block, (size_t)CUV_MIN(left, (uint64_t)sizeof(block)));

		if (n <= 0)
			return no(x, -EBADMSG, "it is cut off, or damaged");
		left -= (uint64_t)n;
		r = x->sink->data(x->sink->arg, block, (size_t)n);
	}
	return r < 0 ? no(x, r, "its files can't be written") : 0;
}

static int read_all(struct reading *x)
{
	for (unsigned number = 0;; number++) {
		struct archive_entry *e;
		int r = archive_read_next_header(x->a, &e);

		if (r == ARCHIVE_EOF)
			return number == 0 ? no(x, -EBADMSG, "it is empty") : 0;
		if (r != ARCHIVE_OK)
			return no(x, -EBADMSG, "it is no tar archive compressed by zstd, or damaged");
		if (number == CUV_PARCEL_FILES_MAX)
			return no(x, -E2BIG, "it has too many files");
		r = read_file(x, number, e);
		if (r < 0)
			return r;
	}
}

int cuv_parcel_read(int from, const void *data, size_t len, const struct cuv_parcel_sink *sink, const char **ret_why)
{
	struct reading x = {.a = archive_read_new(), .sink = sink, .why = ""};
	int r;

	*ret_why = "there is no memory";
	if (!x.a)
		return -ENOMEM;
	/* One format, one filter: nothing else of the library is reached. */
	if (archive_read_support_format_tar(x.a) != ARCHIVE_OK || archive_read_support_filter_zstd(x.a) != ARCHIVE_OK)
		r = no(&x, -ENOMEM, "there is no zstd here");
	else if ((from >= 0 ? archive_read_open_fd(x.a, from, BLOCK_BYTES)
			    : archive_read_open_memory(x.a, data, len)) != ARCHIVE_OK)
		r = no(&x, -EBADMSG, "it is no tar archive compressed by zstd, or damaged");
	else
		r = read_all(&x);
	archive_read_free(x.a);
	*ret_why = x.why;
	return r;
}

/* --- the child --- */

struct folder {
	int fd; /* the file that is being written; -1: none */
};

static int begin_file(void *arg, unsigned number, uint64_t size_bytes)
{
	struct folder *f = arg;
	char name[NAME_SIZE];

	(void)size_bytes;
	(void)cuv_close(f->fd);
	(void)snprintf(name, sizeof(name), "%u", number);
	f->fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
	return f->fd < 0 ? -errno : 0;
}

static int add_data(void *arg, const void *data, size_t len)
{
	const struct folder *f = arg;

	return cuv_write_all(f->fd, data, len);
}

int cuv_parcel_unpack_main(void)
{
	struct folder f = {.fd = -1};
	const struct cuv_parcel_sink sink = {.begin = begin_file, .data = add_data, .arg = &f};
	const char *why;
	int r = cuv_parcel_read(STDIN_FILENO, NULL, 0, &sink, &why);

	(void)cuv_close(f.fd);
	if (r == 0)
		return 0;
	if (r == -ENOSPC || r == -EDQUOT)
		return CUV_PARCEL_STATUS_FULL;
	fprintf(stderr, "%s\n", why);
	return r == -E2BIG ? CUV_PARCEL_STATUS_LIMIT : 1;
}
