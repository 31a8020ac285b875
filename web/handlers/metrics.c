/* /metrics: the view as Prometheus text (format 0.0.4), names memaed_…. A camera's values have a label `camera`, a webhook's a
 * label `endpoint`. A new metric is a row of a table. All values of a camera are of one snapshot. So windows due = scored +
 * skipped + pending within one scrape, as in the view. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "web/handlers.h"
#include "web/streams.h"

static void put_label(FILE *out, const char *value)
{
    for (; *value; value++) {
        if (*value == '\\' || *value == '"')
            fprintf(out, "\\%c", *value);
        else if (*value == '\n')
            fputs("\\n", out);
        else
            fputc(*value, out);
    }
}

static void put_head(FILE *out, const char *name, const char *type, const char *help)
{
    fprintf(out, "# HELP memaed_%s %s\n# TYPE memaed_%s %s\n", name, help, name, type);
}

static void put_value(FILE *out, double x)
{
    if (isnan(x))
        fputs(" NaN\n", out);
    else if (isinf(x))
        fputs(x > 0 ? " +Inf\n" : " -Inf\n", out);
    else if (x == trunc(x) && fabs(x) < 1e15)
        fprintf(out, " %.0f\n", x);
    else
        fprintf(out, " %.9g\n", x);
}

static void put_camera(FILE *out, const char *name, const struct view_camera *camera)
{
    fprintf(out, "memaed_%s{camera=\"", name);
    put_label(out, camera->name);
    fputs("\"}", out);
}

/* ---- one row a metric of a camera ----------------------------------------------------------------------------------- */

#define COUNTERS \
    X(frames, "Frames picked for analysis.") \
    X(frames_corrupt, "Frames that are damaged, or predicted from one that is damaged or missing.") \
    X(frames_dropped, "Frames dropped because analysis lagged.") \
    X(windows_due, "Windows that became due: scored, skipped or pending.") \
    X(windows_scored, "Windows scored.") \
    X(windows_skipped, "Windows skipped, because analysis lagged or their frames were lost.") \
    X(windows_static, "Windows scored without the network, because nothing moved beyond the camera's noise.") \
    X(windows_slow, "Windows scored that count towards no alert, because their frames came too slowly.") \
    X(alerts, "Alerts that were told.") \
    X(reconnects, "Times that the source was opened again.")

#define X(field, help) \
    static uint64_t get_##field(const struct view_camera *c) { return c->field; }
COUNTERS
#undef X

static const struct {
    const char *name, *help;
    uint64_t (*get)(const struct view_camera *c);
} counters[] = {
#define X(field, help) {"camera_" #field "_total", help, get_##field},
    COUNTERS
#undef X
};

/* NAN: there is no value now, so the sample is left out. */
static double get_up(const struct view_camera *c) { return c->state == VIEW_WATCHING; }
static double get_fps_in(const struct view_camera *c) { return c->fps_in; }
static double get_fps_analysed(const struct view_camera *c) { return c->fps_analysed; }
static double get_pending(const struct view_camera *c) { return (double)c->windows_pending; }
static double get_latency(const struct view_camera *c) { return c->has_score ? c->latency_ms / 1000 : NAN; }
static double get_score(const struct view_camera *c) { return c->has_score ? (double)c->last_score : NAN; }
static double get_threshold(const struct view_camera *c) { return c->threshold; }
static double get_drift(const struct view_camera *c) { return c->drift; }
static double get_frozen(const struct view_camera *c) { return c->frozen; }
static double get_slow(const struct view_camera *c) { return c->slow; }
static double get_learning(const struct view_camera *c)
{
    bool on = false;
    for (int kind = 0; kind < HEALTH_KINDS; kind++)
        on |= c->health[kind].on;
    return on ? (double)c->health_learning : (double)NAN;
}
static double get_alert(const struct view_camera *c) { return c->alert_open; }

