#include "daemon/base/options.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "core/precision.h"
#include "io/base/redact.h"

enum { GO = 0, FAILED = 1, MISUSED = 2, HELP = 3 };     /* what each step returns; FAILED and MISUSED are exit statuses */

static const struct command_option help_option = {.name = "help", .letter = 'h', .type = OPTION_IS_FLAG,
                                                  .help = "Show this help."};

struct parser {
    const struct command *command;
    char *values;               /* the command's struct */
    int argc, next;             /* argv[next] is read next */
    char **argv;
    struct option_list *list;   /* of words that belong to no option; NULL: none is allowed */
};

const struct command_option *command_option(const struct command *command, int i)
{
    int n = 0;
    while (n < i && command->options[n].name)
        n++;
    return n < i ? NULL : command->options[n].name ? &command->options[n] : &help_option;
}

const char *option_precisions(int i)
{
    return i >= PRECISION_FP32 && i <= PRECISION_AUTO ? precision_name((enum precision)i) : NULL;
}

/* ---- messages ---------------------------------------------------------------------------------------------------- */

int command_misuse(const struct command *command, const char *format, ...)
{
    va_list args;
    fprintf(stderr, "memaed %s: ", command->name);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr, "\nTry 'memaed %s --help'.\n", command->name);
    return MISUSED;
}

int command_failed(const struct command *command, const struct error *err)
{
    char text[sizeof err->text];
    redact(text, sizeof text, err->text);
    fprintf(stderr, "memaed %s: %s\n", command->name, text);
    return FAILED;
}

/* Writes "A, B or C". */
static void describe_choices(char *ret, size_t size, const char *(*choice)(int i))
{
    ret[0] = '\0';
    for (int i = 0; choice(i); i++) {
        size_t n = strlen(ret);
        snprintf(ret + n, size - n, "%s%s", i == 0 ? "" : choice(i + 1) ? ", " : " or ", choice(i));
    }
}

/* Writes what an option takes, for "expected …". */
static void describe(char *ret, size_t size, const struct command_option *option)
{
    switch (option->type) {
    case OPTION_IS_FLAG: snprintf(ret, size, "no value"); break;
    case OPTION_IS_INT: snprintf(ret, size, "a whole number from %.0f to %.0f", option->min, option->max); break;
    case OPTION_IS_REAL:
        snprintf(ret, size, option->above_min ? "a number above %g and at most %g" : "a number from %g to %g", option->min,
                 option->max);
        break;
    case OPTION_IS_CHOICE: describe_choices(ret, size, option->choice); break;
    case OPTION_IS_PARSED: snprintf(ret, size, "%s", option->expected); break;
    case OPTION_IS_TEXT:
    case OPTION_IS_LIST: snprintf(ret, size, "%s", option->argument); break;
    }
}

/* text NULL: the value is missing. */
static int refuse(const struct parser *p, const struct command_option *option, const char *text)
{
    char expected[256], shown[256];
    describe(expected, sizeof expected, option);
    if (!text)
        return command_misuse(p->command, "--%s: expected %s, got nothing", option->name, expected);
    redact(shown, sizeof shown, text);
    return command_misuse(p->command, "--%s: expected %s, got \"%s\"", option->name, expected, shown);
}

/* ---- values ------------------------------------------------------------------------------------------------------ */

/* strtol() and strtod() skip leading blanks; a value on the command line must have none. */
static bool starts(const char *text)
{
    return *text && !isspace((unsigned char)*text);
}

static bool read_int(int *ret, const struct command_option *option, const char *text)
{
    char *end;
    errno = 0;
    long value = strtol(text, &end, 10);
    if (!starts(text) || *end || errno || (double)value < option->min || (double)value > option->max)
        return false;
    *ret = (int)value;
    return true;
}

static bool read_real(double *ret, const struct command_option *option, const char *text)
{
    char *end;
    double value = strtod(text, &end);
    if (!starts(text) || *end || !isfinite(value) || value < option->min || value > option->max ||
        (option->above_min && value <= option->min))
        return false;
    *ret = value;
    return true;
}

static bool read_choice(int *ret, const char *(*choice)(int i), const char *text)
{
    for (int i = 0; choice(i); i++)
        if (strcmp(choice(i), text) == 0) {
            *ret = i;
            return true;
        }
    return false;
}

int option_list_append(struct option_list *list, const char *text)
{
    const char **values = realloc(list->values, (list->n + 1) * sizeof *values);
    if (!values)
        return -ENOMEM;
    list->values = values;
    list->values[list->n++] = text;
    return 0;
}

static int append(struct option_list *list, const char *text)
{
    return option_list_append(list, text) < 0 ? FAILED : GO;
}

static int append_value(struct parser *p, const struct command_option *option, const char *text)
{
    struct option_list *list = (struct option_list *)(void *)(p->values + option->at);
    if (option->more)
        p->list = list;
    if (option->most > 0 && list->n == option->most)
        return command_misuse(p->command, "--%s: expected at most %zu times", option->name, option->most);
    return append(list, text);
}

static int set(struct parser *p, const struct command_option *option, const char *text)
{
    void *place = p->values + option->at;
    bool good = true;
    switch (option->type) {
    case OPTION_IS_FLAG: *(bool *)place = true; break;
    case OPTION_IS_INT: good = read_int(place, option, text); break;
    case OPTION_IS_REAL: good = read_real(place, option, text); break;
    case OPTION_IS_CHOICE: good = read_choice(place, option->choice, text); break;
    case OPTION_IS_PARSED: good = option->parse(place, text); break;
    case OPTION_IS_TEXT:
        good = *text;
        if (good)
            memcpy(place, &text, sizeof text);
        break;
    case OPTION_IS_LIST:
        if (*text)
            return append_value(p, option, text);
        good = false;
    }
    return good ? GO : refuse(p, option, text);
}

