/* memaed calibrate: calibrates a trained model's alerts anew, on other footage of what is normal. */
#include "daemon/commands.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/camera_masks.h"
#include "daemon/base/ffmpeg_log.h"
#include "daemon/base/isolation.h"
#include "daemon/base/log.h"
#include "daemon/base/options.h"
#include "daemon/base/parallel_threads.h"
#include "daemon/learn/calibrator.h"
#include "daemon/learn/footage_health.h"
#include "daemon/learn/inputs.h"
#include "daemon/learn/still_learner.h"
#include "daemon/learn/survey.h"
#include "io/base/new_file.h"
#include "io/footage/footage.h"
#include "io/model/model_file.h"

struct calibrate {
    const char *model, *output;
    struct option_list inputs, verify;
    double fps, alerts_a_day;
    int windows, threads, max_memory_mib, max_disk_mib;
    bool add, any_footage;
    enum isolation isolation;
    struct camera_masks masks;
};

/* The footage of a calibration, all of it in one struct footage. kept is what the old calibration was measured on (--add), rest
 * is for --verify. */
struct parts {
    struct footage_part kept, input;
    struct footage_range rest;
};

/* memae.training of the new model: that of the old one, plus the footage of this calibration and its survey. Takes over the
 * reference to verified. NULL: out of memory. */
static json_t *story(const struct calibrate *o, const json_t *training, const struct arch *arch, const struct parts *parts,
                     json_t *verified)
{
    json_t *copy = training ? json_deep_copy(training) : json_object();
    size_t frames = parts->rest.begin;
    json_t *calibrated = json_pack("{s:s, s:o, s:b, s:f, s:I, s:o}", "program", "memaed " MEMAED_VERSION, "inputs",
                                   inputs_to_json(&o->inputs), "added", o->add,
                                   "masked", score_masked(o->masks.zones, arch), "frames",
                                   (json_int_t)(parts->input.all.end - parts->input.all.begin), "verified", verified);
    json_t *on = inputs_calibrated(o->add ? json_object_get(training, "calibrated_on") : NULL, &o->inputs, frames,
                                   o->add ? &parts->kept : &parts->input);
    if (!copy || !calibrated || !on || json_object_set_new(copy, "calibrated", calibrated) < 0 ||
        json_object_set_new(copy, "calibrated_on", on) < 0) {
        json_decref(copy);
        return NULL;
    }
    return copy;
}

/* A model that does not know yet what stands still learns it from this share of each hour. */
#define LEARNED 0.8

/* If the model has a memory of what stands still, that memory is kept and calibrated on the footage. Otherwise it is learned from
 * the first part of each hour. With too little footage *ret is NULL, and the model's memory stays as it is. */
static int learn_still(struct still_memory **ret, const struct calibrate *o, const struct model_file *file,
                       struct footage *footage, const struct parts *parts, struct error *err)
{
    struct still_learner_options options = {.footage = footage, .memory = file->still,
                                            .calibrated = o->add ? parts->kept : parts->input,
                                            .added = o->add ? &parts->input : NULL};
    if (!file->still) {
        struct footage_range all = {0, parts->rest.begin};
        size_t rounds = footage_rounds(footage, all);
        options.learned = (struct footage_part){all, rounds, 0, LEARNED};
        options.calibrated = (struct footage_part){all, rounds, LEARNED, 1};
        options.added = NULL;
    }
    return still_learner_run(ret, &options, err);
}

/* Reads all inputs, and finds the parts. */
static int read_all(struct parts *ret, const struct calibrate *o, const struct model_file *file, struct footage *footage,
                    struct error *err)
{
    int length = file->model->arch.frames, r = 0;
    if (o->add && (r = inputs_read_calibrated(json_object_get(file->training, "calibrated_on"), footage, &ret->kept, err)) < 0)
        return error_prefix(err, r, "--add");
    size_t begin = footage_frames(footage);
    if ((r = inputs_read(&o->inputs, footage, o->fps, err)) < 0)
        return r;
    struct footage_range input = {begin, footage_frames(footage)};
    if ((r = footage_check(footage, input, length, err)) < 0)
        return r;
    if (o->add)
        input.begin = ret->kept.all.end;
    ret->input = (struct footage_part){input, 1, 0, 1};
    if ((r = inputs_read(&o->verify, footage, 0, err)) < 0)
        return r;
    ret->rest = (struct footage_range){input.end, footage_frames(footage)};
    if (o->verify.n > 0 && (r = footage_check(footage, ret->rest, length, err)) < 0)
        return error_prefix(err, r, "--verify");
    return 0;
}

