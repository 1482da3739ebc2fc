#include "mail/policy_wire.h"

#include "tests/unit/tap.h"

/* A name of a check is one line. */
static const char *shown(const char *block)
{
	static char name[128];
	size_t n = strlen(block) < sizeof name ? strlen(block) : sizeof name - 1;

	for (size_t i = 0; i < n; i++)
		name[i] = (char)(block[i] == '\n' || block[i] == '\r' ? '|' : block[i]);
	name[n] = '\0';
	return name;
}

static const char *decode_request(const char *text, struct policy_request *q)
{
	static char block[POLICY_BLOCK];
	const size_t n = strlen(text);

	memcpy(block, text, n);
	return policy_decode_request(block, n, q);
}

static const char *decode_answer(const char *text, struct policy_answer *a)
{
	static char block[POLICY_BLOCK];
	const size_t n = strlen(text);

	memcpy(block, text, n);
	return policy_decode_answer(block, n, a);
}

static void test_request(void)
{
	static const char want[] = "stage=rcpt\nsession=5.1\nclient_address=192.0.2.7\nclient_port=4711\n"
				   "sender=a%25b%0A@c.example\nrecipient=\xc3\xa9@example.org\n"
				   "recipients=2\nsize=18446744073709551614\nrelay=1\n\n";
	char memory[1024], block[1024];
	struct policy_request q, back;
	struct str out;

	policy_request_init(&q);
	q.stage = POLICY_RCPT;
	q.session = "5.1";
	q.client_address = "192.0.2.7";
	q.client_port = "4711";
	q.sender = "a%b\n@c.example";
	q.recipient = "\xc3\xa9@example.org";
	q.recipients = 2;
	q.size = UINT64_MAX - 1;
	q.relay = 1;
	str_init(&out, memory, sizeof memory);
	policy_encode_request(&out, &q);
	tap_same(out.s, want, "a request is written");
	tap_ok(!out.full, "and fits");
	memcpy(block, out.s, out.len);
	tap_ok(policy_block_end(block, out.len, 0) == out.len, "it is a whole block");
	tap_ok(policy_decode_request(block, out.len, &back) == NULL, "it is read");
	tap_ok(back.stage == POLICY_RCPT && back.relay == 1 && back.recipients == 2 &&
			back.size == UINT64_MAX - 1 && back.bytes == 0,
		"its numbers come back");
	tap_same(back.sender, q.sender, "its escaped bytes come back");
	tap_same(back.recipient, q.recipient, "its 8-bit bytes come back");
	tap_same(back.helo, "", "what was not said is empty");
	str_init(&out, memory, 20);
	policy_encode_request(&out, &q);
	tap_ok(out.full, "too little memory is told");
}

static void test_answer(void)
{
	static const char want[] =
		"action=reject\ncode=550\nstatus=5.7.1\ntext=go away\ntag=spam\ntag=grey\n"
		"header=X-A: b%0A%09c\ndelay=1500\nqueue=slow\nsender=<>\n"
		"recipient_remove=<a@b.example>\nrecipient_add=<c@d.example>\n"
		"recipient_add=<e@f.example>\nmessage=0\n\n";
	char memory[1024], block[1024];
	struct policy_answer a, back;
	struct str out;

	policy_answer_init(&a);
	tap_ok(a.message == POLICY_NO_MESSAGE, "an answer has no message of itself");
	a.action = POLICY_REJECT;
	a.code = 550;
	a.status = "5.7.1";
	a.text = "go away";
	tap_ok(policy_items_add(&a.tag, "spam") && policy_items_add(&a.tag, "grey") &&
			policy_items_add(&a.header, "X-A: b\n\tc"),
		"tags and headers are added");
	tap_ok(policy_items_add(&a.recipient_add, "<c@d.example>") &&
			policy_items_add(&a.recipient_add, "<e@f.example>") &&
			policy_items_add(&a.recipient_remove, "<a@b.example>"),
		"and recipients");
	a.sender = "<>";
	a.delay = 1500;
	a.queue = "slow";
	a.message = 0;
	str_init(&out, memory, sizeof memory);
	policy_encode_answer(&out, &a);
	tap_same(out.s, want, "an answer is written");
	memcpy(block, out.s, out.len);
	tap_ok(policy_decode_answer(block, out.len, &back) == NULL, "it is read");
	tap_ok(back.action == POLICY_REJECT && back.code == 550 && back.delay == 1500 &&
			back.message == 0 && back.tag.count == 2 && back.header.count == 1 &&
			back.recipient_add.count == 2 && back.recipient_remove.count == 1,
		"its numbers come back");
	tap_same(back.header.item[0], "X-A: b\n\tc", "its header comes back");
	tap_same(back.tag.item[1], "grey", "its second tag comes back");
}

static void test_tables(void)
{
	for (int i = POLICY_CONNECT; i < POLICY_STAGES; i++)
		tap_ok(policy_stage_find(policy_stage_name((enum policy_stage)i)) == (enum policy_stage)i,
			policy_stage_name((enum policy_stage)i));
	tap_ok(policy_stage_find("what") == POLICY_OTHER, "an unknown stage is another one");
	tap_ok(policy_is_answered(POLICY_END) && !policy_is_answered(POLICY_RESET),
		"some are not answered");
}

