/* /metrics: the view as Prometheus text (format 0.0.4), names memaed_…, one label `camera` where a value is a camera's.
 * Every camera's values are of one snapshot, so that windows due = scored + skipped + pending holds within one scrape
 * where it holds in the view. */
#ifndef MEMAED_WEB_METRICS_H
#define MEMAED_WEB_METRICS_H

#include <stddef.h>

#include "web/view.h"

/* The caller frees. NULL: out of memory. */
char *web_metrics_text(const struct view *view, size_t *size);

#endif
