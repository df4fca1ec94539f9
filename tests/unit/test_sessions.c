/* SPDX-License-Identifier: MIT */
/* Sessions in the store: whose they are, what of a run is kept, their bounds and their end. */
#include "lib/base/fd.h"
#include "manager/dialect/sessions.h"
#include "manager/runs/store.h"
#include "tests/unit/sessions_test.h"

#include <errno.h>
#include <sqlite3.h>
#include <unistd.h>

#define NOW 1700000000
#define CODE "print(1)"

static struct cuv_error err;
static const struct cuv_session_limits limits = {
	.bytes = 100, .files = 3, .sessions = 2, .key_bytes = 150, .all_bytes = 200, .idle_s = 60};
static const struct cuv_session_program program = {"main.py", CODE, sizeof(CODE) - 1};

static int64_t open_of(const char *owner, const char *name)
{
	int64_t id = 0;
	int r = cuv_sessions_open(sessions, &limits, owner, name, NOW, &id, &err);

	return r < 0 ? r : id;
}

static int put(int64_t id, const char *name, const char *text)
{
	return cuv_sessions_put(sessions, &limits, id, name, text, strlen(text), &err);
}

/* "name=text " of each file. */
static void assert_files(int64_t id, const char *all)
{
	_cleanup_buf_ struct cuv_buf got = CUV_BUF_INIT(1000);
	sqlite3 *db = cuv_store_take(store);
	sqlite3_stmt *q = NULL;

	assert_int_equal(sqlite3_prepare_v2(db,
					    "SELECT name, CAST(body AS TEXT) FROM session_file WHERE session = ?1 "
					    "ORDER BY name",
					    -1, &q, NULL),
			 SQLITE_OK);
	(void)sqlite3_bind_int64(q, 1, id);
	while (sqlite3_step(q) == SQLITE_ROW)
		cuv_buf_addf(&got, "%s=%s ", (const char *)sqlite3_column_text(q, 0),
			     (const char *)sqlite3_column_text(q, 1));
	cuv_store_finish(&q);
	cuv_store_give(store);
	assert_string_equal(cuv_buf_str(&got), all);
}

struct left {
	const char *name, *text; /* NULL: it was left out, */
	enum cuv_left why;	 /* for this */
};

static uint8_t not_kept[CUV_BUNDLE_ENTRIES_MAX];

/* What a run left, as the launcher would send it. */
static int save(const struct cuv_session *begun, const struct left *files, size_t n)
{
	struct cuv_bundle_writer w = CUV_BUNDLE_WRITER_INIT;
	_cleanup_buf_ struct cuv_buf bundle = CUV_BUF_INIT(10000);
	ssize_t len;

	assert_ok(cuv_bundle_open(&w, "test"));
	for (size_t i = 0; i < n; i++) {
		if (!files[i].text) {
			assert_ok(cuv_bundle_left(&w, files[i].why, 0, files[i].name));
			continue;
		}
		assert_ok(cuv_bundle_begin(&w, CUV_BUNDLE_FILE, 0, files[i].name));
		assert_ok(cuv_bundle_data(&w, files[i].text, strlen(files[i].text)));
		assert_ok(cuv_bundle_end(&w));
	}
	len = pread(w.fd, cuv_buf_room(&bundle, 9999), 9999, 0);
	assert_true(len >= 0);
	cuv_buf_grew(&bundle, (size_t)len);
	cuv_bundle_close(&w);
	return cuv_sessions_save(sessions, &limits, begun, &bundle, &program, not_kept, &err);
}

static struct cuv_session begin(int64_t id)
{
	struct cuv_session s;

	assert_ok(cuv_sessions_begin(sessions, &limits, id, NOW, &s, &err));
	return s;
}

TEST(a_name_is_of_its_owner)
{
	const int64_t mine = open_of("me", "s"), yours = open_of("you", "s");
	int64_t gone;

	assert_true(mine > 0 && yours > 0 && mine != yours);
	assert_true(open_of("me", "s") == mine);
	assert_ok(put(mine, "f", "mine"));
	assert_files(yours, "");
	assert_ok(cuv_sessions_remove(sessions, "you", "s", &gone, &err));
	assert_true(gone == yours);
	assert_ok(cuv_sessions_remove(sessions, "you", "s", &gone, &err));
	assert_true(gone == 0);
	assert_files(mine, "f=mine ");
	assert_int_equal(put(yours, "f", ""), -EINVAL);
	assert_int_equal(err.code, CUV_E_NOT_FOUND);
	assert_true(open_of("me", "../../etc") > 0);
	assert_int_equal(open_of("me", "third"), -EDQUOT);
	assert_int_equal(err.code, CUV_E_RATE_LIMITED);
}

