/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How much work each BPF program is for this kernel's verifier: loads them one by one, so that one
 * that is refused hides no other, and prints a line for each:
 *
 *   insns guard_egress 15100
 *   refused guard_ingress: Permission denied: combined stack size of 5 calls is 544. Too large
 *
 * The count comes from the verifier's closing line, since the kernel tells it in no other way
 * before 5.16. What a count may be is written in BUDGET and judged by run.
 */
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "guard/internal.h"
#include "buildfence.skel.h"

/* BPF_LOG_STATS of the kernel's bpf_verifier.h: why a program is refused, and the statistics. */
#define LOG_STATS	4
#define LOG_BYTES	(1U << 20)

static int libbpf_quiet(enum libbpf_print_level level, const char *format, va_list arguments)
{
	(void)level;
	(void)format;
	(void)arguments;
	return 0;
}

/* Why a program was refused: the line before the statistics, which may be one line or three. */
static void refusal_print(const char *name, int error, char *log)
{
	char *closing = strstr(log, "verification time ");
	char *why;

	if (!closing)
		closing = strstr(log, "processed ");
	if (closing && closing > log)
		closing[-1] = '\0';
	why = strrchr(log, '\n');
	printf("refused %s: %s: %s\n", name, strerror(-error), why ? why + 1 : log);
}

/*
 * Loads the index-th program alone, with what guard_open() gives it. Returns 0, 1 when it was
 * refused, or -errno.
 */
static int program_load(size_t index, char *log)
{
	struct buildfence_bpf *skeleton = buildfence_bpf__open();
	struct bpf_program *program, *chosen = NULL;
	const char *closing;
	size_t i = 0;
	int error;

	if (!skeleton)
		return -errno;
	skeleton->rodata->scratch_count = 8 * (uint32_t)libbpf_num_possible_cpus();
	skeleton->rodata->has_set_retval = probe_set_retval();
	bpf_object__for_each_program(program, skeleton->obj) {
		if (i == index)
			chosen = program;
		bpf_program__set_autoload(program, i++ == index);
	}
	bpf_program__set_log_level(chosen, LOG_STATS);
	bpf_program__set_log_buf(chosen, log, LOG_BYTES);
	log[0] = '\0';
	error = buildfence_bpf__load(skeleton);
	closing = strstr(log, "processed ");
	if (error)
		refusal_print(bpf_program__name(chosen), error, log);
	else if (closing)
		printf("insns %s %lu\n", bpf_program__name(chosen),
		       strtoul(closing + strlen("processed "), NULL, 10));
	buildfence_bpf__destroy(skeleton);
	return error || !closing;
}

int main(void)
{
	_cleanup_free_ char *log = malloc(LOG_BYTES);
	struct buildfence_bpf *skeleton = buildfence_bpf__open();
	struct bpf_program *program;
	size_t count = 0;
	int failed = 0;

	if (!log || !skeleton)
		return 1;
	bpf_object__for_each_program(program, skeleton->obj)
		count++;
	buildfence_bpf__destroy(skeleton);
	libbpf_set_print(libbpf_quiet);
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (size_t i = 0; i < count; i++)
		failed |= program_load(i, log);
	return failed ? 1 : 0;
}
