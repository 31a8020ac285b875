#include "io/footage/footage.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/zones/hiding.h"
#include "io/base/redact.h"
#include "io/footage/picture_file.h"
#include "io/footage/sources.h"
#include "io/video/source.h"

/* The interval between syncs of a recording. A power cut loses half a minute, and the frames that come during a slow sync. */
#define SYNC_US INT64_C(30000000)

#define NO_FRAMES UINT64_C(0xcbf29ce484222325)         /* the identity of empty footage */

struct footage {
    struct footage_options options;
    size_t frame_size, n, room, clips, corrupt;
    uint8_t *pixels;            /* [in_memory, frame_size]; the frames behind them are in `pictures` */
    size_t in_memory, pixels_room;
    struct picture_file *pictures;      /* NULL: all frames fit into memory so far */
    int first_width, first_height;      /* of the first picture, as a viewer shows it; 0: none yet */
    uint8_t *frame;             /* [frame_size] the frame being added; NULL: the size is not known yet */
    struct hiding *hiding;      /* of options.zones; NULL: nothing is hidden, or the size is not known yet */
    double seconds;
    uint32_t *run;              /* [n] how many frames the unbroken sequence has up to this frame, which counts */
    uint64_t identity;
    float *interval_us;         /* [n] since the frame before; 0: the sequence begins with this frame */
    float *at_s;                /* [n] since the clip, or the recording, began */
    struct clip *clip;          /* [n_clips], in order of their first frames; a recording has none */
    size_t n_clips;
    size_t skipped;             /* files of folders */
    double first_fps, most_fps; /* of the first input, and of the one that has the most; 0: not known */
};

struct clip {
    size_t first;
    char name[256];
};

static size_t most_in_memory(const struct footage *f)
{
    return f->options.keep ? 0 : f->options.max_bytes / f->frame_size;
}

static int open_pictures(struct footage *f, struct error *err)
{
    const struct picture_file_options options = {.width = f->options.width, .height = f->options.height,
                                                 .fps = f->options.fps, .max_bytes = f->options.max_disk_bytes,
                                                 .keep = f->options.keep, .sync_us = f->options.keep ? SYNC_US : 0};
    return picture_file_open(&f->pictures, f->options.path, &options, err);
}

/* Adds a frame to the identity: FNV-1a, on words instead of bytes. */
static void identify(struct footage *f, const uint8_t *pixels, uint32_t run)
{
    uint64_t sum = f->identity ^ run, word;
    for (size_t i = 0; i < f->frame_size; i += sizeof word) {
        word = 0;
        memcpy(&word, pixels + i, f->frame_size - i < sizeof word ? f->frame_size - i : sizeof word);
        sum = (sum ^ word) * UINT64_C(0x100000001b3);
        sum ^= sum >> 32;
    }
    f->identity = sum;
}

static int note(struct footage *f, const uint8_t *pixels, uint32_t run, float interval_us, double at_s, struct error *err)
{
    if (f->n == f->room) {
        size_t room = f->room ? 2 * f->room : 256;
        uint32_t *runs = realloc(f->run, room * sizeof *runs);
        if (runs)
            f->run = runs;
        float *intervals = realloc(f->interval_us, room * sizeof *intervals);
        if (intervals)
            f->interval_us = intervals;
        float *at = realloc(f->at_s, room * sizeof *at);
        if (at)
            f->at_s = at;
        if (!runs || !intervals || !at)
            return error_set(err, -ENOMEM, "out of memory for %zu frames of footage", room);
        f->room = room;
    }
    identify(f, pixels, run);
    f->run[f->n] = run;
    f->interval_us[f->n] = interval_us;
    f->seconds += (double)interval_us * 1e-6;
    f->at_s[f->n] = (float)(f->options.keep ? f->seconds : at_s);
    f->n++;
    return 0;
}

static int keep_in_memory(struct footage *f, struct error *err)
{
    if (f->in_memory == f->pixels_room) {
        size_t most = most_in_memory(f), room = f->pixels_room ? 2 * f->pixels_room : 256;
        room = room < most ? room : most;
        uint8_t *pixels = realloc(f->pixels, room * f->frame_size);
        if (!pixels)
            return error_set(err, -ENOMEM, "out of memory for %zu frames of footage", room);
        f->pixels = pixels;
        f->pixels_room = room;
    }
    memcpy(f->pixels + f->in_memory++ * f->frame_size, f->frame, f->frame_size);
    return 0;
}

