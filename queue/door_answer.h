/* queue/door_answer.h - what a queue says of a message, and the exit codes that stand for it.
 *
 * Source  exit codes and texts of qmail.c; custom errors of netqmail. */
#ifndef QUEUE_DOOR_ANSWER_H
#define QUEUE_DOOR_ANSWER_H

#include <stddef.h>

enum { DOOR_TEXT = 256 };

struct door_answer {
	char letter; /* K (kept), Z (try again), D (never) */
	char text[DOOR_TEXT];
};

enum door_exit {
	DOOR_KEPT = 0,
	DOOR_ADDRESS_TOO_LONG = 11,
	DOOR_REFUSED = 31,
	DOOR_MEMORY = 51,
	DOOR_TIMEOUT = 52,
	DOOR_WRITE = 53,
	DOOR_READ = 54,
	DOOR_CONFIGURATION = 55,
	DOOR_CONNECTION = 56,
	DOOR_HOME = 61,
	DOOR_FILES = 62,
	DOOR_LATER = 71,
	DOOR_SERVER_SILENT = 72,
	DOOR_SERVER_AWAY = 73,
	DOOR_LOST = 74,
	DOOR_CUSTOM = 82,
	DOOR_FORMAT = 91,
	DOOR_NO_EXEC = 120
};

/* "Ztext": the letter and its text. */
void door_answer_set(struct door_answer *a, const char *text);

/* The same from bytes of elsewhere, as far as a reply may carry them. */
void door_answer_take(struct door_answer *a, char letter, const char *text, size_t n);

/* The letter and the text that an exit code stands for. */
const char *door_answer_text(int code);

/* The exit code that stands for the answer; DOOR_CUSTOM: none, its text must be told. */
int door_answer_code(const struct door_answer *a);

#endif
