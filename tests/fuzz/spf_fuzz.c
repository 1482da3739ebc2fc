/* SPF: a sender, a HELO name, and a DNS that answers with what follows, in order. Whatever it says, the check ends
 * after a bounded number of questions, each for a name, and its verdict is whole.
 *
 * The input is parted by newlines: sender, HELO, one byte for the client's family; then each look-up takes a line
 * (again from the first when they are used up). '!' fails, an empty line is no record, '&' joins records, and a
 * line of an address is the client's own where it begins with '='. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "mail/spf.h"
#include "mail/spf_record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* 10 terms with 11 questions each, the client's names and their addresses, records of all, and an explanation */
enum { LINES = 64, QUESTIONS_MAX = 10 * 11 + 1 + 10 + 11 + 1, LINE = 4096 };

struct fake {
	const uint8_t *line[LINES];
	size_t n[LINES];
	size_t count, next;
	unsigned questions;
	const unsigned char *ip;
};

static void check_name(const char *name)
{
	if (!spf_is_name(name, strlen(name)))
		abort();
}

typedef void give(struct fake *f, const uint8_t *p, size_t n, spf_each *each, void *to);

static void give_bytes(struct fake *f, const uint8_t *p, size_t n, spf_each *each, void *to)
{
	char *exact = malloc(n + 1); /* a read behind the end shows */

	(void)f;
	if (exact == NULL)
		return;
	memcpy(exact, p, n);
	each(to, exact, n);
	free(exact);
}

static void give_v4(struct fake *f, const uint8_t *p, size_t n, spf_each *each, void *to)
{
	unsigned char ip[4] = { 0 };

	memcpy(ip, p, n < 4 ? n : 4);
	each(to, n > 0 && p[0] == '=' ? f->ip + 12 : ip, 4);
}

static void give_v6(struct fake *f, const uint8_t *p, size_t n, spf_each *each, void *to)
{
	unsigned char ip[16] = { 0 };

	memcpy(ip, p, n < 16 ? n : 16);
	each(to, n > 0 && p[0] == '=' ? f->ip : ip, 16);
}

static enum spf_found answer(struct fake *f, give *one, spf_each *each, void *to)
{
	const uint8_t *p, *end;

	if (++f->questions > QUESTIONS_MAX)
		abort();
	if (f->count == 0)
		return SPF_MISSING;
	p = f->line[f->next];
	end = p + f->n[f->next];
	f->next = (f->next + 1) % f->count;
	if (p == end || *p == '!')
		return p == end ? SPF_MISSING : SPF_FAILED;
	for (;;) {
		const uint8_t *cut = memchr(p, '&', (size_t)(end - p));

		one(f, p, (size_t)((cut != NULL ? cut : end) - p), each, to);
		if (cut == NULL)
			return SPF_FOUND;
		p = cut + 1;
	}
}

static enum spf_found ask_bytes(void *arg, const char *name, spf_each *each, void *to)
{
	check_name(name);
	return answer(arg, give_bytes, each, to);
}

static enum spf_found ask_a(void *arg, const char *name, spf_each *each, void *to)
{
	check_name(name);
	return answer(arg, give_v4, each, to);
}

static enum spf_found ask_aaaa(void *arg, const char *name, spf_each *each, void *to)
{
	check_name(name);
	return answer(arg, give_v6, each, to);
}

static enum spf_found ask_ptr(void *arg, const unsigned char ip[16], spf_each *each, void *to)
{
	(void)ip;
	return answer(arg, give_bytes, each, to);
}

static bool is_clean(const char *text, size_t cap)
{
	const size_t n = strnlen(text, cap);

	for (size_t i = 0; i < n; i++)
		if (text[i] < 0x20 || text[i] > 0x7e)
			return false;
	return n < cap;
}

static void check_verdict(const struct spf_verdict *v)
{
	if (v->result < SPF_NONE || v->result > SPF_PERMERROR)
		abort();
	if ((v->problem != NULL) != (v->result == SPF_TEMPERROR || v->result == SPF_PERMERROR))
		abort();
	if (!is_clean(v->domain, sizeof v->domain) || !is_clean(v->mechanism, sizeof v->mechanism) ||
		!is_clean(v->explanation, sizeof v->explanation))
		abort();
	if (v->explanation[0] != '\0' && v->result != SPF_FAIL)
		abort();
}

static void take_line(const uint8_t **p, const uint8_t *end, char text[LINE])
{
	const uint8_t *lf = memchr(*p, '\n', (size_t)(end - *p));
	const size_t have = (size_t)((lf != NULL ? lf : end) - *p);
	const size_t n = have < LINE ? have : LINE - 1;

	memcpy(text, *p, n);
	text[n] = '\0';
	*p = lf != NULL ? lf + 1 : end;
}

static void take_answers(struct fake *f, const uint8_t *p, const uint8_t *end)
{
	while (p < end && f->count < LINES) {
		const uint8_t *lf = memchr(p, '\n', (size_t)(end - p));

		f->line[f->count] = p;
		f->n[f->count++] = (size_t)((lf != NULL ? lf : end) - p);
		p = lf != NULL ? lf + 1 : end;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct spf memory;
	static char sender[LINE], helo[LINE], family[LINE];
	struct spf_question q = { .sender = sender, .helo = helo, .receiver = "mx.example", .now_s = 1 };
	const uint8_t *p = data, *end = data + size;
	struct fake f = { .ip = q.ip };
	const struct spf_dns dns = {
		.txt = ask_bytes, .a = ask_a, .aaaa = ask_aaaa, .mx = ask_bytes, .ptr = ask_ptr, .arg = &f
	};
	struct spf_verdict v;

	take_line(&p, end, sender);
	take_line(&p, end, helo);
	take_line(&p, end, family);
	memset(q.ip, 0x20, sizeof q.ip);
	if (family[0] != '6') {
		memset(q.ip, 0, 10);
		memset(q.ip + 10, 0xff, 2);
	}
	take_answers(&f, p, end);
	spf_check(&memory, &q, &dns, &v);
	check_verdict(&v);
	return 0;
}
