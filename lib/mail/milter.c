#include "mail/milter.h"

#include <string.h>

/* ---- commands ------------------------------------------------------------------------------------------ */

static void put_number(char *to, uint32_t n)
{
	to[0] = (char)(n >> 24 & 0xff);
	to[1] = (char)(n >> 16 & 0xff);
	to[2] = (char)(n >> 8 & 0xff);
	to[3] = (char)(n & 0xff);
}

static uint32_t get_number(const char *p)
{
	const unsigned char *u = (const unsigned char *)p;

	return (uint32_t)u[0] << 24 | (uint32_t)u[1] << 16 | (uint32_t)u[2] << 8 | u[3];
}

void milter_begin(struct milter_out *o, char *memory, size_t cap, enum milter_command command)
{
	const char letter = (char)command;

	*o = (struct milter_out){ .bytes = memory, .cap = cap };
	milter_put(o, "\0\0\0\0", 4);
	milter_put(o, &letter, 1);
}

void milter_put(struct milter_out *o, const void *p, size_t n)
{
	if (o->full || n > o->cap - o->len) {
		o->full = true;
		return;
	}
	memcpy(o->bytes + o->len, p, n);
	o->len += n;
}

void milter_put_text(struct milter_out *o, const char *text)
{
	milter_put(o, text, strlen(text) + 1);
}

void milter_put_text_n(struct milter_out *o, const char *text, size_t n)
{
	milter_put(o, text, n);
	milter_put(o, "", 1);
}

void milter_put_u16(struct milter_out *o, unsigned n)
{
	char bytes[4];

	put_number(bytes, n);
	milter_put(o, bytes + 2, 2);
}

static void put_u32(struct milter_out *o, uint32_t n)
{
	char bytes[4];

	put_number(bytes, n);
	milter_put(o, bytes, sizeof bytes);
}

bool milter_end(struct milter_out *o)
{
	if (o->full)
		return false;
	put_number(o->bytes, (uint32_t)(o->len - 4));
	return true;
}

/* ---- options ------------------------------------------------------------------------------------------- */

/* What each version brought: SMFI_V1_ACTS, SMFI_V2_PROT and so on of mfdef.h. Version 3 brought commands that are
 * unknown, 4 DATA, 6 all the rest. */
static const struct {
	uint32_t actions;
	uint32_t steps;
} of_version[] = {
	[2] = { 0x03f, 0x00007f },
	[3] = { 0x03f, 0x0001ff },
	[4] = { 0x03f, 0x0003ff },
	[5] = { 0x03f, 0x0003ff },
	[6] = { 0x1ff, 0x1fffff },
};

void milter_offer(struct milter_options *offer, unsigned version, size_t chunk)
{
	memset(offer, 0, sizeof *offer);
	offer->version = version;
	offer->actions = of_version[version].actions;
	offer->steps = of_version[version].steps;
	if (version == MILTER_VERSION && chunk >= MILTER_CHUNK_256K)
		offer->steps |= MILTER_SIZE_256K;
	if (version == MILTER_VERSION && chunk >= MILTER_CHUNK_1M)
		offer->steps |= MILTER_SIZE_1M;
}

void milter_put_options(struct milter_out *o, const struct milter_options *offer)
{
	put_u32(o, offer->version);
	put_u32(o, offer->actions);
	put_u32(o, offer->steps);
}

static const char *read_symbols(const char *p, size_t n, struct milter_options *agreed)
{
	while (n > 0) {
		const char *end;
		size_t len;
		uint32_t stage;

		if (n < 5)
			return "its options end within a list of macros";
		stage = get_number(p);
		end = memchr(p + 4, '\0', n - 4);
		if (end == NULL)
			return "its list of macros has no end";
		len = (size_t)(end - p) - 4;
		if (len >= MILTER_SYMBOLS)
			return "its list of macros is too long";
		if (stage < MILTER_STAGES)
			memcpy(agreed->symbols[stage], p + 4, len + 1);
		n -= len + 5;
		p = end + 1;
	}
	return NULL;
}

