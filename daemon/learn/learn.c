/* memaed learn: footage of a camera in, a model out. */
#include "daemon/commands.h"

#include <errno.h>
#include <getopt.h>
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

#include "daemon/base/log.h"
#include "daemon/base/options.h"
#include "daemon/base/parallel_threads.h"
#include "daemon/learn/inputs.h"
#include "daemon/learn/learner.h"
#include "daemon/learn/recorder.h"
#include "io/base/clock.h"
#include "io/base/redact.h"
#include "io/footage/footage.h"
#include "io/model/model_file.h"

static const char usage[] =
    "Usage: memaed learn --input PATH… --output MODEL [OPTION…]\n"
    "       memaed learn --config FILE --camera NAME --hours H [--output MODEL] [OPTION…]\n"
    "\n"
    "Learns what is normal in the footage, calibrates the alerts on the last fifth of each hour or on footage set apart for\n"
    "that, verifies them on a part of it that it keeps apart even then, and writes a model and a report.\n"
    "PATH is what FFmpeg opens: a file, a URL that ends, an image sequence pattern (%03d.jpg); a folder of image files\n"
    "is one sequence, a folder of videos all of them in name order.\n"
    "\n"
    "The second form records the camera first, to OUTPUT.recording (bounded by --max-disk, removed once the model is\n"
    "written), at the fps of the configuration, through losses of the stream, until there are H hours of footage.\n"
    "\n"
    "  -i, --input PATH…        footage, oldest first; may be repeated\n"
    "      --calibrate PATH…    footage to calibrate on; all of --input is then learned from\n"
    "      --config FILE        a configuration, whose models need not be there yet\n"
    "      --camera NAME        the camera in it to learn from\n"
    "      --hours H            of footage to record; less where the source is a file that ends before\n"
    "  -o, --output MODEL       the model file to write; with --camera the one in the configuration by default\n"
    "      --profile NAME       the network: small (the default), compact, nano, paper, released; without\n"
    "                           a memory, to compare: small-ae, compact-ae, nano-ae\n"
    "      --arch FILE          the network from a JSON file (docs/model-format.md) instead\n"
    "      --size WIDTHxHEIGHT  of the pictures that the network sees, multiples of 16. Default: as\n"
    "                           many as 128x128 (small, compact) or 64x64 (nano) hold, near the camera's aspect, but\n"
    "                           no larger than its pictures; 256x256 (paper, released); the file's (--arch)\n"
    "      --fps F              frames analysed a second; 0, the default, takes every frame\n"
    "      --time-limit MINUTES stop in time, all but a recording included (30, where no --steps are given)\n"
    "      --steps N            stop after N training steps; with it the schedule follows the steps alone\n"
    "      --seed N             of all random choices (1)\n"
    "      --threads N          (all cores)\n"
    "      --batch N            windows a step (8)\n"
    "      --learning-rate R    at its highest (0.001)\n"
    "      --entropy A          weight of the addressing's entropy in the loss (0.0002)\n"
    "      --alerts-per-day A   how often normal footage may alert: what the threshold is set for (1)\n"
    "      --max-memory MIB     of decoded footage (4096); what exceeds it goes compressed to a file beside OUTPUT\n"
    "      --max-disk MIB       of that file (65536)\n"
    "      --resume             go on with an interrupted run, from OUTPUT.checkpoint and OUTPUT.recording; starts anew\n"
    "                           where these are missing\n"
    "      --checkpoint S       seconds between checkpoints (45)\n"
    "      --low-priority       give way to everything else on this machine\n"
    "  -h, --help               show this help\n"
    "\n"
    "Interrupted (Ctrl-C), it writes a checkpoint and exits 1; after a crash at most a minute of training is lost.\n"
    "\n"
    "Exit status: 0; 1 where the footage is of no use (the reason is told) or learning failed; 2 wrong usage.\n";

