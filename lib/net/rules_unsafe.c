#include "net/rules_unsafe.h"

#include <string.h>

/* A star at the end stands for anything. */
static const char *const unsafe[] = {
	/* the loader: ld.so(8), dyld(1) */
	"LD_*",
	"DYLD_*",
	"_RLD*", /* other systems' loaders */
	"LIBPATH",
	"SHLIB_PATH",
	/* the C library */
	"GCONV_PATH",
	"GETCONF_DIR",
	"GLIBC_TUNABLES",
	"HOSTALIASES",
	"LOCALDOMAIN",
	"LOCPATH",
	"MALLOC_*",
	"MUSL_LOCPATH",
	"NIS_PATH",
	"NLSPATH",
	"RESOLV_*",
	"RES_OPTIONS",
	"TMPDIR",
	"TZDIR",
	/* shells */
	"BASHOPTS",
	"BASH_ENV",
	"BASH_FUNC_*",
	"BASH_LOADABLES_PATH",
	"BASH_XTRACEFD",
	"CDPATH",
	"ENV",
	"FPATH",
	"GLOBIGNORE",
	"IFS",
	"PROMPT_COMMAND",
	"PS4",
	"SHELLOPTS",
	"ZDOTDIR",
	/* interpreters and their libraries */
	"CLASSPATH",
	"JAVA_OPTIONS",
	"JAVA_TOOL_OPTIONS",
	"JDK_JAVA_OPTIONS",
	"_JAVA_OPTIONS",
	"LUA_CPATH*",
	"LUA_INIT*",
	"LUA_PATH*",
	"NODE_OPTIONS",
	"NODE_PATH",
	"PERL5DB",
	"PERL5LIB",
	"PERL5OPT",
	"PERL5SHELL",
	"PERLIO",
	"PERLIO_DEBUG",
	"PERLLIB",
	"PHPRC",
	"PHP_INI_SCAN_DIR",
	"PYTHONBREAKPOINT",
	"PYTHONEXECUTABLE",
	"PYTHONHOME",
	"PYTHONINSPECT",
	"PYTHONPATH",
	"PYTHONPLATLIBDIR",
	"PYTHONPYCACHEPREFIX",
	"PYTHONSTARTUP",
	"PYTHONUSERBASE",
	"PYTHONWARNINGS",
	"RUBYLIB",
	"RUBYOPT",
	"RUBYSHELL",
	"TCLLIBPATH",
	"OPENSSL_CONF",
	"OPENSSL_ENGINES",
	"OPENSSL_MODULES",
	/* programs that start another one by such a name */
	"AWKLIBPATH",
	"AWKPATH",
	"EDITOR",
	"GIT_ASKPASS",
	"GIT_CONFIG*",
	"GIT_EDITOR",
	"GIT_EXEC_PATH",
	"GIT_EXTERNAL_DIFF",
	"GIT_PAGER",
	"GIT_PROXY_COMMAND",
	"GIT_SSH*",
	"LESSCLOSE",
	"LESSOPEN",
	"MANPAGER",
	"PAGER",
	"VISUAL",
};

static bool matches(const char *pattern, const char *name, size_t n)
{
	const size_t len = strlen(pattern);

	if (pattern[len - 1] == '*')
		return n >= len - 1 && memcmp(pattern, name, len - 1) == 0;
	return n == len && memcmp(pattern, name, n) == 0;
}

bool rules_variable_is_unsafe(const char *name, size_t n)
{
	for (size_t i = 0; i < sizeof unsafe / sizeof unsafe[0]; i++)
		if (matches(unsafe[i], name, n))
			return true;
	return false;
}
