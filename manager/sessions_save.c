/* SPDX-License-Identifier: MIT */
/*
 * What a run leaves of a session's files. First it is known of each file that was there whether it
 * stays, then what is new or has changed is written while there is room: so what has not changed is
 * never given up for what is new. That is gone through twice: first to choose which contents there is
 * room for, then, when they are written, with the store. Where not all could be looked at, what was not seen is not
 * taken for deleted. Contents are hashed, and those that are big written, before the store is taken,
 * which others wait for.
 */
#include "manager/budget.h"
#include "manager/sessions_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define CACHE "__pycache__"

/* A file as it was, by name. */
struct known {
	char *name;
	int64_t clock;
	uint64_t bytes;
	struct cuv_sha256 hash;
	enum fate {
		FATE_UNSEEN,  /* it was not found any more */
		FATE_STAYS,   /* as it is */
		FATE_CHANGED, /* the run has written it */
		FATE_GONE,    /* something else has its name, or needs it for a folder */
	} fate;
};

struct saving {
	sqlite3 *db;
	const struct cuv_session *begun;
	const struct cuv_session_program *program;
	const struct cuv_buf *bundle;
	struct cuv_sha256 *hashes; /* of the bundle's files, by the number of the entry */
	/* Of the same, names of those that are contents, else "". */
	char (*names)[CUV_SESSIONS_CONTENT_SIZE];
	struct cuv_files_content *contents; /* to be written */
	size_t n_contents;
	uint8_t *why;
	struct known *known;
	size_t n, size;
	int64_t clock; /* of the files that change now */
	bool planning; /* nothing is changed yet: what would be written is chosen */
	bool uploads;  /* some were put since the run began */
	bool blind;    /* there may be files that were not looked at */
	uint64_t room, files_max;
	uint64_t bytes, files; /* that are kept so far */
};

/* --- what the run left --- */

static bool is_program(const struct cuv_session_program *p, const struct cuv_bundle_entry *e)
{
	return strcmp(e->name, p->name) == 0 && e->size == p->len && memcmp(e->data, p->code, p->len) == 0;
}

/* Python writes these anew for files that were copied in. */
static bool is_cache(const char *name)
{
	const char *at = strstr(name, CACHE "/");

	return at && (at == name || at[-1] == '/');
}

static bool is_wanted(const struct saving *w, const struct cuv_bundle_entry *e)
{
	return e->kind == CUV_BUNDLE_FILE && !is_program(w->program, e) && !is_cache(e->name);
}

/* Calls each with all entries and their numbers. */
static int each_entry(struct saving *w,
		      int (*each)(struct saving *w, const struct cuv_bundle_entry *e, size_t i, struct cuv_error *err),
		      struct cuv_error *err)
{
	struct cuv_bundle_reader reader = {.at = (const uint8_t *)w->bundle->data, .left = w->bundle->len};
	struct cuv_bundle_entry e;
	int r = 0, more = 0;

	while (r == 0 && (more = cuv_bundle_next(&reader, &e)) > 0)
		r = each(w, &e, reader.n - 1, err);
	return r == 0 && more < 0 ? cuv_error_set(err, CUV_E_INTERNAL, "the run's files can't be read; send it again")
				  : r;
}

static int hash_file(struct saving *w, const struct cuv_bundle_entry *e, size_t i, struct cuv_error *err)
{
	(void)err;
	if (is_wanted(w, e))
		cuv_sha256(e->data, (size_t)e->size, &w->hashes[i]);
	return 0;
}

/* --- what was there --- */

static int add_known(struct saving *w, sqlite3_stmt *q)
{
	struct known *k = &w->known[w->n];

	k->name = strdup((const char *)sqlite3_column_text(q, 0));
	k->clock = sqlite3_column_int64(q, 1);
	if (sqlite3_column_bytes(q, 2) == (int)sizeof(k->hash.bytes))
		memcpy(k->hash.bytes, sqlite3_column_blob(q, 2), sizeof(k->hash.bytes));
	k->bytes = (uint64_t)sqlite3_column_int64(q, 3);
	/* What was put there since is what its owner wants. */
	if (k->clock > w->begun->clock) {
		k->fate = FATE_STAYS;
		w->uploads = true;
	}
	w->n += k->name != NULL;
	return k->name ? 0 : -ENOMEM;
}

