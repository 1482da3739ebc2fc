#include "tcprules/rules_verdict.h"

void rules_verdict_print(struct rules_verdict *v, FILE *out)
{
	const char *pair;
	size_t n;

	if (v->found) {
		fputs("rule ", out);
		fwrite(v->key, 1, v->key_len, out);
		fputs(":\n", out);
	} else {
		fputs("default:\n", out);
	}
	while (!v->deny && (pair = rules_variable(v, &n)) != NULL)
		fprintf(out, "set environment variable %s\n", pair);
	fputs(v->deny ? "deny connection\n" : "allow connection\n", out);
}
