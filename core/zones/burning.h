/* Burning: blackens what privacy masks cover in pictures of YUV 4:2:0, limited range, as a viewer sees them. A picture that is
 * encoded afterwards shows nothing of the masked part.
 *
 * Whole blocks of 2 x 2 pixels become black. They cover the mask and two blocks more around it: scaling and subsampled colour
 * carry samples across the mask's border. One thread for each burning; nothing is allocated after burning_open(). */
#ifndef MEMAED_CORE_ZONES_BURNING_H
#define MEMAED_CORE_ZONES_BURNING_H

#include "core/error.h"
#include "core/zones/zones.h"

/* The privacy masks of a camera. Plain data; it crosses between processes as it is in memory. */
struct privacy {
    int32_t n;
    struct polygon areas[ZONES_MASKS_MOST];
};

/* Writes the privacy masks among the masks of zones. zones may be NULL: none. */
void privacy_of(struct privacy *ret, const struct zones *zones);
/* 0, or -EINVAL with the cause in err: a number out of range, or polygon_check() refuses an area. */
int privacy_check(const struct privacy *privacy, struct error *err);

struct burning;

/* For pictures of width x height pixels, both even. *ret is NULL if there is no mask. 0 or -ENOMEM, *ret untouched. */
int burning_open(struct burning **ret, const struct privacy *privacy, int width, int height);
void burning_close(struct burning *burning);            /* takes NULL */

/* planes: luma [height, width] and two of chroma [height / 2, width / 2], their rows strides apart. burning may be NULL. */
void burning_apply(const struct burning *burning, uint8_t *const planes[3], const int strides[3]);

#endif
