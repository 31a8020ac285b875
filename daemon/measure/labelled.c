#include "daemon/measure/labelled.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/evaluation/motion.h"
#include "daemon/base/isolation.h"
#include "io/base/redact.h"

int labelled_find(char *ret, size_t size, const char *option, const char *folder, const char *name, struct error *err)
{
    DIR *dir = opendir(folder);
    size_t length = strlen(name);
    char found[PATH_MAX] = "", path[PATH_MAX];
    struct dirent *entry;
    int r = 0;

    if (!dir) {
        r = -errno;
        return error_set(err, r, "%s %s: %s", option, folder, strerror(-r));
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
            r = error_set(err, -EINVAL, "clip %s: expected one file or folder of that name, got both %s and "
                                        "%s", name, found, path);
        else
            strcpy(found, path);
    }
    closedir(dir);
    if (r == 0 && !found[0])
        r = error_set(err, -ENOENT, "clip %s: expected a folder of that name, or a file of it with any extension, in "
                                    "%s", name, folder);
    if (r == 0 && snprintf(ret, size, "%s", found) >= (int)size)
        r = error_set(err, -ENAMETOOLONG, "clip %s: the path is too long", name);
    return r;
}

void labelled_clear(struct labelled_clip *c)
{
    free(c->frames_us);
    free(c->centres);
    free(c->scores);
    free(c->reference);
    free(c->voices);
    free(c->motion);
    free(c->times_us);
    free(c->ends_us);
    free(c->labels);
    free(c->break_before);
    free(c->maps);
    *c = (struct labelled_clip){0};
}

/* A clip has at most as many windows as labels. */
static int allocate(struct labelled_clip *c)
{
    size_t n = c->clip->n;

    c->frames_us = calloc(n, sizeof *c->frames_us);
    c->centres = calloc(n, sizeof *c->centres);
    c->scores = calloc(n, sizeof *c->scores);
    c->reference = calloc(n, sizeof *c->reference);
    c->voices = calloc(n, sizeof *c->voices);
    c->motion = calloc(n, sizeof *c->motion);
    c->times_us = calloc(n, sizeof *c->times_us);
    c->ends_us = calloc(n, sizeof *c->ends_us);
    c->labels = calloc(n, sizeof *c->labels);
    c->break_before = calloc(n, sizeof *c->break_before);
    return c->frames_us && c->centres && c->scores && c->reference && c->voices && c->motion && c->times_us && c->ends_us &&
                   c->labels && c->break_before ? 0 : -ENOMEM;
}

/* ---- its windows -------------------------------------------------------------------------------------------------- */

struct keeping {
    struct labelled_clip *clip;
    size_t n;                   /* windows of this model so far */
    double share;               /* weight of one model in the mean */
    bool first, maps;
};

/* The first model makes the entries. Each model adds its share. */
static int keep_window(void *arg, const struct clip_window *window, struct error *err)
{
    struct keeping *keeping = arg;
    struct labelled_clip *c = keeping->clip;
    size_t at = keeping->n++, cells = (size_t)window->map_h * (size_t)window->map_w;

    if (window->frame >= c->clip->n)
        return error_set(err, -EINVAL, "expected a label for each frame, got %zu labels and more frames", c->clip->n);
    if (keeping->maps && !c->maps) {
        c->map_h = window->map_h;
        c->map_w = window->map_w;
        c->maps = calloc(c->clip->n, cells * sizeof *c->maps);
        if (!c->maps)
            return error_set(err, -ENOMEM, "out of memory");
    }
    if (keeping->maps && (window->map_h != c->map_h || window->map_w != c->map_w))
        return error_set(err, -EINVAL, "expected maps of %dx%d cells as by the first model, got %dx%d", c->map_w,
                         c->map_h, window->map_w, window->map_h);
    if (keeping->first) {
        c->centres[at] = (size_t)window->frame;
        c->times_us[at] = window->pts_us;
        c->ends_us[at] = window->end_us;
        c->labels[at] = c->clip->labels[window->frame];
        c->break_before[at] = window->gap_before;
        c->n++;
    } else if (at >= c->n || c->centres[at] != window->frame) {
        return error_set(err, -EIO, "the file changed while it was read");
    }
    for (size_t i = 0; keeping->maps && i < cells; i++)
        c->maps[at * cells + i] += (float)keeping->share * window->map[i];
    for (int v = 0; v < VOICES; v++)
        c->voices[at].score[v] += (float)keeping->share * window->voices.score[v];
    c->scores[at] += (float)keeping->share * clip_window_level(window);
    c->reference[at] += keeping->share * (double)window->reference;
    return 0;
}

