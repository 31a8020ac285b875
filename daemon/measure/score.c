/* memaed score: scores footage offline, one row a window. */
#include "daemon/commands.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "daemon/base/camera_masks.h"
#include "daemon/base/isolation.h"
#include "daemon/base/options.h"
#include "daemon/base/parallel_threads.h"
#include "daemon/measure/clip.h"
#include "daemon/measure/rows.h"
#include "io/base/record_json.h"
#include "io/model/model_file.h"
#include "io/model/safetensors.h"

enum { DIGITS = 9 };         /* of a number in JSON */

struct score {
    const char *model_path, *dump;
    struct option_list inputs;
    int format;                 /* enum rows_format */
    bool is_static, verify;
    int stride, threads;
    enum precision precision;
    enum isolation isolation;
    struct camera_masks masks;
    enum clip_static statics;
    double static_bound;
    double fps;                     /* frames analysed a second; 0: all; below 0: the model's rate, or all where it has none */
    double learned_fps;             /* 0: the model has none */
    const struct plan *plan;
    const struct tail *tail;    /* NULL: the model has none */
    bool has_map;               /* each cell has a score */
    const char *clip;           /* name of the present input */
};

/* ---- dump --------------------------------------------------------------------------------------------------------- */

/* [positions, channels] to [channels, positions] */
static void channels_first(float *out, const float *in, size_t positions, size_t channels)
{
    for (size_t c = 0; c < channels; c++)
        for (size_t p = 0; p < positions; p++)
            out[c * positions + p] = in[p * channels + c];
}

static struct safetensors_output tensor_of(const char *name, struct dims d, const float *data)
{
    return (struct safetensors_output){
        .name = name, .ndim = 4, .shape = {(size_t)d.c, (size_t)d.t, (size_t)d.h, (size_t)d.w}, .data = data};
}

static int make_folder(const char *path)
{
    struct stat status;

    if (mkdir(path, 0777) == 0)
        return 0;
    if (errno != EEXIST)
        return -errno;
    return stat(path, &status) < 0 ? -errno : S_ISDIR(status.st_mode) ? 0 : -ENOTDIR;
}

static int dump_window(void *arg, const struct clip_window *window, const struct plan_result *result, struct error *err)
{
    const struct score *score = arg;
    const struct arch *arch = plan_arch(score->plan);
    const struct arch_shapes *shapes = plan_shapes(score->plan);
    struct dims z = shapes->decoder[0], x_hat = shapes->decoder[arch->n_decoder];
    size_t n_z = dims_elements(z), n_x = dims_elements(x_hat);
    struct safetensors_output tensors[5];
    size_t n = 0;
    char path[PATH_MAX];
    int r;

    r = snprintf(path, sizeof path, "%s/%s-%06" PRIu64 ".safetensors", score->dump, score->clip, window->index);
    if (r < 0 || (size_t)r >= sizeof path)
        return error_set(err, -ENAMETOOLONG, "--dump %s: the path is too long", score->dump);
    float *data = malloc((2 * n_z + n_x) * sizeof *data);
    if (!data)
        return error_set(err, -ENOMEM, "out of memory");
    channels_first(data, result->z, dims_positions(z), (size_t)z.c);
    channels_first(data + n_z, result->z_hat, dims_positions(z), (size_t)z.c);
    channels_first(data + 2 * n_z, result->x_hat, dims_positions(x_hat), (size_t)x_hat.c);
    tensors[n++] = tensor_of("z", z, data);
    tensors[n++] = tensor_of("z_hat", z, data + n_z);
    tensors[n++] = tensor_of("x_hat", x_hat, data + 2 * n_z);
    if (result->weights)
        tensors[n++] = (struct safetensors_output){.name = "weights",
                                                   .ndim = 2,
                                                   .shape = {dims_positions(z), (size_t)arch->memory.slots},
                                                   .data = result->weights};
    if (score->has_map)
        tensors[n++] = (struct safetensors_output){.name = "map",
                                                   .ndim = 2,
                                                   .shape = {(size_t)window->map_h, (size_t)window->map_w},
                                                   .data = window->map};
    r = safetensors_write(path, tensors, n, NULL, 0, err);
    free(data);
    return r;
}

