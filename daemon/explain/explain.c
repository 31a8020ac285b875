/* memaed explain: says why a window of footage scores as it does, and draws it. */
#include "daemon/commands.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/explain/explain.h"
#include "daemon/base/isolation.h"
#include "daemon/base/options.h"
#include "daemon/explain/polygon.h"
#include "daemon/explain/search.h"
#include "io/base/explanation_json.h"
#include "io/base/record_json.h"
#include "io/model/model_file.h"
#include "io/picture/jpeg.h"

enum { MASKS = 16, MASK_MARGIN = 2, NO_FRAME = -1, LIMIT_MS = 60000 };

struct explain {
    const char *model, *output, *snapshot;
    struct option_list inputs, masks;
    int frame;                  /* NO_FRAME: not given */
    double at;                  /* seconds; below 0: not given */
    bool peak;
    double fps;                 /* frames analysed a second; 0: all; below 0: the model's rate, or all where it has none */
    int size, quality;
    enum precision precision;
    enum isolation isolation;

    int n_polygons;
    struct draw_point points[MASKS][POLYGON_CORNERS];
    struct draw_polygon polygons[MASKS];
    struct model_file file;
    struct plan *plan;
    void *workspace;
    struct explained explained;
    struct found_window window;
};

static const struct calibration *calibration_of(const struct explain *e)
{
    return e->file.has_calibration ? &e->file.calibration : NULL;
}

static int open_model(struct explain *e, struct error *err)
{
    int r = model_file_load(&e->file, e->model, err);
    if (r == 0 && (r = explained_open(&e->explained, &e->file.model->arch, err)) < 0)
        return error_prefix(err, r, "%s", e->model);
    if (r == 0 && (r = calibration_open_plan(&e->plan, e->file.model, calibration_of(e), e->precision, err)) < 0)
        return error_prefix(err, r, "%s", e->model);
    if (r == 0 && !(e->workspace = plan_workspace_new(e->plan)))
        return error_set(err, -ENOMEM, "out of memory");
    if (e->fps < 0)
        e->fps = e->file.has_calibration ? e->file.calibration.fps : 0;
    return r;
}

static struct source_options source_of(const struct explain *e)
{
    return (struct source_options){.width = e->explained.width, .height = e->explained.height, .fps = e->fps,
                                   .stall_timeout_ms = 10000};
}

static int find_window(struct explain *e, const char *input, struct error *err)
{
    const struct source_options source = source_of(e);
    const struct capture_options options = isolation_capture(&source);
    const struct search search = {.by = e->frame != NO_FRAME ? SEARCH_FRAME : e->at >= 0 ? SEARCH_TIME : SEARCH_PEAK,
                                  .frame = (uint64_t)e->frame, .pts_us = (int64_t)llround(fmin(1e6 * e->at, 1e18))};
    struct capture *capture;
    int r = capture_open(&capture, input, &options, err);
    if (r < 0)
        return r;
    r = search_window(&e->window, capture, &search, e->plan, calibration_of(e), e->workspace, err);
    capture_close(capture);
    return r < 0 ? error_prefix(err, r, "%s", input) : 0;
}

/* ---- pictures ----------------------------------------------------------------------------------------------------- */

static int write_snapshot(const struct explain *e, const struct picture *frame, struct error *err)
{
    struct picture snapshot;
    int r = picture_scale(&snapshot, frame, frame->width, frame->height);
    if (r < 0)
        return error_set(err, r, "out of memory");
    draw_masks(&snapshot, e->polygons, e->n_polygons, MASK_MARGIN);
    draw_boxes(&snapshot, &e->explained.explanation.boxes);
    r = jpeg_write(e->snapshot, &snapshot, e->quality, err);
    picture_close(&snapshot);
    return r;
}

static int write_why(const struct explain *e, const struct picture *frame, struct error *err)
{
    struct picture why;
    char caption[64];
    snprintf(caption, sizeof caption, "frame %llu, %.1f s", (unsigned long long)e->window.frame, 1e-6 * (double)e->window.pts_us);
    int r = explain_draw(&why, &e->explained, &(struct explain_frame){.picture = frame, .caption = caption,
                                                                      .boxes = &e->explained.explanation.boxes,
                                                                      .masks = e->polygons, .n_masks = e->n_polygons});
    if (r < 0)
        return error_set(err, r, "out of memory");
    r = jpeg_write(e->output, &why, e->quality, err);
    picture_close(&why);
    return r;
}

static int write_pictures(const struct explain *e, const char *input, struct error *err)
{
    struct moment moment;
    if (!e->output && !e->snapshot)
        return 0;
    int r = capture_moment(&moment, input, e->window.pts_us,
                           &(struct moment_options){.source = source_of(e), .longest = e->size, .limit_ms = LIMIT_MS},
                           isolation_host(), ISOLATION_FOOTAGE_MIB, err);
    if (r < 0)
        return r;
    if (e->snapshot)
        r = write_snapshot(e, &moment.picture, err);
    if (r == 0 && e->output)
        r = write_why(e, &moment.picture, err);
    picture_close(&moment.picture);
    return r;
}

/* ---- the command -------------------------------------------------------------------------------------------------- */

static int print(const struct explain *e, const char *input, struct error *err)
{
    char clip[256];
    source_name(clip, sizeof clip, input);
    json_t *object = json_pack("{s:o, s:o, s:o}", "clip", record_json_text(clip), "frame", record_json_count(e->window.frame),
                               "pts_s", record_json_number(1e-6 * (double)e->window.pts_us)),
           *explanation = explanation_json(&e->explained.explanation);
    int r = object && explanation ? json_object_update(object, explanation) : -1;
    char *text = r == 0 ? json_dumps(object, JSON_INDENT(2) | JSON_REAL_PRECISION(9)) : NULL;
    json_decref(object);
    json_decref(explanation);
    if (!text)
        return error_set(err, -ENOMEM, "out of memory");
    errno = 0;
    bool written = puts(text) != EOF && fflush(stdout) == 0;
    free(text);
    return written ? 0 : error_set(err, -EIO, "standard output: %s", strerror(errno ? errno : EIO));
}

