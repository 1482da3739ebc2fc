/* queue/door_command.h - the door to a command, for door.c. */
#ifndef QUEUE_DOOR_COMMAND_H
#define QUEUE_DOOR_COMMAND_H

#include "queue/door.h"

const char *door_command_open(struct door *d, const char *command, int null_log)
	__attribute__((warn_unused_result));
int door_command_begin(struct door *d, struct door_answer *answer) __attribute__((warn_unused_result));
int door_command_write(struct door *d, const char *p, size_t n) __attribute__((warn_unused_result));
void door_command_end(struct door *d, const struct envelope *e, struct door_answer *answer);
void door_command_abort(struct door *d);

#endif
