#include "net/tls.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "net/tls_wire.h"

static const char ciphers[] = "ECDHE+AESGCM:ECDHE+CHACHA20:!aNULL"; /* of TLS 1.2 */
static const char groups[] = "X25519:P-256:P-384";

/* The cipher and its way of chaining are those of OpenSSL's own tickets. */
enum { TICKET_IV = 16, NAME_MAX_BYTES = 255 };

struct named {
	char *name;
	SSL_CTX *ctx;
};

struct tls {
	struct tls_rules rules;
	struct named *names; /* the first is for whoever asks for none of them */
	size_t count;
	struct tls_ticket_key tickets[TLS_TICKETS];
	size_t ticket_count;
	long ticket_life_s;
};

struct tls_pair {
	X509 *certificate;
	STACK_OF(X509) * above;
	EVP_PKEY *key;
};

struct tls_session {
	SSL *ssl;
	const char *error;
};

/* ---- certificates -------------------------------------------------------------------------------------- */

static int no_passphrase(char *buf, int size, int writing, void *arg)
{
	(void)buf;
	(void)size;
	(void)writing;
	*(bool *)arg = true;
	return -1;
}

static EVP_PKEY *read_key(const char *text, size_t n, const char **wrong)
{
	BIO *bio = BIO_new_mem_buf(text, (int)n);
	bool sealed = false;
	EVP_PKEY *key = bio == NULL ? NULL : PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, &sealed);

	BIO_free(bio);
	if (key == NULL)
		*wrong = sealed ? "is sealed with a passphrase: write it without one (openssl pkey)"
				: "holds no private key in PEM";
	return key;
}

static bool read_chain(struct tls_pair *p, const char *text, size_t n)
{
	BIO *bio = BIO_new_mem_buf(text, (int)n);
	X509 *next;

	if (bio == NULL)
		return false;
	p->certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL);
	while (p->certificate != NULL && (next = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL)
		if (sk_X509_push(p->above, next) == 0)
			X509_free(next);
	BIO_free(bio);
	return p->certificate != NULL;
}

static bool use(SSL_CTX *ctx, const struct tls_pair *p)
{
	return SSL_CTX_use_cert_and_key(ctx, p->certificate, p->key, p->above, 1) == 1;
}

static bool is_usable(const struct tls_pair *p)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	const bool good = ctx != NULL && use(ctx, p);

	SSL_CTX_free(ctx);
	return good;
}

struct tls_pair *tls_pair_read(const char *chain, size_t chain_bytes, const char *key, size_t key_bytes,
	const char **wrong, bool *of_key)
{
	struct tls_pair *p = calloc(1, sizeof *p);

	*wrong = "does not fit into memory";
	*of_key = false;
	if (p == NULL || (p->above = sk_X509_new_null()) == NULL)
		goto fail;
	if (!read_chain(p, chain, chain_bytes)) {
		*wrong = "holds no certificate in PEM";
		goto fail;
	}
	*of_key = true;
	p->key = read_key(key, key_bytes, wrong);
	if (p->key == NULL)
		goto fail;
	if (X509_check_private_key(p->certificate, p->key) != 1) {
		*wrong = "is not the key of the certificate beside it: install both anew, together";
		goto fail;
	}
	if (!is_usable(p)) {
		*wrong = "is of no use to OpenSSL: too short, or of an old kind";
		goto fail;
	}
	ERR_clear_error();
	return p;
fail:
	ERR_clear_error();
	tls_pair_free(p);
	return NULL;
}

void tls_pair_free(struct tls_pair *p)
{
	if (p == NULL)
		return;
	X509_free(p->certificate);
	sk_X509_pop_free(p->above, X509_free);
	EVP_PKEY_free(p->key);
	free(p);
}

bool tls_pair_is_over(const struct tls_pair *p)
{
	return X509_cmp_current_time(X509_get0_notAfter(p->certificate)) < 0;
}

/* ---- tickets ------------------------------------------------------------------------------------------- */

static bool key_mac(EVP_MAC_CTX *mac, const struct tls_ticket_key *key)
{
	char digest[] = "SHA256";
	OSSL_PARAM params[] = {
		OSSL_PARAM_octet_string(OSSL_MAC_PARAM_KEY, (void *)key->mac, sizeof key->mac),
		OSSL_PARAM_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, sizeof digest - 1),
		OSSL_PARAM_END,
	};

	return EVP_MAC_CTX_set_params(mac, params) == 1;
}

