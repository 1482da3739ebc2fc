#include "smtpd/extensions.h"

#include <string.h>
#include <strings.h>

#include "base/str.h"
#include "smtpd/replies.h"
#include "smtpd/session.h"

/* RFC 1870 section 4: the number is the fixed maximum, 0 says that there is none. */
static void size(const struct session *s, struct str *line)
{
	str_putu(line, s->set->size_max);
}

static void limits(const struct session *s, struct str *line)
{
	(void)s;
	str_putu(line, SESSION_RECIPIENTS);
}

static const struct {
	const char *words;
	unsigned needs;
	bool of_queue;
	void (*more)(const struct session *s, struct str *line);
} offers[] = {
	{ "PIPELINING", EXT_ALWAYS, false, NULL },        /* RFC 2920 */
	{ "SIZE ", EXT_ALWAYS, false, size },             /* RFC 1870 */
	{ "8BITMIME", EXT_ALWAYS, false, NULL },          /* RFC 6152 */
	{ "SMTPUTF8", EXT_SMTPUTF8, true, NULL },         /* RFC 6531 */
	{ "CHUNKING", EXT_ALWAYS, false, NULL },          /* RFC 3030 */
	{ "BINARYMIME", EXT_BINARYMIME, true, NULL },     /* RFC 3030 */
	{ "DSN", EXT_DSN, true, NULL },                   /* RFC 3461 */
	{ "STARTTLS", EXT_STARTTLS, false, NULL },        /* RFC 3207 */
	{ "AUTH", EXT_AUTH, false, auth_put },            /* RFC 4954 */
	{ "REQUIRETLS", EXT_REQUIRETLS, true, NULL },     /* RFC 8689 */
	{ "LIMITS RCPTMAX=", EXT_ALWAYS, false, limits }, /* RFC 9422 */
	{ "XCLIENT NAME ADDR PORT PROTO HELO LOGIN DESTADDR DESTPORT", EXT_XCLIENT, false, NULL },
	{ "ENHANCEDSTATUSCODES", EXT_ALWAYS, false, NULL }, /* RFC 2034; the last, always */
};

enum { OFFERS = sizeof offers / sizeof offers[0] };

static unsigned of_word(const char *p, size_t n)
{
	for (size_t i = 0; i < OFFERS; i++)
		if (offers[i].of_queue && strlen(offers[i].words) == n &&
			strncasecmp(offers[i].words, p, n) == 0)
			return offers[i].needs;
	return 0;
}

unsigned extensions_of_queue(const char *words, const char **unknown)
{
	static const char blanks[] = " \t,";
	unsigned can = 0;

	*unknown = NULL;
	for (words += strspn(words, blanks); *words != '\0'; words += strspn(words, blanks)) {
		const size_t n = strcspn(words, blanks);
		const unsigned bit = of_word(words, n);

		if (bit == 0 && *unknown == NULL)
			*unknown = words;
		can |= bit;
		words += n;
	}
	return can;
}

unsigned extensions_now(const struct session *s)
{
	unsigned now = s->set->queue_can;

	if (s->tls.control != -1 && !s->tls.on)
		now |= EXT_STARTTLS;
	if (!s->tls.on)
		now &= ~(unsigned)EXT_REQUIRETLS;
	if (auth_is_offered(s))
		now |= EXT_AUTH;
	if (s->set->xclient)
		now |= EXT_XCLIENT;
	return now;
}

void extensions_put(struct session *s)
{
	const unsigned now = extensions_now(s);

	for (size_t i = 0; i < OFFERS; i++) {
		char memory[128];
		struct str line;

		if ((offers[i].needs & now) != offers[i].needs)
			continue;
		str_init(&line, memory, sizeof memory);
		str_puts(&line, offers[i].words);
		if (offers[i].more != NULL)
			offers[i].more(s, &line);
		reply_put_line(s, i + 1 < OFFERS ? '-' : ' ', line.s);
	}
}