TEST(a_run_replaces_what_was_there_but_not_what_came_meanwhile)
{
	const int64_t id = open_of("me", "s");
	_cleanup_session_ struct cuv_session s = {0};
	static const struct left first[] = {{"a", "1", 0},
					    {"d/x", "2", 0},
					    {"main.py", CODE, 0},
					    {"d/__pycache__/x.pyc", "3", 0},
					    {"__pycache__/y", "4", 0}};
	static const struct left second[] = {{"a", "run", 0}, {"d/x", "run", 0}, {"main.py", "another", 0}};

	assert_ok(put(id, "old", "old"));
	s = begin(id);
	assert_ok(save(&s, first, ARRAY_SIZE(first)));
	assert_files(id, "a=1 d/x=2 ");
	cuv_session_done(&s);
	s = begin(id);
	assert_int_equal(s.bytes, 2);
	assert_ok(put(id, "a", "put"));
	assert_int_equal(put(id, "d", "put"), -EINVAL);
	assert_int_equal(err.code, CUV_E_FILE_REFUSED);
	assert_ok(save(&s, second, ARRAY_SIZE(second)));
	assert_files(id, "a=put d/x=run main.py=another ");
	/* Nothing is left, and that is kept too. */
	cuv_session_done(&s);
	s = begin(id);
	assert_ok(save(&s, NULL, 0));
	assert_files(id, "");
}

TEST(what_came_meanwhile_keeps_its_folder)
{
	const int64_t id = open_of("me", "s");
	static const struct left left[] = {{"a/b", "run", 0}, {"c", "run", 0}};
	_cleanup_session_ struct cuv_session s = begin(id);

	assert_ok(put(id, "a", "put"));
	assert_ok(put(id, "c/d", "put"));
	assert_ok(save(&s, left, ARRAY_SIZE(left)));
	assert_files(id, "a=put c/d=put ");
}

TEST(what_a_run_leaves_has_the_room_that_there_is)
{
	char sixty[61] = "";
	const int64_t id = open_of("me", "s"), other = open_of("me", "t");
	const struct left left[] = {{"a", sixty, 0}, {"b", sixty, 0}, {"c", "", 0}, {"z", "z", 0}};
	const struct left changed[] = {{"a", "1", 0}, {"b", "2", 0}, {"c", "3", 0}, {"z", sixty, 0}};
	_cleanup_session_ struct cuv_session s = {0};

	memset(sixty, 'x', 60);
	assert_ok(put(id, "z", "z"));
	s = begin(id);
	assert_ok(put(id, "u", "uploaded"));
	assert_ok(save(&s, left, ARRAY_SIZE(left)));
	assert_files(id, "a=xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx u=uploaded z=z ");
	assert_int_equal(not_kept[0], 0);
	assert_int_equal(not_kept[1], CUV_LEFT_COUNT);
	assert_int_equal(not_kept[2], CUV_LEFT_COUNT);
	assert_int_equal(not_kept[3], 0);
	/* What was written anew and has no room is gone; what the key has elsewhere counts. */
	memset(sixty, 'y', 60);
	assert_ok(put(other, "f", sixty));
	cuv_session_done(&s);
	s = begin(id);
	assert_int_equal(s.room, 90);
	assert_ok(put(other, "g", "0123456789"));
	assert_ok(put(id, "u", "0123456789"));
	assert_ok(save(&s, changed, ARRAY_SIZE(changed)));
	assert_files(id, "a=1 b=2 u=0123456789 ");
	assert_int_equal(not_kept[2], CUV_LEFT_COUNT);
	assert_int_equal(not_kept[3], CUV_LEFT_COUNT);
	cuv_session_done(&s);
	s = begin(id);
	assert_ok(save(&s,
		       (struct left[]){{"a", "12345678901234567890123456789012345678901234567890", 0},
				       {"b", "12345678901234567890123456789012345678901234567890", 0},
				       {"u", "0123456789", 0}},
		       3));
	assert_int_equal(not_kept[1], CUV_LEFT_SIZE);
	assert_files(id, "a=12345678901234567890123456789012345678901234567890 u=0123456789 ");
}

