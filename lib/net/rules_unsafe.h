/* net/rules_unsafe.h - would a variable of this name have a program run something else?
 *
 * Why     who may write rules for clients is not always who may say what programs the server's user runs;
 *         and a rule is the only way of text into the environment of everything that comes after.
 * Source  what glibc drops for programs that gained privileges (sysdeps/generic/unsecvars.h there, ld.so(8));
 *         the manuals of bash, dash, perl, python, ruby, node, java, lua, git, less for the others. */
#ifndef NET_RULES_UNSAFE_H
#define NET_RULES_UNSAFE_H

#include <stdbool.h>
#include <stddef.h>

/* The name is n bytes, without its "=". */
bool rules_variable_is_unsafe(const char *name, size_t n);

#endif