struct learn {
    struct inputs inputs, calibrate;
    const char *output, *profile, *arch_file, *config_file, *camera_name;
    double hours;
    const struct config_camera *camera; /* to record; NULL: learns from inputs */
    int width, height;          /* 0: the profile's */
    double fps, minutes, alerts_a_day, learning_rate, entropy;
    int steps, seed, threads, batch, max_memory_mib, max_disk_mib;
    double checkpoint_s;
    bool resume, low_priority;
};

static atomic_bool stop;        /* set by SIGINT and SIGTERM; a second one ends the process at once */

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

/* Before threads start, so that they inherit it. What the kernel refuses costs nothing but priority. */
static void give_way(void)
{
    enum { IOPRIO_WHO_PROCESS = 1, IOPRIO_IDLE = 3 << 13 };
    setpriority(PRIO_PROCESS, 0, 19);
    sched_setscheduler(0, SCHED_IDLE, &(struct sched_param){0});
    syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, IOPRIO_IDLE);
}

/* ---- progress ---------------------------------------------------------------------------------------------------- */

struct display {
    bool terminal;
    int64_t started_us, shown_us, deadline_us;
    double mse, entropy;        /* sums since the last line */
    long steps, windows_shown;
    int64_t last_us;
};

static void show_progress(void *arg, const struct learner_progress *p)
{
    struct display *d = arg;
    int64_t now = monotonic_us();
    d->mse += p->loss.mse;
    d->entropy += p->loss.entropy;
    d->steps++;
    if (now - d->shown_us < (d->terminal ? 500000 : 10000000))
        return;
    double n = (double)d->steps, cubes = (double)(p->windows_learned - d->windows_shown) / ((double)(now - d->last_us) * 1e-6);
    double left = p->progress > 0 ? p->seconds * (1 - p->progress) / p->progress : 0;
    if (d->terminal) {
        char bar[31];
        int done = (int)(30 * p->progress);
        memset(bar, '-', 30);
        memset(bar, '#', (size_t)(done < 30 ? done : 30));
        bar[30] = 0;
        fprintf(stderr, "\r[%s] step %ld  error %.5f  slots %d (%.0f)  %.1f cubes/s  %d:%02d left \033[K", bar,
                p->step, d->mse / n, p->health.used, p->health.effective, cubes, (int)left / 60, (int)left % 60);
    } else {
        struct log_number step, mse, entropy, slots, effective, reseeded, dead, shrink, rate, left_s;
        log_event(LOG_INFO, "learning", "step", log_int(&step, p->step), "error", log_real(&mse, d->mse / n), "entropy",
                  log_real(&entropy, d->entropy / n), "slots_used", log_int(&slots, p->health.used), "slots_effective",
                  log_real(&effective, p->health.effective), "slots_reseeded", log_int(&reseeded, p->slots_reseeded),
                  "queries_dead", log_real(&dead, p->health.dead), "shrink", log_real(&shrink, p->shrink),
                  "cubes_per_s", log_real(&rate, cubes), "left_s",
                  log_real(&left_s, round(left)), NULL);
    }
    d->mse = d->entropy = 0;
    d->steps = 0;
    d->shown_us = d->last_us = now;
    d->windows_shown = p->windows_learned;
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
        arch = *arch_profile(o->profile);
    }
    if (arch_check_camera(&arch, err) < 0)
        return -EINVAL;
    if (o->width > 0) {
        arch.width = o->width;
        arch.height = o->height;
    }
    struct arch_shapes shapes;
    int r = arch_shapes(&shapes, &arch, err);
    if (r == 0)
        *ret = arch;
    return r;
}

/* Of the footage, round by round: what is learned from, what is calibrated on, and the rest, on which that is verified where
 * it comes to LEAST_VERIFIED_S (else it is calibrated on, too). Footage set apart for calibration (--calibrate) is calibrated
 * on and verified on in the proportion of the last two. */
