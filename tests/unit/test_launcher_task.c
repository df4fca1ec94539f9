/* SPDX-License-Identifier: MIT */
#include "lib/base/fd.h"
#include "tests/unit/unit.h"
#include "worker-image/launcher/task.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

static void fill(struct cuv_task *t, size_t files)
{
	char name[16];
	size_t i;

	*t = (struct cuv_task){.session = -1, .came_ns = 77};
	cuv_limits_default(&t->run.limits);
	snprintf(t->run.run_id, sizeof(t->run.run_id), "id");
	snprintf(t->run.image, sizeof(t->run.image), "0123456789abcdfghijklmnpqrsvwxyz-image");
	assert_ok(cuv_strv_add(&t->run.argv, "/bin/true"));
	t->fds[t->n_fds++] = cuv_memfd("stdin", "in", 2);
	for (i = 0; i < files; i++) {
		snprintf(name, sizeof(name), "f%zu", i);
		assert_ok(cuv_strv_add(&t->run.files, name));
		t->fds[t->n_fds++] = cuv_memfd(name, name, strlen(name));
	}
}

static void pair_of(int pair[2])
{
	assert_ok(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair));
}

TEST(travels_whole)
{
	struct cuv_task a, b;
	int pair[2], client[2];
	char text[8] = "";

	fill(&a, 2);
	pair_of(pair);
	pair_of(client);
	a.session = client[0];
	assert_ok(cuv_task_send(&a, pair[0]));
	assert_ok(cuv_task_recv(pair[1], &b));
	assert_int_equal(b.came_ns, 77);
	assert_string_equal(b.run.image, a.run.image);
	assert_int_equal(b.n_fds, 3);
	assert_true(pread(b.fds[0], text, sizeof(text), 0) == 2 && memcmp(text, "in", 2) == 0);
	assert_true(pread(b.fds[2], text, sizeof(text), 0) == 2 && memcmp(text, "f1", 2) == 0);
	assert_true(write(b.session, "x", 1) == 1 && read(client[1], text, 1) == 1);
	cuv_task_done(&a);
	cuv_task_done(&b);
	/* sending has left no copy of the session behind */
	assert_int_equal(read(client[1], text, 1), 0);
	close(client[1]);
	close(pair[0]);
	assert_int_equal(cuv_task_recv(pair[1], &b), 1);
	close(pair[1]);
}

/* A RUN as a client sends it, with n descriptors. */
static void send_run(const struct cuv_task *t, size_t n, int sock)
{
	_cleanup_writer_ struct cuv_writer w;

	cuv_writer_init(&w, CUV_MSG_RUN);
	cuv_run_put(&w, &t->run);
	assert_ok(cuv_writer_send(&w, sock, t->fds, n));
}

TEST(descriptors_must_be_as_many_as_said)
{
	struct cuv_task a, b = {.session = -5};
	int pair[2];
	size_t n;

	fill(&a, 1);
	pair_of(pair);
	for (n = 0; n <= 2; n++) {
		_cleanup_frame_ struct cuv_frame f = CUV_FRAME_INIT;

		send_run(&a, n, pair[0]);
		assert_ok(cuv_frame_recv(pair[1], &f));
		assert_int_equal(cuv_task_from_frame(&f, 9, &b), n == 2 ? 0 : -EBADMSG);
		assert_int_equal(b.session, n == 2 ? 9 : -5);
	}
	b.session = -1;
	cuv_task_done(&b);
	cuv_task_done(&a);
	close(pair[0]);
	close(pair[1]);
}

static enum cuv_error_code check_with(int fd, size_t at, uint64_t size)
{
	struct cuv_error err = CUV_ERROR_INIT;
	struct cuv_task t;
	int r;

	fill(&t, 1);
	if (fd >= 0) {
		close(t.fds[at]);
		t.fds[at] = fd;
	} else {
		close(t.fds[at]);
		t.fds[at] = memfd_create("sized", MFD_CLOEXEC);
		assert_ok(ftruncate(t.fds[at], (off_t)size));
	}
	r = cuv_task_check_fds(&t, &err);
	assert_int_equal(r, err.code == CUV_E_NONE ? 0 : -EINVAL);
	cuv_task_done(&t);
	return err.code;
}

