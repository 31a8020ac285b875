/* daemon/base/options: every type of value, good and bad; names, abbreviations and letters; words that belong to no option;
 * messages; --help. */
#include "daemon/base/options.h"
#include "tests/suite.h"

#include <check.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct pair {
    int a, b;
};

struct values {
    bool verbose, very;
    const char *output, *needed;
    int steps;
    double rate, share;
    int format;
    struct option_list inputs, verify, models, words;
    struct pair size;
};

static const char *format_name(int i)
{
    static const char *const names[] = {"csv", "jsonl", "table"};
    return i < 3 ? names[i] : NULL;
}

static bool parse_pair(void *place, const char *text)
{
    struct pair pair;
    char end;
    if (sscanf(text, "%dx%d%c", &pair.a, &pair.b, &end) != 2)
        return false;
    *(struct pair *)place = pair;
    return true;
}

static const struct command_option options[] = {
    {"verbose", 'v', OPTION_FLAG(struct values, verbose), .section = "Talk", .help = "Say more."},
    {"very-verbose", 'V', OPTION_FLAG(struct values, very), .help = "Say everything."},
    {"output", 'o', OPTION_TEXT(struct values, output), .argument = "FILE", .section = "Values", .help = "Where to."},
    {"steps", 's', OPTION_INT(struct values, steps, -5, 1000), .argument = "N", .help = "How many."},
    {"rate", 0, OPTION_REAL(struct values, rate, -1, 2.5), .argument = "R", .help = "How fast."},
    {"share", 0, OPTION_REAL_ABOVE(struct values, share, 0, 1), .argument = "S", .help = "How much."},
    {"format", 0, OPTION_CHOICE(struct values, format, format_name), .help = "How it looks."},
    {"size", 0, OPTION_PARSED(struct values, size, parse_pair, "AxB"), .argument = "AxB", .help = "How large."},
    {"input", 'i', OPTION_LIST(struct values, inputs), .argument = "PATH…", .more = true, .help = "From where."},
    {"verify", 0, OPTION_LIST(struct values, verify), .argument = "PATH…", .more = true, .help = "On what."},
    {"model", 'm', OPTION_LIST(struct values, models), .argument = "MODEL", .most = 2, .help = "By what."},
    {0},
};

static const struct command command = {.name = "try", .forms = "[OPTION…]", .about = "Tries.", .options = options};

static const struct command_option needing_options[] = {
    {"needed", 'n', OPTION_TEXT(struct values, needed), .argument = "FILE", .required = true, .help = "It."},
    {"model", 'm', OPTION_LIST(struct values, models), .argument = "MODEL", .required = true, .help = "Them."},
    {0},
};

static const struct command needing = {.name = "need", .forms = "--needed FILE", .about = "Needs.", .options = needing_options,
                                       OPERANDS(struct values, words, "WORD"), .operand_help = "a word", .least = 1, .most = 2};

static const struct command_option no_options[] = {{0}};
static const struct command choosing = {.name = "choose", .forms = "", .about = "Chooses.", .options = no_options,
                                        OPERANDS(struct values, words, "WORD"), .operand_choice = format_name};

static struct values v;
static char said[8192];         /* the text on standard output and error */

/* Parses the words up to NULL into v. Returns -1 if the command may run, else the exit status. */
static int parse(const struct command *c, ...)
{
    char *argv[32] = {(char *)"try"};
    int argc = 1, status = -1;
    va_list args;
    va_start(args, c);
    while ((argv[argc] = va_arg(args, char *)))
        argc++;
    va_end(args);
    command_clear(&command, &v);
    command_clear(&needing, &v);       /* clears the words of `choosing`, too */
    v = (struct values){.steps = 77, .rate = 77, .share = 77, .format = 77, .size = {77, 77}};

    FILE *file = tmpfile();
    ck_assert_ptr_nonnull(file);
    fflush(stdout);
    int out = dup(1), err = dup(2);
    dup2(fileno(file), 1);
    dup2(fileno(file), 2);
    bool go = command_parse(c, &v, argc, argv, &status);
    fflush(stdout);
    dup2(out, 1);
    dup2(err, 2);
    close(out);
    close(err);
    rewind(file);
    said[fread(said, 1, sizeof said - 1, file)] = '\0';
    fclose(file);
    ck_assert_int_eq(go, status == -1);
    if (go)
        ck_assert_str_eq(said, "");
    return status;
}

#define GOES_ON(...) ck_assert_msg(parse(&command, __VA_ARGS__, NULL) == -1, "%s", said)
#define REFUSED(c, message, ...) \
    do { \
        ck_assert_int_eq(parse(c, __VA_ARGS__, NULL), 2); \
        expect_message(c, message); \
    } while (0)

