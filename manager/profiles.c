/* SPDX-License-Identifier: MIT */
#include "manager/profiles.h"

#include "lib/base/parse.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define VALUE_SIZE 32
/* A run's files come back beside its program, of which there may be as much. */
#define SESSION_BYTES_MAX (63 * CUV_MIB)
#define SESSION_FILES_MAX 900
#define SESSIONS_MAX 1000000
#define IDLE_MAX_S (366 * 86400)

static struct cuv_profile_limits profiles[] = {
#define X(suffix, name, wall, wall_max, memory, cpus, output)                                                          \
	[CUV_PROFILE_##suffix] = {wall, wall_max, memory, cpus, output},
	CUV_PROFILE_TABLE(X)
#undef X
};
static const char *const names[] = {
#define X(suffix, name, wall, wall_max, memory, cpus, output) [CUV_PROFILE_##suffix] = (name),
	CUV_PROFILE_TABLE(X)
#undef X
};
static struct cuv_session_limits sessions = {.bytes = 32 * CUV_MIB,
					     .files = 500,
					     .sessions = 1000,
					     .key_bytes = 256 * CUV_MIB,
					     .all_bytes = 2 * CUV_GIB,
					     .idle_s = 86400};

const struct cuv_profile_limits *cuv_profile_limits(enum cuv_profile which)
{
	return &profiles[which];
}

const struct cuv_session_limits *cuv_profile_sessions(void)
{
	return &sessions;
}

const char *cuv_profile_name(enum cuv_profile which)
{
	return names[which];
}

int cuv_profile_find(const char *name, size_t len)
{
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strlen(names[i]) == len && memcmp(names[i], name, len) == 0)
			return (int)i;
	return -EINVAL;
}

/* What is being read. */
struct change {
	struct cuv_profile_limits run;
	struct cuv_session_limits files;
	bool sessions, has_most;
};

static int read_limit(enum cuv_limit limit, const char *text, uint64_t *ret)
{
	struct cuv_limits l = {{0}};
	int r = cuv_limit_parse(limit, text, &l);

	*ret = l.value[limit];
	return r;
}

static int read_run(struct change *c, const char *name, const char *text)
{
	uint64_t n = 0;
	int r;

	if (strcmp(name, "timeout") == 0 || strcmp(name, "timeout_max") == 0) {
		r = read_limit(CUV_LIMIT_WALL, text, &n);
		c->has_most = c->has_most || name[7];
		*(name[7] ? &c->run.wall_max_ms : &c->run.wall_ms) = (uint32_t)n;
	} else if (strcmp(name, "memory") == 0) {
		r = read_limit(CUV_LIMIT_MEMORY, text, &c->run.memory_bytes);
	} else if (strcmp(name, "cpus") == 0) {
		r = read_limit(CUV_LIMIT_CPUS, text, &n);
		c->run.cpus_milli = (uint32_t)n;
	} else if (strcmp(name, "output") == 0) {
		r = read_limit(CUV_LIMIT_STDOUT, text, &c->run.output_bytes);
	} else {
		r = -ENOENT;
	}
	return r;
}

static int read_files(struct change *c, const char *name, const char *text)
{
	struct cuv_session_limits *f = &c->files;
	const struct {
		const char *name;
		uint64_t *value, most;
		bool size;
	} fields[] = {
		{"size", &f->bytes, SESSION_BYTES_MAX, true},	   {"files", &f->files, SESSION_FILES_MAX, false},
		{"sessions", &f->sessions, SESSIONS_MAX, false},   {"key_size", &f->key_bytes, 1024 * CUV_GIB, true},
		{"all_size", &f->all_bytes, 1024 * CUV_GIB, true}, {"idle", &f->idle_s, IDLE_MAX_S, false}};

	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		if (strcmp(fields[i].name, name) != 0)
			continue;
		if ((fields[i].size ? cuv_parse_size : cuv_parse_u64)(text, fields[i].most, fields[i].value) < 0)
			return -ERANGE;
		return *fields[i].value > 0 ? 0 : -ERANGE;
	}
	return -ENOENT;
}

/* One `name=value` of the list. */
static int read_item(struct change *c, enum cuv_profile which, const char *item, size_t len, struct cuv_error *err)
{
	const char *is = memchr(item, '=', len);
	char name[VALUE_SIZE], value[VALUE_SIZE];
	int r = -ENOENT;

	if (is && (size_t)(is - item) < sizeof(name) && len - (size_t)(is - item) <= sizeof(value)) {
		(void)snprintf(name, sizeof(name), "%.*s", (int)(is - item), item);
		(void)snprintf(value, sizeof(value), "%.*s", (int)(len - (size_t)(is - item) - 1), is + 1);
		r = read_run(c, name, value);
		if (r == -ENOENT && c->sessions)
			r = read_files(c, name, value);
	}
	if (r == 0)
		return 0;
	if (r != -ENOENT)
		return cuv_error_set(err, CUV_E_BAD_REQUEST,
				     "limits-%s: `%.*s` is not above 0, not of its unit, or above its maximum",
				     names[which], (int)CUV_MIN(len, (size_t)80), item);
	return cuv_error_set(err, CUV_E_BAD_REQUEST, "limits-%s: `%.*s` is none of %s, as memory=256MiB", names[which],
			     (int)CUV_MIN(len, (size_t)80), item,
			     c->sessions
				     ? "timeout, memory, cpus, output, size, files, sessions, key_size, all_size, idle"
				     : "timeout, timeout_max, memory, cpus, output");
}

int cuv_profile_set(enum cuv_profile which, const char *text, struct cuv_error *err)
{
	struct change c = {.run = profiles[which], .files = sessions, .sessions = which == CUV_PROFILE_SESSIONS};

	while (*text) {
		const size_t len = strcspn(text, ",");
		int r = read_item(&c, which, text, len, err);

		if (r < 0)
			return r;
		text += len + (text[len] == ',');
	}
	if (!c.has_most)
		c.run.wall_max_ms = CUV_MAX(c.run.wall_max_ms, c.run.wall_ms);
	if (c.run.wall_ms > c.run.wall_max_ms)
		return cuv_error_set(err, CUV_E_BAD_REQUEST, "limits-%s: timeout is above timeout_max", names[which]);
	profiles[which] = c.run;
	sessions = c.files;
	return 0;
}
