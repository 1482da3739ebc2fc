#include "base/house.h"

#include <stdlib.h>

#include "house_facts.h"

const char house_version[] = "portero " HOUSE_VERSION "\n";

const char *house_home(void)
{
	const char *home = secure_getenv("PORTERO_HOME");

	return home != NULL ? home : HOUSE_HOME;
}
