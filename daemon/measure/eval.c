/* memaed eval: how well a model tells abnormal footage from normal, held against frame labels. */
#include "daemon/commands.h"

#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/options.h"
#include "daemon/base/parallel_threads.h"
#include "daemon/measure/clip.h"
#include "daemon/measure/figures.h"
#include "daemon/measure/labelled.h"
#include "daemon/measure/timeline.h"
#include "io/footage/labels.h"
#include "io/model/model_file.h"

static const char usage[] =
    "Usage: memaed eval --model MODEL --clips DIR --labels FILE [OPTION…]\n"
    "\n"
    "Scores labelled clips and prints figures of merit as one JSON object.\n"
    "\n"
    "  -m, --model MODEL      the model to evaluate; given several times, a committee: reference, score and map of a\n"
    "                         window are the mean over the models, and so is the threshold; model and precision in\n"
    "                         the result are arrays then\n"
    "      --clips DIR        folder of the clips: files, or folders of image files\n"
    "      --labels FILE      a line a clip: its name (of the file without extension, or of the folder), a blank, then\n"
    "                         0 (normal) or 1 (abnormal) for every frame, separated by blanks\n"
    "      --masks DIR        also hold the map of every window against the mask of its centre frame: DIR/NAME.mkv, any\n"
    "                         video, or a folder of images; of the clip's size, frame by frame, white where abnormal\n"
    "      --plot FILE        draw the scores over time with the labels, as .svg or .png (needs gnuplot)\n"
    "      --stride N         frames from one window to the next (1)\n"
    "      --threshold T      for the alert figures (the model's own)\n"
    "      --precision P      what the network computes in: fp32, int8, or auto, int8 where the model's calibration shows\n"
    "                         that its scores agree (auto)\n"
    "      --threads N        threads that run the network (all cores)\n"
    "  -h, --help             show this help\n"
    "\n"
    "A window's label is that of its centre frame: of windows of 16 frames, labels are cut by 8 at a clip's front and\n"
    "by 7 at its back. auc_per_clip_minmax: the paper's protocol, reference scaled to 0…1 over each clip, all clips\n"
    "pooled. auc_causal: score, one scale for all clips, nothing from the future. auc_reference_raw: reference as it is.\n"
    "average_precision: of score. motion: the same for plain motion energy, which learns nothing. delay: frames from a\n"
    "window's centre to its last, when it can be known. alerts: what a daemon with this model would have raised, each\n"
    "clip by itself; null without a threshold. null where a figure is not defined.\n"
    "\n"
    "events: how many abnormal stretches are found, and how late, by thresholds of 1, 10 and 100 false alarms a day: runs\n"
    "of windows labelled normal in these clips at or above the threshold. Where the normal footage is too short for one\n"
    "at that rate, resolved is false and the figures are null; no_false_alarm tells those of the lowest threshold without\n"
    "any, and the rate that is excluded with 95 % confidence.\n"
    "\n"
    "localisation, with --masks: pixel_auc at the mask's resolution; rbdc, the region-based detection criterion of\n"
    "Ramachandra and Jones (2020).\n"
    "\n"
    "Exit status: 0; 1 where a clip is missing, can't be read, or has not as many frames as labels; 2 wrong usage.\n";

#define MODELS_MAX 64

struct eval {
    const char *model_paths[MODELS_MAX];
    size_t n_models;
    const char *clips_path, *labels_path, *masks_path, *plot_path;
    int stride, threads;
    enum precision precision;
    bool has_threshold;
    double threshold;
};

static int print_result(json_t *result)
{
    if (!result || json_dumpf(result, stdout, JSON_INDENT(1) | JSON_REAL_PRECISION(9)) < 0 || putchar('\n') == EOF ||
        fflush(stdout) != 0) {
        fprintf(stderr, "memaed: eval: the result can't be written: %s\n", result ? strerror(errno) : "out of memory");
        return 1;
    }
    return 0;
}

/* A model and what runs it. */
struct member {
    struct model_file file;
    struct plan *plan;
    struct clip_scorer *scorer;
};

static int member_open(struct member *m, const char *path, const struct eval *eval, const struct parallel *parallel,
                       struct error *err)
{
    const struct calibration *calibration;
    int r = model_file_load(&m->file, path, err);

    if (r < 0)
        return r;
    calibration = m->file.has_calibration ? &m->file.calibration : NULL;
    r = calibration_open_plan(&m->plan, m->file.model, calibration, eval->precision, err);
    if (r < 0)
        return r;
    return clip_open(&m->scorer, m->plan, calibration, parallel, eval->stride, CLIP_COMPUTE_ALL, err);
}