static int list_known(struct saving *w, size_t files, struct cuv_error *err)
{
	static const char sql[] = "SELECT name, clock, hash, bytes FROM session_file WHERE session = ?1 ORDER BY name";
	_cleanup_stmt_ sqlite3_stmt *q = NULL;
	int step, r = cuv_sessions_prepare(w->db, sql, &q, err);

	if (r < 0)
		return r;
	w->known = calloc(files + 1, sizeof(*w->known));
	w->size = files;
	if (!w->known)
		return cuv_budget_exhausted(err, "answer");
	(void)sqlite3_bind_int64(q, 1, w->begun->id);
	while ((step = sqlite3_step(q)) == SQLITE_ROW)
		if (w->n == w->size || add_known(w, q) < 0)
			return cuv_budget_exhausted(err, "answer");
	return step == SQLITE_DONE ? 0 : cuv_store_failed_at(w->db, err);
}

static int by_name(const void *key, const void *item)
{
	return strcmp(key, ((const struct known *)item)->name);
}

static struct known *find_known(const struct saving *w, const char *name)
{
	return w->n ? bsearch(name, w->known, w->n, sizeof(*w->known), by_name) : NULL;
}

static void forget_known(struct saving *w)
{
	for (size_t i = 0; i < w->n; i++)
		free(w->known[i].name);
	free(w->known);
	w->known = NULL;
	w->n = 0;
}

/* --- which of it stays --- */

static void compare_left(struct saving *w, const struct cuv_bundle_entry *e, struct known *k)
{
	const bool is_there = e->why == CUV_LEFT_SIZE || e->why == CUV_LEFT_COUNT || e->why == CUV_LEFT_UNREADABLE;

	if (e->why == CUV_LEFT_MORE || e->why == CUV_LEFT_UNREADABLE || (is_there && !e->name[0]))
		w->blind = true;
	if (!k || k->fate != FATE_UNSEEN)
		return;
	if (is_there)
		k->fate = FATE_STAYS;
	else if (e->why == CUV_LEFT_KIND || e->why == CUV_LEFT_FOLDER)
		k->fate = FATE_GONE;
}

static int compare(struct saving *w, const struct cuv_bundle_entry *e, size_t i, struct cuv_error *err)
{
	struct known *k = find_known(w, e->name);

	(void)err;
	if (e->kind == CUV_BUNDLE_LEFT)
		compare_left(w, e, k);
	else if (k && k->fate == FATE_UNSEEN && is_wanted(w, e))
		k->fate = memcmp(w->hashes[i].bytes, k->hash.bytes, sizeof(k->hash.bytes)) == 0 ? FATE_STAYS
												: FATE_CHANGED;
	return 0;
}

static bool is_below(const char *name, const char *folder)
{
	const size_t len = strlen(folder);

	return strncmp(name, folder, len) == 0 && name[len] == '/';
}

/* A file that was not seen can't be where another one has a folder, or below another one. */
static int rule_out(struct saving *w, const struct cuv_bundle_entry *e, size_t i, struct cuv_error *err)
{
	(void)i;
	(void)err;
	for (size_t n = 0; e->kind == CUV_BUNDLE_FILE && n < w->n; n++) {
		struct known *k = &w->known[n];

		if (k->fate == FATE_UNSEEN && (is_below(k->name, e->name) || is_below(e->name, k->name)))
			k->fate = FATE_GONE;
	}
	return 0;
}

static int remove_file(struct saving *w, const char *name, struct cuv_error *err)
{
	_cleanup_stmt_ sqlite3_stmt *q = NULL;
	int r;

	if (w->planning)
		return 0;
	r = cuv_sessions_prepare(w->db, "DELETE FROM session_file WHERE session = ?1 AND name = ?2", &q, err);

	if (r < 0)
		return r;
	(void)sqlite3_bind_int64(q, 1, w->begun->id);
	(void)sqlite3_bind_text(q, 2, name, -1, SQLITE_STATIC);
	return sqlite3_step(q) == SQLITE_DONE ? 0 : cuv_store_failed_at(w->db, err);
}

