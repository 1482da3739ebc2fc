/* hold.c - a service that greets, and lasts as long as its client. */
#include <unistd.h>

int main(void)
{
	static const char line[] = "hello\r\n";
	char gone[64];

	if (write(1, line, sizeof line - 1) != (ssize_t)(sizeof line - 1))
		return 1;
	while (read(0, gone, sizeof gone) > 0)
		;
	return 0;
}
