/* SPDX-License-Identifier: MIT */
#include "lib/base/fd.h"
#include "tests/unit/unit.h"
#include "worker-image/launcher/output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct fixture {
	struct cuv_pump pump;
	int out, err; /* write ends */
	int client, session;
};

static void fixture_init(struct fixture *f, uint64_t out_limit, uint64_t err_limit)
{
	struct cuv_limits l;
	int out[2], err[2], pair[2];

	cuv_limits_default(&l);
	l.value[CUV_LIMIT_STDOUT] = out_limit;
	l.value[CUV_LIMIT_STDERR] = err_limit;
	assert_ok(pipe(out));
	assert_ok(pipe(err));
	assert_ok(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair));
	assert_ok(cuv_set_nonblock(out[0], true));
	assert_ok(cuv_set_nonblock(err[0], true));
	assert_ok(cuv_set_nonblock(pair[0], true));
	f->out = out[1];
	f->err = err[1];
	f->session = pair[0];
	f->client = pair[1];
	cuv_pump_init(&f->pump, f->session, out[0], err[0], &l);
}

static void fixture_done(struct fixture *f)
{
	cuv_pump_done(&f->pump);
	cuv_close(f->out);
	cuv_close(f->err);
	cuv_close(f->session);
	cuv_close(f->client);
}

/* What the client has got of a stream in one frame; -1 when there is none. */
static ssize_t next_frame(struct fixture *f, enum cuv_stream stream, char *ret, size_t size)
{
	_cleanup_frame_ struct cuv_frame frame = CUV_FRAME_INIT;
	struct cuv_output o;

	assert_ok(cuv_set_nonblock(f->client, true));
	if (cuv_frame_recv(f->client, &frame) != 0)
		return -1;
	assert_int_equal(frame.type, CUV_MSG_RUN_OUTPUT);
	assert_ok(cuv_output_get(&frame.body, &o));
	assert_int_equal(o.stream, stream);
	assert_true(o.len <= size);
	memcpy(ret, o.data, o.len);
	return (ssize_t)o.len;
}

TEST(bytes_pass_in_order)
{
	struct fixture f;
	char got[64];

	fixture_init(&f, 100, 100);
	assert_ok(cuv_write_all(f.out, "one", 3));
	assert_ok(cuv_write_all(f.err, "two\0", 4));
	cuv_pump_step(&f.pump, 0);
	cuv_pump_step(&f.pump, 1);
	assert_int_equal(next_frame(&f, CUV_STREAM_STDOUT, got, sizeof(got)), 3);
	assert_memory_equal(got, "one", 3);
	assert_int_equal(next_frame(&f, CUV_STREAM_STDERR, got, sizeof(got)), 4);
	assert_memory_equal(got, "two\0", 4);
	cuv_pump_step(&f.pump, 0); /* nothing there is no end */
	assert_false(cuv_pump_finished(&f.pump));
	f.out = cuv_close(f.out);
	f.err = cuv_close(f.err);
	cuv_pump_step(&f.pump, 0);
	cuv_pump_step(&f.pump, 1);
	assert_true(cuv_pump_finished(&f.pump));
	assert_false(cuv_pump_truncated(&f.pump));
	fixture_done(&f);
}

TEST(the_limit_is_exact)
{
	struct fixture f;
	char got[64];

	fixture_init(&f, 5, 5);
	assert_ok(cuv_write_all(f.out, "12345", 5));
	cuv_pump_step(&f.pump, 0);
	assert_int_equal(next_frame(&f, CUV_STREAM_STDOUT, got, sizeof(got)), 5);
	assert_false(cuv_pump_truncated(&f.pump)); /* as much as may be is not too much */
	assert_ok(cuv_write_all(f.out, "6", 1));
	cuv_pump_step(&f.pump, 0);
	assert_true(cuv_pump_truncated(&f.pump));
	assert_int_equal(next_frame(&f, CUV_STREAM_STDOUT, got, sizeof(got)), -1);
	/* the other stream has its own */
	assert_ok(cuv_write_all(f.err, "123456789", 9));
	cuv_pump_step(&f.pump, 1);
	assert_int_equal(next_frame(&f, CUV_STREAM_STDERR, got, sizeof(got)), 5);
	assert_memory_equal(got, "12345", 5);
	assert_true(f.pump.stream[1].truncated);
	fixture_done(&f);
}