TEST(what_could_not_be_looked_at_is_not_taken_for_deleted)
{
	const int64_t id = open_of("me", "s");
	static const struct left left[] = {{"n", "n", 0}, {"z", NULL, CUV_LEFT_COUNT}};
	static const struct left link[] = {{"z", NULL, CUV_LEFT_KIND}};
	static const struct left more[] = {
		{"f", "a file now", 0}, {"x/y", "a folder now", 0}, {"", NULL, CUV_LEFT_MORE}};
	_cleanup_session_ struct cuv_session s = {0};

	assert_ok(put(id, "gone", "1"));
	assert_ok(put(id, "z", "2"));
	s = begin(id);
	assert_ok(save(&s, left, ARRAY_SIZE(left)));
	assert_files(id, "n=n z=2 ");
	cuv_session_done(&s);
	s = begin(id);
	assert_ok(save(&s, link, ARRAY_SIZE(link)));
	assert_files(id, "");
	assert_ok(put(id, "f/g", "1"));
	assert_ok(put(id, "x", "2"));
	assert_ok(put(id, "z", "3"));
	cuv_session_done(&s);
	s = begin(id);
	assert_ok(save(&s, more, ARRAY_SIZE(more)));
	assert_files(id, "f=a file now x/y=a folder now z=3 ");
}

TEST(a_session_that_is_gone_keeps_nothing)
{
	const int64_t id = open_of("me", "s");
	static const struct left left[] = {{"a", "run", 0}};
	_cleanup_session_ struct cuv_session s = begin(id);
	struct cuv_session again;
	int64_t gone;

	assert_ok(cuv_sessions_remove(sessions, "me", "s", &gone, &err));
	assert_true(open_of("me", "s") != id);
	assert_int_equal(save(&s, left, 1), -ECANCELED);
	assert_int_equal(err.code, CUV_E_CANCELLED);
	assert_files(id, "");
	assert_int_equal(cuv_sessions_begin(sessions, &limits, id, NOW, &again, &err), -ECANCELED);
	assert_int_equal(cuv_sessions_set_packages(sessions, id, &s.packages, 1, &err), -ECANCELED);
}

TEST(room_is_counted_for_a_session_a_key_and_all)
{
	char text[101] = "";
	const int64_t a = open_of("me", "a"), b = open_of("me", "b"), c = open_of("you", "c");
	_cleanup_session_ struct cuv_session s = {0};

	memset(text, 'x', 100);
	assert_ok(put(a, "f", text));
	assert_ok(put(a, "f", text));
	assert_int_equal(put(a, "g", "x"), -EINVAL);
	assert_int_equal(err.code, CUV_E_TOO_LARGE);
	assert_int_equal(put(b, "f", text), -EINVAL);
	text[50] = '\0';
	assert_ok(put(b, "f", text));
	s = begin(b);
	assert_int_equal(s.room, 50);
	assert_ok(put(c, "f", text));
	assert_int_equal(put(c, "g", "x"), -EINVAL);
	assert_ok(put(c, "g", ""));
	assert_ok(put(c, "h", ""));
	assert_int_equal(put(c, "i", ""), -EINVAL);
}

TEST(an_idle_one_goes_unless_something_of_it_waits)
{
	const int64_t idle = open_of("me", "idle"), busy = open_of("me", "busy");
	struct cuv_runs_row row = {.id = "r", .tenant = "me", .state = CUV_RUNS_QUEUED, .session = busy, .task = "t"};
	char id[CUV_ID_HEX_SIZE];

	assert_ok(put(idle, "f", "x"));
	assert_ok(cuv_runs_store_add(store, &row, "", 0, &err));
	assert_int_equal(cuv_sessions_expire(sessions, NOW, &err), 1);
	assert_files(idle, "f=x ");
	assert_int_equal(cuv_sessions_expire(sessions, NOW + 1, &err), 1);
	assert_files(idle, "");
	assert_true(open_of("me", "busy") == busy);
	assert_ok(cuv_runs_store_find(store, "me", "t", id, &err));
	assert_string_equal(id, "r");
	assert_int_equal(cuv_runs_store_find(store, "you", "t", id, &err), -ENOENT);
	assert_int_equal(cuv_runs_store_find(store, "me", "", id, &err), -ENOENT);
	assert_ok(cuv_runs_store_end(store, "r", CUV_RUNS_DONE, NOW, "", 0, &err));
	assert_int_equal(cuv_sessions_expire(sessions, NOW + 1, &err), 0);
}

