/* memaed learn: learns a model from footage of a camera. */
#include "daemon/commands.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "daemon/base/ffmpeg_log.h"
#include "daemon/base/isolation.h"
#include "daemon/base/log.h"
#include "daemon/base/options.h"
#include "daemon/base/parallel_threads.h"
#include "daemon/learn/display.h"
#include "daemon/learn/footage_health.h"
#include "daemon/learn/inputs.h"
#include "daemon/learn/learner.h"
#include "daemon/learn/recorder.h"
#include "io/base/clock.h"
#include "io/base/new_file.h"
#include "io/footage/footage.h"
#include "io/model/model_file.h"

struct size {
    int width, height;
};

struct learn {
    struct option_list inputs, calibrate;
    char *checkpoint, *kept;    /* files beside the output: the checkpoint, and the recording or footage beyond the memory */
    const char *output, *arch_file, *config_file, *camera_name;
    int profile;                /* for arch_profile_name() */
    double hours;               /* 0: not given */
    const struct config_camera *camera; /* the camera to record; NULL: learn from inputs */
    struct size size;           /* 0 x 0: the profile's */
    double fps, minutes, alerts_a_day, learning_rate, entropy;
    int steps, seed, threads, batch, max_memory_mib, max_disk_mib;
    double checkpoint_s;
    bool resume, low_priority, any_footage;
    enum isolation isolation;
};

static atomic_bool stop;        /* set by SIGINT and SIGTERM; a second signal ends the process at once */

static void ask_to_stop(int signal_number)
{
    (void)signal_number;
    atomic_store(&stop, true);
}

static void take_signals(void)
{
    struct sigaction action = {.sa_handler = ask_to_stop, .sa_flags = (int)SA_RESETHAND | SA_RESTART};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

/* Called before threads start, so that they inherit it. If the kernel refuses, the priority stays as it is. */
static void give_way(void)
{
    enum { IOPRIO_WHO_PROCESS = 1, IOPRIO_IDLE = 3 << 13 };
    setpriority(PRIO_PROCESS, 0, 19);
    sched_setscheduler(0, SCHED_IDLE, &(struct sched_param){0});
    syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, IOPRIO_IDLE);
}

/* ---- steps of the command ---------------------------------------------------------------------------------------- */

static int choose_arch(struct arch *ret, const struct learn *o, struct error *err)
{
    struct arch arch;
    if (o->arch_file) {
        int r = arch_load(&arch, o->arch_file, err);
        if (r < 0)
            return r;
    } else {
        arch = *arch_profile(arch_profile_name(o->profile));
    }
    if (arch_check_camera(&arch, err) < 0)
        return -EINVAL;
    if (o->size.width > 0) {
        arch.width = o->size.width;
        arch.height = o->size.height;
    }
    struct arch_shapes shapes;
    int r = arch_shapes(&shapes, &arch, err);
    if (r == 0)
        *ret = arch;
    return r;
}

/* Each round of the footage is divided at these fractions: learned from, calibrated on, verified on. If the last part is
 * shorter than LEAST_VERIFIED_S in all, it is used for calibration too. Footage of --calibrate is divided between the last
 * two in the same proportion.
 *
 * If less than LEAST_CALIBRATED_S are held out, the learned part is calibrated on too. The network reconstructs it a little
 * better than new footage, but seconds of held-out footage do not show what is usual at a camera. */
#define LEARN_UNTIL 0.8
#define CALIBRATE_UNTIL 0.96
#define LEAST_VERIFIED_S 60
#define LEAST_CALIBRATED_S 3600

static void hold_out(struct learner_options *ret, const struct footage *footage, struct footage_range all, double from,
                     double cut)
{
    size_t rounds = footage_rounds(footage, all);
    double fps = footage_fps(footage), seconds = fps > 0 ? (double)(all.end - all.begin) / fps : 0;
    cut = (1 - cut) * seconds < LEAST_VERIFIED_S ? 1 : cut;
    ret->held_out = ret->calibrate = (struct footage_part){all, rounds, from, cut};
    if ((cut - from) * seconds < LEAST_CALIBRATED_S)
        ret->calibrate.from = 0;
    ret->verify = (struct footage_part){all, rounds, cut, 1};
}

