/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Records for machines, in the names of ASIM's NetworkSession schema 0.2.7; buildfence-records(5)
 * has all of them. Every record has every field; what is not known is null. Text in events is
 * escaped already.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/escape.h"
#include "base/output.h"
#include "event/names.h"
#include "event/sink.h"
#include "policy/policy.h"

#define RECORD_MAX	8191	/* bytes with the newline */
#define TEXT_MAX	256
#define TOO_LONG	"(too long)"

struct sink_ndjson {
	struct sink sink;
	int fd;
};

static json_t *text_or_null(const char *text)
{
	return text && *text ? json_string(text) : json_null();
}

/* For text that was not escaped yet: from the policy, the caller, the file system. */
static json_t *escaped_or_null(const char *text, size_t size)
{
	_cleanup_free_ char *escaped = text && *text ? escape_string(text, size) : NULL;

	return text_or_null(escaped);
}

static json_t *time_text(struct timespec time)
{
	char date[32], text[64];
	struct tm parts;

	gmtime_r(&time.tv_sec, &parts);
	strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &parts);
	snprintf(text, sizeof(text), "%s.%06ldZ", date, time.tv_nsec / 1000);
	return json_string(text);
}

static json_t *address_or_null(const struct event *event, const __u8 addr[ADDR_LEN])
{
	static const __u8 none[ADDR_LEN];
	char text[INET6_ADDRSTRLEN];

	if (!event->kept_apart || !memcmp(addr, none, ADDR_LEN))
		return json_null();
	return json_string(address_text(addr, text, sizeof(text)));
}

static json_t *port_or_null(__u16 port)
{
	return port ? json_integer(port) : json_null();
}

static json_t *number_text(const struct event *event, __u32 number)
{
	char text[16];

	if (!event->kept_apart || !event->refusal.pid)
		return json_null();
	snprintf(text, sizeof(text), "%u", number);
	return json_string(text);
}

static bool is_loopback(const __u8 addr[ADDR_LEN])
{
	static const __u8 v4[13] = { [10] = 0xff, [11] = 0xff, [12] = 127 };
	static const __u8 v6[ADDR_LEN] = { [15] = 1 };

	return !memcmp(addr, v4, sizeof(v4)) || !memcmp(addr, v6, sizeof(v6));
}

static const char *network_direction(const struct event *event)
{
	const struct refusal *refusal = &event->refusal;

	if (!event->kept_apart)
		return refusal->reason == REASON_INBOUND ? "Inbound" : "Outbound";
	if (refusal->direction == DIRECTION_IN)
		return is_loopback(refusal->src) ? "Local" : "Inbound";
	return is_loopback(refusal->dst) ? "Local" : "Outbound";
}

/* Deny: the caller got an error. A dropped TCP segment, or anything inbound, tells nobody. */
static const char *device_action(const struct refusal *refusal, bool audit)
{
	if (audit)
		return "Allow";
	if (refusal->hook == HOOK_INGRESS ||
	    (refusal->hook == HOOK_EGRESS && refusal->protocol == IPPROTO_TCP))
		return "Drop";
	return "Deny";
}

static const char *event_severity(const struct refusal *refusal)
{
	switch (refusal->reason) {
	case REASON_TAMPER:
		return "High";
	case REASON_METADATA:
		return "Medium";
	}
	return "Low";
}

static bool is_dns(const struct refusal *refusal)
{
	return refusal->reason == REASON_DNS_NAME || refusal->reason == REASON_DNS_SERVER ||
	       refusal->reason == REASON_DNS_MALFORMED || refusal->dport == 53;
}

