/* SPDX-License-Identifier: GPL-2.0 */
/* See config_text.h. Each test is a process of its own, so it may change its working directory. */
#include "config_text.h"

#include <criterion/criterion.h>
#include <string.h>
#include <unistd.h>

#include "policy_text.h"

static void text_write(const char *path, const char *text)
{
	file_write(path, text, strlen(text));
}

struct configured config_load_text(const char *text)
{
	struct configured got = { .folder = "/tmp/buildfence-unit-XXXXXX" };
	size_t len;

	cr_assert(mkdtemp(got.folder) && !chdir(got.folder), "cannot make %s", got.folder);
	text_write("config.yaml", text);
	text_write("release.yaml", "allow: [ a.example ]\n");
	text_write("faulty.yaml", "alow: []\nallow: [ 10.0.0 ]\n");
	got.diag.out = open_memstream(&got.messages, &len);
	cr_assert_not_null(got.diag.out);
	got.result = config_load("config.yaml", &got.diag, &got.config);
	fclose(got.diag.out);
	got.diag.out = NULL;
	cr_assert(!unlink("config.yaml") && !unlink("release.yaml") && !unlink("faulty.yaml") &&
		  !rmdir(got.folder));
	return got;
}

void configured_free(struct configured *configured)
{
	config_free(configured->config);
	free(configured->messages);
}
