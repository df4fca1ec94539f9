/* SPDX-License-Identifier: MIT */
#include "nixenv/builder/nix_daemon.h"

#include "lib/base/child.h"
#include "lib/base/fd.h"
#include "nixenv/builder/nix.h"
#include "nixenv/builder/nix_wire.h"
#include "nixenv/builder/pack.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

/* The protocol's own numbers. We speak 1.27, which all of Nix 2.4 and later do. */
enum {
	MAGIC_CLIENT = 0x6e697863,
	MAGIC_DAEMON = 0x6478696f,
	VERSION = 0x11b,
	OP_ADD_TO_STORE = 7,
	OP_SET_OPTIONS = 19,
	OP_QUERY_VALID_PATHS = 31,
	OP_BUILD_DERIVATION = 36,
	OP_ADD_NAR = 39,
	LEVEL_ERROR = 0,
};
/* How a build ended well. */
enum { BUILT = 0, SUBSTITUTED = 1, ALREADY_VALID = 2 };

#define REQUEST_MAX (8u << 20)
#define CHUNK (256u * 1024u)
#define REASON_MAX 16384
#define STDERR_MAX 4096

struct cuv_nix_daemon {
	const char *tmp;
	pid_t pid;
	int socket;
	int err; /* a file in memory: its stderr */
	bool greeted;
	atomic_bool broken; /* by who does not want it any more */
	struct cuv_nix_wire wire;
	struct cuv_nix_log log; /* of the call */
};

/* --- its life --- */

void cuv_nix_daemon_freep(struct cuv_nix_daemon **p)
{
	struct cuv_nix_daemon *d = *p;

	if (!d)
		return;
	if (d->pid > 0)
		cuv_child_stop(d->pid);
	(void)cuv_close(d->socket);
	(void)cuv_close(d->err);
	cuv_nix_log_done(&d->log);
	free(d);
	*p = NULL;
}