/* Adds f->frame. If noting it fails for lack of memory, its picture stays in memory or in the file, where nothing reads
 * it. */
static int append(struct footage *f, const char *shown, uint32_t run, float interval_us, double at_s, struct error *err)
{
    int r = 0;
    if (f->in_memory < most_in_memory(f))
        r = keep_in_memory(f, err);
    else if (!f->options.path)
        r = error_set(err, -EFBIG, "%s: the footage exceeds %zu MiB at %zu frames of %d x %d; use fewer frames a second, "
                      "less footage or smaller pictures, or allow more memory", shown, f->options.max_bytes >> 20, f->n,
                      f->options.width, f->options.height);
    else if (f->pictures || (r = open_pictures(f, err)) == 0)
        r = picture_file_add(f->pictures, f->frame, run, interval_us, err);
    if (r == -EFBIG && f->pictures)
        error_set(err, r, "%s: the footage exceeds %zu MiB on disk at %zu frames of %d x %d; use fewer frames a second, "
                  "less footage or smaller pictures, or allow more disk", shown, f->options.max_disk_bytes >> 20, f->n,
                  f->options.width, f->options.height);
    return r < 0 ? r : note(f, f->frame, run, interval_us, at_s, err);
}

static int begin_clip(struct footage *f, const char *input, struct error *err)
{
    struct clip *clip = realloc(f->clip, (f->n_clips + 1) * sizeof *clip);
    if (!clip)
        return error_set(err, -ENOMEM, "out of memory");
    f->clip = clip;
    clip += f->n_clips++;
    clip->first = f->n;
    source_name(clip->name, sizeof clip->name, input);
    return 0;
}

/* Opens the file of a recording and notes the frames that it holds already. Where damaged frames were left out, the sequence
 * begins anew. */
static int go_on(struct footage *f, struct error *err)
{
    int r = open_pictures(f, err);
    uint32_t skipped = 0;       /* frames of the sequence before it began anew */
    for (size_t i = 0; r == 0 && i < picture_file_count(f->pictures); i++) {
        uint32_t run;
        float interval_us;
        picture_file_numbers(f->pictures, i, &run, &interval_us);
        if (run == 1 || !picture_file_follows(f->pictures, i)) {
            skipped = run - 1;
            interval_us = 0;
        }
        if ((r = picture_file_read(f->pictures, i, f->frame, err)) == 0)
            r = note(f, f->frame, run - skipped, interval_us, 0, err);
    }
    if (r == 0 && f->n > 0)
        f->clips = 1;
    return r;
}

/* Sets the size of the frames; a recording's file is opened then. */
static int set_size(struct footage *f, int width, int height, struct error *err)
{
    if (width < 1 || height < 1)
        return error_set(err, -EINVAL, "expected frames of at least 1 x 1, got %d x %d", width, height);
    size_t size = (size_t)width * (size_t)height;
    f->frame = malloc(size);
    int r = f->frame ? hiding_open(&f->hiding, f->options.zones, height, width) : -ENOMEM;
    if (r < 0)
        return error_set(err, r, r == -EINVAL ? "masks: " ZONES_NOTHING_LEFT : "out of memory");
    f->frame_size = size;
    f->options.width = width;
    f->options.height = height;
    return f->options.keep ? go_on(f, err) : 0;
}

/* The difference of aspects that is no fault: sizes are rounded, to even sides for example. */
static const double same_aspect = 0.02;

/* Warns of an input whose pictures have another aspect than the first one's, or than the network. */
static void check_aspect(struct footage *f, const char *input, int width, int height)
{
    char reason[400], shown[256];
    if (f->first_width == 0) {
        f->first_width = width;
        f->first_height = height;
    }
    bool same = fabs(log((double)width * f->first_height / ((double)height * f->first_width))) <= same_aspect;
    if (!f->options.warned || (f->options.fits ? f->options.fits(f->options.arg, width, height) : same))
        return;
    redact(shown, sizeof shown, input);
    snprintf(reason, sizeof reason, "%s: pictures of %dx%d have another aspect than the %dx%d %s: shapes are stretched", shown,
             width, height, f->options.fits ? f->options.width : f->first_width,
             f->options.fits ? f->options.height : f->first_height, f->options.fits ? "of the model" : "of the first input");
    f->options.warned(reason);
}

