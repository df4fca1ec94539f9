/* SPDX-License-Identifier: MIT */
/*
 * Input: what a Nix daemon says: messages up to the last or an error, then strings. All
 * of it is read or refused, whatever lengths it claims, and what a build printed never
 * decides what kind of failure it was.
 */
#include "lib/base/fd.h"
#include "nixenv/builder/nix_wire.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_buf_ struct cuv_buf text = CUV_BUF_INIT(100);
	_cleanup_close_ int fd = memfd_create("input", MFD_CLOEXEC);
	struct cuv_nix_wire w = CUV_NIX_WIRE_INIT(fd);
	struct cuv_error err = CUV_ERROR_INIT;
	struct cuv_nix_log log;
	int r;

	cuv_assert(fd >= 0 && cuv_write_all(fd, data, size) == 0 && lseek(fd, 0, SEEK_SET) == 0);
	cuv_nix_log_init(&log);
	r = cuv_nix_wire_messages(&w, &log);
	cuv_assert(r == 0 || r == -EREMOTEIO || r == -EPROTO || r == -EPIPE || r == -ENOMEM);
	while (r == 0) {
		r = cuv_nix_wire_string(&w, &text);
		cuv_assert(text.len <= text.max && cuv_buf_err(&text) == 0);
	}
	cuv_assert(cuv_nix_log_error(&log, &err) == -EINVAL && err.code != CUV_E_NONE);
	cuv_nix_log_done(&log);
	return 0;
}
