/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Masking of secrets in command lines. Three looks at each argument: does the one before it
 * announce a secret ("--password X"), does a name in it ("TOKEN=X", "Authorization: X", "?sig=X"),
 * or does a word in it look like one. Cutting and escaping are the caller's.
 */
#include "event/mask.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/text.h"

/* As part of a name of an option, variable, header or query parameter. */
static const char *const secret_words[] = {
	"pass", "pwd", "secret", "token", "key", "credential", "auth", "cookie", "bearer",
	"signature", "connectionstring", "connection-string", "connection_string",
};

/* As a whole name, or behind '_' or '-'. */
static const char *const secret_endings[] = { "pat", "sig", "sas", "pw", "cred", "creds" };

bool name_is_secret(const char *name, size_t length)
{
	for (size_t i = 0; i < ARRAY_SIZE(secret_words); i++) {
		size_t n = strlen(secret_words[i]);

		for (size_t at = 0; at + n <= length; at++) {
			if (!strncasecmp(name + at, secret_words[i], n))
				return true;
		}
	}
	for (size_t i = 0; i < ARRAY_SIZE(secret_endings); i++) {
		size_t n = strlen(secret_endings[i]);

		if (n > length || strncasecmp(name + length - n, secret_endings[i], n))
			continue;
		if (n == length || !isalnum((unsigned char)name[length - n - 1]))
			return true;
	}
	return false;
}

static bool is_name_byte(char byte)
{
	return isalnum((unsigned char)byte) || byte == '_' || byte == '-' || byte == '.';
}

/* What an option says of the next argument. */
enum announced {
	ANNOUNCED_NOTHING = 0,
	ANNOUNCED_SECRET,	/* "-u", "-p", "--password" */
	ANNOUNCED_USER,		/* "--user": only if it is "bob:hunter2", not "bob" */
};

/* curl's letters without a value: "-sSu bob:hunter2". */
#define CURL_SWITCHES	"sSfLkviIgGNnlqaj#0123456"

static enum announced option_announces(const char *word, size_t length)
{
	const char *name = word + (length > 1 && word[1] == '-' ? 2 : 1);
	size_t name_length = length - (size_t)(name - word);

	if (length < 2 || word[0] != '-' || memchr(word, '=', length))
		return ANNOUNCED_NOTHING;
	if (length == 2 && *name == 'U')
		return ANNOUNCED_USER;
	if (length == 2)
		return *name == 'u' || *name == 'p' ? ANNOUNCED_SECRET : ANNOUNCED_NOTHING;
	if (name_is_secret(name, name_length) ||
	    (name == word + 1 && word[length - 1] == 'u' &&
	     strspn(name, CURL_SWITCHES) == name_length - 1))
		return ANNOUNCED_SECRET;
	return name == word + 2 && memmem(name, name_length, "user", 4) ? ANNOUNCED_USER :
									  ANNOUNCED_NOTHING;
}

/* Numbers are no secret: "docker run --user 1000:1000". */
static bool is_announced(enum announced announced, const char *value, size_t length)
{
	if (announced == ANNOUNCED_USER)
		return memchr(value, ':', length) && strspn(value, "0123456789:") < length;
	return announced == ANNOUNCED_SECRET;
}

/* Letters that mean a password to these programs, and something else to others. */
static bool is_programs_option(const char *program, const char *word)
{
	static const struct { const char *program, *option; } options[] = {
		{ "sqlcmd", "-P" }, { "bcp", "-P" }, { "zip", "-P" }, { "unzip", "-P" },
		{ "redis-cli", "-a" }, { "ldapsearch", "-w" }, { "ldapadd", "-w" },
		{ "ldapmodify", "-w" },
	};
	const char *slash = strrchr(program, '/');

	for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
		if (!strcmp(slash ? slash + 1 : program, options[i].program) &&
		    !strcmp(word, options[i].option))
			return true;
	}
	return false;
}

/* Where the value of "name=value" or "Name: value" inside an argument ends. */
static size_t value_end(const char *text, size_t at, size_t length, char quote, char separator)
{
	char closing = at < length && (text[at] == '"' || text[at] == '\'') ? text[at] : quote;

	if (closing && closing == text[at])
		at++;
	for (; at < length; at++) {
		if (closing ? text[at] == closing : !!strchr("\n;&|\"'", text[at]))
			break;
		if (!closing && separator == '=' && isspace((unsigned char)text[at]))
			break;
	}
	return at;
}

/* A run of bytes that keys and tokens are made of: is it long and mixed enough to be one? */
static bool run_looks_secret(const char *run, size_t length)
{
	bool upper = false, lower = false, digit = false, separator = false, slash = false;

	for (size_t i = 0; i < length; i++) {
		upper |= !!isupper((unsigned char)run[i]);
		lower |= !!islower((unsigned char)run[i]);
		digit |= !!isdigit((unsigned char)run[i]);
		separator |= run[i] == '-' || run[i] == '_';
		slash |= run[i] == '/';
	}
	/* Paths are no secrets: "/home/...", "--out=/home/...". */
	if (slash)
		return length >= 32 && upper && lower && digit && run[0] != '/' &&
		       !memmem(run, length, "=/", 2);
	if (length < 20 || !digit || !(upper || lower))
		return false;
	return (upper && lower) || !separator;
}

