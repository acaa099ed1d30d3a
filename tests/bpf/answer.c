/* SPDX-License-Identifier: GPL-2.0 */
/* What is learned from a resolver's answer, and what is not. */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "world.h"

#define NAME		"dev.azure.com"
#define ID		0x4d2
#define NS_PER_S	1000000000ULL

static const char rules[] = "allow: [ https://dev.azure.com, 'https://*.feeds.example' ]";

static void one_address(struct made *made)
{
	made_answer(made, ID, NAME, DNS_A, 1);
	made_record_addr(made, NULL, 60, "198.51.100.1");
}

static void one_v6_address(struct made *made)
{
	made_answer(made, ID, NAME, DNS_A, 1);
	made_record_addr(made, NULL, 60, "2001:db8::77");
}

static void of_another_type(struct made *made)
{
	made_answer(made, ID, NAME, DNS_AAAA, 1);
	made_record_addr(made, NULL, 60, "2001:db8::77");
}

static void name_written_out(struct made *made)
{
	made_answer(made, ID, NAME, DNS_A, 1);
	made_record_addr(made, "DEV.Azure.com", 60, "198.51.100.1");
}

static void odd_case(struct made *made)
{
	made_answer(made, ID, "dEV.aZuRe.CoM", DNS_A, 1);
	made_record_addr(made, NAME, 60, "198.51.100.1");
}

static void chain_of_10(struct made *made)
{
	made_answer(made, ID, NAME, DNS_A, 11);
	made_record_cname(made, NULL, "c0.edge.test");
	for (int i = 0; i < 9; i++) {
		char from[32], to[32];

		snprintf(from, sizeof(from), "c%d.edge.test", i);
		snprintf(to, sizeof(to), "c%d.edge.test", i + 1);
		made_record_cname(made, from, to);
	}
	made_record_addr(made, "c9.edge.test", 60, "198.51.100.1");
}

static void chain_with_a_hole(struct made *made)
{
	made_answer(made, ID, NAME, DNS_A, 3);
	made_record_cname(made, NULL, "a.edge.test");
	made_record_cname(made, "b.edge.test", "c.edge.test");
	made_record_addr(made, "c.edge.test", 60, "198.51.100.1");
}

static void addresses(struct made *made, unsigned int count)
{
	made_answer(made, ID, NAME, DNS_A, (uint16_t)count);
	for (unsigned int i = 1; i <= count; i++) {
		char addr[32];

		snprintf(addr, sizeof(addr), "198.51.100.%u", i);
		made_record_addr(made, NULL, 60, addr);
	}
}

static void addresses_50(struct made *made)
{
	addresses(made, 50);
}

static void addresses_120(struct made *made)
{
	addresses(made, 120);
}

static void fewer_than_counted(struct made *made)
{
	made_answer(made, ID, NAME, DNS_A, 9);
	made_record_addr(made, NULL, 60, "198.51.100.1");
}

static void more_than_counted(struct made *made)
{
	made_answer(made, ID, NAME, DNS_A, 1);
	made_record_addr(made, NULL, 60, "198.51.100.1");
	made_record_addr(made, NULL, 60, "198.51.100.2");
}

static void cut_in_its_address(struct made *made)
{
	one_address(made);
	made->len--;
}

static void truncated(struct made *made)
{
	one_address(made);
	made->bytes[2] |= 0x02;		/* TC */
}

static void length_too_long(struct made *made)
{
	one_address(made);
	made->bytes[made->len - 5] = 5;
}

static void length_too_short(struct made *made)
{
	one_address(made);
	made->bytes[made->len - 5] = 3;
}

static void other_owner(struct made *made)
{
	made_answer(made, ID, NAME, DNS_A, 2);
	made_record_addr(made, "elsewhere.test", 60, "198.51.100.9");
	made_record_addr(made, NULL, 60, "198.51.100.1");
}