#define LEARN_UNTIL 0.8
#define CALIBRATE_UNTIL 0.96
#define LEAST_VERIFIED_S 60

static void hold_out(struct learner_options *ret, const struct footage *footage, struct footage_range all, double from,
                     double cut)
{
    size_t rounds = footage_rounds(footage, all);
    double fps = footage_fps(footage), rest_s = fps > 0 ? (1 - cut) * (double)(all.end - all.begin) / fps : 0;
    cut = rest_s < LEAST_VERIFIED_S ? 1 : cut;
    ret->calibrate = (struct footage_part){all, rounds, from, cut};
    ret->verify = (struct footage_part){all, rounds, cut, 1};
}

/* What to learn from and what is held out, and whether that is of use. */
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

/* What a camera shows, or what the inputs hold. */
static int fill(struct footage *footage, const struct learn *o, const char *path, struct error *err)
{
    if (!o->camera)
        return inputs_read(&o->inputs, footage, err);
    struct log_number there;
    log_event(LOG_INFO, "recording", "camera", o->camera->name, "path", path, "seconds",
              log_real(&there, footage_seconds(footage)), NULL);
    int r = recorder_run(footage, o->camera, o->hours * 3600, &stop, err);
    if (r == -EINTR)
        return error_set(err, r, "interrupted with %.2f hours recorded; the same command with --resume goes on with %s",
                         footage_seconds(footage) / 3600, path);
    return r < 0 ? error_prefix(err, r, "camera %s", o->camera->name) : 0;
}

/* A profile for CPUs takes the shape of the camera's pictures, where nothing else is asked for. */
static bool fits_camera(const struct learn *o)
{
    return !o->arch_file && o->width == 0 && arch_profile_fits(o->profile);
}

static void fit_size(void *arg, int *width, int *height)
{
    arch_fit_size(arg, width, height);
}

/* Completes arch with the size of the footage. */
static int read_footage(struct footage **ret, struct learner_options *ranges, const struct learn *o, struct arch *arch,
                        struct error *err)
{
    char *path = NULL;
    if (asprintf(&path, "%s.%s", o->output, o->camera ? "recording" : "footage") < 0)
        return error_set(err, -ENOMEM, "out of memory");
    bool fits = fits_camera(o);
    const struct footage_options options = {.width = fits ? 0 : arch->width, .height = fits ? 0 : arch->height,
                                            .fit = fit_size, .arg = arch, .fps = o->fps,
                                            .max_bytes = (size_t)o->max_memory_mib << 20, .path = path, .keep = o->camera,
                                            .max_disk_bytes = (size_t)o->max_disk_mib << 20, .stop = &stop};
    struct footage *footage = NULL;
    int r = 0;
    if (o->camera && !o->resume && access(path, F_OK) == 0)
        r = error_set(err, -EEXIST, "%s: there is a recording already; --resume goes on with it; or remove it", path);
    if (r < 0 || (r = footage_open(&footage, &options, err)) < 0 || (r = fill(footage, o, path, err)) < 0)
        goto fail;
    size_t n_inputs = footage_frames(footage);
    if ((r = inputs_read(&o->calibrate, footage, err)) < 0)
        goto fail;
    int width, height;
    char size[24];
    footage_size(footage, &width, &height);
    snprintf(size, sizeof size, "%dx%d", width, height);
    struct log_number frames, fps, corrupt, clips;
    log_event(LOG_INFO, "footage", "clips", log_int(&clips, (long long)footage_clips(footage)), "frames",
              log_int(&frames, (long long)footage_frames(footage)), "fps", log_real(&fps, footage_fps(footage)),
              "corrupt", log_int(&corrupt, (long long)footage_corrupt(footage)), "size", size, NULL);
    if ((r = split(ranges, footage, n_inputs, arch->frames, err)) < 0)
        goto fail;
    arch->width = width;
    arch->height = height;
    struct arch_shapes shapes;          /* a recording may be of any size */
    if ((r = arch_shapes(&shapes, arch, err)) < 0) {
        error_prefix(err, r, "footage of %s", size);
        goto fail;
    }
    *ret = footage;
    free(path);
    return 0;
fail:
    free(path);
    footage_close(footage);
    return r;
}