/* ---- rows --------------------------------------------------------------------------------------------------------- */

/* A coordinate is a float of four decimals. Returns the double with the same decimals. */
static double four_decimals(float x)
{
    return round(1e4 * (double)x) / 1e4;
}

static void print_csv_boxes(const struct boxes *boxes)
{
    for (int i = 0; i < boxes->n; i++) {
        const struct box *b = &boxes->box[i];

        printf("%s%g:%g:%g:%g:%.6g", i > 0 ? " " : "", four_decimals(b->x), four_decimals(b->y), four_decimals(b->width),
               four_decimals(b->height), (double)b->score);
    }
}

static void print_csv_voices(const struct voices *voices)
{
    enum voice loudest = voices_loudest(voices);
    printf(",%s", loudest == VOICES ? "" : voice_name(loudest));
    for (int v = 0; v < VOICES; v++)
        if (isnan(voices->score[v]))
            putchar(',');
        else
            printf(",%.9g", (double)voices->score[v]);
}

static int print_csv_header(struct error *err)
{
    fputs("clip,window,frame,pts_s,reference,score,p_value,hours_between,boxes,static,voice", stdout);
    for (int v = 0; v < VOICES; v++)
        printf(",%s", voice_name((enum voice)v));
    fputs(",still_boxes", stdout);
    return rows_end(err);
}

static json_t *window_json(const struct score *score, const struct clip_window *window, double pts_s)
{
    json_t *row = json_pack("{s:s?, s:I, s:I, s:f, s:o, s:o}", "clip", score->clip, "window", (json_int_t)window->index,
                            "frame", (json_int_t)window->frame, "pts_s", pts_s, "reference",
                            rows_number((double)window->reference), "score", rows_number((double)window->score));
    if (!row)
        return NULL;
    if (score->tail) {
        json_object_set_new(row, "p_value", rows_number(tail_p_value(score->tail, (double)window->score)));
        json_object_set_new(row, "hours_between", rows_number(tail_hours_between(score->tail, (double)window->score)));
    }
    json_object_set_new(row, "voice", loudest_json(&window->voices));
    json_object_set_new(row, "voices", voices_json(&window->voices));
    json_object_set_new(row, "boxes", boxes_json(&window->boxes));
    json_object_set_new(row, "still_boxes", boxes_json(&window->still_boxes));
    json_object_set_new(row, "static", json_boolean(window->is_static));
    return row;
}

static int print_window(void *arg, const struct clip_window *window, struct error *err)
{
    const struct score *score = arg;
    double pts_s = (double)window->pts_us * 1e-6;

    if (score->format == ROWS_JSONL)
        return rows_print_object(window_json(score, window, pts_s), DIGITS, err);
    rows_print_text(score->clip);
    printf(",%" PRIu64 ",%" PRIu64 ",%.9g,%.9g,%.9g,", window->index, window->frame, pts_s, (double)window->reference,
           (double)window->score);
    if (score->tail)
        printf("%.6g,%.6g,", tail_p_value(score->tail, (double)window->score),
               tail_hours_between(score->tail, (double)window->score));
    else
        fputs(",,", stdout);
    print_csv_boxes(&window->boxes);
    fputs(window->is_static ? ",1" : ",0", stdout);
    print_csv_voices(&window->voices);
    putchar(',');
    print_csv_boxes(&window->still_boxes);
    return rows_end(err);
}

/* ---- inputs ------------------------------------------------------------------------------------------------------- */

