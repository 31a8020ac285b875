/* memaed eval: how well a model tells abnormal footage from normal, held against frame labels. */
#include "daemon/commands.h"

#include <dirent.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/evaluation.h"
#include "daemon/clip.h"
#include "daemon/options.h"
#include "daemon/threads.h"
#include "io/labels.h"
#include "io/model_file.h"

static const char usage[] =
    "Usage: memaed eval --model MODEL --clips DIR --labels FILE [OPTION…]\n"
    "\n"
    "Scores labelled clips and prints figures of merit as one JSON object.\n"
    "\n"
    "  -m, --model MODEL      the model to evaluate\n"
    "      --clips DIR        folder of the clips: files, or folders of image files\n"
    "      --labels FILE      a line a clip: its name (of the file without extension, or of the folder), a blank, then\n"
    "                         0 (normal) or 1 (abnormal) for every frame, separated by blanks\n"
    "      --stride N         frames from one window to the next (1)\n"
    "      --threshold T      for the alert figures (the model's own)\n"
    "      --threads N        threads that run the network (all cores)\n"
    "  -h, --help             show this help\n"
    "\n"
    "A window's label is that of its centre frame: of windows of 16 frames, labels are cut by 8 at a clip's front and\n"
    "by 7 at its back. auc_per_clip_minmax: the paper's protocol, reference scaled to 0…1 over each clip, all clips\n"
    "pooled. auc_causal: score, one scale for all clips, nothing from the future. auc_reference_raw: reference as it is.\n"
    "null where a figure is not defined. alerts: what a daemon with this model would have raised, each clip by itself;\n"
    "null without a threshold.\n"
    "\n"
    "Exit status: 0; 1 where a clip is missing, can't be read, or has not as many frames as labels; 2 wrong usage.\n";

struct eval {
    const char *model_path, *clips_path, *labels_path;
    int stride, threads;
    bool has_threshold;
    double threshold;
};

/* The windows of one clip. */
struct clip_scores {
    const struct labels_clip *clip;
    size_t n, frames;
    float *scores;
    double *reference;
    int64_t *times_us;
    uint8_t *labels, *break_before;
};

static void clear_clip(struct clip_scores *c)
{
    free(c->scores);
    free(c->reference);
    free(c->times_us);
    free(c->labels);
    free(c->break_before);
}

/* A clip has no more windows than labels. */
static int open_clip(struct clip_scores *c, const struct labels_clip *clip)
{
    c->clip = clip;
    c->scores = calloc(clip->n, sizeof *c->scores);
    c->reference = calloc(clip->n, sizeof *c->reference);
    c->times_us = calloc(clip->n, sizeof *c->times_us);
    c->labels = calloc(clip->n, sizeof *c->labels);
    c->break_before = calloc(clip->n, sizeof *c->break_before);
    return c->scores && c->reference && c->times_us && c->labels && c->break_before ? 0 : -ENOMEM;
}

static int keep_window(void *arg, const struct clip_window *window, struct error *err)
{
    struct clip_scores *c = arg;

    if (window->frame >= c->clip->n)
        return error_set(err, -EINVAL, "more frames than its %zu labels", c->clip->n);
    c->scores[c->n] = window->score;
    c->reference[c->n] = (double)window->reference;
    c->times_us[c->n] = window->pts_us;
    c->labels[c->n] = c->clip->labels[window->frame];
    c->break_before[c->n] = window->gap_before;
    c->n++;
    return 0;
}

/* ---- clips -------------------------------------------------------------------------------------------------------- */

/* DIR/NAME, a folder, or DIR/NAME.*, a file; the one that there is. */
static int find_clip(char *ret, size_t size, const char *folder, const char *name, struct error *err)
{
    DIR *dir = opendir(folder);
    size_t length = strlen(name);
    char found[PATH_MAX] = "", path[PATH_MAX];
    struct dirent *entry;
    int r = 0;

    if (!dir) {
        r = -errno;
        return error_set(err, r, "--clips %s: %s", folder, strerror(-r));
    }
    while (r == 0 && (entry = readdir(dir))) {
        const char *rest = entry->d_name + length;
        struct stat status;

        if (strncmp(entry->d_name, name, length) != 0 || (*rest && (*rest != '.' || strchr(rest + 1, '.'))))
            continue;
        if (snprintf(path, sizeof path, "%s/%s", folder, entry->d_name) >= (int)sizeof path || stat(path, &status) < 0 ||
            !(S_ISREG(status.st_mode) || (S_ISDIR(status.st_mode) && !*rest)))
            continue;
        if (found[0])
            r = error_set(err, -EINVAL, "clip %s: %s and %s both have its name", name, found, path);
        else
            strcpy(found, path);
    }
    closedir(dir);
    if (r == 0 && !found[0])
        r = error_set(err, -ENOENT, "clip %s: no such folder, or file of that name and any extension, in %s", name, folder);
    if (r == 0 && snprintf(ret, size, "%s", found) >= (int)size)
        r = error_set(err, -ENAMETOOLONG, "clip %s: the path is too long", name);
    return r;
}

