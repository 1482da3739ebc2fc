/* checkpassword-pam - passwords that PAM knows: checkpassword-pam(8). */
#include <getopt.h>
#include <pwd.h>
#include <security/pam_appl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/house.h"
#include "base/option.h"
#include "smtpd/checkpassword.h"

#define USAGE "checkpassword-pam: usage: checkpassword-pam [ -s service ] program [ arg ... ]\n"

static const char help[] =
	USAGE "Reads user and password from descriptor 3, and runs the program if PAM takes them.\n"
	      "  -s name     the service, a file in /etc/pam.d; default: smtp\n"
	      "  --help      this text\n"
	      "  --version   the version of portero\n";

struct config {
	const char *service;
	char **program;
};

static struct config config_of(int argc, char **argv)
{
	static const struct option longs[] = { { "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' }, { 0 } };
	struct config c = { .service = "smtp" };

	opterr = 0;
	for (int o; (o = getopt_long(argc, argv, "+s:", longs, NULL)) != -1;)
		switch (o) {
		case 's':
			c.service = optarg;
			break;
		case 'h':
			option_print(help);
		case 'V':
			option_print(house_version);
		default:
			checkpassword_misused(USAGE);
		}
	c.program = argv + optind;
	return c;
}

/* ---- what modules ask ---------------------------------------------------------------------------------- */

/* NULL in *answer where nothing is wanted. False: no memory, or something that we have no answer to. */
static bool answer(const struct credentials *c, const struct pam_message *m, char **answer)
{
	*answer = NULL;
	switch (m->msg_style) {
	case PAM_PROMPT_ECHO_OFF:
		*answer = strdup(c->password);
		return *answer != NULL;
	case PAM_PROMPT_ECHO_ON:
		*answer = strdup(c->user);
		return *answer != NULL;
	case PAM_ERROR_MSG:
	case PAM_TEXT_INFO:
		return true; /* there is nobody to tell */
	default:
		return false;
	}
}

static void forget(struct pam_response *r, int count)
{
	for (int i = 0; i < count; i++)
		if (r[i].resp != NULL) {
			explicit_bzero(r[i].resp, strlen(r[i].resp));
			free(r[i].resp);
		}
	free(r);
}

static int converse(
	int count, const struct pam_message **messages, struct pam_response **responses, void *arg)
{
	struct pam_response *r;

	if (count < 1 || count > PAM_MAX_NUM_MSG)
		return PAM_CONV_ERR;
	r = calloc((size_t)count, sizeof *r); /* the module frees it */
	if (r == NULL)
		return PAM_BUF_ERR;
	for (int i = 0; i < count; i++)
		if (!answer(arg, messages[i], &r[i].resp)) {
			forget(r, i);
			return PAM_CONV_ERR;
		}
	if (responses == NULL) /* some modules that only tell something want none */
		forget(r, count);
	else
		*responses = r;
	return PAM_SUCCESS;
}

/* ---- the check ----------------------------------------------------------------------------------------- */

/* The user's fault, and none of ours. */
static bool is_refusal(int result)
{
	switch (result) {
	case PAM_AUTH_ERR:
	case PAM_USER_UNKNOWN:
	case PAM_MAXTRIES:
	case PAM_PERM_DENIED:
	case PAM_ACCT_EXPIRED:
	case PAM_NEW_AUTHTOK_REQD:
	case PAM_AUTHTOK_EXPIRED:
	case PAM_CRED_EXPIRED:
		return true;
	default:
		return false;
	}
}

static int set_origin(pam_handle_t *pam)
{
	const char *ip = getenv("TCPREMOTEIP");

	return ip == NULL ? PAM_SUCCESS : pam_set_item(pam, PAM_RHOST, ip);
}

static int check(pam_handle_t *pam)
{
	int result = set_origin(pam);

	if (result == PAM_SUCCESS)
		result = pam_authenticate(pam, PAM_SILENT | PAM_DISALLOW_NULL_AUTHTOK);
	if (result == PAM_SUCCESS)
		result = pam_acct_mgmt(pam, PAM_SILENT | PAM_DISALLOW_NULL_AUTHTOK);
	return result;
}

static _Noreturn void run(struct credentials *c, char **program, const char *user)
{
	const struct passwd *pw = getpwnam(user); /* there may be none: not every module stands for one */

	checkpassword_run(
		c, program, user, pw == NULL ? NULL : pw->pw_dir, pw == NULL ? NULL : pw->pw_shell);
}

int main(int argc, char **argv)
{
	const struct config config = config_of(argc, argv);
	struct credentials c;
	const struct pam_conv conversation = { converse, &c };
	const void *user = NULL;
	char *name;
	pam_handle_t *pam;
	int result;

	err_name("checkpassword-pam");
	checkpassword_read(&c, config.program, USAGE);
	if (c.password[0] == '\0')
		checkpassword_wrong(&c);
	result = pam_start(config.service, c.user, &conversation, &pam);
	if (result != PAM_SUCCESS)
		die(EXIT_TEMPORARY, "service %s: PAM does not start, error %d: is it in /etc/pam.d?",
			config.service, result);
	result = check(pam);
	if (is_refusal(result)) {
		pam_end(pam, result);
		checkpassword_wrong(&c);
	}
	if (result != PAM_SUCCESS)
		die(EXIT_TEMPORARY, "service %s: %s: see checkpassword-pam(8), PERMISSIONS", config.service,
			pam_strerror(pam, result));
	/* A module may have put the user's right name there. */
	if (pam_get_item(pam, PAM_USER, &user) != PAM_SUCCESS || user == NULL ||
		(name = strdup(user)) == NULL)
		die(EXIT_TEMPORARY, "service %s: it does not say who that is", config.service);
	pam_end(pam, PAM_SUCCESS);
	run(&c, config.program, name);
}
