/* SPDX-License-Identifier: MIT */
#include "worker-image/launcher/cgroup.h"

#include "lib/base/clock.h"
#include "lib/base/fd.h"
#include "lib/base/parse.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define FILE_BYTES_MAX (64 * 1024)
#define KILL_PAUSE_NS 1000000
#define RENEW_WAIT_MS 500

int cuv_cgroup_find_key(const char *text, const char *key, uint64_t *ret)
{
	size_t len = strlen(key);

	for (; text; text = strchr(text, '\n') ? strchr(text, '\n') + 1 : NULL) {
		char number[24];

		if (strncmp(text, key, len) != 0 || text[len] != ' ')
			continue;
		if (sscanf(text + len + 1, "%23[0-9]", number) != 1)
			return -EINVAL;
		return cuv_parse_u64(number, UINT64_MAX, ret);
	}
	return -ENOENT;
}

int cuv_cgroup_read_key(int dir, const char *file, const char *key, uint64_t *ret)
{
	_cleanup_buf_ struct cuv_buf b = CUV_BUF_INIT(FILE_BYTES_MAX);
	int r = cuv_read_file(dir, file, &b);

	return r < 0 ? r : cuv_cgroup_find_key(cuv_buf_str(&b), key, ret);
}

/* From offset 0, whatever was read before: the kernel makes the text anew. */
static int read_text(int fd, size_t size, char *ret)
{
	ssize_t n = pread(fd, ret, size - 1, 0);

	if (n < 0)
		return -errno;
	ret[n] = '\0';
	return (int)n;
}

static int parse_line(char *text, size_t len, uint64_t *ret)
{
	while (len > 0 && text[len - 1] == '\n')
		len--;
	text[len] = '\0';
	return cuv_parse_u64(text, UINT64_MAX, ret);
}

int cuv_cgroup_read_u64(int dir, const char *file, uint64_t *ret)
{
	_cleanup_close_ int fd = openat(dir, file, O_RDONLY | O_CLOEXEC);
	char text[32];
	int n = fd < 0 ? -errno : read_text(fd, sizeof(text), text);

	return n < 0 ? n : parse_line(text, (size_t)n, ret);
}

/* The entry of the file, opened to read or to write; NULL with errno set. */
static const struct cuv_cgroup_kept *keep_file(struct cuv_cgroup_slot *s, int dir, const char *file, int mode)
{
	size_t i;

	for (i = 0; i < CUV_CGROUP_KEPT_MAX && s->kept[i].name; i++)
		if (s->kept[i].dir == dir && s->kept[i].mode == mode && strcmp(s->kept[i].name, file) == 0)
			return &s->kept[i];
	cuv_assert(i < CUV_CGROUP_KEPT_MAX);
	s->kept[i].fd = openat(dir, file, mode | O_CLOEXEC);
	if (s->kept[i].fd < 0)
		return NULL;
	s->kept[i].name = file;
	s->kept[i].dir = dir;
	s->kept[i].mode = mode;
	return &s->kept[i];
}

int cuv_cgroup_slot_read(struct cuv_cgroup_slot *s, int dir, const char *file, size_t size, char *ret)
{
	const struct cuv_cgroup_kept *k = keep_file(s, dir, file, O_RDONLY);

	return k ? read_text(k->fd, size, ret) : -errno;
}

int cuv_cgroup_slot_read_u64(struct cuv_cgroup_slot *s, int dir, const char *file, uint64_t *ret)
{
	char text[32];
	int n = cuv_cgroup_slot_read(s, dir, file, sizeof(text), text);

	return n < 0 ? n : parse_line(text, (size_t)n, ret);
}

int cuv_cgroup_slot_write(struct cuv_cgroup_slot *s, int dir, const char *file, const char *text)
{
	const struct cuv_cgroup_kept *k = keep_file(s, dir, file, O_WRONLY);

	if (!k)
		return -errno;
	return pwrite(k->fd, text, strlen(text), 0) < 0 ? -errno : 0;
}