static int score_clip(struct clip_scores *c, struct clip_scorer *scorer, const struct arch *arch, const char *folder,
                      struct error *err)
{
    struct source_options options = {.width = arch->width, .height = arch->height, .stall_timeout_ms = 10000};
    struct clip_sink sink = {.arg = c, .window = keep_window};
    struct clip_summary summary;
    struct source *source = NULL;
    char path[PATH_MAX];
    int r;

    r = find_clip(path, sizeof path, folder, c->clip->name, err);
    if (r < 0)
        return r;
    r = source_open(&source, path, &options, err);
    if (r < 0)
        return error_prefix(err, r, "%s", path);
    r = clip_score(scorer, source, &sink, &summary, err);
    source_close(source);
    if (r < 0)
        return error_prefix(err, r, "%s", path);
    c->frames = (size_t)summary.frames;
    if (c->frames != c->clip->n)
        return error_set(err, -EINVAL, "%s: %zu frames decoded, but %zu labels", path, c->frames, c->clip->n);
    if (summary.left_out > 0)
        fprintf(stderr, "memaed: eval: warning: %s: %" PRIu64 " windows left out: %" PRIu64 " corrupt frames, %" PRIu64
                " gaps\n", path, summary.left_out, summary.corrupt, summary.gaps);
    return 0;
}

/* ---- figures ------------------------------------------------------------------------------------------------------ */

static json_t *auc_json(const double *scores, const uint8_t *labels, size_t n)
{
    double auc;

    return evaluation_auc(&auc, scores, labels, n) == 0 ? json_real(auc) : json_null();
}

static long count_positives(const struct clip_scores *c)
{
    long positives = 0;

    for (size_t i = 0; i < c->n; i++)
        positives += c->labels[i];
    return positives;
}

static json_t *alerts_json(const struct alert_rule *rule, const struct clip_scores *clips, size_t n)
{
    struct evaluation_alerts sum = {0};

    for (size_t i = 0; i < n; i++)
        evaluation_alerts(&sum, rule, clips[i].scores, clips[i].labels, clips[i].times_us, clips[i].break_before,
                          clips[i].n);
    return json_pack("{s:f, s:f, s:i, s:i, s:f, s:I, s:I, s:I, s:I, s:I, s:f, s:o}",
                     "threshold", (double)rule->threshold, "close_threshold", (double)rule->close_threshold,
                     "k", rule->k, "n", rule->n, "cooldown_s", (double)rule->cooldown_us * 1e-6,
                     "alerts", (json_int_t)sum.alerts, "on_abnormal", (json_int_t)sum.on_abnormal,
                     "on_normal", (json_int_t)sum.on_normal, "abnormal_stretches", (json_int_t)sum.stretches,
                     "abnormal_stretches_found", (json_int_t)sum.stretches_found, "normal_s", sum.normal_s,
                     "on_normal_per_hour",
                     sum.normal_s > 0 ? json_real((double)sum.on_normal * 3600 / sum.normal_s) : json_null());
}

static json_t *result_json(const struct eval *eval, const struct clip_scores *clips, size_t n,
                           const struct alert_rule *rule)
{
    size_t total = 0, at = 0;
    long positives = 0;
    json_t *list = json_array(), *result = NULL;

    for (size_t i = 0; i < n; i++)
        total += clips[i].n;
    double *raw = calloc(total + 1, sizeof *raw), *own = calloc(total + 1, sizeof *own), *scaled = calloc(total + 1, sizeof *scaled);
    uint8_t *labels = calloc(total + 1, 1);
    if (!list || !raw || !own || !scaled || !labels)
        goto end;
    for (size_t i = 0; i < n; at += clips[i++].n) {
        const struct clip_scores *c = &clips[i];
        long here = count_positives(c);

        memcpy(raw + at, c->reference, c->n * sizeof *raw);
        for (size_t j = 0; j < c->n; j++)
            own[at + j] = (double)c->scores[j];
        memcpy(labels + at, c->labels, c->n);
        evaluation_min_max(scaled + at, c->reference, c->n);
        positives += here;
        if (json_array_append_new(list, json_pack("{s:s, s:I, s:I, s:I, s:o}", "clip", c->clip->name, "frames",
                                                  (json_int_t)c->frames, "windows", (json_int_t)c->n, "positives",
                                                  (json_int_t)here, "auc",
                                                  auc_json(c->reference, c->labels, c->n))) < 0)
            goto end;
    }
    result = json_pack("{s:s, s:o, s:o, s:o, s:I, s:I, s:i, s:O, s:o}", "model", eval->model_path,
                       "auc_per_clip_minmax", auc_json(scaled, labels, total), "auc_causal",
                       auc_json(own, labels, total), "auc_reference_raw", auc_json(raw, labels, total), "windows",
                       (json_int_t)total, "positives", (json_int_t)positives, "stride", eval->stride, "clips", list,
                       "alerts", rule ? alerts_json(rule, clips, n) : json_null());
end:
    json_decref(list);
    free(raw);
    free(own);
    free(scaled);
    free(labels);
    return result;
}