/* Divides the footage into the parts of ret, and checks that they can be used. */
static int split(struct learner_options *ret, struct footage *footage, size_t n_inputs, int length, struct error *err)
{
    size_t n = footage_frames(footage);
    struct footage_range all = {0, n}, apart = {n_inputs, n};
    if (n_inputs == n) {
        ret->learn = (struct footage_part){all, footage_rounds(footage, all), 0, LEARN_UNTIL};
        hold_out(ret, footage, all, LEARN_UNTIL, CALIBRATE_UNTIL);
        return footage_check(footage, all, length, err);
    }
    ret->learn = (struct footage_part){{0, n_inputs}, 1, 0, 1};
    hold_out(ret, footage, apart, 0, (CALIBRATE_UNTIL - LEARN_UNTIL) / (1 - LEARN_UNTIL));
    int r = footage_check(footage, ret->learn.all, length, err);
    if (r < 0)
        return error_prefix(err, r, "--input");
    r = footage_check(footage, apart, length, err);
    return r < 0 ? error_prefix(err, r, "--calibrate") : 0;
}

/* A checkpoint belongs to the footage that was learned from. Once frames of the recording are lost, no run can use it. */
static void drop_old_checkpoint(const struct learn *o, const struct footage *footage)
{
    uint64_t bytes;
    if (footage_lost(footage, &bytes) > 0 && unlink(o->checkpoint) == 0)
        log_event(LOG_WARNING, "checkpoint_removed", "path", o->checkpoint, "reason",
                  "the recording has lost frames since it was written; learning starts anew", NULL);
}

/* Fills the footage from the camera or from the inputs. */
static int fill(struct footage *footage, const struct learn *o, struct error *err)
{
    if (!o->camera)
        return inputs_read(&o->inputs, footage, o->fps, err);
    drop_old_checkpoint(o, footage);
    return recorder_run(footage, o->camera, o->kept, o->hours * 3600, &stop, err);
}

/* Returns true if the network takes the aspect of the camera's pictures: a profile for CPUs does, unless --size or --arch
 * is given. */
static bool fits_camera(const struct learn *o)
{
    return !o->arch_file && o->size.width == 0 && arch_profile_fits(arch_profile_name(o->profile));
}

static void fit_size(void *arg, int *width, int *height)
{
    arch_fit_size(arg, width, height);
}

/* Reads the footage, sets the parts in ranges, and sets the size in arch. */
static int read_footage(struct footage **ret, struct learner_options *ranges, const struct learn *o, struct arch *arch,
                        struct error *err)
{
    bool fits = fits_camera(o);
    const struct footage_options options = {.width = fits ? 0 : arch->width, .height = fits ? 0 : arch->height,
                                            .fit = fit_size, .arg = arch, .fps = o->fps, .slow_rate = CALIBRATION_SLOW_RATE,
                                            .max_bytes = (size_t)o->max_memory_mib << 20, .path = o->kept, .keep = o->camera,
                                            .max_disk_bytes = (size_t)o->max_disk_mib << 20, .skipped = inputs_log_skipped,
                                            .warned = inputs_log_warned, .host = isolation_host(),
                                            .memory_mib = ISOLATION_FOOTAGE_MIB,
                                            .stop = &stop,
                                            .zones = o->camera ? o->camera->zones : NULL};
    struct footage *footage = NULL;
    int r = 0;
    if (o->camera && !o->resume && access(o->kept, F_OK) == 0)
        r = error_set(err, -EEXIST, "%s: there is a recording already; continue it with --resume, or remove it", o->kept);
    if (r < 0 || (r = footage_open(&footage, &options, err)) < 0 || (r = fill(footage, o, err)) < 0)
        goto fail;
    size_t n_inputs = footage_frames(footage);
    if ((r = inputs_read(&o->calibrate, footage, 0, err)) < 0)
        goto fail;
    int width, height;
    char size[24];
    footage_size(footage, &width, &height);
    snprintf(size, sizeof size, "%dx%d", width, height);
    struct log_number frames, fps, corrupt, clips, skipped;
    log_event(LOG_INFO, "footage", "clips", log_int(&clips, (long long)footage_clips(footage)), "frames",
              log_int(&frames, (long long)footage_frames(footage)), "fps", log_real(&fps, footage_fps(footage)),
              "corrupt", log_int(&corrupt, (long long)footage_corrupt(footage)), "skipped",
              log_int(&skipped, (long long)footage_skipped(footage)), "size", size, NULL);
    if ((r = split(ranges, footage, n_inputs, arch->frames, err)) < 0)
        goto fail;
    arch->width = width;
    arch->height = height;
    struct arch_shapes shapes;          /* a resumed recording may have another size */
    if ((r = arch_shapes(&shapes, arch, err)) < 0) {
        error_prefix(err, r, "footage of %s", size);
        goto fail;
    }
    *ret = footage;
    return 0;
fail:
    footage_close(footage);
    return r;
}

