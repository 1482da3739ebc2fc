/* mail/spf_macro.h - the macros of SPF: what they stand for, in names and in explanations.
 *
 * Shape   a check first, then an expansion that cannot fail for want of syntax. Values are texts of the
 *         caller's; nothing is copied but into the caller's result.
 * Cost    linear in the text and in what it expands to; a name keeps its last 253 bytes only.
 * Errors  a check returns NULL or a fixed sentence. spf_expand_name is false where no name comes out that
 *         the DNS can be asked for: the term does not match then (RFC 7208 section 4.8).
 * Source  RFC 7208 section 7; RFC 8616 section 4: bytes over 0x7e make no name. */
#ifndef MAIL_SPF_MACRO_H
#define MAIL_SPF_MACRO_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

enum { SPF_NAME = 254 }; /* 253 bytes and the NUL */

struct spf_text {
	const char *p;
	size_t n;
};

static inline struct spf_text spf_text_of(const char *s)
{
	return (struct spf_text){ s, strlen(s) };
}

struct spf_values {
	struct spf_text sender, local, origin; /* s l o */
	struct spf_text domain;                /* d: changes with include and redirect */
	struct spf_text dotted, readable;      /* i c */
	struct spf_text version;               /* v: "in-addr" or "ip6" */
	struct spf_text helo, receiver, time;  /* h r t */
	/* p: costs questions, so it is asked for when it occurs. domain is d. */
	struct spf_text (*validated)(void *arg, struct spf_text domain);
	void *arg;
};

/* domain-spec: macros but c, r and t; ends in a macro or in a label that no number is. */
const char *spf_check_name(struct spf_text t) __attribute__((warn_unused_result));
/* macro-string of a modifier that nobody knows. */
const char *spf_check_modifier(struct spf_text t) __attribute__((warn_unused_result));
/* explain-string: all macros, and blanks. */
const char *spf_check_explanation(struct spf_text t) __attribute__((warn_unused_result));

/* Of what has been checked. Without a last dot; labels on the left go when there are too many. */
bool spf_expand_name(struct spf_text t, const struct spf_values *v, char name[SPF_NAME])
	__attribute__((warn_unused_result));
/* Cut at cap - 1 bytes; '?' stands for each byte outside 0x20 to 0x7e. */
void spf_expand_explanation(struct spf_text t, const struct spf_values *v, char *text, size_t cap);

/* Labels of 1 to 63 bytes from 0x20 to 0x7e, 253 bytes in all, no last dot. */
bool spf_is_name(const char *p, size_t n);

#endif