TEST(many_expire_in_more_than_one_change)
{
	static const struct cuv_session_limits many = {
		.bytes = 10 << 20, .files = 3, .sessions = 100, .key_bytes = 1 << 30, .all_bytes = 1 << 30};
	_cleanup_free_ char *large = calloc(1, 5 << 20);
	char name[16];
	int64_t id;

	assert_non_null(large);
	for (int i = 0; i < 70; i++) {
		(void)snprintf(name, sizeof(name), "%d", i);
		assert_ok(cuv_sessions_open(sessions, &many, "me", name, NOW, &id, &err));
		assert_ok(cuv_sessions_put(sessions, &many, id, "f", large, i < 4 ? 5 << 20 : 1, &err));
	}
	assert_ok(cuv_sessions_open(sessions, &many, "me", "new", NOW + 1, &id, &err));
	assert_ok(cuv_sessions_put(sessions, &many, id, "f", "x", 1, &err));
	assert_int_equal(cuv_sessions_expire(sessions, NOW + 1, &err), 1);
	assert_int_equal(number_of("SELECT COUNT(*) FROM session"), 1);
	assert_int_equal(number_of("SELECT COUNT(*) FROM session_file"), 1);
}

/* The program's name, and names and sizes of what a run would get. */
static void assert_loaded(int64_t id, const char *all)
{
	char name[CUV_SESSION_PROGRAM_SIZE];
	_cleanup_buf_ struct cuv_buf got = CUV_BUF_INIT(1000), bundle = CUV_BUF_INIT(20 << 20);
	struct cuv_charge charge = CUV_CHARGE_INIT(NULL);
	struct cuv_upload files = CUV_UPLOAD_INIT;
	struct cuv_bundle_reader reader;
	struct cuv_bundle_entry e;

	files.charge = &charge;
	files.where = "test";
	assert_ok(cuv_sessions_load(sessions, id, name, &files, &err));
	assert_ptr_equal(files.program, name);
	cuv_buf_addf(&got, "%s: ", name);
	if (files.out.fd >= 0)
		assert_ok(cuv_pread_all(files.out.fd, &bundle));
	reader = (struct cuv_bundle_reader){.at = (const uint8_t *)bundle.data, .left = bundle.len};
	while (cuv_bundle_next(&reader, &e) > 0)
		cuv_buf_addf(&got, "%s=%llu ", e.name, (unsigned long long)e.size);
	assert_string_equal(cuv_buf_str(&got), all);
	cuv_upload_done(&files);
	cuv_charge_done(&charge);
}

TEST(a_program_is_called_as_no_file_is)
{
	const int64_t id = open_of("me", "s");

	assert_loaded(id, "main.py: ");
	assert_ok(put(id, "main.py/x", ""));
	assert_ok(put(id, "main-1.py", ""));
	assert_loaded(id, "main-2.py: main-1.py=0 main.py/x=0 ");
}

/* Who writes meanwhile is not waited for: here that would be oneself. */
TEST(all_files_come_to_a_run)
{
	static const struct cuv_session_limits large = {
		.bytes = 20 << 20, .files = 9, .sessions = 2, .key_bytes = 1 << 30, .all_bytes = 1 << 30};
	static const struct {
		const char *name;
		size_t size;
	} sizes[] = {{"d/x", 1}, {"c", 5 << 20}, {"a", 3 << 20}, {"b", 1 << 20}, {"e", 4 << 20}};
	_cleanup_free_ char *data = calloc(1, 5 << 20);
	const int64_t id = open_of("me", "s");

	assert_non_null(data);
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++)
		assert_ok(cuv_sessions_put(sessions, &large, id, sizes[i].name, data, sizes[i].size, &err));
	alarm(100);
	assert_int_equal(
		sqlite3_exec(cuv_store_take(store), "BEGIN IMMEDIATE; DELETE FROM session_file", NULL, NULL, NULL),
		SQLITE_OK);
	assert_loaded(id, "main.py: d/x=1 a=3145728 b=1048576 c=5242880 e=4194304 ");
	cuv_store_give(store);
	alarm(0);
}

