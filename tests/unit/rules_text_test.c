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
	/* networks */
	{ "10.0.0.0/8:deny", "10. D~" },
	{ "10.0.0.0/7:deny", "10. D~11. D~" },
	{ "10.9.8.7/16:allow", "10.9. " },
	{ "10.9.8.7/15:allow", "10.8. 10.9. " },
	{ "1.2.3.255/24:allow", "1.2.3. " },
	{ "1.2.3.255/31:allow", "1.2.3.254 1.2.3.255 " },
	{ "1.2.3.4/32:allow,A=\"b\"", "1.2.3.4 +A=b~" },
	{ "010.09.0.0/16:deny", "10.9. D~" },
	{ "[::ffff:1.2.3.4]:deny", "1.2.3.4 D~" },
	{ "[::FFFF:102:304]/120:deny", "1.2.3. D~" },
	{ "[::ffff:1.2.3.4]/95:deny", "[::fffe:0:0]/95 D~" },
	{ "[2001:DB8::]/32:allow", "[2001:db8::]/32 " },
	{ "[2001:db8:0:0:1:0:0:1]:allow", "[2001:db8::1:0:0:1] " },
	{ "[2001:db8::1]/128:deny", "[2001:db8::1] D~" },
	{ "[2001:db8::ff]/127:deny", "[2001:db8::fe]/127 D~" },
	{ "[ffff::1]/0:deny", "[::]/0 D~" },
	{ "[::1]:deny,A=\"]:\"", "[::1] D~+A=]:~" },
	{ "a b@[2001:db8::A]:deny", "a b@[2001:db8::a] D~" },
	{ "joe@[::ffff:1.2.3.4]:deny", "joe@1.2.3.4 D~" },
	/* not quite: what ucspi-tcp makes of them */
	{ "10.0.0.0/33:deny", "10.0.0.0/33 D~" },
	{ "10.0.0.0/:deny", "10.0.0.0/ D~" },
	{ "10.0.0.0/8/8:deny", "10.0.0.0/8/8 D~" },
	{ "10.0.0/8:deny", "10.0.0/8 D~" },
	{ "/8:deny", "/8 D~" },
	{ "joe@10.0.0.0/8:deny", "joe@10.0.0.0/8 D~" },
	{ "=10.0.0.0/8:deny", "=10.0.0.0/8 D~" },
	{ "10.0.0.0-1/8:deny", NULL },
	{ "10-11.0.0.0/8:deny", "10.0.0.0/8 D~11.0.0.0/8 D~" },
	{ "[1.2.3.4]:deny", "[1.2.3.4] D~" },
	{ "[1.2.3.4]/24:deny", "[1.2.3.4]/24 D~" },
	{ "[x:deny", "[x D~" },
	{ "[::1]/129:deny", NULL },
	{ "[::1]/-1:deny", NULL },
	{ "[::1]x:deny", NULL },
	{ "[::g]:deny", NULL },
	{ "[::1%eth0]:deny", NULL },
	{ "[::1:deny", NULL },
	{ "x[::1]:deny", NULL },
	{ "joe@[::]/0:deny", NULL },
	{ "[::1]", NULL },
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
	tap_ok(compile("[::ffff:1.2.3.4]/96:deny", 24, &out) == NULL &&
			out.len == 10 * 5 + 90 * 6 + 156 * 7 && strncmp(out.s, "0. D~1. D~", 10) == 0,
		"all of IPv4 is 256 keys");
	str_init(&out, memory, sizeof memory);
	tap_ok(compile("1.2.3.0\0/24:deny", 16, &out) == NULL && strcmp(out.s, "1.2.3.0") == 0,
		"a NUL in an address is no address");
	str_init(&out, memory, sizeof memory);
	tap_ok(compile("x:allow,A=\"b\0c\"", 15, &out) == NULL, "a NUL in a value is passed on");
	tap_same(out.s, "x +A=b~c~", "and starts an item of its own");
	return tap_end();
}
