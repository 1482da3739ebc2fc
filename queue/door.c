/* The side that hands in: which form it is. */
#include "queue/door.h"

#include <string.h>

#include "queue/door_command.h"

const char *door_open(struct door *d, const char *command, int null_log)
{
	static const char form[] = "unix:";

	d->is_socket = strncmp(command, form, strlen(form)) == 0;
	d->qp = 0;
	d->resident = false;
	d->more = NULL;
	d->broker.sock = -1;
	d->message = d->envelope = d->errors = -1;
	d->socket.fd = -1;
	return d->is_socket ? door_socket_open(&d->socket, command + strlen(form))
			    : door_command_open(d, command, null_log);
}

int door_begin(struct door *d, struct door_answer *answer)
{
	if (!d->is_socket)
		return door_command_begin(d, answer);
	d->qp = door_socket_next(&d->socket);
	return door_socket_begin(&d->socket, answer);
}

int door_write(struct door *d, const char *p, size_t n)
{
	return d->is_socket ? door_socket_write(&d->socket, p, n) : door_command_write(d, p, n);
}

void door_end(struct door *d, const struct envelope *e, struct door_answer *answer)
{
	if (!d->is_socket) {
		door_command_end(d, e, answer);
		return;
	}
	door_socket_end(&d->socket, e, answer);
	if (answer->letter == 'K')
		d->qp = d->socket.last;
}

void door_abort(struct door *d)
{
	if (d->is_socket)
		door_socket_abort(&d->socket);
	else
		door_command_abort(d);
}

bool door_lost(const struct door *d)
{
	return d->is_socket ? door_socket_lost(&d->socket) : d->broker.sock == -1;
}

void door_close(struct door *d)
{
	if (d->is_socket)
		door_socket_close(&d->socket);
	else
		broker_close(&d->broker);
}