const char *milter_agree(
	const struct milter_options *offer, const char *p, size_t n, struct milter_options *agreed)
{
	memset(agreed, 0, sizeof *agreed);
	if (n < 12)
		return "its options are too short";
	agreed->version = get_number(p);
	agreed->actions = get_number(p + 4);
	agreed->steps = get_number(p + 8);
	if (agreed->version < MILTER_VERSION_MIN || agreed->version > offer->version)
		return "its version is none that we offered";
	if ((agreed->actions & ~offer->actions) != 0)
		return "it wants to do what we did not offer";
	agreed->steps &= offer->steps;
	return read_symbols(p + 12, n - 12, agreed);
}

size_t milter_chunk(const struct milter_options *agreed)
{
	if ((agreed->steps & MILTER_SIZE_1M) != 0)
		return MILTER_CHUNK_1M;
	return (agreed->steps & MILTER_SIZE_256K) != 0 ? MILTER_CHUNK_256K : MILTER_CHUNK;
}

bool milter_next_symbol(const char **at, const char **name, size_t *len)
{
	const char *p = *at + strspn(*at, " ,\t\r\n{}");

	*name = p;
	*len = strcspn(p, " ,\t\r\n{}");
	*at = p + *len;
	return *len > 0;
}

/* ---- answers ------------------------------------------------------------------------------------------- */

enum milter_frame milter_frame(const char *p, size_t n, size_t *len)
{
	if (n < 4)
		return MILTER_FRAME_MORE;
	*len = get_number(p);
	if (*len == 0 || *len > MILTER_PACKET)
		return MILTER_FRAME_BAD;
	return n - 4 < *len ? MILTER_FRAME_MORE : MILTER_FRAME_WHOLE;
}

/* What the data of an answer looks like. */
enum shape {
	NOTHING,     /* and whatever follows is not looked at, as in Sendmail and Postfix */
	TEXT,        /* name */
	TEXT_MORE,   /* name, and value if there is one */
	FIELD,       /* name, value */
	INDEX_FIELD, /* number, name, value */
	BYTES,
	CODE
};

static const struct {
	char letter;
	enum milter_answer what;
	enum shape shape;
} answers[] = {
	{ '+', MILTER_ADD_RCPT, TEXT },
	{ '-', MILTER_DELETE_RCPT, TEXT },
	{ '2', MILTER_ADD_RCPT, TEXT_MORE },
	{ '4', MILTER_SHUTDOWN, NOTHING },
	{ 'a', MILTER_ACCEPT, NOTHING },
	{ 'b', MILTER_REPLACE_BODY, BYTES },
	{ 'c', MILTER_CONTINUE, NOTHING },
	{ 'd', MILTER_DISCARD, NOTHING },
	{ 'e', MILTER_CHANGE_FROM, TEXT_MORE },
	{ 'f', MILTER_CONNECTION_FAIL, NOTHING },
	{ 'h', MILTER_ADD_HEADER, FIELD },
	{ 'i', MILTER_INSERT_HEADER, INDEX_FIELD },
	{ 'm', MILTER_CHANGE_HEADER, INDEX_FIELD },
	{ 'p', MILTER_PROGRESS, NOTHING },
	{ 'q', MILTER_QUARANTINE, TEXT },
	{ 'r', MILTER_REJECT, NOTHING },
	{ 's', MILTER_SKIP, NOTHING },
	{ 't', MILTER_TEMPORARY, NOTHING },
	{ 'y', MILTER_REPLY, CODE },
};

/* A text up to its NUL, which must be there. NULL when it is not. */
static const char *take_text(const char **p, size_t *n)
{
	const char *text = *p, *end = memchr(text, '\0', *n);

	if (end == NULL)
		return NULL;
	*n -= (size_t)(end - text) + 1;
	*p = end + 1;
	return text;
}

static const char *parse_field(const char *p, size_t n, struct milter_answer_of *a)
{
	a->name = take_text(&p, &n);
	if (a->name == NULL)
		return "its field has no end";
	a->value = take_text(&p, &n);
	if (a->value == NULL)
		return "its field has no value";
	for (const char *c = a->name; *c != '\0'; c++)
		if (*c < 0x21 || *c > 0x7e || *c == ':') /* RFC 5322 section 2.2 */
			return "its field has a name that is none";
	return a->name[0] == '\0' ? "its field has no name" : NULL;
}

