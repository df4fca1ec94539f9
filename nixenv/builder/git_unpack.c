/* SPDX-License-Identifier: MIT */
/* The sealed child of git.c: from a pack to an archive of one commit's files. */
#include "lib/base/buf.h"
#include "lib/base/fd.h"
#include "lib/base/parse.h"
#include "lib/base/utf8.h"
#include "nixenv/builder/git.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <git2.h>
#include <git2/sys/odb_backend.h>
#include <git2/sys/repository.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define DEPTH_MAX 64
#define PATH_BYTES_MAX 1024
#define BLOB_BYTES_MAX (64ull * 1024 * 1024)
#define TOP "source"
#define STATUS_LIMIT 3

struct unpack {
	git_repository *repo;
	struct archive *out;
	uint64_t bytes;
	unsigned files;
	unsigned submodules;
};

static _noreturn_ void fail(int status, const char *what)
{
	const git_error *e = git_error_last();

	fprintf(stderr, "%s%s%.200s\n", what, e ? ": " : "", e ? e->message : "");
	exit(status);
}

static void check(int r, const char *what)
{
	if (r < 0)
		fail(1, what);
}

/* --- the pack --- */

static void set_up_libgit2(void)
{
	static const int levels[] = {GIT_CONFIG_LEVEL_PROGRAMDATA, GIT_CONFIG_LEVEL_SYSTEM, GIT_CONFIG_LEVEL_XDG,
				     GIT_CONFIG_LEVEL_GLOBAL};

	check(git_libgit2_init(), "libgit2");
	for (size_t i = 0; i < ARRAY_SIZE(levels); i++)
		check(git_libgit2_opts(GIT_OPT_SET_SEARCH_PATH, levels[i], ""), "no configuration");
	check(git_libgit2_opts(GIT_OPT_ENABLE_STRICT_HASH_VERIFICATION, 1), "hashes");
	check(git_libgit2_opts(GIT_OPT_SET_PACK_MAX_OBJECTS, (size_t)4 * CUV_GIT_FILES_MAX * 10), "limit of objects");
}

