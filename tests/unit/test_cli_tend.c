/* SPDX-License-Identifier: MIT */
/* What the supervisor does for a part that is not there. */
#include "cli/tend.h"

#include "tests/unit/unit.h"

#include <sys/socket.h>
#include <unistd.h>

#define SENT (CUV_TEND_TURNED_AWAY_MAX + 36)

static void pauses_double_up_to_a_bound(void **state)
{
	(void)state;
	assert_int_equal(cuv_tend_pause_ms(0), 50);
	assert_int_equal(cuv_tend_pause_ms(1), 100);
	assert_int_equal(cuv_tend_pause_ms(6), 3200);
	assert_int_equal(cuv_tend_pause_ms(7), 5000);
	assert_int_equal(cuv_tend_pause_ms(4000000000u), 5000);
}

static void who_sends_without_an_end_does_not_hold_the_supervisor(void **state)
{
	struct cuv_joint j = CUV_JOINT_INIT;
	int pair[2], left = 0, i;
	char byte = 's';

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	j.worker = pair[0];
	for (i = 0; i < SENT; i++)
		assert_int_equal(send(pair[1], &byte, 1, MSG_DONTWAIT), 1);
	cuv_tend_turn_away(&j);
	while (recv(pair[0], &byte, 1, MSG_DONTWAIT) == 1)
		left++;
	assert_int_equal(left, SENT - CUV_TEND_TURNED_AWAY_MAX);
	close(pair[0]);
	close(pair[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pauses_double_up_to_a_bound),
		cmocka_unit_test(who_sends_without_an_end_does_not_hold_the_supervisor),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