static const struct {
    const char *name, *help;
    double (*get)(const struct view_camera *c);
} gauges[] = {
    {"camera_up", "1 while the camera is watched, else 0.", get_up},
    {"camera_fps_in", "Frames a second that the stream gives, over its last frames.", get_fps_in},
    {"camera_fps_analysed", "Frames a second that are analysed, over the last seconds.", get_fps_analysed},
    {"camera_windows_pending", "Windows that wait for a worker or are being computed.", get_pending},
    {"camera_latency_seconds", "Latency of the last window: from the arrival of its last frame to its score published.",
     get_latency},
    {"camera_last_score", "Score of the last window.", get_score},
    {"camera_threshold", "Score from which windows count towards an alert.", get_threshold},
    {"camera_drift", "Distance of the last day's p-values from uniform, 0 to 1; the calibration does not hold from 0.25 on.",
     get_drift},
    {"camera_frozen", "1 while the camera's pictures repeat for more than three times as long as ever in the calibration "
     "footage, else 0.", get_frozen},
    {"camera_slow", "1 while the stream gives less than nine tenths of the frames a second that are to be analysed, else 0.",
     get_slow},
    {"camera_health_learning", "1 while it is learned what the camera is like without a fault, so none opens, else 0.",
     get_learning},
    {"camera_alert_open", "1 while an alert that was told is open, else 0.", get_alert},
};

static void put_latencies(FILE *out, const struct view_camera *cameras, size_t n)
{
    static const char name[] = "camera_window_latency_seconds";
    put_head(out, name, "histogram", "Latency of all windows: from the arrival of the last frame to the score published.");
    for (size_t c = 0; c < n; c++) {
        uint64_t count = 0;
        for (int i = 0; i <= VIEW_LATENCIES; i++) {
            count += cameras[c].latencies[i];
            fprintf(out, "memaed_%s_bucket{camera=\"", name);
            put_label(out, cameras[c].name);
            fputs("\",le=\"", out);
            if (i < VIEW_LATENCIES)
                fprintf(out, "%g", view_latency_ms[i] / 1e3);
            else
                fputs("+Inf", out);
            fprintf(out, "\"} %" PRIu64 "\n", count);
        }
        put_camera(out, "camera_window_latency_seconds_sum", &cameras[c]);
        put_value(out, cameras[c].latency_seconds);
        put_camera(out, "camera_window_latency_seconds_count", &cameras[c]);
        fprintf(out, " %" PRIu64 "\n", count);
    }
}

static void put_kind(FILE *out, const char *name, const struct view_camera *camera, int kind, double x)
{
    fprintf(out, "memaed_%s{camera=\"", name);
    put_label(out, camera->name);
    fprintf(out, "\",kind=\"%s\"}", health_kind_info((enum health_kind)kind)->name);
    put_value(out, x);
}

static void put_health(FILE *out, const struct view_camera *cameras, size_t n)
{
    put_head(out, "camera_health_open", "gauge", "1 while the camera's picture has a fault of the kind, else 0.");
    for (size_t c = 0; c < n; c++)
        for (int kind = 0; kind < HEALTH_KINDS; kind++)
            if (cameras[c].health[kind].on)
                put_kind(out, "camera_health_open", &cameras[c], kind, cameras[c].health[kind].open);
    put_head(out, "camera_health_quantity", "gauge", "What is measured for the kind of fault, in its unit.");
    for (size_t c = 0; c < n; c++)
        for (int kind = 0; kind < HEALTH_KINDS; kind++)
            if (cameras[c].health[kind].known)
                put_kind(out, "camera_health_quantity", &cameras[c], kind, cameras[c].health[kind].quantity);
}

