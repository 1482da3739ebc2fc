#include "smtpd/spf_dns.h"

#include <string.h>

#include "net/dns_wait.h"

struct receiver {
	spf_each *each;
	void *to;
};

static void on_each(void *arg, const struct dns_record *record)
{
	const struct receiver *r = arg;

	r->each(r->to, record->data, record->n);
}

static enum spf_found ask(
	struct spf_asker *a, enum dns_type type, const char *name, spf_each *each, void *to)
{
	struct receiver r = { .each = each, .to = to };

	switch (dns_wait(a->dns, type, name, a->deadline_ms, on_each, &r)) {
	case DNS_FOUND:
		return SPF_FOUND;
	case DNS_NONE:
	case DNS_NO_NAME:
		return SPF_MISSING;
	default:
		return SPF_FAILED;
	}
}

static enum spf_found ask_txt(void *arg, const char *name, spf_each *each, void *to)
{
	return ask(arg, DNS_TXT, name, each, to);
}

static enum spf_found ask_a(void *arg, const char *name, spf_each *each, void *to)
{
	return ask(arg, DNS_A, name, each, to);
}

static enum spf_found ask_aaaa(void *arg, const char *name, spf_each *each, void *to)
{
	return ask(arg, DNS_AAAA, name, each, to);
}

static enum spf_found ask_mx(void *arg, const char *name, spf_each *each, void *to)
{
	return ask(arg, DNS_MX, name, each, to);
}

static enum spf_found ask_ptr(void *arg, const unsigned char ip[16], spf_each *each, void *to)
{
	char name[ADDR_ARPA];
	struct addr a;

	memcpy(a.byte, ip, sizeof a.byte);
	addr_arpa(&a, name);
	return ask(arg, DNS_PTR, name, each, to);
}

struct spf_dns spf_dns_of(struct spf_asker *a)
{
	return (struct spf_dns){
		.txt = ask_txt, .a = ask_a, .aaaa = ask_aaaa, .mx = ask_mx, .ptr = ask_ptr, .arg = a
	};
}
