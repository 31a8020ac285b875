/* The versions of the database's schema. A version is a script of SQL that leads from the version before to it. Scripts that have
 * been released never change; a new version is a new script. `user_version` of the file holds its version. Only io/database uses
 * this. */
#ifndef MEMAED_IO_DATABASE_MIGRATIONS_H
#define MEMAED_IO_DATABASE_MIGRATIONS_H

#include <stddef.h>

#include "io/database/database.h"

struct migrations {
    const char *const *scripts;         /* [n]: scripts[v] leads from version v to v + 1 */
    size_t n;
};

extern const struct migrations migrations;              /* memaed's own */

/* Brings the database to version migrations->n, each step in a transaction of its own. *before is the version found. If a step
 * fails, the database stays at the version before it. */
int migrations_apply(struct database *database, const struct migrations *migrations, int *before, struct error *err);
/* 0, or -EPROTONOSUPPORT where the version is not migrations->n. */
int migrations_expect(struct database *database, const struct migrations *migrations, struct error *err);

#endif