static void expect_message(const struct command *c, const char *message)
{
    char expected[1024];
    snprintf(expected, sizeof expected, "memaed %s: %s\nTry 'memaed %s --help'.\n", c->name, message, c->name);
    ck_assert_str_eq(said, expected);
}

START_TEST(defaults_stay)
{
    ck_assert_int_eq(parse(&command, NULL), -1);
    ck_assert(!v.verbose && !v.output && v.steps == 77 && v.rate == 77 && v.format == 77 && v.inputs.n == 0);
}
END_TEST

START_TEST(flags)
{
    GOES_ON("--verbose");
    ck_assert(v.verbose && !v.very);
    GOES_ON("-vV");
    ck_assert(v.verbose && v.very);
    GOES_ON("-v", "-v");
    ck_assert(v.verbose);
    REFUSED(&command, "--verbose: expected no value, got \"yes\"", "--verbose=yes");
    REFUSED(&command, "--verbose: expected no value, got \"\"", "--verbose=");
}
END_TEST

START_TEST(texts)
{
    GOES_ON("--output", "a b");
    ck_assert_str_eq(v.output, "a b");
    GOES_ON("--output=x=y");
    ck_assert_str_eq(v.output, "x=y");
    GOES_ON("-ofile");
    ck_assert_str_eq(v.output, "file");
    GOES_ON("-o", "--steps");           /* the next word is the value, even if it looks like an option */
    ck_assert_str_eq(v.output, "--steps");
    GOES_ON("-vo", "file");
    ck_assert(v.verbose);
    ck_assert_str_eq(v.output, "file");
    GOES_ON("-o", "first", "--output", "last");
    ck_assert_str_eq(v.output, "last");
    GOES_ON("-o", "-");
    ck_assert_str_eq(v.output, "-");
    REFUSED(&command, "--output: expected FILE, got nothing", "--output");
    REFUSED(&command, "--output: expected FILE, got nothing", "-v", "-o");
    REFUSED(&command, "--output: expected FILE, got \"\"", "--output=");
    REFUSED(&command, "--output: expected FILE, got \"\"", "-o", "");
}
END_TEST

START_TEST(whole_numbers)
{
    GOES_ON("--steps", "12");
    ck_assert_int_eq(v.steps, 12);
    GOES_ON("--steps=-5");
    ck_assert_int_eq(v.steps, -5);
    GOES_ON("-s", "-3");
    ck_assert_int_eq(v.steps, -3);
    GOES_ON("--steps", "1000", "-s0");
    ck_assert_int_eq(v.steps, 0);
    static const char *const bad[] = {"-6", "1001", "12x", "1.5", "1e2", "", " 3", "3 ", "abc", "nan", "0x10", "99999999999",
                                      "99999999999999999999999", "--"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char message[256];
        snprintf(message, sizeof message, "--steps: expected a whole number from -5 to 1000, got \"%s\"", bad[i]);
        REFUSED(&command, message, "--steps", bad[i]);
        ck_assert_int_eq(v.steps, 77);
    }
    REFUSED(&command, "--steps: expected a whole number from -5 to 1000, got nothing", "--steps");
}
END_TEST

START_TEST(numbers)
{
    GOES_ON("--rate", "2.5");
    ck_assert_double_eq(v.rate, 2.5);
    GOES_ON("--rate=-1");
    ck_assert_double_eq(v.rate, -1);
    GOES_ON("--rate", "-1e-3", "--share", "1e-9");
    ck_assert_double_eq(v.rate, -1e-3);
    ck_assert_double_eq(v.share, 1e-9);
    static const char *const bad[] = {"2.51", "-1.01", "nan", "NAN", "inf", "-inf", "1e999", "", " 1", "1 ", "1,5", "1x", "x"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char message[256];
        snprintf(message, sizeof message, "--rate: expected a number from -1 to 2.5, got \"%s\"", bad[i]);
        REFUSED(&command, message, "--rate", bad[i]);
        ck_assert_double_eq(v.rate, 77);
    }
    REFUSED(&command, "--share: expected a number above 0 and at most 1, got \"0\"", "--share", "0");
    REFUSED(&command, "--share: expected a number above 0 and at most 1, got \"-0\"", "--share", "-0");
    REFUSED(&command, "--share: expected a number above 0 and at most 1, got \"1.1\"", "--share=1.1");
}
END_TEST

