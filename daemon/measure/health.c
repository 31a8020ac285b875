/* memaed health: diagnoses the pictures of footage offline, one row a fault, or one row a second. */
#include "daemon/commands.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/health/health.h"
#include "daemon/base/health_picture.h"
#include "daemon/base/isolation.h"
#include "daemon/base/options.h"
#include "daemon/measure/rows.h"

enum { DIGITS = 6 };         /* of a number in JSON */

struct health_command {
    struct option_list clean, inputs;
    int format;                 /* enum rows_format */
    bool seconds;
    double learn_s, fps;
    int most_wide;              /* the width of the pictures, at most */
    unsigned off;               /* kinds, as bits */
    enum isolation isolation;
    struct health *health;      /* NULL: no picture has decided its size yet */
    int width, height;          /* of its pictures */
    const char *clip;           /* name of the present input */
    struct span {
        double from_s, opened_s, worst;         /* worst: its quantity */
        int n_details;
        struct health_detail details[HEALTH_DETAILS];   /* as of the worst second */
    } span[HEALTH_KINDS];       /* of open faults */
    struct health_measure measure[HEALTH_KINDS];        /* as of the last second */
    int64_t last_us;
};

/* ---- rows ----------------------------------------------------------------------------------------------------------------- */

static void print_number(double x)
{
    if (isfinite(x))
        printf(",%.6g", x);
    else
        putchar(',');
}

/* The span of a fault until to_s; NAN: it lasts. */
static int print_span(const struct health_command *c, enum health_kind kind, double to_s, const struct health_measure *m,
                      struct error *err)
{
    const struct span *s = &c->span[kind];
    const struct health_kind_info *info = health_kind_info(kind);
    double details[] = {NAN, NAN, NAN, NAN, NAN};       /* in the order of the columns */
    for (int i = 0; i < s->n_details; i++)
        details[(kind == HEALTH_MOVED) + i] = s->details[i].value;
    if (c->format == ROWS_JSONL)
        return rows_print_object(
            json_pack("{s:s?, s:s, s:f, s:f, s:o, s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "clip", c->clip, "kind",
                      info->name, "from_s", s->from_s, "opened_s", s->opened_s, "to_s", rows_number(to_s), "quantity",
                      rows_number(s->worst), "unit", info->unit, "baseline", rows_number(m->baseline), "opens_at",
                      rows_number(m->on), "closes_at", rows_number(m->off), "frequency_hz", rows_number(details[0]), "right",
                      rows_number(details[1]), "down", rows_number(details[2]), "rotation", rows_number(details[3]), "zoom",
                      rows_number(details[4])), DIGITS, err);
    rows_print_text(c->clip);
    printf(",%s,%.6g,%.6g", info->name, s->from_s, s->opened_s);
    print_number(to_s);
    print_number(s->worst);
    printf(",%s", info->unit);
    print_number(m->baseline);
    print_number(m->on);
    print_number(m->off);
    for (size_t i = 0; i < sizeof details / sizeof *details; i++)
        print_number(details[i]);
    return rows_end(err);
}

static json_t *second_json(const struct health_command *c, double time_s, int scenes, bool known)
{
    json_t *row = json_pack("{s:s?, s:f, s:i, s:b}", "clip", c->clip, "time_s", time_s, "scenes", scenes, "known_light", known);
    for (int kind = 0; row && kind < HEALTH_KINDS; kind++) {
        const struct health_measure *m = &c->measure[kind];
        json_object_set_new(row, health_kind_info(kind)->name,
                            json_pack("{s:o, s:o, s:b}", "quantity", m->known ? rows_number(m->quantity) : json_null(),
                                      "opens_at", m->known ? rows_number(m->on) : json_null(), "open", m->open));
    }
    return row;
}

static int print_second(const struct health_command *c, int64_t time_us, struct error *err)
{
    bool known;
    int scenes = health_scenes(c->health, &known);
    double time_s = (double)time_us * 1e-6;
    if (c->format == ROWS_JSONL)
        return rows_print_object(second_json(c, time_s, scenes, known), DIGITS, err);
    rows_print_text(c->clip);
    printf(",%.6g,%d,%d", time_s, scenes, known);
    for (int kind = 0; kind < HEALTH_KINDS; kind++)
        print_number(c->measure[kind].known ? c->measure[kind].quantity : (double)NAN);
    return rows_end(err);
}

static int print_header(const struct health_command *c, struct error *err)
{
    if (c->format != ROWS_CSV)
        return 0;
    if (!c->seconds) {
        fputs("clip,kind,from_s,opened_s,to_s,quantity,unit,baseline,opens_at,closes_at,frequency_hz,right,down,rotation,zoom",
              stdout);
        return rows_end(err);
    }
    fputs("clip,time_s,scenes,known_light", stdout);
    for (int kind = 0; kind < HEALTH_KINDS; kind++)
        printf(",%s", health_kind_info(kind)->name);
    return rows_end(err);
}