static int seal(const struct tls *t, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
	EVP_MAC_CTX *mac)
{
	const struct tls_ticket_key *key = &t->tickets[0];

	if (t->ticket_count == 0)
		return 0; /* no ticket */
	memcpy(name, key->name, sizeof key->name);
	if (RAND_bytes(iv, TICKET_IV) != 1 ||
		EVP_EncryptInit_ex(cipher, EVP_aes_256_cbc(), NULL, key->cipher, iv) != 1 ||
		!key_mac(mac, key))
		return -1;
	return 1;
}

/* 2: it is good, and the client shall have one of the newer key. In TLS 1.3 it shall have another in any case: a
 * ticket is for one use there (RFC 8446, appendix C.4), and without a new one every second session would begin
 * anew. */
static int unseal(const struct tls *t, bool renew, const unsigned char *name, const unsigned char *iv,
	EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac)
{
	for (size_t i = 0; i < t->ticket_count; i++) {
		const struct tls_ticket_key *key = &t->tickets[i];

		if (memcmp(name, key->name, sizeof key->name) != 0)
			continue;
		if (EVP_DecryptInit_ex(cipher, EVP_aes_256_cbc(), NULL, key->cipher, iv) != 1 ||
			!key_mac(mac, key))
			return -1;
		return i == 0 && !renew ? 1 : 2;
	}
	return 0;
}

static int use_ticket(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
	EVP_MAC_CTX *mac, int sealing)
{
	const struct tls *t = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));

	const bool renew = SSL_version(ssl) >= TLS1_3_VERSION;

	return sealing ? seal(t, name, iv, cipher, mac) : unseal(t, renew, name, iv, cipher, mac);
}

void tls_tickets(struct tls *t, const struct tls_ticket_key *keys, size_t count, long life_s)
{
	t->ticket_count = count < TLS_TICKETS ? count : TLS_TICKETS;
	memcpy(t->tickets, keys, t->ticket_count * sizeof *keys);
	t->ticket_life_s = life_s;
	for (size_t i = 0; i < t->count; i++)
		SSL_CTX_set_timeout(t->names[i].ctx, life_s);
}

bool tls_random(void *p, size_t n)
{
	return RAND_bytes(p, (int)n) == 1;
}

/* ---- names --------------------------------------------------------------------------------------------- */

static SSL_CTX *find_exactly(const struct tls *t, const char *name)
{
	for (size_t i = 0; i < t->count; i++)
		if (strcasecmp(t->names[i].name, name) == 0)
			return t->names[i].ctx;
	return NULL;
}

static SSL_CTX *find(const struct tls *t, const char *name)
{
	char text[NAME_MAX_BYTES + 1];
	const char *rest;
	SSL_CTX *ctx;
	struct str s;

	str_init(&s, text, sizeof text);
	str_puts(&s, name);
	if (!s.full && s.len > 0 && text[s.len - 1] == '.') /* "mx.example.org." is the same name */
		text[s.len - 1] = '\0';
	ctx = s.full ? NULL : find_exactly(t, text);
	rest = s.full ? NULL : strchr(text, '.');
	if (ctx != NULL || rest == NULL || rest == text)
		return ctx;
	memmove(text + 1, rest, strlen(rest) + 1);
	text[0] = '_';
	return find_exactly(t, text);
}

static int choose_name(SSL *ssl, int *alert, void *arg)
{
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
	SSL_CTX *ctx = name == NULL ? NULL : find(arg, name);

	(void)alert;
	if (ctx == NULL)
		return SSL_TLSEXT_ERR_NOACK;
	return SSL_set_SSL_CTX(ssl, ctx) == NULL ? SSL_TLSEXT_ERR_ALERT_FATAL : SSL_TLSEXT_ERR_OK;
}

static int choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_bytes,
	const unsigned char *offered, unsigned offered_bytes, void *arg)
{
	const struct tls *t = arg;
	size_t at, bytes;

	(void)ssl;
	bytes = tls_alpn_choose(offered, offered_bytes, t->rules.alpn, &at);
	if (bytes == 0)
		return SSL_TLSEXT_ERR_ALERT_FATAL; /* no_application_protocol */
	*out = offered + at;
	*out_bytes = (unsigned char)bytes;
	return SSL_TLSEXT_ERR_OK;
}

/* That the client has the key is what counts; who has signed the certificate is for others to judge. */
static int anybody(X509_STORE_CTX *store, void *arg)
{
	(void)arg;
	X509_STORE_CTX_set_error(store, X509_V_OK);
	return 1;
}

