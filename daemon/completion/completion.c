/* The command that prints a completion script for a shell. */
#include <stdio.h>

#include "daemon/commands.h"
#include "daemon/completion/scripts.h"

struct values {
    struct option_list shell;   /* one name */
};

static const char *shell_name(int i)
{
    static const char *const names[] = {"bash", "zsh"};
    return i < 2 ? names[i] : NULL;
}

static const struct command_option completion_options[] = {{0}};

static int command_completion(int argc, char **argv)
{
    struct values o = {0};
    int status;
    if (command_parse(&completion_command, &o, argc, argv, &status)) {
        if (o.shell.values[0][0] == 'b')
            completion_bash(commands, stdout);
        else
            completion_zsh(commands, stdout);
        status = 0;
    }
    command_clear(&completion_command, &o);
    return status;
}

const struct command completion_command = {
    .name = "completion",
    .summary = "print a script that completes memaed's words in a shell",
    .forms = "bash|zsh",
    .about = "Prints a script with which the shell completes commands, options and values of memaed at the Tab key. `make "
             "install` puts both scripts where bash and zsh look for them.\n\n"
             "`source <(memaed completion bash)`, or zsh in place of bash, loads the script into the running shell. In zsh, "
             "compinit must have run before.",
    .options = completion_options,
    .notes = "Exit status: 0; 1 where the script cannot be written; 2 wrong usage.",
    OPERANDS(struct values, shell, "SHELL"), .operand_help = "bash or zsh", .operand_choice = shell_name, .least = 1, .most = 1,
    .run = command_completion,
};
