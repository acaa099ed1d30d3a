/* SPDX-License-Identifier: GPL-2.0 */
/* Names as DNS asks for them: see target_name.h. */
#include "target_name.h"

#include <ctype.h>
#include <errno.h>
#include <idn2.h>
#include <stdarg.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"

static void idn2_cleanup(char **name)
{
	idn2_free(*name);
}

int target_refuse(char ret_error[static 256], const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(ret_error, 256, format, arguments);
	va_end(arguments);
	return -EINVAL;
}

static bool is_ascii(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if ((unsigned char)text[i] >= 0x80)
			return false;
	}
	return true;
}

static bool is_name_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

/*
 * Would a program read it as an address? Whatever ends in a number is one for inet_aton() and
 * browsers: 10.0.0, 010.1.1.1, 0x7f.1.
 */
static bool ends_in_number(const char *name)
{
	const char *label = strrchr(name, '.');

	label = label ? label + 1 : name;
	if (!strncmp(label, "0x", 2))
		return !label[2 + strspn(label + 2, "0123456789abcdef")];
	return !label[strspn(label, "0123456789")];
}

static int labels_check(const char *name, char ret_error[static 256])
{
	for (const char *label = name;;) {
		size_t len = strcspn(label, ".");

		if (!len)
			return target_refuse(ret_error,
					     "'%.100s' has an empty label (two dots, or a dot in front)",
					     name);
		if (len > LABEL_MAX)
			return target_refuse(ret_error,
					     "label '%.20s...' has %zu letters; DNS allows %d",
					     label, len, LABEL_MAX);
		for (size_t i = 0; i < len; i++) {
			if (label[i] == '*')
				return target_refuse(ret_error,
						     "'*' may stand only at the front, as in *.example.com");
			if (!is_name_byte(label[i]))
				return target_refuse(ret_error,
						     "'%c' cannot stand in a host name ('%.100s')",
						     isgraph((unsigned char)label[i]) ?
						     label[i] : '?',
						     name);
		}
		if (!label[len])
			return 0;
		label += len + 1;
	}
}

/*
 * Maps what is not ASCII; the result is checked like any other name. A suffix's first label is only
 * a part of one: IDNA maps whole labels, so that part must be ASCII and stays as it is.
 */
static int name_map(const char *name, enum name_match match, char ret_name[static NAME_LEN],
		    char ret_error[static 256])
{
	_cleanup_(idn2_cleanup) char *mapped = NULL;
	size_t part = match == NAME_SUFFIX ? strcspn(name, ".") : 0;
	int r;

	if (is_ascii(name, strlen(name))) {
		text_copy(ret_name, NAME_LEN, name);
		return 0;
	}
	if (!is_ascii(name, part))
		return target_refuse(ret_error,
				     "part of a label cannot be mapped by IDNA: write '*%.100s' in its xn-- form, or *. and whole labels",
				     name);
	part += name[part] == '.' && match == NAME_SUFFIX;
	r = idn2_lookup_u8((const uint8_t *)name + part, (uint8_t **)&mapped,
			   IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
	if (r != IDN2_OK)
		return target_refuse(ret_error,
				     "'%.100s' is not a valid international name: %s", name,
				     idn2_strerror(r));
	if (part + strlen(mapped) > NAME_TEXT_MAX)
		return target_refuse(ret_error, "name longer than %d letters", NAME_TEXT_MAX);
	memcpy(ret_name, name, part);
	text_copy(ret_name + part, NAME_LEN - part, mapped);
	return 0;
}

int target_name_parse(const char *text, size_t len, struct target *target,
		      char ret_error[static 256])
{
	char name[NAME_LEN] = {};
	int r;

	target->match = NAME_EXACT;
	if (len && *text == '*') {
		target->match = len > 1 && text[1] == '.' ? NAME_BELOW : NAME_SUFFIX;
		text += target->match == NAME_BELOW ? 2 : 1;
		len -= target->match == NAME_BELOW ? 2 : 1;
		if (!len)
			return target_refuse(ret_error,
					     "a star alone would name everything; name the domains, as in *.example.com");
	}
	if (len > 1 && text[len - 1] == '.')
		len--;
	if (len > NAME_TEXT_MAX)
		return target_refuse(ret_error,
				     "name of %zu letters; DNS allows %d", len, NAME_TEXT_MAX);
	memcpy(name, text, len);
	r = name_map(name, target->match, target->name, ret_error);
	if (r)
		return r;
	for (char *c = target->name; *c; c++) {
		if (*c >= 'A' && *c <= 'Z')
			*c += 'a' - 'A';
	}
	r = labels_check(target->name, ret_error);
	if (r)
		return r;
	if (ends_in_number(target->name))
		return target_refuse(ret_error,
				     "'%.100s' looks like an IPv4 address but is none; write four numbers from 0 to 255 without leading zeros",
				     target->name);
	return 0;
}