static json_t *story(const struct learn *o, const struct learner_options *options, const struct learner_result *r,
                     const struct arch *arch, struct footage *footage)
{
    struct footage_part calibrated = options->held_out;
    json_t *held_out = json_pack("{s:f, s:f, s:i}", "error", r->held_out.error, "alive", r->held_out.alive, "frames",
                                 (int)lround(footage_part_frames(&calibrated)));
    if (isfinite(r->held_out.error_without_memory))
        json_object_set_new(held_out, "error_without_memory", json_real(r->held_out.error_without_memory));
    if (o->calibrate.n > 0)
        json_object_set_new(held_out, "inputs", inputs_to_json(&o->calibrate));
    json_t *use = r->slot_use ? json_array() : NULL;
    for (int i = 0; r->slot_use && i < arch->memory.slots; i++)
        json_array_append_new(use, json_real(round(1e6 * r->slot_use[i]) / 1e6));
    if (o->calibrate.n > 0) {           /* reading it again will need these files only */
        calibrated.all.begin -= options->learn.all.end;
        calibrated.all.end -= options->learn.all.end;
    }
    json_t *calibrated_on = o->camera ? json_null()
                                      : inputs_calibrated(NULL, o->calibrate.n > 0 ? &o->calibrate : &o->inputs,
                                                          calibrated.all.end, &calibrated);
    json_t *verified = r->verified.windows > 0 ? survey_to_json(&r->verified, &r->calibration, footage) : json_null();
    return json_pack("{s:s, s:s, s:o, s:f, s:i, s:f, s:i, s:i, s:i, s:f, s:f, s:f, s:{s:f, s:f}, s:o, s:i, s:o*, s:i, "
                     "s:o, s:o, s:o, s:f}",
                     "program", "memaed " MEMAED_VERSION, "profile",
                     o->arch_file ? "custom" : arch_profile_name(o->profile), "inputs", inputs_to_json(&o->inputs),
                     "hours", (double)footage_frames(footage) / footage_fps(footage) / 3600,
                     "frames", (int)footage_frames(footage), "fps", footage_fps(footage), "seed", o->seed,
                     "steps", (int)r->last.step, "batch", o->batch, "learning_rate", o->learning_rate,
                     "entropy_weight", o->entropy, "seconds", r->last.seconds,
                     "loss", "mse", r->last.loss.mse, "entropy", r->last.loss.entropy, "held_out", held_out,
                     "slots_used", r->held_out.slots_used, "slot_use", use, "slots_reseeded", (int)r->last.slots_reseeded,
                     "verified", verified, "learned", survey_to_json(&r->learned, &r->calibration, footage),
                     "calibrated_on", calibrated_on, "masked", score_masked(footage_zones(footage), arch));
}

/* Identifies the run for a checkpoint. The number of threads is left out: another number changes only the last bits of the
 * model. */
static json_t *belongs(const struct learn *o, const struct learner_options *options, const struct arch *arch,
                       const struct footage *footage)
{
    char identity[24];
    snprintf(identity, sizeof identity, "%016" PRIx64, footage_identity(footage));
    json_t *network = arch_to_json(arch);
    if (!network)
        return NULL;
    return json_pack("{s:o, s:s, s:I, s:I, s:i, s:i, s:i, s:f, s:f, s:f}", "architecture", network, "footage", identity,
                     "frames to learn from", (json_int_t)options->learn.all.end, "frames",
                     (json_int_t)options->calibrate.all.end,
                     "seed", o->seed, "batch", o->batch, "steps", o->steps, "time limit", o->minutes, "learning rate",
                     o->learning_rate, "entropy weight", o->entropy);
}

