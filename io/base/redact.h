/* Credentials in URLs are never shown. Any thread. */
#ifndef MEMAED_IO_BASE_REDACT_H
#define MEMAED_IO_BASE_REDACT_H

#include <stddef.h>

/* Copies text into out (cut to size, always ended) with what may be secret in every URL ("scheme://…" up to a blank or
 * a control character) in it replaced by "***":
 *   user and password: all up to the last '@' before the query ("***@host"), so that a password with a raw
 *     '@', '/' or '#' in it is hidden too; an address that can't be host[:port] and has no '@' is hidden up to the next
 *     '@' of the line, else to its end (a URL cut short);
 *   the value of every NAME=VALUE in path, query and fragment, up to the next '&', whose name holds pass, pwd, psw,
 *     token, key, secret, auth, sign, cred, user, usr, login, account or session in any case, or is sig, sid, pw or u, p.
 * Where it is in doubt it hides too much. Other text passes as it is; redacting twice changes nothing more. out must not
 * alias text. */
void redact(char *out, size_t size, const char *text);

#endif
