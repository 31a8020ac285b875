/* A labelled clip, as `eval` reads it: its windows scored, then its frames once more for the motion baseline, which wants
 * pictures of another size, and for the times of all frames, and its masks where there are some. Main's thread. */
#ifndef MEMAED_DAEMON_MEASURE_LABELLED_H
#define MEMAED_DAEMON_MEASURE_LABELLED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/evaluation/localisation.h"
#include "daemon/measure/clip.h"
#include "io/footage/labels.h"

/* One of the models that clips are scored by; all is borrowed. */
struct labelled_model {
    const char *path;
    struct clip_scorer *scorer;
    const struct plan *plan;            /* the scorer's */
};

struct labelled_clip {
    const struct labels_clip *clip;     /* borrowed */
    size_t frames;
    int64_t *frames_us;                 /* [frames] */
    int width, height;                  /* of the clip's own pictures */

    /* The windows that were scored; a window's label is that of its centre frame. */
    size_t n;
    size_t *centres;                    /* [n] frames */
    float *scores;
    double *reference;
    double *motion;                     /* where has_motion */
    bool has_motion;                    /* windows are long enough for the baseline: 5 frames before the centre, 3 after */
    int64_t *times_us, *ends_us;        /* of the centre; of the last frame */
    uint8_t *labels, *break_before;
    int map_h, map_w;
    float *maps;                        /* [n, map_h, map_w] until its masks were read; NULL without masks */
};

/* The one file NAME or NAME.* or folder NAME in a folder; option names the folder in errors ("--clips"). 0, -ENOENT, -EINVAL
 * (there are several), -ENAMETOOLONG … */
int labelled_find(char *ret, size_t size, const char *option, const char *folder, const char *name, struct error *err);

/* Reads a clip of the folder `clips` and scores it by n_models models, 1 or more, whose windows have the same number of
 * frames: reference, score and map of a window are the mean over the models. Where masks is not NULL, adds the map of each
 * window and the mask of its centre frame to localisation: masks/NAME is a video or a folder of images of the clip's own size,
 * frame by frame, a pixel of 128 or more abnormal. 0, or a negative errno with the cause in err; labelled_clear() frees what
 * there is then, too. Windows left out are warned of on standard error. */
int labelled_read(struct labelled_clip *ret, const struct labels_clip *clip, const char *clips, const char *masks,
                  const struct labelled_model *models, size_t n_models, struct localisation *localisation,
                  struct error *err);
void labelled_clear(struct labelled_clip *clip);        /* takes what is zero */

#endif
