/* SPDX-License-Identifier: MIT */
/* The cutting of slow connections, and the finding of a connection's descriptor. */
#include "lib/base/clock.h"
#include "lib/base/fd.h"
#include "manager/accept.h"
#include "manager/http.h"
#include "manager/watch.h"
#include "tests/unit/unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define N 3

static void make_pair(int pair[2])
{
	assert_ok(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
}

static void close_pair(int pair[2])
{
	cuv_close(pair[0]);
	cuv_close(pair[1]);
}

#define PATIENCE_MS 60000 /* for what comes in the end */

/* What a read gives within the time: bytes, 0 for the end, -1 for nothing. */
static ssize_t read_within(int fd, int ms)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	char c;

	return poll(&p, 1, ms) > 0 ? read(fd, &c, 1) : -1;
}

TEST(a_deadline_ends_reading_and_leaves_writing)
{
	struct cuv_watch w;
	int pair[2];
	size_t slot;

	assert_ok(cuv_watch_start(&w, N));
	make_pair(pair);
	slot = cuv_watch_enter(&w, pair[0]);
	assert_int_equal(read_within(pair[0], 300), -1); /* no deadline yet */
	cuv_watch_set(&w, slot, cuv_deadline_ms(50), SHUT_RD);
	assert_int_equal(read_within(pair[0], PATIENCE_MS), 0);
	assert_true(cuv_watch_was_cut(&w, slot));
	assert_int_equal(write(pair[0], "x", 1), 1);
	assert_int_equal(read_within(pair[1], PATIENCE_MS), 1);
	/* the next deadline is another matter */
	cuv_watch_set(&w, slot, CUV_NEVER, SHUT_RDWR);
	assert_false(cuv_watch_was_cut(&w, slot));
	cuv_watch_leave(&w, slot);
	close_pair(pair);
	cuv_watch_stop(&w);
}

/* Whether we were there in time, each time. */
static bool moves_on(struct cuv_watch *w, size_t slot)
{
	uint64_t last = cuv_now_ns(), now;
	bool in_time = true;
	int i;

	for (i = 0; i < 10; i++) {
		cuv_watch_set(w, slot, cuv_deadline_ms(300), SHUT_RDWR);
		usleep(50000);
		now = cuv_now_ns();
		in_time = in_time && now - last < 250 * CUV_NS_PER_MS;
		last = now;
	}
	return in_time;
}

TEST(a_deadline_that_moves_on_cuts_nobody)
{
	struct cuv_watch w;
	int pair[2], tries;
	size_t slot;

	assert_ok(cuv_watch_start(&w, N));
	for (tries = 0; tries < 50; tries++) {
		make_pair(pair);
		slot = cuv_watch_enter(&w, pair[0]);
		if (moves_on(&w, slot))
			break;
		cuv_watch_leave(&w, slot);
		close_pair(pair);
	}
	assert_true(tries < 50);
	assert_false(cuv_watch_was_cut(&w, slot));
	assert_int_equal(read_within(pair[0], PATIENCE_MS), 0);
	assert_int_equal(read_within(pair[1], PATIENCE_MS), 0); /* both directions */
	cuv_watch_leave(&w, slot);
	close_pair(pair);
	cuv_watch_stop(&w);
}

TEST(who_has_left_is_not_cut)
{
	struct cuv_watch w;
	int pair[2];
	size_t slot;

	assert_ok(cuv_watch_start(&w, N));
	make_pair(pair);
	slot = cuv_watch_enter(&w, pair[0]);
	cuv_watch_set(&w, slot, cuv_deadline_ms(150), SHUT_RDWR);
	cuv_watch_leave(&w, slot);
	assert_int_equal(read_within(pair[0], 500), -1);
	/* and its place is free again, with nothing of it left */
	slot = cuv_watch_enter(&w, pair[0]);
	assert_int_equal(read_within(pair[0], 300), -1);
	cuv_watch_leave(&w, slot);
	close_pair(pair);
	cuv_watch_stop(&w);
}

TEST(all_can_be_cut_at_once)
{
	struct cuv_watch w;
	int pairs[N][2];
	size_t slots[N], i;

	assert_ok(cuv_watch_start(&w, N));
	for (i = 0; i < N; i++) {
		make_pair(pairs[i]);
		slots[i] = cuv_watch_enter(&w, pairs[i][0]);
	}
	cuv_watch_cut_all(&w);
	for (i = 0; i < N; i++) {
		assert_int_equal(read_within(pairs[i][1], 0), 0);
		assert_true(cuv_watch_was_cut(&w, slots[i]));
		cuv_watch_leave(&w, slots[i]);
		close_pair(pairs[i]);
	}
	cuv_watch_stop(&w);
}

/* --- descriptors --- */

struct tcp {
	int listener;
	int client;
	int accepted;
	struct mg_request_info info;
};