/* --- what is big --- */

#define BIG (64u << 10)
static const struct cuv_session_limits big_limits = {
	.bytes = 20 << 20, .files = 9, .sessions = 2, .key_bytes = 1 << 30, .all_bytes = 1 << 30};
static char big[BIG];

static int put_big(int64_t id, const char *name, size_t len)
{
	return cuv_sessions_put(sessions, &big_limits, id, name, big, len, &err);
}

/* Between sessions and their files: looks at what else could be done meanwhile. */
static struct watched {
	struct cuv_files files;
	unsigned puts, contents, gets;
	bool is_full, is_broken;
	int64_t id;
} watched;

static int watch_put(struct cuv_files *f, const struct cuv_files_content *contents, size_t n, struct cuv_error *why)
{
	(void)f;
	watched.puts++;
	watched.contents += (unsigned)n;
	/* Others may write. */
	assert_non_null(cuv_store_try(store));
	cuv_store_give(store);
	if (watched.is_full) {
		cuv_error_set(why, CUV_E_NO_SPACE, "full");
		return -ENOSPC;
	}
	return in.files->put(in.files, contents, n, why);
}

/* Before the first content is read, files are put, one of them where the program would be. */
static int watch_get(struct cuv_files *f, const char *name, struct cuv_charge *charge, struct cuv_buf *ret,
		     struct cuv_error *why)
{
	(void)f;
	if (watched.gets++ == 0) {
		assert_ok(put_big(watched.id, "main.py", 1));
		assert_ok(put_big(watched.id, "a", BIG - 1));
		assert_ok(put_big(watched.id, "b", 1));
		assert_ok(put_big(watched.id, "new", 1));
	}
	return in.files->get(in.files, name, charge, ret, why);
}

static int watch_remove(struct cuv_files *f, const char *const *names, size_t n, struct cuv_error *why)
{
	(void)f;
	if (watched.is_broken)
		return cuv_error_set(why, CUV_E_NO_SPACE, "full");
	return in.files->remove(in.files, names, n, why);
}

static void watch_from(bool is_broken)
{
	watched = (struct watched){.files = {.put = watch_put, .get = watch_get, .remove = watch_remove},
				   .is_broken = is_broken};
	cuv_sessions_free(&sessions);
	assert_ok(cuv_sessions_new(store, &watched.files, &sessions, &err));
}

static void watch(void)
{
	watch_from(false);
}

/* So many contents, each a file's. */
static void assert_contents(int64_t n)
{
	assert_int_equal(number_of("SELECT COUNT(*) FROM file"), n);
	assert_int_equal(number_of("SELECT COUNT(*) FROM session_loose"), 0);
	assert_int_equal(number_of("SELECT COUNT(*) FROM session_file WHERE content IN (SELECT name FROM file)"), n);
	assert_true(number_of("SELECT COALESCE(MAX(length(body)), 0) FROM session_file") <= 4096);
}

static void save_in(const struct cuv_session_limits *l, int64_t id, const char *const names[], const size_t sizes[],
		    size_t n)
{
	struct cuv_bundle_writer w = CUV_BUNDLE_WRITER_INIT;
	_cleanup_buf_ struct cuv_buf bundle = CUV_BUF_INIT(1 << 20);
	_cleanup_session_ struct cuv_session s = {0};

	assert_ok(cuv_bundle_open(&w, "test"));
	for (size_t i = 0; i < n; i++) {
		assert_ok(cuv_bundle_begin(&w, CUV_BUNDLE_FILE, 0, names[i]));
		assert_ok(cuv_bundle_data(&w, big, sizes[i]));
		assert_ok(cuv_bundle_end(&w));
	}
	assert_ok(cuv_pread_all(w.fd, &bundle));
	cuv_bundle_close(&w);
	assert_ok(cuv_sessions_begin(sessions, l, id, NOW, &s, &err));
	assert_ok(cuv_sessions_save(sessions, l, &s, &bundle, &program, not_kept, &err));
}

