#include "daemon/learn/inputs.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "core/score/calibration.h"
#include "daemon/base/log.h"
#include "io/video/source.h"

/* The number of frames may differ by this share: learn may have taken every frame, and calibrate takes them at the rate that
 * these had. */
#define MOST_OTHER 0.01

int inputs_read(const struct option_list *inputs, struct footage *footage, double asked, struct error *err)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < inputs->n; i++)
        r = footage_add(footage, inputs->values[i], err);
    double fps = r == 0 && footage_frames(footage) > 1 ? footage_fps(footage) : CALIBRATION_LEAST_FPS;
    if (r == 0 && !(fps >= CALIBRATION_LEAST_FPS && fps <= CALIBRATION_MOST_FPS))
        r = error_set(err, -EINVAL, "the footage: expected %g to %g frames a second, got %g", CALIBRATION_LEAST_FPS,
                      CALIBRATION_MOST_FPS, fps);
    if (r == 0 && footage_frames(footage) > 1 && fps < asked)
        r = error_set(err, -EINVAL, "--fps %g: expected as many frames a second as the footage has, %.3g, or fewer", asked, fps);
    return r;
}

void inputs_log_skipped(const char *reason)
{
    log_event(LOG_WARNING, "footage_skipped", "reason", reason, NULL);
}

void inputs_log_warned(const char *reason)
{
    log_event(LOG_WARNING, "footage_differs", "reason", reason, NULL);
}

static json_t *name_of(const char *input)
{
    char name[256];
    source_name(name, sizeof name, input);
    return json_string(name);
}

json_t *inputs_to_json(const struct option_list *inputs)
{
    json_t *list = json_array();
    for (size_t i = 0; i < inputs->n; i++)
        json_array_append_new(list, name_of(inputs->values[i]));
    return list;
}

json_t *inputs_calibrated(const json_t *before, const struct option_list *inputs, size_t frames,
                          const struct footage_part *first)
{
    json_t *paths = before ? json_deep_copy(json_object_get(before, "paths")) : json_array();
    for (size_t i = 0; i < inputs->n; i++) {
        char *path = realpath(inputs->values[i], NULL);
        json_array_append_new(paths, path ? json_string(path) : name_of(inputs->values[i]));
        free(path);
    }
    return json_pack("{s:o, s:I, s:{s:I, s:I, s:f, s:f}}", "paths", paths, "frames", (json_int_t)frames, "first", "begin",
                     (json_int_t)first->all.begin, "end", (json_int_t)first->all.end, "from", first->from, "to", first->to);
}

int inputs_read_calibrated(const json_t *calibrated, struct footage *footage, struct footage_part *first, struct error *err)
{
    const json_t *paths = json_object_get(calibrated, "paths"), *path;
    json_int_t frames, begin, end;
    double from, to;
    size_t i;
    if (!calibrated || json_is_null(calibrated))
        return error_set(err, -ENODATA, "the model does not name files of the footage that it is calibrated on; "
                                       "leave out --add to calibrate on --input alone");
    if (!json_is_array(paths) ||
        json_unpack((json_t *)calibrated, "{s:I, s:{s:I, s:I, s:F, s:F}}", "frames", &frames, "first", "begin", &begin, "end",
                    &end, "from", &from, "to", &to) < 0 ||
        begin < 0 || begin >= end || end > frames || !(from >= 0 && from < to && to <= 1))
        return error_set(err, -EINVAL, "memae.training: calibrated_on: expected paths and frames of footage, got another value; "
                         "leave out --add to calibrate on --input alone");
    json_array_foreach((json_t *)paths, i, path)
    {
        int r = json_is_string(path) ? footage_add(footage, json_string_value(path), err)
                                     : error_set(err, -EINVAL, "memae.training: calibrated_on: paths[%zu]: expected text, got "
                                                 "another value", i);
        if (r < 0)
            return r;
    }
    double ratio = (double)footage_frames(footage) / (double)frames;
    if (fabs(ratio - 1) > MOST_OTHER)
        return error_set(err, -EINVAL, "the footage that the model is calibrated on has changed: expected %lld frames, got %zu; "
                         "put it back, or leave out --add", (long long)frames, footage_frames(footage));
    first->all = (struct footage_range){(size_t)((double)begin * ratio), (size_t)((double)end * ratio)};
    first->rounds = from > 0 || to < 1 ? footage_rounds(footage, first->all) : 1;
    first->from = from;
    first->to = to;
    return 0;
}
