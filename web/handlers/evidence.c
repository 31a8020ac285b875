/* The evidence of an alert: its files, their paths, and copies of its clip. The pictures of a fault of a camera's picture. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "io/base/record_json.h"
#include "web/files/file_answer.h"
#include "web/handlers.h"

/* A cache may keep the file, but asks each time whether it is still that version. */
const struct web_header web_file_headers[] = {
    {"Cache-Control", "private, no-cache"},
    {"X-Content-Type-Options", "nosniff"},
    {"Content-Security-Policy", "default-src 'none'; img-src 'self'; media-src 'self'; style-src 'unsafe-inline'; "
                                "frame-ancestors 'none'"},
    {"Cross-Origin-Resource-Policy", "same-origin"},
    {NULL, NULL},
};

json_t *web_evidence_json(uint64_t alert, unsigned kept)
{
    json_t *object = json_object();
    for (int i = 0; i < VIEW_EVIDENCES && object; i++) {
        if (!(kept & 1u << i))
            continue;
        json_t *url = json_sprintf("/api/v1/alerts/%" PRIu64 "/%s", alert, view_evidence_names[i]);
        if (json_object_set_new(object, view_evidence_names[i], url) < 0) {
            json_decref(object);
            object = NULL;
        }
    }
    return object;
}

/* The MIME type for a player, with the codec if it has a name there: video/mp4; codecs="avc1.64001f". */
static json_t *mime_type(const struct view_video *video)
{
    return *video->codecs ? json_sprintf("%s; codecs=\"%s\"", video->type, video->codecs) : json_string(video->type);
}

json_t *web_videos_json(const struct view *view, uint64_t alert, unsigned kept)
{
    const unsigned are_videos = 1u << VIEW_CLIP | 1u << VIEW_COPY;
    struct view_video videos[VIEW_EVIDENCES];
    json_t *object = json_object();
    if (!(kept & are_videos) || view->videos(view->context, alert, videos) < 0)
        return object;
    for (int i = 0; i < VIEW_EVIDENCES && object; i++) {
        const struct view_video *video = &videos[i];
        if (!(kept & 1u << i) || !video->type)
            continue;
        json_t *value = json_pack("{s:o, s:o, s:o, s:I}", "type", mime_type(video), "codec", record_json_text(video->codec),
                                  "codecs", record_json_text(video->codecs), "bytes", (json_int_t)video->bytes);
        if (json_object_set_new(object, view_evidence_names[i], value) < 0) {
            json_decref(object);
            object = NULL;
        }
    }
    return object;
}

static void answer_evidence(const struct view *view, const struct web_request *request, enum view_evidence which,
                            struct web_answer *ret)
{
    struct alert_record alert;
    struct alert_labels labels;
    struct view_file file;
    int r = view->alert(view->context, request->alert, &alert, &labels);
    if (r < 0) {
        web_answer_no_alert(r, ret);
        return;
    }
    r = view->evidence(view->context, &alert, which, &file);
    char text[128];
    if (r == 0) {
        snprintf(text, sizeof text, "%s-%" PRIu64 "-%s", alert.camera, alert.id, view_evidence_names[which]);
        web_answer_file(request, &file, text, ret);
    } else if (r == -ENOENT) {
        snprintf(text, sizeof text, "the alert has no %s, or it is no longer kept", view_evidence_names[which]);
        web_answer_problem(404, text, ret);
    } else {
        snprintf(text, sizeof text, "the alert's %s cannot be opened", view_evidence_names[which]);
        web_answer_problem(500, text, ret);
    }
}

void web_handle_snapshot(const struct view *view, const struct web_request *request, struct web_answer *ret)
{
    answer_evidence(view, request, VIEW_SNAPSHOT, ret);
}

void web_handle_why(const struct view *view, const struct web_request *request, struct web_answer *ret)
{
    answer_evidence(view, request, VIEW_WHY, ret);
}

