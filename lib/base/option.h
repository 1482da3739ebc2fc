/* base/option.h - what is said of options, alike in all programs.
 *
 * Source  getopt(3) as ucspi-tcp has it: "NAME: illegal option -- x", then the usage. */
#ifndef BASE_OPTION_H
#define BASE_OPTION_H

#include <sys/types.h>

/* What getopt_long(3) has refused, with a colon first among its letters: result is ':' or '?', letter its
 * optopt (a long option has none). Exit 100. */
_Noreturn void option_refuse(const char *program, int result, int letter, const char *usage);

/* --help and --version: the text on descriptor 1, exit 0. */
_Noreturn void option_print(const char *text);

/* The number that an option ("-t", "--time") is given, in the range; exit 100 with a line for anything else. */
unsigned long option_number(const char *option, const char *text, unsigned long min, unsigned long max);

/* "666", octal, up to 777: the mode of a socket; exit 100 as well. */
mode_t option_mode(const char *option, const char *text);

#endif