static json_t *story(const struct learn *o, const struct learner_options *options, const struct learner_result *r,
                     int slots, struct footage *footage)
{
    const struct footage_part *calibrate = &options->calibrate;
    double frames = (double)(calibrate->all.end - calibrate->all.begin) * (calibrate->to - calibrate->from);
    json_t *held_out = json_pack("{s:f, s:f, s:i}", "error", r->held_out.error, "alive", r->held_out.alive,
                                 "frames", (int)lround(frames));
    if (isfinite(r->held_out.error_without_memory))
        json_object_set_new(held_out, "error_without_memory", json_real(r->held_out.error_without_memory));
    if (o->calibrate.n > 0)
        json_object_set_new(held_out, "inputs", inputs_to_json(&o->calibrate));
    json_t *use = r->slot_use ? json_array() : NULL;
    for (int i = 0; r->slot_use && i < slots; i++)
        json_array_append_new(use, json_real(round(1e6 * r->slot_use[i]) / 1e6));
    json_t *verified = r->verified.windows > 0 ? survey_to_json(&r->verified, &r->calibration, footage) : json_null();
    return json_pack("{s:s, s:s, s:o, s:f, s:i, s:f, s:i, s:i, s:i, s:f, s:f, s:f, s:{s:f, s:f}, s:o, s:i, s:o*, s:i, s:o, s:o}",
                     "program", "memaed " MEMAED_VERSION, "profile", o->arch_file ? "custom" : o->profile, "inputs",
                     inputs_to_json(&o->inputs),
                     "hours", (double)footage_frames(footage) / footage_fps(footage) / 3600,
                     "frames", (int)footage_frames(footage), "fps", footage_fps(footage), "seed", o->seed,
                     "steps", (int)r->last.step, "batch", o->batch, "learning_rate", o->learning_rate,
                     "entropy_weight", o->entropy, "seconds", r->last.seconds,
                     "loss", "mse", r->last.loss.mse, "entropy", r->last.loss.entropy, "held_out", held_out,
                     "slots_used", r->held_out.slots_used, "slot_use", use, "slots_reseeded", (int)r->last.slots_reseeded,
                     "verified", verified, "learned", survey_to_json(&r->learned, &r->calibration, footage));
}

/* What a checkpoint belongs to. The number of threads is not part of it: it changes the last bits, not the run. */
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
        printf("not verified: there is too little footage to keep some apart for that\n");
    printf("in %.3g hours of what was learned from, %ld places look like anomalies%s\n", l->hours, l->alerts,
           l->alerts > l->n_suspects ? "; the most so:" : l->n_suspects ? ":" : "");
    for (int i = 0; i < l->n_suspects; i++) {
        double at_s;
        const char *input = footage_place(footage, l->suspects[i].frame, &at_s);
        printf("  %s at %d:%02d:%04.1f, score %.3g\n", *input ? input : "recording", (int)(at_s / 3600), (int)(at_s / 60) % 60,
               fmod(at_s, 60), l->suspects[i].score);
    }
}

static void report(const char *output, const struct learner_result *r)
{
    printf("%s: %ld steps in %.0f s, held-out error %.5f", output, r->last.step, r->last.seconds, r->held_out.error);
    if (isfinite(r->held_out.error_without_memory))
        printf(" (%.5f without the memory), %d slots in use, %.1f %% of queries answered", r->held_out.error_without_memory,
               r->held_out.slots_used, 100 * r->held_out.alive);
    printf("\nthreshold %.5g (held-out scores: median %.5g, highest %.5g over %ld windows) at %g frames a second\n",
           r->calibration.threshold, r->calibration.median, r->calibration.maximum, r->calibration.windows,
           r->calibration.fps);
}