/* ---- spans ---------------------------------------------------------------------------------------------------------------- */

/* Keeps the worst second of each open fault. */
static void follow(struct health_command *c)
{
    for (int kind = 0; kind < HEALTH_FAULTS; kind++) {
        const struct health_measure *m = &c->measure[kind];
        struct span *s = &c->span[kind];
        bool worse = isnan(s->worst) || (m->on < m->off ? m->quantity < s->worst : m->quantity > s->worst);
        if (!m->open || !m->known || !worse)
            continue;
        s->worst = m->quantity;
        s->n_details = health_details(c->health, (enum health_kind)kind, s->details);
    }
}

static int take_changes(struct health_command *c, const struct health_change *changes, int n, double at_s,
                        struct error *err)
{
    for (int i = 0; i < n; i++) {
        const struct health_change *change = &changes[i];
        struct span *s = &c->span[change->kind];
        if (change->opened) {
            *s = (struct span){.from_s = (double)change->time_us * 1e-6, .opened_s = at_s, .worst = NAN};
            continue;
        }
        int r = c->seconds ? 0 : print_span(c, change->kind, (double)change->time_us * 1e-6, &change->measure, err);
        if (r < 0)
            return r;
    }
    return 0;
}

/* Ends a clip. Open faults get a row without an end, and go on from the start of the next clip. */
static int end_clip(struct health_command *c, struct error *err)
{
    int r = 0;
    for (int kind = 0; c->health && kind < HEALTH_FAULTS && r == 0; kind++) {
        if (!c->measure[kind].open)
            continue;
        r = c->seconds ? 0 : print_span(c, kind, NAN, &c->measure[kind], err);
        c->span[kind].from_s = c->span[kind].opened_s = 0;
    }
    return r;
}

static int take_picture(struct health_command *c, const uint8_t *pixels, const struct source_frame *frame, bool clean,
                        struct error *err)
{
    const struct health_picture picture = health_picture_of(pixels, frame, frame->pts_us == 0);
    struct health_change changes[HEALTH_KINDS];
    int n = health_add(c->health, &picture, changes);
    health_measures(c->health, c->measure);
    int r = take_changes(c, changes, n, (double)frame->pts_us * 1e-6, err);
    follow(c);
    if (r == 0 && c->seconds && !clean && frame->pts_us / 1000000 != c->last_us / 1000000)
        r = print_second(c, frame->pts_us, err);
    c->last_us = frame->pts_us;
    return r;
}

/* ---- inputs --------------------------------------------------------------------------------------------------------------- */

/* The first picture decides the size: most_wide across at most, in its aspect. */
static int open_health(struct health_command *c, int width, int height, struct error *err)
{
    double scale = fmin(1, fmin((double)c->most_wide / width, (double)c->most_wide / height));
    c->width = (int)fmax(lround(scale * width), HEALTH_MIN_SIDE);
    c->height = (int)fmax(lround(scale * height), HEALTH_MIN_SIDE);
    int r = health_open(&c->health, &(struct health_options){.height = c->height, .width = c->width, .learn_s = c->learn_s,
                                                            .off = c->off});
    return r < 0 ? error_set(err, r, "%s", strerror(-r)) : 0;
}

static int read_input(struct health_command *c, struct capture *capture, bool clean, struct error *err)
{
    int width, height, r = capture_peek(capture, &width, &height, err);
    if (r == 1 && !c->health)
        r = open_health(c, width, height, err) < 0 ? -1 : 1;
    if (r == 1)
        r = capture_resize(capture, c->width, c->height, err) < 0 ? -1 : 1;
    uint8_t *pixels = r == 1 ? malloc((size_t)c->width * (size_t)c->height) : NULL;
    if (r == 1 && !pixels)
        r = error_set(err, -ENOMEM, "out of memory");
    if (r == 1)
        health_set_clean(c->health, clean);
    struct source_frame frame;
    while (r == 1 && (r = capture_read(capture, pixels, &frame, err)) == 1) {
        int taken = take_picture(c, pixels, &frame, clean, err);
        r = taken < 0 ? taken : 1;
    }
    int ended = clean ? 0 : end_clip(c, r < 0 ? NULL : err);
    free(pixels);
    return r < 0 ? r : ended;
}

