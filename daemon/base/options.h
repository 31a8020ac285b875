/* The command line of each subcommand as one table, struct command. command_parse() reads argv by the table and reports
 * faults. command_help() prints --help from it, and daemon/completion/scripts.h the scripts for shells. command_option() gives
 * its rows to others. A new option is one row.
 *
 * Options have the form of GNU programs: --name VALUE, --name=VALUE, an unambiguous abbreviation of --name, -n VALUE,
 * -nVALUE, and several letters without values after one '-'. Options and other words may be mixed; "--" ends the options.
 * If an option is given twice, the last one counts, but OPTION_LIST() collects all. Every command has --help (-h), which is
 * in no table.
 *
 * command_parse() writes values into the command's own struct, which holds the defaults before. Main's thread. */
#ifndef MEMAED_DAEMON_BASE_OPTIONS_H
#define MEMAED_DAEMON_BASE_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "core/error.h"

enum option_type { OPTION_IS_FLAG, OPTION_IS_TEXT, OPTION_IS_INT, OPTION_IS_REAL, OPTION_IS_CHOICE, OPTION_IS_LIST,
                   OPTION_IS_PARSED };

/* A text, each value of a list, or an operand may be the path of a file or of a folder. Completion scripts use this; the
 * parser ignores it. */
enum option_path { OPTION_NO_PATH, OPTION_FILE, OPTION_FOLDER };       /* OPTION_FILE: of a file, or of either */

/* Values in the order in which they were given, borrowed from argv. Starts zeroed; command_clear() frees the array. */
struct option_list {
    const char **values;        /* [n] */
    size_t n;
};

/* 0 or -ENOMEM. text is borrowed. */
int option_list_append(struct option_list *list, const char *text);

struct command_option {
    const char *name;           /* without "--"; NULL: the row after the last */
    char letter;                /* the short form; 0: none */

    /* These are set by one of the macros below. */
    enum option_type type;
    size_t at;                  /* offset of the value in the command's struct */
    double min, max;
    bool above_min;             /* min itself is out of range */
    const char *(*choice)(int i);                       /* choice i; NULL after the last */
    bool (*parse)(void *place, const char *text);       /* writes *place; false: not what is expected, *place untouched */
    const char *expected;       /* what parse() takes, for messages */

    const char *argument;       /* the value's name in --help; NULL: none (a flag), or the choices */
    enum option_path path;
    bool more;                  /* of a list: words that follow belong to it, too: --input A B C */
    size_t most;                /* of a list: values at most; 0: any number */
    bool required;              /* of a text or a list */
    const char *section;        /* the heading above this option in --help; NULL: none */
    const char *help;           /* sentences, wrapped by command_help() */
};

/* The place of a value: field of struct `of`. A field of another type does not compile. */
#define OPTION_PLACE(of, field, ...) .at = offsetof(of, field) + 0 * sizeof(_Generic(((of *)0)->field, __VA_ARGS__))

/* bool: true once given. */
#define OPTION_FLAG(of, field) .type = OPTION_IS_FLAG, OPTION_PLACE(of, field, bool: 0)
/* const char *: the value, borrowed from argv; not empty. */
#define OPTION_TEXT(of, field) .type = OPTION_IS_TEXT, OPTION_PLACE(of, field, const char *: 0)
/* int from `least` to `greatest`. */
#define OPTION_INT(of, field, least, greatest) \
    .type = OPTION_IS_INT, OPTION_PLACE(of, field, int: 0), .min = (least), .max = (greatest)
/* Finite double from `least` to `greatest`; or above `least`. */
#define OPTION_REAL(of, field, least, greatest) \
    .type = OPTION_IS_REAL, OPTION_PLACE(of, field, double: 0), .min = (least), .max = (greatest)
#define OPTION_REAL_ABOVE(of, field, least, greatest) OPTION_REAL(of, field, least, greatest), .above_min = true
/* int, or an enum from 0 on: the index of the choice. */
#define OPTION_CHOICE(of, field, choices) \
    .type = OPTION_IS_CHOICE, OPTION_PLACE(of, field, int: 0, unsigned: 0), .choice = (choices)
/* struct option_list: every value given; none is empty. */
#define OPTION_LIST(of, field) .type = OPTION_IS_LIST, OPTION_PLACE(of, field, struct option_list: 0)
/* Any type: `parser` writes the field. `what` says what it takes. */
#define OPTION_PARSED(of, field, parser, what) \
    .type = OPTION_IS_PARSED, .at = offsetof(of, field), .parse = (parser), .expected = (what)

struct command {
    const char *name;           /* "learn"; of two words: "model show" */
    const char *summary;        /* what it does, in the list of commands */
    const char *forms;          /* what follows the name on its usage lines, one form a line */
    const char *about;          /* paragraphs above the options; an empty line divides them */
    const struct command_option *options;
    const char *notes;          /* paragraphs below the options; NULL: none */

    /* Operands: words that belong to no option. If operand is NULL, they are allowed only after an option with `more`. */
    const char *operand;        /* their name in messages: "INPUT" */
    const char *operand_help;   /* what one is, for the message that it is missing; may be NULL */
    enum option_path operand_path;
    const char *(*operand_choice)(int i);               /* choice i, NULL after the last; itself NULL: any word */
    size_t operands_at;         /* offset of their struct option_list */
    size_t least, most;         /* how many; most 0: any number */

    int (*run)(int argc, char **argv);  /* argv[0] is the last word of the name; returns the exit status */
};

#define OPERANDS(of, field, word) OPERANDS_AT_(of, field), .operand = (word)
#define OPERANDS_AT_(of, field) \
    .operands_at = offsetof(of, field) + 0 * sizeof(_Generic(((of *)0)->field, struct option_list: 0))

/* Reads argv[1] … argv[argc - 1] into *values. true: the command goes on. false: it ends with *status. That is 0 after --help,
 * 2 after wrong usage, which standard error explains, 1 if memory is short. Lists in *values are to be freed by command_clear()
 * either way. */
bool command_parse(const struct command *command, void *values, int argc, char **argv, int *status);
/* Frees the lists in *values. */
void command_clear(const struct command *command, void *values);

/* Option i of the command, --help after those of its table; NULL after the last. */
const struct command_option *command_option(const struct command *command, int i);

/* The text of --help, 80 columns wide. */
void command_help(const struct command *command, FILE *out);

/* Reports wrong usage that a table cannot express: "memaed COMMAND: TEXT" and a hint at --help, to standard error. Returns
 * the exit status, 2. */
int command_misuse(const struct command *command, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Writes "memaed COMMAND: TEXT" with err's text, credentials redacted, to standard error. Returns the exit status, 1. */
int command_failed(const struct command *command, const struct error *err);

/* The choices of enum precision: "fp32", "int8", "auto". */
const char *option_precisions(int i);

#endif
