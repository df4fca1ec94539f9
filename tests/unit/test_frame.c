/* SPDX-License-Identifier: MIT */
#include "lib/base/clock.h"
#include "lib/base/fd.h"
#include "lib/proto/frame.h"
#include "tests/unit/unit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define TYPE 77

struct pair {
	int a;
	int b;
};

static struct pair make_pair(void)
{
	int fds[2];

	assert_ok(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds));
	return (struct pair){fds[0], fds[1]};
}

static void close_pair(struct pair *p)
{
	p->a = cuv_close(p->a);
	p->b = cuv_close(p->b);
}

static size_t open_descriptors(void)
{
	DIR *d = opendir("/proc/self/fd");
	size_t n = 0;

	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

TEST(all_kinds_of_fields_arrive)
{
	struct pair p = make_pair();
	_cleanup_strv_ struct cuv_strv list = CUV_STRV_INIT, got = CUV_STRV_INIT;
	_cleanup_frame_ struct cuv_frame f = CUV_FRAME_INIT;
	_cleanup_writer_ struct cuv_writer w;
	char text[16];
	size_t len;

	assert_ok(cuv_strv_add(&list, "one"));
	assert_ok(cuv_strv_add(&list, ""));
	cuv_writer_init(&w, TYPE);
	cuv_put_u8(&w, 0xab);
	cuv_put_u16(&w, 0xabcd);
	cuv_put_u32(&w, 0xabcdef01);
	cuv_put_u64(&w, 0xabcdef0123456789);
	cuv_put_str(&w, "text");
	cuv_put_bytes(&w, "a\0b", 3);
	cuv_put_strv(&w, &list);
	assert_ok(cuv_writer_send(&w, p.a, NULL, 0));
	assert_ok(cuv_frame_recv(p.b, &f));
	assert_int_equal(f.type, TYPE);
	assert_int_equal(cuv_get_u8(&f.body), 0xab);
	assert_int_equal(cuv_get_u16(&f.body), 0xabcd);
	assert_true(cuv_get_u32(&f.body) == 0xabcdef01);
	assert_true(cuv_get_u64(&f.body) == 0xabcdef0123456789);
	cuv_get_str(&f.body, text, sizeof(text));
	assert_string_equal(text, "text");
	assert_memory_equal(cuv_get_bytes(&f.body, 3, &len), "a\0b", 3);
	assert_int_equal(len, 3);
	cuv_get_strv(&f.body, 2, 3, &got);
	assert_int_equal(got.n, 2);
	assert_string_equal(got.items[0], "one");
	assert_string_equal(got.items[1], "");
	assert_ok(cuv_reader_end(&f.body));
	close_pair(&p);
}

TEST(the_bytes_on_the_wire_are_these)
{
	struct pair p = make_pair();
	_cleanup_writer_ struct cuv_writer w;
	char got[64];

	cuv_writer_init(&w, 0x0102);
	cuv_put_u32(&w, 5);
	assert_ok(cuv_writer_send(&w, p.a, NULL, 0));
	assert_int_equal(read(p.b, got, sizeof(got)), 12);
	assert_memory_equal(got, "\x01\x00\x02\x01\x04\x00\x00\x00\x05\x00\x00\x00", 12);
	close_pair(&p);
}

static struct cuv_reader reader_of(const char *bytes, size_t len)
{
	return (struct cuv_reader){.at = (const uint8_t *)bytes, .left = len};
}

TEST(a_reader_that_failed_stays_failed)
{
	struct cuv_reader r = reader_of("\x01\x02\x03", 3);
	char text[8] = "before";
	size_t len;

	assert_int_equal(cuv_get_u32(&r), 0);
	assert_int_equal(cuv_get_u8(&r), 0); /* though a byte is there */
	assert_int_equal(cuv_reader_end(&r), -EBADMSG);
	cuv_get_str(&r, text, sizeof(text));
	assert_string_equal(text, "");
	assert_null(cuv_get_bytes(&r, 10, &len));
}

TEST(lengths_are_checked_before_they_are_believed)
{
	_cleanup_strv_ struct cuv_strv v = CUV_STRV_INIT;
	struct cuv_reader r = reader_of("\xff\xff\xff\xff"
					"abc",
					7);
	char text[4];
	size_t len;

	assert_null(cuv_get_bytes(&r, SIZE_MAX, &len));
	assert_int_equal(r.err, -EBADMSG);
	r = reader_of("\x04\0\0\0"
		      "abcd",
		      8); /* no room for the NUL */
	cuv_get_str(&r, text, sizeof(text));
	assert_int_equal(r.err, -EBADMSG);
	r = reader_of("\x03\0\0\0"
		      "a\0b",
		      7); /* a NUL inside */
	cuv_get_str(&r, text, sizeof(text));
	assert_int_equal(r.err, -EBADMSG);
	r = reader_of("\xff\xff\xff\x7f", 4); /* a list of 2^31 */
	cuv_get_strv(&r, 10, 10, &v);
	assert_int_equal(r.err, -EBADMSG);
	r = reader_of("\x01\0\0\0"
		      "\x02\0\0\0"
		      "ab",
		      10); /* an item too long */
	cuv_get_strv(&r, 10, 1, &v);
	assert_int_equal(r.err, -EBADMSG);
	r = reader_of("\x00", 1); /* something left over */
	assert_int_equal(cuv_reader_end(&r), -EBADMSG);
}

TEST(a_frame_must_be_what_its_header_says)
{
	static const struct {
		const char *bytes;
		size_t len;
	} bad[] = {
		{"", 0},
		{"\1\0\1\0\0\0\0", 7},
		{"\1\0\1\0\1\0\0\0", 8},
		{"\1\0\1\0\0\0\0\0x", 9},
		{"\2\0\1\0\0\0\0\0", 8},
		{"\1\0\1\0\xff\xff\xff\xff", 8},
	};
	struct cuv_reader body;
	uint16_t type = 9;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(cuv_frame_parse((const uint8_t *)bad[i].bytes, bad[i].len, &type, &body), -EBADMSG);
	assert_int_equal(type, 9);
	assert_ok(cuv_frame_parse((const uint8_t *)"\1\0\1\0\0\0\0\0", 8, &type, &body));
	assert_int_equal(type, 1);
}

TEST(the_largest_frame_passes_and_no_larger_one)
{
	struct pair p = make_pair();
	_cleanup_frame_ struct cuv_frame f = CUV_FRAME_INIT;
	_cleanup_free_ char *bytes = calloc(1, CUV_FRAME_MAX);
	struct cuv_writer w;
	size_t len;

	cuv_writer_init(&w, TYPE);
	cuv_put_bytes(&w, bytes, CUV_FRAME_MAX - CUV_FRAME_HEADER - 4);
	assert_ok(cuv_writer_send(&w, p.a, NULL, 0));
	cuv_writer_done(&w);
	assert_ok(cuv_frame_recv(p.b, &f));
	assert_non_null(cuv_get_bytes(&f.body, SIZE_MAX, &len));
	assert_int_equal(len, CUV_FRAME_MAX - CUV_FRAME_HEADER - 4);
	cuv_frame_done(&f);
	cuv_writer_init(&w, TYPE);
	cuv_put_bytes(&w, bytes, CUV_FRAME_MAX - CUV_FRAME_HEADER - 3);
	assert_int_equal(cuv_writer_send(&w, p.a, NULL, 0), -E2BIG);
	cuv_writer_done(&w);
	/* one that is longer than a frame may be, from a sender without our writer */
	bytes[0] = 1;
	assert_int_equal(send(p.a, bytes, CUV_FRAME_MAX, 0), CUV_FRAME_MAX);
	assert_int_equal(cuv_frame_recv(p.b, &f), -EBADMSG);
	assert_null(f.data);
	close_pair(&p);
}

TEST(descriptors_travel_and_are_closed_when_nobody_takes_them)
{
	struct pair p = make_pair(), passed = make_pair();
	_cleanup_frame_ struct cuv_frame f = CUV_FRAME_INIT;
	_cleanup_writer_ struct cuv_writer w;
	int fds[] = {passed.a, passed.b}, taken;
	size_t before = open_descriptors();

	cuv_writer_init(&w, TYPE);
	assert_ok(cuv_writer_send(&w, p.a, fds, 2));
	assert_ok(cuv_frame_recv(p.b, &f));
	assert_int_equal(f.n_fds, 2);
	assert_int_equal(open_descriptors(), before + 2);
	taken = cuv_frame_take_fd(&f, 1);
	assert_true(fcntl(taken, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(cuv_frame_take_fd(&f, 1), -1);
	assert_int_equal(cuv_frame_take_fd(&f, 2), -1);
	cuv_frame_done(&f);
	assert_int_equal(open_descriptors(), before + 1);
	cuv_close(taken);
	close_pair(&passed);
	close_pair(&p);
}

TEST(too_many_descriptors_are_refused_and_none_leaks)
{
	struct pair p = make_pair();
	union {
		char bytes[CMSG_SPACE(sizeof(int) * (CUV_FRAME_FDS_MAX + 4))];
		struct cmsghdr align;
	} control = {0};
	char head[8] = {1, 0, TYPE, 0, 0, 0, 0, 0};
	struct iovec iov = {head, sizeof(head)};
	struct msghdr m = {.msg_iov = &iov,
			   .msg_iovlen = 1,
			   .msg_control = control.bytes,
			   .msg_controllen = sizeof(control.bytes)};
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	_cleanup_frame_ struct cuv_frame f = CUV_FRAME_INIT;
	size_t i, before = open_descriptors();

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int) * (CUV_FRAME_FDS_MAX + 4));
	for (i = 0; i < CUV_FRAME_FDS_MAX + 4; i++)
		memcpy(CMSG_DATA(c) + i * sizeof(int), &p.a, sizeof(int));
	assert_true(sendmsg(p.a, &m, 0) >= 0);
	assert_int_equal(cuv_frame_recv(p.b, &f), -EBADMSG);
	assert_int_equal(open_descriptors(), before);
	close_pair(&p);
}

/* Closing with something unread resets the connection; a refusal sent before that
 * must be heard all the same. */
TEST(last_words_come_before_a_reset)
{
	struct pair p = make_pair();
	struct cuv_frame f = CUV_FRAME_INIT;
	struct cuv_writer w;

	cuv_writer_init(&w, TYPE);
	assert_ok(cuv_writer_send(&w, p.a, NULL, 0));
	assert_ok(cuv_writer_send(&w, p.b, NULL, 0));
	cuv_writer_done(&w);
	p.b = cuv_close(p.b);
	assert_ok(cuv_frame_recv(p.a, &f));
	assert_int_equal(f.type, TYPE);
	cuv_frame_done(&f);
	assert_int_equal(cuv_frame_recv(p.a, &f), 1);
	close_pair(&p);
}

TEST(ends_and_waits_are_told_apart)
{
	struct pair p = make_pair();
	_cleanup_frame_ struct cuv_frame f = CUV_FRAME_INIT;
	_cleanup_writer_ struct cuv_writer w;

	assert_int_equal(cuv_frame_recv_until(p.b, cuv_deadline_ms(20), &f), -ETIMEDOUT);
	assert_ok(cuv_set_nonblock(p.b, true));
	assert_int_equal(cuv_frame_recv(p.b, &f), -EAGAIN);
	p.a = cuv_close(p.a);
	assert_int_equal(cuv_frame_recv(p.b, &f), 1);
	cuv_writer_init(&w, TYPE);
	assert_int_equal(cuv_writer_send(&w, p.b, NULL, 0), -EPIPE);
	close_pair(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_kinds_of_fields_arrive),
		cmocka_unit_test(the_bytes_on_the_wire_are_these),
		cmocka_unit_test(a_reader_that_failed_stays_failed),
		cmocka_unit_test(lengths_are_checked_before_they_are_believed),
		cmocka_unit_test(a_frame_must_be_what_its_header_says),
		cmocka_unit_test(the_largest_frame_passes_and_no_larger_one),
		cmocka_unit_test(descriptors_travel_and_are_closed_when_nobody_takes_them),
		cmocka_unit_test(too_many_descriptors_are_refused_and_none_leaks),
		cmocka_unit_test(last_words_come_before_a_reset),
		cmocka_unit_test(ends_and_waits_are_told_apart),
	};

	return cmocka_run_group_tests_name("frame", tests, NULL, NULL);
}
