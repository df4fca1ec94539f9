/* SPDX-License-Identifier: MIT */
/*
 * One HTTP request between its head and its answer. Everything that waits for
 * the client has a deadline held by cuv_watch; whatever was left unread of a
 * body is drained for a moment at the end, so that the answer is not lost to a
 * connection reset.
 */
#ifndef CUV_HTTP_H
#define CUV_HTTP_H

#include "lib/base/hash.h"
#include "manager/http_head.h"
#include "manager/path_template.h"
#include "manager/watch.h"

#include <jansson.h>
#include <sys/uio.h>

/* How the clients of a path are told of errors. */
struct cuv_http_errors {
	int (*status)(enum cuv_error_code code);
	/* A new reference; NULL without memory. */
	json_t *(*body)(const struct cuv_error *err, const char *request_id);
};
/* Ours (docs/api.md). */
extern const struct cuv_http_errors cuv_http_errors;

struct cuv_http {
	struct mg_connection *conn; /* borrowed */
	const struct mg_request_info *info;
	struct cuv_http_head head;
	char request_id[CUV_ID_HEX_SIZE];
	char run_id[CUV_ID_HEX_SIZE];	 /* "" until there is a run */
	char param[CUV_PATH_PARAM_SIZE]; /* what stands in the route's braces */
	const struct cuv_http_errors *errors;
	const char *allow_origin; /* whose page may read the answer; NULL: no other site's */
	unsigned operation;	  /* number of the route, from 1; 0: none */
	struct cuv_watch *watch;  /* borrowed */
	size_t slot;
	int fd; /* borrowed from civetweb */
	uint64_t start_ns;
	uint64_t body_bytes; /* read of the body */
	bool body_done;	     /* the body was read to its end */
	bool basic;	     /* the path's clients know Basic, not Bearer */
	int status;	     /* of the answer; 0: none was sent */
	enum cuv_error_code code;
	uint64_t sent_bytes;
};

/* civetweb's own limit of a head, and of a body's silence. */
#define CUV_HTTP_STALL_MS 10000

/* The descriptor of this request's connection, which civetweb does not tell:
 * found by its peer's address among our own descriptors (all below fd_max).
 * any_address: the service listens on more than one address, so that a peer may
 * have two connections from one port; then it must be the only match.
 * -ENOTCONN when the client is gone already, -ENOTUNIQ for two. */
int cuv_http_find_fd(const struct mg_request_info *info, int fd_max, bool any_address);

/* Takes a slot of the watch; fd as found. */
void cuv_http_init(struct cuv_http *h, struct mg_connection *conn, struct cuv_watch *watch, int fd);
/* Drains what is left and leaves the watch. */
void cuv_http_done(struct cuv_http *h);

/* Receives the body, calling take for each piece; max_bytes bounds it. Sends
 * 100 Continue when the client waits for it. 0, or negative with err set: by
 * take, or TOO_LARGE, REQUEST_TIMEOUT, BAD_REQUEST (it ended too early). */
int cuv_http_read_body(struct cuv_http *h, uint64_t max_bytes,
		       int (*take)(void *arg, const char *data, size_t len, struct cuv_error *err), void *arg,
		       struct cuv_error *err);

/* Answers. headers: further header lines, each with its CRLF, or NULL. */
void cuv_http_reply(struct cuv_http *h, int status, const char *headers, const char *content_type, const char *body,
		    size_t len);
/* The same with len bytes of a regular file from first on; fd is borrowed. */
void cuv_http_reply_file(struct cuv_http *h, int status, const char *headers, const char *content_type, int fd,
			 uint64_t first, uint64_t len);
/* The same with a body in n parts, which are not put together in memory. */
void cuv_http_reply_parts(struct cuv_http *h, int status, const char *headers, const char *content_type,
			  const struct iovec *parts, size_t n);
/* Begins an answer of unknown length, whose end is the connection's; the rest goes by
 * cuv_http_send, each piece with the time that an answer of its size has. False: the
 * client is gone, or was too slow; nothing more can be sent. */
bool cuv_http_begin(struct cuv_http *h, int status, const char *headers, const char *content_type);
bool cuv_http_send(struct cuv_http *h, const void *data, size_t len);
/* Who has had nothing for so long is sent something, before a proxy gives the connection up. */
#define CUV_HTTP_KEEP_ALIVE_NS (5 * CUV_NS_PER_S)
/* Whether the client has hung up, or will send nothing more. */
bool cuv_http_is_gone(const struct cuv_http *h);
/* value is borrowed. */
void cuv_http_reply_json(struct cuv_http *h, int status, const char *headers, const json_t *value);
/* The error body as h->errors has it, with the headers that the code asks for; allow: the methods
 * of the path, for METHOD_NOT_ALLOWED. */
void cuv_http_reply_error(struct cuv_http *h, const struct cuv_error *err, const char *allow);

#endif