static void report(const struct calibrate *o, const struct calibration *c, const struct still_memory *still,
                   const struct survey *verified)
{
    printf("%s: threshold %.5g for %.4g alerts a day, from %.3g hours (%ld windows, %ld runs above %.5g); median %.5g, "
           "maximum %.5g\n", o->output, c->threshold, tail_budget(&c->tail, o->alerts_a_day), c->tail.hours, c->windows,
           c->tail.runs, c->tail.run.level, c->median, c->maximum);
    survey_print_provisional(c, o->alerts_a_day);
    still_learner_report(still);
    if (verified->windows > 0)
        survey_print_verified(verified, c);
}

static bool fits_model(void *arg, int width, int height)
{
    return arch_fits_aspect(arg, width, height);
}

static int calibrate(const struct calibrate *o, struct error *err)
{
    struct model_file file = {0};
    struct footage *footage = NULL;
    struct parallel_threads *threads = NULL;
    struct calibration calibration;
    struct survey verified;
    struct still_memory *still = NULL;
    struct parts parts;
    int r = new_file_check(o->output, err);
    if (r < 0 || (r = model_file_load(&file, o->model, err)) < 0)
        return r;
    const struct arch *arch = &file.model->arch;
    char *path = NULL;
    if (asprintf(&path, "%s.footage", o->output) < 0) {
        path = NULL;
        r = error_set(err, -ENOMEM, "out of memory");
        goto out;
    }
    const struct footage_options options = {
        .width = arch->width, .height = arch->height, .max_bytes = (size_t)o->max_memory_mib << 20, .path = path,
        .max_disk_bytes = (size_t)o->max_disk_mib << 20, .skipped = inputs_log_skipped, .fits = fits_model,
        .arg = &file.model->arch, .warned = inputs_log_warned, .host = isolation_host(), .memory_mib = ISOLATION_FOOTAGE_MIB,
        .fps = o->fps > 0 ? o->fps : file.has_calibration ? file.calibration.fps : 0, .slow_rate = CALIBRATION_SLOW_RATE,
        .zones = o->masks.zones,
    };
    if ((r = arch_check_camera(arch, err)) < 0 || (r = footage_open(&footage, &options, err)) < 0 ||
        (r = read_all(&parts, o, &file, footage, err)) < 0 ||
        (r = footage_health_check(footage, o->any_footage, NULL, err)) < 0)
        goto out;
    if (footage_skipped(footage) > 0)
        printf("%zu files were skipped, as the log says\n", footage_skipped(footage));
    if ((r = parallel_threads_open(&threads, o->threads)) < 0) {
        error_set(err, r, "--threads %d: %s", o->threads, strerror(-r));
        goto out;
    }
    struct parallel parallel = parallel_threads_parallel(threads);
    struct calibrator_options how = {.footage = footage, .part = parts.input, .most_windows = (size_t)o->windows,
                                     .alerts_a_day = o->alerts_a_day};
    if (o->add) {
        how.part = parts.kept;
        how.added = &parts.input;
    }
    const struct windows_options survey = {.footage = footage, .part = {parts.rest, 1, 0, 1}, .stride = CALIBRATOR_STRIDE,
                                           .most = (size_t)o->windows};
    if ((r = calibrator_run(&calibration, file.model, &how, &parallel, err)) < 0 ||
        (r = survey_run(&verified, &survey, ALERT_DEFAULT_K, ALERT_DEFAULT_N, file.model, &calibration, &parallel, err)) < 0)
        goto out;
    if ((r = learn_still(&still, o, &file, footage, &parts, err)) < 0)
        goto out;
    json_t *training = story(o, file.training, arch, &parts, verified.windows > 0 ?
                             survey_to_json(&verified, &calibration, footage) : json_null());
    r = training ? model_file_save(o->output, file.model, &calibration, still ? still : file.still, training, err)
                 : error_set(err, -ENOMEM, "out of memory");
    json_decref(training);
    if (r == 0)
        report(o, &calibration, still ? still : file.still, &verified);
out:
    free(still);
    parallel_threads_close(threads);
    footage_close(footage);
    free(path);
    model_file_clear(&file);
    return r;
}

