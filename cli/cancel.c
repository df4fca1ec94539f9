/* SPDX-License-Identifier: MIT */
#include "cli/cancel.h"

#include "lib/base/fd.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

int cuv_cancel_init(struct cuv_cancel *c)
{
	struct epoll_event readable = {.events = EPOLLIN};
	sigset_t set;

	*c = CUV_CANCEL_INIT;
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	(void)signal(SIGPIPE, SIG_IGN);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -errno;
	c->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	c->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	c->fd = epoll_create1(EPOLL_CLOEXEC);
	if (c->signals < 0 || c->event < 0 || c->fd < 0 || epoll_ctl(c->fd, EPOLL_CTL_ADD, c->signals, &readable) < 0 ||
	    epoll_ctl(c->fd, EPOLL_CTL_ADD, c->event, &readable) < 0)
		return -errno;
	return 0;
}

void cuv_cancel_done(struct cuv_cancel *c)
{
	cuv_close(c->fd);
	cuv_close(c->signals);
	cuv_close(c->event);
	*c = CUV_CANCEL_INIT;
}

void cuv_cancel_now(struct cuv_cancel *c)
{
	(void)eventfd_write(c->event, 1);
}

int cuv_cancel_signal(struct cuv_cancel *c)
{
	struct signalfd_siginfo si;

	return read(c->signals, &si, sizeof(si)) == (ssize_t)sizeof(si) ? (int)si.ssi_signo : 0;
}

_noreturn_ void cuv_cancel_die(int sig)
{
	sigset_t set;

	fflush(NULL);
	(void)signal(sig, SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, sig);
	(void)sigprocmask(SIG_UNBLOCK, &set, NULL);
	(void)raise(sig);
	_exit(128 + sig);
}

int cuv_cancel_wait(const struct cuv_cancel *c, int fd, short events)
{
	struct pollfd fds[] = {{.fd = c->fd, .events = POLLIN}, {.fd = fd, .events = events}};

	while (poll(fds, ARRAY_SIZE(fds), -1) < 0)
		if (errno != EINTR)
			return -errno;
	return fds[0].revents ? -ECANCELED : 0;
}