static void put_cameras(FILE *out, const struct view_camera *cameras, size_t n)
{
    for (size_t i = 0; i < sizeof counters / sizeof counters[0]; i++) {
        put_head(out, counters[i].name, "counter", counters[i].help);
        for (size_t c = 0; c < n; c++) {
            put_camera(out, counters[i].name, &cameras[c]);
            fprintf(out, " %" PRIu64 "\n", counters[i].get(&cameras[c]));
        }
    }
    put_head(out, "camera_breaks_total", "counter", "Breaks of the sequence of frames, by cause; no window spans one.");
    for (size_t c = 0; c < n; c++)
        for (int i = 0; i < VIEW_BREAKS; i++) {
            fputs("memaed_camera_breaks_total{camera=\"", out);
            put_label(out, cameras[c].name);
            fprintf(out, "\",cause=\"%s\"} %" PRIu64 "\n", view_break_names[i], cameras[c].breaks[i]);
        }
    put_head(out, "camera_alerts_suppressed_total", "counter",
             "Alerts that were not told as they opened, by the first reason. Those that were told later count among the "
             "alerts, too.");
    for (size_t c = 0; c < n; c++)
        for (int s = SUPPRESSED_NOT + 1; s < SUPPRESSED_REASONS; s++) {
            fputs("memaed_camera_alerts_suppressed_total{camera=\"", out);
            put_label(out, cameras[c].name);
            fprintf(out, "\",reason=\"%s\"} %" PRIu64 "\n", alert_suppressed_name((enum alert_suppressed)s),
                    cameras[c].alerts_suppressed[s]);
        }
    for (size_t i = 0; i < sizeof gauges / sizeof gauges[0]; i++) {
        put_head(out, gauges[i].name, "gauge", gauges[i].help);
        for (size_t c = 0; c < n; c++) {
            double x = gauges[i].get(&cameras[c]);
            if (isnan(x))
                continue;
            put_camera(out, gauges[i].name, &cameras[c]);
            put_value(out, x);
        }
    }
    put_head(out, "camera_voice_drift", "gauge", "As memaed_camera_drift, of one voice of the score by itself.");
    for (size_t c = 0; c < n; c++) {
        for (int v = 0; v < SCORE_VOICES; v++) {
            double x = (double)cameras[c].drift_by_voice.score[v];
            if (isnan(x))
                continue;
            fputs("memaed_camera_voice_drift{camera=\"", out);
            put_label(out, cameras[c].name);
            fprintf(out, "\",voice=\"%s\"}", voice_name((enum voice)v));
            put_value(out, x);
        }
    }
    put_health(out, cameras, n);
    put_latencies(out, cameras, n);
    put_head(out, "camera_state", "gauge", "1 for the state of the camera, 0 for the other states.");
    for (size_t c = 0; c < n; c++) {
        for (int s = VIEW_STARTING; s <= VIEW_STOPPED; s++) {
            fputs("memaed_camera_state{camera=\"", out);
            put_label(out, cameras[c].name);
            fprintf(out, "\",state=\"%s\"} %d\n", web_camera_states[s], cameras[c].state == (enum view_camera_state)s);
        }
    }
}

/* ---- the process ---------------------------------------------------------------------------------------------------- */

static void put_gauge(FILE *out, const char *name, const char *help, double x)
{
    put_head(out, name, "gauge", help);
    fprintf(out, "memaed_%s", name);
    put_value(out, x);
}

static void put_counter(FILE *out, const char *name, const char *help, uint64_t n)
{
    put_head(out, name, "counter", help);
    fprintf(out, "memaed_%s %" PRIu64 "\n", name, n);
}

static void put_process(FILE *out, const struct view_process *p)
{
    put_head(out, "build_info", "gauge", "Always 1; the version is a label.");
    fputs("memaed_build_info{version=\"" MEMAED_VERSION "\"} 1\n", out);
    put_head(out, "start_time_seconds", "gauge", "When the process started, in seconds since 1970.");
    fprintf(out, "memaed_start_time_seconds %.3f\n", (double)p->started_us / 1e6);
    put_gauge(out, "healthy", "1 while every thread makes progress, else 0.", p->healthy);
    put_gauge(out, "resident_memory_bytes", "Resident memory of the process.", (double)p->rss_bytes);
    put_gauge(out, "workers", "Threads that run the network.", p->workers);
    put_counter(out, "cubes_total", "Windows that went through the network.", p->cubes);
    put_head(out, "cube_seconds_total", "counter", "Seconds of computing those windows, summed over the workers.");
    fputs("memaed_cube_seconds_total", out);
    put_value(out, p->cube_seconds);
}

static void put_snapshots(FILE *out, const struct view_process *p)
{
    uint64_t count = 0;
    put_head(out, "snapshot_seconds", "histogram", "From the opening of an alert to its snapshot on disk.");
    for (int i = 0; i < VIEW_SNAPSHOTS; i++) {
        count += p->snapshots[i];
        fprintf(out, "memaed_snapshot_seconds_bucket{le=\"%g\"} %" PRIu64 "\n", (double)view_snapshot_s[i], count);
    }
    count += p->snapshots[VIEW_SNAPSHOTS];
    fprintf(out, "memaed_snapshot_seconds_bucket{le=\"+Inf\"} %" PRIu64 "\nmemaed_snapshot_seconds_sum", count);
    put_value(out, p->snapshot_seconds);
    fprintf(out, "memaed_snapshot_seconds_count %" PRIu64 "\n", count);
    put_counter(out, "snapshots_gray_total", "Snapshots in gray, because the picture in colour could not be decoded in time.",
                p->snapshots_gray);
    put_counter(out, "snapshot_failures_total", "Alerts that were told without a snapshot, though their camera makes them.",
                p->snapshots_failed);
}

