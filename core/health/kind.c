#include "core/health/kind.h"

#include <assert.h>
#include <string.h>

const struct health_kind_info *health_kind_info(enum health_kind kind)
{
    static const struct health_kind_info info[HEALTH_KINDS] = {
        [HEALTH_FROZEN] = {"frozen", "time since any pixel changed, or more of the picture than a clock and noise", "s",
         "the picture stands still"},
        [HEALTH_SLOW] = {"slow", "pictures a second, from the median interval of the last four seconds", "1/s",
         "fewer pictures a second come than usual"},
        [HEALTH_STUTTER] = {"stutter", "share of the last four seconds that late pictures took", "%",
         "pictures come late, again and again"},
        [HEALTH_BLACK] = {"black", "95th percentile of the gray levels", "levels", "the picture is black"},
        [HEALTH_BRIGHT] = {"bright", "share of the picture at gray level 250 or above", "%",
         "much of the picture is clipped to white"},
        [HEALTH_LOW_CONTRAST] = {"low_contrast", "gray levels from the 5th to the 95th percentile", "levels",
         "the picture has little contrast"},
        [HEALTH_COLOUR_LOST] = {"colour_lost", "mean saturation", "levels", "the picture has lost its colour"},
        [HEALTH_COLOUR_CAST] = {"colour_cast", "distance of the mean colour from the usual one", "levels",
         "the picture has a colour cast"},
        [HEALTH_BLUR] = {"blur", "detail of the sharpest quarter of the picture against the usual one", "%",
         "the picture is blurred"},
        [HEALTH_COVERED] = {"covered", "share of the picture's detailed parts that lost it", "%",
         "part of the picture is covered, or all of it"},
        [HEALTH_NOISE] = {"noise", "standard deviation of the noise", "levels", "the picture is noisy"},
        [HEALTH_STRIPES] = {"stripes", "amplitude of rows or columns that differ as wholes", "levels",
         "the picture has stripes"},
        [HEALTH_CORRUPT] = {"corrupt",
         "share of the picture with edges of wrong blocks, or with lost rows; or share of damaged pictures", "%",
         "the picture has blocks or rows of corrupt decoding"},
        [HEALTH_JITTER] = {"jitter", "amplitude of the picture's swing against its width", "%", "the picture shakes"},
        [HEALTH_MOVED] = {"moved", "root mean square displacement of the picture's points against its width", "%",
         "the scene lies elsewhere in the picture, or is another"},
        [HEALTH_LIGHT] = {"light", "share of the detailed parts, in one place, that another light falls on", "%",
         "the light changes"},
    };
    assert(kind < HEALTH_KINDS);
    return &info[kind];
}

bool health_kind_find(enum health_kind *ret, const char *name)
{
    for (int kind = 0; kind < HEALTH_KINDS; kind++)
        if (strcmp(health_kind_info((enum health_kind)kind)->name, name) == 0) {
            *ret = (enum health_kind)kind;
            return true;
        }
    return false;
}

bool health_kind_blinds(enum health_kind kind)
{
    return kind == HEALTH_FROZEN || kind == HEALTH_BLACK || kind == HEALTH_COVERED || kind == HEALTH_MOVED;
}
