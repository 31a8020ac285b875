#include "daemon/learn/windows.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { STRETCH = 256 };         /* windows of a stretch */
#define MOST_CODES ((size_t)512 << 20)  /* bytes */

struct windows_work {
    struct windows_options options;
    struct parallel parallel;
    int length;
    double step_s;
    size_t frame_size;
    struct plan *plan;
    void **workspaces;          /* [threads] */
    struct frame_cache **frame_caches;  /* [threads] each thread's; frames are numbered as in the footage */
    uint8_t **pixels;           /* [threads][length][frame_size] */
    struct windows *windows;
    const struct score_spec *spec;
    const size_t *which;
    struct ranges_seen *seen;   /* [threads] while ranges are measured; NULL while windows are */
    atomic_int failed;          /* first negative errno of a thread; 0: none */
    struct error fault;         /* its text; the thread that set `failed` wrote it */
};

static size_t most_windows(const struct footage_part *part, int stride)
{
    return (part->all.end - part->all.begin) / (size_t)stride + part->rounds;
}

/* Appends the windows of a part to the list. */
static void list_part(struct windows *w, const struct footage_part *part)
{
    const struct windows_options *o = &w->work->options;
    for (size_t k = 0; k < part->rounds; k++) {
        struct footage_range range = footage_part_range(part, k);
        for (size_t i = range.begin; i + (size_t)w->work->length <= range.end; i += (size_t)o->stride)
            if (footage_window_ok(o->footage, i, w->work->length))
                w->first[w->n++] = i;
    }
}

static int list(struct windows *w)
{
    const struct windows_options *o = &w->work->options;
    w->first = malloc((most_windows(&o->part, o->stride) + (o->added ? most_windows(o->added, o->stride) : 0)) *
                      sizeof *w->first);
    if (!w->first)
        return -ENOMEM;
    list_part(w, &o->part);
    if (o->added)
        list_part(w, o->added);
    size_t all = w->n;
    if (all <= o->most)
        return 0;
    size_t stretch = o->most < STRETCH ? o->most : STRETCH, stretches = stretch > 0 ? o->most / stretch : 0;
    w->n = 0;
    for (size_t k = 0; k < stretches; k++, w->n += stretch)     /* a stretch moves to the front, or stays */
        memmove(w->first + w->n, w->first + k * (all - stretch) / (stretches > 1 ? stretches - 1 : 1),
                stretch * sizeof *w->first);
    return 0;
}

/* Replaces the workspaces and caches by those of the present plan. */
static bool make_workspaces(struct windows_work *work)
{
    bool room = true;
    for (int i = 0; i < work->parallel.threads; i++) {
        free(work->workspaces[i]);
        free(work->frame_caches[i]);
        work->workspaces[i] = plan_workspace_new(work->plan);
        work->frame_caches[i] = plan_frame_cache_new(work->plan, work->options.stride);
        room = room && work->workspaces[i] && work->frame_caches[i];
    }
    return room;
}

int windows_open(struct windows *ret, const struct windows_options *options, const struct model *model,
                 const struct parallel *parallel, struct error *err)
{
    int threads = parallel->threads;
    *ret = (struct windows){.work = calloc(1, sizeof *ret->work)};
    ret->has_score = score_cells(&model->arch, &ret->rows, &ret->columns);
    struct windows_work *work = ret->work;
    if (!work)
        return error_set(err, -ENOMEM, "out of memory");
    work->options = *options;
    size_t codes = PLACES_MAPS * (size_t)ret->rows * (size_t)ret->columns;      /* of a window */
    bool has_codes = options->keep_places && ret->has_score && ret->rows * ret->columns <= PLACES_CELLS_MAX;
    if (has_codes && work->options.most > MOST_CODES / (codes * sizeof *ret->codes))
        work->options.most = MOST_CODES / (codes * sizeof *ret->codes);
    work->parallel = *parallel;
    work->windows = ret;
    work->length = model->arch.frames;
    work->step_s = options->stride / footage_fps(options->footage);
    work->frame_size = (size_t)model->arch.height * (size_t)model->arch.width;
    int r = score_regions_open(&ret->regions, footage_zones(options->footage), NULL, &model->arch);
    if (r < 0)
        return error_set(err, r, r == -EINVAL ? "masks: " ZONES_NOTHING_LEFT : "out of memory");
    r = plan_open(&work->plan, model, score_scratch(&model->arch), err);
    if (r < 0)
        return r;
    r = list(ret);
    work->workspaces = calloc((size_t)threads, sizeof *work->workspaces);
    work->frame_caches = calloc((size_t)threads, sizeof *work->frame_caches);
    work->pixels = calloc((size_t)threads, sizeof *work->pixels);
    ret->reference = calloc(ret->n + 1, sizeof *ret->reference);
    ret->features = calloc(ret->n + 1, sizeof *ret->features);
    ret->codes = has_codes ? malloc((ret->n * codes + 1) * sizeof *ret->codes) : NULL;
    bool room = r == 0 && (ret->codes || !has_codes) && work->workspaces && work->frame_caches && work->pixels &&
                ret->reference && ret->features && make_workspaces(work);
    for (int i = 0; room && i < threads; i++)
        room = (work->pixels[i] = malloc((size_t)work->length * work->frame_size)) != NULL;
    return room ? 0 : error_set(err, -ENOMEM, "out of memory");
}

