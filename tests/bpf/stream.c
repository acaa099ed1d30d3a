/* SPDX-License-Identifier: GPL-2.0 */
/* DNS over TCP: wherever a message is split, it is judged and learned from as a whole. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <string.h>

#include "base/cleanup.h"
#include "world.h"

static const char rules[] = "allow: [ https://dev.azure.com ]";

static void connection_make(struct world *world, int server, int *ret_job, int *ret_far)
{
	int on = 1;

	*ret_job = socket_job(world, AF_INET, SOCK_STREAM);
	cr_assert_eq(connect_to(*ret_job, RESOLVER, DNS_PORT), 0);
	*ret_far = accept(server, NULL, NULL);
	cr_assert(*ret_far >= 0);
	setsockopt(*ret_job, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(*ret_far, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

static void framed_add(struct made *stream, const struct made *message)
{
	made_u16(stream, (uint16_t)message->len);
	made_add(stream, message->bytes, message->len);
}

static size_t bytes_heard(int fd, size_t wanted, int timeout_ms)
{
	uint8_t bytes[sizeof(((struct made *)0)->bytes)];
	size_t heard = 0;

	while (heard < wanted && hears(fd, timeout_ms)) {
		ssize_t len = recv(fd, bytes, wanted - heard, 0);

		if (len <= 0)
			break;
		heard += (size_t)len;
	}
	return heard;
}

static void send_split(int fd, const struct made *stream, size_t at)
{
	cr_expect_eq(send(fd, stream->bytes, at, MSG_NOSIGNAL), (ssize_t)at);
	cr_expect_eq(send(fd, stream->bytes + at, stream->len - at, MSG_NOSIGNAL),
		     (ssize_t)(stream->len - at));
}

Test(stream, a_message_split_at_any_byte_is_read_whole)
{
	_cleanup_world_ struct world world;
	int server, job, far;

	world_open(&world, MODE_ENFORCE, rules);
	server = server_outside(AF_INET, SOCK_STREAM, RESOLVER, DNS_PORT);
	connection_make(&world, server, &job, &far);
	for (uint16_t at = 1; at < 32; at++) {
		struct made message = {}, questions = {}, answers = {};
		struct learned learned;
		char addr[32];

		snprintf(addr, sizeof(addr), "198.51.100.%u", at);
		made_question(&message, at, "dev.azure.com", DNS_A);
		framed_add(&questions, &message);
		send_split(job, &questions, at);
		cr_assert_eq(bytes_heard(far, questions.len, 1000), questions.len, "at %u", at);
		message.len = 0;
		made_answer(&message, at, "dev.azure.com", DNS_A, 1);
		made_record_addr(&message, NULL, 60, addr);
		framed_add(&answers, &message);
		send_split(far, &answers, at);
		cr_assert_eq(bytes_heard(job, answers.len, 1000), answers.len, "at %u", at);
		cr_expect(learned_find(&world, addr, &learned), "at %u", at);
	}
	cr_expect_eq(refusals_take(world.guard, world.job).refusals, 0);
}

Test(stream, a_refused_question_never_arrives_whole_wherever_it_is_split)
{
	_cleanup_world_ struct world world;
	struct made message = {}, refused = {};
	int server;

	world_open(&world, MODE_ENFORCE, rules);
	server = server_outside(AF_INET, SOCK_STREAM, RESOLVER, DNS_PORT);
	made_question(&message, 7, "secret.paste.example", DNS_A);
	framed_add(&refused, &message);
	for (size_t at = 1; at < refused.len; at++) {
		int job, far;

		connection_make(&world, server, &job, &far);
		send_split(job, &refused, at);
		cr_expect_lt(bytes_heard(far, refused.len, 10), refused.len, "split at %zu", at);
		close(far);
		close(job);
	}
	cr_expect_geq(refusals_take(world.guard, world.job).refusals, refused.len - 1);
}

Test(stream, of_two_questions_in_one_segment_both_must_be_allowed)
{
	_cleanup_world_ struct world world;
	struct made allowed = {}, refused = {}, both = {};
	int server, job, far;

	world_open(&world, MODE_ENFORCE, rules);
	server = server_outside(AF_INET, SOCK_STREAM, RESOLVER, DNS_PORT);
	connection_make(&world, server, &job, &far);
	made_question(&allowed, 7, "dev.azure.com", DNS_A);
	made_question(&refused, 8, "secret.paste.example", DNS_A);
	framed_add(&both, &allowed);
	framed_add(&both, &refused);
	cr_expect_eq(send(job, both.bytes, both.len, MSG_NOSIGNAL), (ssize_t)both.len);
	cr_expect_eq(bytes_heard(far, both.len, 50), 0);
	cr_expect_geq(refusals_take(world.guard, world.job).refusals, 1);
}

/* More questions in one segment than are read of it, and a connection to ask them on. */
static void many_questions(struct world *world, enum guard_mode mode, struct made *ret_many,
			   int *ret_job, int *ret_far)
{
	world_open(world, mode, rules);
	connection_make(world, server_outside(AF_INET, SOCK_STREAM, RESOLVER, DNS_PORT), ret_job,
			ret_far);
	for (uint16_t id = 1; id <= 20; id++) {
		struct made message = {};

		made_question(&message, id, "paste.example", DNS_A);
		framed_add(ret_many, &message);
	}
}

