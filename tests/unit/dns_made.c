/* SPDX-License-Identifier: GPL-2.0 */
/* DNS messages made from a seed; see dns_made.h. */
#include "dns_made.h"

#include <string.h>

#include "base/cleanup.h"

/* Labels, so few that the names of one message are often the same. */
static const char *const labels[] = { "a", "A", "dev", "DEV", "Dev", "azure", "com", "_x", "x-1" };

#define NAMES_MAX	16

/* A message under way, and where in it names begin that later ones may point to. */
struct making {
	struct generator *generator;
	struct dns_made *made;
	size_t names[NAMES_MAX];
	size_t name_count;
};

static void put(struct making *making, const void *bytes, size_t len)
{
	memcpy(making->made->bytes + making->made->len, bytes, len);
	making->made->len += len;
}

static void put_u16(struct making *making, unsigned int value)
{
	const uint8_t bytes[] = { (uint8_t)(value >> 8), (uint8_t)value };

	put(making, bytes, sizeof(bytes));
}

static void put_u32(struct making *making, uint32_t value)
{
	put_u16(making, value >> 16);
	put_u16(making, value & 0xffff);
}

static uint32_t below(struct making *making, uint32_t limit)
{
	return generator_below(making->generator, limit);
}

static void put_label(struct making *making)
{
	const char *label = labels[below(making, ARRAY_SIZE(labels))];
	uint8_t len = (uint8_t)strlen(label);
	uint8_t any[63];

	if (below(making, 64)) {
		put(making, &len, 1);
		put(making, label, len);
		return;
	}
	/* Of any bytes, and often as long as may be. */
	len = below(making, 2) ? 63 : (uint8_t)(1 + below(making, 63));
	for (size_t i = 0; i < len; i++)
		any[i] =
			(uint8_t)(below(making, 40) ? 'a' + below(making, 26) : below(making, 256));
	put(making, &len, 1);
	put(making, any, len);
}

/* A name written out, or one that ends with a pointer to one before it, or only that. */
static void put_name(struct making *making)
{
	size_t start = making->made->len;
	uint32_t count = below(making, 4);

	if (!making->name_count && !count)
		count = 1;
	for (uint32_t i = 0; i < count; i++)
		put_label(making);
	if (making->name_count && below(making, 3))
		put_u16(making, 0xc000U | (unsigned int)
			making->names[below(making, (uint32_t)making->name_count)]);
	else
		put(making, "", 1);
	if (making->name_count < NAMES_MAX)
		making->names[making->name_count++] = start;
}

static void put_head(struct making *making, unsigned int flags, uint32_t answers, uint32_t extra)
{
	static const unsigned int types[] = { 1, 1, 1, 28, 28, 5, 16, 65, 255, 10, 0 };

	making->made->len = 0;
	put_u16(making, below(making, 0x10000));
	put_u16(making, flags);
	put_u16(making, below(making, 100) ? 1 : below(making, 3));
	put_u16(making, answers);
	put_u16(making, 0);
	put_u16(making, extra);
	put_name(making);
	put_u16(making, types[below(making, ARRAY_SIZE(types))]);
	put_u16(making, below(making, 50) ? 1 : below(making, 256));
}

void dns_make_question(struct generator *generator, struct dns_made *ret_made)
{
	struct making making = { .generator = generator, .made = ret_made };
	uint32_t extra = below(&making, 2);

	put_head(&making, 0x0100, 0, extra);
	if (!extra)
		return;
	put(&making, "", 1);
	put_u16(&making, below(&making, 20) ? 41 : below(&making, 300));
	put_u16(&making, 1232);
	put_u32(&making, 0);
	if (below(&making, 2)) {
		put_u16(&making, 12);
		put_u16(&making, 10);
		put_u16(&making, 8);
		put_u32(&making, below(&making, 0xffffffff));
		put_u32(&making, below(&making, 0xffffffff));
	} else {
		put_u16(&making, 0);
	}
}

/* The data of a record, with its length before it. */
static void put_data(struct making *making, unsigned int type)
{
	size_t start = making->made->len + 2;
	uint8_t *length = making->made->bytes + making->made->len;

	put_u16(making, 0);
	if (type == 5) {
		put_name(making);
	} else if (type == 16) {
		put_label(making);
	} else {
		for (unsigned int i = 0; i < (type == 1 ? 1 : 4); i++)
			put_u32(making, below(making, 0xffffffff));
	}
	length[0] = (uint8_t)((making->made->len - start) >> 8);
	length[1] = (uint8_t)(making->made->len - start);
}

void dns_make_answer(struct generator *generator, struct dns_made *ret_made)
{
	static const unsigned int types[] = { 1, 1, 1, 28, 28, 5, 5, 16 };
	struct making making = { .generator = generator, .made = ret_made };
	uint32_t count = below(&making, 5);
	size_t owner = 12;

	put_head(&making, 0x8180, count, 0);
	while (count--) {
		unsigned int type = types[below(&making, ARRAY_SIZE(types))];

		/* Mostly along the chain. */
		if (below(&making, 5))
			put_u16(&making, 0xc000U | (unsigned int)owner);
		else
			put_name(&making);
		put_u16(&making, type);
		put_u16(&making, below(&making, 50) ? 1 : 3);
		put_u32(&making, below(&making, 4000));
		if (type == 5)
			owner = ret_made->len + 2;
		put_data(&making, type);
	}
}

static void damage_once(struct generator *generator, struct dns_made *made)
{
	uint32_t at = generator_below(generator, (uint32_t)made->len);
	uint8_t *byte = &made->bytes[at];

	switch (generator_below(generator, 8)) {
	case 0:
		*byte ^= (uint8_t)(1U << generator_below(generator, 8));
		break;
	case 1:
		*byte = (uint8_t)generator_below(generator, 256);
		break;
	case 2:		/* a pointer, anywhere to anywhere */
		*byte = (uint8_t)(0xc0 | generator_below(generator, 2));
		break;
	case 3:		/* a length of 0, 1, or close by */
		*byte = (uint8_t)(*byte + generator_below(generator, 5) - 2);
		break;
	case 4:		/* counts and flags */
		made->bytes[2 + generator_below(generator, 10)] =
			(uint8_t)generator_below(generator, 4);
		break;
	case 5:
		made->len = 1 + at;
		break;
	case 6:
		memmove(byte, byte + 1, made->len - at - 1);
		made->len -= made->len > 1;
		break;
	default:
		if (made->len == sizeof(made->bytes))
			break;
		memmove(byte + 1, byte, made->len - at);
		made->len++;
	}
}

void dns_damage(struct generator *generator, struct dns_made *made)
{
	for (uint32_t times = 1 + generator_below(generator, 4); times; times--)
		damage_once(generator, made);
}
