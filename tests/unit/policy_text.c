/* SPDX-License-Identifier: GPL-2.0 */
/* See policy_text.h. Each test is a process of its own, so it may change its working directory. */
#include "policy_text.h"

#include <criterion/criterion.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"

void file_write(const char *path, const char *bytes, size_t len)
{
	_cleanup_fclose_ FILE *file = fopen(path, "we");

	cr_assert(file && fwrite(bytes, 1, len, file) == len, "cannot write %s", path);
}

struct loaded policy_load_request(const struct policy_request *request)
{
	struct loaded loaded = {};
	size_t len;

	loaded.diag.out = open_memstream(&loaded.messages, &len);
	cr_assert_not_null(loaded.diag.out);
	loaded.result = policy_load(request, &loaded.diag, &loaded.policy);
	fclose(loaded.diag.out);
	loaded.diag.out = NULL;
	return loaded;
}

struct loaded policy_load_bytes(const char *bytes, size_t len, struct policy_request *request)
{
	char folder[] = "/tmp/buildfence-unit-XXXXXX";
	struct loaded loaded;

	cr_assert(mkdtemp(folder) && !chdir(folder), "cannot make %s", folder);
	file_write("job.yaml", bytes, len);
	request->file = "job.yaml";
	loaded = policy_load_request(request);
	cr_assert(!unlink("job.yaml") && !rmdir(folder));
	return loaded;
}

struct loaded policy_load_text(const char *text)
{
	struct policy_request request = {};

	return policy_load_bytes(text, strlen(text), &request);
}

void loaded_free(struct loaded *loaded)
{
	policy_free(loaded->policy);
	free(loaded->messages);
}
