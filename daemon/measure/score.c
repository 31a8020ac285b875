/* memaed score: footage scored offline, one row a window. */
#include "daemon/commands.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <jansson.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "daemon/base/options.h"
#include "daemon/base/parallel_threads.h"
#include "daemon/measure/clip.h"
#include "io/base/record_json.h"
#include "io/base/redact.h"
#include "io/model/model_file.h"
#include "io/model/safetensors.h"

static const char usage[] =
    "Usage: memaed score --model MODEL [OPTION…] INPUT…\n"
    "\n"
    "Scores footage, one row a window, to standard output. INPUT is what FFmpeg opens: a file, a URL, an image\n"
    "sequence pattern (%03d.jpg), or a folder of image files, which counts as one sequence in name order.\n"
    "\n"
    "  -m, --model MODEL      the model to score with\n"
    "      --format FORMAT    csv (with a header; the default) or jsonl (one JSON object a line)\n"
    "      --stride N         frames from one window to the next (1)\n"
    "      --fps F            frames analysed a second; 0, the default, takes every frame\n"
    "      --precision P      what the network computes in: fp32, int8, or auto, int8 where the model's calibration shows\n"
    "                         that its scores agree (auto)\n"
    "      --static           do without the network where nothing moved beyond the camera's own noise, as run does: such a\n"
    "                         window has the score of the last one that was computed\n"
    "      --verify           the same, and hold the scores of those windows, computed after all, against the model's bound\n"
    "      --threads N        threads that run the network (all cores)\n"
    "      --dump DIR         also write DIR/CLIP-WINDOW.safetensors for every window: z and z_hat [C,t,h,w], weights\n"
    "                         [queries,slots] (not without a memory), x_hat [c,t,h,w], map [rows,columns] (the score of\n"
    "                         each cell by itself: 8x8 pixels of the network's input from (4*row, 4*column) on; not\n"
    "                         without a calibration of memaed's own)\n"
    "  -h, --help             show this help\n"
    "\n"
    "Columns: clip, the input's name without folders and extension; window, where window i covers the frames that\n"
    "begin at i*stride; frame, its centre; pts_s, the centre's time from the clip's start in seconds; reference, the\n"
    "mean reconstruction error of docs/model-format.md; score, what alerts are made from; p_value, how often footage like\n"
    "that of the calibration scores as much or more; hours_between, how long such footage takes from one alert to the\n"
    "next with the threshold at this score (both empty where the model's calibration doesn't tell); boxes, around what\n"
    "scores in a window that would keep an alert open: X:Y:WIDTH:HEIGHT:SCORE, the highest score first, with blanks\n"
    "between; in fractions of the picture from its upper left corner; static, 1 where the window was not computed. In JSON,\n"
    "boxes is a list of objects, and static true or false.\n"
    "\n"
    "Windows that touch a corrupt frame or span a gap are left out; the numbers of the others stay. An input shorter\n"
    "than one window gives a warning and no rows.\n"
    "\n"
    "Exit status: 0; 1 where an input could not be read to its end, no window was scored at all, or the bound does not hold;\n"
    "2 wrong usage.\n";