/* Warns of an input whose rate of analysed frames differs from the others'. */
static void check_rate(struct footage *f, const char *shown, double fps)
{
    char reason[400];
    bool slow = f->options.fps > 0 && fps < f->options.slow_rate * f->options.fps;
    if (fps > f->most_fps)
        f->most_fps = fps;
    if (f->first_fps <= 0)
        f->first_fps = fps;
    bool other = f->options.fps <= 0 && (fps < f->options.slow_rate * f->first_fps || f->options.slow_rate * fps > f->first_fps);
    if (slow)
        snprintf(reason, sizeof reason, "%s: %.3g frames a second, fewer than the %g that are analysed: what moves seems faster",
                 shown, fps, f->options.fps);
    else
        snprintf(reason, sizeof reason, "%s: %.3g frames a second, but the first input has %.3g: --fps takes as many of all",
                 shown, fps, f->first_fps);
    if ((slow || other) && f->options.warned)
        f->options.warned(reason);
}

/* Opens a source that gives pictures of the frames' size. The first picture of all decides that size. *kept as in play(). */
static int open_source(struct capture **ret, struct footage *f, const char *input, const struct footage_stream *stream,
                       bool *kept, struct error *err)
{
    struct capture_options options = {.source = stream->source, .host = f->options.host, .memory_mib = f->options.memory_mib};
    options.source.width = f->options.width;
    options.source.height = f->options.height;
    options.source.fps = f->options.fps;
    options.source.stop = f->options.stop;
    struct capture *capture;
    int width, height, r = capture_open(&capture, input, &options, err);
    if (r < 0)
        return r;
    r = capture_peek(capture, &width, &height, err);
    if (r == 1)
        check_aspect(f, input, width, height);
    if (r == 1 && !f->frame) {
        f->options.fit(f->options.arg, &width, &height);
        r = set_size(f, width, height, err);
        *kept = r == 0;
        r = r < 0 ? r : capture_resize(capture, width, height, err);
    }
    if (r < 0)
        capture_close(capture);
    else
        *ret = capture;
    return r;
}

/* Adds what a source gives, until there are stream->seconds in all (1) or the source ends (0). Negative: an error. *kept is
 * false if adding failed rather than the source. */
static int play(struct footage *f, const char *input, const struct footage_stream *stream, bool *kept, struct error *err)
{
    struct capture *capture;
    *kept = true;
    int r = open_source(&capture, f, input, stream, kept, err);
    if (r < 0)
        return r;
    if (!f->options.keep && (r = begin_clip(f, input, err)) < 0) {
        capture_close(capture);
        *kept = false;
        return r;
    }
    char shown[256];
    redact(shown, sizeof shown, input);
    uint32_t run = 0;
    int64_t last_us = 0;
    size_t intervals = 0;
    double before_s = f->seconds;
    struct source_frame frame;
    bool enough;
    while (!(enough = f->seconds >= stream->seconds) && (r = capture_read(capture, f->frame, &frame, err)) == 1) {
        if (frame.corrupt) {
            f->corrupt++;
            run = 0;
            continue;
        }
        hiding_fill(f->hiding, f->frame);
        bool follows = run > 0 && !frame.gap;
        run = follows ? run + 1 : 1;
        r = append(f, shown, run, follows ? (float)(frame.pts_us - last_us) : 0, (double)frame.pts_us * 1e-6, err);
        if (r < 0) {
            *kept = false;
            break;
        }
        last_us = frame.pts_us;
        intervals += follows;
        if (stream->shown)
            stream->shown(stream->arg, f->seconds);
    }
    capture_close(capture);
    if (enough || r == 0)
        f->clips++;
    if (intervals > 0 && f->seconds > before_s)
        check_rate(f, shown, (double)intervals / (f->seconds - before_s));
    if (f->options.keep && *kept && f->pictures) {
        struct error fault;
        int synced = picture_file_sync(f->pictures, &fault);
        if (synced < 0) {
            *kept = false;
            return error_set(err, synced, "%s", fault.text);
        }
    }
    return enough ? 1 : r;
}

/* The argument of add_stream() and skips(), which sources_each() calls. */
struct adding {
    struct footage *footage;
    int r;                      /* of the last source */
    bool kept;                  /* false: it failed because its frames could not be kept */
};

