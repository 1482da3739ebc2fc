/* fair.h - who gets the next slot, and who loses one: only asked while somebody waits for a slot.
 *
 * Rules   the next slot goes to the address with the smallest claim (its sessions, and those that it lost
 *         lately), among equals to who came first. When all slots are held, the address with most of them
 *         loses its longest silent session: 0.5 s of silence are enough where it holds more than its
 *         share, an eighth of all; 4 s elsewhere. Above its share it loses one that is not silent too,
 *         one at a time, to somebody who has waited for 3 s. Nobody loses one to an address that has as
 *         many, but for a program that goes on when its client has hung up: those go first. When the
 *         waiting room is full, the address with most clients here loses its newest one.
 * Cost    a walk over those who wait, or over all sessions, ten times a second at most. */
#ifndef TCPSERVER_FAIR_H
#define TCPSERVER_FAIR_H

#include "tcpserver/limits.h"
#include "tcpserver/session.h"
#include "tcpserver/silence.h"

enum { FAIR_EVERY_MS = 100, FAIR_AT_ONCE = 64 };

size_t fair_room(size_t limit); /* how many may wait for that many slots, as far as descriptors go */

struct session *fair_next(struct sessions *t, const struct limits *l, int64_t now_ms);
/* Of those who wait, the newest of the heaviest address; NULL when no address has two. */
struct session *fair_heaviest(struct sessions *t, const struct limits *l);
/* Up to FAIR_AT_ONCE sessions that shall go. Returns how many. */
size_t fair_victims(struct sessions *t, const struct limits *l, struct silence *silence, size_t limit,
	int64_t now_ms, struct session *victims[FAIR_AT_ONCE]);

#endif