static void member_close(struct member *m)
{
    clip_close(m->scorer);
    plan_close(m->plan);
    model_file_clear(&m->file);
}

/* Whether a mean over both has a meaning. */
static int check_alike(const struct member *m, const char *path, const struct member *first, const char *first_path,
                       struct error *err)
{
    int frames = plan_arch(m->plan)->frames, first_frames = plan_arch(first->plan)->frames;

    if (frames != first_frames)
        return error_set(err, -EINVAL, "%s has windows of %d frames, but %s of %d", path, frames, first_path, first_frames);
    if (m->file.has_calibration != first->file.has_calibration ||
        m->file.calibration.has_score != first->file.calibration.has_score)
        return error_set(err, -EINVAL, "%s and %s are not calibrated alike: their scores have no scale in common", first_path,
                         path);
    return 0;
}

/* The models' mean thresholds, or the one given, with the default rule around them. */
static bool alert_rule_of(struct alert_rule *ret, const struct eval *eval, const struct member *members)
{
    double threshold = eval->threshold, close_threshold = eval->threshold;

    if (!eval->has_threshold && !members[0].file.has_calibration)
        return false;
    for (size_t i = 0; !eval->has_threshold && i < eval->n_models; i++) {
        threshold += members[i].file.calibration.threshold / (double)eval->n_models;
        close_threshold += members[i].file.calibration.close_threshold / (double)eval->n_models;
    }
    *ret = (struct alert_rule){
        .threshold = (float)threshold,
        .close_threshold = (float)close_threshold,
        .k = ALERT_DEFAULT_K,
        .n = ALERT_DEFAULT_N,
        .cooldown_us = ALERT_DEFAULT_COOLDOWN_S * INT64_C(1000000),
    };
    if (ret->close_threshold > ret->threshold)
        ret->close_threshold = ret->threshold;
    return true;
}

/* A model knows motion as it looks at its own rate. */
static void warn_of_rate(const struct model_file *file, const char *path, double fps)
{
    double ratio = file->has_calibration && fps > 0 ? fps / file->calibration.fps : 1;

    if (ratio < 0.9 || ratio > 1.1)
        fprintf(stderr, "memaed: eval: warning: the clips have %.3g frames a second, but %s learned at %.3g\n", fps, path,
                file->calibration.fps);
}

static int eval_all(const struct eval *eval)
{
    struct member *members = calloc(eval->n_models, sizeof *members);
    struct labelled_model *models = calloc(eval->n_models, sizeof *models);
    struct labels labels = {0};
    struct labelled_clip *clips = NULL;
    struct localisation *localisation = NULL;
    struct parallel_threads *threads = NULL;
    struct alert_rule rule;
    struct error err = {""};
    json_t *result = NULL;
    int r, status = 1;

    r = members && models ? 0 : -ENOMEM;
    if (r < 0)
        goto fail;
    r = eval->plot_path ? timeline_check(eval->plot_path, &err) : 0;
    if (r < 0) {
        error_prefix(&err, r, "--plot %s", eval->plot_path);
        goto fail;
    }
    r = labels_load(&labels, eval->labels_path, &err);
    if (r < 0)
        goto fail;
    r = parallel_threads_open(&threads, eval->threads);
    if (r < 0)
        goto fail;
    struct parallel parallel = parallel_threads_parallel(threads);
    for (size_t i = 0; i < eval->n_models; i++) {
        const char *path = eval->model_paths[i];

        r = member_open(&members[i], path, eval, &parallel, &err);
        if (r >= 0)
            r = check_alike(&members[i], path, &members[0], eval->model_paths[0], &err);
        if (r < 0)
            goto fail;
        models[i] = (struct labelled_model){path, members[i].scorer, members[i].plan};
    }
    r = eval->masks_path ? localisation_open(&localisation) : 0;
    if (r < 0)
        goto fail;
    clips = calloc(labels.n, sizeof *clips);
    if (!clips) {
        r = -ENOMEM;
        goto fail;
    }
    /* All are looked for before the first is scored: a typing error shows at once. */
    for (size_t i = 0; i < labels.n; i++) {
        char path[PATH_MAX];

        r = labelled_find(path, sizeof path, "--clips", eval->clips_path, labels.clips[i].name, &err);
        if (r >= 0 && eval->masks_path)
            r = labelled_find(path, sizeof path, "--masks", eval->masks_path, labels.clips[i].name, &err);
        if (r < 0) {
            error_prefix(&err, r, "%s:%d", eval->labels_path, labels.clips[i].line);
            goto fail;
        }
    }
    for (size_t i = 0; i < labels.n; i++) {
        r = labelled_read(&clips[i], &labels.clips[i], eval->clips_path, eval->masks_path, models, eval->n_models,
                          localisation, &err);
        if (r < 0) {
            error_prefix(&err, r, "%s:%d", eval->labels_path, labels.clips[i].line);
            goto fail;
        }
    }
    bool has_rule = alert_rule_of(&rule, eval, members);
    struct figures figures = {.models = models, .n_models = eval->n_models, .masks_path = eval->masks_path,
                              .stride = eval->stride, .length = plan_arch(models[0].plan)->frames, .clips = clips,
                              .n = labels.n, .rule = has_rule ? &rule : NULL, .localisation = localisation};
    for (size_t i = 0; i < eval->n_models; i++)
        warn_of_rate(&members[i].file, eval->model_paths[i], figures_fps(clips, labels.n));
    result = figures_json(&figures);
    status = print_result(result);
    r = eval->plot_path ? timeline_plot(eval->plot_path, clips, labels.n, has_rule ? &rule.threshold : NULL, &err) : 0;
    if (r < 0) {
        error_prefix(&err, r, "--plot %s", eval->plot_path);
        goto fail;
    }
    goto end;
fail:
    status = 1;
    fprintf(stderr, "memaed: eval: %s\n", err.text[0] ? err.text : strerror(-r));
end:
    json_decref(result);
    for (size_t i = 0; clips && i < labels.n; i++)
        labelled_clear(&clips[i]);
    free(clips);
    localisation_close(localisation);
    for (size_t i = 0; members && i < eval->n_models; i++)
        member_close(&members[i]);
    free(members);
    free(models);
    parallel_threads_close(threads);
    labels_clear(&labels);
    return status;
}