static int add_stream(void *arg, const char *input, struct error *err)
{
    struct adding *a = arg;
    a->kept = true;
    const struct footage_stream stream = {.source.stall_timeout_ms = 30000, .seconds = INFINITY};
    return a->r = play(a->footage, input, &stream, &a->kept, err);
}

static bool skips(void *arg, const char *reason)
{
    struct adding *a = arg;
    struct footage *f = a->footage;
    if (!f->options.skipped || !a->kept || a->r == -EINTR || a->r == -ENOMEM)
        return false;
    f->skipped++;
    f->options.skipped(reason);
    return true;
}

int footage_record(struct footage *footage, const char *url, const struct footage_stream *stream, int *failed,
                   struct error *err)
{
    bool kept;
    int r = play(footage, url, stream, &kept, err);
    if (failed)
        *failed = r < 0 ? r : 0;
    if (r == 0)
        error_set(err, 0, "the stream ended");
    return r < 0 && r != -EINTR && kept ? 0 : r;
}

int footage_clear(struct footage *footage, struct error *err)
{
    int r = footage->pictures ? picture_file_clear(footage->pictures, err) : 0;
    if (r < 0)
        return r;
    footage->n = footage->clips = footage->corrupt = 0;
    footage->seconds = 0;
    footage->identity = NO_FRAMES;
    return 0;
}

double footage_seconds(const struct footage *footage)
{
    return footage->seconds;
}

size_t footage_lost(const struct footage *footage, uint64_t *bytes)
{
    *bytes = 0;
    return footage->pictures ? picture_file_lost(footage->pictures, bytes) : 0;
}

int footage_open(struct footage **ret, const struct footage_options *options, struct error *err)
{
    struct footage *f = calloc(1, sizeof *f);
    if (!f)
        return error_set(err, -ENOMEM, "out of memory");
    f->options = *options;
    f->identity = NO_FRAMES;
    int width = options->width, height = options->height, r = 0;
    bool open_size = width == 0 && height == 0 && options->fit;
    if (open_size && options->keep)
        r = picture_file_size(options->path, &width, &height, err);
    if (r == 1 || !open_size)
        r = set_size(f, width, height, err);
    if (r < 0) {
        footage_close(f);
        return r;
    }
    *ret = f;
    return 0;
}

void footage_close(struct footage *footage)
{
    if (!footage)
        return;
    picture_file_close(footage->pictures);
    hiding_close(footage->hiding);
    free(footage->frame);
    free(footage->pixels);
    free(footage->run);
    free(footage->interval_us);
    free(footage->at_s);
    free(footage->clip);
    free(footage);
}

int footage_add(struct footage *footage, const char *input, struct error *err)
{
    size_t before = footage->n;
    struct adding adding = {.footage = footage};
    int r = sources_each(input, &(struct sources_user){add_stream, skips, &adding}, err);
    return r == -ENODATA && footage->n > before ? 0 : r;
}

void footage_size(const struct footage *footage, int *width, int *height)
{
    *width = footage->options.width;
    *height = footage->options.height;
}

const struct zones *footage_zones(const struct footage *footage)
{
    return footage->options.zones;
}

size_t footage_frames(const struct footage *footage)
{
    return footage->n;
}

int footage_read(struct footage *footage, size_t first, size_t n, uint8_t *pixels, struct error *err)
{
    size_t there = first < footage->in_memory ? footage->in_memory - first : 0;
    there = there < n ? there : n;
    if (there > 0)
        memcpy(pixels, footage->pixels + first * footage->frame_size, there * footage->frame_size);
    int r = 0;
    for (size_t i = there; r == 0 && i < n; i++)
        r = picture_file_read(footage->pictures, first + i - footage->in_memory, pixels + i * footage->frame_size, err);
    return r;
}

bool footage_window_ok(const struct footage *footage, size_t first, int length)
{
    size_t last = first + (size_t)length - 1;
    return length > 0 && last < footage->n && footage->run[last] >= (uint32_t)length;
}

struct footage_range footage_part_range(const struct footage_part *part, size_t round)
{
    double n = (double)(part->all.end - part->all.begin), rounds = (double)part->rounds;
    return (struct footage_range){part->all.begin + (size_t)(n * ((double)round + part->from) / rounds + 0.5),
                                  part->all.begin + (size_t)(n * ((double)round + part->to) / rounds + 0.5)};
}