/* ---- the command -------------------------------------------------------------------------------------------------- */

static int print_result(json_t *result)
{
    if (!result || json_dumpf(result, stdout, JSON_INDENT(1) | JSON_REAL_PRECISION(9)) < 0 || putchar('\n') == EOF ||
        fflush(stdout) != 0) {
        fprintf(stderr, "memaed: eval: the result can't be written: %s\n", result ? strerror(errno) : "out of memory");
        return 1;
    }
    return 0;
}

/* The model's thresholds, or the one given, with the default rule around them. */
static bool alert_rule_of(struct alert_rule *ret, const struct eval *eval, const struct model_file *file)
{
    if (!eval->has_threshold && !file->has_calibration)
        return false;
    *ret = (struct alert_rule){
        .threshold = (float)(eval->has_threshold ? eval->threshold : file->calibration.threshold),
        .close_threshold = (float)(eval->has_threshold ? eval->threshold : file->calibration.close_threshold),
        .k = ALERT_DEFAULT_K,
        .n = ALERT_DEFAULT_N,
        .cooldown_us = ALERT_DEFAULT_COOLDOWN_S * INT64_C(1000000),
    };
    if (ret->close_threshold > ret->threshold)
        ret->close_threshold = ret->threshold;
    return true;
}

static int eval_all(const struct eval *eval)
{
    struct model_file file = {0};
    struct labels labels = {0};
    struct clip_scores *clips = NULL;
    struct plan *plan = NULL;
    struct threads *threads = NULL;
    struct clip_scorer *scorer = NULL;
    struct alert_rule rule;
    struct error err = {""};
    json_t *result = NULL;
    int r, status = 1;

    r = labels_load(&labels, eval->labels_path, &err);
    if (r < 0)
        goto fail;
    r = model_file_load(&file, eval->model_path, &err);
    if (r < 0)
        goto fail;
    r = plan_open(&plan, file.model, &err);
    if (r < 0)
        goto fail;
    r = threads_open(&threads, eval->threads);
    if (r < 0)
        goto fail;
    struct parallel parallel = threads_parallel(threads);
    r = clip_open(&scorer, plan, file.has_calibration ? &file.calibration : NULL, &parallel, eval->stride, &err);
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

        r = open_clip(&clips[i], &labels.clips[i]);
        if (r < 0)
            goto fail;
        r = find_clip(path, sizeof path, eval->clips_path, labels.clips[i].name, &err);
        if (r < 0) {
            error_prefix(&err, r, "%s:%d", eval->labels_path, labels.clips[i].line);
            goto fail;
        }
    }
    for (size_t i = 0; i < labels.n; i++) {
        r = score_clip(&clips[i], scorer, plan_arch(plan), eval->clips_path, &err);
        if (r < 0) {
            error_prefix(&err, r, "%s:%d", eval->labels_path, labels.clips[i].line);
            goto fail;
        }
    }
    result = result_json(eval, clips, labels.n, alert_rule_of(&rule, eval, &file) ? &rule : NULL);
    status = print_result(result);
    goto end;
fail:
    fprintf(stderr, "memaed: eval: %s\n", err.text[0] ? err.text : strerror(-r));
end:
    json_decref(result);
    for (size_t i = 0; clips && i < labels.n; i++)
        clear_clip(&clips[i]);
    free(clips);
    clip_close(scorer);
    threads_close(threads);
    plan_close(plan);
    model_file_clear(&file);
    labels_clear(&labels);
    return status;
}

int command_eval(int argc, char **argv)
{
    static const struct option options[] = {
        {"model", required_argument, NULL, 'm'},     {"clips", required_argument, NULL, 'c'},
        {"labels", required_argument, NULL, 'l'},    {"stride", required_argument, NULL, 's'},
        {"threshold", required_argument, NULL, 'T'}, {"threads", required_argument, NULL, 't'},
        {"help", no_argument, NULL, 'h'},            {0},
    };
    struct eval eval = {.stride = 1, .threads = threads_cores()};
    int r = 0;

    opterr = 0;
    optind = 0;
    for (int c; r == 0 && (c = getopt_long(argc, argv, ":m:h", options, NULL)) != -1;) {
        switch (c) {
        case 'm':
            eval.model_path = optarg;
            break;
        case 'c':
            eval.clips_path = optarg;
            break;
        case 'l':
            eval.labels_path = optarg;
            break;
        case 's':
            r = option_int(&eval.stride, "eval", "stride", optarg, 1, 1000000);
            break;
        case 'T':
            r = option_real(&eval.threshold, "eval", "threshold", optarg, 0, 1e30, false);
            eval.has_threshold = true;
            break;
        case 't':
            r = option_int(&eval.threads, "eval", "threads", optarg, 1, THREADS_MAX);
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
    if (!eval.model_path || !eval.clips_path || !eval.labels_path)
        return option_misuse("eval", "--%s is missing",
                             !eval.model_path ? "model" : !eval.clips_path ? "clips" : "labels");
    if (optind != argc)
        return option_misuse("eval", "%s: no further argument expected", argv[optind]);
    return eval_all(&eval);
}