static void index_pack(uint64_t offset, char ret_idx[PATH_MAX])
{
	static char block[65536];
	git_indexer_progress stats = {0};
	git_indexer *indexer = NULL;
	_cleanup_close_ int fd = open("pack", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	ssize_t n;

	if (fd < 0 || lseek(fd, (off_t)offset, SEEK_SET) < 0)
		fail(1, "there is no pack");
	check(git_indexer_new(&indexer, ".", 0444, NULL, NULL), "the pack's index");
	while ((n = read(fd, block, sizeof(block))) > 0)
		check(git_indexer_append(indexer, block, (size_t)n, &stats), "the pack is damaged");
	if (n < 0)
		fail(1, "the pack can't be read");
	check(git_indexer_commit(indexer, &stats), "the pack is damaged");
	(void)snprintf(ret_idx, PATH_MAX, "pack-%s.idx", git_indexer_name(indexer));
	git_indexer_free(indexer);
}

static git_repository *open_pack(const char *idx)
{
	git_repository *repo = NULL;
	git_odb_backend *backend = NULL;
	git_odb *odb = NULL;

	check(git_odb_new(&odb), "the object database");
	check(git_odb_backend_one_pack(&backend, idx), "the pack's index");
	check(git_odb_add_backend(odb, backend, 1), "the object database");
	check(git_repository_wrap_odb(&repo, odb), "the object database");
	return repo;
}

/* --- the archive --- */

static void count(struct unpack *u, uint64_t bytes)
{
	u->bytes += bytes;
	if (++u->files > CUV_GIT_FILES_MAX || u->bytes > CUV_GIT_TREE_BYTES_MAX)
		fail(STATUS_LIMIT, "too many files or bytes");
}

static bool name_fits(const char *name)
{
	size_t len = strlen(name);

	return len > 0 && len <= 255 && strcmp(name, ".") != 0 && strcmp(name, "..") != 0 && !strchr(name, '/') &&
	       !strchr(name, '\\') && strcasecmp(name, ".git") != 0 && cuv_utf8_valid(name, len);
}

/* Relative, and never above the top: depth is that of the link's own folder. */
static bool link_fits(const char *target, size_t len, unsigned depth)
{
	if (len == 0 || len >= PATH_BYTES_MAX || target[0] == '/' || memchr(target, '\0', len) ||
	    !cuv_utf8_valid(target, len))
		return false;
	for (size_t at = 0; at < len;) {
		const char *slash = memchr(target + at, '/', len - at);
		size_t n = slash ? (size_t)(slash - target) - at : len - at;

		if (n == 2 && memcmp(target + at, "..", 2) == 0) {
			if (depth-- == 0)
				return false;
		} else if (n > 0 && !(n == 1 && target[at] == '.')) {
			depth++;
		}
		at += n + 1;
	}
	return true;
}

static void write_entry(struct unpack *u, const char *path, unsigned type, unsigned mode, const void *data, size_t len)
{
	struct archive_entry *e = archive_entry_new();

	if (!e)
		fail(1, "out of memory");
	archive_entry_set_pathname(e, path);
	archive_entry_set_filetype(e, type);
	archive_entry_set_perm(e, (mode_t)mode);
	archive_entry_set_mtime(e, 1, 0);
	archive_entry_set_size(e, type == AE_IFREG ? (la_int64_t)len : 0);
	if (type == AE_IFLNK)
		archive_entry_set_symlink(e, data);
	if (archive_write_header(u->out, e) != ARCHIVE_OK ||
	    (type == AE_IFREG && len > 0 && archive_write_data(u->out, data, len) != (la_ssize_t)len))
		fail(1, "the archive can't be written");
	archive_entry_free(e);
}

static void write_blob(struct unpack *u, const git_tree_entry *entry, const char *path, unsigned depth)
{
	git_filemode_t mode = git_tree_entry_filemode(entry);
	git_blob *blob = NULL;
	uint64_t size;

	check(git_blob_lookup(&blob, u->repo, git_tree_entry_id(entry)), "a file is missing");
	size = (uint64_t)git_blob_rawsize(blob);
	if (size > BLOB_BYTES_MAX)
		fail(STATUS_LIMIT, "a file is too large");
	count(u, size);
	if (mode == GIT_FILEMODE_LINK) {
		_cleanup_free_ char *target = strndup(git_blob_rawcontent(blob), (size_t)size);

		if (!target || !link_fits(git_blob_rawcontent(blob), (size_t)size, depth))
			fail(1, "a symbolic link leads out of the repository");
		write_entry(u, path, AE_IFLNK, 0777, target, 0);
	} else {
		write_entry(u, path, AE_IFREG, mode == GIT_FILEMODE_BLOB_EXECUTABLE ? 0755 : 0644,
			    git_blob_rawcontent(blob), (size_t)size);
	}
	git_blob_free(blob);
}

static void write_tree(struct unpack *u, const git_tree *tree, const char *path, unsigned depth)
{
	if (depth > DEPTH_MAX)
		fail(STATUS_LIMIT, "folders are too deep");
	count(u, 0);
	write_entry(u, path, AE_IFDIR, 0755, NULL, 0);
	/* git's own order, which is by bytes. */
	for (size_t i = 0; i < git_tree_entrycount(tree); i++) {
		const git_tree_entry *entry = git_tree_entry_byindex(tree, i);
		const char *name = git_tree_entry_name(entry);
		char below[PATH_BYTES_MAX];
		git_tree *folder = NULL;
		int n = snprintf(below, sizeof(below), "%s/%s", path, name);

		if (!name_fits(name) || n < 0 || (size_t)n >= sizeof(below))
			fail(1, "a file has a name that no file should have");
		switch (git_tree_entry_filemode(entry)) {
		case GIT_FILEMODE_TREE:
			check(git_tree_lookup(&folder, u->repo, git_tree_entry_id(entry)), "a folder is missing");
			write_tree(u, folder, below, depth + 1);
			git_tree_free(folder);
			break;
		case GIT_FILEMODE_COMMIT: /* a submodule: an empty folder, as in a plain clone */
			count(u, 0);
			write_entry(u, below, AE_IFDIR, 0755, NULL, 0);
			break;
		case GIT_FILEMODE_BLOB:
		case GIT_FILEMODE_BLOB_EXECUTABLE:
		case GIT_FILEMODE_LINK:
			write_blob(u, entry, below, depth);
			break;
		case GIT_FILEMODE_UNREADABLE:
		default:
			fail(1, "the commit has an entry of an unknown kind");
		}
	}
}

static git_tree *find_subdirectory(struct unpack *u, const git_tree *tree, const char *path)
{
	git_tree_entry *entry = NULL;
	git_tree *found = NULL;

	if (git_tree_entry_bypath(&entry, tree, path) < 0 || git_tree_entry_filemode(entry) != GIT_FILEMODE_TREE ||
	    git_tree_lookup(&found, u->repo, git_tree_entry_id(entry)) < 0)
		fail(1, "the subdirectory is no folder of the commit");
	git_tree_entry_free(entry);
	return found;
}

static void write_commit(struct unpack *u, const char *commit_hex, const char *subdirectory)
{
	git_commit *commit = NULL;
	git_tree *tree = NULL, *below = NULL;
	git_oid oid;

	check(git_oid_fromstr(&oid, commit_hex), "the commit's name");
	check(git_commit_lookup(&commit, u->repo, &oid), "what the ref names is no commit");
	check(git_commit_tree(&tree, commit), "the commit has no files");
	if (subdirectory)
		below = find_subdirectory(u, tree, subdirectory);
	write_tree(u, below ? below : tree, TOP, 0);
	git_tree_free(below);
	git_tree_free(tree);
	git_commit_free(commit);
}

int cuv_git_unpack_main(int argc, char **argv)
{
	struct unpack u = {0};
	char idx[PATH_MAX];
	uint64_t offset;

	if (argc < 4 || argc > 5 || cuv_parse_u64(argv[2], CUV_GIT_PACK_BYTES_MAX, &offset) < 0)
		return 2;
	/* libarchive writes names by it. */
	if (!setlocale(LC_CTYPE, "C.UTF-8"))
		fail(1, "there is no locale C.UTF-8");
	set_up_libgit2();
	index_pack(offset, idx);
	u.repo = open_pack(idx);
	u.out = archive_write_new();
	if (!u.out || archive_write_set_format_pax_restricted(u.out) != ARCHIVE_OK ||
	    archive_write_set_options(u.out, "hdrcharset=UTF-8") < ARCHIVE_WARN ||
	    archive_write_open_filename(u.out, "source.tar") != ARCHIVE_OK)
		fail(1, "the archive can't be written");
	write_commit(&u, argv[3], argc == 5 ? argv[4] : NULL);
	if (archive_write_close(u.out) != ARCHIVE_OK)
		fail(1, "the archive can't be written");
	archive_write_free(u.out);
	return 0;
}