static struct capture_options open_at(int width, int height)
{
    return isolation_capture(&(struct source_options){.width = width, .height = height, .stall_timeout_ms = 10000});
}

int labelled_score(const struct labelled_model *model, const char *path, const struct clip_sink *sink, bool warn,
                   struct clip_summary *summary, struct source_stats *stats, struct error *err)
{
    const struct arch *arch = plan_arch(model->plan);
    struct capture_options options = open_at(arch->width, arch->height);
    struct capture *capture;
    int r = capture_open(&capture, path, &options, err);

    if (r < 0)
        return r;
    r = clip_score(model->scorer, capture, sink, summary, err);
    capture_stats(capture, stats);
    capture_close(capture);
    if (r >= 0 && warn && summary->left_out > 0) {
        char shown[256];

        redact(shown, sizeof shown, path);
        fprintf(stderr, "memaed eval: warning: %s: %" PRIu64 " windows left out: %" PRIu64 " corrupt frames, %" PRIu64
                " gaps\n", shown, summary->left_out, summary->corrupt, summary->gaps);
    }
    return r;
}

/* Scores the clip by one model. */
static int score(struct labelled_clip *c, const char *path, const struct labelled_model *model, struct keeping *keeping,
                 struct error *err)
{
    struct clip_sink sink = {.arg = keeping, .window = keep_window};
    struct clip_summary summary;
    struct source_stats stats;
    int r = labelled_score(model, path, &sink, keeping->first, &summary, &stats, err);

    if (r < 0)
        return r;
    c->frames = (size_t)summary.frames;
    c->width = stats.width;
    c->height = stats.height;
    if (c->frames != c->clip->n)
        return error_set(err, -EINVAL, "expected %zu labels, one for each frame, got %zu", c->frames, c->clip->n);
    return keeping->n == c->n ? 0 : error_set(err, -EIO, "the file changed while it was read");
}

/* ---- its frames once more ----------------------------------------------------------------------------------------- */

/* Measures the motion of each window and the time of each frame. */
static int read_motion(struct labelled_clip *c, const char *path, struct error *err)
{
    struct capture_options options = open_at(MOTION_SIDE, MOTION_SIDE);
    const size_t size = MOTION_SIDE * MOTION_SIDE, after = MOTION_FRAMES - 1 - MOTION_BEFORE;
    uint8_t *pixels = malloc(MOTION_FRAMES * size);
    struct capture *capture = NULL;
    size_t frame = 0, window = 0;
    int r;

    if (!pixels)
        return error_set(err, -ENOMEM, "out of memory");
    r = capture_open(&capture, path, &options, err);
    while (r >= 0) {
        const uint8_t *frames[MOTION_FRAMES];
        struct source_frame got;

        r = capture_read(capture, pixels + frame % MOTION_FRAMES * size, &got, err);
        if (r <= 0)
            break;
        if (frame == c->frames) {
            frame++;
            break;
        }
        c->frames_us[frame++] = got.pts_us;
        if (!c->has_motion || window == c->n || frame != c->centres[window] + after + 1)
            continue;
        for (size_t i = 0; i < MOTION_FRAMES; i++)
            frames[i] = pixels + (frame + i) % MOTION_FRAMES * size;
        c->motion[window++] = motion_score(frames);
    }
    capture_close(capture);
    free(pixels);
    if (r >= 0 && frame != c->frames)
        r = error_set(err, -EIO, "the file changed while it was read");
    return r < 0 ? r : 0;
}

