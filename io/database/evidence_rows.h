/* Files that were kept for an alert: the database knows where they are and how large. An alert has at most one of each kind. */
#ifndef MEMAED_IO_DATABASE_EVIDENCE_ROWS_H
#define MEMAED_IO_DATABASE_EVIDENCE_ROWS_H

#include <stdbool.h>
#include <stddef.h>

#include "io/database/database.h"

enum evidence_kind { EVIDENCE_SNAPSHOT, EVIDENCE_WHY, EVIDENCE_CLIP, EVIDENCE_COPY, EVIDENCE_KINDS };
const char *evidence_kind_name(enum evidence_kind kind);        /* "snapshot" */

struct evidence_row {
    uint64_t alert;             /* its id, which must be in the database */
    enum evidence_kind kind;
    char path[512];             /* relative to state_dir */
    int64_t bytes, made_us;     /* UTC */
    char codec[32], codecs[64]; /* "hevc", and the codecs= of its MIME type; "": a picture */
};

/* Adds the row, or replaces the one of the same kind. A row without a codec leaves the codec that is known. -EEXIST: the alert
 * does not exist, or another row has the path. */
int evidence_rows_add(struct database *database, const struct evidence_row *row, struct error *err);
int evidence_rows_remove_all(struct database *database, uint64_t alert, struct error *err);     /* of the alert */
/* *ret: evidence of the alert stays whatever its age, because the alert is marked or open. false for an unknown alert. */
int evidence_rows_held(struct database *database, uint64_t alert, bool *ret, struct error *err);
/* The rows of the alert, into ret [EVIDENCE_KINDS]; *n of them. */
int evidence_rows_of(struct database *database, uint64_t alert, struct evidence_row *ret, size_t *n, struct error *err);
/* The rows of the first alert after `after` that has any, into ret [EVIDENCE_KINDS]; *n of them. *n is 0 where there is none. */
int evidence_rows_after(struct database *database, uint64_t after, struct evidence_row *ret, size_t *n, struct error *err);

#endif
