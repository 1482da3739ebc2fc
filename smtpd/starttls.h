/* starttls.h - what the environment says of TLS, and the talk with its helper (smtpd/session.h, session_tls). */
#ifndef SMTPD_STARTTLS_H
#define SMTPD_STARTTLS_H

#include "smtpd/session.h"

/* The helper's descriptors, by the environment; they are ours from here on. */
void starttls_open(struct session_tls *t);

/* Waits until the helper has agreed with the client, and reads what it says of that. False: it has not. */
bool starttls_agree(struct session_tls *t);

#endif