void web_handle_clip(const struct view *view, const struct web_request *request, struct web_answer *ret)
{
    answer_evidence(view, request, VIEW_CLIP, ret);
}

void web_handle_copy(const struct view *view, const struct web_request *request, struct web_answer *ret)
{
    answer_evidence(view, request, VIEW_COPY, ret);
}

/* ---- the pictures of a fault ------------------------------------------------------------------------------------------ */

static void answer_fault(const struct view *view, const struct web_request *request, enum view_fault which,
                         struct web_answer *ret)
{
    struct view_file file;
    char text[128];
    int r = view->fault(view->context, request->camera, request->alert, which, &file);
    if (r == 0) {
        snprintf(text, sizeof text, "%s-%" PRIu64 "-%s", request->camera, request->alert, view_fault_names[which]);
        web_answer_file(request, &file, text, ret);
    } else if (r == -ENOENT)
        web_answer_problem(404, "the camera has no such picture of a fault, or it is no longer kept", ret);
    else
        web_answer_problem(500, "the picture of the fault cannot be opened", ret);
}

void web_handle_fault_before(const struct view *view, const struct web_request *request, struct web_answer *ret)
{
    answer_fault(view, request, VIEW_FAULT_BEFORE, ret);
}

void web_handle_fault(const struct view *view, const struct web_request *request, struct web_answer *ret)
{
    answer_fault(view, request, VIEW_FAULT_OPENED, ret);
}

void web_handle_fault_after(const struct view *view, const struct web_request *request, struct web_answer *ret)
{
    answer_fault(view, request, VIEW_FAULT_AFTER, ret);
}

/* ---- the making of a copy --------------------------------------------------------------------------------------------- */

enum { RETRY_AFTER_S = 30 };

static void answer_no_copy(int r, struct web_answer *ret)
{
    bool is_later = r == -EAGAIN || r == -ENOSPC;
    if (r == -ENOENT)
        web_answer_problem(404, "the alert has no clip that could be copied, or it is no longer kept", ret);
    else if (r == -EBUSY)
        web_answer_problem(409, "the clip is still being written; ask again once the alert has closed", ret);
    else if (r == -ENOSYS)
        web_answer_problem(501, "no copy can be made: this FFmpeg has no encoder libx264; install a libavcodec that has it", ret);
    else if (is_later)
        web_answer_problem(503, r == -EAGAIN ? "too many copies wait; ask again later" : "the disk is full, so no copy is made",
                           ret);
    else
        web_answer_problem(500, "the alert's clip cannot be opened", ret);
    ret->retry_after_s = is_later ? RETRY_AFTER_S : 0;
}

static void answer_copy(const struct view *view, const struct web_request *request, bool asks, struct web_answer *ret)
{
    struct alert_record alert;
    struct alert_labels labels;
    struct view_copy copy;
    int r = view->alert(view->context, request->alert, &alert, &labels);
    if (r < 0) {
        web_answer_no_alert(r, ret);
        return;
    }
    r = view->copy(view->context, &alert, asks, &copy);
    if (r < 0) {
        answer_no_copy(r, ret);
        return;
    }
    bool is_ready = copy.state == VIEW_COPY_READY;
    json_t *url = is_ready ? json_sprintf("/api/v1/alerts/%" PRIu64 "/copy", alert.id) : json_null();
    web_answer_json(json_pack("{s:s, s:o, s:o}", "state", view_copy_names[copy.state], "reason", record_json_text(copy.reason),
                              "copy", url), ret);
    if (ret->status == 200 && asks && !is_ready)
        ret->status = 202;
}

void web_handle_copy_ask(const struct view *view, const struct web_request *request, struct web_answer *ret)
{
    answer_copy(view, request, true, ret);
}

void web_handle_copy_state(const struct view *view, const struct web_request *request, struct web_answer *ret)
{
    answer_copy(view, request, false, ret);
}
