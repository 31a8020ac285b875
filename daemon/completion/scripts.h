/* Scripts with which bash and zsh complete memaed's command line at the Tab key, written from the tables of its commands.
 *
 * The words before the cursor are read as command_parse() reads them. Offered are commands; options, long and short; the
 * values of a choice; and files or folders where enum option_path says that a value is the path of one. For other values
 * nothing is offered. zsh shows the first sentence of an option's help beside it.
 *
 * The scripts hold names and choices unquoted in places: names are made of a-z, 0-9 and '-', and choices have no blanks.
 * Main's thread. */
#ifndef MEMAED_DAEMON_COMPLETION_SCRIPTS_H
#define MEMAED_DAEMON_COMPLETION_SCRIPTS_H

#include <stdio.h>

#include "daemon/base/options.h"

/* commands: those of the program; NULL after the last. out holds the errors of writing. */
void completion_bash(const struct command *const *commands, FILE *out);     /* needs bash 4.3 or later */
void completion_zsh(const struct command *const *commands, FILE *out);      /* needs zsh 5.1 or later, and its compinit */

#endif