size_t footage_rounds(const struct footage *footage, struct footage_range range)
{
    double fps = footage_fps(footage), hours = fps > 0 ? (double)(range.end - range.begin) / fps / 3600 : 0;
    return hours < 1 ? 1 : (size_t)hours;
}

const char *footage_place(const struct footage *footage, size_t frame, double *at_s)
{
    const char *name = "";
    *at_s = (double)footage->at_s[frame];
    for (size_t i = 0; i < footage->n_clips && footage->clip[i].first <= frame; i++)
        name = footage->clip[i].name;
    return name;
}

uint64_t footage_identity(const struct footage *footage)
{
    return footage->identity;
}

size_t footage_clips(const struct footage *footage)
{
    return footage->clips;
}

size_t footage_skipped(const struct footage *footage)
{
    return footage->skipped;
}

size_t footage_corrupt(const struct footage *footage)
{
    return footage->corrupt;
}

static int by_value(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

double footage_fps(const struct footage *footage)
{
    float *sorted = malloc((footage->n + 1) * sizeof *sorted);
    size_t n = 0;
    double fps = 0, sum = 0;
    if (!sorted)
        return 0;
    for (size_t i = 0; i < footage->n; i++)
        if (footage->interval_us[i] > 0)
            sorted[n++] = footage->interval_us[i];
    qsort(sorted, n, sizeof *sorted, by_value);
    /* The mean of the middle half, not the median: at 30 frames a second, timestamps in milliseconds alternate between two
     * intervals. */
    size_t low = n / 4, high = n - n / 4;
    for (size_t i = low; i < high; i++)
        sum += (double)sorted[i];
    if (sum > 0)
        fps = 1e6 * (double)(high - low) / sum;
    free(sorted);
    double most = fps > footage->most_fps ? fps : footage->most_fps;
    return footage->options.fps > 0 && most >= footage->options.slow_rate * footage->options.fps ? footage->options.fps : fps;
}

static void tones(const uint8_t *frame, size_t n, uint8_t *darkest, uint8_t *brightest)
{
    *darkest = 255;
    *brightest = 0;
    for (size_t i = 0; i < n; i++) {
        *darkest = frame[i] < *darkest ? frame[i] : *darkest;
        *brightest = frame[i] > *brightest ? frame[i] : *brightest;
    }
}

int footage_check(struct footage *footage, struct footage_range range, int length, struct error *err)
{
    enum { LEAST_CONTRAST = 8, CHUNK = 64 };    /* gray levels, darkest to brightest pixel; frames read at once */
    size_t n = range.end - range.begin, windows = 0, flat = 0, changed = 0, size = footage->frame_size;
    for (size_t i = range.begin; length > 0 && i + (size_t)length <= range.end; i++)
        windows += footage_window_ok(footage, i, length);
    if (windows == 0)
        return error_set(err, -EINVAL, "the footage is too short: %zu frames, with no %d in an unbroken sequence", n,
                         length);
    uint8_t *pixels = malloc((CHUNK + 1) * size);       /* the last frame of the chunk before, then the chunk */
    if (!pixels)
        return error_set(err, -ENOMEM, "out of memory");
    int r = 0;
    for (size_t i = range.begin; i < range.end; i += CHUNK) {
        size_t m = range.end - i < CHUNK ? range.end - i : CHUNK;
        if ((r = footage_read(footage, i, m, pixels + size, err)) < 0)
            break;
        for (size_t k = 0; k < m; k++) {
            const uint8_t *frame = pixels + (k + 1) * size;
            uint8_t darkest, brightest;
            tones(frame, size, &darkest, &brightest);
            flat += brightest - darkest < LEAST_CONTRAST;
            changed += i + k > range.begin && footage->run[i + k] > 1 && memcmp(frame, frame - size, size) != 0;
        }
        memcpy(pixels, pixels + m * size, size);
    }
    free(pixels);
    if (r < 0)
        return r;
    if (flat > n / 2)
        return error_set(err, -EINVAL, "the footage is black or of one tone: in %zu of %zu frames the darkest and the "
                         "brightest pixel differ by less than %d gray levels", flat, n, LEAST_CONTRAST);
    if (changed == 0)
        return error_set(err, -EINVAL, "the footage is frozen: none of its %zu frames differs from the one before", n);
    return 0;
}