static void in_the_additional_section(struct made *made)
{
	static const uint16_t counts[4] = { 1, 0, 0, 1 };

	made_dns_head(made, ID, 0x8180, counts);
	made_dns_name(made, NAME);
	made_add(made, BYTES("\0\1\0\1"));
	made_record_addr(made, NULL, 60, "198.51.100.9");
}

static void of_class_chaos(struct made *made)
{
	one_address(made);
	made->bytes[made->len - 11] = 3;
}

static void wrong_id(struct made *made)
{
	made_answer(made, ID + 1, NAME, DNS_A, 1);
	made_record_addr(made, NULL, 60, "198.51.100.9");
}

static void wrong_name(struct made *made)
{
	made_answer(made, ID, "a.feeds.example", DNS_A, 1);
	made_record_addr(made, NULL, 60, "198.51.100.9");
}

static void not_an_answer(struct made *made)
{
	one_address(made);
	made->bytes[2] &= 0x7f;
}

static void two_questions(struct made *made)
{
	one_address(made);
	made->bytes[5] = 2;
}

static void owner_in_a_loop(struct made *made)
{
	made_answer(made, ID, NAME, DNS_A, 1);
	made_u16(made, (uint16_t)(0xc000 | made->len));
	made_add(made, BYTES("\0\1\0\1\0\0\0\x3c\0\4\xc6\x33\x64\x09"));
}

static void cname_in_a_loop(struct made *made)
{
	made_answer(made, ID, NAME, DNS_A, 2);
	made_u16(made, 0xc00c);
	made_add(made, BYTES("\0\5\0\1\0\0\0\x3c\0\2"));
	made_u16(made, (uint16_t)(0xc000 | made->len));
	made_record_addr(made, NULL, 60, "198.51.100.9");
}

struct answer_case {
	const char *what;
	void (*make)(struct made *made);
	unsigned int learned;
	const char *addr;		/* one that must be among them */
};

static const struct answer_case cases[] = {
	{ "one address", one_address, 1, "198.51.100.1" },
	{ "one v6 address", one_v6_address, 1, "2001:db8::77" },
	{ "to a question of another type", of_another_type, 0, NULL },
	{ "the name written out", name_written_out, 1, "198.51.100.1" },
	{ "odd case", odd_case, 1, "198.51.100.1" },
	{ "a chain of 10", chain_of_10, 1, "198.51.100.1" },
	{ "a chain with a hole", chain_with_a_hole, 0, NULL },
	{ "50 addresses", addresses_50, 50, "198.51.100.50" },
	{ "120 addresses", addresses_120, 120, "198.51.100.120" },
	{ "fewer than counted", fewer_than_counted, 1, "198.51.100.1" },
	{ "more than counted", more_than_counted, 1, "198.51.100.1" },
	{ "cut in its address", cut_in_its_address, 0, NULL },
	{ "truncated", truncated, 1, "198.51.100.1" },
	{ "a length too long", length_too_long, 0, NULL },
	{ "a length too short", length_too_short, 0, NULL },
	{ "another owner's record before it", other_owner, 1, "198.51.100.1" },
	{ "in the additional section", in_the_additional_section, 0, NULL },
	{ "of class CHAOS", of_class_chaos, 0, NULL },
	{ "with another id", wrong_id, 0, NULL },
	{ "for another name that is allowed", wrong_name, 0, NULL },
	{ "not marked as an answer", not_an_answer, 0, NULL },
	{ "with two questions", two_questions, 0, NULL },
	{ "with its owner in a loop", owner_in_a_loop, 0, NULL },
	{ "with its CNAME in a loop", cname_in_a_loop, 0, NULL },
};

