/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How commands talk to the daemon: a UNIX stream socket, one request a connection. The request is
 * one JSON object in one line; so is the answer, {"ok":true,...} or {"ok":false,"error":"..."}.
 *
 *   {"request":"attach","job":NAME,"cgroup":PATH,"policy":FILE}	policy: none, or a preset
 *   {"request":"detach","job":NAME}
 *   {"request":"jobs"}
 *	{"jobs":[{"name","number","cgroup","policy","policy_hash","mode","started","agent",
 *		  "identity":{},"refused":N,"processes":bool}]}
 *   {"request":"status"}
 *	{"version","pid","started","jobs":N,"jobs_max":N,
 *	 "policies":[{"name","source","hash","jobs":N}],
 *	 "records":{"file","written","attempts","error"},"guarded":[PATH...],
 *	 "lost":{WHAT:N}}	(of event/shortage.h)
 *   {"request":"status","cgroup":PATH}	PATH may be "self": the peer's own
 *	{"cgroup":PATH,"guarded":bool,"covered":bool}	covered: by the configuration's `guard`
 *   {"request":"reload"}
 *   {"request":"events","follow":bool,"job":NAME}	job may be missing
 *	and then lines of records (event/sink.h), and {"lost":N} where N were left out because they
 *	were read too slowly
 *
 * PATH is from cgroup2's root. Root may ask everything; others for events of their own job, and
 * status without details.
 */
#ifndef BUILDFENCE_CONTROL_PROTOCOL_H
#define BUILDFENCE_CONTROL_PROTOCOL_H

#define CONTROL_SOCKET		"/run/buildfence/socket"
#define CONTROL_REQUEST_MAX	16384	/* bytes, the newline included */
#define CONTROL_REQUEST_TIME_S	5	/* from connect to the newline */

/* sun_path holds 107 bytes and NUL; the server binds a name longer by ".new" and renames it. */
#define CONTROL_PATH_MAX	103

#endif
