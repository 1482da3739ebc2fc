/* auth_words.h - what SMTPAUTH says. */
#ifndef SMTPD_AUTH_WORDS_H
#define SMTPD_AUTH_WORDS_H

#include <stdbool.h>

enum auth_mechanism { AUTH_PLAIN = 1, AUTH_LOGIN = 2 };

struct auth_words {
	bool given;          /* SMTPAUTH is set */
	bool never;          /* "-", "off" */
	bool clear;          /* "clear": without TLS, too */
	bool require;        /* "require", "!": no MAIL before it */
	bool wrong;          /* a word that is none of these: no AUTH, and no MAIL */
	unsigned mechanisms; /* those named, or all */
};

/* NULL: SMTPAUTH is not set. */
struct auth_words auth_words_read(const char *text);

#endif
