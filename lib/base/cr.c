#include "base/cr.h"

size_t cr_add(const char *in, size_t n, char *out)
{
	char *at = out;

	for (size_t i = 0; i < n; i++) {
		if (in[i] == '\n')
			*at++ = '\r';
		*at++ = in[i];
	}
	return (size_t)(at - out);
}

size_t cr_mend(struct cr *c, const char *in, size_t n, char *out)
{
	char *at = out;

	for (size_t i = 0; i < n; i++) {
		if (in[i] == '\n' && !c->after_cr)
			*at++ = '\r';
		*at++ = in[i];
		c->after_cr = in[i] == '\r';
	}
	return (size_t)(at - out);
}

size_t cr_delete(struct cr *c, const char *in, size_t n, char *out)
{
	char *at = out;

	for (size_t i = 0; i < n; i++) {
		if (c->after_cr && in[i] != '\n')
			*at++ = '\r';
		c->after_cr = in[i] == '\r';
		if (!c->after_cr)
			*at++ = in[i];
	}
	return (size_t)(at - out);
}

size_t cr_delete_end(struct cr *c, char out[1])
{
	if (!c->after_cr)
		return 0;
	c->after_cr = false;
	out[0] = '\r';
	return 1;
}
