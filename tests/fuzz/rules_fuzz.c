/* Compiled rules: whatever is believed can be asked anything, and stays inside its bytes. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "net/rules.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void ask(struct rules *r, const char *ip, const char *host, const char *info)
{
	const struct rules_client who = { ip, host, info };
	struct rules_verdict v;
	const char *pair;
	size_t n;

	if (rules_find(r, &who, &v) == -1)
		abort(); /* verified files answer every question */
	while (v.found && (pair = rules_variable(&v, &n)) != NULL)
		if (memchr(pair, '=', n) == NULL || pair[n] != '\0')
			abort();
}

static void tried(void *arg, const char *key, size_t n, const struct rules_verdict *v)
{
	(void)arg;
	if (key[n] != '\0' || (v != NULL && !v->found))
		abort();
}

/* Each record can be asked for: by its own key it finds something. */
static int each(void *arg, const struct rules_record *r)
{
	char key[256];

	if (r->key_len == 0 || r->key_len >= sizeof key || memchr(r->key, '\0', r->key_len) != NULL)
		return 0;
	memcpy(key, r->key, r->key_len);
	key[r->key_len] = '\0';
	ask(arg, key, key[0] == '=' ? key + 1 : NULL, NULL);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char path[64];
	static int fd = -1;
	struct rules *r;

	if (fd == -1) {
		fd = memfd_create("fuzz", 0);
		snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	}
	if (ftruncate(fd, 0) == -1 || pwrite(fd, data, size, 0) != (ssize_t)size)
		return 0;
	r = rules_open(path);
	if (r != NULL && rules_refresh(r) == 0) {
		ask(r, "127.0.0.1", NULL, NULL);
		ask(r, "::ffff:10.0.0.1", "Mail.Example.COM.", "joe");
		ask(r, "", "", "");
		rules_trace(r, tried, NULL);
		ask(r, "2001:db8::1", "mail.example.com", "joe");
		ask(r, "fe80::1%eth0", NULL, NULL);
		if (rules_each(r, each, r) == -1)
			abort();
		if (size > 2056) { /* something that may be in it */
			char key[256];
			const size_t n = size - 2056 < sizeof key ? size - 2056 : sizeof key - 1;

			memcpy(key, data + 2056, n);
			key[n] = '\0';
			ask(r, key, key, NULL);
		}
	}
	rules_close(r);
	return 0;
}