static void cases_run(enum guard_mode mode)
{
	_cleanup_world_ struct world world;

	world_open(&world, mode, rules);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct answer_case *row = &cases[i];
		_cleanup_close_ int fd = socket_job(&world, AF_INET, SOCK_DGRAM);
		struct learned learned;
		struct made message = {};

		ask(&world, fd, ID, NAME);
		row->make(&message);
		answer(&world, world.resolver, fd, &message);
		cr_expect_eq(learned_count(&world), row->learned, "%s: %u learned", row->what,
			     learned_count(&world));
		if (row->addr)
			cr_expect(learned_find(&world, row->addr, &learned), "%s: %s", row->what,
				  row->addr);
		learned_clear(&world);
	}
	cr_expect_eq(refusals_take(world.guard, world.job).refusals, 0);
}

Test(answer, teaches_the_addresses_of_the_asked_name_alone)
{
	cases_run(MODE_ENFORCE);
}

Test(answer, teaches_the_same_in_audit)
{
	cases_run(MODE_AUDIT);
}

Test(answer, opens_its_address_for_the_names_ports_and_counts_once)
{
	_cleanup_world_ struct world world;
	struct made message = {};
	struct outcome outcome;
	int fd, tcp, other;

	world_open(&world, MODE_ENFORCE, rules);
	close(server_outside(AF_INET, SOCK_STREAM, "198.51.100.1", 443));
	fd = socket_job(&world, AF_INET, SOCK_DGRAM);
	tcp = socket_job(&world, AF_INET, SOCK_STREAM);
	other = socket_job(&world, AF_INET, SOCK_STREAM);
	cr_expect_eq(connect_to(tcp, "198.51.100.1", 443), -EPERM);
	outcome = refusals_take(world.guard, world.job);
	cr_expect_eq(outcome.refusals, 1);
	cr_expect_eq(outcome.refusal.reason, REASON_NOT_ALLOWED);
	cr_expect_eq(outcome.refusal.hook, HOOK_CONNECT);
	cr_expect_eq(outcome.refusal.pid, getpid());
	ask(&world, fd, ID, NAME);
	one_address(&message);
	answer(&world, world.resolver, fd, &message);
	/* Nobody listens there: the connection is refused by the far end, not by the guard. */
	cr_expect_eq(connect_to(tcp, "198.51.100.1", 443), -ECONNREFUSED);
	cr_expect_eq(connect_to(other, "198.51.100.1", 80), -EPERM);
	outcome = refusals_take(world.guard, world.job);
	cr_expect_eq(outcome.refusals, 1);
	cr_expect_eq(outcome.refusal.reason, REASON_PORT);
	cr_expect_str_eq(outcome.name, NAME);
	/* The same answer again, late: its question is gone. */
	learned_clear(&world);
	answer(&world, world.resolver, fd, &message);
	cr_expect_eq(learned_count(&world), 0);
}

Test(answer, to_each_of_two_questions_under_one_id_counts)
{
	_cleanup_world_ struct world world;
	struct made v4 = {}, v6 = {};
	int fd;

	world_open(&world, MODE_ENFORCE, rules);
	fd = socket_job(&world, AF_INET, SOCK_DGRAM);
	ask(&world, fd, ID, NAME);
	ask_type(&world, fd, ID, NAME, DNS_AAAA);
	one_address(&v4);
	of_another_type(&v6);
	answer(&world, world.resolver, fd, &v4);
	answer(&world, world.resolver, fd, &v6);
	cr_expect_eq(learned_count(&world), 2);
}

/* Questions whose answers may take their time: those that are settled expire in two seconds. */
static int questions_waiting(struct world *world)
{
	int fd = table_fd(world->guard, world->job, TABLE_QUESTIONS), count = 0;
	uint64_t soon = boot_ns_now() + 10 * NS_PER_S;
	struct question_key key, *before = NULL;
	struct question question;

	for (; !bpf_map_get_next_key(fd, before, &key); before = &key)
		count += !bpf_map_lookup_elem(fd, &key, &question) && question.expires_ns > soon;
	return count;
}