Test(stream, of_too_many_questions_in_one_segment_ends_there)
{
	_cleanup_world_ struct world world;
	struct made many = {};
	int job, far;

	many_questions(&world, MODE_ENFORCE, &many, &job, &far);
	cr_expect_eq(send(job, many.bytes, many.len, MSG_NOSIGNAL), (ssize_t)many.len);
	cr_expect_eq(bytes_heard(far, many.len, 50), 0);
	cr_expect_geq(refusals_take(world.guard, world.job).refusals, 1);
}

Test(stream, of_too_many_questions_in_one_segment_goes_on_in_audit)
{
	_cleanup_world_ struct world world;
	struct made many = {};
	int job, far;

	many_questions(&world, MODE_AUDIT, &many, &job, &far);
	for (int i = 0; i < 3; i++) {
		cr_expect_eq(send(job, many.bytes, many.len, MSG_NOSIGNAL), (ssize_t)many.len);
		cr_expect_eq(bytes_heard(far, many.len, 1000), many.len, "segment %d", i);
	}
	cr_expect_geq(refusals_take(world.guard, world.job).refusals, 1);
}

/* TCP Fast Open, also without the cookie of a connection before. */
static void fast_open_allow(void)
{
	_cleanup_close_ int fd = open("/proc/sys/net/ipv4/tcp_fastopen", O_WRONLY | O_CLOEXEC);

	cr_assert_eq(write(fd, "519", 3), 3);
}

Test(stream, that_begins_with_its_first_packet_is_refused_and_recorded)
{
	_cleanup_world_ struct world world;
	const struct sockaddr_storage resolver = address_of(AF_INET, RESOLVER, DNS_PORT);
	struct made message = {}, question = {};
	struct outcome outcome;
	int server, job, on = 5;

	world_open(&world, MODE_ENFORCE, rules);
	fast_open_allow();
	server = server_outside(AF_INET, SOCK_STREAM, RESOLVER, DNS_PORT);
	cr_assert_eq(setsockopt(server, IPPROTO_TCP, TCP_FASTOPEN, &on, sizeof(on)), 0);
	job = socket_job(&world, AF_INET, SOCK_STREAM);
	cr_assert_eq(fcntl(job, F_SETFL, O_NONBLOCK), 0);
	made_question(&message, 7, "dev.azure.com", DNS_A);
	framed_add(&question, &message);
	sendto(job, question.bytes, question.len, MSG_FASTOPEN | MSG_NOSIGNAL,
	       (const struct sockaddr *)&resolver, address_len(&resolver));
	outcome = refusals_take(world.guard, world.job);
	cr_expect_geq(outcome.refusals, 1);
	cr_expect_eq(outcome.refusal.reason, REASON_DNS_MALFORMED);
}

/*
 * A resolver's address that came in to the job's listener, as a job can make it in a network
 * namespace of its own. Where an accepted socket is, nobody has noted: it learns for no namespace.
 */
Test(stream, over_an_accepted_connection_nothing_is_learned)
{
	_cleanup_world_ struct world world;
	struct made message = {}, question = {}, answer = {};
	struct sockaddr_storage near = address_of(AF_INET, "127.0.0.1", 4000);
	struct sockaddr_storage from = address_of(AF_INET, RESOLVER, DNS_PORT);
	_cleanup_close_ int listener = -1, far = -1, job = -1;

	world_open(&world, MODE_ENFORCE, rules);
	listener = socket_job(&world, AF_INET, SOCK_STREAM);
	cr_assert_eq(bind(listener, (void *)&near, address_len(&near)), 0);
	cr_assert_eq(listen(listener, 1), 0);
	far = socket_outside(AF_INET, SOCK_STREAM);
	cr_assert_eq(bind(far, (void *)&from, address_len(&from)), 0);
	cr_assert_eq(connect_to(far, "127.0.0.1", 4000), 0);
	job = accept(listener, NULL, NULL);
	cr_assert(job >= 0);
	made_question(&message, 1, "dev.azure.com", DNS_A);
	framed_add(&question, &message);
	send_split(job, &question, 5);
	cr_assert_eq(bytes_heard(far, question.len, 1000), question.len);
	message.len = 0;
	made_answer(&message, 1, "dev.azure.com", DNS_A, 1);
	made_record_addr(&message, NULL, 60, "198.51.100.1");
	framed_add(&answer, &message);
	send_split(far, &answer, 5);
	bytes_heard(job, answer.len, 1000);
	cr_expect_eq(learned_count(&world), 0);
}
