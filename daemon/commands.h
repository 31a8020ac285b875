/* The subcommands: their options, help and functions. main() finds one by its name and runs it. */
#ifndef MEMAED_DAEMON_COMMANDS_H
#define MEMAED_DAEMON_COMMANDS_H

#include "daemon/base/options.h"

extern const struct command run_command, check_command, learn_command, calibrate_command, score_command, eval_command,
    explain_command, health_command, model_show_command, model_prototypes_command, db_backup_command, db_check_command,
    db_export_command, bench_command, test_alert_command, completion_command;

extern const struct command *const commands[];  /* in the order of `memaed help`; NULL after the last */

#endif
