/* SPDX-License-Identifier: MIT */
#include "lib/base/hash.h"

#include "lib/base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOCK_BYTES 65536

void cuv_sha256(const void *data, size_t len, struct cuv_sha256 *ret)
{
	crypto_hash_sha256(ret->bytes, data, len);
}

int cuv_sha256_file(const char *path, struct cuv_sha256 *ret)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	crypto_hash_sha256_state state;
	unsigned char block[BLOCK_BYTES];
	struct stat st;
	ssize_t n;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	crypto_hash_sha256_init(&state);
	while ((n = read(fd, block, sizeof(block))) > 0)
		crypto_hash_sha256_update(&state, block, (unsigned long long)n);
	crypto_hash_sha256_final(&state, ret->bytes);
	return n < 0 ? -errno : 0;
}

void cuv_hex(const void *data, size_t len, char *ret)
{
	sodium_bin2hex(ret, len * 2 + 1, data, len);
}

int cuv_unhex(const char *text, size_t len, void *ret)
{
	size_t n;

	if (strlen(text) != len * 2)
		return -EINVAL;
	if (sodium_hex2bin(ret, len, text, len * 2, NULL, &n, NULL) != 0 || n != len)
		return -EINVAL;
	return 0;
}

void cuv_random_id(char ret[CUV_ID_HEX_SIZE])
{
	uint8_t bytes[16];

	randombytes_buf(bytes, sizeof(bytes));
	cuv_hex(bytes, sizeof(bytes), ret);
}