static void report_surveys(const struct learner_result *r, const struct footage *footage)
{
    const struct survey *v = &r->verified, *l = &r->learned;
    if (v->windows > 0)
        survey_print_verified(v, &r->calibration);
    else
        printf("not verified: that takes a minute of footage besides that for learning and calibration\n");
    if (l->lowered > 0)
        printf("the learned footage alerts more often than the footage held out: all scores are lowered by %.2g, %s\n",
               l->lowered, l->lowered_most ? "which is all that a model can hold" : "so that it does not");
    printf("%.3g hours were learned from; %s%d places in them look like anomalies%s\n", l->hours,
           l->n_suspects == SURVEY_SUSPECTS ? "at least " : "", l->n_suspects, l->n_suspects ? ":" : "");
    for (int i = 0; i < l->n_suspects; i++) {
        double at_s;
        const char *input = footage_place(footage, l->suspects[i].frame, &at_s);
        printf("  %s at %d:%02d:%04.1f, score %.3g\n", *input ? input : "recording", (int)(at_s / 3600), (int)(at_s / 60) % 60,
               fmod(at_s, 60), l->suspects[i].score);
    }
}

static void report(const char *output, const struct learner_result *r, double alerts_a_day)
{
    printf("%s: %ld steps in %.0f s, held-out error %.5f", output, r->last.step, r->last.seconds, r->held_out.error);
    if (isfinite(r->held_out.error_without_memory))
        printf(" (%.5f without the memory), %d slots in use, %.1f %% of queries answered", r->held_out.error_without_memory,
               r->held_out.slots_used, 100 * r->held_out.alive);
    printf("\nthreshold %.5g (scores of the calibration: median %.5g, maximum %.5g over %ld windows) at %g frames a second\n",
           r->calibration.threshold, r->calibration.median, r->calibration.maximum, r->calibration.windows,
           r->calibration.fps);
    survey_print_provisional(&r->calibration, alerts_a_day);
}

static int learn(const struct learn *o, struct error *err)
{
    int64_t started = monotonic_us();
    struct arch arch;
    struct model *model = NULL;
    struct footage *footage = NULL;
    struct parallel_threads *threads = NULL;
    json_t *belonging = NULL;
    struct learner_options options = {
        .batch = o->batch, .learning_rate = o->learning_rate, .alpha = o->entropy, .seed = (uint64_t)o->seed,
        .steps = o->steps, .deadline_us = o->minutes > 0 ? started + (int64_t)(o->minutes * 60e6) : 0,
        .alerts_a_day = o->alerts_a_day,
        .checkpoint = o->checkpoint, .checkpoint_s = o->checkpoint_s, .resume = o->resume, .stop = &stop,
    };
    struct learner_result result = {0};
    int r = new_file_check(o->output, err);
    if (r < 0 || (r = choose_arch(&arch, o, err)) < 0 || (r = read_footage(&footage, &options, o, &arch, err)) < 0 ||
        (r = footage_health_check(footage, o->any_footage, &stop, err)) < 0 || (r = model_open(&model, &arch, err)) < 0)
        goto out;
    if (o->camera && o->minutes > 0)
        options.deadline_us = monotonic_us() + (int64_t)(o->minutes * 60e6);
    if ((r = parallel_threads_open(&threads, o->threads)) < 0) {
        error_set(err, r, "--threads %d: %s", o->threads, strerror(-r));
        goto out;
    }
    options.belongs = belonging = belongs(o, &options, &arch, footage);
    if (!belonging) {
        r = error_set(err, -ENOMEM, "out of memory");
        goto out;
    }
    if (!o->resume && access(o->checkpoint, F_OK) == 0)
        log_event(LOG_WARNING, "checkpoint_ignored", "path", o->checkpoint, "reason",
                  "an interrupted run left it, and --resume is not given; it will be overwritten", NULL);
    model_init(model, (uint64_t)o->seed);
    struct parallel parallel = parallel_threads_parallel(threads);
    struct display display;
    display_begin(&display);
    r = learner_run(&result, model, footage, &options, &parallel, display_show, &display, err);
    display_end(&display);
    if (r == -EINTR && access(o->checkpoint, F_OK) == 0)
        error_set(err, r, "interrupted; the same command with --resume continues from %s", o->checkpoint);
    if (r == -EDOM)             /* resuming would fail in the same way */
        unlink(o->checkpoint);
    if (r < 0)
        goto out;
    json_t *training = story(o, &options, &result, &arch, footage);
    r = training ? model_file_save(o->output, model, &result.calibration, result.still, training, err)
                 : error_set(err, -ENOMEM, "out of memory");
    json_decref(training);
    if (r == 0) {
        unlink(o->checkpoint);
        if (o->camera)
            unlink(o->kept);
        report(o->output, &result, o->alerts_a_day);
        still_learner_report(result.still);
        report_surveys(&result, footage);
        double late_s = options.deadline_us > 0 ? (double)(monotonic_us() - options.deadline_us) * 1e-6 : 0;
        if (late_s >= 1)
            printf("done %.0f s after the time limit: this machine was busy with other things\n", late_s);
    }
out:
    if (r < 0 && r != -EINTR && o->camera && footage)
        log_event(LOG_NOTICE, "recording_kept", "path", o->kept, "reason",
                  "the same command with --resume learns from it", NULL);
    free(result.slot_use);
    free(result.still);
    json_decref(belonging);
    parallel_threads_close(threads);
    model_close(model);
    footage_close(footage);
    return r;
}