START_TEST(choices)
{
    GOES_ON("--format", "csv");
    ck_assert_int_eq(v.format, 0);
    GOES_ON("--format=table");
    ck_assert_int_eq(v.format, 2);
    REFUSED(&command, "--format: expected csv, jsonl or table, got \"cs\"", "--format", "cs");
    REFUSED(&command, "--format: expected csv, jsonl or table, got \"CSV\"", "--format", "CSV");
    REFUSED(&command, "--format: expected csv, jsonl or table, got \"\"", "--format=");
    ck_assert_int_eq(v.format, 77);
}
END_TEST

START_TEST(own_values)
{
    GOES_ON("--size", "3x4");
    ck_assert(v.size.a == 3 && v.size.b == 4);
    REFUSED(&command, "--size: expected AxB, got \"3x4x\"", "--size", "3x4x");
    ck_assert(v.size.a == 77 && v.size.b == 77);
    REFUSED(&command, "--size: expected AxB, got \"\"", "--size=");
}
END_TEST

static void expect_list(const struct option_list *list, ...)
{
    va_list args;
    size_t n = 0;
    va_start(args, list);
    for (const char *word; (word = va_arg(args, const char *)); n++) {
        ck_assert_uint_lt(n, list->n);
        ck_assert_str_eq(list->values[n], word);
    }
    va_end(args);
    ck_assert_uint_eq(list->n, n);
}

START_TEST(lists)
{
    GOES_ON("--input", "a", "b", "-v", "c", "--verify", "d", "e", "-i", "f", "--", "-g", "--");
    expect_list(&v.inputs, "a", "b", "c", "f", "-g", "--", NULL);
    expect_list(&v.verify, "d", "e", NULL);
    ck_assert(v.verbose);
    GOES_ON("-m", "a", "--model=b");
    expect_list(&v.models, "a", "b", NULL);
    REFUSED(&command, "--model: expected at most 2 times", "-m", "a", "-m", "b", "-m", "c");
    REFUSED(&command, "expected no argument, got \"b\"", "-m", "a", "b");        /* a list without `more` takes no words */
    REFUSED(&command, "expected no argument, got \"b\"", "b", "--input", "a");
    REFUSED(&command, "--input: expected PATH…, got nothing", "--input");
    REFUSED(&command, "--input: expected PATH…, got \"\"", "--input", "");
}
END_TEST

START_TEST(names)
{
    GOES_ON("--out", "x", "--st=3", "--verb", "--very");         /* each abbreviation fits one option alone */
    ck_assert(v.steps == 3 && v.verbose && v.very);
    ck_assert_str_eq(v.output, "x");
    REFUSED(&command, "--ver: ambiguous: expected one of --verbose, --very-verbose, --verify", "--ver");
    REFUSED(&command, "--s: ambiguous: expected one of --steps, --share, --size", "--s=3");
    REFUSED(&command, "--nix: no such option", "--nix=3");
    REFUSED(&command, "--outputs: no such option", "--outputs", "x");
    REFUSED(&command, "--Output: no such option", "--Output", "x");
    REFUSED(&command, "-x: no such option", "-x");
    REFUSED(&command, "-x: no such option", "-vx");
    REFUSED(&command, "-=: no such option", "-=");

    static const struct command_option two[] = {
        {"plan", 0, OPTION_FLAG(struct values, verbose), .help = "A."},
        {"plan-all", 0, OPTION_FLAG(struct values, very), .help = "B."},
        {0},
    };
    static const struct command plans = {.name = "try", .forms = "", .about = "", .options = two};
    ck_assert_int_eq(parse(&plans, "--plan", NULL), -1);          /* a whole name wins over longer ones */
    ck_assert(v.verbose && !v.very);
    REFUSED(&plans, "--pla: ambiguous: expected one of --plan, --plan-all", "--pla");
}
END_TEST

START_TEST(words)
{
    ck_assert_int_eq(parse(&needing, "a", "--needed", "n", "-mx", "b", NULL), -1);
    expect_list(&v.words, "a", "b", NULL);
    expect_list(&v.models, "x", NULL);
    ck_assert_int_eq(parse(&needing, "-nn", "-mx", "--", "--needed", NULL), -1);
    expect_list(&v.words, "--needed", NULL);
    ck_assert_int_eq(parse(&needing, "-nn", "-mx", "-", NULL), -1);
    expect_list(&v.words, "-", NULL);
    REFUSED(&needing, "--needed FILE is missing", "-mx", "a");
    REFUSED(&needing, "--model MODEL is missing", "-nn", "a");
    REFUSED(&needing, "WORD is missing: a word", "-nn", "-mx");
    REFUSED(&needing, "expected 2 WORD, got 3", "-nn", "-mx", "a", "b", "c");
    REFUSED(&choosing, "expected csv, jsonl or table, got \"xml\"", "csv", "xml");
    ck_assert_int_eq(parse(&choosing, "table", "csv", NULL), -1);
    expect_list(&v.words, "table", "csv", NULL);
    REFUSED(&command, "expected no argument, got \"--verbose\"", "--", "--verbose");
    REFUSED(&command, "expected no argument, got \"rtsp://***@gate/live\"", "rtsp://user:word@gate/live");
}
END_TEST

