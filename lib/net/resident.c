#include "net/resident.h"

#include <errno.h>
#include <string.h>

ssize_t resident_encode(char *const envp[], char *block, size_t cap)
{
	return env_block_encode(envp, block, cap);
}

bool resident_decode(char *block, size_t n, char **vector)
{
	return env_block_decode(block, n, vector);
}