static size_t run_length(const char *text, size_t length, bool with_slash)
{
	size_t n = 0;

	while (n < length && (isalnum((unsigned char)text[n]) || strchr("+=_-", text[n]) ||
			      (with_slash && text[n] == '/')))
		n++;
	return n;
}

/* Copies a stretch without telling names, masking user information of URLs and long runs. */
static void plain_add(struct text *out, const char *text, size_t length)
{
	for (size_t at = 0; at < length;) {
		size_t word = strcspn(text + at, " \t\n\"'/?#"), run;

		if (word > length - at)
			word = length - at;
		/* "scheme://user:password@host": this is the part behind "//". */
		if (at >= 2 && text[at - 1] == '/' && text[at - 2] == '/') {
			const char *sign = memrchr(text + at, '@', word);

			if (sign && sign > text + at) {
				text_printf(out, "***");
				at = (size_t)(sign - text);
				continue;
			}
		}
		run = run_length(text + at, length - at, true);
		if (!run_looks_secret(text + at, run))
			run = run_length(text + at, length - at, false);
		if (run_looks_secret(text + at, run)) {
			text_printf(out, "***");
			at += run;
			continue;
		}
		run = run ? run : 1;
		text_add(out, text + at, run);
		at += run;
	}
}

/* The first "name=" or "name:" with a telling name at or after `from`; its value's place. */
static bool secret_find(const char *text, size_t from, size_t length, size_t *ret_value,
			char *ret_separator)
{
	for (size_t at = from; at < length; at++) {
		size_t start = at, end = at;

		if ((text[at] != '=' && text[at] != ':') || !strncmp(text + at, "://", 3))
			continue;
		/* JSON has its names in quotes. */
		if (start > from && (text[start - 1] == '"' || text[start - 1] == '\''))
			end = --start;
		while (start > from && is_name_byte(text[start - 1]))
			start--;
		if (!name_is_secret(text + start, end - start))
			continue;
		*ret_separator = text[at++];
		while (at < length && text[at] == ' ')
			at++;
		*ret_value = at;
		return true;
	}
	return false;
}

/* "-ubob:hunter2", "-phunter2" in a script, where "-print" and "-update" may stand too. */
static bool word_holds_secret(const char *word, size_t length)
{
	if (length < 3 || word[0] != '-')
		return false;
	if (word[1] == 'u')
		return memchr(word, ':', length);
	for (size_t i = 2; word[1] == 'p' && i < length; i++) {
		if (!isalpha((unsigned char)word[i]) && !strchr("=-,/;&|)", word[i]))
			return true;
	}
	return false;
}

/* An option with its value in the same argument, as in a script behind "sh -c". */
static void words_add(struct text *out, const char *text, size_t length)
{
	for (size_t at = 0; at < length;) {
		size_t space = strspn(text + at, " \t\n"), word, next;

		space = space > length - at ? length - at : space;
		text_add(out, text + at, space);
		at += space;
		word = strcspn(text + at, " \t\n");
		word = word > length - at ? length - at : word;
		if (word_holds_secret(text + at, word))
			text_printf(out, "%.2s***", text + at);
		else
			plain_add(out, text + at, word);
		next = at + word + strspn(text + at + word, " \t");
		if (word < length - at && next < length &&
		    is_announced(option_announces(text + at, word), text + next,
				 value_end(text, next, length, 0, '=') - next)) {
			text_printf(out, " ***");
			word = value_end(text, next, length, 0, '=') - at;
		}
		at += word;
	}
}

static void argument_add(struct text *out, const char *text, size_t length)
{
	size_t at = 0, value;
	char separator;

	while (secret_find(text, at, length, &value, &separator)) {
		size_t name = value;
		char quote = 0;

		while (name > at && (is_name_byte(text[name - 1]) ||
				     strchr(":= ", text[name - 1])))
			name--;
		if (name > at && (text[name - 1] == '"' || text[name - 1] == '\''))
			quote = text[name - 1];
		words_add(out, text + at, value - at);
		text_printf(out, "***");
		/* A name that opens the argument owns all of it, spaces too. */
		at = name == 0 ? length : value_end(text, value, length, quote, separator);
	}
	words_add(out, text + at, length - at);
}

char *command_line_mask(const char *arguments, size_t length)
{
	struct text out = {};
	enum announced announced = ANNOUNCED_NOTHING;

	for (size_t at = 0; at < length;) {
		size_t n = strnlen(arguments + at, length - at);
		const char *argument = arguments + at;

		if (at)
			text_add(&out, " ", 1);
		if (is_announced(announced, argument, n))
			text_printf(&out, "***");
		else if (n > 2 && (!strncmp(argument, "-u", 2) || !strncmp(argument, "-p", 2)))
			text_printf(&out, "%.2s***", argument);
		else
			argument_add(&out, argument, n);
		/* What was announced may be an option all the same: "--anyauth -u bob:hunter2". */
		announced = announced == ANNOUNCED_SECRET && *argument != '-' ? ANNOUNCED_NOTHING :
			    is_programs_option(arguments, argument) ? ANNOUNCED_SECRET :
			    option_announces(argument, n);
		at += n + 1;
	}
	return text_take(&out);
}