static void test_bad_requests(void)
{
	static const struct {
		const char *block;
		const char *want; /* NULL: it is fine */
	} cases[] = {
		{ "stage=mail\n\n", NULL },
		{ "what=%zz\nstage=mail\n\n", NULL }, /* a name that is not known is not looked into */
		{ "stage=tomorrow\n\n", NULL },
		{ "\n", "stage is missing" },
		{ "sender=a\n\n", "stage is missing" },
		{ "stage=mail\nsender\n\n", "a line without \"=\"" },
		{ "stage=mail\nsize=\n\n", "a number is a row of decimal digits" },
		{ "stage=mail\nsize=-1\n\n", "a number is a row of decimal digits" },
		{ "stage=mail\nsize=18446744073709551615\n\n", "a number is a row of decimal digits" },
		{ "stage=mail\nstage=mail\n\n", "the same name twice" },
		{ "stage=mail\nsender=a%\n\n", "a % is followed by two hexadecimal digits" },
		{ "stage=mail\nsender=a%4\n\n", "a % is followed by two hexadecimal digits" },
		{ "stage=mail\nsender=a%4g\n\n", "a % is followed by two hexadecimal digits" },
		{ "stage=mail\nsender=%00\n\n", "a value holds no NUL" },
		{ "stage=mail\r\n\n", "control byte in a value: it must be written as %XX" },
	};
	struct policy_request q;

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		const char *wrong = decode_request(cases[i].block, &q);

		tap_same(wrong != NULL ? wrong : "fine", cases[i].want != NULL ? cases[i].want : "fine",
			shown(cases[i].block));
	}
}

static void test_bad_answers(void)
{
	static const struct {
		const char *block;
		bool good;
	} cases[] = {
		{ "action=continue\n\n", true },
		{ "action=Continue\n\n", false },
		{ "action=\n\n", false },
		{ "text=no\n\n", false },
		{ "action=reject\ncode=399\n\n", false },
		{ "action=reject\ncode=400\n\n", true },
		{ "action=reject\ncode=600\n\n", false },
		{ "action=reject\nstatus=5.7\n\n", false },
		{ "action=reject\nstatus=5.7.1234\n\n", false },
		{ "action=reject\nstatus=5.777.123\n\n", true },
		{ "action=reject\nstatus=3.7.1\n\n", false },
		{ "action=reject\nstatus=5.7.1x\n\n", false },
		{ "action=continue\ntag=a b\n\n", false },
		{ "action=continue\ntag=a,b\n\n", false },
		{ "action=continue\ntag=\n\n", false },
		{ "action=continue\nqueue=../x\n\n", false },
		{ "action=continue\nsender=<a@b.example>\n\n", true },
		{ "action=continue\nsender=\n\n", true }, /* as if it were not there */
		{ "action=continue\nsender=a@b.example\n\n", false },
		{ "action=continue\nsender=<a@b.example> x\n\n", false },
		{ "action=continue\nsender=<a@b.example>\nsender=<>\n\n", false },
		{ "action=continue\nrecipient_add=<a@b.example>\nrecipient_add=<c@d.example>\n\n", true },
		{ "action=continue\nrecipient_add=a\n\n", false },
		{ "action=continue\nrecipient_remove=<a@b@c>\n\n", false },
		{ "action=continue\nheader=X-A: b\n\n", true },
		{ "action=continue\nheader=X-A:\n\n", true },
		{ "action=continue\nheader=X-A\n\n", false },
		{ "action=continue\nheader=: b\n\n", false },
		{ "action=continue\nheader=X A: b\n\n", false },
		{ "action=continue\nheader=X-A: b%0Ac\n\n", false },
		{ "action=continue\nheader=X-A: b%0A c\n\n", true },
		{ "action=continue\nheader=X-A: b%0A \n\n", false },
		{ "action=continue\nheader=X-A: b%0A %0A c\n\n", false },
		{ "action=continue\nheader=X-A: b%0A\n\n", false },
		{ "action=continue\nheader=X-A: b%0D%0A c\n\n", false },
		{ "action=continue\nmessage=x\n\n", false },
	};
	struct policy_answer a;

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		tap_ok((decode_answer(cases[i].block, &a) == NULL) == cases[i].good, shown(cases[i].block));
}

static void test_ends(void)
{
	static const char two[] = "a=b\n\nc=d\n\n";

	tap_ok(policy_block_end(two, 4, 0) == 0, "without its empty line a block is not whole");
	tap_ok(policy_block_end(two, 5, 4) == 5, "with it, it is");
	tap_ok(policy_block_end(two, sizeof two - 1, 0) == 5, "what follows is not its");
	tap_ok(policy_block_end("\nx", 2, 0) == 1, "an empty one is one byte");
	tap_ok(policy_block_end(two, 0, 0) == 0, "nothing is none");
}

static void test_limits(void)
{
	char block[64 * (POLICY_ITEMS + 2)];
	struct policy_answer a;
	struct str s;

	str_init(&s, block, sizeof block);
	str_puts(&s, "action=continue\n");
	for (int i = 0; i < POLICY_ITEMS; i++)
		str_puts(&s, "tag=x\n");
	str_putc(&s, '\n');
	tap_ok(decode_answer(s.s, &a) == NULL && a.tag.count == POLICY_ITEMS, "that many tags");
	s.len--;
	str_puts(&s, "tag=x\n\n");
	tap_ok(decode_answer(s.s, &a) != NULL, "and no more");
}

int main(void)
{
	test_request();
	test_answer();
	test_tables();
	test_bad_requests();
	test_bad_answers();
	test_ends();
	test_limits();
	return tap_end();
}