static const char *parse_text(const char *p, size_t n, bool more, struct milter_answer_of *a)
{
	a->name = take_text(&p, &n);
	if (a->name == NULL)
		return "its text has no end";
	if (more && n > 0)
		a->value = take_text(&p, &n);
	return a->value == NULL ? "its parameters have no end" : NULL;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static size_t digits(const char *p, size_t n)
{
	size_t i = 0;

	while (i < n && is_digit(p[i]))
		i++;
	return i;
}

/* "X.Y.Z" in front of a blank or the end: its length, else 0. RFC 3463 section 2. */
static size_t status_length(const char *p, size_t n)
{
	size_t at = 2, subject, detail;

	if (n < 5 || !is_digit(p[0]) || p[1] != '.')
		return 0;
	subject = digits(p + at, n - at);
	at += subject;
	if (subject < 1 || subject > 3 || at == n || p[at] != '.')
		return 0;
	at++;
	detail = digits(p + at, n - at);
	at += detail;
	return detail < 1 || detail > 3 || (at < n && p[at] != ' ') ? 0 : at;
}

static const char *parse_reply(const char *p, size_t n, struct milter_answer_of *a)
{
	const char *end = memchr(p, '\0', n);
	size_t status;

	if (end == NULL)
		return "its reply has no end";
	n = (size_t)(end - p);
	if (n < 3 || (p[0] != '4' && p[0] != '5') || digits(p, 3) != 3 ||
		(n > 3 && p[3] != ' ' && p[3] != '-'))
		return "its reply has no code of 4xx or 5xx";
	a->number = (uint32_t)(p[0] - '0') * 100 + (uint32_t)(p[1] - '0') * 10 + (uint32_t)(p[2] - '0');
	a->body = p;
	a->body_len = n;
	status = n > 4 ? status_length(p + 4, n - 4) : 0;
	if (status > 0 && status < MILTER_STATUS && p[4] == p[0])
		memcpy(a->status, p + 4, status);
	return NULL;
}

static const char *parse_data(enum shape shape, const char *p, size_t n, struct milter_answer_of *a)
{
	switch (shape) {
	case TEXT:
	case TEXT_MORE:
		return parse_text(p, n, shape == TEXT_MORE, a);
	case INDEX_FIELD:
		if (n < 4)
			return "its field has no index";
		a->number = get_number(p);
		return parse_field(p + 4, n - 4, a);
	case FIELD:
		return parse_field(p, n, a);
	case CODE:
		return parse_reply(p, n, a);
	case BYTES:
		a->body = p;
		a->body_len = n;
		return NULL;
	case NOTHING:
		break;
	}
	return NULL;
}

const char *milter_parse(const char *p, size_t n, struct milter_answer_of *a)
{
	*a = (struct milter_answer_of){ .name = "", .value = "", .body = "" };
	for (size_t i = 0; n > 0 && i < sizeof answers / sizeof answers[0]; i++)
		if (answers[i].letter == p[0]) {
			a->what = answers[i].what;
			return parse_data(answers[i].shape, p + 1, n - 1, a);
		}
	return "its answer is unknown";
}

/* One line without its code and status. Libmilter doubles '%'. */
static size_t put_words(const char *p, size_t n, char *to, size_t room)
{
	size_t skip = n < 4 ? n : 4, status, out = 0;

	status = status_length(p + skip, n - skip);
	skip += status;
	while (skip < n && p[skip] == ' ' && status > 0)
		skip++;
	for (size_t i = skip; i < n && out < room; i++) {
		if (p[i] == '%' && i + 1 < n && p[i + 1] == '%')
			i++;
		to[out++] = (unsigned char)p[i] < ' ' || p[i] == 0x7f ? ' ' : p[i];
	}
	return out;
}

size_t milter_reply_text(const struct milter_answer_of *a, char *to, size_t cap)
{
	const char *p = a->body, *end = a->body + a->body_len;
	size_t len = 0;

	while (p < end) {
		const char *nl = memchr(p, '\n', (size_t)(end - p));
		const char *stop = nl == NULL ? end : nl;
		size_t n = (size_t)(stop - p);

		if (n > 0 && p[n - 1] == '\r')
			n--;
		if (len > 0 && len < cap)
			to[len++] = ' ';
		len += put_words(p, n, to + len, cap - len);
		p = nl == NULL ? end : nl + 1;
	}
	return len;
}
