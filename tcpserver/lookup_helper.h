/* lookup_helper.h - the other end of lookup.h: one process, one poll loop, any number of questions. */
#ifndef TCPSERVER_LOOKUP_HELPER_H
#define TCPSERVER_LOOKUP_HELPER_H

#include "tcpserver/config.h"

/* Serves the socket until its other end is closed. */
_Noreturn void lookup_helper(const struct config *c, int fd);

#endif
