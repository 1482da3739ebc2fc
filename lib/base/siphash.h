/* base/siphash.h - a hash that nobody can aim without its key.
 *
 * Source  SipHash-2-4, Aumasson and Bernstein, "SipHash: a fast short-input PRF" (2012), with its test vectors. */
#ifndef BASE_SIPHASH_H
#define BASE_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

enum { SIPHASH_KEY = 16 };

uint64_t siphash(const uint8_t key[SIPHASH_KEY], const void *p, size_t n);

#endif
