/* SPDX-License-Identifier: GPL-2.0 */
/* DNS messages written as text, so that a table row shows what is odd about its message. */
#ifndef BUILDFENCE_TESTS_DNS_WIRE_H
#define BUILDFENCE_TESTS_DNS_WIRE_H

#include <stddef.h>
#include <stdint.h>

/*
 * Words, each behind a space:
 *   Q       a question's header: one question, nothing else
 *   R3      an answer's header: one question, three records
 *   .dev    a label, its length before it
 *   c00c    bytes in hex
 *   63x61   a byte, so many times
 *   {3 ...} what stands between the braces, so many times; not nested
 * Returns the message's length. A word that is none of these fails the test.
 */
size_t dns_wire(const char *text, uint8_t *ret_bytes, size_t size);

#endif
