/* SPDX-License-Identifier: MIT */
#include "lib/proto/bundle.h"

#include "lib/base/fd.h"
#include "lib/base/utf8.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define HEAD_BYTES 12
#define COMPONENT_MAX 255

const char *cuv_left_name(enum cuv_left l)
{
	static const char *const names[_CUV_LEFT_MAX] = {
#define X(suffix, name, text) [CUV_LEFT_##suffix] = name,
		CUV_LEFT_TABLE(X)
#undef X
	};

	cuv_assert(l > 0 && l < _CUV_LEFT_MAX);
	return names[l];
}

const char *cuv_left_text(enum cuv_left l)
{
	static const char *const texts[_CUV_LEFT_MAX] = {
#define X(suffix, name, text) [CUV_LEFT_##suffix] = text,
		CUV_LEFT_TABLE(X)
#undef X
	};

	cuv_assert(l > 0 && l < _CUV_LEFT_MAX);
	return texts[l];
}

static bool component_valid(const char *name, size_t len)
{
	return len > 0 && len <= COMPONENT_MAX && !(len == 1 && name[0] == '.') &&
	       !(len == 2 && name[0] == '.' && name[1] == '.');
}

bool cuv_bundle_name_valid(const char *name, size_t len)
{
	size_t i, from = 0, depth = 0;

	if (len == 0 || len >= CUV_BUNDLE_NAME_SIZE || !cuv_utf8_valid(name, len))
		return false;
	for (i = 0; i <= len; i++) {
		if (i < len && ((unsigned char)name[i] < 0x20 || name[i] == 0x7f || name[i] == '\\'))
			return false;
		if (i < len && name[i] != '/')
			continue;
		if (++depth > CUV_BUNDLE_DEPTH_MAX || !component_valid(name + from, i - from))
			return false;
		from = i + 1;
	}
	return true;
}

static void put_number(uint8_t *at, uint64_t v, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		at[i] = (uint8_t)(v >> (8 * i));
}

static uint64_t get_number(const uint8_t *at, size_t bytes)
{
	uint64_t v = 0;

	for (size_t i = bytes; i-- > 0;)
		v = v << 8 | at[i];
	return v;
}

int cuv_bundle_open(struct cuv_bundle_writer *w, const char *label)
{
	*w = (struct cuv_bundle_writer){.fd = memfd_create(label, MFD_CLOEXEC | MFD_ALLOW_SEALING)};
	return w->fd < 0 ? -errno : 0;
}

int cuv_bundle_begin(struct cuv_bundle_writer *w, enum cuv_bundle_kind kind, uint8_t detail, const char *name)
{
	const size_t len = strlen(name);
	uint8_t head[HEAD_BYTES + CUV_BUNDLE_NAME_SIZE] = {(uint8_t)kind, detail};

	if (w->n == CUV_BUNDLE_ENTRIES_MAX || len >= CUV_BUNDLE_NAME_SIZE)
		return -E2BIG;
	w->entry = lseek(w->fd, 0, SEEK_CUR);
	if (w->entry < 0)
		return -errno;
	w->n++;
	w->size = 0;
	put_number(head + 2, len, 2);
	memcpy(head + HEAD_BYTES, name, len);
	return cuv_write_all(w->fd, head, HEAD_BYTES + len);
}

int cuv_bundle_data(struct cuv_bundle_writer *w, const void *data, size_t len)
{
	if (len > CUV_BUNDLE_BYTES_MAX - w->total)
		return -E2BIG;
	w->size += len;
	w->total += len;
	return cuv_write_all(w->fd, data, len);
}

static int write_size(struct cuv_bundle_writer *w, uint64_t size)
{
	uint8_t bytes[8];
	int r;

	put_number(bytes, size, sizeof(bytes));
	if (lseek(w->fd, w->entry + 4, SEEK_SET) < 0)
		return -errno;
	r = cuv_write_all(w->fd, bytes, sizeof(bytes));
	if (r == 0 && lseek(w->fd, 0, SEEK_END) < 0)
		r = -errno;
	return r;
}

int cuv_bundle_end(struct cuv_bundle_writer *w)
{
	return w->size ? write_size(w, w->size) : 0;
}

int cuv_bundle_drop(struct cuv_bundle_writer *w)
{
	w->n--;
	w->total -= w->size;
	if (ftruncate(w->fd, w->entry) < 0 || lseek(w->fd, w->entry, SEEK_SET) < 0)
		return -errno;
	return 0;
}

int cuv_bundle_left(struct cuv_bundle_writer *w, enum cuv_left why, uint64_t size, const char *name)
{
	int r = cuv_bundle_begin(w, CUV_BUNDLE_LEFT, (uint8_t)why, name);

	return r == 0 ? write_size(w, size) : r;
}

int cuv_bundle_seal(struct cuv_bundle_writer *w)
{
	return fcntl(w->fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) < 0 ? -errno : 0;
}

void cuv_bundle_close(struct cuv_bundle_writer *w)
{
	w->fd = cuv_close(w->fd);
}

static bool detail_valid(unsigned kind, unsigned detail)
{
	if (kind == CUV_BUNDLE_LEFT)
		return detail > 0 && detail < _CUV_LEFT_MAX;
	return detail <= (kind == CUV_BUNDLE_FILE);
}

int cuv_bundle_next(struct cuv_bundle_reader *r, struct cuv_bundle_entry *ret)
{
	const uint8_t *head = r->at;
	size_t name_len;

	if (r->left == 0)
		return 0;
	if (r->left < HEAD_BYTES || r->n == CUV_BUNDLE_ENTRIES_MAX)
		return -EBADMSG;
	*ret = (struct cuv_bundle_entry){.kind = (enum cuv_bundle_kind)head[0], .size = get_number(head + 4, 8)};
	name_len = (size_t)get_number(head + 2, 2);
	if (head[0] == 0 || head[0] >= _CUV_BUNDLE_KIND_MAX || !detail_valid(head[0], head[1]) ||
	    name_len > r->left - HEAD_BYTES)
		return -EBADMSG;
	r->at += HEAD_BYTES;
	r->left -= HEAD_BYTES;
	if (!cuv_bundle_name_valid((const char *)r->at, name_len) && !(ret->kind == CUV_BUNDLE_LEFT && name_len == 0))
		return -EBADMSG;
	memcpy(ret->name, r->at, name_len);
	r->at += name_len;
	r->left -= name_len;
	r->n++;
	if (ret->kind == CUV_BUNDLE_LEFT) {
		ret->why = (enum cuv_left)head[1];
		return 1;
	}
	if (ret->size > r->left || (ret->kind == CUV_BUNDLE_FOLDER && ret->size != 0))
		return -EBADMSG;
	ret->executable = head[1] == 1;
	ret->data = ret->kind == CUV_BUNDLE_FILE ? r->at : NULL;
	r->at += ret->size;
	r->left -= ret->size;
	return 1;
}