static bool set_rules(struct tls *t, SSL_CTX *ctx)
{
	static const unsigned char id[] = "portero";

	SSL_CTX_set_app_data(ctx, t);
	SSL_CTX_set_options(ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
					 SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA |
					 SSL_OP_CLEANSE_PLAINTEXT);
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
				      SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_timeout(ctx, t->ticket_life_s);
	SSL_CTX_set_num_tickets(ctx, 1);
	SSL_CTX_set_tlsext_servername_callback(ctx, choose_name);
	SSL_CTX_set_tlsext_servername_arg(ctx, t);
	if (t->rules.alpn[0] != '\0')
		SSL_CTX_set_alpn_select_cb(ctx, choose_protocol, t);
	if (t->rules.client_certs) {
		SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
		SSL_CTX_set_cert_verify_callback(ctx, anybody, NULL);
	}
	return SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) == 1 &&
	       SSL_CTX_set_cipher_list(ctx, ciphers) == 1 && SSL_CTX_set1_groups_list(ctx, groups) == 1 &&
	       SSL_CTX_set_session_id_context(ctx, id, sizeof id - 1) == 1 &&
	       SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, use_ticket) == 1;
}

static void free_names(struct named *names, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		free(names[i].name);
		SSL_CTX_free(names[i].ctx);
	}
	free(names);
}

static bool add_name(struct tls *t, struct named *to, const char *name)
{
	to->name = strdup(name);
	to->ctx = SSL_CTX_new(TLS_server_method());
	return to->name != NULL && to->ctx != NULL && set_rules(t, to->ctx);
}

int tls_names(struct tls *t, const struct tls_name *names, size_t count)
{
	struct named *table = calloc(count > 0 ? count : 1, sizeof *table);
	size_t made = 0;

	for (size_t i = 0; table != NULL && i < count; i++) {
		if ((i == 0 || strcmp(names[i].name, names[i - 1].name) != 0) &&
			!add_name(t, &table[made++], names[i].name))
			goto fail;
		if (!use(table[made - 1].ctx, names[i].pair))
			goto fail;
	}
	if (table != NULL) {
		free_names(t->names, t->count);
		t->names = table;
		t->count = made;
		return 0;
	}
fail:
	ERR_clear_error();
	if (table != NULL)
		free_names(table, made);
	return -1;
}

struct tls *tls_open(const struct tls_rules *rules)
{
	struct tls *t = calloc(1, sizeof *t);

	if (t == NULL || OPENSSL_init_ssl(OPENSSL_INIT_NO_ATEXIT, NULL) != 1) {
		free(t);
		return NULL;
	}
	t->rules = *rules;
	return t;
}

/* ---- a handshake with ourselves ------------------------------------------------------------------------ */

static void shake(SSL *server, SSL *client)
{
	BIO *one, *other;

	if (BIO_new_bio_pair(&one, 0, &other, 0) != 1)
		return;
	SSL_set_bio(server, one, one);
	SSL_set_bio(client, other, other);
	SSL_set_accept_state(server);
	SSL_set_connect_state(client);
	for (int i = 0; i < 10 && (!SSL_is_init_finished(server) || !SSL_is_init_finished(client)); i++) {
		(void)SSL_do_handshake(client);
		(void)SSL_do_handshake(server);
	}
}

static void warm_once(SSL_CTX *ctx, int version, const char *algorithms)
{
	SSL_CTX *theirs = SSL_CTX_new(TLS_client_method());
	SSL *server = SSL_new(ctx), *client = theirs == NULL ? NULL : SSL_new(theirs);

	if (server != NULL && client != NULL && SSL_set_max_proto_version(client, version) == 1 &&
		SSL_set1_sigalgs_list(client, algorithms) == 1)
		shake(server, client);
	SSL_free(server);
	SSL_free(client);
	SSL_CTX_free(theirs);
	ERR_clear_error();
}

void tls_warm(struct tls *t)
{
	static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };
	static const char *const algorithms[] = { "RSA-PSS+SHA256", "ECDSA+SHA256" };

	for (size_t i = 0; i < 4 && t->count > 0; i++)
		warm_once(t->names[0].ctx, versions[i / 2], algorithms[i % 2]);
}

/* ---- a session ----------------------------------------------------------------------------------------- */

struct tls_session *tls_accept(struct tls *t, int fd)
{
	static struct tls_session s; /* a process has one session at a time */

	s = (struct tls_session){ .ssl = SSL_new(t->names[0].ctx), .error = "" };
	if (s.ssl == NULL || SSL_set_fd(s.ssl, fd) != 1)
		return NULL;
	SSL_set_accept_state(s.ssl);
	return &s;
}

void tls_close(struct tls_session *s)
{
	SSL_free(s->ssl);
	s->ssl = NULL;
	ERR_clear_error();
}