/* ---- command line ------------------------------------------------------------------------------------------------ */

static bool parse_size(void *place, const char *text)
{
    char end;
    int w, h;
    if (sscanf(text, "%dx%d%c", &w, &h, &end) != 2 || w < 16 || h < 16 || w > 4096 || h > 4096 || w % 16 || h % 16)
        return false;
    *(struct size *)place = (struct size){w, h};
    return true;
}

static void print_fault(void *arg, const char *text)
{
    (void)arg;
    fprintf(stderr, "%s\n", text);
}

/* Finds the camera that --camera names. Its source becomes the input; its model and fps are the defaults of --output and
 * --fps. */
static int choose_camera(struct learn *o, const struct config *config, struct error *err)
{
    for (size_t i = 0; i < config->n_cameras; i++)
        if (strcmp(config->cameras[i].name, o->camera_name) == 0)
            o->camera = &config->cameras[i];
    if (!o->camera)
        return error_set(err, -ENOENT, "--camera: expected a camera of %s, got \"%s\"", o->config_file, o->camera_name);
    if (option_list_append(&o->inputs, o->camera->source) < 0)
        return error_set(err, -ENOMEM, "out of memory");
    o->output = o->output ? o->output : o->camera->model;
    o->fps = o->fps > 0 ? o->fps : o->camera->fps;
    return 0;
}

/* Names the files beside the output. */
static int name_files(struct learn *o, struct error *err)
{
    if (asprintf(&o->checkpoint, "%s.checkpoint", o->output) < 0)
        o->checkpoint = NULL;
    if (asprintf(&o->kept, "%s.%s", o->output, o->camera ? "recording" : "footage") < 0)
        o->kept = NULL;
    return o->checkpoint && o->kept ? 0 : error_set(err, -ENOMEM, "out of memory");
}

static int run(struct learn *o)
{
    struct error err = {.text = "out of memory"};
    struct config *config = NULL;
    int r = 0;
    if (o->config_file) {
        r = config_load_unlearned(&config, o->config_file, print_fault, NULL);
        if (r == -ENOMEM)
            error_set(&err, r, "out of memory");
        else if (r < 0)
            return 1;
    }
    if (r < 0 || (config && (r = choose_camera(o, config, &err)) < 0) || (r = name_files(o, &err)) < 0 ||
        (r = isolation_open(config && config->in_thread ? ISOLATION_THREAD : o->isolation, &err)) < 0 || (r = learn(o, &err)) < 0)
        command_failed(&learn_command, &err);
    isolation_close();
    free(o->checkpoint);
    free(o->kept);
    config_unref(config);
    return r < 0;
}