int cuv_cgroup_write(int dir, const char *file, const char *text)
{
	_cleanup_close_ int fd = openat(dir, file, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	return write(fd, text, strlen(text)) < 0 ? -errno : 0;
}

int cuv_cgroup_write_u64(int dir, const char *file, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
	return cuv_cgroup_write(dir, file, text);
}

int cuv_cgroup_dir_of(const struct cuv_cgroup_slot *s, unsigned controller)
{
	size_t i;

	for (i = 0; i < s->cgroups->n; i++)
		if (s->cgroups->hierarchy[i].controllers & controller)
			return s->dir[i];
	return -1;
}

int cuv_cgroup_slot_open(const struct cuv_cgroups *c, unsigned slot, struct cuv_cgroup_slot *ret)
{
	struct cuv_cgroup_slot s = {.cgroups = c, .slot = slot};
	char name[16];
	size_t i;

	for (i = 0; i < CUV_CGROUP_HIERARCHIES_MAX; i++)
		s.dir[i] = -1;
	snprintf(name, sizeof(name), "%u", slot);
	for (i = 0; i < c->n; i++) {
		int parent = c->hierarchy[i].instance_fd;

		s.dir[i] = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (s.dir[i] < 0 && errno == ENOENT) {
			if (mkdirat(parent, name, 0755) == 0)
				s.dir[i] = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		}
		if (s.dir[i] < 0) {
			int r = -errno;

			cuv_cgroup_slot_close(&s);
			return r;
		}
	}
	*ret = s;
	return 0;
}

void cuv_cgroup_slot_close(struct cuv_cgroup_slot *s)
{
	size_t i;

	for (i = 0; i < CUV_CGROUP_KEPT_MAX && s->kept[i].name; i++) {
		cuv_close(s->kept[i].fd);
		s->kept[i].name = NULL;
	}
	for (i = 0; i < CUV_CGROUP_HIERARCHIES_MAX; i++)
		s->dir[i] = cuv_close(s->dir[i]);
}

/* The last process may be gone from the list a moment before it is gone. */
static int remove_folder(int parent, const char *name)
{
	uint64_t deadline = cuv_deadline_ms(RENEW_WAIT_MS);

	while (unlinkat(parent, name, AT_REMOVEDIR) < 0 && errno != ENOENT) {
		if (errno != EBUSY || cuv_now_ns() >= deadline)
			return -errno;
		nanosleep(&(struct timespec){.tv_nsec = KILL_PAUSE_NS}, NULL);
	}
	return 0;
}

int cuv_cgroup_slot_renew(struct cuv_cgroup_slot *s)
{
	const struct cuv_cgroups *c = s->cgroups;
	char name[16];
	size_t i;

	snprintf(name, sizeof(name), "%u", s->slot);
	for (i = 0; i < c->n; i++) {
		int r = remove_folder(c->hierarchy[i].instance_fd, name);

		if (r < 0)
			return r;
	}
	cuv_cgroup_slot_close(s);
	return cuv_cgroup_slot_open(c, s->slot, s);
}

int cuv_cgroup_slot_processes(struct cuv_cgroup_slot *s, uint64_t *ret, uint64_t *ret_refused)
{
	const int dir = cuv_cgroup_dir_of(s, CUV_CG_PIDS);
	char text[128];
	int r = dir < 0 ? -ENOENT : cuv_cgroup_slot_read_u64(s, dir, "pids.current", ret);

	if (r < 0 || !ret_refused)
		return r;
	r = cuv_cgroup_slot_read(s, dir, "pids.events", sizeof(text), text);
	return r < 0 ? r : cuv_cgroup_find_key(text, "max", ret_refused);
}

int cuv_cgroup_slot_open_procs(const struct cuv_cgroup_slot *s, int ret_fds[CUV_CGROUP_HIERARCHIES_MAX])
{
	size_t i;

	for (i = 0; i < s->cgroups->n; i++) {
		ret_fds[i] = openat(s->dir[i], "cgroup.procs", O_WRONLY | O_CLOEXEC);
		if (ret_fds[i] < 0) {
			int r = -errno;

			while (i-- > 0)
				cuv_close(ret_fds[i]);
			return r;
		}
	}
	return (int)s->cgroups->n;
}

/* Sends SIGKILL to all processes listed in a folder, if told to; returns how many
 * there were, or -errno. Pids are ours to signal: they were read just now, and a
 * process that is in a slot was put there by us. */
static int each_process(int dir, bool kill_them)
{
	_cleanup_buf_ struct cuv_buf b = CUV_BUF_INIT(16 * FILE_BYTES_MAX);
	const char *line;
	int n = 0, r = cuv_read_file(dir, "cgroup.procs", &b);

	if (r < 0)
		return r;
	for (line = cuv_buf_str(&b); *line; line = *strchrnul(line, '\n') ? strchrnul(line, '\n') + 1 : "") {
		char number[16];
		uint64_t pid;

		if (sscanf(line, "%15[0-9]", number) != 1 || cuv_parse_u64(number, INT32_MAX, &pid) < 0)
			return -EINVAL;
		n++;
		if (kill_them && pid > 0)
			(void)kill((pid_t)pid, SIGKILL);
	}
	return n;
}

static int kill_all(const int *dirs, size_t n, uint64_t wait_ms)
{
	uint64_t deadline = cuv_deadline_ms(wait_ms);

	for (;;) {
		int left = 0;
		size_t i;

		for (i = 0; i < n; i++) {
			int r;

			(void)cuv_cgroup_write(dirs[i], "cgroup.kill", "1"); /* version 2, from 5.14 on */
			r = each_process(dirs[i], true);
			if (r < 0)
				return r;
			left += r;
		}
		if (left == 0)
			return 0;
		if (cuv_now_ns() >= deadline)
			return -ETIMEDOUT;
		nanosleep(&(struct timespec){.tv_nsec = KILL_PAUSE_NS}, NULL);
	}
}

int cuv_cgroup_slot_is_empty(const struct cuv_cgroup_slot *s)
{
	/* Opened anew each time: version 1 shows who keeps the file open the list that it
	 * was shown before, for a second after each reading. */
	_cleanup_close_ int fd = openat(s->dir[0], "cgroup.procs", O_RDONLY | O_CLOEXEC);
	char first[16];
	int n = fd < 0 ? -errno : read_text(fd, sizeof(first), first);

	return n < 0 ? n : n == 0;
}

int cuv_cgroup_slot_kill(const struct cuv_cgroup_slot *s, uint64_t wait_ms)
{
	return kill_all(s->dir, s->cgroups->n, wait_ms);
}