struct score {
    const char *model_path, *dump;
    bool jsonl;
    int stride, threads;
    enum precision precision;
    enum clip_static statics;
    double static_bound;
    double fps;
    const struct plan *plan;
    const struct tail *tail;    /* NULL: the model tells none */
    bool has_map;               /* what scores is told by cells */
    const char *clip;           /* of the input under way */
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
        return error_set(err, -ENAMETOOLONG, "--dump %s: the name is too long", score->dump);
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

/* RFC 4180: quoted where it must be. */
static void print_csv_text(const char *text)
{
    if (!text[strcspn(text, ",\"\r\n")]) {
        fputs(text, stdout);
        return;
    }
    putchar('"');
    for (; *text; text++) {
        if (*text == '"')
            putchar('"');
        putchar(*text);
    }
    putchar('"');
}

/* JSON has no infinity: such a number is null. */
static json_t *number(double x)
{
    return isfinite(x) ? json_real(x) : json_null();
}

/* A coordinate is a float of four decimals: what it stands for as a double. */
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

static int print_json(const struct score *score, const struct clip_window *window, double pts_s)
{
    json_t *row = json_pack("{s:s?, s:I, s:I, s:f, s:o, s:o}", "clip", score->clip, "window", (json_int_t)window->index,
                            "frame", (json_int_t)window->frame, "pts_s", pts_s, "reference",
                            number((double)window->reference), "score", number((double)window->score));
    if (row && score->tail) {
        json_object_set_new(row, "p_value", number(tail_p_value(score->tail, (double)window->score)));
        json_object_set_new(row, "hours_between", number(tail_hours_between(score->tail, (double)window->score)));
    }
    if (row)
        json_object_set_new(row, "boxes", boxes_json(&window->boxes));
    if (row)
        json_object_set_new(row, "static", json_boolean(window->is_static));

    if (!row || json_dumpf(row, stdout, JSON_COMPACT | JSON_REAL_PRECISION(9)) < 0) {
        json_decref(row);
        return -EILSEQ;
    }
    putchar('\n');
    json_decref(row);
    return 0;
}

/* Rows leave one by one, so that a live input's come as they are scored, and Ctrl-C loses none. */
static int print_window(void *arg, const struct clip_window *window, struct error *err)
{
    const struct score *score = arg;
    double pts_s = (double)window->pts_us * 1e-6;

    errno = 0;
    if (score->jsonl) {
        if (print_json(score, window, pts_s) < 0 && !ferror(stdout))
            return error_set(err, -EILSEQ, "a row can't be written as JSON: the clip's name is not UTF-8, or out of memory");
    } else {
        print_csv_text(score->clip);
        printf(",%" PRIu64 ",%" PRIu64 ",%.9g,%.9g,%.9g,", window->index, window->frame, pts_s,
               (double)window->reference, (double)window->score);
        if (score->tail)
            printf("%.6g,%.6g,", tail_p_value(score->tail, (double)window->score),
                   tail_hours_between(score->tail, (double)window->score));
        else
            fputs(",,", stdout);
        print_csv_boxes(&window->boxes);
        puts(window->is_static ? ",1" : ",0");
    }
    if (fflush(stdout) != 0 || ferror(stdout)) {
        int r = errno ? -errno : -EIO;
        return error_set(err, r, "standard output: %s", strerror(-r));
    }
    return 0;
}

/* ---- inputs ------------------------------------------------------------------------------------------------------- */

static void say(const char *what, const char *input, const char *text)
{
    char shown[512];

    redact(shown, sizeof shown, input);
    fprintf(stderr, "memaed: score: %s%s: %s\n", what, shown, text);
}

/* What was saved; 1: the bound does not hold. */
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
    say("", input, text);
    return !holds;
}

/* 0 or the exit status 1; adds the windows scored. */
static int score_input(struct score *score, struct clip_scorer *scorer, const char *input, uint64_t *windows)
{
    const struct arch *arch = plan_arch(score->plan);
    struct source_options options = {
        .width = arch->width, .height = arch->height, .fps = score->fps, .stall_timeout_ms = 10000};
    struct clip_sink sink = {.arg = score, .result = score->dump ? dump_window : NULL, .window = print_window};
    struct clip_summary summary;
    struct source *source = NULL;
    struct error err = {""};
    char text[200], clip[256];
    int r;

    r = source_open(&source, input, &options, &err);
    if (r < 0) {
        say("", input, err.text);
        return 1;
    }
    source_name(clip, sizeof clip, input);
    score->clip = clip;
    r = clip_score(scorer, source, &sink, &summary, &err);
    source_close(source);
    *windows += summary.windows;
    if (r < 0)
        say("", input, err.text);
    if (summary.left_out > 0) {
        snprintf(text, sizeof text, "%" PRIu64 " windows left out: %" PRIu64 " corrupt frames, %" PRIu64 " gaps",
                 summary.left_out, summary.corrupt, summary.gaps);
        say("warning: ", input, text);
    } else if (r >= 0 && summary.windows == 0) {
        snprintf(text, sizeof text, "nothing scored: %" PRIu64 " frames, and a window takes %d", summary.frames,
                 arch->frames);
        say("warning: ", input, text);
    }
    return (r < 0) | tell_static(score, input, &summary);
}

/* Dumps of two clips of one name would overwrite each other. */
static int check_names(char **inputs, int n)
{
    for (int i = 0; i < n; i++)
        for (int j = 0; j < i; j++) {
            char a[256], b[256];

            source_name(a, sizeof a, inputs[i]);
            source_name(b, sizeof b, inputs[j]);
            if (strcmp(a, b) == 0)
                return option_misuse("score", "--dump: two inputs are named %s; score them into folders of their own", a);
        }
    return 0;
}

