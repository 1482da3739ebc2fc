#include "mail/policy_wire.h"

#include <string.h>

#include "base/num.h"
#include "mail/address.h"

enum kind { TEXT, NUMBER, STAGE, ACTION, ITEMS };

/* One line of a block and its place in the struct; both directions read these tables. */
struct field {
	const char *name;
	enum kind kind;
	size_t at;
	uint64_t absent; /* the number that is left out */
};

#define FIELD(kind, of, member)                               \
	{                                                     \
#member, kind, offsetof(struct of, member), 0 \
	}

static const struct field request_fields[] = {
	FIELD(STAGE, policy_request, stage),
	FIELD(TEXT, policy_request, session),
	FIELD(TEXT, policy_request, client_address),
	FIELD(TEXT, policy_request, client_name),
	FIELD(TEXT, policy_request, client_port),
	FIELD(TEXT, policy_request, server_address),
	FIELD(TEXT, policy_request, server_port),
	FIELD(TEXT, policy_request, helo),
	FIELD(TEXT, policy_request, protocol),
	FIELD(TEXT, policy_request, tls_version),
	FIELD(TEXT, policy_request, tls_cipher),
	FIELD(TEXT, policy_request, tls_fingerprint),
	FIELD(TEXT, policy_request, user),
	FIELD(TEXT, policy_request, sender),
	FIELD(TEXT, policy_request, sender_parameters),
	FIELD(TEXT, policy_request, recipient),
	FIELD(TEXT, policy_request, recipient_parameters),
	FIELD(NUMBER, policy_request, recipients),
	FIELD(NUMBER, policy_request, size),
	FIELD(NUMBER, policy_request, relay),
	FIELD(NUMBER, policy_request, bytes),
};

static const struct field answer_fields[] = {
	FIELD(ACTION, policy_answer, action),
	FIELD(NUMBER, policy_answer, code),
	FIELD(TEXT, policy_answer, status),
	FIELD(TEXT, policy_answer, text),
	FIELD(ITEMS, policy_answer, tag),
	FIELD(ITEMS, policy_answer, header),
	FIELD(NUMBER, policy_answer, delay),
	FIELD(TEXT, policy_answer, queue),
	FIELD(TEXT, policy_answer, sender),
	FIELD(ITEMS, policy_answer, recipient_remove),
	FIELD(ITEMS, policy_answer, recipient_add),
	{ "message", NUMBER, offsetof(struct policy_answer, message), POLICY_NO_MESSAGE },
};

struct table {
	const struct field *field;
	size_t count;
};

static const struct table requests = { request_fields, sizeof request_fields / sizeof request_fields[0] };
static const struct table answers = { answer_fields, sizeof answer_fields / sizeof answer_fields[0] };

static const char *const stages[POLICY_STAGES] = {
	[POLICY_OTHER] = "other",
	[POLICY_CONNECT] = "connect",
	[POLICY_HELO] = "helo",
	[POLICY_MAIL] = "mail",
	[POLICY_RCPT] = "rcpt",
	[POLICY_DATA] = "data",
	[POLICY_TEXT] = "text",
	[POLICY_END] = "end",
	[POLICY_RESET] = "reset",
	[POLICY_CLOSE] = "close",
};

static const char *const actions[POLICY_ACTIONS] = {
	[POLICY_NO_ACTION] = "",
	[POLICY_CONTINUE] = "continue",
	[POLICY_ACCEPT] = "accept",
	[POLICY_REJECT] = "reject",
	[POLICY_DEFER] = "defer",
	[POLICY_DISCARD] = "discard",
	[POLICY_DROP] = "drop",
};

const char *policy_stage_name(enum policy_stage stage)
{
	return stages[stage];
}

enum policy_stage policy_stage_find(const char *name)
{
	for (int i = POLICY_CONNECT; i < POLICY_STAGES; i++)
		if (strcmp(stages[i], name) == 0)
			return (enum policy_stage)i;
	return POLICY_OTHER;
}