/* Musl asks all its resolvers at once, and listens no more once one has answered. */
Test(answer, settles_what_was_asked_of_other_resolvers_too)
{
	static const uint8_t rcodes[] = { 2, 0, 5, 3 };
	static const int waiting[] = { 2, 1, 2, 1 };	/* AAAA's always */
	_cleanup_world_ struct world world;
	struct made v4 = {}, v6 = {};
	int far;

	world_open(&world, MODE_ENFORCE, rules);
	far = server_outside(AF_INET, SOCK_DGRAM, RESOLVER_FAR, DNS_PORT);
	made_question(&v4, ID, NAME, DNS_A);
	made_question(&v6, ID, NAME, DNS_AAAA);
	for (size_t i = 0; i < ARRAY_SIZE(rcodes); i++) {
		_cleanup_close_ int fd = socket_job(&world, AF_INET, SOCK_DGRAM);
		int before = questions_waiting(&world);
		struct made message = {}, late = {};

		cr_assert_eq(send_to(fd, v4.bytes, v4.len, RESOLVER_FAR, DNS_PORT), 0);
		cr_assert_eq(send_to(fd, v6.bytes, v6.len, RESOLVER_FAR, DNS_PORT), 0);
		ask(&world, fd, ID, NAME);
		cr_expect_eq(questions_waiting(&world), before + 3);
		made_answer(&message, ID, NAME, DNS_A, 0);
		message.bytes[3] |= rcodes[i];
		answer(&world, world.resolver, fd, &message);
		cr_expect_eq(questions_waiting(&world), before + waiting[i], "rcode %u", rcodes[i]);
		/* Who reads the other resolver's answer first must be able to use it. */
		one_address(&late);
		answer(&world, far, fd, &late);
		cr_expect_eq(learned_count(&world), 1, "rcode %u", rcodes[i]);
		learned_clear(&world);
	}
}

Test(answer, from_another_server_or_port_is_not_heard)
{
	_cleanup_world_ struct world world;
	struct made message = {};
	int fd, stranger, other_port, other_resolver;

	world_open(&world, MODE_ENFORCE, "loopback: deny\nallow: [ https://dev.azure.com ]");
	fd = socket_job(&world, AF_INET, SOCK_DGRAM);
	stranger = server_outside(AF_INET, SOCK_DGRAM, "198.51.100.53", DNS_PORT);
	other_port = server_outside(AF_INET, SOCK_DGRAM, RESOLVER, 5353);
	other_resolver = server_outside(AF_INET, SOCK_DGRAM, RESOLVER_FAR, DNS_PORT);
	one_address(&message);
	ask(&world, fd, ID, NAME);
	answer(&world, stranger, fd, &message);
	answer(&world, other_port, fd, &message);
	answer(&world, other_resolver, fd, &message);
	cr_expect_eq(learned_count(&world), 0);
	cr_expect_eq(refusals_take(world.guard, world.job).refusals, 3);
	answer(&world, world.resolver, fd, &message);
	cr_expect_eq(learned_count(&world), 1);
}

Test(answer, belongs_to_the_socket_that_asked)
{
	_cleanup_world_ struct world world;
	struct made message = {};
	int asker, other;

	world_open(&world, MODE_ENFORCE, rules);
	asker = socket_job(&world, AF_INET, SOCK_DGRAM);
	other = socket_job(&world, AF_INET, SOCK_DGRAM);
	one_address(&message);
	ask(&world, asker, ID, NAME);
	ask(&world, other, ID, "a.feeds.example");
	answer(&world, world.resolver, other, &message);
	cr_expect_eq(learned_count(&world), 0);
}

struct address_case {
	const char *addr;
	bool learned;
	bool learned_without_private;
};