static int explain(struct explain *e)
{
    const char *input = e->inputs.values[0];
    struct error err = {""};
    int r = open_model(e, &err);
    if (r == 0)
        r = isolation_open(e->isolation, &err);
    if (r == 0)
        r = find_window(e, input, &err);
    if (r == 0) {
        explain_window(e->plan, calibration_of(e), NULL, e->window.frames, e->workspace, &e->explained);
        r = write_pictures(e, input, &err);
    }
    if (r == 0)
        r = print(e, input, &err);
    isolation_close();
    found_window_close(&e->window);
    explained_close(&e->explained);
    free(e->workspace);
    plan_close(e->plan);
    model_file_clear(&e->file);
    return r < 0 ? command_failed(&explain_command, &err) : 0;
}

static const struct command_option explain_options[] = {
    {"model", 'm', OPTION_TEXT(struct explain, model), .argument = "MODEL", .path = OPTION_FILE, .required = true,
     .help = "The model that scores."},
    {"frame", 0, OPTION_INT(struct explain, frame, 0, 2147483647), .argument = "N", .section = "The window",
     .help = "The window with this frame at its centre, as `memaed score` counts frames."},
    {"at", 0, OPTION_REAL(struct explain, at, 0, 1e9), .argument = "SECONDS",
     .help = "The last window whose centre was taken at this time or before."},
    {"peak", 0, OPTION_FLAG(struct explain, peak), .help = "The window with the highest score (default)."},
    {"fps", 0, OPTION_REAL(struct explain, fps, 0, 1000), .argument = "F",
     .help = "Frames analysed a second; 0 takes every frame (default: the model's rate; every frame where it has none)."},
    {"output", 'o', OPTION_TEXT(struct explain, output), .argument = "FILE", .path = OPTION_FILE, .section = "Pictures",
     .help = "Write the picture that shows why, as JPEG: the frame with boxes, what the memory drew, and a heat map of where the "
             "window is unusual."},
    {"snapshot", 0, OPTION_TEXT(struct explain, snapshot), .argument = "FILE", .path = OPTION_FILE,
     .help = "Write the frame in colour with boxes, as JPEG."},
    {"mask", 0, OPTION_LIST(struct explain, masks), .argument = "POLYGON", .most = MASKS,
     .help = "Blacken this part of both pictures: corners as \"X,Y X,Y X,Y\", fractions of the picture from its upper left "
             "corner. May be given 16 times."},
    {"size", 0, OPTION_INT(struct explain, size, 16, PICTURE_MAX_SIDE), .argument = "N",
     .help = "Pixels of the snapshot's longer side at most (default: 1280). A smaller frame keeps its size."},
    {"quality", 0, OPTION_INT(struct explain, quality, 1, 100), .argument = "N",
     .help = "The quality of the JPEGs, 1 to 100 (default: 85)."},
    {"precision", 0, OPTION_CHOICE(struct explain, precision, option_precisions), .section = "Other",
     .help = "The numbers that the network computes in (default: auto)."},
    {"isolation", 0, OPTION_CHOICE(struct explain, isolation, isolation_names), .help = isolation_help},
    {0},
};

static int command_explain(int argc, char **argv)
{
    struct explain e = {.frame = NO_FRAME, .at = -1, .fps = -1, .size = 1280, .quality = JPEG_QUALITY,
                        .precision = PRECISION_AUTO};
    struct error err;
    int status;
    if (!command_parse(&explain_command, &e, argc, argv, &status))
        goto end;
    if ((e.frame != NO_FRAME) + (e.at >= 0) + e.peak > 1) {
        status = command_misuse(&explain_command, "--frame, --at and --peak: expected one of them");
        goto end;
    }
    for (; (size_t)e.n_polygons < e.masks.n; e.n_polygons++)
        if (polygon_parse(&e.polygons[e.n_polygons], e.points[e.n_polygons], e.masks.values[e.n_polygons], &err) < 0) {
            status = command_misuse(&explain_command, "--mask: %s", err.text);
            goto end;
        }
    status = explain(&e);
end:
    command_clear(&explain_command, &e);
    return status;
}

const struct command explain_command = {
    .name = "explain",
    .summary = "say and draw why a window scores as it does",
    .forms = "--model MODEL [OPTION…] INPUT",
    .about = "Explains one window of footage: prints a JSON object, and draws pictures where asked. INPUT is what FFmpeg opens: "
             "a file, an image sequence pattern (%03d.jpg), or a folder of image files.",
    .options = explain_options,
    .notes = "Keys of the object:\n"
             "  clip, frame, pts_s, reference, score, p_value, hours_between, voice, voices, boxes: as of `memaed score`.\n"
             "  threshold: the score that opens an alert.\n"
             "  rarity: hours_between in words; footage_hours: how much footage tells it.\n"
             "  loudest: the cell with the highest score of its own, by its centre in fractions of the picture.\n"
             "  memory: how many slots there are, how many answer at the loudest cell, and those with the largest weight "
             "there.\n\n"
             "Exit status: 0; 1 where the input cannot be read, has no such window, or a picture cannot be written; 2 wrong "
             "usage.",
    OPERANDS(struct explain, inputs, "INPUT"), .operand_path = OPTION_FILE, .least = 1, .most = 1,
    .operand_help = "a file, an image sequence or a folder of images",
    .run = command_explain,
};
