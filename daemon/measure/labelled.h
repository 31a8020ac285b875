/* Reads a labelled clip for `eval`. A clip is read twice. First its windows are scored. Then the motion baseline, which takes
 * pictures of another size, and the times of all frames are measured. Then the clip's masks are read, if there are any. Main's
 * thread. */
#ifndef MEMAED_DAEMON_MEASURE_LABELLED_H
#define MEMAED_DAEMON_MEASURE_LABELLED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/evaluation/localisation.h"
#include "daemon/measure/clip.h"
#include "io/footage/labels.h"

/* A model that scores clips. All members are borrowed. */
struct labelled_model {
    const char *path;
    struct clip_scorer *scorer;
    const struct plan *plan;            /* that of the scorer */
};

struct labelled_clip {
    const struct labels_clip *clip;     /* borrowed */
    size_t frames;
    int64_t *frames_us;                 /* [frames] */
    int width, height;                  /* of the clip's own pictures */

    /* The scored windows. All arrays are [n]. A window has the label of its centre frame. */
    size_t n;
    size_t *centres;                    /* numbers of the centre frames */
    float *scores;
    double *reference;
    struct voices *voices;              /* what each voice of the score says */
    double *motion;                     /* set if has_motion */
    bool has_motion;                    /* windows are long enough for the baseline: 5 frames before the centre, 3 after */
    int64_t *times_us, *ends_us;        /* of the centre frame; of the last frame */
    uint8_t *labels, *break_before;
    int map_h, map_w;
    float *maps;                        /* [n, map_h, map_w] while the masks are read, then freed; NULL without masks */
};

/* Finds the one file NAME or NAME.*, or folder NAME, in a folder. `option` names the folder in errors ("--clips"). Returns
 * 0; -ENOENT; -EINVAL if there are several; -ENAMETOOLONG; or the errno of reading the folder. */
int labelled_find(char *ret, size_t size, const char *option, const char *folder, const char *name, struct error *err);

/* Scores what FFmpeg opens, or a folder of images, by one model; warn: reports windows that are left out on standard error.
 * Returns as clip_score() or capture_open(). *summary and *stats are written unless the source does not open. */
int labelled_score(const struct labelled_model *model, const char *path, const struct clip_sink *sink, bool warn,
                   struct clip_summary *summary, struct source_stats *stats, struct error *err);

/* Reads a clip of the folder `clips` and scores it by n_models models, 1 or more, whose windows have the same number of
 * frames. Reference, score and map of a window are the mean over the models.
 *
 * If masks is not NULL, adds the map of each window and the mask of its centre frame to localisation. masks/NAME is a video or
 * a folder of images of the clip's own size, frame by frame. A pixel of 128 or more is abnormal.
 *
 * Warns on standard error of windows that are left out. Returns 0, or a negative errno with the cause in err. The caller
 * calls labelled_clear() either way. */
int labelled_read(struct labelled_clip *ret, const struct labels_clip *clip, const char *clips, const char *masks,
                  const struct labelled_model *models, size_t n_models, struct localisation *localisation,
                  struct error *err);
void labelled_clear(struct labelled_clip *clip);        /* takes a zeroed clip, too */

#endif
