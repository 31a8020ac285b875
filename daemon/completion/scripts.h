/* Scripts with which bash and zsh complete memaed's command line at the Tab key, written from the tables of its commands.
 *
 * The scripts read the words before the cursor as command_parse() does. They offer commands, options (long and short), and the
 * values of a choice. They offer files or folders if enum option_path says that a value is a path, and nothing for other values.
 * zsh shows the first sentence of an option's help beside it.
 *
 * The scripts hold names and choices unquoted in places: names are made of a-z, 0-9 and '-', and choices have no blanks.
 * Main's thread. */
#ifndef MEMAED_DAEMON_COMPLETION_SCRIPTS_H
#define MEMAED_DAEMON_COMPLETION_SCRIPTS_H

#include <stdio.h>

#include "daemon/base/options.h"

/* commands: those of the program; NULL after the last. Errors of writing stay in out, for ferror(). */
void completion_bash(const struct command *const *commands, FILE *out);     /* needs bash 4.3 or later */
void completion_zsh(const struct command *const *commands, FILE *out);      /* needs zsh 5.1 or later, and its compinit */

#endif
