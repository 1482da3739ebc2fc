/* checkpassword-file - passwords of a file with crypt(3) hashes: checkpassword-file(8). */
#include <crypt.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fs.h"
#include "base/house.h"
#include "base/option.h"
#include "base/str.h"
#include "smtpd/checkpassword.h"
#include "smtpd/password_file.h"

#define USAGE                                                                             \
	"checkpassword-file: usage: checkpassword-file [ -f file ] program [ arg ... ]\n" \
	"       checkpassword-file --hash user\n"

static const char help[] =
	USAGE "Reads user and password from descriptor 3, and runs the program if the file has them.\n"
	      "The file is CHECKPASSWORD_FILE, lines user:HASH. See checkpassword-file(8).\n"
	      "  -f file     this file\n"
	      "  --hash user reads a password from standard input and prints a line for the file\n"
	      "  --help      this text\n"
	      "  --version   the version of portero\n";

enum { FILE_MAX = 64 * 1024 * 1024 };

struct config {
	const char *file;
	const char *hash_user;
	char **program;
};

static struct config config_of(int argc, char **argv)
{
	static const struct option longs[] = { { "hash", required_argument, NULL, 'H' },
		{ "help", no_argument, NULL, 'h' }, { "version", no_argument, NULL, 'V' }, { 0 } };
	struct config c = { .file = getenv("CHECKPASSWORD_FILE") };

	opterr = 0;
	for (int o; (o = getopt_long(argc, argv, "+f:", longs, NULL)) != -1;)
		switch (o) {
		case 'f':
			c.file = optarg;
			break;
		case 'H':
			c.hash_user = optarg;
			break;
		case 'h':
			option_print(help);
		case 'V':
			option_print(house_version);
		default:
			checkpassword_misused(USAGE);
		}
	c.program = argv + optind;
	return c;
}

/* ---- a new line ---------------------------------------------------------------------------------------- */

/* What is typed is not shown; true: it has to be shown again later. */
static bool hide_typing(struct termios *before)
{
	struct termios t;

	if (tcgetattr(0, before) == -1)
		return false; /* nobody types */
	t = *before;
	t.c_lflag &= ~(tcflag_t)ECHO;
	return tcsetattr(0, TCSAFLUSH, &t) == 0 && fs_write_all(2, "Password: ", 10) == 0;
}

static void read_line(char *text, size_t cap)
{
	struct termios before;
	const bool hidden = hide_typing(&before);
	size_t have = 0;
	ssize_t n;

	while (have < cap && (n = read(0, text + have, cap - have)) > 0) {
		have += (size_t)n;
		if (memchr(text, '\n', have) != NULL)
			break;
	}
	if (hidden && (tcsetattr(0, TCSAFLUSH, &before) == -1 || fs_write_all(2, "\n", 1) == -1))
		warn("the terminal stays as it is: try stty sane");
	if (have == cap)
		die(EXIT_PERMANENT, "password: more than %d bytes", CHECKPASSWORD_BYTES);
	text[have] = '\0';
	text[strcspn(text, "\r\n")] = '\0';
	if (text[0] == '\0')
		die(EXIT_PERMANENT, "password: it is empty, and such are never taken");
}

static _Noreturn void print_hash(const char *user)
{
	static struct crypt_data data;
	char password[CHECKPASSWORD_BYTES], setting[CRYPT_GENSALT_OUTPUT_SIZE],
		memory[2 * CHECKPASSWORD_BYTES];
	const char *hash;
	struct str line;

	if (user[0] == '\0' || user[0] == '#' || strpbrk(user, ": \t\r\n") != NULL)
		die(EXIT_PERMANENT, "user %s: not empty, without blanks and colons, and no # first", user);
	read_line(password, sizeof password);
	if (crypt_gensalt_rn(NULL, 0, NULL, 0, setting, sizeof setting) == NULL)
		die(EXIT_TEMPORARY, "no salt: %s", strerror(errno));
	hash = crypt_rn(password, setting, &data, (int)sizeof data);
	explicit_bzero(password, sizeof password);
	if (hash == NULL)
		die(EXIT_TEMPORARY, "no hash: %s", strerror(errno));
	str_init(&line, memory, sizeof memory);
	str_puts(&line, user);
	str_putc(&line, ':');
	str_puts(&line, hash);
	str_putc(&line, '\n');
	if (line.full)
		die(EXIT_PERMANENT, "user: too long");
	option_print(line.s);
}

/* ---- a check ------------------------------------------------------------------------------------------- */

static void read_file(const char *name, char **text)
{
	struct stat st;
	ssize_t n;

	if (stat(name, &st) == -1)
		die(EXIT_TEMPORARY, "unable to read %s: %s", name, strerror(errno));
	if ((st.st_mode & (S_IROTH | S_IWOTH | S_IWGRP)) != 0)
		die(EXIT_TEMPORARY, "%s: mode %03o lets others in: chmod o=,g-w %s", name,
			(unsigned)st.st_mode & 0777, name);
	n = fs_read_file(AT_FDCWD, name, FILE_MAX, text);
	if (n == -1)
		die(EXIT_TEMPORARY, "unable to read %s: %s", name, strerror(errno));
	if (strlen(*text) != (size_t)n)
		die(EXIT_TEMPORARY, "%s: a NUL byte at %zu", name, strlen(*text));
}

/* The time does not tell how much of it is the same. */
static bool is_same(const char *a, const char *b)
{
	const size_t n = strlen(a);
	unsigned char differ = 0;

	if (strlen(b) != n)
		return false;
	for (size_t i = 0; i < n; i++)
		differ |= (unsigned char)(a[i] ^ b[i]);
	return differ == 0;
}

static bool is_right(const struct credentials *c, const struct password_entry *e, const char *file)
{
	static struct crypt_data data;
	const bool usable = e->hash != NULL && !password_file_locked(e->hash);
	const char *hash =
		usable ? e->hash : e->decoy; /* who is not there, or may not, costs what others cost */
	const char *got;

	if (hash == NULL || c->password[0] == '\0')
		return false;
	got = crypt_rn(c->password, hash, &data, (int)sizeof data);
	if (usable && (got == NULL || strlen(got) != strlen(hash)))
		die(EXIT_TEMPORARY,
			"%s, line %zu: a hash that crypt(3) does not know: make one with --hash", file,
			e->line);
	return usable && is_same(got, hash);
}

int main(int argc, char **argv)
{
	const struct config config = config_of(argc, argv);
	struct credentials c;
	struct password_entry e;
	const char *wrong;
	char *text;

	err_name("checkpassword-file");
	if (config.hash_user != NULL)
		print_hash(config.hash_user);
	checkpassword_read(&c, config.program, USAGE);
	if (config.file == NULL) {
		warn("no file: set CHECKPASSWORD_FILE, or say -f file");
		_exit(CHECKPASSWORD_MISUSED);
	}
	read_file(config.file, &text);
	wrong = password_file_find(text, c.user, &e);
	if (wrong != NULL)
		die(EXIT_TEMPORARY, "%s, line %zu: %s", config.file, e.line, wrong);
	if (!is_right(&c, &e, config.file))
		checkpassword_wrong(&c);
	checkpassword_run(&c, config.program, c.user, e.home, e.shell);
}