static int read_masks(struct labelled_clip *c, const char *path, struct localisation *localisation, struct error *err)
{
    struct capture_options options = open_at(c->width, c->height);
    size_t size = (size_t)c->width * (size_t)c->height, cells = (size_t)c->map_h * (size_t)c->map_w, frame = 0, window = 0;
    uint8_t *mask = malloc(size + 1);
    struct source_stats stats;
    struct capture *capture = NULL;
    int r;

    if (!mask)
        return error_set(err, -ENOMEM, "out of memory");
    localisation_begin_clip(localisation);
    r = capture_open(&capture, path, &options, err);
    while (r >= 0) {
        struct source_frame got;

        r = capture_read(capture, mask, &got, err);
        if (r <= 0)
            break;
        capture_stats(capture, &stats);
        if (stats.width != c->width || stats.height != c->height) {
            r = error_set(err, -EINVAL, "expected masks of %dx%d, the clip's size, got %dx%d", c->width, c->height,
                          stats.width, stats.height);
            break;
        }
        if (got.corrupt || (got.gap && frame > 0)) {
            r = error_set(err, -EINVAL, "the mask of frame %zu is damaged, or a mask before it is missing", frame);
            break;
        }
        if (window < c->n && frame == c->centres[window]) {
            for (size_t i = 0; i < size; i++)
                mask[i] = mask[i] >= 128;
            r = localisation_add(localisation, c->maps + window * cells, c->map_h, c->map_w, mask, c->height, c->width);
            if (r < 0) {
                error_set(err, r, r == -EINVAL ? "pictures of %dx%d are smaller than the map, %dx%d cells" :
                          r == -EDOM ? "a map has a value that is not a number" : "out of memory", c->width, c->height,
                          c->map_w, c->map_h);
                break;
            }
            window++;
        }
        frame++;
    }
    capture_close(capture);
    free(mask);
    if (r >= 0 && frame != c->frames)
        r = error_set(err, -EINVAL, "expected %zu masks, as many as frames, got %zu", c->frames, frame);
    return r < 0 ? r : 0;
}

int labelled_read(struct labelled_clip *c, const struct labels_clip *clip, const char *clips, const char *masks,
                  const struct labelled_model *models, size_t n_models, struct localisation *localisation,
                  struct error *err)
{
    const struct arch *arch = plan_arch(models[0].plan);
    char path[PATH_MAX];
    int r;

    *c = (struct labelled_clip){.clip = clip};
    c->has_motion = arch->frames / 2 >= MOTION_BEFORE &&
                    arch->frames - arch->frames / 2 >= MOTION_FRAMES - MOTION_BEFORE;
    if (allocate(c) < 0)
        return error_set(err, -ENOMEM, "out of memory");
    r = labelled_find(path, sizeof path, "--clips", clips, clip->name, err);
    if (r < 0)
        return r;
    for (size_t i = 0; r >= 0 && i < n_models; i++) {
        struct keeping keeping = {.clip = c, .share = 1 / (double)n_models, .first = i == 0, .maps = masks != NULL};

        r = score(c, path, &models[i], &keeping, err);
        if (r < 0 && n_models > 1)
            error_prefix(err, r, "by %s", models[i].path);
    }
    if (r >= 0)
        r = read_motion(c, path, err);
    if (r < 0)
        return error_prefix(err, r, "%s", path);
    if (!masks)
        return 0;
    r = labelled_find(path, sizeof path, "--masks", masks, clip->name, err);
    if (r < 0)
        return r;
    r = read_masks(c, path, localisation, err);
    free(c->maps);
    c->maps = NULL;
    return r < 0 ? error_prefix(err, r, "%s", path) : 0;
}