static void save_big(int64_t id, const char *const names[], const size_t sizes[], size_t n)
{
	save_in(&big_limits, id, names, sizes, n);
}

TEST(others_write_while_what_is_big_is_written)
{
	const int64_t id = open_of("me", "s");
	int64_t gone;

	watch();
	assert_ok(put_big(id, "a", BIG));
	assert_int_equal(watched.puts, 1);
	assert_ok(put_big(id, "small", 4096));
	assert_int_equal(watched.puts, 1);
	assert_contents(1);
	assert_ok(put_big(id, "a", BIG - 1));
	assert_contents(1);
	/* What a run leaves is written at once, and not what is there already. */
	save_big(id, (const char *const[]){"a", "b", "c", "d"}, (const size_t[]){BIG - 1, BIG, BIG / 2, 9}, 4);
	assert_int_equal(watched.puts, 3);
	assert_int_equal(watched.contents, 4);
	assert_contents(3);
	save_big(id, (const char *const[]){"a", "b"}, (const size_t[]){9, BIG}, 2);
	assert_int_equal(watched.puts, 3);
	assert_contents(1);
	assert_ok(cuv_sessions_remove(sessions, "me", "s", &gone, &err));
	assert_contents(0);
}

TEST(a_run_gets_the_files_of_one_moment)
{
	const int64_t id = open_of("me", "s");

	watch();
	watched.id = id;
	assert_ok(put_big(id, "a", BIG));
	assert_ok(put_big(id, "b", BIG));
	assert_ok(put_big(id, "c", 2));
	assert_loaded(id, "main.py: c=2 a=65536 b=65536 ");
	assert_contents(1);
	assert_loaded(id, "main-1.py: b=1 c=2 main.py=1 new=1 a=65535 ");
}

TEST(what_there_is_no_space_for_changes_nothing)
{
	const int64_t id = open_of("me", "s");

	watch();
	assert_ok(put_big(id, "a", BIG));
	watched.is_full = true;
	assert_int_equal(put_big(id, "a", BIG - 1), -ENOSPC);
	assert_int_equal(err.code, CUV_E_NO_SPACE);
	assert_int_equal(put_big(id, "b", BIG), -ENOSPC);
	assert_contents(1);
	watched.gets = 1;
	assert_loaded(id, "main.py: a=65536 ");
	/* What may not be there is not written first. */
	watched.puts = 0;
	assert_int_equal(cuv_sessions_put(sessions, &limits, id, "b", big, BIG, &err), -EINVAL);
	assert_int_equal(err.code, CUV_E_TOO_LARGE);
	assert_int_equal(watched.puts, 0);
}

TEST(what_a_run_leaves_is_written_only_where_there_is_room)
{
	static const char *const names[] = {"a", "b", "c", "d", "e"};
	static const size_t sizes[] = {BIG, BIG - 1, BIG / 4, 9, BIG / 2};
	static const struct cuv_session_limits few = {
		.bytes = BIG + BIG / 2, .files = 9, .sessions = 2, .key_bytes = 1 << 30, .all_bytes = 1 << 30};
	static const struct cuv_session_limits none = {
		.bytes = 100, .files = 9, .sessions = 2, .key_bytes = 1 << 30, .all_bytes = 1 << 30};
	int64_t id = open_of("me", "s");

	watch();
	save_in(&none, id, names, sizes, 5);
	assert_int_equal(watched.puts, 0);
	assert_memory_equal(not_kept, ((uint8_t[]){CUV_LEFT_SIZE, CUV_LEFT_SIZE, CUV_LEFT_SIZE, 0, CUV_LEFT_SIZE}), 5);
	assert_loaded(id, "main.py: d=9 ");
	save_in(&few, id, names, sizes, 5);
	assert_int_equal(watched.contents, 2);
	assert_memory_equal(not_kept, ((uint8_t[]){0, CUV_LEFT_SIZE, 0, 0, CUV_LEFT_SIZE}), 5);
	assert_contents(2);
	/* Where the disk has none, what needs none of it is kept. */
	watched.is_full = true;
	watched.gets = 1;
	save_big(id, names, (const size_t[]){BIG, BIG - 1, 3, 4096, BIG / 2}, 5);
	assert_memory_equal(not_kept, ((uint8_t[]){0, CUV_LEFT_SIZE, 0, 0, CUV_LEFT_SIZE}), 5);
	assert_loaded(id, "main.py: c=3 d=4096 a=65536 ");
	assert_contents(1);
}