/* Removes what goes, and counts what stays. */
static int settle(struct saving *w, struct cuv_error *err)
{
	int r = each_entry(w, compare, err);

	if (r == 0 && w->blind)
		r = each_entry(w, rule_out, err);
	for (size_t i = 0; r == 0 && i < w->n; i++) {
		const struct known *k = &w->known[i];

		if (k->fate == FATE_STAYS || (k->fate == FATE_UNSEEN && w->blind)) {
			w->bytes += k->bytes;
			w->files++;
		} else if (k->fate != FATE_CHANGED) {
			r = remove_file(w, k->name, err);
		}
	}
	return r;
}

/* --- what is new --- */

static bool is_big(const struct cuv_bundle_entry *e)
{
	return e->size > CUV_SESSIONS_ROW_BYTES_MAX;
}

static enum cuv_left check_room(const struct saving *w, const struct cuv_bundle_entry *e, size_t i)
{
	if (w->files >= w->files_max)
		return CUV_LEFT_COUNT;
	if (e->size > w->room - CUV_MIN(w->bytes, w->room))
		return CUV_LEFT_SIZE;
	/* There was no room for its content. */
	return is_big(e) && !w->planning && !w->names[i][0] ? CUV_LEFT_SIZE : _CUV_LEFT_NONE;
}

static void choose_content(struct saving *w, const struct cuv_bundle_entry *e, size_t i)
{
	if (!is_big(e))
		return;
	cuv_sessions_content(w->names[i]);
	w->contents[w->n_contents++] = (struct cuv_files_content){w->names[i], e->data, (size_t)e->size};
}

static int write_row(struct saving *w, const struct cuv_bundle_entry *e, size_t i, struct cuv_error *err)
{
	return cuv_sessions_write(w->db, w->begun->id,
				  &(struct cuv_sessions_file){.name = e->name,
							      .clock = w->clock,
							      .hash = &w->hashes[i],
							      .data = e->data,
							      .len = (size_t)e->size,
							      .content = w->names[i]},
				  err);
}

static int write_new(struct saving *w, const struct cuv_bundle_entry *e, size_t i, struct cuv_error *err)
{
	const struct known *k = find_known(w, e->name);
	int r = 0;

	if (!is_wanted(w, e) || (k && k->fate != FATE_CHANGED))
		return 0;
	if (w->uploads)
		r = cuv_sessions_blocked(w->db, w->begun->id, e->name, w->begun->clock, err);
	if (r != 0)
		return CUV_MIN(r, 0);
	w->why[i] = (uint8_t)check_room(w, e, i);
	/* What it was is not what it is. */
	if (w->why[i])
		return k ? remove_file(w, k->name, err) : 0;
	w->bytes += e->size;
	w->files++;
	if (!w->planning)
		return write_row(w, e, i, err);
	choose_content(w, e, i);
	return 0;
}

/* From what is there now: with the store, or a plan of it. */
static int go_through(struct saving *w, const struct cuv_session_limits *l, struct cuv_error *err)
{
	uint64_t bytes, files;
	int r = cuv_sessions_look(w->db, w->begun->id, &w->clock, &bytes, &files, err);

	if (r == -ENOENT)
		return cuv_sessions_gone(err);
	if (r < 0)
		return r;
	forget_known(w);
	memset(w->why, 0, CUV_BUNDLE_ENTRIES_MAX);
	w->uploads = w->blind = false;
	w->bytes = w->files = 0;
	w->clock++;
	w->room = cuv_sessions_room(w->db, l, w->begun->id, bytes);
	w->files_max = l->files;
	r = list_known(w, (size_t)files, err);
	if (r == 0)
		r = settle(w, err);
	return r == 0 ? each_entry(w, write_new, err) : r;
}

/* --- contents --- */

/* Those that there is room for as it is now. What is put there later stays, whatever the run has written; and what
 * there is room for only later has no content, and is not kept. */
