/* The subcommands. Each takes its own arguments (argv[0] is its name) and returns the exit status: 0, 1 (it failed),
 * 2 (usage). */
#ifndef MEMAED_DAEMON_COMMANDS_H
#define MEMAED_DAEMON_COMMANDS_H

int command_run(int argc, char **argv);
int command_check(int argc, char **argv);
int command_calibrate(int argc, char **argv);
int command_learn(int argc, char **argv);
int command_score(int argc, char **argv);
int command_eval(int argc, char **argv);
int command_model(int argc, char **argv);
int command_bench(int argc, char **argv);

#endif
