#include "net/dns_wait.h"

#include "base/clock.h"

struct waiting {
	dns_each *each;
	void *arg;
	enum dns_result result;
	bool ended;
};

static void on_each(void *arg, const struct dns_record *record)
{
	struct waiting *w = arg;

	w->each(w->arg, record);
}

static void on_end(void *arg, enum dns_result result)
{
	struct waiting *w = arg;

	w->result = result;
	w->ended = true;
}

void dns_wait_turn(struct dns *d)
{
	struct pollfd fds[DNS_POLL];
	const size_t count = dns_poll(d, fds);

	/* a poll that fails has no descriptor ready; the deadline still comes */
	if (poll(fds, count, clock_left_ms(dns_deadline(d))) <= 0)
		dns_step(d, fds, 0);
	else
		dns_step(d, fds, count);
}

enum dns_result dns_wait(
	struct dns *d, enum dns_type type, const char *name, int64_t deadline_ms, dns_each *each, void *arg)
{
	struct waiting w = { .each = each, .arg = arg };

	if (deadline_ms <= clock_ms() || dns_records(d, type, name, deadline_ms, on_each, on_end, &w) == -1)
		return DNS_TEMPORARY;
	while (!w.ended)
		dns_wait_turn(d);
	return w.result;
}
