/* spf_zone.h - a zone in memory that answers spf_check: lines of tests/data/spf. */
#ifndef TESTS_UNIT_SPF_ZONE_H
#define TESTS_UNIT_SPF_ZONE_H

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "mail/spf.h"

enum { ZONE_RECORDS = 2048, ZONE_BYTES = 1 << 18, ZONE_ALIASES = 8 };

struct zone_record {
	const char *name, *type, *data;
	size_t n;
};

struct zone {
	struct zone_record record[ZONE_RECORDS];
	size_t count, used;
	unsigned asked;
	char bytes[ZONE_BYTES];
};

static inline void zone_add(struct zone *z, const char *name, const char *type, const char *data, size_t n)
{
	if (z->count < ZONE_RECORDS)
		z->record[z->count++] = (struct zone_record){ name, type, data, n };
}

static inline const struct zone_record *zone_find(const struct zone *z, const char *name, const char *type)
{
	for (size_t i = 0; i < z->count; i++)
		if (strcasecmp(z->record[i].name, name) == 0 && strcmp(z->record[i].type, type) == 0)
			return &z->record[i];
	return NULL;
}

static inline void zone_give(const struct zone_record *r, spf_each *each, void *to)
{
	unsigned char ip[16];

	if (strcmp(r->type, "A") == 0 || strcmp(r->type, "AAAA") == 0) {
		const bool v4 = r->type[1] == '\0';

		if (inet_pton(v4 ? AF_INET : AF_INET6, r->data, ip) == 1)
			each(to, ip, v4 ? 4 : 16);
	} else if (strcmp(r->type, "MX") == 0) {
		const char *blank = memchr(r->data, ' ', r->n);

		if (blank != NULL)
			each(to, blank + 1, r->n - (size_t)(blank + 1 - r->data));
	} else {
		each(to, r->data, r->n);
	}
}

static inline enum spf_found zone_ask(
	void *arg, const char *name, const char *type, spf_each *each, void *to)
{
	struct zone *z = arg;
	bool found = false;

	z->asked++;
	for (int i = 0; i < ZONE_ALIASES; i++) {
		const struct zone_record *alias = zone_find(z, name, "CNAME");

		if (alias == NULL)
			break;
		name = alias->data;
	}
	for (size_t i = 0; i < z->count; i++)
		if (strcasecmp(z->record[i].name, name) == 0 && strcmp(z->record[i].type, type) == 0) {
			zone_give(&z->record[i], each, to);
			found = true;
		}
	if (found)
		return SPF_FOUND;
	return zone_find(z, name, "TIMEOUT") != NULL ? SPF_FAILED : SPF_MISSING;
}

static inline enum spf_found zone_txt(void *arg, const char *name, spf_each *each, void *to)
{
	return zone_ask(arg, name, "TXT", each, to);
}

static inline enum spf_found zone_a(void *arg, const char *name, spf_each *each, void *to)
{
	return zone_ask(arg, name, "A", each, to);
}

static inline enum spf_found zone_aaaa(void *arg, const char *name, spf_each *each, void *to)
{
	return zone_ask(arg, name, "AAAA", each, to);
}

static inline enum spf_found zone_mx(void *arg, const char *name, spf_each *each, void *to)
{
	return zone_ask(arg, name, "MX", each, to);
}

static inline enum spf_found zone_ptr(void *arg, const unsigned char ip[16], spf_each *each, void *to)
{
	static const unsigned char v4[12] = { [10] = 0xff, [11] = 0xff };
	char name[80];
	size_t n = 0;

	if (memcmp(ip, v4, sizeof v4) == 0) {
		snprintf(name, sizeof name, "%u.%u.%u.%u.in-addr.arpa", ip[15], ip[14], ip[13], ip[12]);
		return zone_ask(arg, name, "PTR", each, to);
	}
	for (int i = 15; i >= 0; i--)
		n += (size_t)snprintf(name + n, sizeof name - n, "%x.%x.", ip[i] & 15, ip[i] >> 4);
	snprintf(name + n, sizeof name - n, "ip6.arpa");
	return zone_ask(arg, name, "PTR", each, to);
}

static inline struct spf_dns zone_dns(struct zone *z)
{
	return (struct spf_dns){
		.txt = zone_txt, .a = zone_a, .aaaa = zone_aaaa, .mx = zone_mx, .ptr = zone_ptr, .arg = z
	};
}

/* "1.2.3.4" or "2001:db8::1". */
static inline bool zone_address(const char *text, unsigned char ip[16])
{
	memset(ip, 0, 10);
	memset(ip + 10, 0xff, 2);
	return inet_pton(AF_INET, text, ip + 12) == 1 || inet_pton(AF_INET6, text, ip) == 1;
}

/* The next field of a line, its \xNN made bytes in place; *n is its length. NULL at the end. */
static inline char *zone_field(char **line, size_t *n)
{
	char *start = *line, *to = start, *end;

	if (start == NULL)
		return NULL;
	end = start + strcspn(start, "\t");
	*line = *end == '\t' ? end + 1 : NULL;
	*end = '\0';
	for (char *p = start; *p != '\0'; p++) {
		if (p[0] == '\\' && p[1] == 'x' && p[2] != '\0' && p[3] != '\0') {
			const char digits[] = { p[2], p[3], '\0' };

			*to++ = (char)strtoul(digits, NULL, 16);
			p += 3;
		} else {
			*to++ = *p;
		}
	}
	*to = '\0';
	*n = (size_t)(to - start);
	return start;
}

/* A line "record", behind that word. line lives as long as the zone. */
static inline void zone_line(struct zone *z, char *line)
{
	size_t n = 0;
	const char *name = zone_field(&line, &n), *type = zone_field(&line, &n);
	const char *data = zone_field(&line, &n);

	if (data != NULL)
		zone_add(z, name, type, data, n);
}

#endif
