/* mail/fields.h - the header of a message as a list of fields, edited as a milter asks for it.
 *
 * Shape   fields point into the text that was parsed, and into memory of the struct where they are new: the
 *         text must stay. A field ends in LF, folded ones have LF and a blank or tab within. The first field
 *         called Received is the server's own: changes do not count it, insertions do.
 * Units   an index counts from 1; 0 is the top for an insertion, and as 1 for a change.
 * Errors  full for good: too many fields, or too much text. One check at the end answers for all edits.
 * Source  RFC 5322 section 2.2; smfi_addheader, smfi_insheader and smfi_chgheader of libmilter, and what
 *         Postfix (MILTER_README) and Sendmail 8.13 count. */
#ifndef MAIL_FIELDS_H
#define MAIL_FIELDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FIELDS_MAX = 5000, FIELDS_ROOM = 512 * 1024 };

struct field {
	const char *text;
	size_t len;
	size_t name_len; /* without blanks in front of the colon */
};

struct fields {
	struct field list[FIELDS_MAX];
	size_t count;
	size_t own;     /* index of the server's own field, or FIELDS_MAX */
	bool separated; /* an empty line stands behind the fields */
	bool cut;       /* the text ends before the fields do, as far as can be seen */
	bool edited;
	bool full;
	size_t used;
	char room[FIELDS_ROOM]; /* texts of new fields */
};

/* Returns how many bytes of the text are fields: up to an empty line or a line that is no field. */
size_t fields_parse(struct fields *f, const char *text, size_t n);

/* Behind the colon, without the LF at the end. leading: with its first blank too. Returns the length. */
size_t field_value(const struct field *field, bool leading, const char **value);

/* leading: the value has what follows the colon, else a blank is put there. Its line ends may be LF or CR LF; a
 * line that does not begin with a blank or tab gets a tab: a value never makes a second field. */
void fields_add(struct fields *f, const char *name, const char *value, bool leading);
void fields_insert(struct fields *f, uint32_t index, const char *name, const char *value, bool leading);
/* "" deletes; one that is not there is added. */
void fields_change(struct fields *f, uint32_t index, const char *name, const char *value, bool leading);

#endif
