/* SPDX-License-Identifier: GPL-2.0 */
/* A policy's image in maps of its own, whole before any job uses it. */
#include "guard/internal.h"

#include <errno.h>
#include <sha2.h>
#include <string.h>

#include "base/cleanup.h"
#include "buildfence.skel.h"
#include "policy/compile.h"

int inner_map_add(const struct bpf_map *outer, uint32_t index, enum bpf_map_type type,
		  uint32_t key_size, uint32_t value_size, uint32_t max_entries, uint32_t flags)
{
	LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = flags);
	_cleanup_close_ int fd = -1;
	int error;

	fd = bpf_map_create(type, bpf_map__name(outer), key_size, value_size, max_entries,
			    &options);
	if (fd < 0)
		return fd;
	error = bpf_map_update_elem(bpf_map__fd(outer), &index, &fd, BPF_ANY);
	return error ? error : TAKE_FD(fd);
}

static uint32_t entries_max(size_t count)
{
	return count ? (uint32_t)count : 1;	/* no map may have room for nothing */
}

static int names_add(struct guard *guard, uint32_t policy, const struct image *image)
{
	_cleanup_close_ int fd = inner_map_add(guard->skeleton->maps.names, policy,
					       BPF_MAP_TYPE_LPM_TRIE, sizeof(struct name_key),
					       sizeof(struct name_rule),
					       entries_max(image->name_count), BPF_F_NO_PREALLOC);
	int error = fd < 0 ? fd : 0;

	for (size_t i = 0; !error && i < image->name_count; i++)
		error = bpf_map_update_elem(fd, &image->names[i].key, &image->names[i].rule,
					    BPF_NOEXIST);
	return error;
}

static int prefixes_add(struct guard *guard, uint32_t policy, const struct image *image)
{
	_cleanup_close_ int fd = inner_map_add(guard->skeleton->maps.prefixes, policy,
					       BPF_MAP_TYPE_LPM_TRIE, sizeof(struct prefix_key),
					       sizeof(struct prefix_rule),
					       entries_max(image->prefix_count), BPF_F_NO_PREALLOC);
	int error = fd < 0 ? fd : 0;

	for (size_t i = 0; !error && i < image->prefix_count; i++)
		error = bpf_map_update_elem(fd, &image->prefixes[i].key, &image->prefixes[i].rule,
					    BPF_NOEXIST);
	return error;
}

static int port_rules_add(struct guard *guard, uint32_t policy, const struct image *image)
{
	_cleanup_close_ int fd =
		inner_map_add(guard->skeleton->maps.port_rules, policy, BPF_MAP_TYPE_ARRAY,
			      sizeof(uint32_t), sizeof(struct port_rule),
			      entries_max(image->port_rule_count), BPF_F_INNER_MAP);
	int error = fd < 0 ? fd : 0;

	for (uint32_t i = 0; !error && i < image->port_rule_count; i++)
		error = bpf_map_update_elem(fd, &i, &image->port_rules[i], BPF_ANY);
	return error;
}

/* Of all that is written into maps, so that equal hashes are equal policies in the kernel. */
static void image_hash(const struct image *image, uint8_t ret_hash[static IMAGE_HASH_LEN])
{
	const uint64_t counts[] = { image->name_count, image->prefix_count,
				    image->port_rule_count };
	struct policy_settings settings = image->settings;
	SHA2_CTX hash;

	settings.loaded = 1;
	memset(settings.image_hash, 0, sizeof(settings.image_hash));
	SHA256Init(&hash);
	SHA256Update(&hash, (const uint8_t *)counts, sizeof(counts));
	SHA256Update(&hash, (const uint8_t *)&settings, sizeof(settings));
	SHA256Update(&hash, (const uint8_t *)image->names,
		     image->name_count * sizeof(*image->names));
	SHA256Update(&hash, (const uint8_t *)image->prefixes,
		     image->prefix_count * sizeof(*image->prefixes));
	SHA256Update(&hash, (const uint8_t *)image->port_rules,
		     image->port_rule_count * sizeof(*image->port_rules));
	SHA256Final(ret_hash, &hash);
}

