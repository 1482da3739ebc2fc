#include "net/quota.h"

#include <string.h>

#include "base/num.h"

enum { RATE_S_MAX = 86400, LOAD_MAX = 10000 };

const char *quota_rate(struct quota *q, const char *text)
{
	const char *slash = strchr(text, '/');

	if (slash == NULL ||
		num_parse_n(text, (size_t)(slash - text), 1, QUOTA_COUNT_MAX, &q->rate) != NULL ||
		num_parse(slash + 1, 1, RATE_S_MAX, &q->rate_s) != NULL)
		return "is no rate: N/SECONDS, as in 20/60";
	return NULL;
}

const char *quota_net(struct quota *q, const char *text)
{
	static const char *const wrong =
		"names no networks: BITS:N[,BITS:N], IPv4 first, as in 24:20,64:20";

	for (int i = 0; *text != '\0' && i < 2; i++) {
		const char *colon = strchr(text, ':');
		size_t n;
		unsigned long bits;

		if (colon == NULL ||
			num_parse_n(text, (size_t)(colon - text), 1, i == 0 ? 32 : 128, &bits) != NULL)
			return wrong;
		*(i == 0 ? &q->bits4 : &q->bits6) = (unsigned)bits;
		text = colon + 1;
		n = strcspn(text, ",");
		if (num_parse_n(text, n, 1, QUOTA_COUNT_MAX, i == 0 ? &q->per_net4 : &q->per_net6) != NULL)
			return wrong;
		text += n;
		if (text[0] == ',' && text[1] != '\0')
			text++;
	}
	return *text == '\0' ? NULL : wrong;
}

static const char *set_address(struct quota *q, const char *value)
{
	return num_parse(value, 0, QUOTA_COUNT_MAX, &q->per_address);
}

static const char *set_nets(struct quota *q, const char *value)
{
	unsigned long n = 0;
	const char *wrong;

	if (strchr(value, ':') != NULL)
		return quota_net(q, value);
	wrong = num_parse(value, 0, QUOTA_COUNT_MAX, &n);
	if (wrong == NULL)
		q->per_net4 = q->per_net6 = n;
	return wrong;
}

static const char *set_load(struct quota *q, const char *value)
{
	unsigned long n = 0;
	const char *wrong = num_parse(value, 0, LOAD_MAX, &n);

	if (wrong == NULL)
		q->load = n * 100;
	return wrong;
}

const char *const quota_variables[QUOTA_VARIABLES] = { "MAXCONNIP", "MAXCONNNET", "MAXCONNC", "MAXLOAD",
	"RATE" };

const char *quota_set(struct quota *q, int variable, const char *value)
{
	static const char *(*const set[QUOTA_VARIABLES])(
		struct quota *, const char *) = { set_address, set_nets, set_nets, set_load, quota_rate };

	return set[variable](q, value);
}
