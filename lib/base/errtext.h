/* base/errtext.h - system errors in the words of ucspi-tcp and qmail.
 *
 * Shape   a fixed text without a newline; what the table does not know is left to strerror(3).
 * Source  error(3) of those packages: log analysers and scripts compare these words. */
#ifndef BASE_ERRTEXT_H
#define BASE_ERRTEXT_H

const char *errtext(int error);

#endif
