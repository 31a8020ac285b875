/* Decides from timestamps and times of arrival which pictures of a stream are analysed, and where the stream's sequence breaks.
 * Pure arithmetic on values: no allocation, no clock. One thread at a time. io/video/timing/timing.h decides when each picture
 * was taken; all below goes by its steps.
 *
 * Typical interval: the mean of the source's last PACING_HISTORY intervals, without gaps. While fewer than PACING_PRIOR are
 * known, the container's nominal interval fills up their number.
 *
 * Gap: a step backwards, or a step forwards by more than 0.5 s and by more than 4 typical intervals. After three such steps
 * forwards in a row the source counts as slower: their mean becomes its typical interval.
 *
 * Picking at F pictures a second: a source of at most 1.05 F (1.17 F while few intervals are known) is picked whole,
 * however its timestamps jitter. From a faster source, the pictures nearest to the points of a grid of 1/F are picked, at
 * most one a point. The grid follows the phase of the picked pictures by a tenth of their distance, which is at most half
 * an interval of the source. So jitter never decides between two neighbouring pictures. After a gap the next picture is
 * picked, and a new grid starts there.
 *
 * The output clock starts at 0, rises strictly, and takes the source's own steps. Only a step backwards, or a step forwards
 * by more than PACING_MAX_STEP_US, becomes one typical interval. */
#ifndef MEMAED_IO_VIDEO_PACING_H
#define MEMAED_IO_VIDEO_PACING_H

#include <stdbool.h>
#include <stdint.h>

#include "io/video/timing/timing.h"

enum { PACING_HISTORY = 32, PACING_PRIOR = 8 };
#define PACING_MAX_STEP_US INT64_C(3600000000)

struct pacing {
    double period_us;           /* between picks; 0: every picture is picked */
    double nominal_us;          /* interval of the source by the container; 0: unknown */
    bool started;
    struct timing timing;
    int64_t out_us;             /* time of the picture before on the output clock */
    double interval_us[PACING_HISTORY], sum_us;         /* the last intervals, a ring; their sum */
    int n, next;                /* intervals in the ring; where the next one goes */
    double suspect_us;          /* sum of the steps in a row that were too long */
    int n_suspect;              /* their number */
    enum source_break broken;   /* why the sequence broke, and no picture has been picked since */
    double grid_us;             /* time of grid point 0, on the output clock */
    int64_t point;              /* the last grid point for which a picture was picked */
};

/* fps: pictures to pick a second; 0: all. nominal_fps: the source's pictures a second by the container; 0: unknown. */
void pacing_init(struct pacing *pacing, double fps, double nominal_fps);

/* The stream's next picture, in presentation order, with its time stamp and arrival, as timing_next() takes them. Returns
 * whether it is picked. *out_us is its time on the output clock. *cause, written only if it is picked: why the sequence broke
 * between the picture picked before and this one; SOURCE_UNBROKEN for the first. */
bool pacing_next(struct pacing *pacing, int64_t stamp_us, int64_t arrival_us, int64_t *out_us, enum source_break *cause);

/* The stream's next picture was not decoded. It counts for intervals and gaps, and is not picked. A picture no later than
 * the one before is ignored. */
void pacing_skip(struct pacing *pacing, int64_t stamp_us);

/* false: pacing_next() will not pick a picture with this timestamp, which is later than all so far. It may be wrong where
 * timestamps jitter by more than a tenth of an interval. arrival_us: of the picture's data; TIMING_NONE: a file's. Where a live
 * source's pictures have not been decoded for long, the answer is true: its clock may have stopped. */
bool pacing_wants(const struct pacing *pacing, int64_t stamp_us, int64_t arrival_us);

/* The sequence breaks here for another reason (frames were lost, the size changed). The next picture is picked, with this
 * cause. Before the first picture this does nothing. */
void pacing_break(struct pacing *pacing, enum source_break cause);

/* The typical interval; 0: not known yet. */
double pacing_interval_us(const struct pacing *pacing);
/* Pictures a second, measured over the last PACING_HISTORY intervals; 0: not known yet. */
double pacing_fps(const struct pacing *pacing);
/* The present source of the times of pictures: time stamps, arrivals or a rate. */
enum source_time pacing_time(const struct pacing *pacing);

#endif
