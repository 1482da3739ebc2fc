/* rules_verdict.h - a verdict as tcprulescheck(1) prints it. */
#ifndef TCPRULES_RULES_VERDICT_H
#define TCPRULES_RULES_VERDICT_H

#include <stdio.h>

#include "net/rules.h"

void rules_verdict_print(struct rules_verdict *v, FILE *out);

#endif
