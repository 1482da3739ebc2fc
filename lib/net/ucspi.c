#include "net/ucspi.h"

#include <stdlib.h>

static const char *const names[UCSPI_VARS] = {
	[UCSPI_PROTO] = "PROTO",
	[UCSPI_LOCALIP] = "TCPLOCALIP",
	[UCSPI_LOCALPORT] = "TCPLOCALPORT",
	[UCSPI_LOCALHOST] = "TCPLOCALHOST",
	[UCSPI_REMOTEIP] = "TCPREMOTEIP",
	[UCSPI_REMOTEPORT] = "TCPREMOTEPORT",
	[UCSPI_REMOTEHOST] = "TCPREMOTEHOST",
	[UCSPI_REMOTEINFO] = "TCPREMOTEINFO",
};

void ucspi_read(const char *values[UCSPI_VARS])
{
	for (int i = 0; i < UCSPI_VARS; i++)
		values[i] = getenv(names[i]);
}

int ucspi_set(struct env *e, const char *const values[UCSPI_VARS])
{
	for (int i = 0; i < UCSPI_VARS; i++)
		if (values[i] == NULL)
			env_unset(e, names[i]);
		else if (env_set(e, names[i], values[i]) == -1)
			return -1;
	return 0;
}
