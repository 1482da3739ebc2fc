#include "smtpd/milter_message.h"

#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "base/errtext.h"
#include "smtpd/milter_tell.h"

static _Noreturn void no_room(void)
{
	die(EXIT_TEMPORARY, "unable to keep the message: %s", errtext(errno));
}

void milter_message_forget(struct milter_session *s)
{
	if (spool_reset(&s->text) == -1 || spool_reset(&s->body) == -1)
		no_room();
	s->ended = s->replaced = s->quarantined = s->pending_cr = false;
	s->last = '\n';
	s->add.count = s->add.used = s->remove.count = s->remove.used = 0;
	s->sender[0] = s->reason[0] = '\0';
	s->body_at = 0;
	s->fields.count = 0;
	s->fields.edited = s->fields.full = s->fields.separated = false;
	memset(&s->give, 0, sizeof s->give);
}

/* ---- what the milter changes --------------------------------------------------------------------------- */

/* Control bytes have no place in a reply, a field or a tag. */
static void put_reason(char *to, size_t cap, const char *text)
{
	size_t i = 0;

	for (; i < cap - 1 && text[i] != '\0'; i++)
		to[i] = (unsigned char)text[i] < ' ' || text[i] == 0x7f ? ' ' : text[i];
	to[i] = '\0';
}

/* Any address as "<...>", if it is one. */
static void make_path(struct milter_session *s, const char *address, char *to, size_t cap)
{
	struct address parsed;
	struct str path;
	size_t used;

	str_init(&path, to, cap);
	if (address[0] != '<')
		str_putc(&path, '<');
	str_puts(&path, address);
	if (address[0] != '<')
		str_putc(&path, '>');
	if (path.full || address_parse_path(&parsed, path.s, path.len, &used) != NULL || used != path.len)
		milter_link_fail(&s->link, "it wants an address that is none");
}

static void drop_path(struct milter_paths *p, const char *path)
{
	for (size_t i = 0; i < p->count;)
		if (strcmp(p->bytes + p->at[i], path) == 0)
			memmove(&p->at[i], &p->at[i + 1], (--p->count - i) * sizeof p->at[0]);
		else
			i++;
}

static void put_path(struct milter_session *s, struct milter_paths *p, const char *path)
{
	const size_t n = strlen(path) + 1;

	drop_path(p, path);
	if (p->count == POLICY_ITEMS || n > sizeof p->bytes - p->used)
		milter_link_fail(&s->link, "it changes too many recipients");
	memcpy(p->bytes + p->used, path, n);
	p->at[p->count++] = p->used;
	p->used += n;
}

/* The answer has removals first, then additions: what was added and then removed again is only removed. */
static void change_recipient(struct milter_session *s, const struct milter_answer_of *a)
{
	char path[sizeof s->sender];

	make_path(s, a->name, path, sizeof path);
	if (strcmp(path, "<>") == 0)
		milter_link_fail(&s->link, "it wants a recipient without an address");
	if (a->what == MILTER_DELETE_RCPT) {
		drop_path(&s->add, path);
		put_path(s, &s->remove, path);
	} else {
		put_path(s, &s->add, path);
	}
}

static void put_body(struct milter_session *s, size_t n)
{
	if (n > 0)
		s->last = s->piece[n - 1];
	if (spool_put(&s->body, s->piece, n) == -1)
		no_room();
	if (s->body.full)
		milter_link_fail(&s->link, "its new body is too large");
}

/* CR LF becomes LF, however the pieces are cut. */
static void replace_body(struct milter_session *s, const char *p, size_t n)
{
	size_t len = 0;

	s->replaced = true;
	for (size_t i = 0; i < n; i++) {
		if (len + 2 > sizeof s->piece) {
			put_body(s, len);
			len = 0;
		}
		if (s->pending_cr && p[i] != '\n')
			s->piece[len++] = '\r';
		s->pending_cr = p[i] == '\r';
		if (!s->pending_cr)
			s->piece[len++] = p[i];
	}
	put_body(s, len);
}

static void end_body(struct milter_session *s)
{
	size_t len = 0;

	if (s->pending_cr)
		s->last = s->piece[len++] = '\r';
	if (s->last != '\n')
		s->piece[len++] = '\n';
	put_body(s, len);
}

static void change(struct milter_session *s, const struct milter_answer_of *a)
{
	const bool leading = (s->link.agreed.steps & MILTER_LEADING_SPACE) != 0;

	switch (a->what) {
	case MILTER_ADD_HEADER:
		fields_add(&s->fields, a->name, a->value, leading);
		break;
	case MILTER_INSERT_HEADER:
		fields_insert(&s->fields, a->number, a->name, a->value, leading);
		break;
	case MILTER_CHANGE_HEADER:
		fields_change(&s->fields, a->number, a->name, a->value, leading);
		break;
	case MILTER_REPLACE_BODY:
		replace_body(s, a->body, a->body_len);
		break;
	case MILTER_ADD_RCPT:
	case MILTER_DELETE_RCPT:
		change_recipient(s, a);
		break;
	case MILTER_CHANGE_FROM:
		make_path(s, a->name, s->sender, sizeof s->sender);
		break;
	case MILTER_QUARANTINE:
		s->quarantined = true;
		put_reason(s->reason, sizeof s->reason, a->name);
		break;
	default:
		break;
	}
	if (s->fields.full)
		milter_link_fail(&s->link, "its changes to the header are too large");
}

