#include "smtpd/policy_delegation.h"

#include "tests/unit/tap.h"

static const struct {
	const char *block;
	enum policy_action action; /* POLICY_NO_ACTION: it is wrong */
	unsigned code;
	const char *status, *text;
} cases[] = {
	{ "action=DUNNO\n\n", POLICY_CONTINUE, 0, "", "" },
	{ "action=dunno\n\n", POLICY_CONTINUE, 0, "", "" },
	{ "action=OK\n\n", POLICY_CONTINUE, 0, "", "" },
	{ "action=REJECT\n\n", POLICY_REJECT, 554, "", "" },
	{ "action=REJECT  5.1.1 a b\n\n", POLICY_REJECT, 554, "5.1.1", "a b" },
	{ "action=REJECT 5.1.1\n\n", POLICY_REJECT, 554, "5.1.1", "" },
	{ "action=REJECT 192.0.2.7 is bad\n\n", POLICY_REJECT, 554, "", "192.0.2.7 is bad" },
	{ "action=DEFER_IF_REJECT x\n\n", POLICY_DEFER, 450, "", "x" },
	{ "action=450\n\n", POLICY_DEFER, 450, "", "" },
	{ "action=599 x\n\n", POLICY_REJECT, 599, "", "x" },
	{ "action=521 x\n\n", POLICY_DROP, 521, "", "x" },
	{ "action=600 x\n\n", POLICY_CONTINUE, 0, "", "" },
	{ "action=DISCARD x\n\n", POLICY_DISCARD, 0, "", "" },
	{ "action=PREPEND X-A: b\n\n", POLICY_CONTINUE, 0, "", "" },
	{ "action=PREPEND X-A\n\n", POLICY_NO_ACTION, 0, "", "" },
	{ "action=FILTER smtp:x\n\n", POLICY_NO_ACTION, 0, "", "" },
	{ "action=permit_mynetworks\n\n", POLICY_NO_ACTION, 0, "", "" },
	{ "action=\n\n", POLICY_NO_ACTION, 0, "", "" },
	{ "what=DUNNO\n\n", POLICY_NO_ACTION, 0, "", "" },
	{ "action=DUNNO\nx=y\n\n", POLICY_NO_ACTION, 0, "", "" },
	{ "\n", POLICY_NO_ACTION, 0, "", "" },
};

static void test_answers(void)
{
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		const size_t n = strlen(cases[i].block);
		struct policy_answer a;
		char block[128], name[16];
		const char *wrong;

		memcpy(block, cases[i].block, n);
		wrong = policy_delegation_take(block, n, &a);
		snprintf(name, sizeof name, "answer %zu", i);
		if (cases[i].action == POLICY_NO_ACTION)
			tap_ok(wrong != NULL, name);
		else
			tap_ok(wrong == NULL && a.action == cases[i].action && a.code == cases[i].code &&
					strcmp(a.status, cases[i].status) == 0 &&
					strcmp(a.text, cases[i].text) == 0,
				name);
	}
}

static void test_question(void)
{
	struct policy_request q;
	char memory[1024];
	struct str out;

	policy_request_init(&q);
	q.stage = POLICY_RCPT;
	q.protocol = "UTF8SMTPS";
	q.sender = "a\naction=OK@b.example";
	q.recipients = 3;
	str_init(&out, memory, sizeof memory);
	policy_delegation_put(&out, &q, "i");
	tap_ok(strstr(memory, "\nsender=\n") != NULL, "what would be a line of its own is left out");
	tap_ok(strstr(memory, "protocol_name=ESMTP\n") != NULL, "protocols have Postfix's names");
	tap_ok(strstr(memory, "recipient_count=0\n") != NULL, "recipients are counted from DATA on");
	tap_ok(policy_block_end(memory, out.len, 0) == out.len, "it is one block");
}

int main(void)
{
	test_answers();
	test_question();
	return tap_end();
}