TEST(descriptors_must_be_files)
{
	int fds[2];

	assert_ok(pipe(fds));
	assert_int_equal(check_with(fds[0], 0, 0), CUV_E_BAD_REQUEST);
	close(fds[1]);
	assert_int_equal(check_with(open("/dev/zero", O_RDONLY | O_CLOEXEC), 0, 0), CUV_E_BAD_REQUEST);
	assert_int_equal(check_with(open("/tmp", O_RDONLY | O_CLOEXEC), 1, 0), CUV_E_BAD_REQUEST);
	assert_int_equal(check_with(open("/etc/passwd", O_PATH | O_CLOEXEC), 1, 0), CUV_E_BAD_REQUEST);
	assert_int_equal(check_with(open("/etc/passwd", O_RDONLY | O_CLOEXEC), 1, 0), CUV_E_NONE);
}

TEST(sizes_are_bounded)
{
	assert_int_equal(check_with(-1, 0, CUV_STDIN_BYTES_MAX), CUV_E_NONE);
	assert_int_equal(check_with(-1, 0, CUV_STDIN_BYTES_MAX + 1), CUV_E_TOO_LARGE);
	assert_int_equal(check_with(-1, 1, CUV_UPLOAD_BYTES_MAX), CUV_E_NONE);
	assert_int_equal(check_with(-1, 1, CUV_UPLOAD_BYTES_MAX + 1), CUV_E_TOO_LARGE);
}

TEST(files_must_fit_into_the_folder)
{
	struct cuv_error err = CUV_ERROR_INIT;
	struct cuv_task t;

	fill(&t, 2);
	t.run.limits.value[CUV_LIMIT_WORK] = 8192; /* a page each */
	assert_ok(cuv_task_check_fds(&t, &err));
	t.run.limits.value[CUV_LIMIT_WORK] = 8191;
	assert_int_equal(cuv_task_check_fds(&t, &err), -EINVAL);
	assert_int_equal(err.code, CUV_E_LIMIT_EXCEEDED);
	t.run.limits.value[CUV_LIMIT_WORK] = 8192;
	t.run.limits.value[CUV_LIMIT_WORK_INODES] = 2; /* and the folder itself */
	assert_int_equal(cuv_task_check_fds(&t, &err), -EINVAL);
	cuv_task_done(&t);
}

/* What a run with a stream, or without one, is told about this descriptor as stdin. */
static enum cuv_error_code check_stream(int fd, bool stream)
{
	struct cuv_error err = CUV_ERROR_INIT;
	struct cuv_task t;

	fill(&t, 0);
	close(t.fds[0]);
	t.fds[0] = fd;
	t.run.stream = stream;
	(void)cuv_task_check_fds(&t, &err);
	cuv_task_done(&t);
	return err.code;
}

static int half_of(int family, int type)
{
	int pair[2];

	assert_ok(socketpair(family, type | SOCK_CLOEXEC, 0, pair));
	close(pair[1]);
	return pair[0];
}

TEST(a_stream_is_a_connected_unix_stream_socket_and_only_where_it_is_asked_for)
{
	int fds[2];

	assert_ok(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds));
	assert_int_equal(check_stream(fds[0], true), CUV_E_NONE);
	assert_int_equal(check_stream(fds[1], false), CUV_E_BAD_REQUEST);
	assert_int_equal(check_stream(half_of(AF_UNIX, SOCK_DGRAM), true), CUV_E_BAD_REQUEST);
	assert_int_equal(check_stream(half_of(AF_UNIX, SOCK_SEQPACKET), true), CUV_E_BAD_REQUEST);
	assert_int_equal(check_stream(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), true), CUV_E_BAD_REQUEST);
	assert_int_equal(check_stream(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), true), CUV_E_BAD_REQUEST);
	assert_int_equal(check_stream(cuv_memfd("stdin", "in", 2), true), CUV_E_BAD_REQUEST);
	assert_ok(pipe(fds));
	assert_int_equal(check_stream(fds[0], true), CUV_E_BAD_REQUEST);
	close(fds[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(travels_whole),
		cmocka_unit_test(descriptors_must_be_as_many_as_said),
		cmocka_unit_test(descriptors_must_be_files),
		cmocka_unit_test(sizes_are_bounded),
		cmocka_unit_test(files_must_fit_into_the_folder),
		cmocka_unit_test(a_stream_is_a_connected_unix_stream_socket_and_only_where_it_is_asked_for),
	};

	return cmocka_run_group_tests_name("launcher_task", tests, NULL, NULL);
}