/* ---- what the milter is shown -------------------------------------------------------------------------- */

/* A field longer than a packet is cut there, and only there: no milter could read it, and mail must not get past
 * one by being hard to read. */
static struct milter_verdict show_field(struct milter_session *s, const struct field *f)
{
	const size_t room = milter_chunk(&s->link.agreed) - 2;
	const char *value;
	size_t len = field_value(f, (s->link.agreed.steps & MILTER_LEADING_SPACE) != 0, &value);
	const size_t name_len = f->name_len < room / 2 ? f->name_len : room / 2;
	struct milter_out o;

	if (len > room - name_len)
		len = room - name_len;
	milter_link_begin(&s->link, &o, MILTER_HEADER);
	milter_put_text_n(&o, f->text, name_len);
	milter_put_text_n(&o, value, len);
	return milter_tell(s, &o, MILTER_QUIET_HEADER, s->config->message_ms);
}

static struct milter_verdict show_header(struct milter_session *s)
{
	struct milter_verdict v = { .kind = MILTER_GO };
	struct milter_out o;

	if (milter_wants(s, MILTER_NO_HEADER))
		for (size_t i = 0; v.kind == MILTER_GO && i < s->fields.count; i++)
			if (i != s->fields.own)
				v = show_field(s, &s->fields.list[i]);
	if (v.kind != MILTER_GO || !milter_wants(s, MILTER_NO_HEADER_END))
		return v;
	milter_tell_begin(s, &o, MILTER_HEADER_END, MILTER_AT_HEADER_END);
	return milter_tell(s, &o, MILTER_QUIET_HEADER_END, s->config->message_ms);
}

/* How many of n bytes have gone into the packet, which takes up to room. */
static size_t put_lines(struct milter_out *o, const char *p, size_t n, size_t room)
{
	size_t used = 0;

	while (used < n && room > 0) {
		const char *lf = memchr(p + used, '\n', n - used);
		size_t run = lf == NULL ? n - used : (size_t)(lf - p) - used;

		if (run > room)
			run = room;
		milter_put(o, p + used, run);
		used += run;
		room -= run;
		if (used == n || p[used] != '\n')
			continue;
		if (room < 2)
			break;
		milter_put(o, "\r\n", 2);
		used++;
		room -= 2;
	}
	return used;
}

/* Returns where the next piece begins. */
static size_t put_piece(struct milter_session *s, struct milter_out *o, size_t at, size_t most)
{
	for (;;) {
		const size_t room = most - (o->len - MILTER_HEAD);
		const ssize_t n = room > 1 ? spool_read(&s->text, at, s->piece, sizeof s->piece) : 0;
		size_t used;

		if (n == -1)
			no_room();
		used = put_lines(o, s->piece, (size_t)n, room);
		if (used == 0)
			return at;
		at += used;
	}
}

static struct milter_verdict show_body(struct milter_session *s)
{
	const size_t most = milter_chunk(&s->link.agreed);
	struct milter_verdict v = { .kind = MILTER_GO };
	size_t at = s->body_at;

	if (!milter_wants(s, MILTER_NO_BODY))
		return v;
	while (v.kind == MILTER_GO && at < s->text.size) {
		struct milter_out o;

		milter_link_begin(&s->link, &o, MILTER_BODY);
		at = put_piece(s, &o, at, most);
		v = milter_tell(s, &o, MILTER_QUIET_BODY, s->config->message_ms);
	}
	if (v.kind == MILTER_SKIPPED)
		v.kind = MILTER_GO;
	return v;
}

static struct milter_verdict show_end(struct milter_session *s)
{
	struct milter_verdict v;
	struct milter_out o;

	milter_tell_begin(s, &o, MILTER_BODY_END, MILTER_AT_MESSAGE_END);
	v = milter_tell_last(s, &o, change);
	s->in_message = false;
	if (s->replaced)
		end_body(s);
	return v;
}

static struct milter_verdict show(struct milter_session *s)
{
	struct milter_verdict v = show_header(s);

	if (v.kind == MILTER_GO)
		v = show_body(s);
	return v.kind == MILTER_GO ? show_end(s) : v;
}

/* ---- the end ------------------------------------------------------------------------------------------- */

static struct milter_verdict read_header(struct milter_session *s)
{
	const ssize_t n = spool_read(&s->text, 0, s->header, sizeof s->header);
	size_t used;