bool policy_is_answered(enum policy_stage stage)
{
	return stage != POLICY_TEXT && stage != POLICY_RESET && stage != POLICY_CLOSE;
}

bool policy_items_add(struct policy_items *list, const char *item)
{
	if (list->count == POLICY_ITEMS)
		return false;
	list->item[list->count++] = item;
	return true;
}

/* ---- the members of a struct by their table ------------------------------------------------------------ */

static void put_default(void *to, const struct field *f)
{
	void *at = (char *)to + f->at;

	switch (f->kind) {
	case TEXT:
		*(const char **)at = "";
		break;
	case NUMBER:
		*(uint64_t *)at = f->absent;
		break;
	case STAGE:
		*(enum policy_stage *)at = POLICY_OTHER;
		break;
	case ACTION:
		*(enum policy_action *)at = POLICY_NO_ACTION;
		break;
	case ITEMS:
		((struct policy_items *)at)->count = 0;
		break;
	}
}

static void put_defaults(void *to, const struct table *t)
{
	for (size_t i = 0; i < t->count; i++)
		put_default(to, &t->field[i]);
}

void policy_request_init(struct policy_request *q)
{
	put_defaults(q, &requests);
}

void policy_answer_init(struct policy_answer *a)
{
	put_defaults(a, &answers);
}

/* ---- from the wire ------------------------------------------------------------------------------------- */

size_t policy_block_end(const char *p, size_t have, size_t searched)
{
	const size_t from = searched > 0 ? searched - 1 : 0;
	const char *end;

	if (have > 0 && p[0] == '\n')
		return 1;
	end = have > from ? memmem(p + from, have - from, "\n\n", 2) : NULL;
	return end != NULL ? (size_t)(end - p) + 2 : 0;
}

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The n bytes at p become a text; there is a byte behind them for its NUL. */
static const char *unescape(char *p, size_t n)
{
	char *to = p;

	for (size_t i = 0; i < n; i++) {
		char c = p[i];

		if ((c >= 0 && c < ' ') || c == 0x7f)
			return "control byte in a value: it must be written as %XX";
		if (c == '%') {
			const int high = n - i > 2 ? hex(p[i + 1]) : -1,
				  low = high < 0 ? -1 : hex(p[i + 2]);

			if (low < 0)
				return "a % is followed by two hexadecimal digits";
			if (high == 0 && low == 0)
				return "a value holds no NUL";
			c = (char)(high * 16 + low);
			i += 2;
		}
		*to++ = c;
	}
	*to = '\0';
	return NULL;
}

static const char *take_number(uint64_t *to, const char *text)
{
	unsigned long n;

	if (num_parse(text, 0, UINT64_MAX - 1, &n) != NULL)
		return "a number is a row of decimal digits";
	*to = n;
	return NULL;
}

static const char *take_action(enum policy_action *to, const char *text)
{
	for (int i = POLICY_CONTINUE; i < POLICY_ACTIONS; i++)
		if (strcmp(actions[i], text) == 0) {
			*to = (enum policy_action)i;
			return NULL;
		}
	return "action is continue, accept, reject, defer, discard or drop";
}

static const char *take(void *to, const struct field *f, const char *text)
{
	void *at = (char *)to + f->at;

	switch (f->kind) {
	case TEXT:
		*(const char **)at = text;
		return NULL;
	case NUMBER:
		return take_number(at, text);
	case STAGE:
		*(enum policy_stage *)at = policy_stage_find(text);
		return NULL;
	case ACTION:
		return take_action(at, text);
	case ITEMS:
		break;
	}
	return policy_items_add(at, text) ? NULL : "too many tags, headers or recipients";
}

static const struct field *find(const struct table *t, const char *name, size_t n)
{
	for (size_t i = 0; i < t->count; i++)
		if (strlen(t->field[i].name) == n && memcmp(t->field[i].name, name, n) == 0)
			return &t->field[i];
	return NULL;
}

