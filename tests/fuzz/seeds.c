/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Writes the fuzzer's first DNS messages into a directory: seeds DIR. Made, so that none is kept.
 */
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "../unit/dns_made.h"

#define SEEDS	200

static int seed_write(const char *directory, unsigned int number, const struct dns_made *made)
{
	_cleanup_free_ char *path = NULL;
	_cleanup_fclose_ FILE *file = NULL;

	if (asprintf(&path, "%s/made-%u", directory, number) < 0)
		return -1;
	file = fopen(path, "we");
	return file && fwrite(made->bytes, 1, made->len, file) == made->len ? 0 : -1;
}

int main(int argc, char **argv)
{
	struct generator generator = generator_seed(3);

	for (unsigned int i = 0; argc == 2 && i < SEEDS; i++) {
		struct dns_made made;

		if (i % 2)
			dns_make_question(&generator, &made);
		else
			dns_make_answer(&generator, &made);
		if (seed_write(argv[1], i, &made)) {
			perror(argv[1]);
			return 1;
		}
	}
	return argc != 2;
}
