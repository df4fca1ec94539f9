/* SPDX-License-Identifier: MIT */
#include "nixenv/builder/pack.h"

#include "lib/base/fd.h"
#include "nixenv/builder/nar.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <string.h>

#define LEVEL "3"
#define CHUNK (256u * 1024u)

static void free_writer(struct archive **a)
{
	(void)archive_write_free(*a);
}

static void free_reader(struct archive **a)
{
	(void)archive_read_free(*a);
}

static void free_entry(struct archive_entry **e)
{
	archive_entry_free(*e);
}

/* libarchive's own numbers are positive errno values, or -1 for "something". */
static int archive_failed(struct archive *a)
{
	int number = archive_errno(a);

	return number > 0 && number < 4096 ? -number : -EIO;
}

/* --- packing --- */

struct packing {
	struct archive *a;
	crypto_hash_sha256_state hash;
	uint64_t bytes;
	uint64_t bytes_max;
};

static int pack_piece(void *arg, const void *data, size_t len)
{
	struct packing *p = arg;

	p->bytes += len;
	if (p->bytes > p->bytes_max)
		return -EUCLEAN;
	crypto_hash_sha256_update(&p->hash, data, len);
	return archive_write_data(p->a, data, len) == (la_ssize_t)len ? 0 : archive_failed(p->a);
}

/* A raw archive by zstd, without filling at its end. */
static int open_packed(struct archive *a, struct archive_entry *e, int fd)
{
	archive_entry_set_filetype(e, AE_IFREG);
	archive_entry_set_pathname(e, "nar");
	if (archive_write_add_filter_zstd(a) != ARCHIVE_OK ||
	    archive_write_set_filter_option(a, "zstd", "compression-level", LEVEL) != ARCHIVE_OK ||
	    archive_write_set_format_raw(a) != ARCHIVE_OK ||
	    archive_write_set_bytes_in_last_block(a, 1) != ARCHIVE_OK || archive_write_open_fd(a, fd) != ARCHIVE_OK ||
	    archive_write_header(a, e) != ARCHIVE_OK)
		return archive_failed(a);
	return 0;
}

int cuv_pack(const struct cuv_builder *b, const struct cuv_narinfo *info, int fd)
{
	_cleanup_(free_writer) struct archive *a = archive_write_new();
	_cleanup_(free_entry) struct archive_entry *e = archive_entry_new();
	_cleanup_close_ int store = open(b->state.store, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct packing p = {.a = a, .bytes_max = info->nar_bytes};
	struct cuv_sha256 hash;
	int r;

	if (store < 0)
		return -errno;
	if (!a || !e)
		return -ENOMEM;
	crypto_hash_sha256_init(&p.hash);
	r = open_packed(a, e, fd);
	r = r ? r : cuv_nar_write(store, info->store_name, pack_piece, &p);
	if (r == 0 && archive_write_close(a) != ARCHIVE_OK)
		r = archive_failed(a);
	if (r < 0)
		return r;
	crypto_hash_sha256_final(&p.hash, hash.bytes);
	return p.bytes == info->nar_bytes && memcmp(hash.bytes, info->nar_hash.bytes, sizeof(hash.bytes)) == 0
		       ? 0
		       : -EUCLEAN;
}

/* --- unpacking --- */

static int open_unpacked(struct archive *a, const struct cuv_narinfo *info, int fd)
{
	struct archive_entry *e;
	int r = ARCHIVE_OK;

	if (info->packing == CUV_PACKING_ZSTD)
		r = archive_read_support_filter_zstd(a);
	else if (info->packing == CUV_PACKING_XZ)
		r = archive_read_support_filter_xz(a);
	if (r != ARCHIVE_OK || archive_read_support_format_raw(a) != ARCHIVE_OK ||
	    archive_read_open_fd(a, fd, CHUNK) != ARCHIVE_OK || archive_read_next_header(a, &e) != ARCHIVE_OK)
		return -EBADMSG;
	return 0;
}

int cuv_unpack(int fd, const struct cuv_narinfo *info, int (*write)(void *arg, const void *data, size_t len), void *arg)
{
	_cleanup_(free_reader) struct archive *a = archive_read_new();
	_cleanup_free_ char *chunk = malloc(CHUNK);
	uint64_t bytes = 0;
	int r = a && chunk ? open_unpacked(a, info, fd) : -ENOMEM;

	while (r == 0) {
		la_ssize_t n = archive_read_data(a, chunk, CHUNK);

		if (n == 0)
			return bytes == info->nar_bytes ? 0 : -EBADMSG;
		bytes += n > 0 ? (uint64_t)n : 0;
		/* No more is unpacked than what was signed. */
		if (n < 0 || bytes > info->nar_bytes)
			return -EBADMSG;
		r = write(arg, chunk, (size_t)n);
	}
	return r;
}