static const struct command_option calibrate_options[] = {
    {"model", 'm', OPTION_TEXT(struct calibrate, model), .argument = "MODEL", .path = OPTION_FILE, .required = true,
     .help = "The model to calibrate."},
    {"input", 'i', OPTION_LIST(struct calibrate, inputs), .argument = "PATH…", .path = OPTION_FILE, .more = true,
     .required = true, .help = "Footage, as `memaed learn` takes it. May be repeated."},
    {"output", 'o', OPTION_TEXT(struct calibrate, output), .argument = "MODEL", .path = OPTION_FILE, .required = true,
     .help = "The model file to write; may be the same file."},
    {"add", 0, OPTION_FLAG(struct calibrate, add),
     .help = "Calibrate on --input and on all footage that the model is calibrated on so far. That footage is read again, so "
             "its files must still be there."},
    {"verify", 0, OPTION_LIST(struct calibrate, verify), .argument = "PATH…", .path = OPTION_FILE, .more = true,
     .help = "Footage that was used neither for learning nor for calibration. Reports how many alerts it would have "
             "raised."},
    {"fps", 0, OPTION_REAL(struct calibrate, fps, 0, 1000), .argument = "F",
     .help = "Frames analysed a second (default: the model's own rate; every frame where it has none)."},
    {"any-footage", 0, OPTION_FLAG(struct calibrate, any_footage),
     .help = "Calibrate also on footage in most of which the picture is black, covered or frozen."},
    {"alerts-per-day", 0, OPTION_REAL_ABOVE(struct calibrate, alerts_a_day, 0, 1e6), .argument = "A",
     .help = "Alerts a day that the threshold allows on normal footage (default: 1). From less than an hour of "
             "footage: one in 24 times that footage, if that is more."},
    {"windows", 0, OPTION_INT(struct calibrate, windows, 1, 1000000000), .argument = "N",
     .help = "Score N windows at most, in stretches spread over the footage; of --verify, as many (default: 500000). "
             "Fewer are calibrated on where what they keep in memory would pass 512 MiB."},
    CAMERA_MASKS_OPTIONS(struct calibrate, masks),
    {"threads", 0, OPTION_INT(struct calibrate, threads, 1, PARALLEL_THREADS_MAX), .argument = "N",
     .help = "Threads (default: all cores)."},
    {"max-memory", 0, OPTION_INT(struct calibrate, max_memory_mib, 1, 1 << 20), .argument = "MIB",
     .help = "Memory for decoded footage. The rest goes to a compressed file beside the output (default: 4096)."},
    {"max-disk", 0, OPTION_INT(struct calibrate, max_disk_mib, 1, 1 << 30), .argument = "MIB",
     .help = "Largest size of that file (default: 65536)."},
    {"isolation", 0, OPTION_CHOICE(struct calibrate, isolation, isolation_names), .help = isolation_help},
    {0},
};

static int command_calibrate(int argc, char **argv)
{
    struct calibrate o = {.alerts_a_day = 1, .windows = 500000, .threads = parallel_threads_cores(), .max_memory_mib = 4096,
                          .max_disk_mib = 65536};
    struct error err = {.text = "out of memory"};
    int status;
    if (command_parse(&calibrate_command, &o, argc, argv, &status) &&
        (status = camera_masks_check(&o.masks, &calibrate_command)) == 0) {
        log_open(LOG_INFO);
        ffmpeg_log_events();
        int r = camera_masks_open(&o.masks, &err);
        if (r == 0)
            r = isolation_open(o.isolation, &err);
        if (r == 0)
            r = calibrate(&o, &err);
        status = r < 0 ? command_failed(&calibrate_command, &err) : 0;
        isolation_close();
        camera_masks_close(&o.masks);
    }
    command_clear(&calibrate_command, &o);
    return status;
}

const struct command calibrate_command = {
    .name = "calibrate",
    .summary = "calibrate a model's alerts anew, on other footage",
    .forms = "--model MODEL --input PATH… --output MODEL [OPTION…]",
    .about = "Calibrates the alert threshold, and how rare each score is, on footage of what is normal. The network "
             "itself stays as "
             "it is. Use it for a season that was not learned, for another number of alerts, or for a model without a "
             "calibration.\n\n"
             "Do not calibrate on the footage that the model learned from: it scores lower than the camera will.",
    .options = calibrate_options,
    .notes = "Exit status: 0; 1 where the model or the footage is of no use (the message says why); 2 wrong usage.",
    OPERANDS(struct calibrate, inputs, "PATH"), .operand_path = OPTION_FILE,
    .run = command_calibrate,
};