/* Reports the static windows. Returns the exit status: 1 if the bound does not hold. */
static int tell_static(const struct score *score, const char *input, const struct clip_summary *summary)
{
    char text[200];
    int n;

    if (score->statics == CLIP_COMPUTE_ALL || summary->windows == 0)
        return 0;
    n = snprintf(text, sizeof text, "%" PRIu64 " of %" PRIu64 " windows static (%.1f %%)", summary->windows_static,
                 summary->windows, 100 * (double)summary->windows_static / (double)summary->windows);
    bool holds = (double)summary->static_difference <= score->static_bound;
    if (score->statics == CLIP_STATIC_VERIFIED)
        snprintf(text + n, sizeof text - (size_t)n, "; their own scores differ by %.3g at most, the bound is %.3g%s",
                 (double)summary->static_difference, score->static_bound, holds ? "" : " and does not hold");
    rows_say("score", "", input, text);
    return !holds;
}

/* Scores one input and adds its windows to *windows. Returns the exit status, 0 or 1. */
static int score_input(struct score *score, struct clip_scorer *scorer, const char *input, uint64_t *windows)
{
    const struct arch *arch = plan_arch(score->plan);
    struct capture_options options = isolation_capture(&(struct source_options){
        .width = arch->width, .height = arch->height, .fps = score->fps, .stall_timeout_ms = 10000});
    struct clip_sink sink = {.arg = score, .result = score->dump ? dump_window : NULL, .window = print_window};
    struct clip_summary summary;
    struct capture *capture = NULL;
    struct error err = {""};
    char text[200], clip[256];
    int r;

    r = capture_open(&capture, input, &options, &err);
    if (r < 0) {
        rows_say("score", "", input, err.text);
        return 1;
    }
    source_name(clip, sizeof clip, input);
    score->clip = clip;
    r = clip_score(scorer, capture, &sink, &summary, &err);
    struct source_stats stats;
    capture_stats(capture, &stats);
    capture_close(capture);
    *windows += summary.windows;
    if (r < 0)
        rows_say("score", "", input, err.text);
    if (summary.ticks >= STILL_PERSIST && 2 * summary.foreign_ticks > summary.ticks)
        rows_say("score", "warning: ", input,
                 "the picture is not the one that the model learned: it is another camera's, or this one was turned");
    if (summary.left_out > 0) {
        snprintf(text, sizeof text, "%" PRIu64 " windows left out: %" PRIu64 " corrupt frames, %" PRIu64 " gaps",
                 summary.left_out, summary.corrupt, summary.gaps);
        rows_say("score", "warning: ", input, text);
    } else if (r >= 0 && summary.windows == 0) {
        snprintf(text, sizeof text, "nothing scored: %" PRIu64 " frames, but a window takes %d", summary.frames,
                 arch->frames);
        rows_say("score", "warning: ", input, text);
    }
    if (stats.time == SOURCE_TIME_RATE && !stats.images) {
        snprintf(text, sizeof text, "no time stamps: frames are taken to come at %.3g a second", stats.fps_in);
        rows_say("score", "warning: ", input, text);
    }
    if (stats.fps_in > 0 && stats.fps_in < CALIBRATION_SLOW_RATE * score->learned_fps) {
        snprintf(text, sizeof text, "%.3g frames a second, but the model learned at %.3g: what moves seems faster, and scores "
                 "are too high", stats.fps_in, score->learned_fps);
        rows_say("score", "warning: ", input, text);
    }
    if (stats.width > 0 && !arch_fits_aspect(arch, stats.width, stats.height)) {
        snprintf(text, sizeof text, "pictures of %dx%d have another aspect than the %dx%d that the model learned: shapes are "
                 "stretched, and scores say little", stats.width, stats.height, arch->width, arch->height);
        rows_say("score", "warning: ", input, text);
    }
    return (r < 0) | tell_static(score, input, &summary);
}

/* Dumps of two clips of the same name would overwrite each other. Exit status 0 or 2. */
static int check_names(const struct option_list *inputs)
{
    for (size_t i = 0; i < inputs->n; i++)
        for (size_t j = 0; j < i; j++) {
            char a[256], b[256];

            source_name(a, sizeof a, inputs->values[i]);
            source_name(b, sizeof b, inputs->values[j]);
            if (strcmp(a, b) == 0)
                return command_misuse(&score_command, "--dump: two inputs are named %s; score them into folders of their "
                                                      "own", a);
        }
    return 0;
}

