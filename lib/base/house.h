/* base/house.h - what was settled when portero was built: its version, and where it lives.
 *
 * Source  the first line of CHANGES, the first line of conf-qmail: the Makefile writes them into
 *         house_facts.h. */
#ifndef BASE_HOUSE_H
#define BASE_HOUSE_H

extern const char house_version[]; /* "portero 0.1\n" */

/* The directory of control, queue and the rest: PORTERO_HOME of the environment, unless whoever set that
 * gained privileges by running us; else the one of conf-qmail. */
const char *house_home(void);

#endif
