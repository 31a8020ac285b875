/* Which pictures of a stream are analysed, and where the stream's sequence breaks: by timestamps alone. Pure arithmetic
 * on values; no allocation, no clock. One thread at a time.
 *
 * The typical interval of the source is the mean of its last intervals (gaps left out), weighed with the nominal one of
 * the container while there are few of them.
 *
 * Gap: a step backwards, or forwards by more than max(0.5 s, 4 typical intervals). Where that happens three times in a
 * row the source has become slower: the steps are then its typical interval.
 *
 * Picking at F pictures a second: a source that gives at most 1.05 F (1.17 F while few intervals are known) is taken
 * whole, however its timestamps jitter.
 * From a faster one those pictures are taken that lie nearest to the points of a grid of 1/F, one a point at most. The
 * grid follows the phase of what it picks (by a tenth of the distance, which is at most half an interval of the source),
 * so that jitter never decides between two pictures in a row. After a gap the next picture is taken, and a new grid
 * starts there.
 *
 * The clock that comes out starts at 0 and goes on with the source's own steps, strictly rising. Only a step backwards, or
 * forwards by more than PACING_MAX_STEP_US, becomes one typical interval. */
#ifndef MEMAED_IO_VIDEO_PACING_H
#define MEMAED_IO_VIDEO_PACING_H

#include <stdbool.h>
#include <stdint.h>

enum { PACING_HISTORY = 32, PACING_PRIOR = 8 };
#define PACING_MAX_STEP_US INT64_C(3600000000)

struct pacing {
    double period_us;           /* between picks; 0: every picture is picked */
    double nominal_us;          /* the container's word on the interval; 0: none */
    bool started;
    int64_t last_us;            /* timestamp of the picture before */
    int64_t out_us;             /* of the picture before, on the clock that comes out */
    double interval_us[PACING_HISTORY], sum_us;         /* last intervals, a ring; their sum */
    int n, next;
    double suspect_us;          /* steps too long in a row: sum, count */
    int n_suspect;
    bool broken;                /* a break that no picked picture has told yet */
    double grid_us;             /* timestamp of grid point 0 */
    int64_t point;              /* the last grid point that was served */
};

/* fps: pictures to pick a second, 0: all. nominal_fps: what the container says of the source, 0: nothing. */
void pacing_init(struct pacing *pacing, double fps, double nominal_fps);

/* The next picture of the stream in presentation order. Returns whether it is picked. *out_us is its time on the clock that
 * comes out. *gap (written if picked): the sequence broke between the picture picked before and this one; never set for
 * the first. */
bool pacing_next(struct pacing *pacing, int64_t timestamp_us, int64_t *out_us, bool *gap);

/* The next picture of the stream, which was not decoded: it counts for intervals and gaps, and is not picked. One that is no later
 * than the one before is left out. */
void pacing_skip(struct pacing *pacing, int64_t timestamp_us);

/* false: a picture with this timestamp, later than all so far, will not be picked; but where timestamps jitter by more
 * than a tenth of an interval. */
bool pacing_wants(const struct pacing *pacing, int64_t timestamp_us);

/* The sequence breaks here for another reason (frames lost, size changed): the next picture is picked, with gap. */
void pacing_break(struct pacing *pacing);

/* The typical interval; 0: not known yet. */
double pacing_interval_us(const struct pacing *pacing);
/* Pictures a second as measured over the last PACING_HISTORY intervals; 0: none yet. */
double pacing_fps(const struct pacing *pacing);

#endif
