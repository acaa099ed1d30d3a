/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Presets: allowlists built into the binary from policy/NAME.yaml. A policy file names them under
 * `presets:`; an entry there with a slash, or that ends in .yaml, is a file, relative to the
 * policy.
 *
 * What a preset may hold (reading it is read.c's work, by the rules of any policy file):
 *
 *	version: 1
 *	description: Azure Repos, Pipelines and Artifacts	# one line
 *	source: https://example.com/where-the-entries-come-from	# a text, or a list of texts
 *	date: 2025-04-02				# when that source was written or read
 *	placeholders:						# every {word} in the entries below
 *	  organization: the name in the older address, https://NAME.visualstudio.com
 *	allow:
 *	  - https://dev.azure.com
 *	  - "*.dev.azure.com"			# a star or a brace in front needs quotes, in YAML
 *	  - to: "https://{organization}.visualstudio.com"
 *	    if: organization			# skipped when organization has no value
 *	    name: older address
 *	deny: []
 *	expected: []
 *	inbound: { allow: [] }
 *
 * Entries have the short and the long form of any policy: to, name, reason, expires, tls, if.
 * A {word} is lower-case letters, digits and _. Its value comes from the policy's `organization:`
 * or from its mapping `values:`, where one value or a list stands; with a list the entry is
 * repeated for each value. A {word} without a value is an error that names it, unless the
 * entry says `if: word`. A {word} that `placeholders:` does not list is an error too.
 *
 * Everything else is the policy's own: mode, values, metadata, loopback, private_answers, tls,
 * min_ttl, dns are errors in a preset, and so is `presets`: presets do not nest.
 */
#ifndef BUILDFENCE_POLICY_PRESET_H
#define BUILDFENCE_POLICY_PRESET_H

#include <stdbool.h>
#include <stddef.h>

struct preset {
	const char *name;
	const char *text;		/* the YAML file's bytes */
	size_t len;
};

/* The built-in presets, sorted by name. */
const struct preset *preset_list(size_t *ret_count);

/* The preset of that name, or NULL. */
const struct preset *preset_find(const char *name);

/* Is it the name of a file, with a slash or the suffix .yaml, and not a preset's? */
bool preset_is_file(const char *name);

/* The built-in name that was probably meant, or NULL. */
const char *preset_nearest(const char *name);

#endif