/* Footage comes from inputs, or from a camera. Exit status 0 or 2. */
static int check_form(const struct learn *o)
{
    if (!o->config_file && !o->camera_name && o->hours == 0) {
        if (o->inputs.n == 0)
            return command_misuse(&learn_command, "expected --input, or --config, --camera and --hours");
        return o->output ? 0 : command_misuse(&learn_command, "--output MODEL is missing");
    }
    if (!o->config_file || !o->camera_name || o->hours == 0)
        return command_misuse(&learn_command, "--config, --camera and --hours must be given together");
    if (o->inputs.n > 0 || o->calibrate.n > 0)
        return command_misuse(&learn_command, "--camera: leave out --input and --calibrate");
    return 0;
}

static const struct command_option learn_options[] = {
    {"input", 'i', OPTION_LIST(struct learn, inputs), .argument = "PATH…", .path = OPTION_FILE, .more = true,
     .section = "Footage", .help = "Footage to learn from, oldest first. May be repeated."},
    {"calibrate", 0, OPTION_LIST(struct learn, calibrate), .argument = "PATH…", .path = OPTION_FILE, .more = true,
     .help = "Other footage to calibrate on. All of --input is then learned from."},
    {"config", 0, OPTION_TEXT(struct learn, config_file), .argument = "FILE", .path = OPTION_FILE,
     .help = "A configuration. Its models need not exist yet."},
    {"camera", 0, OPTION_TEXT(struct learn, camera_name), .argument = "NAME",
     .help = "The camera in it to learn from. What its masks cover is not learned."},
    {"hours", 0, OPTION_REAL_ABOVE(struct learn, hours, 0, 10000), .argument = "H",
     .help = "Hours of footage to record; fewer where the source is a file that ends before."},
    {"fps", 0, OPTION_REAL(struct learn, fps, 0, 1000), .argument = "F",
     .help = "Frames analysed a second; 0 takes every frame (default: 0, or the camera's in the configuration)."},
    {"any-footage", 0, OPTION_FLAG(struct learn, any_footage),
     .help = "Learn also from footage in most of which the picture is black, covered or frozen."},
    {"output", 'o', OPTION_TEXT(struct learn, output), .argument = "MODEL", .path = OPTION_FILE,
     .help = "The model file to write (default with --camera: the one in the configuration)."},
    {"profile", 0, OPTION_CHOICE(struct learn, profile, arch_profile_name), .argument = "NAME", .section = "Network",
     .help = "small (default), compact, nano, paper or released; without a memory, to compare with: small-ae, compact-ae or "
             "nano-ae."},
    {"arch", 0, OPTION_TEXT(struct learn, arch_file), .argument = "FILE", .path = OPTION_FILE,
     .help = "The network from a JSON file (docs/model-format.md) instead."},
    {"size", 0, OPTION_PARSED(struct learn, size, parse_size, "WIDTHxHEIGHT, multiples of 16 from 16 to 4096"),
     .argument = "WIDTHxHEIGHT",
     .help = "Size of the pictures that the network sees, multiples of 16. By default near the camera's aspect, as many "
             "pixels as "
             "128x128 (small, compact) or 64x64 (nano), and no larger than the camera's pictures; 256x256 (paper, "
             "released); the "
             "file's (--arch)."},
    {"time-limit", 0, OPTION_REAL_ABOVE(struct learn, minutes, 0, 1e5), .argument = "MINUTES", .section = "Training",
     .help = "Be done after so many minutes, calibration included, recording not (default: 30 without --steps, none with "
             "it). If other programs slow it down meanwhile, it scores less afterwards, and says how late it is if it still is."},
    {"steps", 0, OPTION_INT(struct learn, steps, 1, 100000000), .argument = "N",
     .help = "Stop after N training steps. The schedule then follows the steps alone."},
    {"seed", 0, OPTION_INT(struct learn, seed, 0, 2147483647), .argument = "N", .help = "Seed of all random choices "
                                                                                        "(default: 1)."},
    {"batch", 0, OPTION_INT(struct learn, batch, 1, 1024), .argument = "N", .help = "Windows a step (default: 8)."},
    {"learning-rate", 0, OPTION_REAL_ABOVE(struct learn, learning_rate, 0, 1), .argument = "R",
     .help = "The highest learning rate of the schedule (default: 0.001)."},
    {"entropy", 0, OPTION_REAL(struct learn, entropy, 0, 1), .argument = "A",
     .help = "Weight of the addressing's entropy in the loss (default: 0.0002)."},
    {"alerts-per-day", 0, OPTION_REAL_ABOVE(struct learn, alerts_a_day, 0, 1e6), .argument = "A",
     .help = "Alerts a day that the threshold allows on normal footage (default: 1). From less than an hour of "
             "footage: one in 24 times that footage, if that is more."},
    {"threads", 0, OPTION_INT(struct learn, threads, 1, PARALLEL_THREADS_MAX), .argument = "N", .section = "Resources",
     .help = "Threads (default: all cores)."},
    {"isolation", 0, OPTION_CHOICE(struct learn, isolation, isolation_names), .help = isolation_help},
    {"max-memory", 0, OPTION_INT(struct learn, max_memory_mib, 1, 1 << 20), .argument = "MIB",
     .help = "Memory for decoded footage. The rest goes to a compressed file beside MODEL (default: 4096)."},
    {"max-disk", 0, OPTION_INT(struct learn, max_disk_mib, 1, 1 << 30), .argument = "MIB",
     .help = "Largest size of that file, or of the recording (default: 65536)."},
    {"low-priority", 0, OPTION_FLAG(struct learn, low_priority), .help = "Give way to everything else on this machine."},
    {"resume", 0, OPTION_FLAG(struct learn, resume), .section = "Interruptions",
     .help = "Continue an interrupted run from MODEL.checkpoint and MODEL.recording. Starts anew where these are missing."},
    {"checkpoint", 0, OPTION_REAL(struct learn, checkpoint_s, 0, 60), .argument = "S",
     .help = "Seconds between checkpoints (default: 45)."},
    {0},
};

