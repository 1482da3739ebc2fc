#include "tcprules/rules_finding.h"

#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/str.h"

/* From NOTES on the rule does what it says. */
enum { NOTES = DENY_VARIABLES };

static const struct rules_finding table[] = {
	[NO_COLON] = { "there is no colon, so the line is skipped",
		"write ADDRESS:allow or ADDRESS:deny, or # before a comment" },
	[NO_DOT] = { "matches no address", "write all four numbers, or a dot behind the last one" },
	[EMPTY_RANGE] = { "the range is empty", "write the smaller number first, and none above 255" },
	[BLANK] = { "a blank in an address matches nothing", "take it out" },
	[OCTET] = { "a number above 255 matches no address", "write 0 to 255" },
	[ZEROS] = { "a leading zero matches no address", "take the zero out" },
	[STAR] = { "a star matches nothing", "write 1.2.3. for a network, =.example.org for a domain" },
	[NO_ADDRESS] = { "is no address",
		"write 1.2.3.4, 1.2.3., 1.2.3.4-9, 10.0.0.0/9 or [2001:db8::]/32" },
	[NO_NETWORK] = { "is no network", "write 10.0.0.0/9 or [2001:db8::]/32" },
	[HOST_BITS] = { "there are bits behind the length of the network, which count as 0",
		"write its first address" },
	[NO_EQUALS] = { "a name without = before it matches nothing", "write =NAME" },
	[INFO_PREFIX] = { "behind @ only a whole address or a whole name is looked for",
		"write INFO@1.2.3.4 or INFO@=NAME" },
	[RANGE_CUT] = { "the range ends at 255", "write 255" },
	[RANGE_OPEN] = { "a range without a number counts it as 0", "write both numbers" },
	[DUPLICATE] = { "another line has this address, and that one counts", "take one of them out" },
	[SHADOWED] = { "this address is in the range of an earlier line, and that one counts",
		"move this line before it" },
	[VARIABLE_BLANK] = { "this variable has a blank in its name", "write no blank behind the comma" },
	[VARIABLE_EMPTY] = { "this variable has no name", "write NAME=\"VALUE\"" },
	[VARIABLE_UNSAFE] = { "this variable changes what programs run, and whoever reads these rules "
			      "refuses it",
		"take it out" },
	[VARIABLE_VALUE] = { "the server cannot use this value", "see tcpserver(1)" },
	[NUL_BYTE] = { "there is a NUL byte in the line, and no reader believes the file", "take it out" },
	[NO_RULES] = { "there is no rule, so everybody is allowed", "write :deny or :allow" },
	[DENY_VARIABLES] = { "who is denied never sees a variable", "take it out" },
	[NAME_CASE] = { "readers of other packages compare names by bytes",
		"write the name in lower case, without a last dot" },
	[NAME_TRUST] = { "a name counts only if its addresses confirm it",
		"deny by address what must not come in" },
	[NO_DEFAULT] = { "no line is for everybody else, so they are allowed",
		"write :deny or :allow as the last line" },
};

const struct rules_finding *rules_finding(enum finding which)
{
	return &table[which];
}

enum finding rules_finding_number(const struct rules_finding *f)
{
	return (enum finding)(f - table);
}

bool rules_finding_is_note(enum finding which)
{
	return (int)which >= (int)NOTES;
}

void rules_finding_say(
	const char *kind, const struct rules_finding *f, unsigned long line, const char *value, size_t n)
{
	char memory[ERR_LINE], shown[RULES_FINDING_VALUE];
	struct str text, s;

	str_init(&s, shown, sizeof shown);
	str_put_printable(&s, value, n < sizeof shown - 4 ? n : sizeof shown - 4);
	if (n >= sizeof shown - 4)
		str_puts(&s, "...");
	str_init(&text, memory, sizeof memory);
	str_puts(&text, "tcprules: ");
	str_puts(&text, kind);
	str_puts(&text, ": line ");
	str_putu(&text, line);
	str_puts(&text, ": ");
	str_puts(&text, f->reason);
	str_puts(&text, " (");
	str_puts(&text, s.s);
	str_puts(&text, "): ");
	str_puts(&text, f->remedy);
	str_putc(&text, '\n');
	if (write(2, text.s, text.len) == -1)
		return; /* nobody left to tell */
}

void rules_finding_keep(struct rules_finding_list *l, const struct rules_finding *f, unsigned long line,
	const char *value, size_t n)
{
	if (l->count++ >= RULES_FINDING_KEPT)
		return;
	if (n > RULES_FINDING_VALUE - 1)
		n = RULES_FINDING_VALUE - 1;
	l->kept[l->count - 1].finding = f;
	l->kept[l->count - 1].line = line;
	memcpy(l->kept[l->count - 1].value, value, n);
	l->kept[l->count - 1].value[n] = '\0';
}

void rules_finding_say_all(const struct rules_finding_list *l)
{
	for (unsigned long i = 0; i < l->count && i < RULES_FINDING_KEPT; i++)
		rules_finding_say("warning", l->kept[i].finding, l->kept[i].line, l->kept[i].value,
			strlen(l->kept[i].value));
	if (l->count > RULES_FINDING_KEPT)
		warn("and %lu more: tcprules --check shows them all", l->count - RULES_FINDING_KEPT);
}
