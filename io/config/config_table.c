#include "io/config/config_table.h"

#include <stddef.h>
#include <stdio.h>

#include "io/config/config_value.h"

const char *const config_scope_paths[] = {
    "", "http.", "alerts.", "scores.", "evidence.", "health.", "cameras.NAME.", "cameras.NAME.alert.", "cameras.NAME.masks[].",
    "cameras.NAME.zones.ZONE.", "cameras.NAME.evidence.", "cameras.NAME.health.", "webhooks[].",
};

#define IN_CONFIG(field) .offset = offsetof(struct config, field)
#define IN_CAMERA(field) .offset = offsetof(struct config_camera, field)
#define IN_ALERT(field) .offset = offsetof(struct config_alert, field)
#define IN_MASK(field) .offset = offsetof(struct mask, field)
#define IN_ZONE(field) .offset = offsetof(struct zone, field)
#define IN_EVIDENCE(field) .offset = offsetof(struct config_evidence, field)
#define GIVEN_EVIDENCE(field) .given = 1 + offsetof(struct config_evidence, field)
#define IN_HEALTH(field) .offset = offsetof(struct config_health, field)
#define GIVEN_HEALTH(field) .given = 1 + offsetof(struct config_health, field)
#define IN_WEBHOOK(field) .offset = offsetof(struct config_webhook, field)