static int profile_index(const char *name)
{
    int i = 0;
    while (strcmp(arch_profile_name(i), name) != 0)
        i++;
    return i;
}

static int command_learn(int argc, char **argv)
{
    struct learn o = {.checkpoint_s = 45, .profile = profile_index("small"), .alerts_a_day = 1, .learning_rate = 1e-3,
                      .entropy = 2e-4, .seed = 1, .batch = 8, .max_memory_mib = 4096, .max_disk_mib = 65536,
                      .threads = parallel_threads_cores()};
    int status;
    if (!command_parse(&learn_command, &o, argc, argv, &status) || (status = check_form(&o)) != 0)
        goto end;
    if (o.minutes == 0 && o.steps == 0)
        o.minutes = 30;
    log_open(LOG_INFO);
    ffmpeg_log_events();
    take_signals();
    if (o.low_priority)
        give_way();
    status = run(&o);
end:
    command_clear(&learn_command, &o);
    return status;
}

const struct command learn_command = {
    .name = "learn",
    .summary = "train a model on normal footage",
    .forms = "--input PATH… --output MODEL [OPTION…]\n"
             "--config FILE --camera NAME --hours H [--output MODEL] [OPTION…]",
    .about = "Trains a network on normal footage, and writes a model and a report. The alert threshold is "
             "calibrated on "
             "footage that is not learned from: the last fifth of each hour, or --calibrate. A part of that is used "
             "neither for "
             "learning nor for calibration. At the end, learn reports how many alerts the threshold gives on it. Where less "
             "than an hour is held out for the calibration, the footage that was learned is calibrated on as well.\n\n"
             "PATH is what FFmpeg opens: a file, a URL that ends, an image sequence pattern (%03d.jpg); a folder of image "
             "files is "
             "one sequence, a folder of videos all of them in name order.\n\n"
             "The second form first records the camera to MODEL.recording, through losses of the stream, until there are "
             "H hours of "
             "footage. It removes the recording once the model is written.",
    .options = learn_options,
    .notes = "Interrupted (Ctrl-C), it writes a checkpoint and exits with status 1. After a crash at most a minute of "
             "training is "
             "lost.\n\n"
             "Exit status: 0; 1 where the footage is of no use (the message says why) or learning failed; 2 wrong usage.",
    OPERANDS(struct learn, inputs, "PATH"), .operand_path = OPTION_FILE,
    .run = command_learn,
};