static int learn(const struct learn *o, struct error *err)
{
    int64_t started = monotonic_us();
    struct arch arch;
    struct model *model = NULL;
    struct footage *footage = NULL;
    struct parallel_threads *threads = NULL;
    json_t *belonging = NULL;
    char *checkpoint = NULL, *recording = NULL;
    struct learner_options options = {
        .batch = o->batch, .learning_rate = o->learning_rate, .alpha = o->entropy, .seed = (uint64_t)o->seed,
        .steps = o->steps, .deadline_us = o->minutes > 0 ? started + (int64_t)(o->minutes * 60e6) : 0,
        .alerts_a_day = o->alerts_a_day,
        .checkpoint_s = o->checkpoint_s, .resume = o->resume, .stop = &stop,
    };
    struct learner_result result = {0};
    int r = choose_arch(&arch, o, err);
    if (r < 0 || (r = read_footage(&footage, &options, o, &arch, err)) < 0 || (r = model_open(&model, &arch, err)) < 0)
        goto out;
    if (o->camera && o->minutes > 0)
        options.deadline_us = monotonic_us() + (int64_t)(o->minutes * 60e6);
    if ((r = parallel_threads_open(&threads, o->threads)) < 0) {
        error_set(err, r, "cannot start %d threads: %s", o->threads, strerror(-r));
        goto out;
    }
    if (asprintf(&checkpoint, "%s.checkpoint", o->output) < 0)
        checkpoint = NULL;
    if (asprintf(&recording, "%s.recording", o->output) < 0)
        recording = NULL;
    options.checkpoint = checkpoint;
    options.belongs = belonging = belongs(o, &options, &arch, footage);
    if (!checkpoint || !recording || !belonging) {
        r = error_set(err, -ENOMEM, "out of memory");
        goto out;
    }
    if (!o->resume && access(checkpoint, F_OK) == 0)
        log_event(LOG_WARNING, "checkpoint_ignored", "path", checkpoint, "reason",
                  "an interrupted run left it, and --resume is not given; it will be overwritten", NULL);
    model_init(model, (uint64_t)o->seed);
    struct parallel parallel = parallel_threads_parallel(threads);
    struct display display = {.terminal = isatty(STDERR_FILENO), .last_us = monotonic_us()};
    display.shown_us = display.terminal ? 0 : display.last_us;
    r = learner_run(&result, model, footage, &options, &parallel, show_progress, &display, err);
    if (display.terminal)
        fputc('\n', stderr);
    if (r == -EINTR && access(checkpoint, F_OK) == 0)
        error_set(err, r, "interrupted; the same command with --resume goes on from %s", checkpoint);
    if (r == -EDOM)             /* it would come to the same again */
        unlink(checkpoint);
    if (r < 0)
        goto out;
    json_t *training = story(o, &options, &result, arch.memory.slots, footage);
    r = training ? model_file_save(o->output, model, &result.calibration, training, err)
                 : error_set(err, -ENOMEM, "out of memory");
    json_decref(training);
    if (r == 0) {
        unlink(checkpoint);
        if (o->camera)
            unlink(recording);
        report(o->output, &result);
        report_surveys(&result, footage);
    }
out:
    if (r < 0 && r != -EINTR && o->camera && footage)
        log_event(LOG_NOTICE, "recording_kept", "path", recording ? recording : "", "reason",
                  "the same command with --resume learns from it", NULL);
    free(result.slot_use);
    free(checkpoint);
    free(recording);
    json_decref(belonging);
    parallel_threads_close(threads);
    model_close(model);
    footage_close(footage);
    return r;
}

/* ---- command line ------------------------------------------------------------------------------------------------ */