static void connect_tcp(struct tcp *t, uint32_t address, const int *listener)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(address)}, peer;
	socklen_t len = sizeof(a);

	*t = (struct tcp){.listener = listener ? *listener : socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
	if (!listener) {
		assert_ok(bind(t->listener, (struct sockaddr *)&a, sizeof(a)));
		assert_ok(listen(t->listener, 5));
	}
	assert_ok(getsockname(t->listener, (struct sockaddr *)&a, &len));
	t->client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_ok(connect(t->client, (struct sockaddr *)&a, sizeof(a)));
	len = sizeof(peer);
	t->accepted = accept(t->listener, (struct sockaddr *)&peer, &len);
	assert_true(t->accepted >= 0);
	snprintf(t->info.remote_addr, sizeof(t->info.remote_addr), "%s", inet_ntoa(peer.sin_addr));
	t->info.remote_port = ntohs(peer.sin_port);
	t->info.server_port = ntohs(a.sin_port);
}

static void close_tcp(struct tcp *t, bool listener)
{
	cuv_close(t->client);
	cuv_close(t->accepted);
	if (listener)
		cuv_close(t->listener);
}

TEST(a_connection_is_found_by_its_peer)
{
	struct tcp one, two;

	connect_tcp(&one, INADDR_LOOPBACK, NULL);
	connect_tcp(&two, INADDR_LOOPBACK, &one.listener);
	assert_int_equal(cuv_http_find_fd(&one.info, 64, false), one.accepted);
	assert_int_equal(cuv_http_find_fd(&two.info, 64, true), two.accepted);
	assert_int_equal(cuv_accept_find(&one.info), one.accepted);
	assert_int_equal(cuv_accept_find(&two.info), two.accepted);
	two.info.remote_port ^= 1;
	assert_true(cuv_accept_find(&two.info) < 0);
	assert_int_equal(cuv_http_find_fd(&two.info, 64, false), -ENOTCONN);
	/* below the given bound only */
	assert_int_equal(cuv_http_find_fd(&one.info, one.accepted, false), -ENOTCONN);
	close_tcp(&two, false);
	assert_int_equal(cuv_http_find_fd(&one.info, 64, false), one.accepted);
	close_tcp(&one, true);
	assert_int_equal(cuv_http_find_fd(&one.info, 64, false), -ENOTCONN);
	assert_true(cuv_accept_find(&one.info) < 0);
}

TEST(two_that_look_alike_are_none)
{
	struct tcp t;
	int copy;

	connect_tcp(&t, INADDR_LOOPBACK, NULL);
	copy = fcntl(t.accepted, F_DUPFD_CLOEXEC, 0);
	assert_int_equal(cuv_http_find_fd(&t.info, 64, true), -ENOTUNIQ);
	cuv_close(copy);
	assert_int_equal(cuv_http_find_fd(&t.info, 64, true), t.accepted);
	close_tcp(&t, true);
}

/* The same address and port may be at two of the listener's addresses. */
static int connect_from(const struct sockaddr_in *from, const char *to, uint16_t port)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
	const int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_ok(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)));
	assert_int_equal(inet_pton(AF_INET, to, &address.sin_addr), 1);
	assert_ok(bind(fd, (const struct sockaddr *)from, sizeof(*from)));
	assert_ok(connect(fd, (struct sockaddr *)&address, sizeof(address)));
	return fd;
}

TEST(what_is_not_sure_is_not_known)
{
	struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)}, any;
	struct mg_request_info info = {.remote_addr = "127.0.0.1"};
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), client[2], accepted[2];
	socklen_t len = sizeof(any);

	any = (struct sockaddr_in){.sin_family = AF_INET};
	assert_ok(bind(listener, (struct sockaddr *)&any, sizeof(any)));
	assert_ok(listen(listener, 5));
	assert_ok(getsockname(listener, (struct sockaddr *)&any, &len));
	client[0] = connect_from(&from, "127.0.0.1", ntohs(any.sin_port));
	len = sizeof(from);
	assert_ok(getsockname(client[0], (struct sockaddr *)&from, &len));
	accepted[0] = accept(listener, (struct sockaddr *)&any, &len);
	info.remote_port = ntohs(from.sin_port);
	assert_int_equal(cuv_accept_find(&info), accepted[0]);
	len = sizeof(any);
	assert_ok(getsockname(listener, (struct sockaddr *)&any, &len));
	client[1] = connect_from(&from, "127.0.0.2", ntohs(any.sin_port));
	len = sizeof(any);
	accepted[1] = accept(listener, (struct sockaddr *)&any, &len);
	assert_int_equal(ntohs(any.sin_port), info.remote_port);
	assert_true(cuv_accept_find(&info) < 0);
	assert_int_equal(cuv_http_find_fd(&info, 64, true), -ENOTUNIQ);
	for (int i = 0; i < 2; i++) {
		cuv_close(client[i]);
		cuv_close(accepted[i]);
	}
	cuv_close(listener);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_deadline_ends_reading_and_leaves_writing),
		cmocka_unit_test(a_deadline_that_moves_on_cuts_nobody),
		cmocka_unit_test(who_has_left_is_not_cut),
		cmocka_unit_test(all_can_be_cut_at_once),
		cmocka_unit_test(a_connection_is_found_by_its_peer),
		cmocka_unit_test(two_that_look_alike_are_none),
		cmocka_unit_test(what_is_not_sure_is_not_known),
	};

	return cmocka_run_group_tests_name("http watch", tests, NULL, NULL);
}