/* Not while it can't be; but sessions are there. */
TEST(what_no_file_has_goes_when_it_can)
{
	static const char left[] = "INSERT INTO session_loose VALUES ('sessions/writing', 1, 1)";
	const struct cuv_files_content content = {"sessions/writing", "1", 1};
	int64_t id;

	assert_ok(in.files->put(in.files, &content, 1, &err));
	assert_int_equal(sqlite3_exec(cuv_store_take(store), left, NULL, NULL, NULL), SQLITE_OK);
	cuv_store_give(store);
	watch_from(true);
	assert_int_equal(number_of("SELECT COUNT(*) FROM session_loose"), 1);
	watched.is_broken = false;
	id = open_of("me", "s");
	assert_ok(put_big(id, "a", BIG));
	assert_contents(1);
}

/* As somebody left it who was killed: one was being written, one was not needed any more. */
TEST(what_no_file_has_goes_at_the_next_start)
{
	static const char left[] =
		"INSERT INTO session_loose VALUES ('sessions/writing', 1, 1), ('sessions/gone', 1, 0)";
	const int64_t id = open_of("me", "s");
	const struct cuv_files_content contents[] = {{"sessions/writing", "1", 1}, {"sessions/gone", "2", 1}};

	assert_ok(put_big(id, "a", BIG));
	assert_ok(in.files->put(in.files, contents, 2, &err));
	assert_int_equal(sqlite3_exec(cuv_store_take(store), left, NULL, NULL, NULL), SQLITE_OK);
	cuv_store_give(store);
	cuv_sessions_free(&sessions);
	assert_ok(cuv_sessions_new(store, in.files, &sessions, &err));
	assert_contents(1);
	/* A content that is lost is said to be. */
	assert_int_equal(sqlite3_exec(cuv_store_take(store), "DELETE FROM file", NULL, NULL, NULL), SQLITE_OK);
	cuv_store_give(store);
	assert_int_equal(cuv_sessions_load(sessions, id, (char[CUV_SESSION_PROGRAM_SIZE]){""},
					   &(struct cuv_upload){.where = "test", .out = CUV_BUNDLE_WRITER_INIT}, &err),
			 -EINVAL);
	assert_int_equal(err.code, CUV_E_UNAVAILABLE);
}

static int profile(const char *text)
{
	return cuv_profile_set(CUV_PROFILE_SESSIONS, text, &err);
}

TEST(settings_change_what_they_name)
{
	const struct cuv_profile_limits before = *cuv_profile_limits(CUV_PROFILE_SESSIONS);
	static const char *const wrong[] = {
		"size=64MiB", "sizes=1", "timeout=0", "files=901", "timeout=5,timeout_max=2",
		"memory",     "=1",	 "idle=",     "cpus=65",   "memory=5GiB"};

	assert_ok(profile("memory=1GiB,cpus=0.5,size=1MiB,files=7,sessions=8,key_size=9MiB,all_size=1GiB,idle=10"));
	assert_int_equal(cuv_profile_limits(CUV_PROFILE_SESSIONS)->memory_bytes, CUV_GIB);
	assert_int_equal(cuv_profile_limits(CUV_PROFILE_SESSIONS)->cpus_milli, 500);
	assert_int_equal(cuv_profile_limits(CUV_PROFILE_SESSIONS)->wall_ms, before.wall_ms);
	assert_int_equal(cuv_profile_sessions()->files, 7);
	assert_int_equal(cuv_profile_sessions()->idle_s, 10);
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		assert_int_equal(profile(wrong[i]), -EINVAL);
		assert_int_equal(err.code, CUV_E_BAD_REQUEST);
	}
	assert_int_equal(cuv_profile_sessions()->files, 7);
	assert_ok(profile("timeout=120"));
	assert_int_equal(cuv_profile_limits(CUV_PROFILE_SESSIONS)->wall_max_ms, 120000);
	assert_int_equal(cuv_profile_set(CUV_PROFILE_AGENT, "size=1MiB", &err), -EINVAL);
	assert_ok(cuv_profile_set(CUV_PROFILE_LEARN, "", &err));
	assert_int_equal(cuv_profile_find("pylearn", 7), CUV_PROFILE_LEARN);
	assert_int_equal(cuv_profile_find("learn", 5), -EINVAL);
}

