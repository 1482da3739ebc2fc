#include "tcprules/rules_text.h"

#include "base/str.h"
#include "tests/unit/tap.h"

/* want: each key and "=", then the data with "~" for its NULs; "" is no rule; NULL is an error. */
static const struct {
	const char *line;
	const char *want;
} cases[] = {
	{ "1.2.3.4:deny", "1.2.3.4 D~" },
	{ "1.2.3.4:allow", "1.2.3.4 " },
	{ ":allow", " " },
	{ "1.2.3.4:allow,A=\"b\"", "1.2.3.4 +A=b~" },
	{ "1.2.3.4:deny,A=/b/,C=xdx", "1.2.3.4 D~+A=b~+C=d~" },
	{ "x:allow,A=\"\"", "x +A=~" },
	{ "x:allow,=\"b\"", "x +=b~" },
	{ "x:allow, A=\"b\"", "x + A=b~" },
	{ "x:allow,A=bb", "x +A=~" },
	{ "x:allow,A==b=", "x +A=b~" },
	{ "x:allow,A=,b,,B=\"c\"", "x +A=b~+B=c~" },
	{ "x:deny \t ", "x D~" },
	{ "=h.example:deny", "=h.example D~" },
	{ "i@1.2.3.4-5:deny", "i@1.2.3.4-5 D~" },
	{ "=a-b:deny", "=a-b D~" },
	{ "1.2.3.4-6:deny", "1.2.3.4 D~1.2.3.5 D~1.2.3.6 D~" },
	{ "1.2-3.4:deny", "1.2.4 D~1.3.4 D~" },
	{ "1.2-3.4-5:deny", "1.2.4-5 D~1.3.4-5 D~" },
	{ "5-6:deny", "5 D~6 D~" },
	{ "-:deny", "0 D~" },
	{ "1.-:deny", "1.0 D~" },
	{ "1.-2.:deny", "1.0. D~1.1. D~1.2. D~" },
	{ "1.254-999:deny", "1.254 D~1.255 D~" },
	{ "1.9-3:deny", "" },
	{ "1.300-400:deny", "" },
	{ "1.04-05:deny", "1.4 D~1.5 D~" },
	{ "1.18446744073709551618-3:deny", "1.2 D~1.3 D~" },
	{ "", "" },
	{ "   ", "" },
	{ "# 1.2.3.4:deny", "" },
	{ "1.2.3.4 allow", "" },
	{ "1.2.3.4:", NULL },
	{ "1.2.3.4: deny", NULL },
	{ "1.2.3.4:Deny", NULL },
	{ "1.2.3.4:den", NULL },
	{ "1.2.3.4:denyx", NULL },
	{ "1.2.3.4:allow,", NULL },
	{ "1.2.3.4:allow,A", NULL },
	{ "1.2.3.4:allow,A=", NULL },
	{ "1.2.3.4:allow,A=\"", NULL },
	{ "1.2.3.4:allow,A=\"b", NULL },
	{ "1.2.3.4:allow,A=\"b\"x", NULL },
	{ "1.2.3.4:allow\r", NULL },
	{ "a-b:deny", NULL },
	{ "1.2-3-4:deny", NULL },
	{ "1.x-4:deny", NULL },
	{ "::1:deny", NULL },
};

static void put_visible(struct str *out, const struct str *data)
{
	for (size_t i = 0; i < data->len; i++)
		str_putc(out, data->s[i] == '\0' ? '~' : data->s[i]);
}

static const char *compile(const char *line, size_t n, struct str *out)
{
	char data_memory[256], key_memory[256];
	struct str data, key;
	struct rules_text t;
	const char *wrong;

	str_init(&data, data_memory, sizeof data_memory);
	str_init(&key, key_memory, sizeof key_memory);
	n = rules_text_trim(line, n);
	wrong = rules_text_parse(line, n, &t, &data);
	if (wrong != NULL)
		return wrong;
	while (rules_text_key(&t, &key)) {
		str_put(out, key.s, key.len);
		str_putc(out, ' ');
		put_visible(out, &data);
		str_reset(&key);
	}
	return NULL;
}

int main(void)
{
	char memory[8192];
	struct str out;

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		const char *wrong;

		str_init(&out, memory, sizeof memory);
		wrong = compile(cases[i].line, strlen(cases[i].line), &out);
		if (cases[i].want == NULL || wrong != NULL)
			tap_ok((cases[i].want == NULL) == (wrong != NULL), cases[i].line);
		else
			tap_same(out.s, cases[i].want, cases[i].line);
	}
	str_init(&out, memory, sizeof memory);
	tap_ok(compile("1.0-255:deny", 12, &out) == NULL && out.len == 10 * 7 + 90 * 8 + 156 * 9 - 256,
		"a range of 256");
	str_init(&out, memory, sizeof memory);
	tap_ok(compile("x:allow,A=\"b\0c\"", 15, &out) == NULL, "a NUL in a value is passed on");
	tap_same(out.s, "x +A=b~c~", "and starts an item of its own");
	return tap_end();
}