static int choose_contents(struct saving *w, const struct cuv_session_limits *l, struct cuv_error *err)
{
	int r;

	if (sqlite3_exec(w->db, "BEGIN", NULL, NULL, NULL) != SQLITE_OK)
		return cuv_store_failed_at(w->db, err);
	w->planning = true;
	r = go_through(w, l, err);
	w->planning = false;
	(void)sqlite3_exec(w->db, "ROLLBACK", NULL, NULL, NULL);
	return r;
}

static int announce(struct saving *w, struct cuv_sessions *s, sqlite3 *db, struct cuv_error *err)
{
	int r = cuv_sessions_begin_change(db, err);

	return r < 0 ? r
		     : cuv_sessions_end_change(
			       db, cuv_sessions_announce(s, db, w->begun->id, w->contents, w->n_contents, err), err);
}

static void give_up_contents(struct saving *w, struct cuv_sessions *s)
{
	cuv_sessions_give_up(s, w->contents, w->n_contents);
	memset(w->names, 0, CUV_BUNDLE_ENTRIES_MAX * sizeof(*w->names));
	w->n_contents = 0;
}

static int write_contents(struct saving *w, struct cuv_sessions *s, const struct cuv_session_limits *l,
			  struct cuv_error *err)
{
	int r;

	w->db = cuv_store_take_reader(s->store);
	r = choose_contents(w, l, err);
	cuv_store_give_reader(s->store);
	if (r < 0 || w->n_contents == 0)
		return r;
	r = announce(w, s, cuv_store_take(s->store), err);
	cuv_store_give(s->store);
	if (r < 0)
		return r;
	r = s->files->put(s->files, w->contents, w->n_contents, err);
	/* What is small is kept without them. */
	if (r < 0 && err->code == CUV_E_NO_SPACE) {
		give_up_contents(w, s);
		r = 0;
	}
	return r;
}

/* --- all of it --- */

static int save(struct saving *w, const struct cuv_session_limits *l, struct cuv_error *err)
{
	int r = cuv_sessions_begin_change(w->db, err);

	if (r < 0)
		return r;
	r = go_through(w, l, err);
	if (r == 0)
		r = cuv_sessions_count(w->db, w->begun->id, err);
	if (r == -ENOENT)
		r = cuv_sessions_gone(err);
	return cuv_sessions_end_change(w->db, r, err);
}

static int allocate(struct saving *w, struct cuv_error *err)
{
	w->hashes = calloc(CUV_BUNDLE_ENTRIES_MAX, sizeof(*w->hashes));
	w->names = calloc(CUV_BUNDLE_ENTRIES_MAX, sizeof(*w->names));
	w->contents = calloc(CUV_BUNDLE_ENTRIES_MAX, sizeof(*w->contents));
	return w->hashes && w->names && w->contents ? 0 : cuv_budget_exhausted(err, "answer");
}

int cuv_sessions_save(struct cuv_sessions *s, const struct cuv_session_limits *l, const struct cuv_session *begun,
		      const struct cuv_buf *bundle, const struct cuv_session_program *program,
		      uint8_t ret_why[CUV_BUNDLE_ENTRIES_MAX], struct cuv_error *err)
{
	struct saving w = {.begun = begun, .program = program, .bundle = bundle, .why = ret_why};
	struct cuv_error later; /* what is left now is removed with what is next */
	int r;

	memset(ret_why, 0, CUV_BUNDLE_ENTRIES_MAX);
	r = allocate(&w, err);
	if (r == 0)
		r = each_entry(&w, hash_file, err);
	if (r == 0)
		r = write_contents(&w, s, l, err);
	if (r == 0) {
		w.db = cuv_store_take(s->store);
		r = save(&w, l, err);
		cuv_store_give(s->store);
	}
	/* Those that no file has got, for want of room too. */
	cuv_sessions_give_up(s, w.contents, w.n_contents);
	(void)cuv_sessions_sweep(s, &later);
	forget_known(&w);
	free(w.contents);
	free(w.names);
	free(w.hashes);
	return r;
}
