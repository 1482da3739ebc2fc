#include "smtpd/policy_serve.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "base/err.h"
#include "base/errtext.h"
#include "base/io.h"

static const char cut[] = "smtpd went away in the middle of a block";

static const char *read_failed(const struct io_reader *in)
{
	return in->state == IO_EOF ? cut : errtext(errno);
}

/* The length of the next block in the window; 0: the input has ended, or *wrong says why there is none. */
static size_t next_block(struct io_reader *in, const char **wrong)
{
	size_t searched = 0, end;

	while ((end = policy_block_end(in->buf + in->from, in->to - in->from, searched)) == 0) {
		searched = in->to - in->from;
		if (searched == POLICY_BLOCK) {
			*wrong = "a block is too long";
			return 0;
		}
		if (io_fill(in) != IO_OK) {
			*wrong = in->state == IO_EOF && searched == 0 ? NULL : read_failed(in);
			return 0;
		}
	}
	return end;
}

static const char *take_text(const struct policy_serve *p, struct io_reader *in, uint64_t left)
{
	while (left > 0) {
		size_t n = in->to - in->from;

		if (n == 0 && io_fill(in) != IO_OK)
			return read_failed(in);
		n = in->to - in->from < left ? in->to - in->from : (size_t)left;
		if (p->text != NULL)
			p->text(p->arg, in->buf + in->from, n);
		in->from += n;
		left -= n;
	}
	return NULL;
}

static const char *give_message(const struct policy_serve *p, struct io_writer *out, uint64_t left)
{
	char piece[4096];

	while (left > 0) {
		const ssize_t n =
			p->message(p->arg, piece, left < sizeof piece ? (size_t)left : sizeof piece);

		if (n <= 0)
			return errtext(errno);
		if (io_put(out, piece, (size_t)n) != IO_OK)
			break;
		left -= (uint64_t)n;
	}
	return NULL;
}

static const char *give_answer(
	const struct policy_serve *p, const struct policy_request *q, struct io_writer *out)
{
	static char memory[POLICY_BLOCK];
	struct policy_answer a;
	const char *wrong = NULL;
	struct str block;

	policy_answer_init(&a);
	a.action = POLICY_CONTINUE;
	if (q->stage != POLICY_OTHER)
		p->answer(p->arg, q, &a);
	str_init(&block, memory, sizeof memory);
	policy_encode_answer(&block, &a);
	if (block.full)
		return "the answer is too long";
	(void)io_put(out, block.s, block.len);
	if (a.message != POLICY_NO_MESSAGE)
		wrong = give_message(p, out, a.message);
	if (wrong == NULL && io_flush(out) != IO_OK)
		wrong = errtext(errno);
	return wrong;
}

static const char *serve_block(
	const struct policy_serve *p, struct io_reader *in, size_t n, struct io_writer *out)
{
	struct policy_request q;
	const char *wrong = policy_decode_request(in->buf + in->from, n, &q);

	if (wrong != NULL)
		return wrong;
	in->from += n; /* its bytes stay where they are until more is read */
	if (policy_is_answered(q.stage))
		return give_answer(p, &q, out);
	if (q.stage == POLICY_TEXT)
		return take_text(p, in, q.bytes);
	if (p->told != NULL)
		p->told(p->arg, &q);
	return NULL;
}

int policy_serve(const struct policy_serve *p)
{
	static char in_bytes[POLICY_BLOCK], out_bytes[POLICY_BLOCK];
	struct io_reader in = { .fd = 0, .timeout_ms = -1, .buf = in_bytes, .cap = sizeof in_bytes };
	struct io_writer out = { .fd = 1, .timeout_ms = -1, .buf = out_bytes, .cap = sizeof out_bytes };
	const char *wrong = NULL;
	size_t n;

	signal(SIGPIPE, SIG_IGN);
	while (wrong == NULL && (n = next_block(&in, &wrong)) > 0)
		wrong = serve_block(p, &in, n, &out);
	if (wrong == NULL)
		return 0;
	warn("policy protocol: %s", wrong);
	return EXIT_TEMPORARY;
}
