/* memaed calibrate: a trained model's alerts set anew, on other footage of what is normal. */
#include "daemon/commands.h"

#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/log.h"
#include "daemon/base/options.h"
#include "daemon/base/parallel_threads.h"
#include "daemon/learn/calibrator.h"
#include "daemon/learn/inputs.h"
#include "daemon/learn/survey.h"
#include "io/base/redact.h"
#include "io/footage/footage.h"
#include "io/model/model_file.h"

static const char usage[] =
    "Usage: memaed calibrate --model MODEL --input PATH… --output MODEL [OPTION…]\n"
    "\n"
    "Takes the alert threshold, and how rare each score is, from footage of what is normal, and leaves what the model\n"
    "learned as it is: for a season that was not learned, another number of alerts, or a model that has no calibration.\n"
    "The footage should not be what the model learned from: that scores lower than the camera will.\n"
    "\n"
    "  -m, --model MODEL        the model to calibrate\n"
    "  -i, --input PATH…        footage, as `memaed learn` takes it\n"
    "  -o, --output MODEL       where to write it; may be MODEL itself\n"
    "      --verify PATH…       footage that was neither learned nor calibrated on: how many alerts it would have raised\n"
    "      --fps F              frames analysed a second; the model's own, or every frame where it tells none\n"
    "      --alerts-per-day A   how often normal footage may alert (1)\n"
    "      --windows N          score so many windows at most, in stretches spread over the footage (500000); of what\n"
    "                           verifies as many\n"
    "      --threads N          (all cores)\n"
    "      --max-memory MIB     of decoded footage (4096)\n"
    "  -h, --help               show this help\n"
    "\n"
    "Exit status: 0; 1 where the model or the footage is of no use (the reason is told); 2 wrong usage.\n";

struct calibrate {
    const char *model, *output;
    struct inputs inputs, verify;
    double fps, alerts_a_day;
    int windows, threads, max_memory_mib;
};

/* The story of the model's making, with what it was calibrated on, and how that held: verified, taken over. */
static json_t *story(const struct calibrate *o, const json_t *training, size_t frames, json_t *verified)
{
    json_t *copy = training ? json_deep_copy(training) : json_object();
    json_t *calibrated = json_pack("{s:s, s:o, s:I, s:o}", "program", "memaed " MEMAED_VERSION, "inputs",
                                   inputs_to_json(&o->inputs), "frames", (json_int_t)frames, "verified", verified);
    if (!copy || !calibrated || json_object_set_new(copy, "calibrated", calibrated) < 0) {
        json_decref(copy);
        return NULL;
    }
    return copy;
}

static int calibrate(const struct calibrate *o, struct error *err)
{
    struct model_file file = {0};
    struct footage *footage = NULL;
    struct parallel_threads *threads = NULL;
    struct calibration calibration;
    struct survey verified;
    int r = model_file_load(&file, o->model, err);
    if (r < 0)
        return r;
    const struct arch *arch = &file.model->arch;
    struct footage_options options = {
        .width = arch->width, .height = arch->height, .max_bytes = (size_t)o->max_memory_mib << 20,
        .fps = o->fps > 0 ? o->fps : file.has_calibration ? file.calibration.fps : 0,
    };
    if ((r = arch_check_camera(arch, err)) < 0 || (r = footage_open(&footage, &options, err)) < 0)
        goto out;
    if ((r = inputs_read(&o->inputs, footage, err)) < 0)
        goto out;
    const struct footage_range calibrated = {0, footage_frames(footage)};
    if ((r = footage_check(footage, calibrated, arch->frames, err)) < 0)
        goto out;
    if ((r = inputs_read(&o->verify, footage, err)) < 0)
        goto out;
    const struct footage_range rest = {calibrated.end, footage_frames(footage)};
    if (o->verify.n > 0 && (r = footage_check(footage, rest, arch->frames, err)) < 0) {
        error_prefix(err, r, "--verify");
        goto out;
    }
    if ((r = parallel_threads_open(&threads, o->threads)) < 0) {
        error_set(err, r, "cannot start %d threads: %s", o->threads, strerror(-r));
        goto out;
    }
    struct parallel parallel = parallel_threads_parallel(threads);
    const struct calibrator_options how = {.footage = footage, .part = {calibrated, 1, 0, 1},
                                           .most_windows = (size_t)o->windows, .alerts_a_day = o->alerts_a_day};
    const struct windows_options survey = {.footage = footage, .part = {rest, 1, 0, 1}, .stride = CALIBRATOR_STRIDE,
                                           .most = (size_t)o->windows};
    if ((r = calibrator_run(&calibration, file.model, &how, &parallel, err)) < 0 ||
        (r = survey_run(&verified, &survey, ALERT_DEFAULT_K, ALERT_DEFAULT_N, file.model, &calibration, &parallel, err)) < 0)
        goto out;
    json_t *training = story(o, file.training, calibrated.end, verified.windows > 0 ?
                             survey_to_json(&verified, &calibration, footage) : json_null());
    r = training ? model_file_save(o->output, file.model, &calibration, training, err)
                 : error_set(err, -ENOMEM, "out of memory");
    json_decref(training);
    if (r == 0) {
        printf("%s: threshold %.5g for %g alerts a day, from %.3g hours (%ld windows, %ld runs above %.5g); median %.5g, "
               "highest %.5g\n", o->output, calibration.threshold, o->alerts_a_day, calibration.tail.hours,
               calibration.windows, calibration.tail.runs, calibration.tail.run.level, calibration.median,
               calibration.maximum);
        if (verified.windows > 0)
            survey_print_verified(&verified, &calibration);
    }
out:
    parallel_threads_close(threads);
    footage_close(footage);
    model_file_clear(&file);
    return r;
}

