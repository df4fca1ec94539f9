/* SPDX-License-Identifier: MIT */
#include "nixenv/builder/turn.h"

#include "lib/base/clock.h"
#include "lib/base/fd.h"
#include "lib/base/lease.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#define LOOK_MS 20
#define RETRY_AFTER_S 10

/* A lease for oneself alone, by the request's key: gone with whoever has it, and what a
 * dead one leaves of it is removed with the other lock files. */
int cuv_turn_take(const struct cuv_make *m, struct cuv_turn *ret, struct cuv_error *err)
{
	struct pollfd p = {.fd = m->cancel_fd, .events = POLLIN | POLLRDHUP};
	int fd;

	while ((fd = cuv_lease_seize(m->builder->state.leases, m->key.hex)) == -EBUSY) {
		if (cuv_now_ns() >= m->deadline_ns) {
			cuv_error_set(err, CUV_E_OVERLOADED,
				      "another builder was making the same environment for too long; try again");
			err->retry_after_s = RETRY_AFTER_S;
			return -EINVAL;
		}
		if (poll(&p, 1, LOOK_MS) > 0)
			return cuv_error_set(err, CUV_E_CANCELLED, "the request was given up");
	}
	if (fd < 0)
		return cuv_error_set_errno(err, fd, "a turn to work: %s", strerror(-fd));
	*ret = (struct cuv_turn){.m = m, .fd = fd};
	return 0;
}

/* The file goes while it is ours: whoever waits for it makes its own. */
void cuv_turn_done(struct cuv_turn *t)
{
	if (t->fd >= 0)
		(void)unlinkat(t->m->builder->state.leases, t->m->key.hex, 0);
	t->fd = cuv_close(t->fd);
}