static enum tls_step failed(struct tls_session *s, int code)
{
	const unsigned long error = ERR_peek_last_error();
	const char *text = ERR_reason_error_string(error);

	if (text != NULL)
		s->error = text;
	else
		s->error = code == SSL_ERROR_SYSCALL ? "the connection broke" : "of an unknown kind";
	return TLS_FAILED;
}

static enum tls_step step(struct tls_session *s, int result)
{
	const int code = SSL_get_error(s->ssl, result);

	switch (code) {
	case SSL_ERROR_NONE:
		return TLS_DONE;
	case SSL_ERROR_WANT_READ:
		return TLS_WANT_READ;
	case SSL_ERROR_WANT_WRITE:
		return TLS_WANT_WRITE;
	case SSL_ERROR_ZERO_RETURN:
		return TLS_CLOSED;
	default:
		return failed(s, code);
	}
}

enum tls_step tls_handshake(struct tls_session *s)
{
	ERR_clear_error();
	return step(s, SSL_do_handshake(s->ssl));
}

enum tls_step tls_read(struct tls_session *s, void *p, size_t cap, size_t *got)
{
	*got = 0;
	ERR_clear_error();
	return step(s, SSL_read_ex(s->ssl, p, cap, got));
}

enum tls_step tls_write(struct tls_session *s, const void *p, size_t n, size_t *put)
{
	*put = 0;
	ERR_clear_error();
	return step(s, SSL_write_ex(s->ssl, p, n, put));
}

/* 0 is success here: ours is said, theirs has not come. */
enum tls_step tls_say_end(struct tls_session *s)
{
	int result;

	ERR_clear_error();
	result = SSL_shutdown(s->ssl);
	return result >= 0 ? TLS_DONE : step(s, result);
}

const char *tls_error(const struct tls_session *s)
{
	return s->error;
}

/* ---- what was agreed on -------------------------------------------------------------------------------- */

static void put_pair(struct str *to, const char *name, const char *value)
{
	str_puts(to, name);
	str_putc(to, '=');
	str_put_printable(to, value, strlen(value));
	str_putc(to, '\0');
}

static void put_fingerprint(struct str *to, SSL *ssl)
{
	static const char digits[] = "0123456789abcdef";
	unsigned char digest[EVP_MAX_MD_SIZE];
	char text[2 * (size_t)EVP_MAX_MD_SIZE + sizeof "sha256:"];
	const X509 *certificate = SSL_get0_peer_certificate(ssl);
	unsigned n;
	struct str s;

	if (certificate == NULL || X509_digest(certificate, EVP_sha256(), digest, &n) != 1)
		return;
	str_init(&s, text, sizeof text);
	str_puts(&s, "sha256:");
	for (unsigned i = 0; i < n; i++) {
		str_putc(&s, digits[digest[i] >> 4]);
		str_putc(&s, digits[digest[i] & 15]);
	}
	put_pair(to, "SSL_CLIENT_CERT_FINGERPRINT", text);
}

void tls_variables(const struct tls_session *s, struct str *to)
{
	const SSL_CIPHER *cipher = SSL_get_current_cipher(s->ssl);
	const char *name = SSL_get_servername(s->ssl, TLSEXT_NAMETYPE_host_name);
	char memory[16];
	struct str bits;

	str_init(&bits, memory, sizeof memory);
	str_putu(&bits, (unsigned long)SSL_CIPHER_get_bits(cipher, NULL));
	put_pair(to, "SSL_PROTOCOL", SSL_get_version(s->ssl));
	put_pair(to, "SSL_CIPHER", SSL_CIPHER_get_name(cipher));
	put_pair(to, "SSL_CIPHER_USEKEYSIZE", bits.s);
	put_pair(to, "SSL_SESSION_RESUMED", SSL_session_reused(s->ssl) ? "1" : "0");
	if (name != NULL)
		put_pair(to, "SSL_TLS_SNI_SERVERNAME", name);
	put_fingerprint(to, s->ssl);
	str_putc(to, '\0');
}

void tls_describe(const struct tls_session *s, struct str *to)
{
	const char *name = SSL_get_servername(s->ssl, TLSEXT_NAMETYPE_host_name);

	str_puts(to, SSL_get_version(s->ssl));
	str_putc(to, ' ');
	str_puts(to, SSL_CIPHER_get_name(SSL_get_current_cipher(s->ssl)));
	str_putc(to, ' ');
	if (name == NULL)
		str_putc(to, '-');
	else
		str_put_printable(to, name, strlen(name));
	if (SSL_session_reused(s->ssl))
		str_puts(to, " resumed");
}