	if (n == -1)
		no_room();
	used = fields_parse(&s->fields, s->header, (size_t)n);
	s->body_at = used + (s->fields.separated ? 1 : 0);
	if (s->fields.full || (s->fields.cut && (size_t)n < s->text.size))
		return milter_refusal(552, "5.3.4", "the header is too large for the mail filter");
	return (struct milter_verdict){ .kind = MILTER_GO };
}

void milter_message_answer(const struct milter_verdict *v, struct policy_answer *a)
{
	switch (v->kind) {
	case MILTER_THROW:
		a->action = POLICY_DISCARD;
		return;
	case MILTER_DROP:
		a->action = POLICY_DROP;
		break;
	case MILTER_REFUSE:
		a->action = v->code >= 500 ? POLICY_REJECT : POLICY_DEFER;
		break;
	default:
		a->action = POLICY_CONTINUE;
		return;
	}
	a->code = v->code;
	a->status = v->status;
	a->text = v->text;
}

/* Into an answer that is empty, and has room. */
static void put_item(struct policy_items *to, const char *item)
{
	if (!policy_items_add(to, item))
		die(EXIT_TEMPORARY, "an answer has no room left");
}

static void list_paths(const struct milter_paths *p, struct policy_items *to)
{
	for (size_t i = 0; i < p->count; i++)
		put_item(to, p->bytes + p->at[i]);
}

static bool needs_separator(const struct milter_session *s)
{
	return s->fields.separated || s->replaced || s->body_at < s->text.size;
}

static size_t size_of(const struct milter_session *s)
{
	size_t n = needs_separator(s) ? 1 : 0;

	if (s->give.whole)
		return s->text.size;
	for (size_t i = 0; i < s->fields.count; i++)
		n += s->fields.list[i].len;
	return n + (s->replaced ? s->body.size : s->text.size - s->body_at);
}

static void quarantine(const struct milter_session *s, struct policy_answer *a)
{
	static const char name[] = "X-Milter-Quarantine: ";
	static char header[sizeof name + MILTER_TEXT];
	struct str field;

	str_init(&field, header, sizeof header);
	str_puts(&field, name);
	str_puts(&field, s->reason);
	put_item(&a->header, field.s);
}

/* A message that goes on, with all that the milter wants. */
static void answer_changed(struct milter_session *s, struct policy_answer *a)
{
	if (s->quarantined)
		put_item(&a->tag, "quarantine");
	if (s->quarantined && s->config->quarantine == MILTER_QUARANTINE_DEFER) {
		s->said = milter_refusal(451, "4.7.1", s->reason);
		milter_message_answer(&s->said, a);
		return;
	}
	if (s->quarantined)
		quarantine(s, a);
	a->sender = s->sender;
	list_paths(&s->remove, &a->recipient_remove);
	list_paths(&s->add, &a->recipient_add);
	s->give.whole = !s->fields.edited && !s->replaced;
	if (s->text.size > 0)
		a->message = size_of(s);
	else if (!s->give.whole)
		milter_link_fail(&s->link, "it changes a message whose text the policy was not given");
}

void milter_message_end(struct milter_session *s, struct policy_answer *a)
{
	struct milter_verdict v = s->message;

	/* what was not kept cannot be given back either */
	if (s->text.full && (v.kind == MILTER_GO || v.kind == MILTER_PASS))
		v = milter_refusal(552, "5.3.4", "the message is too large for the mail filter");
	if (v.kind == MILTER_GO)
		v = read_header(s);
	if (v.kind == MILTER_GO)
		v = show(s);
	s->said = v;
	if (v.kind == MILTER_GO || v.kind == MILTER_PASS)
		answer_changed(s, a);
	else
		milter_message_answer(&s->said, a);
}

/* ---- back ---------------------------------------------------------------------------------------------- */

/* The rest of the field at hand. */
static size_t give_field(struct milter_session *s, char *p, size_t n)
{
	const struct field *f = &s->fields.list[s->give.field];
	const size_t left = f->len - s->give.at, part = n < left ? n : left;

	memcpy(p, f->text + s->give.at, part);
	s->give.at += part;
	if (s->give.at == f->len) {
		s->give.field++;
		s->give.at = 0;
	}
	return part;
}

ssize_t milter_message_give(struct milter_session *s, char *p, size_t n)
{
	const struct spool *from = s->replaced ? &s->body : &s->text;
	ssize_t got;

	if (!s->give.whole && s->give.field < s->fields.count)
		return (ssize_t)give_field(s, p, n);
	if (!s->give.whole && !s->give.separated) {
		s->give.separated = true;
		s->give.at = s->replaced ? 0 : s->body_at;
		if (needs_separator(s)) {
			p[0] = '\n';
			return 1;
		}
	}
	got = spool_read(from, s->give.at, p, n);
	if (got > 0)
		s->give.at += (size_t)got;
	return got;
}
