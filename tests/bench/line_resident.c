/* line_resident.c - line.c as a program that stays (lib/net/resident.h). */
#include "net/resident.h"

#include <unistd.h>

int main(void)
{
	static const char line[] = "hello\r\n";
	struct resident r;

	(void)resident_open(&r);
	do {
		if (write(1, line, sizeof line - 1) != (ssize_t)(sizeof line - 1))
			return 1;
	} while (resident_next(&r, 0));
	return 0;
}