static int score_all(struct score *score, char **inputs, int n)
{
    struct model_file file = {0};
    struct plan *plan = NULL;
    struct parallel_threads *threads = NULL;
    struct clip_scorer *scorer = NULL;
    struct error err = {""};
    uint64_t windows = 0;
    int r, status = 1;

    r = model_file_load(&file, score->model_path, &err);
    if (r >= 0)
        r = calibration_open_plan(&plan, file.model, file.has_calibration ? &file.calibration : NULL, score->precision, &err);
    if (r >= 0)
        r = parallel_threads_open(&threads, score->threads);
    if (r < 0) {
        fprintf(stderr, "memaed: score: %s\n", err.text[0] ? err.text : strerror(-r));
        goto end;
    }
    struct parallel parallel = parallel_threads_parallel(threads);
    score->tail = file.has_calibration && file.calibration.has_tail ? &file.calibration.tail : NULL;
    score->has_map = file.has_calibration && file.calibration.has_score;
    r = clip_open(&scorer, plan, file.has_calibration ? &file.calibration : NULL, &parallel, score->stride,
                  score->statics, &err);
    if (r < 0) {
        fprintf(stderr, "memaed: score: %s: %s\n", score->model_path, err.text);
        goto end;
    }
    r = score->dump ? make_folder(score->dump) : 0;
    if (r < 0) {
        fprintf(stderr, "memaed: score: --dump %s: %s\n", score->dump, strerror(-r));
        goto end;
    }
    score->plan = plan;
    if (score->statics != CLIP_COMPUTE_ALL)
        score->static_bound = calibration_static_bound(&file.calibration, plan_precision(plan));
    if (!score->jsonl &&
        (puts("clip,window,frame,pts_s,reference,score,p_value,hours_between,boxes,static") < 0 || fflush(stdout) != 0)) {
        fprintf(stderr, "memaed: score: standard output: %s\n", strerror(errno));
        goto end;
    }
    status = 0;
    for (int i = 0; i < n; i++)
        status |= score_input(score, scorer, inputs[i], &windows);
    if (windows == 0)
        status = 1;
end:
    clip_close(scorer);
    parallel_threads_close(threads);
    plan_close(plan);
    model_file_clear(&file);
    return status;
}

int command_score(int argc, char **argv)
{
    static const struct option options[] = {
        {"model", required_argument, NULL, 'm'},  {"format", required_argument, NULL, 'F'},
        {"stride", required_argument, NULL, 's'}, {"fps", required_argument, NULL, 'f'},
        {"threads", required_argument, NULL, 't'}, {"dump", required_argument, NULL, 'd'},
        {"precision", required_argument, NULL, 'P'}, {"static", no_argument, NULL, 'S'},
        {"verify", no_argument, NULL, 'V'},          {"help", no_argument, NULL, 'h'},         {0},
    };
    struct score score = {.stride = 1, .threads = parallel_threads_cores(), .precision = PRECISION_AUTO};
    int r = 0;

    opterr = 0;
    optind = 0;
    for (int c; r == 0 && (c = getopt_long(argc, argv, ":m:h", options, NULL)) != -1;) {
        switch (c) {
        case 'm':
            score.model_path = optarg;
            break;
        case 'F':
            score.jsonl = strcmp(optarg, "jsonl") == 0;
            if (!score.jsonl && strcmp(optarg, "csv") != 0)
                return option_misuse("score", "--format: csv or jsonl expected, '%s' found", optarg);
            break;
        case 's':
            r = option_int(&score.stride, "score", "stride", optarg, 1, 1000000);
            break;
        case 'f':
            r = option_real(&score.fps, "score", "fps", optarg, 0, 1000, false);
            break;
        case 'P':
            if (!precision_find(&score.precision, optarg))
                return option_misuse("score", "--precision: auto, fp32 or int8 expected, '%s' found", optarg);
            break;
        case 't':
            r = option_int(&score.threads, "score", "threads", optarg, 1, PARALLEL_THREADS_MAX);
            break;
        case 'S':
            if (score.statics == CLIP_COMPUTE_ALL)
                score.statics = CLIP_STATIC;
            break;
        case 'V':
            score.statics = CLIP_STATIC_VERIFIED;
            break;
        case 'd':
            score.dump = optarg;
            break;
        case 'h':
            fputs(usage, stdout);
            return fflush(stdout) == 0 ? 0 : 1;
        default:
            return option_unknown("score", c, argv);
        }
    }
    if (r < 0)
        return 2;
    if (!score.model_path)
        return option_misuse("score", "--model MODEL is missing");
    if (optind == argc)
        return option_misuse("score", "INPUT is missing: a file, a URL, an image sequence or a folder of images");
    if (score.dump && score.statics != CLIP_COMPUTE_ALL)
        return option_misuse("score", "--dump: a static window has nothing to dump; leave out --static and --verify");
    if (score.dump && (r = check_names(argv + optind, argc - optind)) != 0)
        return r;
    return score_all(&score, argv + optind, argc - optind);
}