static void put_store(FILE *out, const struct view_store *s)
{
    put_gauge(out, "store_events_queued", "Events that wait to be written to the database.", (double)s->events_queued);
    put_gauge(out, "store_scores_queued", "Scores that wait to be written to the database.", (double)s->scores_queued);
    put_counter(out, "store_events_dropped_total",
                "Events that were not written, because the queue was full or the database refused them.", s->events_dropped);
    put_counter(out, "store_scores_dropped_total", "Scores that were not written, because the queue was full.",
                s->scores_dropped);
    put_counter(out, "store_commits_total", "Transactions committed.", s->commits);
    put_head(out, "store_commit_seconds_total", "counter",
             "Seconds that those transactions took, from BEGIN to the end of COMMIT.");
    fputs("memaed_store_commit_seconds_total", out);
    put_value(out, s->commit_seconds);
    put_counter(out, "store_failures_total", "Transactions that failed.", s->failures);
    put_gauge(out, "store_failing", "1 while the last transaction failed, else 0.", s->failing);
    put_gauge(out, "store_bytes", "Size of the database, without its write-ahead log.", (double)s->bytes);
}

static void put_evidence(FILE *out, const struct view_room *e)
{
    put_gauge(out, "evidence_bytes", "Size of the files that are kept of alerts.", (double)e->bytes);
    put_gauge(out, "evidence_files", "Files that are kept of alerts.", (double)e->files);
    put_gauge(out, "evidence_free_bytes", "Bytes that are free on the disk of state_dir.", (double)e->free_bytes);
    put_gauge(out, "evidence_oldest_timestamp_seconds", "When the oldest alert opened whose files are kept; NaN: none are.",
              e->oldest_us ? (double)(e->oldest_us / 1000000) : (double)NAN);
    put_gauge(out, "evidence_paused", "1 while no clip is written, because the disk is full and nothing can be deleted, else 0.",
              e->paused);
    put_head(out, "evidence_pruned_total", "counter", "Alerts whose files were deleted, by the reason: their age (keep_days), "
             "the size of all (max_gib), or space on the disk (free_mib).");
    fprintf(out, "memaed_evidence_pruned_total{reason=\"age\"} %" PRIu64 "\n", e->pruned_age);
    fprintf(out, "memaed_evidence_pruned_total{reason=\"size\"} %" PRIu64 "\n", e->pruned_size);
    fprintf(out, "memaed_evidence_pruned_total{reason=\"space\"} %" PRIu64 "\n", e->pruned_space);
}

static void put_endpoint(FILE *out, const char *name, const struct view_webhook *webhook, uint64_t n)
{
    fprintf(out, "memaed_%s{endpoint=\"", name);
    put_label(out, webhook->name);
    fprintf(out, "\"} %" PRIu64 "\n", n);
}

static uint64_t get_delivered(const struct view_webhook *w) { return w->delivered; }
static uint64_t get_failed(const struct view_webhook *w) { return w->failed; }
static uint64_t get_dropped(const struct view_webhook *w) { return w->dropped; }
static uint64_t get_queued(const struct view_webhook *w) { return w->queued; }
static uint64_t get_dead(const struct view_webhook *w) { return w->dead; }
static uint64_t get_dead_letters(const struct view_webhook *w) { return w->dead_letters; }
static uint64_t get_disabled(const struct view_webhook *w) { return w->disabled; }

static const struct {
    const char *name, *type, *help;
    uint64_t (*get)(const struct view_webhook *w);
} of_endpoints[] = {
    {"webhooks_delivered_total", "counter", "Events delivered to the endpoint.", get_delivered},
    {"webhooks_failed_attempts_total", "counter", "Attempts to deliver an event that failed.", get_failed},
    {"webhooks_dropped_total", "counter", "Events dropped, because a reload removed the endpoint.", get_dropped},
    {"webhooks_queued", "gauge", "Events that wait to be delivered.", get_queued},
    {"webhooks_dead_total", "counter", "Events that became dead letters, because they were too old when an attempt failed.",
     get_dead},
    {"webhooks_dead_letters", "gauge", "Dead letters that are kept.", get_dead_letters},
    {"webhooks_disabled", "gauge", "Endpoints that are disabled, because they answered 410.", get_disabled},
};

