/* SPDX-License-Identifier: MIT */
/*
 * The error that a user reads. It travels as the last parameter of functions
 * that can fail because of what a user sent or what the service can't do, and
 * crosses the process boundary as it is (lib/proto).
 *
 * One table gives the stable code, the HTTP status of the native API and the
 * text that stands in docs and OpenAPI. A code's name never changes.
 */
#ifndef CUV_ERROR_H
#define CUV_ERROR_H

#include "lib/base/base.h"

/* X(enum suffix, "kebab-code", http status, "what it means") */
#define CUV_ERROR_TABLE(X)                                                                                             \
	X(NONE, "none", 200, "no error")                                                                               \
	X(BAD_REQUEST, "bad-request", 400, "the request is not well-formed")                                           \
	X(BAD_MULTIPART, "bad-multipart", 400, "the multipart body is not well-formed")                                \
	X(BAD_JSON, "bad-json", 400, "the JSON body is not well-formed, or too deep")                                  \
	X(REQUIREMENTS_MISSING, "requirements-missing", 400, "neither requirements nor a lock nor an environment")     \
	X(REQUIREMENTS_EMPTY, "requirements-empty", 400, "the requirements file has no bytes")                         \
	X(REQUIREMENTS_NAME, "requirements-name", 400, "the requirements file's name must end in .txt")                \
	X(REQUIREMENTS_ENCODING, "requirements-encoding", 400, "the requirements file is neither UTF-8 nor UTF-16")    \
	X(LOCK_EMPTY, "lock-empty", 400, "the lock has no bytes")                                                      \
	X(LOCK_NAME, "lock-name", 400, "the lock's name must end in .toml")                                            \
	X(CODE_MISSING, "code-missing", 400, "the field `code` is missing")                                            \
	X(CODE_EMPTY, "code-empty", 400, "the code file has no bytes")                                                 \
	X(CODE_NAME, "code-name", 400, "the code file's name must end in .py")                                         \
	X(CODE_ENCODING, "code-encoding", 400, "the code file is not UTF-8")                                           \
	X(FIELD_DUPLICATE, "field-duplicate", 400, "a field was sent twice")                                           \
	X(FIELD_CONFLICT, "field-conflict", 400, "fields were sent together of which only one can be")                 \
	X(FIELD_UNKNOWN, "field-unknown", 400, "a field has a name that is not known")                                 \
	X(UNAUTHORIZED, "unauthorized", 401, "the API key is missing or not the right one")                            \
	X(SCOPE_MISSING, "scope-missing", 403, "the API key may not do this")                                          \
	X(ORIGIN_REFUSED, "origin-refused", 403, "a web page of another site may not use an open service")             \
	X(NOT_FOUND, "not-found", 404, "there is nothing at this path")                                                \
	X(METHOD_NOT_ALLOWED, "method-not-allowed", 405, "the path does not take this method")                         \
	X(REQUEST_TIMEOUT, "request-timeout", 408, "the body came in too slowly")                                      \
	X(LENGTH_REQUIRED, "length-required", 411, "a Content-Length or chunked encoding is needed")                   \
	X(TOO_LARGE, "too-large", 413, "the request or a part of it is too large")                                     \
	X(UNSUPPORTED_MEDIA_TYPE, "unsupported-media-type", 415, "neither multipart/form-data nor application/json")   \
	X(FIELD_INVALID, "field-invalid", 422, "a field has a value that can't be read")                               \
	X(FILE_REFUSED, "file-refused", 422, "a file can't be put beside main.py under its name")                      \
	X(ARCHIVE_INVALID, "archive-invalid", 422, "the archive can't be unpacked")                                    \
	X(LIMIT_EXCEEDED, "limit-exceeded", 422, "a limit is above the operator's maximum")                            \
	X(REQUIREMENT_INVALID, "requirement-invalid", 422, "a line is not a PEP 508 requirement")                      \
	X(REQUIREMENT_UNSUPPORTED, "requirement-unsupported", 422, "a line asks for what is not served")               \
	X(LOCK_INVALID, "lock-invalid", 422, "the lock is not a pylock.toml (PEP 751)")                                \
	X(LOCK_UNSUPPORTED, "lock-unsupported", 422, "the lock asks for what is not served")                           \
	X(LOCK_MISMATCH, "lock-mismatch", 422, "the lock is for another Python or platform")                           \
	X(SCRIPT_INVALID, "script-invalid", 422, "the header of main.py (PEP 723) can't be read")                      \
	X(REQUIREMENTS_FILE_MISSING, "requirements-file-missing", 422, "a line names a file that was not sent along")  \
	X(REQUIREMENTS_UNRESOLVABLE, "requirements-unresolvable", 422, "no set of versions satisfies the file")        \
	X(WHEEL_UNAVAILABLE, "wheel-unavailable", 422, "a package has no wheel that fits this platform")               \
	X(ENVIRONMENT_TOO_LARGE, "environment-too-large", 422, "the environment passes the size or count limit")       \
	X(ENVIRONMENT_UNKNOWN, "environment-unknown", 404, "no environment has this digest here; send the lock")       \
	X(HASH_MISMATCH, "hash-mismatch", 422, "a downloaded file has another hash than the lock says")                \
	X(ADDRESS_REFUSED, "address-refused", 422, "an address that may not be fetched from")                          \
	X(URL_UNAVAILABLE, "url-unavailable", 422, "an address in the requirements does not give its file")            \
	X(BUILD_FAILED, "build-failed", 422, "a wheel could not be installed, or a source distribution not be built")  \
	X(RESOLVE_TIMEOUT, "resolve-timeout", 422, "the resolver took longer than its limit")                          \
	X(BUILD_TIMEOUT, "build-timeout", 422, "building the environment took longer than its limit")                  \
	X(RATE_LIMITED, "rate-limited", 429, "this API key has no runs left for now: each minute, at once, or today")  \
	X(CANCELLED, "cancelled", 499, "the client went away")                                                         \
	X(INTERNAL, "internal", 500, "the service failed; the request can be sent again")                              \
	X(INDEX_UNREACHABLE, "index-unreachable", 503, "the package index can't be reached")                           \
	X(OVERLOADED, "overloaded", 503, "the service has no free place for this request")                             \
	X(DRAINING, "draining", 503, "the service is stopping")                                                        \
	X(INTERRUPTED, "interrupted", 503, "the service was started again while the run was under way")                \
	X(UNAVAILABLE, "unavailable", 503, "a part of the service is not running")                                     \
	X(NO_SPACE, "no-space", 503, "the service's disk is full")                                                     \
	X(NO_MEMORY, "no-memory", 503, "the machine has not enough memory left for this request")                      \
	X(NO_PROCESSES, "no-processes", 503, "the machine can start no more processes for this request")