/* Diagnoses one input, or learns from it where it is clean. Returns the exit status, 0 or 1. */
static int diagnose(struct health_command *c, const char *input, bool clean)
{
    struct capture_options options = isolation_capture(&(struct source_options){
        .fps = c->fps, .stall_timeout_ms = 10000, .chroma = true});
    struct capture *capture = NULL;
    struct error err = {""};
    char clip[256];
    int r = capture_open(&capture, input, &options, &err);
    if (r == 0) {
        source_name(clip, sizeof clip, input);
        c->clip = clip;
        r = read_input(c, capture, clean, &err);
        capture_close(capture);
    }
    if (r < 0)
        rows_say("health", "", input, err.text);
    return r < 0;
}

static int diagnose_all(struct health_command *c)
{
    struct error err = {""};
    int status = 0;
    if (isolation_open(c->isolation, &err) < 0 || print_header(c, &err) < 0) {
        fprintf(stderr, "memaed health: %s\n", err.text);
        status = 1;
    }
    for (size_t i = 0; status == 0 && i < c->clean.n; i++)
        status |= diagnose(c, c->clean.values[i], true);
    for (size_t i = 0; (status == 0 || i > 0) && i < c->inputs.n; i++)
        status |= diagnose(c, c->inputs.values[i], false);
    health_close(c->health);
    isolation_close();
    return status;
}

static bool parse_kind(void *place, const char *text)
{
    enum health_kind kind;
    bool found = health_kind_find(&kind, text);
    if (found)
        *(unsigned *)place |= health_bit(kind);
    return found;
}

static const struct command_option health_options[] = {
    {"clean", 0, OPTION_LIST(struct health_command, clean), .argument = "FILE", .path = OPTION_FILE,
     .help = "Footage of the same camera that is known to be without a fault: it is learned first. May be given again."},
    {"learn", 0, OPTION_REAL(struct health_command, learn_s, 10, 1e6), .argument = "S",
     .help = "Without --clean, so many seconds from the start of the footage are learned and not diagnosed (default: 60)."},
    {"fps", 0, OPTION_REAL(struct health_command, fps, 0, 1000), .argument = "F",
     .help = "Pictures diagnosed a second; 0 takes every picture (default: 10)."},
    {"width", 0, OPTION_INT(struct health_command, most_wide, HEALTH_MIN_SIDE, HEALTH_MAX_SIDE), .argument = "N",
     .help = "The pictures' longer side, at most (default: 256). run diagnoses pictures of its model's size, 128 as learn "
             "makes it."},
    {"off", 0, OPTION_PARSED(struct health_command, off, parse_kind, "a kind of fault, such as blur"), .argument = "KIND",
     .help = "Do not diagnose this kind. May be given again."},
    {"seconds", 0, OPTION_FLAG(struct health_command, seconds),
     .help = "Print a row a second with the quantity of each kind, instead of a row a fault."},
    {"format", 0, OPTION_CHOICE(struct health_command, format, rows_formats), .help = rows_format_help},
    {"isolation", 0, OPTION_CHOICE(struct health_command, isolation, isolation_names), .help = isolation_help},
    {0},
};

static int command_health(int argc, char **argv)
{
    struct health_command command = {.learn_s = 60, .fps = 10, .most_wide = HEALTH_WIDTH};
    int status;
    if (command_parse(&health_command, &command, argc, argv, &status))
        status = diagnose_all(&command);
    command_clear(&health_command, &command);
    return status;
}

const struct command health_command = {
    .name = "health",
    .summary = "diagnose the pictures of footage: frozen, covered, moved…",
    .forms = "[OPTION…] INPUT…",
    .about = "Diagnoses whether a camera's picture is sound, and prints a row a fault to standard output. All inputs are "
             "footage of one camera, in order of time. INPUT is what FFmpeg opens: a file, a URL, an image sequence pattern "
             "(%03d.jpg), or a folder of image files.",
    .options = health_options,
    .notes = "Columns:\n"
             "  clip: the input's name without folders and extension.\n"
             "  kind: what is at fault; docs/health.md describes the kinds.\n"
             "  from_s, opened_s, to_s: when it began, when that was found, and when it ended, in seconds from the start of the "
             "clip. to_s is empty (in JSON null) where the fault lasts at the clip's end; it goes on in the next clip.\n"
             "  quantity, unit: the worst value while the fault was open.\n"
             "  baseline: the value without a fault.\n"
             "  opens_at, closes_at: the thresholds.\n"
             "  frequency_hz: of jitter, the strongest frequency.\n"
             "  right, down, rotation, zoom: of a scene that moved, where it lies: in per cent of the picture's width, in "
             "degrees clockwise, in per cent. Empty where it moved too far to be found.\n\n"
             "Exit status: 0; 1 where an input could not be read to its end; 2 wrong usage.",
    OPERANDS(struct health_command, inputs, "INPUT"), .operand_path = OPTION_FILE, .least = 1,
    .operand_help = "a file, a URL, an image sequence or a folder of images",
    .run = command_health,
};
