/* web/handlers/metrics: every sample, read by a strict parser of the text format. */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/suite.h"
#include "tests/web/web_fixture.h"
#include "web/handlers.h"
#include "web/streams.h"

static size_t name_length(const char *line)
{
    size_t n = strspn(line, "abcdefghijklmnopqrstuvwxyz_:0123456789");
    ck_assert_msg(n > 0 && !(line[0] >= '0' && line[0] <= '9'), "name: %s", line);
    return n;
}

/* Checks the text format strictly: HELP, TYPE, then all samples of that family; no family and no sample twice. Returns the
 * value of `wanted` (name and labels as they are written), or NAN where it is missing. */
static double parse_metrics(const char *metrics, const char *wanted)
{
    char family[128] = "", kind[16] = "", seen[32768] = "";
    double found = NAN;
    ck_assert_msg(metrics[strlen(metrics) - 1] == '\n', "the last line has no end");
    for (const char *line = metrics, *end; *line; line = end + 1) {
        end = strchr(line, '\n');
        char copy[1024];
        ck_assert_uint_lt((size_t)(end - line), sizeof copy);
        snprintf(copy, sizeof copy, "%.*s", (int)(end - line), line);
        if (strncmp(copy, "# HELP ", 7) == 0) {
            size_t n = name_length(copy + 7);
            ck_assert_msg(copy[7 + n] == ' ' && copy[8 + n], "%s", copy);
            snprintf(family, sizeof family, "%.*s", (int)n, copy + 7);
            ck_assert_msg(strncmp(family, "memaed_", 7) == 0, "%s", copy);
            char once[160];
            snprintf(once, sizeof once, "\n# HELP %s ", family);
            const char *at = strstr(metrics, once + 1);
            ck_assert_msg(at && !strstr(at + 1, once + 1), "twice: %s", family);
            *kind = '\0';
        } else if (strncmp(copy, "# TYPE ", 7) == 0) {
            size_t n = strlen(family);
            ck_assert_msg(strncmp(copy + 7, family, n) == 0 && copy[7 + n] == ' ', "%s after %s", copy, family);
            snprintf(kind, sizeof kind, "%s", copy + 8 + n);
            ck_assert(strcmp(kind, "gauge") == 0 || strcmp(kind, "counter") == 0 || strcmp(kind, "histogram") == 0);
            bool total = n > 6 && strcmp(family + n - 6, "_total") == 0;
            ck_assert_msg(total == (strcmp(kind, "counter") == 0), "%s is a %s", family, kind);
        } else {
            ck_assert_msg(*kind, "a sample without TYPE: %s", copy);
            size_t n = name_length(copy);
            ck_assert_msg(strncmp(copy, family, strlen(family)) == 0, "%s within %s", copy, family);
            const char *suffix = copy + strlen(family);
            bool part = strncmp(suffix, "_bucket{", 8) == 0 || strncmp(suffix, "_sum", (size_t)(copy + n - suffix)) == 0 ||
                        strncmp(suffix, "_count", (size_t)(copy + n - suffix)) == 0;
            ck_assert_msg(strcmp(kind, "histogram") == 0 ? part : n == strlen(family), "%s within %s", copy, family);
            if (copy[n] == '{') {
                do {
                    n++;
                    n += name_length(copy + n);
                    ck_assert_msg(strncmp(copy + n, "=\"", 2) == 0, "%s", copy);
                    for (n += 2; copy[n] != '"'; n++) {
                        ck_assert_msg(copy[n], "%s", copy);
                        if (copy[n] == '\\') {
                            n++;
                            ck_assert_msg(copy[n] && strchr("\\\"n", copy[n]), "%s", copy);
                        }
                    }
                    n++;
                } while (copy[n] == ',');
                ck_assert_msg(copy[n] == '}', "%s", copy);
                n++;
            }
            ck_assert_msg(copy[n] == ' ', "%s", copy);
            char *rest;
            double value = strtod(copy + n + 1, &rest);
            ck_assert_msg(rest > copy + n + 1 && *rest == '\0', "%s", copy);
            copy[n] = '\0';
            char once[1100];
            snprintf(once, sizeof once, "\n%s\n", copy);
            ck_assert_msg(!strstr(seen, once), "twice: %s", copy);
            ck_assert_uint_lt(strlen(seen) + strlen(once), sizeof seen);
            strcat(seen, once);
            if (strcmp(copy, wanted) == 0)
                found = value;
        }
    }
    return found;
}