enum cuv_error_code {
#define X(name, kebab, http, text) CUV_E_##name,
	CUV_ERROR_TABLE(X)
#undef X
		_CUV_E_MAX,
};

/* Longest name of a file that a user sent, with its NUL. */
#define CUV_ERROR_FILE_SIZE 256

/* A plain value: copied freely, nothing owned. line and column count from 1, 0
 * means 'not about a line'. */
struct cuv_error {
	enum cuv_error_code code;
	char file[CUV_ERROR_FILE_SIZE]; /* which one line is of; "": the requirements file itself. Does not travel
					 * between processes: only who has the files knows. */
	uint32_t line;
	uint32_t column;
	uint32_t retry_after_s; /* for 503: when to come back; 0 = not said */
	char message[1024];	/* UTF-8: what was wrong and what would be right */
	char excerpt[256];	/* the offending line, shortened; "" if none */
	char explanation[2048]; /* longer text of a tool (the resolver); "" if none */
};

#define CUV_ERROR_INIT ((struct cuv_error){.code = CUV_E_NONE})

/* Sets code and message (cut at the size, on a UTF-8 boundary) and clears the
 * rest. err may be NULL. Returns -EINVAL, so that callers can `return cuv_error_set(…)`. */
int cuv_error_set(struct cuv_error *err, enum cuv_error_code code, const char *fmt, ...) _printf_(3, 4);
/* The same with a place in the user's file; the excerpt is len bytes at text. */
int cuv_error_set_at(struct cuv_error *err, enum cuv_error_code code, uint32_t line, uint32_t column, const char *text,
		     size_t len, const char *fmt, ...) _printf_(7, 8);

/* For a system call that was refused (r is -errno): the code that says what the
 * machine has run out of, with a time to come back, or CUV_E_INTERNAL where it is
 * no such thing. Else as cuv_error_set. */
int cuv_error_set_errno(struct cuv_error *err, int r, const char *fmt, ...) _printf_(3, 4);

/* Copies src into dst[size] as valid UTF-8, cut on a character boundary; bytes
 * that are not UTF-8 and control characters other than \n and \t become '?'. */
void cuv_error_copy_text(char *dst, size_t size, const char *src, size_t len);

const char *cuv_error_name(enum cuv_error_code code);
int cuv_error_http_status(enum cuv_error_code code);

#endif
