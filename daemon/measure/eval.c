/* memaed eval: measures how well a model tells abnormal footage from normal, by frame labels. */
#include "daemon/commands.h"

#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/camera_masks.h"
#include "daemon/base/isolation.h"
#include "daemon/base/options.h"
#include "daemon/base/parallel_threads.h"
#include "daemon/measure/clip.h"
#include "daemon/measure/figures.h"
#include "daemon/measure/labelled.h"
#include "daemon/measure/timeline.h"
#include "io/footage/labels.h"
#include "io/model/model_file.h"

enum { MODELS_MAX = 64 };

struct eval {
    struct option_list models;          /* paths, 1 to MODELS_MAX */
    struct option_list normal;          /* paths of normal footage */
    const char *clips_path, *labels_path, *masks_path, *plot_path;
    int stride, threads;
    enum precision precision;
    enum isolation isolation;
    struct camera_masks masks;
    double threshold;                   /* NAN: not given */
};

static int print_result(json_t *result)
{
    if (!result || json_dumpf(result, stdout, JSON_INDENT(1) | JSON_REAL_PRECISION(9)) < 0 || putchar('\n') == EOF) {
        fprintf(stderr, "memaed eval: standard output: %s\n", result ? strerror(errno) : "out of memory");
        return 1;
    }
    return 0;
}

/* A model of the committee and its scorer. */
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
    return clip_open(&m->scorer, m->plan, calibration, m->file.still, eval->masks.zones, parallel, eval->stride,
                     CLIP_COMPUTE_ALL, err);
}

static void member_close(struct member *m)
{
    clip_close(m->scorer);
    plan_close(m->plan);
    model_file_clear(&m->file);
}

/* Checks that a mean over both models has a meaning. */
static int check_alike(const struct member *m, const char *path, const struct member *first, const char *first_path,
                       struct error *err)
{
    int frames = plan_arch(m->plan)->frames, first_frames = plan_arch(first->plan)->frames;

    if (frames != first_frames)
        return error_set(err, -EINVAL, "%s: expected windows of %d frames as in %s, got "
                                       "%d", path, first_frames, first_path, frames);
    if (m->file.has_calibration != first->file.has_calibration ||
        m->file.calibration.has_score != first->file.calibration.has_score)
        return error_set(err, -EINVAL, "%s and %s are calibrated in different ways, so their scores have no common scale",
                         first_path, path);
    return 0;
}

/* The default alert rule with the given threshold, or with the mean of the models'. false: there is no threshold. */
static bool alert_rule_of(struct alert_rule *ret, const struct eval *eval, const struct member *members)
{
    double threshold = isnan(eval->threshold) ? 0 : eval->threshold, close_threshold = threshold;

    if (isnan(eval->threshold) && !members[0].file.has_calibration)
        return false;
    for (size_t i = 0; isnan(eval->threshold) && i < eval->models.n; i++) {
        threshold += members[i].file.calibration.threshold / (double)eval->models.n;
        close_threshold += members[i].file.calibration.close_threshold / (double)eval->models.n;
    }
    *ret = alert_rule_default(threshold, close_threshold);
    return true;
}

/* Motion looks different at another frame rate than the one that the model learned at. */
static void warn_of_rate(const struct model_file *file, const char *path, const char *footage, double fps)
{
    double ratio = file->has_calibration && fps > 0 ? fps / file->calibration.fps : 1;

    if (ratio < CALIBRATION_SLOW_RATE || ratio > 1.1)
        fprintf(stderr, "memaed eval: warning: %s %.3g frames a second, but %s learned at %.3g\n", footage, fps, path,
                file->calibration.fps);
}

