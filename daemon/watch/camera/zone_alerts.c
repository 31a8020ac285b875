#include "daemon/watch/camera/zone_alerts.h"

#include <errno.h>
#include <stdio.h>

/* If this much more is hidden, the contrast of the rest may be that of the other light. */
#define MUCH_MORE 0.25

static void check_light(const struct config_camera *camera, const struct model_file *file, zone_alerts_finding *found, void *arg)
{
    double masked = score_masked(camera->zones, &file->model->arch), before = model_file_masked(file);
    char text[256];
    snprintf(text, sizeof text, "%.0f %% of the cells are masked, and %.0f %% were in the model's calibration: the model may "
             "take day for night, and scores may be too high; run memaed calibrate with --config and --camera", 100 * masked,
             100 * before);
    if (masked - before >= MUCH_MORE)
        found(arg, true, 0, 0, "masks", text);
}

int zone_alerts_check(const struct config_camera *camera, const struct model_file *file, zone_alerts_finding *found, void *arg)
{
    const struct zones *zones = camera->zones;
    const struct calibration *calibration = file->has_calibration && file->calibration.has_score ? &file->calibration : NULL;
    const float no_shift[ZONES_MOST] = {0};
    struct regions *regions = NULL;
    char key[64], text[256];
    int least = calibration ? score_least_cells(&file->model->arch) : 0;
    int r = score_regions_open(&regions, zones, calibration ? no_shift : NULL, &file->model->arch);
    if (r == -EINVAL)
        found(arg, false, 0, 0, "masks", ZONES_NOTHING_LEFT);
    else if (calibration && calibration->score.conditions > 1)
        check_light(camera, file, found, arg);
    for (int z = 0; zones && z < zones->n; z++) {
        const struct zone *zone = &zones->zone[z];
        snprintf(key, sizeof key, "zones.%s.per_day", zone->name);
        if (zone->per_day > 0 && !(calibration && calibration->has_tail))
            found(arg, false, zone->per_day_line, zone->per_day_column, key,
                  "expected a model whose calibration holds how often scores occur, got one without; run memaed calibrate, or "
                  "leave out per_day");
    }
    for (int i = 1; regions && i < regions->n; i++) {
        const struct zone *zone = &zones->zone[regions->zone[i]];
        snprintf(key, sizeof key, "zones.%s", zone->name);
        snprintf(text, sizeof text, "expected a zone of %d cells or more of those that the score is made of, since it has "
                 "per_day, got %d that no mask covers; make the zone larger, or leave out per_day", least, regions->visible[i]);
        if (regions->visible[i] < least)
            found(arg, false, zone->line, zone->column, key, text);
    }
    regions_close(regions);
    return r == -ENOMEM ? r : 0;
}

bool zone_alerts_shifts(float ret[static ZONES_MOST], const struct alert_rule *rule, const struct config_camera *camera,
                        const struct model_file *file)
{
    if (!zones_have_budgets(camera->zones))
        return false;
    for (int z = 0; z < camera->zones->n; z++) {
        double per_day = camera->zones->zone[z].per_day;
        ret[z] = per_day > 0 ? rule->threshold - (float)tail_threshold(&file->calibration.tail, per_day) : 0;
    }
    return true;
}

void zone_alerts_print(const struct config_camera *camera, const struct alert_rule *rule, const struct model_file *file)
{
    const struct zones *zones = camera->zones;
    float shift[ZONES_MOST] = {0};
    if (rule)
        zone_alerts_shifts(shift, rule, camera, file);
    for (int i = 0; zones && i < zones->n_masks; i++)
        printf("  mask%s%s: %d points%s\n", zones->mask[i].name[0] ? " " : "", zones->mask[i].name, zones->mask[i].area.n,
               zones->mask[i].privacy ? ", for privacy" : "");
    for (int z = 0; zones && z < zones->n; z++) {
        printf("  zone %s: %d points", zones->zone[z].name, zones->zone[z].area.n);
        if (rule && zones->zone[z].per_day > 0)
            printf(", alerts from a score of %g on", (double)(rule->threshold - shift[z]));
        putchar('\n');
    }
}