static void common_set(json_t *record, const struct event *event, bool audit)
{
	struct utsname machine;

	json_object_set_new(record, "TimeGenerated", time_text(event->end));
	json_object_set_new(record, "EventStartTime", time_text(event->start));
	json_object_set_new(record, "EventEndTime", time_text(event->end));
	json_object_set_new(record, "EventCount", json_integer((json_int_t)event->count));
	json_object_set_new(record, "EventOriginalUid", text_or_null(event->uid));
	json_object_set_new(record, "EventType", json_string("EndpointNetworkSession"));
	json_object_set_new(record, "EventSchema", json_string("NetworkSession"));
	json_object_set_new(record, "EventSchemaVersion", json_string("0.2.7"));
	json_object_set_new(record, "EventVendor", json_string("buildfence"));
	json_object_set_new(record, "EventProduct", json_string("buildfence"));
	json_object_set_new(record, "EventProductVersion", json_string(BUILDFENCE_VERSION));
	json_object_set_new(record, "EventSeverity", json_string(event_severity(&event->refusal)));
	json_object_set_new(record, "EventResult", json_string(audit ? "Success" : "Failure"));
	json_object_set_new(record, "EventResultDetails", json_string(audit ? "Simulation" : "NA"));
	if (!event->kept_apart)
		json_object_set_new(record, "EventMessage",
				    json_string("attempts that could not be kept apart: "
						"only their reason and number are known"));
	json_object_set_new(record, "DvcAction",
			    json_string(device_action(&event->refusal, audit)));
	uname(&machine);
	json_object_set_new(record, "DvcHostname", escaped_or_null(machine.nodename, TEXT_MAX));
}

static void network_set(json_t *record, const struct event *event)
{
	const struct refusal *refusal = &event->refusal;
	char number[8];

	json_object_set_new(record, "NetworkDirection", json_string(network_direction(event)));
	json_object_set_new(record, "NetworkProtocol", event->kept_apart && refusal->protocol ?
			    json_string(protocol_name(refusal->protocol, number)) : json_null());
	json_object_set_new(record, "NetworkApplicationProtocol",
			    is_dns(refusal) ? json_string("DNS") : json_null());
	json_object_set_new(record, "SrcIpAddr", address_or_null(event, refusal->src));
	json_object_set_new(record, "SrcPortNumber", port_or_null(refusal->sport));
	json_object_set_new(record, "DstIpAddr", address_or_null(event, refusal->dst));
	json_object_set_new(record, "DstPortNumber", port_or_null(refusal->dport));
	json_object_set_new(record, "DstFQDN", text_or_null(event->name));
}

/* The process is the local end: the source of what goes out, the destination of what comes in. */
static void process_set(json_t *record, const struct event *event)
{
	bool out = event->refusal.direction == DIRECTION_OUT;
	json_t *name = text_or_null(event->process);
	json_t *pid = number_text(event, event->refusal.pid);
	json_t *none = json_null();

	json_object_set_new(record, "SrcProcessName", out ? name : none);
	json_object_set_new(record, "SrcProcessId", out ? pid : none);
	json_object_set_new(record, "DstProcessName", out ? none : name);
	json_object_set_new(record, "DstProcessId", out ? none : pid);
	json_object_set_new(record, "SrcUserId",
			    out ? number_text(event, event->refusal.uid) : none);
	json_object_set_new(record, "SrcUsername", out ? text_or_null(event->username) : none);
}

static void job_set(json_t *record, const struct event *event, bool audit)
{
	const struct event_job *job = event->job;
	const char *const *pair = job->identity;

	json_object_set_new(record, "NetworkRuleName",
			    escaped_or_null(event->rule ? event->rule->label : NULL, TEXT_MAX));
	json_object_set_new(record, "Reason", json_string(reason_name(event->refusal.reason)));
	json_object_set_new(record, "Mode", json_string(audit ? "audit" : "enforce"));
	json_object_set_new(record, "Hook", event->kept_apart ?
			    json_string(hook_name(event->refusal.hook)) : json_null());
	json_object_set_new(record, "PolicyName", escaped_or_null(job->policy->name, TEXT_MAX));
	json_object_set_new(record, "PolicyHash", text_or_null(job->policy->hash));
	json_object_set_new(record, "JobName", escaped_or_null(job->name, TEXT_MAX));
	json_object_set_new(record, "CgroupPath", escaped_or_null(job->cgroup_path, TEXT_MAX * 2));
	json_object_set_new(record, "ProcessCommandLine", text_or_null(event->command_line));
	for (; pair && *pair; pair++) {
		char key[46];
		size_t length = strcspn(*pair, "=");

		if (!(*pair)[length] || length >= sizeof(key))
			continue;
		memcpy(key, *pair, length);
		key[length] = '\0';
		json_object_set_new(record, key, escaped_or_null(*pair + length + 1, TEXT_MAX));
	}
}

