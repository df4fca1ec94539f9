/* SPDX-License-Identifier: MIT */
/*
 * Frames between Cuvette's processes: one SOCK_SEQPACKET message each, a header
 * of eight bytes (protocol version u16, message type u16, body length u32) and
 * a body of fields one after the other. Integers are little-endian; a string is
 * its length (u32) and its bytes, which hold no NUL. Descriptors travel along
 * by SCM_RIGHTS.
 *
 * Writer and reader carry a sticky error: write or read freely, check once at
 * the end. A reader's error is always the sender's fault (-EBADMSG): the
 * receiver closes that session and goes on.
 */
#ifndef CUV_FRAME_H
#define CUV_FRAME_H

#include "lib/base/buf.h"
#include "lib/base/strv.h"

#define CUV_PROTO_VERSION 1
#define CUV_FRAME_HEADER 8u
#define CUV_FRAME_MAX (128u * 1024u) /* header and body, bytes */
#define CUV_FRAME_FDS_MAX 16

/* --- writing --- */
struct cuv_writer {
	struct cuv_buf buf;
};

void cuv_writer_init(struct cuv_writer *w, uint16_t type);
void cuv_writer_done(struct cuv_writer *w);
#define _cleanup_writer_ _cleanup_(cuv_writer_done)

void cuv_put_u8(struct cuv_writer *w, uint8_t v);
void cuv_put_u16(struct cuv_writer *w, uint16_t v);
void cuv_put_u32(struct cuv_writer *w, uint32_t v);
void cuv_put_u64(struct cuv_writer *w, uint64_t v);
void cuv_put_bytes(struct cuv_writer *w, const void *data, size_t len);
void cuv_put_str(struct cuv_writer *w, const char *s);
void cuv_put_strv(struct cuv_writer *w, const struct cuv_strv *v);

/* Sends the frame with n_fds descriptors (borrowed). Blocks on a blocking
 * socket; -EAGAIN on a non-blocking one that is full. 0 or -errno (-EPIPE: the
 * other side is gone; no SIGPIPE is raised). */
int cuv_writer_send(struct cuv_writer *w, int sock, const int *fds, size_t n_fds);

/* --- reading --- */
struct cuv_reader {
	const uint8_t *at;
	size_t left;
	int err; /* 0 or -EBADMSG or -ENOMEM */
};

/* A received frame: its bytes and the descriptors that came with it. */
struct cuv_frame {
	uint16_t type;
	struct cuv_reader body; /* borrows data */
	uint8_t *data;		/* owned, for cuv_frame_done alone */
	int fds[CUV_FRAME_FDS_MAX];
	size_t n_fds;
};

#define CUV_FRAME_INIT ((struct cuv_frame){0})

/* Closes what descriptors were not taken and frees the bytes. */
void cuv_frame_done(struct cuv_frame *f);
#define _cleanup_frame_ _cleanup_(cuv_frame_done)
/* The same, and what was read is not in memory any more. */
void cuv_frame_forget(struct cuv_frame *f);
/* Takes the room for a frame now: who forks spares each child that. Where there is no memory the
 * child tries for itself. */
void cuv_frame_prepare(void);

/* Receives one frame into f, which must be empty. Descriptors arrive with
 * CLOEXEC. 0; 1 when the other side has closed; -EAGAIN on a non-blocking
 * socket without a frame; -EBADMSG for a frame that is too long, cut, of
 * another version or with too many descriptors; other -errno. */
int cuv_frame_recv(int sock, struct cuv_frame *f);
/* The same, waiting until the deadline (-ETIMEDOUT). */
int cuv_frame_recv_until(int sock, uint64_t deadline_ns, struct cuv_frame *f);
/* Takes descriptor i out of the frame: the caller owns it; -1 if there is none. */
int cuv_frame_take_fd(struct cuv_frame *f, size_t i);

/* Parses header and body of len bytes held by the caller (tests and fuzzing). */
int cuv_frame_parse(const uint8_t *data, size_t len, uint16_t *ret_type, struct cuv_reader *ret_body);

uint8_t cuv_get_u8(struct cuv_reader *r);
uint16_t cuv_get_u16(struct cuv_reader *r);
uint32_t cuv_get_u32(struct cuv_reader *r);
uint64_t cuv_get_u64(struct cuv_reader *r);
/* Borrowed bytes, at most max of them; NULL on error. */
const uint8_t *cuv_get_bytes(struct cuv_reader *r, size_t max, size_t *ret_len);
/* Copies a string into dst[size], which must hold it with its NUL. */
void cuv_get_str(struct cuv_reader *r, char *dst, size_t size);
/* Appends at most max_n strings of at most max_len bytes each. */
void cuv_get_strv(struct cuv_reader *r, size_t max_n, size_t max_len, struct cuv_strv *v);
/* 0 when all was read without an error, else -EBADMSG or -ENOMEM. */
int cuv_reader_end(const struct cuv_reader *r);

#endif