static int parse_size(struct learn *o, const char *text)
{
    char end;
    int w, h;
    if (sscanf(text, "%dx%d%c", &w, &h, &end) != 2 || w < 16 || h < 16 || w > 4096 || h > 4096 || w % 16 || h % 16)
        return option_misuse("learn", "--size: WIDTHxHEIGHT expected, multiples of 16 from 16 to 4096, \"%s\" found", text);
    o->width = w;
    o->height = h;
    return 0;
}

static void print_fault(void *arg, const char *text)
{
    (void)arg;
    fprintf(stderr, "%s\n", text);
}

/* The camera that is named, and what follows from it. */
static int choose_camera(struct learn *o, const struct config *config, struct error *err)
{
    for (size_t i = 0; i < config->n_cameras; i++)
        if (strcmp(config->cameras[i].name, o->camera_name) == 0)
            o->camera = &config->cameras[i];
    if (!o->camera)
        return error_set(err, -ENOENT, "%s: there is no camera \"%s\"", o->config_file, o->camera_name);
    inputs_append(&o->inputs, o->camera->source);
    o->output = o->output ? o->output : o->camera->model;
    o->fps = o->fps > 0 ? o->fps : o->camera->fps;
    return 0;
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
    if (r < 0 || (config && (r = choose_camera(o, config, &err)) < 0) || (r = learn(o, &err)) < 0) {
        char text[sizeof err.text];
        redact(text, sizeof text, err.text);
        fprintf(stderr, "memaed: learn: %s\n", text);
    }
    config_unref(config);
    return r < 0;
}

/* One of two forms: from inputs, or from a camera. */
static int check_form(const struct learn *o)
{
    if (!o->config_file && !o->camera_name && o->hours == 0) {
        if (o->inputs.n == 0)
            return option_misuse("learn", "--input is missing; or --config, --camera and --hours");
        return o->output ? 0 : option_misuse("learn", "--output is missing");
    }
    if (!o->config_file || !o->camera_name || o->hours == 0)
        return option_misuse("learn", "--config, --camera and --hours go together");
    if (o->inputs.n > 0 || o->calibrate.n > 0)
        return option_misuse("learn", "--input and --calibrate do not go with --camera");
    return 0;
}