/*
 * Where a line would be too long, since escapes can double a text: what is given up first, and then
 * whatever is longest, but for the name by which a job finds its own. Returns whether there
 * was one.
 */
static bool longest_give_up(json_t *record)
{
	static const char *const first[] = { "ProcessCommandLine", "CgroupPath", "DstFQDN" };
	const char *key, *longest = NULL;
	size_t length = strlen(TOO_LONG);
	json_t *value;

	for (size_t i = 0; i < ARRAY_SIZE(first); i++) {
		if (json_string_length(json_object_get(record, first[i])) > length)
			return !json_object_set_new(record, first[i], json_string(TOO_LONG));
	}
	json_object_foreach(record, key, value) {
		if (json_string_length(value) <= length || !strcmp(key, "JobName") ||
		    !strcmp(key, "EventOriginalUid"))
			continue;
		length = json_string_length(value);
		longest = key;
	}
	return longest && !json_object_set_new(record, longest, json_string(TOO_LONG));
}

char *ndjson_record(const struct event *event)
{
	bool audit = event->kept_apart ? event->refusal.flags & REFUSAL_AUDIT :
					 event->job->mode == MODE_AUDIT;
	json_t *record = json_object();
	char *line = NULL;

	if (!record)
		return NULL;
	common_set(record, event, audit);
	network_set(record, event);
	process_set(record, event);
	job_set(record, event, audit);
	do {
		free(line);
		line = json_dumps(record, JSON_COMPACT | JSON_ENSURE_ASCII);
	} while (line && strlen(line) >= RECORD_MAX && longest_give_up(record));
	json_decref(record);
	return line;
}

/* A torn line is taken back, so that the file stays readable when the disk has room again. */
static void line_take_back(int fd, size_t written)
{
	struct stat status;
	off_t end = lseek(fd, 0, SEEK_CUR);

	if (end < 0 || fstat(fd, &status) < 0 || status.st_size != end ||
	    ftruncate(fd, end - (off_t)written) < 0)
		return;
}

int sink_ndjson_line(struct sink *sink, const char *line)
{
	struct sink_ndjson *ndjson = (struct sink_ndjson *)sink;
	size_t length = strlen(line);
	struct iovec parts[] = { { (void *)line, length }, { "\n", 1 } };
	ssize_t written = TEMP_FAILURE_RETRY(writev(ndjson->fd, parts, ARRAY_SIZE(parts)));

	if (written == (ssize_t)length + 1)
		return 0;
	if (written < 0)
		return -errno;
	line_take_back(ndjson->fd, (size_t)written);
	return -ENOSPC;
}

static int ndjson_event(struct sink *sink, const struct event *event)
{
	_cleanup_free_ char *line = ndjson_record(event);

	return line ? sink_ndjson_line(sink, line) : -ENOMEM;
}

static void ndjson_close(struct sink *sink)
{
	struct sink_ndjson *ndjson = (struct sink_ndjson *)sink;

	close(ndjson->fd);
	free(ndjson);
}

static int output_standard(void)
{
	int fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);

	return fd < 0 ? -errno : fd;
}

int sink_ndjson_open(const char *path, mode_t mode, struct sink **ret_sink)
{
	static const struct sink_class class = {
		.event = ndjson_event,
		.close = ndjson_close,
	};
	_cleanup_close_ int fd = -1;
	struct sink_ndjson *ndjson;

	fd = strcmp(path, "-") ? output_open(path, mode) : output_standard();
	if (fd < 0)
		return fd;
	ndjson = malloc(sizeof(*ndjson));
	if (!ndjson)
		return -ENOMEM;
	ndjson->sink.class = &class;
	ndjson->fd = TAKE_FD(fd);
	*ret_sink = &ndjson->sink;
	return 0;
}