int command_eval(int argc, char **argv)
{
    static const struct option options[] = {
        {"model", required_argument, NULL, 'm'},     {"clips", required_argument, NULL, 'c'},
        {"labels", required_argument, NULL, 'l'},    {"masks", required_argument, NULL, 'M'},
        {"plot", required_argument, NULL, 'p'},      {"stride", required_argument, NULL, 's'},
        {"threshold", required_argument, NULL, 'T'}, {"threads", required_argument, NULL, 't'},
        {"precision", required_argument, NULL, 'P'}, {"help", no_argument, NULL, 'h'},            {0},
    };
    struct eval eval = {.stride = 1, .threads = parallel_threads_cores(), .precision = PRECISION_AUTO};
    int r = 0;

    opterr = 0;
    optind = 0;
    for (int c; r == 0 && (c = getopt_long(argc, argv, ":m:h", options, NULL)) != -1;) {
        switch (c) {
        case 'm':
            if (eval.n_models == MODELS_MAX)
                return option_misuse("eval", "--model: at most %d expected", MODELS_MAX);
            eval.model_paths[eval.n_models++] = optarg;
            break;
        case 'c':
            eval.clips_path = optarg;
            break;
        case 'l':
            eval.labels_path = optarg;
            break;
        case 'M':
            eval.masks_path = optarg;
            break;
        case 'p':
            eval.plot_path = optarg;
            break;
        case 's':
            r = option_int(&eval.stride, "eval", "stride", optarg, 1, 1000000);
            break;
        case 'T':
            r = option_real(&eval.threshold, "eval", "threshold", optarg, 0, 1e30, false);
            eval.has_threshold = true;
            break;
        case 'P':
            if (!precision_find(&eval.precision, optarg))
                return option_misuse("eval", "--precision: auto, fp32 or int8 expected, '%s' found", optarg);
            break;
        case 't':
            r = option_int(&eval.threads, "eval", "threads", optarg, 1, PARALLEL_THREADS_MAX);
            break;
        case 'h':
            fputs(usage, stdout);
            return fflush(stdout) == 0 ? 0 : 1;
        default:
            return option_unknown("eval", c, argv);
        }
    }
    if (r < 0)
        return 2;
    if (eval.n_models == 0 || !eval.clips_path || !eval.labels_path)
        return option_misuse("eval", "--%s is missing",
                             eval.n_models == 0 ? "model" : !eval.clips_path ? "clips" : "labels");
    if (optind != argc)
        return option_misuse("eval", "%s: no further argument expected", argv[optind]);
    return eval_all(&eval);
}
