#include "mail/base64.h"

#include "tests/unit/tap.h"

/* RFC 4648 section 10, and a user with a password. */
static const struct {
	const char *text;
	const char *bytes;
	size_t n;
} good[] = {
	{ "", "", 0 },
	{ "Zg==", "f", 1 },
	{ "Zm8=", "fo", 2 },
	{ "Zm9v", "foo", 3 },
	{ "Zm9vYg==", "foob", 4 },
	{ "Zm9vYmE=", "fooba", 5 },
	{ "Zm9vYmFy", "foobar", 6 },
	{ "AGpvZQBzZWNyZXQ=", "\0joe\0secret", 11 },
	{ "+/+/", "\xfb\xff\xbf", 3 },
};

static const char *const bad[] = { "Z", "Zg", "Zg=", "Zg==Zg==", "Z===", "====", "=", "Zm9v\n", "Zm 9",
	"Zm9-", "Zm9_", "Zh==", "Zm9=", "Z=g=", "*", "Zm9vYg==\r", "\xc3\xa4\xc3\xa4", "Zm9v====" };

int main(void)
{
	char out[64], again[64];
	size_t len;

	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
		const size_t n = strlen(good[i].text);

		tap_ok(base64_decode(good[i].text, n, out, sizeof out, &len) == NULL && len == good[i].n &&
				memcmp(out, good[i].bytes, len) == 0 &&
				base64_encode(out, len, again) == n && n == BASE64_LENGTH(len) &&
				memcmp(again, good[i].text, n) == 0,
			good[i].text);
	}
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		tap_ok(base64_decode(bad[i], strlen(bad[i]), out, sizeof out, &len) != NULL, "refused");
	memset(out, 'x', sizeof out);
	tap_ok(base64_decode("Zm9vYmFy", 8, out, 4, &len) == NULL && len == 6 &&
			memcmp(out, "foobxx", 6) == 0,
		"what has no room is counted, not written");
	return tap_end();
}