/* One line without its LF, in whose place the NUL goes. */
static const char *decode_line(char *line, size_t n, void *to, const struct table *t, uint32_t *seen)
{
	char *equals = memchr(line, '=', n);
	const struct field *f;
	const char *wrong;
	uint32_t bit;

	if (equals == NULL)
		return "a line without \"=\"";
	f = find(t, line, (size_t)(equals - line));
	if (f == NULL)
		return NULL;
	bit = UINT32_C(1) << (f - t->field);
	if (f->kind != ITEMS && (*seen & bit) != 0)
		return "the same name twice";
	*seen |= bit;
	wrong = unescape(equals + 1, n - (size_t)(equals - line) - 1);
	return wrong != NULL ? wrong : take(to, f, equals + 1);
}

/* *first: was the first name of the table, which makes the block what it is, there? */
static const char *decode(char *block, size_t n, void *to, const struct table *t, bool *first)
{
	const char *wrong = NULL;
	uint32_t seen = 0;
	size_t at = 0;

	put_defaults(to, t);
	while (wrong == NULL && at < n && block[at] != '\n') {
		const char *lf = memchr(block + at, '\n', n - at);

		if (lf == NULL)
			return "the empty line is missing";
		wrong = decode_line(block + at, (size_t)(lf - block) - at, to, t, &seen);
		at = (size_t)(lf - block) + 1;
	}
	*first = (seen & 1) != 0;
	return wrong;
}

const char *policy_decode_request(char *block, size_t n, struct policy_request *q)
{
	bool has_stage;
	const char *wrong = decode(block, n, q, &requests, &has_stage);

	if (wrong == NULL && !has_stage)
		return "stage is missing";
	return wrong;
}

/* ---- what an answer may say ---------------------------------------------------------------------------- */

/* RFC 3463 section 2: a class, a subject and a detail. */
static bool is_status(const char *text)
{
	const char *digits = "0123456789";
	size_t subject, detail;

	if (strchr("245", text[0]) == NULL || text[0] == '\0' || text[1] != '.')
		return false;
	subject = strspn(text + 2, digits);
	if (subject < 1 || subject > 3 || text[2 + subject] != '.')
		return false;
	detail = strspn(text + 3 + subject, digits);
	return detail >= 1 && detail <= 3 && text[3 + subject + detail] == '\0';
}

char *policy_take_status(char *text, const char **status)
{
	const size_t n = strcspn(text, " ");
	const bool more = text[n] == ' ';

	text[n] = '\0';
	if (is_status(text)) {
		*status = text;
		return text + n + more;
	}
	if (more)
		text[n] = ' ';
	return text;
}

static bool is_word(const char *text, const char *forbidden)
{
	if (text[0] == '\0')
		return false;
	for (; *text != '\0'; text++)
		if (*text <= ' ' || *text > '~' || strchr(forbidden, *text) != NULL)
			return false;
	return true;
}

/* RFC 5322 section 2.2: a name of printable bytes, a colon; folded lines go on with a blank or tab. */
const char *policy_check_header(const char *header)
{
	size_t name = strcspn(header, ":"), i;

	for (i = 0; i < name; i++)
		if (header[i] <= ' ' || header[i] > '~')
			return "the name of a header holds only printable bytes and no blank";
	if (name == 0 || header[name] == '\0')
		return "a header is \"Name: value\"";
	for (i = name; header[i] != '\0'; i++) {
		if (header[i] == '\n' && header[i + 1] != ' ' && header[i + 1] != '\t')
			return "a folded header goes on with a blank or a tab";
		if (header[i] == '\n' && strspn(header + i + 1, " \t") == strcspn(header + i + 1, "\n"))
			return "a folded header has no empty line";
		if ((header[i] > 0 && header[i] < ' ' && header[i] != '\n' && header[i] != '\t') ||
			header[i] == 0x7f)
			return "control byte in a header";
	}
	return NULL;
}

