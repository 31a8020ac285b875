#include "daemon/commands.h"

const struct command *const commands[] = {
    &run_command, &check_command, &learn_command, &calibrate_command, &score_command, &eval_command, &explain_command,
    &health_command,
    &model_show_command, &model_prototypes_command, &db_backup_command, &db_check_command, &db_export_command, &bench_command,
    &test_alert_command,
    &completion_command, NULL,
};