static void put_endpoint_label(FILE *out, const char *endpoint, const char *then)
{
    fputs("endpoint=\"", out);
    put_label(out, endpoint);
    fprintf(out, "\"%s", then);
}

/* endpoint NULL: no label. */
static void put_delays(FILE *out, const char *name, const char *endpoint, const struct delays *delays)
{
    uint64_t count = 0;
    for (int i = 0; i <= DELAYS_BOUNDS; i++) {
        count += delays->n[i];
        fprintf(out, "memaed_%s_bucket{", name);
        if (endpoint)
            put_endpoint_label(out, endpoint, ",");
        if (i < DELAYS_BOUNDS)
            fprintf(out, "le=\"%g\"} %" PRIu64 "\n", delays_bound_s[i], count);
        else
            fprintf(out, "le=\"+Inf\"} %" PRIu64 "\n", count);
    }
    static const char *const ends[] = {"sum", "count"};
    for (int i = 0; i < 2; i++) {
        fprintf(out, "memaed_%s_%s%s", name, ends[i], endpoint ? "{" : "");
        if (endpoint)
            put_endpoint_label(out, endpoint, "}");
        put_value(out, i == 0 ? delays->sum_s : (double)count);
    }
}

static void put_webhooks(FILE *out, const struct view_webhook *webhooks, size_t n)
{
    for (size_t i = 0; i < sizeof of_endpoints / sizeof of_endpoints[0]; i++) {
        put_head(out, of_endpoints[i].name, of_endpoints[i].type, of_endpoints[i].help);
        for (size_t w = 0; w < n; w++)
            put_endpoint(out, of_endpoints[i].name, &webhooks[w], of_endpoints[i].get(&webhooks[w]));
    }
    put_head(out, "webhook_delay_seconds", "histogram",
             "Delay of delivered events: from when they happened to their acknowledgement.");
    for (size_t w = 0; w < n; w++)
        put_delays(out, "webhook_delay_seconds", webhooks[w].name, &webhooks[w].delays);
}

static void put_streams(FILE *out, const struct web_streams *streams)
{
    put_gauge(out, "event_streams", "Open streams of server-sent events.", (double)streams->n_events);
    put_counter(out, "event_streams_dropped_total", "Streams of server-sent events whose client did not read in time.",
                streams->dropped);
    put_head(out, "event_stream_delay_seconds", "histogram",
             "Delay of events in streams, each stream counted: from when they happened to when the connection took them. "
             "Events that a client missed before do not count.");
    put_delays(out, "event_stream_delay_seconds", NULL, &streams->delays);
}

void web_handle_metrics(const struct view *view, const struct web_request *request, struct web_answer *ret)
{
    struct view_camera *cameras = NULL;
    struct view_webhook *webhooks = NULL;
    size_t n, n_webhooks, size = 0;
    char *text = NULL;
    FILE *out = NULL;
    if (view->cameras(view->context, &cameras, &n) == 0 && view->webhooks(view->context, &webhooks, &n_webhooks) == 0)
        out = open_memstream(&text, &size);
    if (!out) {
        free(cameras);
        free(webhooks);
        web_answer_no_memory(ret);
        return;
    }
    struct view_process process;
    view->process(view->context, &process);

    struct view_store storage;
    view->storage(view->context, &storage);
    struct view_room room;
    view->room(view->context, &room);

    put_process(out, &process);
    put_snapshots(out, &process);
    put_store(out, &storage);
    put_evidence(out, &room);
    put_webhooks(out, webhooks, n_webhooks);
    put_streams(out, request->streams);
    put_cameras(out, cameras, n);
    bool failed = ferror(out);
    failed |= fclose(out) != 0;
    free(cameras);
    free(webhooks);
    if (failed) {
        free(text);
        web_answer_no_memory(ret);
        return;
    }
    *ret = (struct web_answer){.status = 200, .type = "text/plain; version=0.0.4; charset=utf-8", .body = text,
                               .size = size};
}
