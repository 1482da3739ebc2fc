/* between.h - a whole program that runs another one and stands between it and its surroundings.
 *
 * Shape   NAME program [ arg ... ]: the program runs in this process, with pipes on 0 and 1; what comes and goes
 *         is made by the two ways of t (base/twoway.h) in a process of its own.
 * Errors  exit 100 for the usage, 111 for what the system refuses. */
#ifndef TCPSERVER_BETWEEN_H
#define TCPSERVER_BETWEEN_H

#include "base/twoway.h"

_Noreturn void between(struct twoway *t, const char *name, const char *usage, char **program);

#endif