int command_calibrate(int argc, char **argv)
{
    enum { FPS = 256, ALERTS, WINDOWS, THREADS, MAX_MEMORY, VERIFY };
    static const struct option options[] = {
        {"model", required_argument, NULL, 'm'}, {"input", required_argument, NULL, 'i'},
        {"output", required_argument, NULL, 'o'}, {"verify", required_argument, NULL, VERIFY},
        {"fps", required_argument, NULL, FPS},
        {"alerts-per-day", required_argument, NULL, ALERTS}, {"windows", required_argument, NULL, WINDOWS},
        {"threads", required_argument, NULL, THREADS}, {"max-memory", required_argument, NULL, MAX_MEMORY},
        {"help", no_argument, NULL, 'h'}, {0},
    };
    struct calibrate o = {.alerts_a_day = 1, .windows = 500000, .threads = parallel_threads_cores(), .max_memory_mib = 4096};
    int status = 2, c, bad = 0;
    struct inputs *list = &o.inputs;    /* an argument by itself is one more of the list at hand: --input A B C */
    const char **urls = calloc(2 * (size_t)argc, sizeof *urls);
    if (!urls) {
        fprintf(stderr, "memaed: calibrate: out of memory\n");
        return 1;
    }
    o.inputs.urls = urls;
    o.verify.urls = urls + argc;
    while (!bad && (c = getopt_long(argc, argv, "-:m:i:o:h", options, NULL)) != -1)
        switch (c) {
        case 'm': o.model = optarg; break;
        case 'i':
        case VERIFY:
            list = c == VERIFY ? &o.verify : &o.inputs;
            inputs_append(list, optarg);
            break;
        case 1: inputs_append(list, optarg); break;
        case 'o': o.output = optarg; break;
        case FPS: bad = option_real(&o.fps, "calibrate", "fps", optarg, 0, 1000, false); break;
        case ALERTS: bad = option_real(&o.alerts_a_day, "calibrate", "alerts-per-day", optarg, 0, 1e6, true); break;
        case WINDOWS: bad = option_int(&o.windows, "calibrate", "windows", optarg, 1, 1000000000); break;
        case THREADS: bad = option_int(&o.threads, "calibrate", "threads", optarg, 1, PARALLEL_THREADS_MAX); break;
        case MAX_MEMORY: bad = option_int(&o.max_memory_mib, "calibrate", "max-memory", optarg, 1, 1 << 20); break;
        case 'h':
            fputs(usage, stdout);
            free(urls);
            return fflush(stdout) == 0 ? 0 : 1;
        default: bad = option_unknown("calibrate", c, argv);
        }
    for (; !bad && optind < argc; optind++)
        inputs_append(list, argv[optind]);
    if (!bad && (!o.model || !o.output || o.inputs.n == 0))
        bad = option_misuse("calibrate", "--%s is missing", !o.model ? "model" : !o.output ? "output" : "input");
    if (!bad) {
        struct error err = {.text = "out of memory"};
        log_open(LOG_INFO);
        status = calibrate(&o, &err) < 0;
        if (status) {
            char text[sizeof err.text];
            redact(text, sizeof text, err.text);
            fprintf(stderr, "memaed: calibrate: %s\n", text);
        }
    }
    free(urls);
    return status;
}
