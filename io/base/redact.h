/* Hides credentials in URLs, before a text is logged, sent or shown. Any thread. */
#ifndef MEMAED_IO_BASE_REDACT_H
#define MEMAED_IO_BASE_REDACT_H

#include <stddef.h>

/* Copies text into out, cut to size and always ended by 0. Everything that may be secret in a URL becomes "***". A URL is
 * "scheme://…" up to a blank or a control character.
 *
 * User and password: all up to the last '@' before the query is hidden ("***@host"), so a password may hold a raw '@', '/' or
 * '#'. An address that cannot be host[:port] and has no '@' is hidden up to the next '@' of the line, else to its end: its
 * password holds a blank, or the URL was cut.
 *
 * NAME=VALUE in path, query and fragment: the value is hidden up to the next '&' if the name tells of a secret, in upper or lower
 * case. It does if it is sig, sid, pw, u or p. It also does if it holds pass, pwd, psw, token, key, secret, auth, sign, cred,
 * user, usr, login, account or session.
 *
 * An address inside another ("…?src=rtsp://user:secret@host") is treated alike, even if it is percent-encoded once or several
 * times. Its user and password are then hidden up to the last '@' of the outer parameter, and its secret parameters are found.
 *
 * In doubt it hides too much. Other text stays as it is, and a second call changes nothing more. out must not alias text. */
void redact(char *out, size_t size, const char *text);

#endif