_Static_assert(IMAGE_HASH_LEN == SHA256_DIGEST_LENGTH, "image_hash");

static int settings_read(const struct guard *guard, uint32_t policy,
			 struct policy_settings *ret_settings)
{
	return bpf_map_lookup_elem(bpf_map__fd(guard->skeleton->maps.policies), &policy,
				   ret_settings);
}

static int settings_write(struct guard *guard, uint32_t policy,
			  const struct policy_settings *settings)
{
	return bpf_map_update_elem(bpf_map__fd(guard->skeleton->maps.policies), &policy, settings,
				   BPF_ANY);
}

int guard_policy_add(struct guard *guard, const struct image *image, uint32_t *ret_policy)
{
	struct policy_settings settings = image->settings;
	uint32_t policy = 1;
	int error;

	while (policy <= guard->policies_max && guard->policies[policy])
		policy++;
	if (policy > guard->policies_max)
		return -ENOSPC;
	/* Its mark comes first: without one, nobody looks for its inner maps. */
	settings.loaded = 0;
	image_hash(image, settings.image_hash);
	error = settings_write(guard, policy, &settings);
	if (!error)
		error = names_add(guard, policy, image);
	if (!error)
		error = prefixes_add(guard, policy, image);
	if (!error)
		error = port_rules_add(guard, policy, image);
	settings.loaded = 1;
	if (!error)
		error = settings_write(guard, policy, &settings);
	if (error) {
		guard_policy_remove(guard, policy);
		return error;
	}
	guard->policies[policy] = true;
	*ret_policy = policy;
	return 0;
}

int guard_policy_remove(struct guard *guard, uint32_t policy)
{
	const struct bpf_map *outers[] = {
		guard->skeleton->maps.names, guard->skeleton->maps.prefixes,
		guard->skeleton->maps.port_rules,
	};
	struct policy_settings settings, none = {};
	int error;

	if (policy == 0 || policy > guard->policies_max)
		return -EINVAL;
	error = settings_read(guard, policy, &settings);
	settings.loaded = 0;
	if (!error)
		error = settings_write(guard, policy, &settings);
	for (size_t i = 0; i < ARRAY_SIZE(outers); i++)
		bpf_map_delete_elem(bpf_map__fd(outers[i]), &policy);
	/* The mark goes last. */
	if (!error)
		error = settings_write(guard, policy, &none);
	guard->policies[policy] = false;
	return error;
}

/* Was it begun, or its removal not finished? */
static bool is_marked(const struct policy_settings *settings)
{
	static const uint8_t none[IMAGE_HASH_LEN];

	return memcmp(settings->image_hash, none, sizeof(none));
}

int policies_take_over(struct guard *guard)
{
	for (uint32_t policy = 1; policy <= guard->policies_max; policy++) {
		struct policy_settings settings;
		int error = settings_read(guard, policy, &settings);

		if (!error && !settings.loaded && is_marked(&settings))
			error = guard_policy_remove(guard, policy);
		if (error)
			return error;
		guard->policies[policy] = settings.loaded;
	}
	return 0;
}

int guard_policy_find(const struct guard *guard, const struct image *image, uint32_t *ret_policy)
{
	uint8_t hash[IMAGE_HASH_LEN];

	image_hash(image, hash);
	for (uint32_t policy = 1; policy <= guard->policies_max; policy++) {
		struct policy_settings settings;

		if (!guard->policies[policy] || settings_read(guard, policy, &settings) ||
		    memcmp(hash, settings.image_hash, sizeof(hash)))
			continue;
		*ret_policy = policy;
		return 0;
	}
	return -ENOENT;
}

void guard_policies_found(const struct guard *guard, guard_policy_fn take, void *context)
{
	for (uint32_t policy = 1; policy <= guard->policies_max; policy++) {
		struct policy_settings settings;

		if (guard->policies[policy] && !settings_read(guard, policy, &settings))
			take(policy, settings.image_hash, context);
	}
}