static int eval_all(struct eval *eval)
{
    struct member *members = calloc(eval->models.n, sizeof *members);
    struct labelled_model *models = calloc(eval->models.n, sizeof *models);
    struct labels labels = {0};
    struct labelled_clip *clips = NULL;
    struct normal normal = {0};
    struct localisation *localisation = NULL;
    struct parallel_threads *threads = NULL;
    struct alert_rule rule;
    struct policy_rule policy;
    struct error err = {""};
    json_t *result = NULL;
    int r, status = 1;

    r = members && models ? 0 : -ENOMEM;
    if (r < 0)
        goto fail;
    r = camera_masks_open(&eval->masks, &err);
    if (r < 0)
        goto fail;
    r = eval->plot_path ? timeline_check(eval->plot_path, &err) : 0;
    if (r < 0) {
        error_prefix(&err, r, "--plot");
        goto fail;
    }
    r = labels_load(&labels, eval->labels_path, &err);
    if (r < 0)
        goto fail;
    r = parallel_threads_open(&threads, eval->threads);
    if (r < 0)
        goto fail;
    struct parallel parallel = parallel_threads_parallel(threads);
    for (size_t i = 0; i < eval->models.n; i++) {
        const char *path = eval->models.values[i];

        r = member_open(&members[i], path, eval, &parallel, &err);
        if (r >= 0)
            r = check_alike(&members[i], path, &members[0], eval->models.values[0], &err);
        if (r < 0)
            goto fail;
        models[i] = (struct labelled_model){path, members[i].scorer, members[i].plan};
    }
    r = isolation_open(eval->isolation, &err);
    if (r >= 0 && eval->masks_path)
        r = localisation_open(&localisation);
    if (r < 0)
        goto fail;
    clips = calloc(labels.n, sizeof *clips);
    if (!clips) {
        r = -ENOMEM;
        goto fail;
    }
    for (size_t i = 0; i < eval->normal.n; i++) {
        r = normal_check(eval->normal.values[i], &err);
        if (r < 0) {
            error_prefix(&err, r, "--normal");
            goto fail;
        }
    }
    /* All clips are searched before the first is scored, so that a typing error shows at once. */
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
        r = labelled_read(&clips[i], &labels.clips[i], eval->clips_path, eval->masks_path, models, eval->models.n,
                          localisation, &err);
        if (r < 0) {
            error_prefix(&err, r, "%s:%d", eval->labels_path, labels.clips[i].line);
            goto fail;
        }
    }
    bool has_rule = alert_rule_of(&rule, eval, members);
    if (has_rule)
        policy = policy_rule_default(policy_margin(members[0].file.has_calibration && members[0].file.calibration.has_score,
                                                   (double)rule.threshold));
    for (size_t i = 0; i < eval->normal.n; i++) {
        r = normal_add(&normal, eval->normal.values[i], models, eval->models.n, has_rule ? &rule : NULL,
                       has_rule ? &policy : NULL, &err);
        if (r < 0) {
            error_prefix(&err, r, "--normal");
            goto fail;
        }
    }
    struct figures figures = {.models = models, .n_models = eval->models.n, .masks_path = eval->masks_path,
                              .stride = eval->stride, .length = plan_arch(models[0].plan)->frames, .clips = clips,
                              .n = labels.n, .normal = eval->normal.n > 0 ? &normal : NULL,
                              .rule = has_rule ? &rule : NULL, .policy = &policy, .localisation = localisation};
    for (size_t i = 0; i < eval->models.n; i++) {
        warn_of_rate(&members[i].file, eval->models.values[i], "the clips have", figures_fps(clips, labels.n));
        warn_of_rate(&members[i].file, eval->models.values[i], "--normal has", normal_fps(&normal, eval->stride));
    }
    result = figures_json(&figures);
    status = print_result(result);
    r = eval->plot_path ? timeline_plot(eval->plot_path, clips, labels.n, has_rule ? &rule.threshold : NULL, &err) : 0;
    if (r < 0) {
        error_prefix(&err, r, "--plot");
        goto fail;
    }
    goto end;
fail:
    status = 1;
    fprintf(stderr, "memaed eval: %s\n", err.text[0] ? err.text : strerror(-r));
end:
    json_decref(result);
    for (size_t i = 0; clips && i < labels.n; i++)
        labelled_clear(&clips[i]);
    free(clips);
    normal_clear(&normal);
    localisation_close(localisation);
    for (size_t i = 0; members && i < eval->models.n; i++)
        member_close(&members[i]);
    free(members);
    free(models);
    camera_masks_close(&eval->masks);
    isolation_close();
    parallel_threads_close(threads);
    labels_clear(&labels);
    return status;
}

