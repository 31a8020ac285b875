/* Scores in the database: each window for some hours, and each minute for some months. Each window that is written updates the
 * row of its minute, which stays when the windows are deleted. */
#ifndef MEMAED_IO_DATABASE_SCORE_ROWS_H
#define MEMAED_IO_DATABASE_SCORE_ROWS_H

#include <stdbool.h>
#include <stddef.h>

#include "core/record.h"
#include "io/database/database.h"

#define MINUTE_US INT64_C(60000000)

struct score_row {
    char camera[RECORD_NAME_SIZE];
    int64_t time_us;            /* UTC of the window's centre */
    uint64_t window;
    float score, reference, p;  /* NAN: not known */
    bool slow;                  /* as in struct score_record */
};

struct minute_row {
    char camera[RECORD_NAME_SIZE];
    int64_t time_us;            /* of its beginning */
    int64_t n, slow;            /* windows, and how many of them were slow */
    double minimum, mean, maximum;      /* of the scores of all windows; NAN: none was finite */
    double p_least;             /* NAN: none had a p */
};

/* Within a transaction: writes a window, and adds it to its minute. A window that is there already is not added again. */
int score_rows_add(struct database *database, const struct score_row *row, struct error *err);

/* Reads rows of a camera with from_us <= time_us < to_us, in the order of their times, into ret [most]; *n of them. */
int score_rows_read(struct database *database, const char *camera, int64_t from_us, int64_t to_us, struct score_row *ret,
                    size_t most, size_t *n, struct error *err);
int minute_rows_read(struct database *database, const char *camera, int64_t from_us, int64_t to_us, struct minute_row *ret,
                     size_t most, size_t *n, struct error *err);
/* Calls row() for each minute of each camera, until it returns false. */
int minute_rows_each(struct database *database, bool (*row)(void *arg, const struct minute_row *minute), void *arg,
                     struct error *err);

/* The first camera by name after `after` that has rows ("": the first of all). *ret is "" where there is none. */
int score_rows_next_camera(struct database *database, const char *after, char ret[RECORD_NAME_SIZE], struct error *err);
/* Deletes at most `most` windows, and as many minutes, of a camera that are older. INT64_MIN deletes none. *deleted counts
 * both. */
int score_rows_prune(struct database *database, const char *camera, int64_t windows_before_us, int64_t minutes_before_us,
                     int most, int *deleted, struct error *err);

#endif
