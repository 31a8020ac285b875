/* A picture of a source as core/health takes it. */
#ifndef MEMAED_DAEMON_BASE_HEALTH_PICTURE_H
#define MEMAED_DAEMON_BASE_HEALTH_PICTURE_H

#include "core/health/health.h"
#include "io/video/source.h"

/* luma is borrowed. anew: the times begin anew with this picture. */
static inline struct health_picture health_picture_of(const uint8_t *luma, const struct source_frame *frame, bool anew)
{
    const struct source_chroma *chroma = &frame->chroma;
    return (struct health_picture){.luma = luma, .time_us = frame->pts_us, .anew = anew, .damaged = frame->corrupt,
                                   .has_colour = chroma->known,
                                   .saturation = (float)chroma->saturation / 256, .u = (float)chroma->u / 256 - 128,
                                   .v = (float)chroma->v / 256 - 128,
                                   .has_blocks = frame->blocks != SOURCE_NO_BLOCKS, .blocks = (float)frame->blocks / 10000};
}

#endif