static int score_all(struct score *score)
{
    struct model_file file = {0};
    struct plan *plan = NULL;
    struct parallel_threads *threads = NULL;
    struct clip_scorer *scorer = NULL;
    struct error err = {""};
    uint64_t windows = 0;
    int r, status = 1;

    r = camera_masks_open(&score->masks, &err);
    if (r >= 0)
        r = model_file_load(&file, score->model_path, &err);
    if (r >= 0)
        r = calibration_open_plan(&plan, file.model, file.has_calibration ? &file.calibration : NULL, score->precision, &err);
    if (r >= 0)
        r = isolation_open(score->isolation, &err);
    if (r >= 0)
        r = parallel_threads_open(&threads, score->threads);
    if (r < 0) {
        fprintf(stderr, "memaed score: %s\n", err.text[0] ? err.text : strerror(-r));
        goto end;
    }
    struct parallel parallel = parallel_threads_parallel(threads);
    score->learned_fps = file.has_calibration ? file.calibration.fps : 0;
    if (score->fps < 0)
        score->fps = score->learned_fps;
    score->tail = file.has_calibration && file.calibration.has_tail ? &file.calibration.tail : NULL;
    score->has_map = file.has_calibration && file.calibration.has_score;
    r = clip_open(&scorer, plan, file.has_calibration ? &file.calibration : NULL, file.still, score->masks.zones,
                  &parallel, score->stride, score->statics, &err);
    if (r < 0) {
        fprintf(stderr, "memaed score: %s: %s\n", score->model_path, err.text);
        goto end;
    }
    r = score->dump ? make_folder(score->dump) : 0;
    if (r < 0) {
        fprintf(stderr, "memaed score: --dump %s: %s\n", score->dump, strerror(-r));
        goto end;
    }
    score->plan = plan;
    if (score->statics != CLIP_COMPUTE_ALL)
        score->static_bound = calibration_static_bound(&file.calibration, plan_precision(plan));
    if (score->format == ROWS_CSV && print_csv_header(&err) < 0) {
        fprintf(stderr, "memaed score: %s\n", err.text);
        goto end;
    }
    status = 0;
    for (size_t i = 0; i < score->inputs.n; i++)
        status |= score_input(score, scorer, score->inputs.values[i], &windows);
    if (windows == 0)
        status = 1;
end:
    clip_close(scorer);
    camera_masks_close(&score->masks);
    isolation_close();
    parallel_threads_close(threads);
    plan_close(plan);
    model_file_clear(&file);
    return status;
}

static const struct command_option score_options[] = {
    {"model", 'm', OPTION_TEXT(struct score, model_path), .argument = "MODEL", .path = OPTION_FILE, .required = true,
     .help = "The model to score with."},
    {"format", 0, OPTION_CHOICE(struct score, format, rows_formats), .help = rows_format_help},
    {"stride", 0, OPTION_INT(struct score, stride, 1, 1000000), .argument = "N",
     .help = "Frames from one window to the next (default: 1)."},
    {"fps", 0, OPTION_REAL(struct score, fps, 0, 1000), .argument = "F",
     .help = "Frames analysed a second; 0 takes every frame (default: the model's rate; every frame where it has none)."},
    {"precision", 0, OPTION_CHOICE(struct score, precision, option_precisions),
     .help = "The numbers that the network computes in (default: auto). auto takes int8 where the model's calibration shows that "
             "its scores agree with those of fp32."},
    {"static", 0, OPTION_FLAG(struct score, is_static),
     .help = "Do not compute static windows, as `memaed run` does: those in which nothing moved beyond the camera's own "
             "noise. "
             "Such a window gets the score of the last window that was computed."},
    {"verify", 0, OPTION_FLAG(struct score, verify),
     .help = "As --static, but compute the static windows as well, and compare their scores with the bound that the model "
             "promises."},
    CAMERA_MASKS_OPTIONS(struct score, masks),
    {"threads", 0, OPTION_INT(struct score, threads, 1, PARALLEL_THREADS_MAX), .argument = "N",
     .help = "Threads that run the network (default: all cores)."},
    {"isolation", 0, OPTION_CHOICE(struct score, isolation, isolation_names), .help = isolation_help},
    {"dump", 0, OPTION_TEXT(struct score, dump), .argument = "DIR", .path = OPTION_FOLDER,
     .help = "Also write DIR/CLIP-WINDOW.safetensors for every window: z and z_hat [C,t,h,w]; weights [queries,slots], "
             "where "
             "there is a memory; x_hat [c,t,h,w]; map [rows,columns], where memaed calibrated the model: the score of "
             "each cell "
             "by itself, 8x8 pixels of the network's input from (4*row, 4*column) on."},
    {0},
};

