/* SPDX-License-Identifier: MIT */
/* A daemon that says nothing, or not all, holds nobody up beyond the deadline. */
#include "nixenv/builder/nix_wire.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

TEST(silence_ends_with_the_deadline)
{
	struct cuv_nix_wire w;
	uint64_t value = 0;
	int ends[2];

	assert_ok(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends));
	w = CUV_NIX_WIRE_INIT(ends[0]);
	w.deadline_ns = cuv_deadline_ms(20);
	assert_int_equal(write(ends[1], "half", 4), 4);
	assert_int_equal(cuv_nix_wire_u64(&w, &value), -ETIMEDOUT);
	assert_true(cuv_now_ns() >= w.deadline_ns);
	(void)close(ends[0]);
	(void)close(ends[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(silence_ends_with_the_deadline),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