static const char *check_path(const char *path)
{
	const size_t n = strlen(path);
	struct address a;
	size_t used;
	const char *wrong = address_parse_path(&a, path, n, &used);

	return wrong == NULL && used != n ? "a path ends with its \">\"" : wrong;
}

static const char *check_paths(const struct policy_items *list)
{
	const char *wrong = NULL;

	for (size_t i = 0; wrong == NULL && i < list->count; i++)
		wrong = check_path(list->item[i]);
	return wrong;
}

static const char *check_answer(const struct policy_answer *a)
{
	const char *wrong = NULL;

	if (a->code != 0 && (a->code < 400 || a->code > 599))
		return "code is a number from 400 to 599";
	if (a->status[0] != '\0' && !is_status(a->status))
		return "status is of the form 5.7.1";
	if (a->queue[0] != '\0' && !is_word(a->queue, "/"))
		return "queue is a name without blanks and slashes";
	for (size_t i = 0; i < a->tag.count; i++)
		if (!is_word(a->tag.item[i], ","))
			return "a tag is a word of printable bytes without commas";
	for (size_t i = 0; wrong == NULL && i < a->header.count; i++)
		wrong = policy_check_header(a->header.item[i]);
	if (wrong == NULL && a->sender[0] != '\0')
		wrong = check_path(a->sender);
	if (wrong == NULL)
		wrong = check_paths(&a->recipient_remove);
	return wrong != NULL ? wrong : check_paths(&a->recipient_add);
}

const char *policy_decode_answer(char *block, size_t n, struct policy_answer *a)
{
	bool has_action;
	const char *wrong = decode(block, n, a, &answers, &has_action);

	if (wrong == NULL && !has_action)
		return "action is missing";
	return wrong != NULL ? wrong : check_answer(a);
}

/* ---- to the wire --------------------------------------------------------------------------------------- */

static void put_line(struct str *out, const char *name, const char *value)
{
	static const char digits[] = "0123456789ABCDEF";

	str_puts(out, name);
	str_putc(out, '=');
	for (; *value != '\0'; value++) {
		const unsigned char c = (unsigned char)*value;

		if (c >= ' ' && c != 0x7f && c != '%') {
			str_putc(out, (char)c);
			continue;
		}
		str_putc(out, '%');
		str_putc(out, digits[c >> 4]);
		str_putc(out, digits[c & 15]);
	}
	str_putc(out, '\n');
}

static void put_text(struct str *out, const char *name, const char *value)
{
	if (value[0] != '\0')
		put_line(out, name, value);
}

static void put_number(struct str *out, const struct field *f, uint64_t n)
{
	if (n == f->absent)
		return;
	str_puts(out, f->name);
	str_putc(out, '=');
	str_putu(out, n);
	str_putc(out, '\n');
}

static void put_items(struct str *out, const char *name, const struct policy_items *list)
{
	for (size_t i = 0; i < list->count; i++)
		put_line(out, name, list->item[i]);
}

static void put(struct str *out, const struct field *f, const void *from)
{
	const void *at = (const char *)from + f->at;

	switch (f->kind) {
	case TEXT:
		put_text(out, f->name, *(const char *const *)at);
		break;
	case NUMBER:
		put_number(out, f, *(const uint64_t *)at);
		break;
	case STAGE:
		put_line(out, f->name, stages[*(const enum policy_stage *)at]);
		break;
	case ACTION:
		put_line(out, f->name, actions[*(const enum policy_action *)at]);
		break;
	case ITEMS:
		put_items(out, f->name, at);
		break;
	}
}

static void encode(struct str *out, const void *from, const struct table *t)
{
	for (size_t i = 0; i < t->count; i++)
		put(out, &t->field[i], from);
	str_putc(out, '\n');
}

void policy_encode_request(struct str *out, const struct policy_request *q)
{
	encode(out, q, &requests);
}

void policy_encode_answer(struct str *out, const struct policy_answer *a)
{
	encode(out, a, &answers);
}
