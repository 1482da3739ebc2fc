/* What checkers read that is not ours: the file of checkpassword-file, and what a Dovecot server says. The file's
 * text is cut up in place, so nothing that is found may lie outside it; the server's lines come from a file, through
 * a buffer as small as a line may be. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "smtpd/dovecot_auth.h"
#include "smtpd/password_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_inside(const char *found, const char *text, size_t n)
{
	if (found != NULL &&
		(found < text || found >= text + n || strlen(found) > (size_t)(text + n - found)))
		abort();
}

static void check_file(const char *bytes, size_t n)
{
	char *text = malloc(n + 1);
	struct password_entry e;

	if (text == NULL)
		abort();
	memcpy(text, bytes, n);
	text[n] = '\0';
	if (password_file_find(text, "joe", &e) == NULL) {
		check_inside(e.hash, text, n);
		check_inside(e.decoy, text, n);
		check_inside(e.home, text, n);
		check_inside(e.shell, text, n);
		if (e.hash != NULL && (e.hash[0] == '\0' || strpbrk(e.hash, ": \t\r\n") != NULL))
			abort();
		if ((e.decoy != NULL && password_file_locked(e.decoy)) || (e.hash != NULL && e.line == 0))
			abort();
	} else if (e.line == 0) {
		abort();
	}
	free(text);
}

static void check_server(const char *bytes, size_t n)
{
	char *buffer = malloc(64);
	int fd = memfd_create("in", 0);
	struct io_reader in = { .fd = fd, .timeout_ms = 1000, .buf = buffer, .cap = 64 };
	const char *why = NULL;
	enum dovecot_says said;

	if (buffer == NULL || fd == -1 || write(fd, bytes, n) != (ssize_t)n || lseek(fd, 0, SEEK_SET) != 0)
		abort();
	said = dovecot_greeting(&in, &why);
	if (said == DOVECOT_OK)
		said = dovecot_answer(&in, &why);
	if (said == DOVECOT_OK &&
		(memmem(bytes, n, "VERSION\t1", 9) == NULL || memmem(bytes, n, "OK\t1", 4) == NULL))
		abort();
	if (said == DOVECOT_TROUBLE && why == NULL)
		abort();
	close(fd);
	free(buffer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	check_file((const char *)data, size);
	check_server((const char *)data, size);
	return 0;
}