static int start(const struct cuv_builder *b, struct cuv_nix_daemon *d, struct cuv_error *err)
{
	_cleanup_strv_ struct cuv_strv argv = CUV_STRV_INIT, env = CUV_STRV_INIT;
	struct cuv_child_spec spec = CUV_CHILD_SPEC_INIT;
	_cleanup_close_ int theirs = -1;
	char path[PATH_MAX];
	int ends[2];

	if (cuv_nix_program(b, "nix-daemon", d->tmp, path, &env, err) < 0)
		return -EINVAL;
	if (cuv_strv_add(&argv, "nix-daemon") < 0 || cuv_strv_add(&argv, "--stdio") < 0)
		return cuv_error_set(err, CUV_E_INTERNAL, "out of memory");
	d->err = memfd_create("nix-daemon", MFD_CLOEXEC);
	if (d->err < 0 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		return cuv_error_set_errno(err, -errno, "Nix can't be started: %s", strerror(errno));
	d->socket = ends[0];
	theirs = ends[1];
	spec.path = path;
	spec.argv = &argv;
	spec.env = &env;
	spec.cwd = d->tmp;
	spec.limits = cuv_nix_limits;
	d->pid = cuv_child_start(&spec, theirs, d->err);
	if (d->pid < 0)
		return cuv_error_set_errno(err, (int)d->pid, "Nix can't be started: %s", strerror((int)-d->pid));
	return 0;
}

int cuv_nix_daemon_start(const struct cuv_builder *b, const char *tmp, struct cuv_nix_daemon **ret,
			 struct cuv_error *err)
{
	_cleanup_(cuv_nix_daemon_freep) struct cuv_nix_daemon *d = calloc(1, sizeof(*d));

	if (!d)
		return cuv_error_set(err, CUV_E_INTERNAL, "out of memory");
	d->tmp = tmp;
	d->socket = d->err = -1;
	cuv_nix_log_init(&d->log);
	if (start(b, d, err) < 0)
		return -EINVAL;
	d->wire = CUV_NIX_WIRE_INIT(d->socket);
	*ret = TAKE_PTR(d);
	return 0;
}

static void hang_up(const struct cuv_nix_daemon *d)
{
	(void)shutdown(d->socket, SHUT_RDWR);
}

void cuv_nix_daemon_break(struct cuv_nix_daemon *d)
{
	d->broken = true;
	hang_up(d);
}

/* --- calls --- */

void cuv_nix_daemon_limit(struct cuv_nix_daemon *d, uint64_t deadline_ns)
{
	d->wire.deadline_ns = deadline_ns;
}

/* A write waits no longer than what is left as the call begins. */
static void limit_writes(const struct cuv_nix_daemon *d)
{
	struct timeval left = {0};
	uint64_t now = cuv_now_ns(), us;

	if (d->wire.deadline_ns != CUV_NEVER) {
		us = d->wire.deadline_ns > now ? (d->wire.deadline_ns - now) / 1000 + 1 : 1;
		left = (struct timeval){.tv_sec = (time_t)(us / 1000000), .tv_usec = (suseconds_t)(us % 1000000)};
	}
	(void)setsockopt(d->socket, SOL_SOCKET, SO_SNDTIMEO, &left, sizeof(left));
}

/* What it said last, when it ended without an answer. */
static void read_stderr(struct cuv_nix_daemon *d)
{
	char text[STDERR_MAX + 1];
	off_t size = lseek(d->err, 0, SEEK_END);
	ssize_t n = pread(d->err, text, STDERR_MAX, size > STDERR_MAX ? size - STDERR_MAX : 0);

	if (n <= 0)
		return;
	text[n] = '\0';
	cuv_nix_log_failure(&d->log, text);
}

static int failed(struct cuv_nix_daemon *d, int r, struct cuv_error *err)
{
	if (d->broken)
		return cuv_error_set(err, CUV_E_CANCELLED, "the build was given up");
	if (r == -ETIMEDOUT || r == -EAGAIN) {
		hang_up(d);
		return cuv_error_set(err, CUV_E_BUILD_TIMEOUT, "building the environment took longer than its limit");
	}
	if (r == -ENOMEM)
		return cuv_error_set_errno(err, r, "there is not enough memory to speak with Nix");
	if (r != -EREMOTEIO) {
		hang_up(d);
		read_stderr(d);
	}
	return cuv_nix_failure(&d->log, d->tmp, -r, err);
}

static int greet(struct cuv_nix_daemon *d)
{
	_cleanup_buf_ struct cuv_buf b = CUV_BUF_INIT(4096);
	/* keep failed, keep going, fall back, level, jobs, silence, hook, verbose builds,
	 * two unused, cores, substitutes, then one more setting. */
	static const uint64_t options[] = {0, 0, 0, LEVEL_ERROR, 1, 0, 0, 0, 0, 0, 1, 0, 1};
	uint64_t magic = 0, version = 0;
	char seconds[16];
	int r;

	cuv_nix_put_u64(&b, MAGIC_CLIENT);
	cuv_nix_put_u64(&b, VERSION);
	cuv_nix_put_u64(&b, 0); /* no processor is preferred */
	cuv_nix_put_u64(&b, 0); /* no space is reserved */
	cuv_nix_put_u64(&b, OP_SET_OPTIONS);
	for (size_t i = 0; i < ARRAY_SIZE(options); i++)
		cuv_nix_put_u64(&b, options[i]);
	cuv_nix_put_string(&b, "timeout", strlen("timeout"));
	(void)snprintf(seconds, sizeof(seconds), "%d", CUV_NIX_BUILD_S);
	cuv_nix_put_string(&b, seconds, strlen(seconds));
	r = cuv_buf_err(&b) ? cuv_buf_err(&b) : cuv_write_all(d->socket, b.data, b.len);
	r = r ? r : cuv_nix_wire_u64(&d->wire, &magic);
	r = r ? r : cuv_nix_wire_u64(&d->wire, &version);
	if (r == 0 && magic != MAGIC_DAEMON)
		r = -EPROTO;
	r = r ? r : cuv_nix_wire_messages(&d->wire, &d->log);
	r = r ? r : cuv_nix_wire_messages(&d->wire, &d->log);
	d->greeted = r == 0;
	return r;
}

/* Sends a request, after the greeting if it is the first. */
static int call(struct cuv_nix_daemon *d, const struct cuv_buf *request)
{
	int r;

	cuv_nix_log_done(&d->log);
	cuv_nix_log_init(&d->log);
	limit_writes(d);
	r = d->greeted ? 0 : greet(d);
	r = r ? r : cuv_buf_err(request);
	return r ? r : cuv_write_all(d->socket, request->data, request->len);
}

static void put_path(struct cuv_buf *b, const char *store_name)
{
	char path[CUV_STORE_PATH_SIZE];

	cuv_store_path(store_name, path);
	cuv_nix_put_string(b, path, strlen(path));
}

static int skip_strings(struct cuv_nix_wire *w, struct cuv_buf *text)
{
	uint64_t n = 0;
	int r = cuv_nix_wire_u64(w, &n);

	for (uint64_t i = 0; r == 0 && i < n; i++)
		r = cuv_nix_wire_string(w, text);
	return r;
}

int cuv_nix_daemon_valid(struct cuv_nix_daemon *d, const struct cuv_strv *store_names, bool *ret, struct cuv_error *err)
{
	_cleanup_buf_ struct cuv_buf b = CUV_BUF_INIT(REQUEST_MAX), path = CUV_BUF_INIT(CUV_STORE_PATH_SIZE);
	uint64_t n = 0;
	int r;

	memset(ret, 0, store_names->n * sizeof(*ret));
	cuv_nix_put_u64(&b, OP_QUERY_VALID_PATHS);
	cuv_nix_put_u64(&b, store_names->n);
	for (size_t i = 0; i < store_names->n; i++)
		put_path(&b, store_names->items[i]);
	cuv_nix_put_u64(&b, 0); /* nothing is substituted */
	r = call(d, &b);
	r = r ? r : cuv_nix_wire_messages(&d->wire, &d->log);
	r = r ? r : cuv_nix_wire_u64(&d->wire, &n);
	for (uint64_t i = 0; r == 0 && i < n; i++) {
		r = cuv_nix_wire_string(&d->wire, &path);
		for (size_t k = 0; r == 0 && k < store_names->n; k++)
			if (path.len > sizeof(CUV_STORE_DIR) &&
			    strcmp(cuv_buf_str(&path) + sizeof(CUV_STORE_DIR), store_names->items[k]) == 0)
				ret[k] = true;
	}
	return r < 0 ? failed(d, r, err) : 0;
}

static int send_file(struct cuv_nix_daemon *d, int fd)
{
	_cleanup_free_ char *chunk = malloc(CHUNK);

	if (!chunk)
		return -ENOMEM;
	for (;;) {
		_cleanup_buf_ struct cuv_buf head = CUV_BUF_INIT(8);
		ssize_t n = read(fd, chunk, CHUNK);
		int r;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		/* A frame of no bytes is the end. */
		cuv_nix_put_u64(&head, (uint64_t)n);
		r = cuv_buf_err(&head) ? cuv_buf_err(&head) : cuv_write_all(d->socket, head.data, head.len);
		r = r ? r : cuv_write_all(d->socket, chunk, (size_t)n);
		if (r < 0 || n == 0)
			return r;
	}
}

/* The description of a store path that an addition is answered with: its path is
 * what we are after. */
static int read_added(struct cuv_nix_daemon *d, const char *store_name)
{
	_cleanup_buf_ struct cuv_buf path = CUV_BUF_INIT(CUV_STORE_PATH_SIZE), other = CUV_BUF_INIT(64);
	struct cuv_nix_wire *w = &d->wire;
	char wanted[CUV_STORE_PATH_SIZE];
	uint64_t unused;
	int r = cuv_nix_wire_messages(w, &d->log);

	r = r ? r : cuv_nix_wire_string(w, &path);
	r = r ? r : cuv_nix_wire_string(w, &other); /* deriver */
	r = r ? r : cuv_nix_wire_string(w, &other); /* hash */
	r = r ? r : skip_strings(w, &other);	    /* references */
	r = r ? r : cuv_nix_wire_u64(w, &unused);   /* time */
	r = r ? r : cuv_nix_wire_u64(w, &unused);   /* size */
	r = r ? r : cuv_nix_wire_u64(w, &unused);   /* ultimate */
	r = r ? r : skip_strings(w, &other);	    /* signatures */
	r = r ? r : cuv_nix_wire_string(w, &other); /* what its name follows from */
	if (r < 0)
		return r;
	cuv_store_path(store_name, wanted);
	return strcmp(cuv_buf_str(&path), wanted) == 0 ? 0 : -EPROTO;
}

static void put_addition(struct cuv_buf *b, const char *store_name, const char *method)
{
	const char *name = store_name + strcspn(store_name, "-") + 1;

	cuv_nix_put_u64(b, OP_ADD_TO_STORE);
	cuv_nix_put_string(b, name, strlen(name));
	cuv_nix_put_string(b, method, strlen(method));
	cuv_nix_put_u64(b, 0); /* references */
	cuv_nix_put_u64(b, 0); /* no repair */
}

int cuv_nix_daemon_add_text(struct cuv_nix_daemon *d, const char *store_name, const void *data, size_t len,
			    struct cuv_error *err)
{
	_cleanup_buf_ struct cuv_buf b = CUV_BUF_INIT(REQUEST_MAX);
	int r;

	put_addition(&b, store_name, "text:sha256");
	cuv_nix_put_u64(&b, len);
	cuv_buf_add(&b, data, len);
	if (len > 0)
		cuv_nix_put_u64(&b, 0);
	r = call(d, &b);
	r = r ? r : read_added(d, store_name);
	return r < 0 ? failed(d, r, err) : 0;
}

int cuv_nix_daemon_add_file(struct cuv_nix_daemon *d, const char *store_name, const char *path, struct cuv_error *err)
{
	_cleanup_buf_ struct cuv_buf b = CUV_BUF_INIT(4096);
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	int r;

	if (fd < 0)
		return cuv_error_set_errno(err, -errno, "a wheel can't be read: %s", strerror(errno));
	put_addition(&b, store_name, "fixed:sha256");
	r = call(d, &b);
	r = r ? r : send_file(d, fd);
	r = r ? r : read_added(d, store_name);
	return r < 0 ? failed(d, r, err) : 0;
}

/* --- archives --- */

static int send_frame(struct cuv_nix_daemon *d, const void *data, size_t len)
{
	_cleanup_buf_ struct cuv_buf head = CUV_BUF_INIT(8);
	int r;

	cuv_nix_put_u64(&head, len);
	r = cuv_buf_err(&head) ? cuv_buf_err(&head) : cuv_write_all(d->socket, head.data, head.len);
	return r || len == 0 ? r : cuv_write_all(d->socket, data, len);
}

static int send_piece(void *arg, const void *data, size_t len)
{
	return len ? send_frame(arg, data, len) : 0;
}

static void put_text(struct cuv_buf *b, const char *text)
{
	cuv_nix_put_string(b, text, strlen(text));
}

static void put_nar_info(struct cuv_buf *b, const struct cuv_narinfo *info, const char *sig)
{
	char hex[CUV_SHA256_HEX_SIZE];

	cuv_hex(info->nar_hash.bytes, sizeof(info->nar_hash.bytes), hex);
	cuv_nix_put_u64(b, OP_ADD_NAR);
	put_path(b, info->store_name);
	if (info->deriver[0])
		put_path(b, info->deriver);
	else
		put_text(b, "");
	put_text(b, hex);
	cuv_nix_put_u64(b, info->refs.n);
	for (size_t i = 0; i < info->refs.n; i++)
		put_path(b, info->refs.items[i]);
	cuv_nix_put_u64(b, 0); /* time: now */
	cuv_nix_put_u64(b, info->nar_bytes);
	cuv_nix_put_u64(b, 0); /* it was not built here */
	cuv_nix_put_u64(b, 1);
	put_text(b, sig);
	put_text(b, "");       /* no content address: the signature is what counts */
	cuv_nix_put_u64(b, 0); /* no repair */
	cuv_nix_put_u64(b, 1); /* the signature was checked */
}

int cuv_nix_daemon_add_nar(struct cuv_nix_daemon *d, const struct cuv_narinfo *info, const char *sig, int fd,
			   struct cuv_error *err)
{
	_cleanup_buf_ struct cuv_buf b = CUV_BUF_INIT(REQUEST_MAX);
	int r;

	put_nar_info(&b, info, sig);
	r = call(d, &b);
	if (r == 0 && (r = cuv_unpack(fd, info, send_piece, d)) == -EBADMSG) {
		/* It was promised more: nothing else can be said to it. */
		hang_up(d);
		return cuv_error_set(err, CUV_E_HASH_MISMATCH, "the archive can't be unpacked to what was signed");
	}
	r = r ? r : send_frame(d, NULL, 0);
	r = r ? r : cuv_nix_wire_messages(&d->wire, &d->log);
	if (r == -EREMOTEIO && strstr(cuv_buf_str(&d->log.messages), "hash mismatch"))
		return cuv_error_set(err, CUV_E_HASH_MISMATCH, "the archive has another hash than was signed");
	return r < 0 ? failed(d, r, err) : 0;
}

static void put_derivation(struct cuv_buf *b, const struct cuv_derivation *drv)
{
	put_path(b, drv->self.drv);
	cuv_nix_put_u64(b, 1);
	cuv_nix_put_string(b, "out", 3);
	put_path(b, drv->self.out);
	cuv_nix_put_string(b, "", 0); /* the output is not fixed */
	cuv_nix_put_string(b, "", 0);
	cuv_nix_put_u64(b, drv->sources.n + drv->n_inputs);
	for (size_t i = 0; i < drv->sources.n; i++)
		put_path(b, drv->sources.items[i]);
	for (size_t i = 0; i < drv->n_inputs; i++)
		put_path(b, drv->inputs[i].out);
	cuv_nix_put_string(b, drv->system, strlen(drv->system));
	cuv_nix_put_string(b, drv->builder, strlen(drv->builder));
	cuv_nix_put_u64(b, drv->args.n);
	for (size_t i = 0; i < drv->args.n; i++)
		cuv_nix_put_string(b, drv->args.items[i], strlen(drv->args.items[i]));
	cuv_nix_put_u64(b, drv->env.n);
	for (size_t i = 0; i < drv->env.n; i++) {
		const char *variable = drv->env.items[i];
		size_t len = strcspn(variable, "=");

		cuv_nix_put_string(b, variable, len);
		cuv_nix_put_string(b, variable + len + 1, strlen(variable + len + 1));
	}
}

int cuv_nix_daemon_build(struct cuv_nix_daemon *d, const struct cuv_derivation *drv, struct cuv_error *err)
{
	_cleanup_buf_ struct cuv_buf b = CUV_BUF_INIT(REQUEST_MAX), reason = CUV_BUF_INIT(REASON_MAX);
	uint64_t status = 0;
	int r;

	cuv_nix_put_u64(&b, OP_BUILD_DERIVATION);
	put_derivation(&b, drv);
	cuv_nix_put_u64(&b, 0); /* as always: neither repair nor check */
	r = call(d, &b);
	r = r ? r : cuv_nix_wire_messages(&d->wire, &d->log);
	r = r ? r : cuv_nix_wire_u64(&d->wire, &status);
	r = r ? r : cuv_nix_wire_string(&d->wire, &reason);
	if (r < 0)
		return failed(d, r, err);
	if (status == BUILT || status == SUBSTITUTED || status == ALREADY_VALID)
		return 0;
	cuv_nix_log_failure(&d->log, cuv_buf_str(&reason));
	return cuv_nix_failure(&d->log, d->tmp, (int)status, err);
}