static int command_score(int argc, char **argv)
{
    struct score score = {.stride = 1, .fps = -1, .threads = parallel_threads_cores(), .precision = PRECISION_AUTO};
    int status;
    if (!command_parse(&score_command, &score, argc, argv, &status) ||
        (status = camera_masks_check(&score.masks, &score_command)) != 0)
        goto end;
    score.statics = score.verify ? CLIP_STATIC_VERIFIED : score.is_static ? CLIP_STATIC : CLIP_COMPUTE_ALL;
    if (score.dump && score.statics != CLIP_COMPUTE_ALL)
        status = command_misuse(&score_command, "--dump: a static window has nothing to dump; leave out --static and "
                                                "--verify");
    else if (!score.dump || (status = check_names(&score.inputs)) == 0)
        status = score_all(&score);
end:
    command_clear(&score_command, &score);
    return status;
}

const struct command score_command = {
    .name = "score",
    .summary = "score footage, one row a window",
    .forms = "--model MODEL [OPTION…] INPUT…",
    .about = "Scores footage and prints one row a window to standard output. INPUT is what FFmpeg opens: a file, a URL, "
             "an image "
             "sequence pattern (%03d.jpg), or a folder of image files, which counts as one sequence in name order.",
    .options = score_options,
    .notes = "Columns:\n"
             "  clip: the input's name without folders and extension.\n"
             "  window: window i covers the frames that begin at i*stride.\n"
             "  frame: the window's centre.\n"
             "  pts_s: the time of the centre in seconds, from the start of the clip.\n"
             "  reference: the mean reconstruction error (docs/model-format.md).\n"
             "  score: what alerts are made from. It is not the reconstruction error, but where the model has no "
             "calibration by "
             "memaed.\n"
             "  p_value: how often footage like that of the calibration scores as much or more.\n"
             "  hours_between: how long such footage takes from one alert to the next with the threshold at this score. "
             "Both are "
             "empty where the model's calibration does not tell.\n"
             "  boxes: where it scores, in a window that would keep an alert open: X:Y:WIDTH:HEIGHT:SCORE in fractions of "
             "the "
             "picture from its upper left corner, the highest score first, with blanks between. In JSON, a list of "
             "objects.\n"
             "  static: 1 (in JSON true) where the window was not computed.\n"
             "  voice: the loudest voice.\n"
             "  speed, change, pace, appearance: what the score would be if this voice alone spoke. In JSON, the object "
             "voices. Empty "
             "where the model has no such voice.\n"
             "  still: how unusual it is what was left, taken or moved, in the unit of the score; the score does not "
             "contain it, and memaed run makes alerts of their own from it. Empty where the model learned from too little "
             "footage, and in the first two minutes.\n"
             "  still_boxes: where that is, as boxes.\n\n"
             "Windows that touch a corrupt frame or span a gap are left out; the numbers of the others stay. An input "
             "shorter "
             "than one window gives a warning and no rows.\n\n"
             "Exit status: 0; 1 where an input could not be read to its end, no window was scored at all, or the bound of "
             "--verify does not hold; 2 wrong usage.",
    OPERANDS(struct score, inputs, "INPUT"), .operand_path = OPTION_FILE, .least = 1,
    .operand_help = "a file, a URL, an image sequence or a folder of images",
    .run = command_score,
};