static const struct address_case addresses_of_answers[] = {
	{ "198.51.100.1", true, true },
	{ "0.0.0.0", false, false },
	{ "0.1.2.3", false, false },
	{ "127.0.0.1", false, false },
	{ "127.1.2.3", false, false },
	{ "169.254.169.254", false, false },
	{ "169.254.1.1", false, false },
	{ "168.63.129.16", false, false },
	{ "168.63.129.17", true, true },
	{ "224.0.0.1", false, false },
	{ "239.255.255.255", false, false },
	{ "240.0.0.1", false, false },
	{ "255.255.255.255", false, false },
	{ "223.255.255.255", true, true },
	{ "10.1.2.3", true, false },
	{ "11.0.0.0", true, true },
	{ "172.15.255.255", true, true },
	{ "172.16.0.0", true, false },
	{ "172.31.255.255", true, false },
	{ "172.32.0.0", true, true },
	{ "192.168.1.1", true, false },
	{ "192.169.0.0", true, true },
	{ "100.64.0.1", true, false },
	{ "100.127.255.255", true, false },
	{ "100.128.0.0", true, true },
	{ "2001:db8::1", true, true },
	{ "::", false, false },
	{ "::1", false, false },
	{ "::ffff:198.51.100.1", false, false },
	{ "::ffff:169.254.169.254", false, false },
	{ "::198.51.100.1", false, false },
	{ "ff02::1", false, false },
	{ "fe80::1", false, false },
	{ "febf::1", false, false },
	{ "fec0::1", true, true },
	{ "fc00::1", true, false },
	{ "fdff::1", true, false },
	{ "fe00::1", true, true },
	{ "64:ff9b::a9fe:a9fe", false, false },
	{ "64:ff9b::7f00:1", false, false },
	{ "64:ff9b::a01:203", true, false },
	{ "64:ff9b::c633:6401", true, true },
};

static void addresses_run(struct world *world, bool without_private)
{
	for (size_t i = 0; i < ARRAY_SIZE(addresses_of_answers); i++) {
		const struct address_case *row = &addresses_of_answers[i];
		_cleanup_close_ int fd = socket_job(world, AF_INET, SOCK_DGRAM);
		bool wanted = without_private ? row->learned_without_private : row->learned;
		struct made message = {};

		ask(world, fd, ID, NAME);
		made_answer(&message, ID, NAME, DNS_A, 1);
		made_record_addr(&message, NULL, 60, row->addr);
		answer(world, world->resolver, fd, &message);
		cr_expect_eq(learned_count(world), wanted, "%s, private answers %s", row->addr,
			     without_private ? "denied" : "allowed");
		learned_clear(world);
	}
}

Test(answer, never_opens_what_no_name_should_point_to)
{
	_cleanup_world_ struct world world;

	world_open(&world, MODE_ENFORCE, rules);
	addresses_run(&world, false);
	world_policy(&world, "allow: [ https://dev.azure.com ]\nprivate_answers: deny",
		     MODE_ENFORCE);
	addresses_run(&world, true);
}

Test(answer, holds_for_its_ttl_but_ten_minutes_at_least_and_a_day_at_most)
{
	static const struct {
		uint32_t ttl_s;
		uint64_t lifetime_s;
	} ttls[] = {
		{ 0, 600 }, { 599, 600 }, { 601, 601 }, { 86400, 86400 }, { 86401, 86400 },
		{ 0x7fffffff, 86400 }, { 0xffffffff, 86400 },
	};
	_cleanup_world_ struct world world;

	world_open(&world, MODE_ENFORCE, rules);
	for (size_t i = 0; i < ARRAY_SIZE(ttls); i++) {
		_cleanup_close_ int fd = socket_job(&world, AF_INET, SOCK_DGRAM);
		uint64_t before = boot_ns_now();
		struct made message = {};
		struct learned learned;

		ask(&world, fd, ID, NAME);
		made_answer(&message, ID, NAME, DNS_A, 1);
		made_record_addr(&message, NULL, ttls[i].ttl_s, "198.51.100.1");
		answer(&world, world.resolver, fd, &message);
		cr_assert(learned_find(&world, "198.51.100.1", &learned));
		cr_expect_geq(learned.expires_ns, before + ttls[i].lifetime_s * NS_PER_S);
		cr_expect_leq(learned.expires_ns, boot_ns_now() + ttls[i].lifetime_s * NS_PER_S);
		learned_clear(&world);
	}
}
