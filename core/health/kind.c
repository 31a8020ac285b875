#include "core/health/kind.h"

#include <assert.h>

const struct health_kind_info *health_kind_info(enum health_kind kind)
{
    static const struct health_kind_info info[HEALTH_KINDS] = {
        [HEALTH_FROZEN] = {"frozen", "time since any pixel changed, or more than an eighth of the picture", "s"},
        [HEALTH_SLOW] = {"slow", "pictures a second, from the median interval of the last four seconds", "1/s"},
        [HEALTH_STUTTER] = {"stutter", "share of the last four seconds that late pictures took", "%"},
        [HEALTH_BLACK] = {"black", "95th percentile of the gray levels", "levels"},
        [HEALTH_BRIGHT] = {"bright", "share of the picture at gray level 250 or above", "%"},
        [HEALTH_LOW_CONTRAST] = {"low_contrast", "gray levels from the 5th to the 95th percentile", "levels"},
        [HEALTH_COLOUR_LOST] = {"colour_lost", "mean saturation", "levels"},
        [HEALTH_COLOUR_CAST] = {"colour_cast", "distance of the mean colour from the usual one", "levels"},
        [HEALTH_BLUR] = {"blur", "detail of the sharpest quarter of the picture against the usual one", "%"},
        [HEALTH_COVERED] = {"covered", "share of the picture's detailed parts that lost it", "%"},
        [HEALTH_NOISE] = {"noise", "standard deviation of the noise", "levels"},
        [HEALTH_STRIPES] = {"stripes", "amplitude of rows or columns that differ as wholes", "levels"},
        [HEALTH_JITTER] = {"jitter", "amplitude of the picture's swing against its width", "%"},
        [HEALTH_MOVED] = {"moved", "root mean square displacement of the picture's points against its width", "%"},
    };
    assert(kind < HEALTH_KINDS);
    return &info[kind];
}
