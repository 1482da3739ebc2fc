/* queue/door_fds.h - the descriptors of a queue program, for the two sides of the door: door.c, door_program.c. */
#ifndef QUEUE_DOOR_FDS_H
#define QUEUE_DOOR_FDS_H

enum {
	MESSAGE_FD = 0,
	ENVELOPE_FD = 1,
	ERROR_FD = 6,    /* netqmail, notqmail */
	OLD_ERROR_FD = 4 /* simscan and others */
};

#endif