START_TEST(help)
{
    ck_assert_int_eq(parse(&command, "--help", "--nix", NULL), 0);
    ck_assert_str_eq(said, "Usage: memaed try [OPTION…]\n"
                           "\n"
                           "Tries.\n"
                           "\n"
                           "Talk:\n"
                           "  -v, --verbose         Say more.\n"
                           "  -V, --very-verbose    Say everything.\n"
                           "\n"
                           "Values:\n"
                           "  -o, --output FILE     Where to.\n"
                           "  -s, --steps N         How many.\n"
                           "      --rate R          How fast.\n"
                           "      --share S         How much.\n"
                           "      --format csv|jsonl|table\n"
                           "                        How it looks.\n"
                           "      --size AxB        How large.\n"
                           "  -i, --input PATH…     From where.\n"
                           "      --verify PATH…    On what.\n"
                           "  -m, --model MODEL     By what.\n"
                           "\n"
                           "  -h, --help            Show this help.\n");
    ck_assert_int_eq(parse(&command, "-h", NULL), 0);
    ck_assert_int_eq(parse(&command, "--he", NULL), 0);
    ck_assert_int_eq(parse(&command, "-vh", NULL), 0);
    ck_assert_int_eq(parse(&needing, "--help", NULL), 0);        /* with --help no option is missing */
    ck_assert_int_eq(parse(&command, "--nix", "--help", NULL), 2);
    ck_assert_int_eq(parse(&command, "--help=all", NULL), 2);
}
END_TEST

START_TEST(help_is_wrapped)
{
    static const struct command_option one[] = {
        {"one", 0, OPTION_FLAG(struct values, verbose),
         .help = "Words of which there are so many … that they do not fit into what is left of a line."},
        {0},
    };
    static const struct command wrapped = {
        .name = "wrap", .forms = "A\nB", .options = one,
        .about = "A paragraph of more than eighty columns is broken between words, and the next one follows it.\n\n"
                 "Another.",
        .notes = "List:\n  first: an entry that is so long that it is continued below, with four more columns in front.\n  "
                 "second: x."};
    ck_assert_int_eq(parse(&wrapped, "--help", NULL), 0);
    ck_assert_str_eq(said, "Usage: memaed wrap A\n"
                           "       memaed wrap B\n"
                           "\n"
                           "A paragraph of more than eighty columns is broken between words, and the next\n"
                           "one follows it.\n"
                           "\n"
                           "Another.\n"
                           "\n"
                           "      --one             Words of which there are so many … that they do not fit\n"
                           "                        into what is left of a line.\n"
                           "  -h, --help            Show this help.\n"
                           "\n"
                           "List:\n"
                           "  first: an entry that is so long that it is continued below, with four more\n"
                           "      columns in front.\n"
                           "  second: x.\n");
}
END_TEST

START_TEST(iteration)
{
    int n = 0;
    while (command_option(&command, n))
        n++;
    ck_assert_int_eq(n, (int)(sizeof options / sizeof options[0]));     /* --help counts in place of the last, empty row */
    ck_assert_str_eq(command_option(&command, 0)->name, "verbose");
    ck_assert_str_eq(command_option(&command, n - 1)->name, "help");
    ck_assert_ptr_null(command_option(&command, INT_MAX));
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("options");
    tcase_add_test(tcase, defaults_stay);
    tcase_add_test(tcase, flags);
    tcase_add_test(tcase, texts);
    tcase_add_test(tcase, whole_numbers);
    tcase_add_test(tcase, numbers);
    tcase_add_test(tcase, choices);
    tcase_add_test(tcase, own_values);
    tcase_add_test(tcase, lists);
    tcase_add_test(tcase, names);
    tcase_add_test(tcase, words);
    tcase_add_test(tcase, help);
    tcase_add_test(tcase, help_is_wrapped);
    tcase_add_test(tcase, iteration);
    Suite *suite = suite_create("options");
    suite_add_tcase(suite, tcase);
    int failed = suite_run(suite);
    command_clear(&command, &v);
    command_clear(&needing, &v);
    return failed;
}