void windows_close(struct windows *windows)
{
    struct windows_work *work = windows->work;
    for (int i = 0; work && i < work->parallel.threads; i++) {
        free(work->workspaces ? work->workspaces[i] : NULL);
        free(work->frame_caches ? work->frame_caches[i] : NULL);
        free(work->pixels ? work->pixels[i] : NULL);
    }
    if (work) {
        free(work->workspaces);
        free(work->frame_caches);
        free(work->pixels);
        plan_close(work->plan);
    }
    free(work);
    free(windows->first);
    free(windows->reference);
    free(windows->features);
    free(windows->codes);
    regions_close(windows->regions);
    *windows = (struct windows){0};
}

static void keep_places(struct windows *w, size_t k, const struct arch *arch, const float *scratch)
{
    float logs[PLACES_CELLS_MAX];
    size_t cells = (size_t)w->rows * (size_t)w->columns;
    for (size_t m = 0; m < PLACES_MAPS; m++) {
        score_place_logs(arch, scratch, (enum places_map)m, logs);
        for (size_t c = 0; c < cells; c++)
            w->codes[(m * cells + c) * w->n + k] = places_encode(logs[c]);
    }
}

static void measure(void *arg, int i, int worker)
{
    struct windows_work *work = arg;
    struct windows *w = work->windows;
    const uint8_t *frames[ARCH_MAX_FRAMES];
    struct plan_result result;
    struct error err;
    size_t k = work->which ? work->which[i] : (size_t)i;
    if (work->options.stop && atomic_load(work->options.stop))
        return;
    for (int t = 0; t < work->length; t++)
        frames[t] = work->pixels[worker] + (size_t)t * work->frame_size;
    int r = footage_read(work->options.footage, w->first[k], (size_t)work->length, work->pixels[worker], &err);
    if (r < 0) {
        if (atomic_compare_exchange_strong(&work->failed, &(int){0}, r))
            work->fault = err;
        return;
    }
    if (work->seen) {
        plan_observe(work->plan, frames, work->workspaces[worker], &result, &work->seen[worker]);
        return;
    }
    plan_run_sliding(work->plan, work->frame_caches[worker], w->first[k], frames, work->workspaces[worker], &result);
    w->reference[k] = result.reference;
    if (w->has_score)
        score_measure(plan_arch(work->plan), result.x, result.x_hat, work->spec, w->regions, result.scratch,
                      &w->features[k]);
    if (w->codes && !work->which)
        keep_places(w, k, plan_arch(work->plan), result.scratch);
}

static int run(struct windows *windows, const size_t *which, size_t n, struct error *err)
{
    struct windows_work *work = windows->work;
    work->which = which;
    atomic_store(&work->failed, 0);
    work->parallel.run(&work->parallel, (int)n, measure, work);
    if (work->options.stop && atomic_load(work->options.stop))
        return error_set(err, -EINTR, "interrupted");
    int r = atomic_load(&work->failed);
    return r < 0 ? error_set(err, r, "the footage cannot be read any more: %s", work->fault.text) : 0;
}

int windows_ranges(struct windows *windows, const size_t *which, size_t n, double outside, struct ranges *ret,
                   struct error *err)
{
    struct windows_work *work = windows->work;
    int threads = work->parallel.threads, r = 0, n_channels = ranges_count(plan_arch(work->plan), plan_shapes(work->plan));
    if (n_channels > RANGES_MAX)
        return error_set(err, -ENOTSUP, "8 bits: expected at most %d channels, got %d", RANGES_MAX, n_channels);
    work->seen = calloc((size_t)threads, sizeof *work->seen);
    if (!work->seen)
        return error_set(err, -ENOMEM, "out of memory");
    for (int pass = 0; r == 0 && pass < 2; pass++) {
        for (int i = 0; i < threads; i++) {     /* seen[0] holds what all threads saw */
            work->seen[i].n = n_channels;
            work->seen[i].counting = pass == 1;
            if (i > 0)
                memcpy(work->seen[i].extremes, work->seen[0].extremes, sizeof work->seen[i].extremes);
        }
        r = run(windows, which, n, err);
        for (int i = 1; r == 0 && i < threads; i++)
            ranges_merge(&work->seen[0], &work->seen[i]);
    }
    if (r == 0)
        ranges_fit(ret, &work->seen[0], outside);
    free(work->seen);
    work->seen = NULL;
    return r;
}

int windows_set_int8(struct windows *windows, const struct model *model, const struct ranges *ranges, struct error *err)
{
    struct windows_work *work = windows->work;
    struct plan *plan;
    int r = plan_open_int8(&plan, model, score_scratch(&model->arch), ranges, err);
    if (r < 0)
        return r;
    plan_close(work->plan);
    work->plan = plan;
    return make_workspaces(work) ? 0 : error_set(err, -ENOMEM, "out of memory");
}

int windows_measure(struct windows *windows, const struct score_spec *spec, const size_t *which, size_t n, struct error *err)
{
    windows->work->spec = spec;
    return run(windows, which, n, err);
}

double windows_step(const struct windows *windows, size_t i)
{
    const struct windows_options *o = &windows->work->options;
    if (i == 0 || windows->first[i] != windows->first[i - 1] + (size_t)o->stride ||
        !footage_window_ok(o->footage, windows->first[i - 1], windows->work->length + o->stride))
        return 0;
    return windows->work->step_s;
}