/* ---- words ------------------------------------------------------------------------------------------------------- */

/* value NULL: the next word is the value. */
static int take(struct parser *p, const struct command_option *option, const char *value)
{
    if (option == &help_option)
        return HELP;
    if (option->type != OPTION_IS_FLAG && !value) {
        if (p->next == p->argc)
            return refuse(p, option, NULL);
        value = p->argv[p->next++];
    }
    return set(p, option, value);
}

/* NAME or NAME=VALUE. */
static int take_long(struct parser *p, const char *word)
{
    const struct command_option *found = NULL, *option;
    const char *value = strchr(word, '=');
    size_t n = value ? (size_t)(value - word) : strlen(word);
    char names[512];
    int candidates = 0;
    for (int i = 0; (option = command_option(p->command, i)); i++) {
        if (strncmp(option->name, word, n) != 0)
            continue;
        bool exact = option->name[n] == '\0';
        size_t used = candidates > 0 ? strlen(names) : 0;
        snprintf(names + used, sizeof names - used, "%s--%s", candidates > 0 ? ", " : "", option->name);
        candidates = exact ? 1 : candidates + 1;
        found = option;
        if (exact)
            break;
    }
    if (candidates == 0)
        return command_misuse(p->command, "--%.*s: no such option", (int)n, word);
    if (candidates > 1)
        return command_misuse(p->command, "--%.*s: ambiguous: expected one of %s", (int)n, word, names);
    if (value && found->type == OPTION_IS_FLAG)
        return refuse(p, found, value + 1);
    return take(p, found, value ? value + 1 : NULL);
}

/* Letters after one '-'. The rest of the word is the value of the first letter that takes one. */
static int take_letters(struct parser *p, const char *letters)
{
    for (; *letters; letters++) {
        const struct command_option *option;
        int i = 0, r;
        while ((option = command_option(p->command, i)) && option->letter != *letters)
            i++;
        if (!option)
            return command_misuse(p->command, "-%c: no such option", *letters);
        if (option->type != OPTION_IS_FLAG)
            return take(p, option, letters[1] ? letters + 1 : NULL);
        if ((r = take(p, option, NULL)) != GO)
            return r;
    }
    return GO;
}

static int take_word(struct parser *p, const char *word)
{
    char shown[256];
    if (p->list)
        return append(p->list, word);
    redact(shown, sizeof shown, word);
    return command_misuse(p->command, "expected no argument, got \"%s\"", shown);
}

/* ---- parsing ----------------------------------------------------------------------------------------------------- */

static int read_words(struct parser *p)
{
    bool ended = false;
    while (p->next < p->argc) {
        const char *word = p->argv[p->next++];
        int r = GO;
        if (!ended && strcmp(word, "--") == 0)
            ended = true;
        else if (!ended && strncmp(word, "--", 2) == 0)
            r = take_long(p, word + 2);
        else if (!ended && word[0] == '-' && word[1])
            r = take_letters(p, word + 1);
        else
            r = take_word(p, word);
        if (r != GO)
            return r;
    }
    return GO;
}

static int check_operands(const struct command *command, const struct option_list *list)
{
    char expected[256], shown[256];
    const char *help = command->operand_help ? command->operand_help : "";
    if (list->n < command->least)
        return command_misuse(command, "%s is missing%s%s", command->operand, *help ? ": " : "", help);
    if (command->most > 0 && list->n > command->most)
        return command_misuse(command, "expected %zu %s, got %zu", command->most, command->operand, list->n);
    for (size_t i = 0; command->operand_choice && i < list->n; i++) {
        int choice;
        if (read_choice(&choice, command->operand_choice, list->values[i]))
            continue;
        describe_choices(expected, sizeof expected, command->operand_choice);
        redact(shown, sizeof shown, list->values[i]);
        return command_misuse(command, "expected %s, got \"%s\"", expected, shown);
    }
    return GO;
}

static bool is_missing(const struct parser *p, const struct command_option *option)
{
    const void *place = p->values + option->at;
    if (!option->required)
        return false;
    return option->type == OPTION_IS_TEXT ? !*(const char *const *)place : ((const struct option_list *)place)->n == 0;
}

static int check(const struct parser *p)
{
    const struct command *command = p->command;
    for (const struct command_option *option = command->options; option->name; option++)
        if (is_missing(p, option))
            return command_misuse(command, "--%s %s is missing", option->name, option->argument);
    if (!command->operand)
        return GO;
    return check_operands(command, (const struct option_list *)(const void *)(p->values + command->operands_at));
}

bool command_parse(const struct command *command, void *values, int argc, char **argv, int *status)
{
    struct parser p = {.command = command, .values = values, .argc = argc, .next = 1, .argv = argv};
    if (command->operand)
        p.list = (struct option_list *)(void *)(p.values + command->operands_at);
    int r = read_words(&p);
    if (r == GO)
        r = check(&p);
    if (r == GO)
        return true;
    if (r == FAILED)
        fprintf(stderr, "memaed %s: out of memory\n", command->name);
    if (r == HELP) {
        command_help(command, stdout);
        r = 0;
    }
    *status = r;
    return false;
}

static void clear(void *values, size_t at)
{
    struct option_list *list = (struct option_list *)(void *)((char *)values + at);
    free(list->values);
    *list = (struct option_list){0};
}

void command_clear(const struct command *command, void *values)
{
    for (const struct command_option *option = command->options; option->name; option++)
        if (option->type == OPTION_IS_LIST)
            clear(values, option->at);
    if (command->operand)
        clear(values, command->operands_at);
}
