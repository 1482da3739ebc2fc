/* net/rules_key.h - what is in the keys of compiled rules: names, and IPv6 networks of ours (net/rules.h). */
#ifndef NET_RULES_KEY_H
#define NET_RULES_KEY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

char rules_key_lower(char c);

/* Where the name begins: behind a first "=" or the last "@=". NULL: this key has no name. */
const char *rules_key_name(const char *key, size_t n);
/* Without its last dot, if that is not all there is. */
size_t rules_key_name_len(const char *name, size_t n);
/* A name in its normal form. */
void rules_key_put_name(struct str *key, const char *name, size_t n);
/* The normal form of a key of a file; false when it is that already. */
bool rules_key_normalise(struct str *out, const char *key, size_t n);

/* The length of "[...]/LENGTH" or "[...]"; -1: this key is none of ours. */
int rules_key_bits(const char *key, size_t n);

#endif
