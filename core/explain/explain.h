/* Explains one window of footage: runs the frozen network on it and says why it scored as it did (core/explanation.h). It also
 * gives the network's reconstruction, and a map of where the window is unusual. It runs the network again, because scoring keeps
 * none of this, so the caller needs the window's frames. That takes a millisecond more than scoring. Pure; any thread. */
#ifndef MEMAED_CORE_EXPLAIN_EXPLAIN_H
#define MEMAED_CORE_EXPLAIN_EXPLAIN_H

#include "core/explanation.h"
#include "core/picture/draw.h"
#include "core/picture/heat.h"
#include "core/score/calibration.h"

struct explained {
    struct explanation explanation;
    int height, width;          /* of the network's picture, pixels */
    uint8_t *drawn;             /* [height, width] gray: the network's reconstruction of the window's centre frame */
    float *map;                 /* [rows, columns] of heat: each cell's score, -INFINITY if it does not count; without a score
                                 * of the model's own, each cell's mean error */
    struct heat_map heat;       /* of map */
    bool is_calibrated;         /* the scale goes from the median of normal windows to the alert's threshold; false: from the
                                 * map's mean to near its maximum, for this window alone */
    struct heat_scale scale;
};

/* Makes room for explanations of windows of this architecture. 0; -EINVAL if the network is not for cameras, or its pictures
 * are smaller than a cell; -ENOMEM. err has the cause; *ret is untouched then. */
int explained_open(struct explained *ret, const struct arch *arch, struct error *err);
/* Takes zeroes. */
void explained_close(struct explained *explained);

/* Explains the window frames [arch.frames], gray pictures [height * width], borrowed. calibration may be NULL, and so may
 * regions: all cells count then. The plan, opened by calibration_open_plan(), is of the architecture of *ret; the workspace is
 * one of it. Allocates nothing. */
void explain_window(const struct plan *plan, const struct calibration *calibration, const struct regions *regions,
                    const uint8_t *const frames[], void *workspace, struct explained *ret);

/* The "why" picture of an explanation (core/picture/why.h). */
struct explain_frame {
    const struct picture *picture;      /* the window's centre frame in colour, as a viewer shows it */
    const char *caption;                /* of it: "frame 87, 8.7 s" */
    const struct boxes *boxes;          /* NULL: none */
    const struct draw_polygon *masks;   /* [n_masks] to blacken */
    int n_masks;
};
/* Draws it into *ret, which the caller closes. Everything is borrowed. 0 or -ENOMEM; *ret is untouched on failure. */
int explain_draw(struct picture *ret, const struct explained *explained, const struct explain_frame *frame);

#endif