int command_learn(int argc, char **argv)
{
    enum { PROFILE = 256, ARCH, SIZE, FPS, TIME_LIMIT, STEPS, SEED, THREADS, BATCH, RATE, ENTROPY, ALERTS, MAX_MEMORY,
           MAX_DISK, CALIBRATE, RESUME, CHECKPOINT, LOW_PRIORITY, CONFIG, CAMERA, HOURS };
    static const struct option options[] = {
        {"input", required_argument, NULL, 'i'}, {"output", required_argument, NULL, 'o'},
        {"profile", required_argument, NULL, PROFILE}, {"arch", required_argument, NULL, ARCH},
        {"size", required_argument, NULL, SIZE}, {"fps", required_argument, NULL, FPS},
        {"time-limit", required_argument, NULL, TIME_LIMIT}, {"steps", required_argument, NULL, STEPS},
        {"seed", required_argument, NULL, SEED}, {"threads", required_argument, NULL, THREADS},
        {"batch", required_argument, NULL, BATCH}, {"learning-rate", required_argument, NULL, RATE},
        {"entropy", required_argument, NULL, ENTROPY}, {"alerts-per-day", required_argument, NULL, ALERTS},
        {"max-memory", required_argument, NULL, MAX_MEMORY},
        {"max-disk", required_argument, NULL, MAX_DISK}, {"config", required_argument, NULL, CONFIG},
        {"camera", required_argument, NULL, CAMERA}, {"hours", required_argument, NULL, HOURS},
        {"calibrate", required_argument, NULL, CALIBRATE}, {"resume", no_argument, NULL, RESUME},
        {"checkpoint", required_argument, NULL, CHECKPOINT}, {"low-priority", no_argument, NULL, LOW_PRIORITY},
        {"help", no_argument, NULL, 'h'}, {0},
    };
    struct learn o = {.checkpoint_s = 45, .profile = "small", .alerts_a_day = 1, .learning_rate = 1e-3,
                      .entropy = 2e-4, .seed = 1, .batch = 8, .max_memory_mib = 4096, .max_disk_mib = 65536,
                      .threads = parallel_threads_cores()};
    int status = 2, c, bad = 0;
    struct inputs *list = &o.inputs;    /* an argument by itself is one more of the list at hand: --input A B C */
    const char **urls = calloc(2 * (size_t)argc, sizeof *urls);
    if (!urls) {
        fprintf(stderr, "memaed: learn: out of memory\n");
        return 1;
    }
    o.inputs.urls = urls;
    o.calibrate.urls = urls + argc;
    while (!bad && (c = getopt_long(argc, argv, "-:i:o:h", options, NULL)) != -1)
        switch (c) {
        case 'i':
        case CALIBRATE:
            list = c == CALIBRATE ? &o.calibrate : &o.inputs;
            inputs_append(list, optarg);
            break;
        case 1: inputs_append(list, optarg); break;
        case 'o': o.output = optarg; break;
        case PROFILE: o.profile = optarg; break;
        case ARCH: o.arch_file = optarg; break;
        case SIZE: bad = parse_size(&o, optarg); break;
        case FPS: bad = option_real(&o.fps, "learn", "fps", optarg, 0, 1000, false); break;
        case TIME_LIMIT: bad = option_real(&o.minutes, "learn", "time-limit", optarg, 0, 1e5, true); break;
        case STEPS: bad = option_int(&o.steps, "learn", "steps", optarg, 1, 100000000); break;
        case SEED: bad = option_int(&o.seed, "learn", "seed", optarg, 0, 2147483647); break;
        case THREADS: bad = option_int(&o.threads, "learn", "threads", optarg, 1, PARALLEL_THREADS_MAX); break;
        case BATCH: bad = option_int(&o.batch, "learn", "batch", optarg, 1, 1024); break;
        case RATE: bad = option_real(&o.learning_rate, "learn", "learning-rate", optarg, 0, 1, true); break;
        case ENTROPY: bad = option_real(&o.entropy, "learn", "entropy", optarg, 0, 1, false); break;
        case ALERTS: bad = option_real(&o.alerts_a_day, "learn", "alerts-per-day", optarg, 0, 1e6, true); break;
        case MAX_MEMORY: bad = option_int(&o.max_memory_mib, "learn", "max-memory", optarg, 1, 1 << 20); break;
        case MAX_DISK: bad = option_int(&o.max_disk_mib, "learn", "max-disk", optarg, 1, 1 << 30); break;
        case RESUME: o.resume = true; break;
        case CHECKPOINT: bad = option_real(&o.checkpoint_s, "learn", "checkpoint", optarg, 0, 60, false); break;
        case LOW_PRIORITY: o.low_priority = true; break;
        case CONFIG: o.config_file = optarg; break;
        case CAMERA: o.camera_name = optarg; break;
        case HOURS: bad = option_real(&o.hours, "learn", "hours", optarg, 0, 10000, true); break;
        case 'h':
            fputs(usage, stdout);
            free(urls);
            return 0;
        default: bad = option_unknown("learn", c, argv);
        }
    for (; !bad && optind < argc; optind++)
        inputs_append(list, argv[optind]);
    bad = bad ? bad : check_form(&o);
    if (!bad && !arch_profile(o.profile))
        bad = option_misuse("learn", "--profile: small, compact, nano, paper, released, small-ae, compact-ae or nano-ae "
                            "expected, \"%s\" found", o.profile);
    if (!bad) {
        if (o.minutes == 0 && o.steps == 0)
            o.minutes = 30;
        log_open(LOG_INFO);
        take_signals();
        if (o.low_priority)
            give_way();
        status = run(&o);
    }
    free(urls);
    return status;
}
