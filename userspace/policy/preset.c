/* SPDX-License-Identifier: GPL-2.0 */
/* The presets that are part of the binary: see preset.h. */
#include "preset.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"

#define PRESETS_MAX	64

/* The Makefile lists policy/NAME.yaml in presets.inc; the assembler reads the files themselves. */
#define PRESET(name, symbol, path)				\
	extern const char preset_##symbol[];			\
	extern const char preset_##symbol##_end[];		\
	__asm__(".pushsection .rodata\n"			\
		"preset_" #symbol ": .incbin \"" path "\"\n"	\
		"preset_" #symbol "_end: .byte 0\n"		\
		".popsection\n");
#include "presets.inc"
#undef PRESET

const struct preset *preset_list(size_t *ret_count)
{
#define PRESET(preset_name, symbol, path)	\
	{ .name = (preset_name), .text = preset_##symbol, .len = 0 },
	static struct preset presets[] = {
#include "presets.inc"
		{},
	};
#undef PRESET
	size_t count = 0;

	/* A difference of two symbols is no constant for the compiler. */
#define PRESET(preset_name, symbol, path)	\
	presets[count++].len = (size_t)(preset_##symbol##_end - preset_##symbol);
#include "presets.inc"
#undef PRESET
	*ret_count = count;
	return presets;
}

const struct preset *preset_find(const char *name)
{
	size_t count;
	const struct preset *presets = preset_list(&count);

	for (size_t i = 0; i < count; i++) {
		if (!strcmp(presets[i].name, name))
			return &presets[i];
	}
	return NULL;
}

bool preset_is_file(const char *name)
{
	const char *dot = strrchr(name, '.');

	return strchr(name, '/') || (dot && !strcmp(dot, ".yaml"));
}

const char *preset_nearest(const char *name)
{
	const char *names[PRESETS_MAX];
	size_t count;
	const struct preset *presets = preset_list(&count);

	if (count > PRESETS_MAX)
		count = PRESETS_MAX;
	for (size_t i = 0; i < count; i++)
		names[i] = presets[i].name;
	return text_nearest(name, names, count);
}
