/* SPDX-License-Identifier: MIT */
/*
 * The service as a Nix binary cache: /nix-cache-info, /<hash>.narinfo and
 * /nar/<hash>-<nar hash>.nar.zst. The builder decides what is shared, signs and packs;
 * here its answer's descriptor is streamed. Clients of Nix send the API key as the
 * password of HTTP Basic, from their netrc.
 */
#include "lib/base/clock.h"
#include "lib/base/fd.h"
#include "lib/proto/share.h"
#include "manager/server.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define NARINFO_MS 10000
#define NAR_MS 600000 /* packing it, behind others */
#define INFO_TYPE "text/x-nix-cache-info"
#define NARINFO_TYPE "text/x-nix-narinfo"
#define NAR_TYPE "application/zstd"
/* Below other caches in whoever asks: those are likely nearer and larger. */
#define CACHE_INFO "StoreDir: /nix/store\nWantMassQuery: 1\nPriority: 50\n"
/* So many of all clients' places may be taken by archives: the rest is for runs. */
#define NARS_PART 4

/* "/<hash>.narinfo" or "/nar/<hash>-<nar hash>.nar.zst". */
static bool read_path(const char *path, struct cuv_share_ask *ret)
{
	static const char nar[] = "/nar/", narinfo_end[] = ".narinfo", nar_end[] = ".nar.zst";
	const size_t hash = CUV_ENV_DIGEST_SIZE - 1, nar_hash = CUV_NAR_HASH_PART_SIZE - 1;
	bool is_nar = strncmp(path, nar, strlen(nar)) == 0;
	const char *at = path + (is_nar ? strlen(nar) : 1);

	*ret = (struct cuv_share_ask){.kind = is_nar ? CUV_SHARE_NAR : CUV_SHARE_NARINFO};
	if (strnlen(at, hash) < hash)
		return false;
	memcpy(ret->hash_part, at, hash);
	at += hash;
	if (is_nar) {
		if (*at++ != '-' || strnlen(at, nar_hash) < nar_hash)
			return false;
		memcpy(ret->nar_hash, at, nar_hash);
		at += nar_hash;
	}
	return strcmp(at, is_nar ? nar_end : narinfo_end) == 0 && cuv_share_ask_valid(ret);
}

bool cuv_route_is_share(const struct cuv_server *s, const char *path)
{
	struct cuv_share_ask unused;

	return s->settings->shares && (strcmp(path, "/nix-cache-info") == 0 || read_path(path, &unused));
}

/* The builder's descriptor, or -1 with err. */
static int ask_builder(const struct cuv_server *s, const struct cuv_share_ask *ask, struct cuv_error *err)
{
	_cleanup_frame_ struct cuv_frame f = CUV_FRAME_INIT;
	_cleanup_writer_ struct cuv_writer w;
	_cleanup_close_ int session = cuv_peers_builder(&s->peers, err);
	int r;

	if (session < 0)
		return -1;
	cuv_writer_init(&w, CUV_MSG_SHARE_ASK);
	cuv_share_ask_put(&w, ask);
	r = cuv_writer_send(&w, session, NULL, 0);
	if (r == 0)
		r = cuv_frame_recv_until(session, cuv_deadline_ms(ask->kind == CUV_SHARE_NAR ? NAR_MS : NARINFO_MS),
					 &f);
	if (r == 0 && f.type == CUV_MSG_FAILURE && cuv_failure_get(&f.body, err) == 0)
		return -1;
	if (r == 0 && f.type == CUV_MSG_SHARE && f.n_fds == 1)
		return cuv_frame_take_fd(&f, 0);
	cuv_error_set(err, CUV_E_UNAVAILABLE, "the builder does not answer; try again");
	err->retry_after_s = 5;
	return -1;
}

static void send_nar(struct cuv_http *h, const struct cuv_share_ask *ask, int fd, uint64_t size)
{
	char headers[256], tag[CUV_NAR_HASH_PART_SIZE + 2];
	uint64_t first = 0, len = size;
	int part;

	(void)snprintf(tag, sizeof(tag), "\"%s\"", ask->nar_hash);
	part = h->head.if_range && strcmp(h->head.if_range, tag) != 0
		       ? 0
		       : cuv_http_range(h->head.range, size, &first, &len);
	if (part < 0) {
		(void)snprintf(headers, sizeof(headers), "Content-Range: bytes */%llu\r\n", (unsigned long long)size);
		cuv_http_reply(h, 416, headers, "text/plain", "", 0);
		return;
	}
	(void)snprintf(headers, sizeof(headers), "ETag: %s\r\nAccept-Ranges: bytes\r\n", tag);
	if (part > 0) {
		size_t n = strlen(headers);

		(void)snprintf(headers + n, sizeof(headers) - n, "Content-Range: bytes %llu-%llu/%llu\r\n",
			       (unsigned long long)first, (unsigned long long)(first + len - 1),
			       (unsigned long long)size);
	}
	cuv_http_reply_file(h, part > 0 ? 206 : 200, headers, NAR_TYPE, fd, first, len);
}

static void answer(struct cuv_server *s, struct cuv_http *h, const struct cuv_share_ask *ask)
{
	struct cuv_error err = CUV_ERROR_INIT;
	_cleanup_close_ int fd = ask_builder(s, ask, &err);
	off_t size = fd < 0 ? 0 : lseek(fd, 0, SEEK_END); /* no stat for the sealed */

	if (size < 0)
		cuv_error_set(&err, CUV_E_INTERNAL, "the builder's answer is no file");
	if (err.code != CUV_E_NONE)
		cuv_http_reply_error(h, &err, NULL);
	else if (ask->kind == CUV_SHARE_NAR)
		send_nar(h, ask, fd, (uint64_t)size);
	else
		cuv_http_reply_file(h, 200, NULL, NARINFO_TYPE, fd, 0, (uint64_t)size);
}

void cuv_route_share(struct cuv_server *s, struct cuv_http *h)
{
	struct cuv_error err = CUV_ERROR_INIT;
	struct cuv_share_ask ask;

	if (!read_path(h->head.path, &ask)) {
		cuv_http_reply(h, 200, NULL, INFO_TYPE, CACHE_INFO, strlen(CACHE_INFO));
		return;
	}
	if (ask.kind == CUV_SHARE_NAR &&
	    atomic_fetch_add(&s->nars, 1) >= CUV_MAX(s->settings->clients / NARS_PART, 1u)) {
		cuv_error_set(&err, CUV_E_OVERLOADED, "too many archives are being fetched; try again");
		err.retry_after_s = 5;
		cuv_http_reply_error(h, &err, NULL);
	} else {
		answer(s, h, &ask);
	}
	if (ask.kind == CUV_SHARE_NAR)
		atomic_fetch_sub(&s->nars, 1);
}
