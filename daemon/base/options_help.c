/* Prints --help from a command's table. */
#include <stdio.h>
#include <string.h>

#include "daemon/base/options.h"

enum { WIDTH = 80, NARROW = 24, WIDE = 30 };    /* columns: the page; least and most that an option's name takes */

/* Counts the characters of UTF-8 text. Each is taken to be one column wide. */
static int columns(const char *text, size_t n)
{
    int count = 0;
    for (size_t i = 0; i < n; i++)
        count += ((unsigned char)text[i] & 0xc0) != 0x80;
    return count;
}

/* Wraps text, whose first line begins at column `at`. A line continues at column `indent`; a line that begins with blanks
 * continues four columns to the right of them. */
static void wrap(FILE *out, const char *text, int at, int indent)
{
    while (*text) {
        size_t end = strcspn(text, "\n"), blanks = strspn(text, " ");
        int hang = blanks > 0 ? (int)blanks + 4 : indent;
        bool first = true;
        fprintf(out, "%*s", (int)blanks, "");
        at += (int)blanks;
        for (size_t i = blanks, n; i < end; i += n + (text[i + n] == ' '), first = false) {
            n = strcspn(text + i, " \n");
            int width = columns(text + i, n);
            if (!first && at + 1 + width > WIDTH) {
                fprintf(out, "\n%*s", hang, "");
                at = hang;
            } else if (!first) {
                fputc(' ', out);
                at++;
            }
            fwrite(text + i, 1, n, out);
            at += width;
        }
        fputc('\n', out);
        text += end + (text[end] == '\n');
        at = 0;
    }
}

static void print_forms(const struct command *command, FILE *out)
{
    const char *form = command->forms;
    for (bool first = true; *form; first = false) {
        size_t n = strcspn(form, "\n");
        char line[512];
        int at = fprintf(out, "%s memaed %s ", first ? "Usage:" : "      ", command->name);
        snprintf(line, sizeof line, "%.*s", (int)n, form);
        wrap(out, line, at, 14);
        form += n + (form[n] == '\n');
    }
}

/* Writes "-i, --input PATH…" and returns its width. */
static int name_of(char *ret, size_t size, const struct command_option *option)
{
    char letter[8] = "    ";
    if (option->letter)
        snprintf(letter, sizeof letter, "-%c, ", option->letter);
    int n = snprintf(ret, size, "%s--%s", letter, option->name);
    if (option->argument)
        snprintf(ret + n, size - (size_t)n, " %s", option->argument);
    for (int i = 0; !option->argument && option->type == OPTION_IS_CHOICE && option->choice(i); i++) {
        n = (int)strlen(ret);
        snprintf(ret + n, size - (size_t)n, "%c%s", i == 0 ? ' ' : '|', option->choice(i));
    }
    return columns(ret, strlen(ret));
}

void command_help(const struct command *command, FILE *out)
{
    const struct command_option *option;
    char name[128];
    int column = NARROW;
    bool sections = false;
    print_forms(command, out);
    fputc('\n', out);
    wrap(out, command->about, 0, 0);
    for (int i = 0; (option = command_option(command, i)); i++) {
        int width = 2 + name_of(name, sizeof name, option) + 2;
        if (width > column && width <= WIDE)
            column = width;
    }
    for (int i = 0; (option = command_option(command, i)); i++) {
        if (option->section)
            fprintf(out, "\n%s:\n", option->section);
        else if (i == 0 || (sections && !command_option(command, i + 1)))
            fputc('\n', out);
        sections |= option->section != NULL;
        int width = 2 + name_of(name, sizeof name, option);
        fprintf(out, "  %s", name);
        if (width + 2 > column) {
            fputc('\n', out);
            width = 0;
        }
        fprintf(out, "%*s", column - width, "");
        wrap(out, option->help, column, column);
    }
    if (command->notes) {
        fputc('\n', out);
        wrap(out, command->notes, 0, 0);
    }
}