TEST(a_slow_client_holds_it_up)
{
	static char chunk[CUV_OUTPUT_CHUNK_MAX], got[CUV_OUTPUT_CHUNK_MAX];
	struct fixture f;
	uint64_t total = 0;
	ssize_t n;

	fixture_init(&f, 16 * CUV_MIB, 1);
	while (!f.pump.has_pending) {
		assert_ok(cuv_write_all(f.out, chunk, sizeof(chunk)));
		cuv_pump_step(&f.pump, 0);
	}
	cuv_pump_flush(&f.pump); /* still no room */
	assert_true(f.pump.has_pending);
	assert_false(cuv_pump_finished(&f.pump));
	while ((n = next_frame(&f, CUV_STREAM_STDOUT, got, sizeof(got))) >= 0) {
		total += (uint64_t)n;
		cuv_pump_flush(&f.pump);
	}
	assert_false(f.pump.has_pending);
	assert_int_equal(total, f.pump.stream[0].sent); /* nothing is lost */
	fixture_done(&f);
}

TEST(a_client_that_is_gone)
{
	struct fixture f;

	fixture_init(&f, 100, 100);
	f.client = cuv_close(f.client);
	assert_ok(cuv_write_all(f.out, "x", 1));
	cuv_pump_step(&f.pump, 0);
	assert_int_equal(f.pump.session, -1);
	assert_false(f.pump.has_pending);
	assert_ok(cuv_write_all(f.out, "y", 1)); /* read and dropped */
	cuv_pump_step(&f.pump, 0);
	assert_int_equal(f.pump.stream[0].sent, 2);
	fixture_done(&f);
}

/* A zygote may keep the other end of a pipe for as long as it likes. */
static void a_stream_is_over_when_nobody_is_left_to_write(void **state)
{
	struct fixture f;
	char text[16];

	(void)state;
	fixture_init(&f, 100, 100);
	assert_int_equal(write(f.out, "all", 3), 3);
	cuv_pump_step(&f.pump, 0);
	assert_int_equal(next_frame(&f, CUV_STREAM_STDOUT, text, sizeof(text)), 3);
	cuv_pump_end(&f.pump, 0);
	assert_false(cuv_pump_finished(&f.pump));
	cuv_pump_end(&f.pump, 1);
	assert_true(cuv_pump_finished(&f.pump));
	assert_false(cuv_pump_truncated(&f.pump));
	fixture_done(&f);
}

static void a_stream_that_can_not_be_read_is_not_an_empty_one(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f, 100, 100);
	cuv_close(f.err);
	f.err = -1;
	cuv_pump_step(&f.pump, 1); /* its end */
	assert_int_equal(f.pump.broken, 0);
	cuv_close(f.pump.stream[0].fd);
	f.pump.stream[0].fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cuv_pump_step(&f.pump, 0);
	assert_int_equal(f.pump.broken, -EISDIR);
	assert_true(cuv_pump_finished(&f.pump));
	fixture_done(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_stream_is_over_when_nobody_is_left_to_write),
		cmocka_unit_test(a_stream_that_can_not_be_read_is_not_an_empty_one),
		cmocka_unit_test(bytes_pass_in_order),
		cmocka_unit_test(the_limit_is_exact),
		cmocka_unit_test(a_slow_client_holds_it_up),
		cmocka_unit_test(a_client_that_is_gone),
	};

	return cmocka_run_group_tests_name("launcher_output", tests, NULL, NULL);
}
