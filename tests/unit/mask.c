/* SPDX-License-Identifier: GPL-2.0 */
/* Command lines: secrets go, the rest stays readable. '|' stands between arguments. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <string.h>

#include "base/cleanup.h"
#include "event/mask.h"

struct mask_case {
	char arguments[200];
	char expected[200];
};

ParameterizedTestParameters(mask, secrets_are_masked_and_nothing_else)
{
	static struct mask_case cases[] = {
		{ "curl|https://dev.azure.com/x", "curl https://dev.azure.com/x" },
		{ "curl|-u|bob:hunter2|https://x", "curl -u *** https://x" },
		{ "curl|-ubob:hunter2|https://x", "curl -u*** https://x" },
		{ "mysql|-phunter2|-h|db", "mysql -p*** -h db" },
		{ "x|--password|two words|y", "x --password *** y" },
		{ "x|--password=two words|y", "x --password=*** y" },
		{ "x|--access-token|a|--sas=b", "x --access-token *** --sas=***" },
		{ "git|clone|https://user:hunter2@h.example/r", "git clone https://***@h.example/r" },
		{ "git|clone|https://hunter2@h.example/r", "git clone https://***@h.example/r" },
		{ "curl|-H|Authorization: Bearer hunter2 x", "curl -H Authorization: ***" },
		{ "curl|https://b.example/f?sv=1&sig=hunter2&x=1", "curl https://b.example/f?sv=1&sig=***&x=1" },
		{ "env|API_KEY=hunter2|AZURE_DEVOPS_EXT_PAT=x|make|CC=gcc",
		  "env API_KEY=*** AZURE_DEVOPS_EXT_PAT=*** make CC=gcc" },
		{ "sh|-c|curl -H \"Authorization: Bearer hunter2\" u; TOKEN=x make",
		  "sh -c curl -H \"Authorization: ***\" u; TOKEN=*** make" },
		{ "sh|-c|x --password hunter2 y", "sh -c x --password *** y" },
		{ "x|0123456789abcdef0123456789abcdef", "x ***" },
		{ "x|wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "x ***" },
		{ "x|eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N",
		  "x ***.***.***" },
		{ "/usr/lib/x86_64-linux-gnu/libc.so.6|--out=/home/Build1/agent/_work/2/s/f",
		  "/usr/lib/x86_64-linux-gnu/libc.so.6 --out=/home/Build1/agent/_work/2/s/f" },
		{ "apt-get|install|python3-some-very-long-module-name", "apt-get install python3-some-very-long-module-name" },
		{ "x||y", "x  y" },
		{ "curl|--anyauth|-u|bob:hunter2|u", "curl --anyauth *** *** u" },
		{ "svn|co|--username|bob|--no-auth-cache|--password|hunter2",
		  "svn co --username bob --no-auth-cache *** ***" },
		{ "curl|-sSu|bob:hunter2|u", "curl -sSu *** u" },
		{ "java|-cp|a.jar|Main", "java -cp a.jar Main" },
		{ "curl|--user|bob:hunter2|--proxy-user|eve:x|u", "curl --user *** --proxy-user *** u" },
		{ "curl|-U|bob:hunter2|u", "curl -U *** u" },
		{ "docker|run|--user|1000:1000|i", "docker run --user 1000:1000 i" },
		{ "/opt/sqlcmd|-U|sa|-P|hunter2", "/opt/sqlcmd -U sa -P ***" },
		{ "redis-cli|-a|hunter2|ping", "redis-cli -a *** ping" },
		{ "cp|-a|x|y", "cp -a x y" },
		{ "curl|-d|{\"user\":\"bob\",\"password\":\"hunter2\",\"x\":1}|u",
		  "curl -d {\"user\":\"bob\",\"password\":***\",\"x\":1} u" },
		{ "curl|-d|{\"client_secret\": \"hunter2\"}", "curl -d {\"client_secret\": ***\"}" },
		{ "sh|-c|mysql -phunter2 db", "sh -c mysql -p*** db" },
		{ "sh|-c|curl -ubob:hunter2 u", "sh -c curl -u*** u" },
		{ "sh|-c|find . -print; make -update", "sh -c find . -print; make -update" },
		{ "sh|-c|curl --user bob:hunter2 u", "sh -c curl --user *** u" },
	};

	return cr_make_param_array(struct mask_case, cases, ARRAY_SIZE(cases));
}

ParameterizedTest(struct mask_case *row, mask, secrets_are_masked_and_nothing_else)
{
	size_t length = strlen(row->arguments) + 1;
	_cleanup_free_ char *masked = NULL;

	for (char *bar = row->arguments; (bar = strchr(bar, '|'));)
		*bar++ = '\0';
	masked = command_line_mask(row->arguments, length);
	cr_assert_not_null(masked);
	cr_expect_str_eq(masked, row->expected);
}

Test(mask, any_bytes_are_read_without_harm)
{
	static const char letters[] = "ab=:@/\"'-p \n&?;\0tokenkey://";
	unsigned int seed = 7;

	for (int round = 0; round < 50000; round++) {
		char bytes[40];
		_cleanup_free_ char *masked = NULL;

		for (size_t i = 0; i + 1 < sizeof(bytes); i++) {
			seed = seed * 1103515245 + 12345;
			bytes[i] = letters[(seed >> 16) % (sizeof(letters) - 1)];
		}
		bytes[sizeof(bytes) - 1] = '\0';
		masked = command_line_mask(bytes, sizeof(bytes));
		cr_assert_not_null(masked);
	}
}