/* A database as it was before: without sums, and at version 7. */
TEST(what_sessions_take_is_summed_up_when_that_is_new)
{
	static const char before[] =
		"DROP TRIGGER session_made; DROP TRIGGER session_written; DROP TRIGGER session_gone;"
		"DROP TRIGGER session_file_made; DROP TRIGGER session_file_changed; DROP TRIGGER session_file_gone;"
		"DROP TABLE session_loose; ALTER TABLE session_file DROP COLUMN content;"
		"DROP TABLE session_use; CREATE INDEX session_bytes ON session (bytes);"
		"PRAGMA user_version = 7";
	int64_t one = open_of("a", "one"), other = open_of("a", "other"), third = open_of("b", "third");

	assert_ok(put(one, "f", "12345"));
	assert_ok(put(other, "f", "123"));
	assert_ok(put(third, "f", "1234567"));
	assert_int_equal(sqlite3_exec(cuv_store_take(store), before, NULL, NULL, NULL), SQLITE_OK);
	cuv_store_give(store);
	cuv_sessions_free(&sessions);
	cuv_backends_close(&in);
	cuv_store_close(&store);
	assert_ok(cuv_store_open(folder, &store, &err));
	assert_ok(cuv_backends_open_local(store, folder, 100, &in, &err));
	assert_ok(cuv_sessions_new(store, in.files, &sessions, &err));
	assert_int_equal(number_of("SELECT COUNT(*) FROM session_use"), 2);
	assert_int_equal(number_of("SELECT sessions FROM session_use WHERE tenant = 'a'"), 2);
	assert_int_equal(number_of("SELECT bytes FROM session_use WHERE tenant = 'a'"),
			 number_of("SELECT SUM(bytes) FROM session WHERE tenant = 'a'"));
	assert_int_equal(number_of("SELECT SUM(bytes) FROM session_use"), number_of("SELECT SUM(bytes) FROM session"));
	assert_true(number_of("SELECT SUM(bytes) FROM session") >= 15);
	assert_ok(put(third, "f", "1"));
	assert_int_equal(number_of("SELECT SUM(bytes) FROM session_use"), number_of("SELECT SUM(bytes) FROM session"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_SESSIONS(a_name_is_of_its_owner),
		WITH_SESSIONS(a_run_replaces_what_was_there_but_not_what_came_meanwhile),
		WITH_SESSIONS(what_came_meanwhile_keeps_its_folder),
		WITH_SESSIONS(what_a_run_leaves_has_the_room_that_there_is),
		WITH_SESSIONS(what_could_not_be_looked_at_is_not_taken_for_deleted),
		WITH_SESSIONS(a_session_that_is_gone_keeps_nothing),
		WITH_SESSIONS(room_is_counted_for_a_session_a_key_and_all),
		WITH_SESSIONS(a_program_is_called_as_no_file_is),
		WITH_SESSIONS(an_idle_one_goes_unless_something_of_it_waits),
		WITH_SESSIONS(many_expire_in_more_than_one_change),
		WITH_SESSIONS(all_files_come_to_a_run),
		WITH_SESSIONS(others_write_while_what_is_big_is_written),
		WITH_SESSIONS(a_run_gets_the_files_of_one_moment),
		WITH_SESSIONS(what_there_is_no_space_for_changes_nothing),
		WITH_SESSIONS(what_a_run_leaves_is_written_only_where_there_is_room),
		WITH_SESSIONS(what_no_file_has_goes_at_the_next_start),
		WITH_SESSIONS(what_no_file_has_goes_when_it_can),
		WITH_SESSIONS(what_sessions_take_is_summed_up_when_that_is_new),
		cmocka_unit_test(settings_change_what_they_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