static const struct command_option eval_options[] = {
    {"model", 'm', OPTION_LIST(struct eval, models), .argument = "MODEL", .path = OPTION_FILE, .most = MODELS_MAX,
     .required = true,
     .help = "The model to evaluate. Given several times, the models form a committee: reference, score and map of a window are "
             "the mean over the models, and so is the threshold; model and precision in the result are arrays then."},
    {"clips", 0, OPTION_TEXT(struct eval, clips_path), .argument = "DIR", .path = OPTION_FOLDER, .required = true,
     .help = "The folder of the clips: files, or folders of image files."},
    {"labels", 0, OPTION_TEXT(struct eval, labels_path), .argument = "FILE", .path = OPTION_FILE, .required = true,
     .help = "One line a clip: its name (of the file without extension, or of the folder), a blank, then 0 (normal) or 1 "
             "(abnormal) for every frame, separated by blanks."},
    {"masks", 0, OPTION_TEXT(struct eval, masks_path), .argument = "DIR", .path = OPTION_FOLDER,
     .help = "Also compare the map of every window with the mask of its centre frame. DIR/NAME.* is a video, DIR/NAME a "
             "folder "
             "of images, of the clip's size, frame by frame, white where abnormal."},
    {"normal", 0, OPTION_LIST(struct eval, normal), .argument = "PATH…", .path = OPTION_FILE, .more = true,
     .help = "Normal footage apart from the clips, in which nothing abnormal happens, of any length; as --input of "
             "`memaed learn`. False alarms a day are counted on it instead of on the clips, and so are false alerts."},
    {"plot", 0, OPTION_TEXT(struct eval, plot_path), .argument = "FILE", .path = OPTION_FILE,
     .help = "Also draw the scores over time with the labels, as .svg or .png. This needs gnuplot."},
    {"stride", 0, OPTION_INT(struct eval, stride, 1, 1000000), .argument = "N",
     .help = "Frames from one window to the next (default: 1)."},
    {"threshold", 0, OPTION_REAL(struct eval, threshold, -1e30, 1e30), .argument = "T",
     .help = "The threshold of the alert figures (default: the model's own)."},
    {"precision", 0, OPTION_CHOICE(struct eval, precision, option_precisions),
     .help = "The numbers that the network computes in (default: auto). auto takes int8 where the model's calibration shows that "
             "its scores agree with those of fp32."},
    CAMERA_MASKS_OPTIONS(struct eval, masks),
    {"threads", 0, OPTION_INT(struct eval, threads, 1, PARALLEL_THREADS_MAX), .argument = "N",
     .help = "Threads that run the network (default: all cores)."},
    {"isolation", 0, OPTION_CHOICE(struct eval, isolation, isolation_names), .help = isolation_help},
    {0},
};

static int command_eval(int argc, char **argv)
{
    struct eval eval = {.stride = 1, .threads = parallel_threads_cores(), .precision = PRECISION_AUTO, .threshold = NAN};
    int status;
    if (command_parse(&eval_command, &eval, argc, argv, &status) &&
        (status = camera_masks_check(&eval.masks, &eval_command)) == 0)
        status = eval_all(&eval);
    command_clear(&eval_command, &eval);
    return status;
}

const struct command eval_command = {
    .name = "eval",
    .summary = "measure a model against labelled clips",
    .forms = "--model MODEL --clips DIR --labels FILE [OPTION…]",
    .about = "Scores labelled clips and prints figures of merit as one JSON object. A figure that is not defined is null.",
    .options = eval_options,
    .notes = "A window has the label of its centre frame. With windows of 16 frames, the first 8 and the last 7 labels of "
             "a clip "
             "are not used.\n\n"
             "Figures:\n"
             "  auc_per_clip_minmax: the paper's protocol: reference scaled to 0…1 over each clip, all clips pooled. It "
             "needs the "
             "future of each clip.\n"
             "  auc_causal: of score, on one scale for all clips, with nothing from the future.\n"
             "  auc_reference_raw: of reference as it is.\n"
             "  average_precision: of score.\n"
             "  motion: the two areas for plain motion energy, which learns nothing.\n"
             "  delay: frames from a window's centre to its last frame, with which its score can be known.\n"
             "  alerts: what a daemon with this model would have raised, each clip by itself; null without a threshold.\n"
             "  events: how many abnormal stretches are found, and how late, at thresholds with 1, 10 and 100 false "
             "alarms a day. A false alarm is a run of normal windows at or above the threshold: of --normal if it is given, "
             "else of windows labelled normal (counted_on). Where that footage is more than 1 % shorter than "
             "normal_hours_needed, resolved is false and the figures are null. no_false_alarm tells those of "
             "the lowest threshold without any, and the rate that it excludes with 95 % confidence.\n"
             "  normal: how often the daemon's alert rule would have raised an alert on --normal.\n"
             "  localisation: with --masks: pixel_auc at the resolution of the masks; rbdc and tbdc, the region-based and "
             "the track-based detection criterion of Ramachandra and Jones (2020). A track is a chain of regions that "
             "overlap from mask to mask of a clip.\n\n"
             "Exit status: 0; 1 where a clip is missing, cannot be read, or has another number of frames than of labels; "
             "2 wrong "
             "usage.",
    .run = command_eval,
};
