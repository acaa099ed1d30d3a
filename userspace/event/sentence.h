/* SPDX-License-Identifier: GPL-2.0 */
/*
 * An event in words: who, where to, why not, and what to do. Shared by the lines and the summary.
 */
#ifndef BUILDFENCE_SENTENCE_H
#define BUILDFENCE_SENTENCE_H

#include "base/text.h"
#include "event/event.h"

/*
 * "curl[4711] -> paste.example (198.51.100.7:443/tcp)", "198.51.100.9:40112 -> :8080/tcp nginx[12]"
 */
void sentence_who(const struct event *event, struct text *out);

/* The same without the process: "paste.example (198.51.100.7:443/tcp)". */
void sentence_where(const struct event *event, struct text *out);

/* 'name not allowed; to allow: "https://paste.example"' */
void sentence_why(const struct event *event, struct text *out);

/* "198.51.100.7:443/tcp", "[2001:db8::1]:443/tcp"; a port of 0 is left out. */
void sentence_endpoint(const __u8 addr[ADDR_LEN], __u16 port, __u8 protocol, struct text *out);

#endif
