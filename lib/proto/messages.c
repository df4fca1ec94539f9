/* SPDX-License-Identifier: MIT */
#include "lib/proto/messages.h"

#include "lib/base/hash.h"
#include "lib/proto/glob.h"

#include <errno.h>
#include <string.h>

#define STORE_HASH_LEN 32
#define STORE_NAME_LEN_MAX 211
#define TENANT_CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_:.-"

bool cuv_store_name_valid(const char *name)
{
	size_t i, len = strnlen(name, CUV_STORE_NAME_SIZE);

	if (len < STORE_HASH_LEN + 2 || len > STORE_HASH_LEN + 1 + STORE_NAME_LEN_MAX)
		return false;
	for (i = 0; i < STORE_HASH_LEN; i++)
		if (!cuv_is_nix32_char(name[i]))
			return false;
	if (name[STORE_HASH_LEN] != '-' || name[STORE_HASH_LEN + 1] == '.')
		return false;
	for (i = STORE_HASH_LEN + 1; i < len; i++) {
		char c = name[i];
		bool alnum = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');

		if (!alnum && !strchr("+._?=-", c))
			return false;
	}
	return true;
}

bool cuv_file_name_valid(const char *name)
{
	size_t i, len = strnlen(name, CUV_FILE_NAME_SIZE);

	if (len == 0 || len >= CUV_FILE_NAME_SIZE || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return false;
	for (i = 0; i < len; i++)
		if (name[i] == '/' || (unsigned char)name[i] < 0x20 || name[i] == 0x7f)
			return false;
	return true;
}

int cuv_msg_send_plain(int sock, enum cuv_msg type, const int *fds, size_t n_fds)
{
	_cleanup_writer_ struct cuv_writer w;

	cuv_writer_init(&w, (uint16_t)type);
	return cuv_writer_send(&w, sock, fds, n_fds);
}

/* An enum value below max and not 0; anything else is the sender's error. */
static unsigned get_enum(struct cuv_reader *r, unsigned max)
{
	unsigned v = cuv_get_u8(r);

	if (!r->err && (v == 0 || v >= max))
		r->err = -EBADMSG;
	return v;
}

static bool get_bool(struct cuv_reader *r)
{
	unsigned v = cuv_get_u8(r);

	if (!r->err && v > 1)
		r->err = -EBADMSG;
	return v == 1;
}

static void get_store_name(struct cuv_reader *r, char dst[CUV_STORE_NAME_SIZE], bool may_be_empty)
{
	cuv_get_str(r, dst, CUV_STORE_NAME_SIZE);
	if (!r->err && !(may_be_empty && !dst[0]) && !cuv_store_name_valid(dst))
		r->err = -EBADMSG;
}

static void get_store_names(struct cuv_reader *r, struct cuv_strv *v)
{
	size_t i;

	cuv_get_strv(r, CUV_CLOSURE_MAX, CUV_STORE_NAME_SIZE - 1, v);
	for (i = 0; i < v->n && !r->err; i++)
		if (!cuv_store_name_valid(v->items[i]))
			r->err = -EBADMSG;
}

/* --- LISTENING --- */

int cuv_listening_send(int sock, uint16_t port)
{
	_cleanup_writer_ struct cuv_writer w;

	cuv_writer_init(&w, CUV_MSG_LISTENING);
	cuv_put_u16(&w, port);
	return cuv_writer_send(&w, sock, NULL, 0);
}

int cuv_listening_get(struct cuv_reader *r, uint16_t *ret_port)
{
	uint16_t port = cuv_get_u16(r);
	int end = cuv_reader_end(r);

	if (end == 0)
		*ret_port = port;
	return end;
}

/* --- FAILURE --- */

void cuv_failure_put(struct cuv_writer *w, const struct cuv_error *err)
{
	cuv_put_u8(w, (uint8_t)err->code);
	cuv_put_u32(w, err->line);
	cuv_put_u32(w, err->column);
	cuv_put_u32(w, err->retry_after_s);
	cuv_put_str(w, err->message);
	cuv_put_str(w, err->excerpt);
	cuv_put_str(w, err->explanation);
}

int cuv_failure_get(struct cuv_reader *r, struct cuv_error *ret)
{
	struct cuv_error e = CUV_ERROR_INIT;
	int end;

	e.code = (enum cuv_error_code)get_enum(r, _CUV_E_MAX);
	e.line = cuv_get_u32(r);
	e.column = cuv_get_u32(r);
	e.retry_after_s = cuv_get_u32(r);
	cuv_get_str(r, e.message, sizeof(e.message));
	cuv_get_str(r, e.excerpt, sizeof(e.excerpt));
	cuv_get_str(r, e.explanation, sizeof(e.explanation));
	end = cuv_reader_end(r);
	if (end == 0)
		*ret = e;
	return end;
}

int cuv_failure_send(int sock, const struct cuv_error *err)
{
	_cleanup_writer_ struct cuv_writer w;

	cuv_writer_init(&w, CUV_MSG_FAILURE);
	cuv_failure_put(&w, err);
	return cuv_writer_send(&w, sock, NULL, 0);
}

/* --- RUN --- */

void cuv_run_done(struct cuv_run *m)
{
	cuv_strv_done(&m->closure);
	cuv_strv_done(&m->argv);
	cuv_strv_done(&m->files);
	cuv_strv_done(&m->artifacts);
}

size_t cuv_run_fds(const struct cuv_run *m)
{
	return 1 + m->files.n + m->bundle;
}

void cuv_run_put(struct cuv_writer *w, const struct cuv_run *m)
{
	size_t i;

	cuv_put_str(w, m->run_id);
	cuv_put_str(w, m->image);
	cuv_put_str(w, m->env);
	cuv_put_str(w, m->zygote);
	cuv_put_str(w, m->tenant);
	cuv_put_u8(w, m->strict);
	cuv_put_strv(w, &m->closure);
	cuv_put_strv(w, &m->argv);
	cuv_put_strv(w, &m->files);
	cuv_put_u8(w, m->bundle);
	cuv_put_strv(w, &m->artifacts);
	for (i = 0; i < _CUV_LIMIT_MAX; i++)
		cuv_put_u64(w, m->limits.value[i]);
	cuv_put_u8(w, m->stream);
	cuv_put_u8(w, m->kept);
	cuv_put_u8(w, m->deterministic);
}

static int run_check(const struct cuv_run *m)
{
	size_t i, j, total = 0;

	for (i = 0; i < m->argv.n; i++)
		total += strlen(m->argv.items[i]) + 1;
	if (m->argv.n == 0 || m->argv.items[0][0] != '/' || total > CUV_ARGS_BYTES_MAX)
		return -EBADMSG;
	if (m->env[0] && !cuv_strv_has(&m->closure, m->env))
		return -EBADMSG;
	if (m->tenant[strspn(m->tenant, TENANT_CHARACTERS)])
		return -EBADMSG;
	for (i = 0; i < m->files.n; i++) {
		if (!cuv_file_name_valid(m->files.items[i]))
			return -EBADMSG;
		for (j = 0; j < i; j++)
			if (strcmp(m->files.items[i], m->files.items[j]) == 0)
				return -EBADMSG;
	}
	for (i = 0; i < m->artifacts.n; i++)
		if (!cuv_glob_valid(m->artifacts.items[i]))
			return -EBADMSG;
	return cuv_limits_check(&m->limits) >= 0 ? -EBADMSG : 0;
}

int cuv_run_get(struct cuv_reader *r, struct cuv_run *ret)
{
	_cleanup_run_ struct cuv_run m = CUV_RUN_INIT;
	size_t i;
	int end;

	cuv_get_str(r, m.run_id, sizeof(m.run_id));
	get_store_name(r, m.image, false);
	get_store_name(r, m.env, true);
	get_store_name(r, m.zygote, true);
	cuv_get_str(r, m.tenant, sizeof(m.tenant));
	m.strict = get_bool(r);
	get_store_names(r, &m.closure);
	/* argv[0] and two of ours come before the user's arguments */
	cuv_get_strv(r, CUV_ARGS_MAX + 8, CUV_ARG_BYTES_MAX, &m.argv);
	cuv_get_strv(r, CUV_FILES_MAX, CUV_FILE_NAME_SIZE - 1, &m.files);
	m.bundle = get_bool(r);
	cuv_get_strv(r, CUV_GLOBS_MAX, CUV_GLOB_SIZE - 1, &m.artifacts);
	for (i = 0; i < _CUV_LIMIT_MAX; i++)
		m.limits.value[i] = cuv_get_u64(r);
	m.stream = get_bool(r);
	m.kept = get_bool(r);
	m.deterministic = get_bool(r);
	end = cuv_reader_end(r);
	if (end == 0)
		end = run_check(&m);
	if (end < 0)
		return end;
	*ret = m;
	m = CUV_RUN_INIT;
	return 0;
}

/* --- RUN_OUTPUT --- */

void cuv_output_put(struct cuv_writer *w, const struct cuv_output *m)
{
	cuv_put_u8(w, (uint8_t)m->stream);
	cuv_put_bytes(w, m->data, m->len);
}

int cuv_output_get(struct cuv_reader *r, struct cuv_output *ret)
{
	struct cuv_output m;
	int end;

	m.stream = (enum cuv_stream)get_enum(r, CUV_STREAM_STDERR + 1);
	m.data = cuv_get_bytes(r, CUV_OUTPUT_CHUNK_MAX, &m.len);
	end = cuv_reader_end(r);
	if (end == 0)
		*ret = m;
	return end;
}

/* --- RUN_RESULT --- */

const char *cuv_run_status_name(enum cuv_run_status s)
{
	static const char *const names[_CUV_RUN_STATUS_MAX] = {
		[CUV_RUN_SUCCESS] = "success",
		[CUV_RUN_ERROR] = "error",
		[CUV_RUN_TIMEOUT] = "timeout",
		[CUV_RUN_OUT_OF_MEMORY] = "out-of-memory",
		[CUV_RUN_OUTPUT_LIMIT] = "output-limit",
		[CUV_RUN_KILLED] = "killed",
		[CUV_RUN_FAILED] = "failed",
	};

	cuv_assert(s > 0 && s < _CUV_RUN_STATUS_MAX);
	return names[s];
}

static const char *const path_names[_CUV_RUN_PATH_MAX] = {
#define X(suffix, name, text) [CUV_RUN_PATH_##suffix] = name,
	CUV_RUN_PATH_TABLE(X)
#undef X
};

const char *cuv_run_path_name(enum cuv_run_path p)
{
	cuv_assert((unsigned)p < _CUV_RUN_PATH_MAX);
	return path_names[p];
}

void cuv_run_result_put(struct cuv_writer *w, const struct cuv_run_result *m)
{
	cuv_put_u8(w, (uint8_t)m->status);
	cuv_put_u8(w, (uint8_t)m->path);
	cuv_put_str(w, m->why_cold);
	cuv_put_u32(w, (uint32_t)m->exit_code);
	cuv_put_u32(w, (uint32_t)m->signal);
	cuv_put_u64(w, m->wall_ns);
	cuv_put_u64(w, m->cpu_user_ns);
	cuv_put_u64(w, m->cpu_system_ns);
	cuv_put_u64(w, m->max_memory_bytes);
	cuv_put_u8(w, m->stdout_truncated);
	cuv_put_u8(w, m->stderr_truncated);
	cuv_put_u8(w, m->cpu_timeout);
	cuv_put_u8(w, m->collected);
}

int cuv_run_result_get(struct cuv_reader *r, struct cuv_run_result *ret)
{
	struct cuv_run_result m;
	int end;

	m.status = (enum cuv_run_status)get_enum(r, _CUV_RUN_STATUS_MAX);
	m.path = (enum cuv_run_path)cuv_get_u8(r);
	if (m.path >= _CUV_RUN_PATH_MAX)
		return -EBADMSG;
	cuv_get_str(r, m.why_cold, sizeof(m.why_cold));
	m.exit_code = (int32_t)cuv_get_u32(r);
	m.signal = (int32_t)cuv_get_u32(r);
	m.wall_ns = cuv_get_u64(r);
	m.cpu_user_ns = cuv_get_u64(r);
	m.cpu_system_ns = cuv_get_u64(r);
	m.max_memory_bytes = cuv_get_u64(r);
	m.stdout_truncated = get_bool(r);
	m.stderr_truncated = get_bool(r);
	m.cpu_timeout = get_bool(r);
	m.collected = get_bool(r);
	end = cuv_reader_end(r);
	if (end == 0)
		*ret = m;
	return end;
}

/* --- LAYERS --- */

static const struct {
	const char *name;
	bool degradable;
} layer_table[_CUV_LAYER_MAX] = {
#define X(n, text, degradable, doc) [CUV_LAYER_##n] = {text, degradable},
	CUV_LAYER_TABLE(X)
#undef X
};

const char *cuv_layer_name(enum cuv_layer l)
{
	cuv_assert((unsigned)l < _CUV_LAYER_MAX);
	return layer_table[l].name;
}

bool cuv_layer_degradable(enum cuv_layer l)
{
	cuv_assert((unsigned)l < _CUV_LAYER_MAX);
	return layer_table[l].degradable;
}

int cuv_layer_find(const char *name)
{
	int i;

	for (i = 0; i < _CUV_LAYER_MAX; i++)
		if (strcmp(layer_table[i].name, name) == 0)
			return i;
	return -1;
}

void cuv_layers_put(struct cuv_writer *w, const struct cuv_layers *m)
{
	size_t i;

	for (i = 0; i < _CUV_LAYER_MAX; i++) {
		cuv_put_u8(w, (uint8_t)m->layer[i].state);
		cuv_put_str(w, m->layer[i].why);
	}
	cuv_put_u32(w, m->boxes_max);
	cuv_put_u32(w, m->boxes_busy);
	for (i = 0; i < _CUV_COUNT_MAX; i++)
		cuv_put_u64(w, m->counts[i]);
}

int cuv_layers_get(struct cuv_reader *r, struct cuv_layers *ret)
{
	struct cuv_layers m;
	size_t i;
	int end;

	for (i = 0; i < _CUV_LAYER_MAX; i++) {
		m.layer[i].state = (enum cuv_layer_state)get_enum(r, CUV_LAYER_MISSING + 1);
		cuv_get_str(r, m.layer[i].why, sizeof(m.layer[i].why));
	}
	m.boxes_max = cuv_get_u32(r);
	m.boxes_busy = cuv_get_u32(r);
	for (i = 0; i < _CUV_COUNT_MAX; i++)
		m.counts[i] = cuv_get_u64(r);
	end = cuv_reader_end(r);
	if (end == 0)
		*ret = m;
	return end;
}

/* --- ENV_ASK --- */

const char *cuv_env_source_name(enum cuv_env_source s)
{
	static const char *const names[_CUV_ENV_SOURCE_MAX] = {
#define X(suffix, name) [CUV_ENV_##suffix] = name,
		CUV_ENV_SOURCE_TABLE(X)
#undef X
	};

	cuv_assert(s > 0 && s < _CUV_ENV_SOURCE_MAX);
	return names[s];
}

bool cuv_env_digest_valid(const char *digest)
{
	size_t len = strnlen(digest, CUV_ENV_DIGEST_SIZE);

	for (size_t i = 0; i < len; i++)
		if (!cuv_is_nix32_char(digest[i]))
			return false;
	return len == STORE_HASH_LEN;
}

void cuv_env_ask_put(struct cuv_writer *w, const struct cuv_env_ask *m)
{
	cuv_put_u8(w, (uint8_t)m->source);
	cuv_put_str(w, m->python);
	cuv_put_str(w, m->digest);
	cuv_put_u64(w, (uint64_t)m->exclude_s);
	cuv_put_u32(w, m->resolve_ms);
	cuv_put_u32(w, m->build_ms);
	cuv_put_u8(w, m->sdist);
	cuv_put_u8(w, m->lock_only);
}

static bool env_ask_valid(const struct cuv_env_ask *m)
{
	/* the end of year 9999; what is locked already has no date to cut at */
	if (m->exclude_s < 0 || m->exclude_s > 253402300799 ||
	    (m->source != CUV_ENV_REQUIREMENTS && (m->exclude_s != 0 || m->lock_only)))
		return false;
	return m->source == CUV_ENV_DIGEST ? cuv_env_digest_valid(m->digest) : m->digest[0] == '\0';
}

int cuv_env_ask_get(struct cuv_reader *r, struct cuv_env_ask *ret)
{
	struct cuv_env_ask m;
	int end;

	m.source = (enum cuv_env_source)get_enum(r, _CUV_ENV_SOURCE_MAX);
	cuv_get_str(r, m.python, sizeof(m.python));
	cuv_get_str(r, m.digest, sizeof(m.digest));
	m.exclude_s = (int64_t)cuv_get_u64(r);
	m.resolve_ms = cuv_get_u32(r);
	m.build_ms = cuv_get_u32(r);
	m.sdist = get_bool(r);
	m.lock_only = get_bool(r);
	end = cuv_reader_end(r);
	if (end == 0 && !env_ask_valid(&m))
		end = -EBADMSG;
	if (end == 0)
		*ret = m;
	return end;
}

/* --- ENV_PROGRESS --- */

const char *cuv_env_phase_name(enum cuv_env_phase p)
{
	static const char *const names[_CUV_PHASE_MAX] = {
		[CUV_PHASE_RESOLVING] = "resolving", [CUV_PHASE_DOWNLOADING] = "downloading",
		[CUV_PHASE_BUILDING] = "building",   [CUV_PHASE_VERIFYING] = "verifying",
		[CUV_PHASE_READY] = "ready",
	};

	cuv_assert(p > 0 && p < _CUV_PHASE_MAX);
	return names[p];
}

void cuv_env_progress_put(struct cuv_writer *w, const struct cuv_env_progress *m)
{
	cuv_put_u8(w, (uint8_t)m->phase);
	cuv_put_u32(w, m->done);
	cuv_put_u32(w, m->total);
	cuv_put_u64(w, m->bytes_done);
	cuv_put_u64(w, m->bytes_total);
	cuv_put_str(w, m->file);
	cuv_put_u64(w, m->file_done);
	cuv_put_u64(w, m->file_total);
}

/* It may be shown on a terminal as it is. */
static bool is_plain(const char *text)
{
	while (*text > ' ' && *text < 0x7f)
		text++;
	return *text == '\0';
}

int cuv_env_progress_get(struct cuv_reader *r, struct cuv_env_progress *ret)
{
	struct cuv_env_progress m = {0};
	int end;

	m.phase = (enum cuv_env_phase)get_enum(r, _CUV_PHASE_MAX);
	m.done = cuv_get_u32(r);
	m.total = cuv_get_u32(r);
	m.bytes_done = cuv_get_u64(r);
	m.bytes_total = cuv_get_u64(r);
	cuv_get_str(r, m.file, sizeof(m.file));
	m.file_done = cuv_get_u64(r);
	m.file_total = cuv_get_u64(r);
	end = cuv_reader_end(r);
	if (end == 0 && !is_plain(m.file))
		end = -EBADMSG;
	if (end == 0)
		*ret = m;
	return end;
}

/* --- ENV_READY --- */

void cuv_environment_done(struct cuv_environment *m)
{
	cuv_strv_done(&m->packages);
	cuv_strv_done(&m->closure);
}

void cuv_environment_put(struct cuv_writer *w, const struct cuv_environment *m)
{
	cuv_put_str(w, m->digest);
	cuv_put_str(w, m->store_name);
	cuv_put_str(w, m->image);
	cuv_put_str(w, m->lock_digest);
	cuv_put_str(w, m->python);
	cuv_put_u64(w, (uint64_t)m->exclude_s);
	cuv_put_strv(w, &m->packages);
	cuv_put_strv(w, &m->closure);
	cuv_put_u8(w, m->cached);
	cuv_put_u64(w, m->resolve_ns);
	cuv_put_u64(w, m->build_ns);
}

int cuv_environment_get(struct cuv_reader *r, struct cuv_environment *ret)
{
	_cleanup_environment_ struct cuv_environment m = CUV_ENVIRONMENT_INIT;
	int end;

	cuv_get_str(r, m.digest, sizeof(m.digest));
	get_store_name(r, m.store_name, false);
	get_store_name(r, m.image, false);
	cuv_get_str(r, m.lock_digest, sizeof(m.lock_digest));
	cuv_get_str(r, m.python, sizeof(m.python));
	m.exclude_s = (int64_t)cuv_get_u64(r);
	cuv_get_strv(r, CUV_PACKAGES_MAX, 512, &m.packages);
	get_store_names(r, &m.closure);
	m.cached = get_bool(r);
	m.resolve_ns = cuv_get_u64(r);
	m.build_ns = cuv_get_u64(r);
	end = cuv_reader_end(r);
	if (end == 0 && strncmp(m.digest, m.store_name, STORE_HASH_LEN) != 0)
		end = -EBADMSG;
	if (end < 0)
		return end;
	*ret = m;
	m = CUV_ENVIRONMENT_INIT;
	return 0;
}

/* --- ENV_USED --- */

void cuv_env_used_put(struct cuv_writer *w, const struct cuv_env_used *m)
{
	cuv_put_str(w, m->digest);
	cuv_put_u32(w, m->count);
}

int cuv_env_used_get(struct cuv_reader *r, struct cuv_env_used *ret)
{
	struct cuv_env_used m = {0};
	int end;

	cuv_get_str(r, m.digest, sizeof(m.digest));
	m.count = cuv_get_u32(r);
	end = cuv_reader_end(r);
	if (end == 0 && (!cuv_env_digest_valid(m.digest) || m.count == 0))
		return -EBADMSG;
	if (end == 0)
		*ret = m;
	return end;
}

/* --- TOOLS --- */

void cuv_tools_put(struct cuv_writer *w, const struct cuv_tools *m)
{
	cuv_put_u8(w, (uint8_t)m->n_pythons);
	for (size_t i = 0; i < m->n_pythons; i++) {
		const struct cuv_tools_python *p = &m->pythons[i];

		cuv_put_str(w, p->python);
		cuv_put_str(w, p->image);
		cuv_put_u8(w, p->made);
		cuv_put_str(w, p->zygote);
	}
	cuv_put_str(w, m->uv);
	cuv_put_str(w, m->ruff);
	cuv_put_str(w, m->uv_version);
	cuv_put_str(w, m->ruff_version);
	cuv_put_u8(w, m->resolver_sealed);
	cuv_put_u64(w, m->evicted);
}

int cuv_tools_get(struct cuv_reader *r, struct cuv_tools *ret)
{
	struct cuv_tools m = {0};
	int end;

	m.n_pythons = cuv_get_u8(r);
	if (m.n_pythons == 0 || m.n_pythons > CUV_PYTHONS_MAX)
		return -EBADMSG;
	for (size_t i = 0; i < m.n_pythons; i++) {
		struct cuv_tools_python *p = &m.pythons[i];

		cuv_get_str(r, p->python, sizeof(p->python));
		get_store_name(r, p->image, false);
		p->made = get_bool(r);
		get_store_name(r, p->zygote, true);
	}
	get_store_name(r, m.uv, false);
	get_store_name(r, m.ruff, false);
	cuv_get_str(r, m.uv_version, sizeof(m.uv_version));
	cuv_get_str(r, m.ruff_version, sizeof(m.ruff_version));
	m.resolver_sealed = get_bool(r);
	m.evicted = cuv_get_u64(r);
	end = cuv_reader_end(r);
	if (end == 0)
		*ret = m;
	return end;
}