START_TEST(metrics)
{
    struct answer answer = ask("/metrics");
    ck_assert_int_eq(answer.status, 200);
    ck_assert_str_eq(answer.type, "text/plain; version=0.0.4; charset=utf-8");
    static const struct { const char *name; double value; } cases[] = {
        {"memaed_build_info{version=\"" MEMAED_VERSION "\"}", 1}, {"memaed_resident_memory_bytes", 123456789012},
        {"memaed_camera_frames_total{camera=\"gate\"}", 1000}, {"memaed_camera_windows_due_total{camera=\"gate\"}", 100},
        {"memaed_camera_windows_scored_total{camera=\"gate\"}", 90}, {"memaed_camera_windows_skipped_total{camera=\"gate\"}", 8},
        {"memaed_camera_windows_pending{camera=\"gate\"}", 2}, {"memaed_camera_frames_dropped_total{camera=\"gate\"}", 5},
        {"memaed_camera_up{camera=\"gate\"}", 1}, {"memaed_camera_up{camera=\"yard_2-x\"}", 0},
        {"memaed_camera_state{camera=\"yard_2-x\",state=\"lost\"}", 1},
        {"memaed_camera_state{camera=\"gate\",state=\"lost\"}", 0},
        {"memaed_camera_threshold{camera=\"gate\"}", 0.25}, {"memaed_camera_drift{camera=\"gate\"}", 0.0625},
        {"memaed_camera_voice_drift{camera=\"gate\",voice=\"change\"}", 0.125},
        {"memaed_camera_windows_static_total{camera=\"gate\"}", 70}, {"memaed_camera_frozen{camera=\"gate\"}", 1},
        {"memaed_camera_frozen{camera=\"yard_2-x\"}", 0},
        {"memaed_camera_windows_slow_total{camera=\"gate\"}", 30}, {"memaed_camera_windows_slow_total{camera=\"yard_2-x\"}", 0},
        {"memaed_camera_alerts_total{camera=\"gate\"}", 4}, {"memaed_camera_alerts_total{camera=\"yard_2-x\"}", 0},
        {"memaed_camera_alerts_suppressed_total{camera=\"gate\",reason=\"cooldown\"}", 2},
        {"memaed_camera_alerts_suppressed_total{camera=\"gate\",reason=\"rate\"}", 9},
        {"memaed_camera_alerts_suppressed_total{camera=\"yard_2-x\",reason=\"rate\"}", 0},
        {"memaed_camera_alert_open{camera=\"gate\"}", 1},
        {"memaed_camera_slow{camera=\"gate\"}", 1}, {"memaed_camera_slow{camera=\"yard_2-x\"}", 0},
        {"memaed_camera_health_open{camera=\"gate\",kind=\"black\"}", 1},
        {"memaed_camera_health_open{camera=\"gate\",kind=\"blur\"}", 0},
        {"memaed_camera_health_learning{camera=\"gate\"}", 1},
        {"memaed_camera_health_quantity{camera=\"gate\",kind=\"black\"}", 3.12349},
        {"memaed_camera_breaks_total{camera=\"gate\",cause=\"gap\"}", 6},
        {"memaed_camera_breaks_total{camera=\"yard_2-x\",cause=\"gap\"}", 0},
        {"memaed_camera_window_latency_seconds_bucket{camera=\"gate\",le=\"0.005\"}", 60},
        {"memaed_camera_window_latency_seconds_bucket{camera=\"gate\",le=\"0.01\"}", 80},
        {"memaed_camera_window_latency_seconds_bucket{camera=\"gate\",le=\"2\"}", 80},
        {"memaed_camera_window_latency_seconds_bucket{camera=\"gate\",le=\"5\"}", 87},
        {"memaed_camera_window_latency_seconds_bucket{camera=\"gate\",le=\"+Inf\"}", 90},
        {"memaed_camera_window_latency_seconds_count{camera=\"gate\"}", 90},
        {"memaed_camera_window_latency_seconds_sum{camera=\"gate\"}", 40.5},
        {"memaed_webhooks_delivered_total{endpoint=\"yard\"}", 7}, {"memaed_webhooks_dropped_total{endpoint=\"yard\"}", 3},
        {"memaed_webhooks_failed_attempts_total{endpoint=\"yard\"}", 5}, {"memaed_webhooks_queued{endpoint=\"yard\"}", 2},
        {"memaed_webhooks_delivered_total{endpoint=\"http://[::1]:8080\"}", 1},
        {"memaed_store_events_queued", 3}, {"memaed_store_scores_queued", 40}, {"memaed_store_events_dropped_total", 5},
        {"memaed_store_scores_dropped_total", 6}, {"memaed_store_commits_total", 70}, {"memaed_store_failures_total", 8},
        {"memaed_store_commit_seconds_total", 1.25}, {"memaed_store_failing", 1}, {"memaed_store_bytes", 4096000},
        {"memaed_webhooks_dead_total{endpoint=\"yard\"}", 9}, {"memaed_webhooks_dead_letters{endpoint=\"yard\"}", 8},
        {"memaed_webhooks_disabled{endpoint=\"yard\"}", 1}, {"memaed_webhooks_disabled{endpoint=\"http://[::1]:8080\"}", 0},
        {"memaed_webhook_delay_seconds_bucket{endpoint=\"yard\",le=\"0.5\"}", 1},
        {"memaed_webhook_delay_seconds_bucket{endpoint=\"yard\",le=\"10\"}", 3},
        {"memaed_webhook_delay_seconds_bucket{endpoint=\"yard\",le=\"+Inf\"}", 7},
        {"memaed_webhook_delay_seconds_count{endpoint=\"yard\"}", 7},
        {"memaed_webhook_delay_seconds_sum{endpoint=\"yard\"}", 30.5},
        {"memaed_webhook_delay_seconds_count{endpoint=\"http://[::1]:8080\"}", 0},
        {"memaed_evidence_bytes", 123456789}, {"memaed_evidence_files", 42}, {"memaed_evidence_free_bytes", 5000000},
        {"memaed_evidence_oldest_timestamp_seconds", 1709210096}, {"memaed_evidence_paused", 1},
        {"memaed_evidence_pruned_total{reason=\"age\"}", 7}, {"memaed_evidence_pruned_total{reason=\"size\"}", 8},
        {"memaed_evidence_pruned_total{reason=\"space\"}", 9},
        {"memaed_cube_seconds_total", 12.5}, {"memaed_healthy", 1},
        {"memaed_snapshot_seconds_sum", 14.5}, {"memaed_snapshot_seconds_count", 5}, {"memaed_snapshots_gray_total", 1},
        {"memaed_snapshot_failures_total", 4},
        {"memaed_start_time_seconds", 1700000000},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        ck_assert_msg(parse_metrics(answer.body, cases[i].name) == cases[i].value, "%s: %g", cases[i].name,
                      parse_metrics(answer.body, cases[i].name));
    ck_assert_double_eq_tol(parse_metrics(answer.body, "memaed_camera_latency_seconds{camera=\"gate\"}"), 0.04123456, 1e-9);
    ck_assert(isnan(parse_metrics(answer.body, "memaed_camera_last_score{camera=\"yard_2-x\"}")));
    ck_assert(isnan(parse_metrics(answer.body, "memaed_camera_voice_drift{camera=\"gate\",voice=\"pace\"}")));
    ck_assert(isnan(parse_metrics(answer.body, "memaed_camera_threshold{camera=\"yard_2-x\"}")));
    ck_assert(isnan(parse_metrics(answer.body, "memaed_camera_health_quantity{camera=\"gate\",kind=\"blur\"}")));
    ck_assert(isnan(parse_metrics(answer.body, "memaed_camera_health_open{camera=\"gate\",kind=\"moved\"}")));
    ck_assert(isnan(parse_metrics(answer.body, "memaed_camera_health_learning{camera=\"yard_2-x\"}")));
    ck_assert(isnan(parse_metrics(answer.body, "memaed_camera_health_open{camera=\"yard_2-x\",kind=\"black\"}")));
    answer_free(&answer);

    strcpy(world.cameras[0].name, "a\\b\"c\nd");
    struct web_answer escaped;
    struct web_streams streams = {.n_events = 2, .dropped = 7};
    web_handle_metrics(&view, &(struct web_request){.streams = &streams}, &escaped);
    ck_assert_int_eq(escaped.status, 200);
    ck_assert_uint_eq(escaped.size, strlen(escaped.body));
    ck_assert_double_eq(parse_metrics(escaped.body, "memaed_camera_frames_total{camera=\"a\\\\b\\\"c\\nd\"}"), 1000);
    ck_assert_double_eq(parse_metrics(escaped.body, "memaed_event_streams"), 2);
    ck_assert_double_eq(parse_metrics(escaped.body, "memaed_event_streams_dropped_total"), 7);
    web_answer_clear(&escaped);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("web metrics");
    TCase *rest = tcase_create("rest");
    tcase_add_checked_fixture(rest, setup, teardown);
    tcase_set_timeout(rest, 120);
    tcase_add_test(rest, metrics);
    suite_add_tcase(suite, rest);
    return suite_run(suite);
}