const struct config_row config_rows[] = {
    {CONFIG_ROOT, "state_dir", &config_type_path, IN_CONFIG(state_dir), .fallback = "/var/lib/memaed",
     .line = 1 + offsetof(struct config, state_dir_line), .column = 1 + offsetof(struct config, state_dir_column),
     .help = "The folder of all that memaed keeps over restarts: alerts, events, scores and evidence. It is created if it is "
             "missing. One memaed at a time uses it."},
    {CONFIG_ROOT, "http", &config_type_http, .absent = "as below", .help = "The REST interface."},
    {CONFIG_HTTP, "listen", &config_type_listen, IN_CONFIG(listen_address), .fallback = "127.0.0.1:8787",
     .help = "Address and port that the server listens at. Port 0 takes a free port, and the log names it. There is no "
             "login: put a proxy with one in front before other machines may connect."},
    {CONFIG_HTTP, "names", &config_type_names, .absent = "none",
     .help = "Names under which clients reach the server, such as those of a proxy. A request whose Host header is none of "
             "them, and neither localhost nor an address, is refused: it may come from a page of a stranger."},
    {CONFIG_HTTP, "public_url", &config_type_base_url, IN_CONFIG(public_url), .absent = "none, URLs are paths",
     .help = "The address at which those who get events reach the server, such as a proxy's. The URLs in events begin with it."},
    {CONFIG_ROOT, "alerts", &config_type_alerts, .absent = "as below", .help = "Alerts and events in the database."},
    {CONFIG_ALERTS, "keep_days", &config_type_whole, IN_CONFIG(alerts_keep_days), 0, 36500, .fallback = "365",
     .line = 1 + offsetof(struct config, alerts_keep_days_line), .column = 1 + offsetof(struct config, alerts_keep_days_column),
     .help = "Days for which alerts and events are kept. Marked alerts stay. 0: for ever."},
    {CONFIG_ROOT, "scores", &config_type_scores, .absent = "as below", .help = "Scores in the database."},
    {CONFIG_SCORES, "raw_h", &config_type_number, IN_CONFIG(scores_raw_h), 0, 8760, .fallback = "24",
     .help = "Hours for which the score of each window is kept. A camera with five windows a second takes about 25 MB a day."},
    {CONFIG_SCORES, "minutes_days", &config_type_whole, IN_CONFIG(scores_minutes_days), 0, 36500, .fallback = "90",
     .line = 1 + offsetof(struct config, scores_minutes_days_line),
     .column = 1 + offsetof(struct config, scores_minutes_days_column),
     .help = "Days for which the scores of each minute are kept: minimum, mean, maximum, least p-value. 0: for ever."},
    {CONFIG_ROOT, "workers", &config_type_workers, IN_CONFIG(workers), 1, 256, .fallback = "auto",
     .help = "Threads that run the network, shared by all cameras. auto: one for each core."},
    {CONFIG_ROOT, "max_model_mib", &config_type_whole, IN_CONFIG(max_model_mib), 1, 100000, .fallback = "1024",
     .help = "Memory in MiB that a model may want for each worker, and for each of its cameras. A model that wants more is a "
             "fault."},
    {CONFIG_ROOT, "isolation", &config_type_isolation, IN_CONFIG(in_thread), .fallback = "process",
     .help = "The place where cameras are read and decoded. process: each in a process of its own, which can read and do "
             "little else and knows no secret but that camera's. thread: all in the daemon, where a fault in one camera's "
             "stream ends the service, or worse. It is for debugging, and for systems that forbid such processes."},
    {CONFIG_ROOT, "max_decoder_mib", &config_type_whole, IN_CONFIG(max_decoder_mib), 32, 100000, .fallback = "512",
     .help = "Memory in MiB that a camera's process may take. One that wants more is a lost camera. With "
             "isolation: thread it has no effect."},
    {CONFIG_ROOT, "time_zone", &config_type_zone, IN_CONFIG(time_zone), .absent = "the machine's",
     .help = "The time zone of the times in cameras.NAME.armed. All other times are UTC."},
    {CONFIG_ROOT, "evidence", &config_type_evidence, IN_CONFIG(evidence), .absent = "as below",
     .help = "The evidence that is kept of an alert, in the folder evidence of state_dir."},
    {CONFIG_EVIDENCE, "snapshots", &config_type_bool, IN_EVIDENCE(snapshots), .fallback = "true",
     .help = "true: an alert has pictures, the frame in colour with boxes, and one that shows why it opened. A fault of the "
             "camera's picture has pictures of before and after. Notifications wait for them, for 3 s at most."},
    {CONFIG_EVIDENCE, "clips", &config_type_bool, IN_EVIDENCE(clips), .fallback = "true",
     .help = "true: each alert has a clip, the packets that the camera sent, copied without decoding."},
    {CONFIG_EVIDENCE, "masked_clips", &config_type_bool, IN_EVIDENCE(masked_clips), .fallback = "false",
     .help = "true: a camera with a privacy mask has clips, too, with the mask burned in: each is decoded and encoded again, in "
             "H.264. That takes up to a core while an alert is open."},
    {CONFIG_EVIDENCE, "unmasked_clips", &config_type_bool, IN_EVIDENCE(unmasked_clips), .fallback = "false",
     .help = "true: a camera with a privacy mask has clips, too. They show the part under the mask. Pictures never do, nor do "
             "copies. Not with masked_clips."},
    {CONFIG_EVIDENCE, "pre_roll_s", &config_type_number, IN_EVIDENCE(pre_roll_s), 0, 120, .fallback = "5",
     .help = "Seconds before the alert opened that a clip holds at least. It begins at the key frame before them."},
    {CONFIG_EVIDENCE, "post_roll_s", &config_type_number, IN_EVIDENCE(post_roll_s), 0, 600, .fallback = "5",
     .help = "Seconds after the alert's cause ended that a clip holds."},
    {CONFIG_EVIDENCE, "max_clip_s", &config_type_number, IN_EVIDENCE(max_clip_s), 1, 3600, .fallback = "300",
     .help = "A clip ends after so many seconds, even if the alert is still open."},
    {CONFIG_EVIDENCE, "ring_mib", &config_type_whole, IN_EVIDENCE(ring_mib), 1, 1024, .fallback = "16",
     .help = "Memory in MiB that the packets of a stream's last seconds may take; a camera with a source of its own for "
             "evidence keeps two streams. It limits pre_roll_s: a stream of 8 Mbit/s fills 16 MiB in 16 s. The packets from one "
             "key frame to the next have to fit. Audio that is kept takes up to a fourth more."},
    {CONFIG_EVIDENCE, "keep_days", &config_type_whole, IN_EVIDENCE(retention.keep_days), 0, 36500, .fallback = "30",
     .line = 1 + offsetof(struct config_evidence, retention.keep_days_line),
     .column = 1 + offsetof(struct config_evidence, retention.keep_days_column),
     .help = "Days for which evidence is kept. That of marked alerts stays. 0: for ever."},
    {CONFIG_EVIDENCE, "max_gib", &config_type_number, IN_EVIDENCE(retention.max_gib), 0, 1000000, .fallback = "10",
     .line = 1 + offsetof(struct config_evidence, retention.max_gib_line),
     .column = 1 + offsetof(struct config_evidence, retention.max_gib_column),
     .help = "Room in GiB that evidence may take; beyond it, that of the oldest alerts goes. 0: no limit but free_mib."},
    {CONFIG_EVIDENCE, "free_mib", &config_type_whole, IN_EVIDENCE(retention.free_mib), 0, 1000000000,
     .absent = "1024, but at most a tenth of the disk",
     .line = 1 + offsetof(struct config_evidence, retention.free_mib_line),
     .column = 1 + offsetof(struct config_evidence, retention.free_mib_column),
     GIVEN_EVIDENCE(retention.has_free_mib),
     .help = "Room in MiB on the disk of state_dir that evidence leaves free for the database and for others. 0: none; the disk "
             "fills."},
    {CONFIG_ROOT, "health", &config_type_health, IN_CONFIG(health), .absent = "as below",
     .help = "The diagnosis of cameras' pictures: frozen, black, covered, shaken, moved and so on. A fault is told by events."},
    {CONFIG_HEALTH, "enabled", &config_type_bool, IN_HEALTH(enabled), .fallback = "true",
     .help = "false: no kind is diagnosed, and nothing is computed for it."},
    {CONFIG_HEALTH, "off", &config_type_kinds, IN_HEALTH(off), .absent = "none",
     .help = "Kinds of faults that are not told and not shown."},
    {CONFIG_HEALTH, "learn_s", &config_type_number, IN_HEALTH(learn_s), 10, 86400, .fallback = "60",
     .help = "Seconds of pictures, from the first start of the camera on, that are taken to be without a fault. Faults are told "
             "by what was learned in them. It is kept in state_dir; POST /api/v1/cameras/NAME/health/learn learns it anew."},
    {CONFIG_HEALTH, "hold", &config_type_kinds, IN_HEALTH(hold), .absent = "covered, jitter, moved and light, but for those in mark",
     GIVEN_HEALTH(has_hold),
     .help = "Kinds of faults that hold alerts back: one that opens while such a fault holds is suppressed, and told if it lasts "
             "longer than the fault. It is marked, too."},
    {CONFIG_HEALTH, "mark", &config_type_kinds, IN_HEALTH(mark), .absent = "all that are not in hold", GIVEN_HEALTH(has_mark),
     .help = "Kinds of faults that mark alerts: one that is open while such a fault holds is sent with the name of the kind. No "
             "kind is in both lists."},
    {CONFIG_ROOT, "cameras", &config_type_cameras, .required = true,
     .help = "The cameras to watch, by name. A name has 1 to 64 characters of a-z, 0-9, _ and -."},
    {CONFIG_CAMERA, "source", &config_type_source, IN_CAMERA(source), .required = true,
     .help = "The stream or footage that FFmpeg opens: rtsp://, http:// and the like, a file, a folder of images, or an image "
             "pattern (%03d.jpg)."},
    {CONFIG_CAMERA, "user", &config_type_user, IN_CAMERA(user), .absent = "none",
     .line = 1 + offsetof(struct config_camera, user_line), .column = 1 + offsetof(struct config_camera, user_column),
     .help = "The user who signs in at the camera, for a source of rtsp, rtsps, http or https that names nobody itself. Any "
             "character but a colon; nothing is to be encoded."},
    {CONFIG_CAMERA, "password", &config_type_password, .offset = 0, .absent = "none",
     .help = "The password of user. Any character; nothing is to be encoded. Better kept out of this file: use password_file "
             "or \"${NAME}\"."},
    {CONFIG_CAMERA, "password_file", &config_type_password_file, .offset = 0, .absent = "none",
     .help = "The file that holds the password instead, as systemd's LoadCredential= provides it."},
    {CONFIG_CAMERA, "transport", &config_type_transport, IN_CAMERA(udp), .fallback = "tcp",
     .help = "The protocol that carries the packets of RTSP."},
    {CONFIG_CAMERA, "tls_verify", &config_type_bool, IN_CAMERA(tls_verify), .fallback = "true",
     .line = 1 + offsetof(struct config_camera, tls_verify_line),
     .column = 1 + offsetof(struct config_camera, tls_verify_column),
     .help = "true: the certificate of a source by TLS (https, rtsps, rtmps) is verified. false: any certificate is taken, so "
             "whoever is between can pose as the camera, and gets its password."},
    {CONFIG_CAMERA, "tls_ca_file", &config_type_file, IN_CAMERA(tls_ca_file), .absent = "the authorities of the system",
     .help = "A file of certificates in PEM against which the camera's is verified: those of an authority, or the camera's "
             "own if it is self-signed."},
    {CONFIG_CAMERA, "tls_host", &config_type_user, IN_CAMERA(tls_host), .absent = "the host of the source",
     .help = "The name that the camera's certificate has to hold, where that is not the host of the source."},
    {CONFIG_CAMERA, "model", &config_type_model, IN_CAMERA(model), .required = true,
     .help = "The model file that memaed learn wrote for this camera. Cameras may share one."},
    {CONFIG_CAMERA, "precision", &config_type_precision, IN_CAMERA(precision), .fallback = "auto",
     .line = 1 + offsetof(struct config_camera, precision_line),
     .column = 1 + offsetof(struct config_camera, precision_column),
     .help = "The numbers that the network computes in. auto: int8, which is faster, if the model's calibration shows "
             "that its scores agree with those of fp32; else fp32."},
    {CONFIG_CAMERA, "static", &config_type_static, IN_CAMERA(compute_all), .fallback = "auto",
     .help = "The treatment of windows in which nothing moves beyond the camera's own noise. auto: such a window takes the "
             "score of the last computed one, if the model's calibration bounds the error. off: all are computed."},
    {CONFIG_CAMERA, "fps", &config_type_number, IN_CAMERA(fps), 0.1, 120,
     .absent = "the rate that the model learned at",
     .line = 1 + offsetof(struct config_camera, fps_line), .column = 1 + offsetof(struct config_camera, fps_column),
     .help = "Frames analysed a second. A rate other than the model's is a fault unless fps_force is true."},
    {CONFIG_CAMERA, "fps_force", &config_type_bool, IN_CAMERA(fps_force), .fallback = "false",
     .help = "Use fps even if the model learned at another rate."},
    {CONFIG_CAMERA, "stride", &config_type_whole, IN_CAMERA(stride), 1, 64, .fallback = "2",
     .help = "Analysed frames from one window to the next. 1 scores most often; a larger stride costs less."},
    {CONFIG_CAMERA, "loop", &config_type_bool, IN_CAMERA(loop), .fallback = "false",
     .help = "Start again when the footage ends. For files and images only."},
    {CONFIG_CAMERA, "stall_timeout_s", &config_type_number, IN_CAMERA(stall_timeout_s), 1, 3600, .fallback = "10",
     .help = "After so many seconds without a packet, or without a picture that comes due, the camera counts as lost and is "
             "opened again."},
    {CONFIG_CAMERA, "backlog", &config_type_whole, IN_CAMERA(backlog), 1, 4096, .fallback = "64",
     .help = "Frames that may wait for a worker. If one more comes, the oldest is dropped and counted."},
    {CONFIG_CAMERA, "armed", &config_type_armed, IN_CAMERA(armed), .fallback = "always",
     .help = "The times at which the camera's alerts are sent, in local time. A span that does not end after its beginning "
             "ends on the next day. At other times scores and alerts are recorded, and nobody is told."},
    {CONFIG_CAMERA, "time_zone", &config_type_zone, IN_CAMERA(time_zone), .absent = "the time_zone of all cameras",
     .help = "The time zone of this camera's times, if it stands in another one."},
    {CONFIG_CAMERA, "alert", &config_type_alert, IN_CAMERA(alert), .absent = "as below",
     .help = "The rule by which scores become an alert."},
    {CONFIG_ALERT, "threshold", &config_type_number, IN_ALERT(threshold), -100000, 100000,
     .absent = "from the model's calibration",
     .given = 1 + offsetof(struct config_alert, has_threshold),
     .help = "A window counts towards an alert if it scores this or more. A score is a logarithm of hours; usual windows "
             "score below 0. A model without calibration alerts only with a threshold here."},
    {CONFIG_ALERT, "per_day", &config_type_number, IN_ALERT(per_day), 0.001, 1000,
     .absent = "as set by learn or calibrate, 1 unless told otherwise",
     .given = 1 + offsetof(struct config_alert, has_per_day),
     .line = 1 + offsetof(struct config_alert, per_day_line),
     .column = 1 + offsetof(struct config_alert, per_day_column),
     .help = "Instead of threshold: how often a day normal footage may alert. The model's calibration gives the "
             "threshold."},
    {CONFIG_ALERT, "close_threshold", &config_type_number, IN_ALERT(close_threshold), -100000, 100000,
     .absent = "as far below threshold as in the model's calibration",
     .given = 1 + offsetof(struct config_alert, has_close_threshold),
     .line = 1 + offsetof(struct config_alert, close_threshold_line),
     .column = 1 + offsetof(struct config_alert, close_threshold_column),
     .help = "An alert closes after n windows in a row that score below this. At most the threshold that applies."},
    {CONFIG_ALERT, "k", &config_type_whole, IN_ALERT(k), 1, 64, .fallback = "3",
     .help = "An alert opens when k of the last n windows score threshold or more. At most n."},
    {CONFIG_ALERT, "n", &config_type_whole, IN_ALERT(n), 1, 64, .fallback = "5", .help = "See k."},
    {CONFIG_ALERT, "smooth_s", &config_type_number, IN_ALERT(smooth_s), 0, 60, .fallback = "0",
     .help = "Compare a mean of past scores with the thresholds, in which a score so many seconds old weighs a third. 0: each "
             "score by itself, which finds short events sooner. Alerts are as rare as calibrated with 0 alone."},
    {CONFIG_ALERT, "min_duration_s", &config_type_number, IN_ALERT(min_duration_s), 0, 300, .fallback = "0",
     .help = "An alert opens once its cause has lasted for so many seconds."},
    {CONFIG_ALERT, "merge_s", &config_type_number, IN_ALERT(merge_s), 0, 3600, .fallback = "30",
     .help = "A cause that begins within so many seconds after the last one ended belongs to the same alert, which closes so "
             "much later. Alerts are as rare as calibrated with 30 alone."},
    {CONFIG_ALERT, "cooldown_s", &config_type_number, IN_ALERT(cooldown_s), 0, 86400, .fallback = "60",
     .help = "For so many seconds after the cause of an alert ended, alerts are suppressed: listed only where asked, and sent "
             "to nobody. Suppressed alerts do not prolong the cooldown. An alert whose cause outlasts it is told then, and so "
             "is one that is worse than those told before."},
    {CONFIG_ALERT, "max_per_hour", &config_type_whole, IN_ALERT(max_per_hour), 0, 60, .fallback = "12",
     .help = "Alerts of each kind that are told within an hour; further ones are suppressed, unless they are worse than those "
             "told before. 0: no limit."},
    {CONFIG_ALERT, "lasting_h", &config_type_number, IN_ALERT(lasting_h), 0.1, 1000, .fallback = "6",
     .help = "An alert that has been open for so many hours is reported by one more event, normal.changed: what it shows may "
             "be normal now."},
    {CONFIG_CAMERA, "masks", &config_type_masks, IN_CAMERA(zones), .absent = "none",
     .help = "Parts of the picture that are not analysed. They influence no score and no alert."},
    {CONFIG_MASK, "name", &config_type_zone_name, IN_MASK(name), .absent = "none",
     .help = "A name that says what the mask is for."},
    {CONFIG_MASK, "points", &config_type_points, IN_MASK(area), .required = true,
     .help = "The corners of the masked part, in order. x goes from the left edge to the right, 0 to 1, and y from the upper "
             "edge to the lower, of the picture as a viewer sees it. Sides may not cross or touch."},
    {CONFIG_MASK, "privacy", &config_type_bool, IN_MASK(privacy), .fallback = "false",
     .help = "true: the mask also hides its part from pictures that are kept or shown."},
    {CONFIG_CAMERA, "zones", &config_type_zones, IN_CAMERA(zones), .absent = "none",
     .help = "Parts of the picture by name, 16 at most. A name has 1 to 32 characters of a-z, 0-9, _ and -. An alert names the "
             "zones that its boxes touch, in this order."},
    {CONFIG_ZONE, "points", &config_type_points, IN_ZONE(area), .required = true, .help = "The corners, as those of a mask."},
    {CONFIG_ZONE, "per_day", &config_type_number, IN_ZONE(per_day), 0.001, 1000, .absent = "as the rest of the camera",
     .line = 1 + offsetof(struct zone, per_day_line), .column = 1 + offsetof(struct zone, per_day_column),
     .help = "A budget of its own: how often a day normal footage may alert in this zone at most. The model's calibration gives "
             "the threshold, in place of the camera's."},
    {CONFIG_CAMERA, "evidence", &config_type_evidence, IN_CAMERA(evidence), .absent = "as evidence",
     .help = "The evidence that is kept of this camera's alerts."},
    {CONFIG_CAMERA_EVIDENCE, "source", &config_type_stream, IN_EVIDENCE(source), .absent = "the camera's source",
     .line = 1 + offsetof(struct config_evidence, source_line), .column = 1 + offsetof(struct config_evidence, source_column),
     .help = "Another stream of the camera that clips are made of, such as its main stream if source is the sub stream. It is "
             "not decoded. user, password, transport and the keys of TLS are the camera's."},
    {CONFIG_CAMERA_EVIDENCE, "audio", &config_type_bool, IN_EVIDENCE(audio), .fallback = "false",
     .help = "Whether clips have the camera's audio, copied as it was coded. Recording what people say may be forbidden where "
             "pictures are allowed. A privacy mask hides pictures alone. Audio that MP4 cannot hold, such as G.711, makes the "
             "clip Matroska, which browsers do not play; masked clips and copies have it as AAC."},
    {CONFIG_CAMERA_EVIDENCE, "snapshots", &config_type_bool, IN_EVIDENCE(snapshots), .absent = "as evidence.snapshots",
     GIVEN_EVIDENCE(has_snapshots), .help = "See evidence."},
    {CONFIG_CAMERA_EVIDENCE, "clips", &config_type_bool, IN_EVIDENCE(clips), .absent = "as evidence.clips",
     GIVEN_EVIDENCE(has_clips), .help = "See evidence."},
    {CONFIG_CAMERA_EVIDENCE, "masked_clips", &config_type_bool, IN_EVIDENCE(masked_clips), .absent = "as evidence.masked_clips",
     GIVEN_EVIDENCE(has_masked), .help = "See evidence."},
    {CONFIG_CAMERA_EVIDENCE, "unmasked_clips", &config_type_bool, IN_EVIDENCE(unmasked_clips),
     .absent = "as evidence.unmasked_clips", GIVEN_EVIDENCE(has_unmasked), .help = "See evidence."},
    {CONFIG_CAMERA_EVIDENCE, "pre_roll_s", &config_type_number, IN_EVIDENCE(pre_roll_s), 0, 120,
     .absent = "as evidence.pre_roll_s", GIVEN_EVIDENCE(has_pre_roll), .help = "See evidence."},
    {CONFIG_CAMERA_EVIDENCE, "post_roll_s", &config_type_number, IN_EVIDENCE(post_roll_s), 0, 600,
     .absent = "as evidence.post_roll_s", GIVEN_EVIDENCE(has_post_roll), .help = "See evidence."},
    {CONFIG_CAMERA_EVIDENCE, "max_clip_s", &config_type_number, IN_EVIDENCE(max_clip_s), 1, 3600,
     .absent = "as evidence.max_clip_s", GIVEN_EVIDENCE(has_max_clip), .help = "See evidence."},
    {CONFIG_CAMERA_EVIDENCE, "ring_mib", &config_type_whole, IN_EVIDENCE(ring_mib), 1, 1024, .absent = "as evidence.ring_mib",
     GIVEN_EVIDENCE(has_ring), .help = "See evidence."},
    {CONFIG_CAMERA, "health", &config_type_health, IN_CAMERA(health), .absent = "as health",
     .help = "The diagnosis of this camera's pictures."},
    {CONFIG_CAMERA_HEALTH, "enabled", &config_type_bool, IN_HEALTH(enabled), .absent = "as health.enabled",
     GIVEN_HEALTH(has_enabled), .help = "See health."},
    {CONFIG_CAMERA_HEALTH, "off", &config_type_kinds, IN_HEALTH(off), .absent = "as health.off", GIVEN_HEALTH(has_off),
     .help = "See health."},
    {CONFIG_CAMERA_HEALTH, "learn_s", &config_type_number, IN_HEALTH(learn_s), 10, 86400, .absent = "as health.learn_s",
     GIVEN_HEALTH(has_learn), .help = "See health."},
    {CONFIG_CAMERA_HEALTH, "hold", &config_type_kinds, IN_HEALTH(hold), .absent = "as health.hold, but for those in mark",
     GIVEN_HEALTH(has_hold), .help = "See health."},
    {CONFIG_CAMERA_HEALTH, "mark", &config_type_kinds, IN_HEALTH(mark), .absent = "as health.mark, but for those in hold",
     GIVEN_HEALTH(has_mark), .help = "See health."},
    {CONFIG_ROOT, "webhooks", &config_type_webhooks, .absent = "none",
     .help = "The endpoints that events are posted to, by the Standard Webhooks specification."},
    {CONFIG_WEBHOOK, "name", &config_type_name, IN_WEBHOOK(name), .absent = "the scheme, host and port of url",
     .help = "The name of the endpoint in the log, in metrics and in REST. It tells two endpoints of one host apart."},
    {CONFIG_WEBHOOK, "url", &config_type_url, IN_WEBHOOK(url), .required = true,
     .help = "The address that events are posted to."},
    {CONFIG_WEBHOOK, "ca_file", &config_type_file, IN_WEBHOOK(ca_file), .absent = "the authorities of the system",
     .help = "A file of certificates in PEM against which the endpoint's is verified, instead of the system's."},
    {CONFIG_WEBHOOK, "secret", &config_type_secret, .offset = 0, .absent = "none, events are sent unsigned",
     .help = "The key that signs events. Better kept out of this file: use secret_file or \"${NAME}\"."},
    {CONFIG_WEBHOOK, "secret_file", &config_type_secret_file, .offset = 0, .absent = "none",
     .help = "The file that holds the secret instead, as systemd's LoadCredential= provides it."},
    {CONFIG_WEBHOOK, "old_secret", &config_type_old_secret, .offset = 0, .absent = "none",
     .help = "The key before secret. While it is given, events have two signatures, and a receiver that knows either takes "
             "them. Better kept out of this file: use old_secret_file or \"${NAME}\"."},
    {CONFIG_WEBHOOK, "old_secret_file", &config_type_old_secret_file, .offset = 0, .absent = "none",
     .help = "The file that holds the old secret instead."},
    {CONFIG_WEBHOOK, "events", &config_type_events, IN_WEBHOOK(filter.types), .absent = "all", .help = "The events to post."},
    {CONFIG_WEBHOOK, "cameras", &config_type_camera_names, IN_WEBHOOK(filter), .absent = "all",
     .line = 1 + offsetof(struct config_webhook, cameras_line), .column = 1 + offsetof(struct config_webhook, cameras_column),
     .help = "The cameras whose events are posted. An event of no camera, such as webhook.disabled, is posted in any case."},
    {CONFIG_WEBHOOK, "zones", &config_type_zone_names, IN_WEBHOOK(filter.alerts), .absent = "all",
     .line = 1 + offsetof(struct config_webhook, zones_line), .column = 1 + offsetof(struct config_webhook, zones_column),
     .help = "The zones whose alerts are posted: those that have touched one of them by then. Other events are posted in any "
             "case."},
    {CONFIG_WEBHOOK, "min_score", &config_type_number, IN_WEBHOOK(filter.alerts.min_score), -100000, 100000,
     .given = 1 + offsetof(struct config_webhook, filter.alerts.has_min_score), .absent = "all",
     .help = "Alerts are posted once their peak has reached this score: the unit is that of alert.threshold, and 1 more is e "
             "times as rare. An alert that reaches it while it is open is posted when it closes. Other events are posted in any "
             "case."},
    {CONFIG_WEBHOOK, "snapshot", &config_type_snapshot, IN_WEBHOOK(snapshot), .fallback = "url",
     .help = "The form in which an alert's events carry its snapshot. url: by its URL (http.public_url). inline: as a JPEG in "
             "base64, too. none: not."},
    {CONFIG_WEBHOOK, "snapshot_max_kib", &config_type_whole, IN_WEBHOOK(snapshot_max_kib), 1, 16384, .fallback = "512",
     .help = "KiB that a JPEG may have to be sent inline. A larger one is left out; the event says so, and has its URL."},
    {CONFIG_WEBHOOK, "max_per_minute", &config_type_whole, IN_WEBHOOK(max_per_minute), 1, 10000, .absent = "no limit",
     .help = "Attempts that may start in any minute, repeated ones among them. Events above it are delayed, not dropped."},
    {CONFIG_WEBHOOK, "give_up_h", &config_type_number, IN_WEBHOOK(give_up_h), 0.1, 1000, .fallback = "24",
     .help = "An event that is so many hours old when an attempt fails becomes a dead letter: it is kept, and listed by REST, "
             "but not tried again unless asked."},
    {CONFIG_WEBHOOK, "timeout_s", &config_type_number, IN_WEBHOOK(timeout_s), 0.1, 300, .fallback = "10",
     .help = "Seconds that one attempt may take. A failed attempt is repeated later."},
};
_Static_assert(sizeof config_rows / sizeof config_rows[0] == CONFIG_N_KEYS, "CONFIG_N_KEYS is the number of rows");

bool config_key(int i, struct config_key *ret)
{
    if (i < 0 || i >= CONFIG_N_KEYS)
        return false;
    const struct config_row *row = &config_rows[i];
    snprintf(ret->path, sizeof ret->path, "%s%s", config_scope_paths[row->scope], row->name);
    config_expected(row, ret->expected, sizeof ret->expected);
    ret->in_words = !row->fallback;
    ret->fallback = row->fallback ? row->fallback : row->absent;
    ret->required = row->required;
    ret->help = row->help;
    snprintf(ret->summary, sizeof ret->summary, "%s; %s%s", ret->expected, ret->required ? "required" : "default: ",
             ret->required ? "" : ret->fallback);
    return true;
}
