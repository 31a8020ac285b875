/* The clip of one alert, from its pre-roll to its post-roll: which packets belong to it, and its file.
 *
 * A clip begins at the newest key frame that arrived at least pre_roll_s, and the time that decoding may take, before the alert
 * opened. Where the ring does not reach so far back, it begins at the oldest that is kept. It ends post_roll_s after the alert
 * closed, after max_clip_s, or where the stream changes to one that cannot follow in the file (packet_stream_follows()). A
 * camera that is lost and comes back goes on in the same file. The clip has the audio that the camera keeps (evidence.audio), if
 * any came before the clip began, until the audio's stream changes.
 *
 * Where privacy masks are burned in, the clip is decoded and encoded again, in a process that works at its own pace. After the
 * last packet the clip waits for it, for ALERT_CLIP_BEHIND_US at most.
 *
 * The file appears under its name once it can be played: with its first fragment (clip_file.h).
 *
 * The evidence thread calls. */
#ifndef MEMAED_DAEMON_WATCH_EVIDENCE_ALERT_CLIP_H
#define MEMAED_DAEMON_WATCH_EVIDENCE_ALERT_CLIP_H

#include <stdbool.h>
#include <stdint.h>

#include "core/error.h"
#include "core/zones/burning.h"
#include "daemon/watch/evidence/place.h"
#include "io/capture/host.h"
#include "io/config/config.h"
#include "io/video/packets/codec_string.h"
#include "io/video/packets/packet_ring.h"

/* A clip begins this much earlier than pre_roll_s, because pictures are shown later than their packets arrive. */
#define ALERT_CLIP_DELAY_US INT64_C(1000000)

#define ALERT_CLIP_BEHIND_US INT64_C(120000000)

struct alert_clip;

struct alert_clip_options {
    const char *state_dir;      /* borrowed until close */
    struct place place;         /* its camera is copied */
    int64_t opened_us;          /* CLOCK_MONOTONIC: when the alert opened */
    const struct config_evidence *rolls;        /* copied */
    const struct privacy *privacy;      /* burned in, and the clip is encoded again; copied. NULL or none: the stream is copied */
    struct packet_ring *ring;   /* the clip takes a reference */
    bool is_other_stream;       /* than the analysed one: its packets may come later, so the clip ends later */
    struct capture_host *host;  /* forks the process that writes the file; NULL: this one does. Borrowed until close */
};

struct alert_clip_outcome {
    char path[PLACE_PATH_SIZE]; /* below state_dir; "": there is no file, and no bytes */
    char codec[CODEC_NAME_SIZE], codecs[CODEC_STRING_SIZE];
    char audio[CODEC_NAME_SIZE];        /* codec of the audio; "": there is none */
    int64_t bytes, duration_us;
    int64_t pre_roll_us;        /* from the first packet's arrival to the opening of the alert; less than asked for, or negative,
                                 * where the ring held no more */
    uint64_t lost;              /* packets that the ring dropped before they could be written */
    uint64_t audio_lost;        /* packets of audio that came, and that the file did not take */
    const char *end;            /* why it ended: "post_roll", "max_clip", "stream_changed", "stopped" (memaed
                                 * ends, or the camera's keys changed), "no_space", "failed", "too_slow" (masks were not burned
                                 * into all packets in ALERT_CLIP_BEHIND_US) */
    bool no_space;              /* it failed because the disk is full */
    struct error error;         /* what failed; "": nothing. The file holds what was written before */
};

int alert_clip_open(struct alert_clip **ret, const struct alert_clip_options *options);   /* 0 or -ENOMEM */
uint64_t alert_clip_alert(const struct alert_clip *clip);
/* The alert closed then (CLOCK_MONOTONIC). */
void alert_clip_set_closed(struct alert_clip *clip, int64_t closed_us);
/* The clip is complete, because there is no space for more. */
void alert_clip_stop(struct alert_clip *clip);
/* Writes the packets that are there. false: the clip is complete. */
bool alert_clip_write(struct alert_clip *clip, int64_t now_us);
/* Ends the file and frees the clip. Takes NULL; *ret is written otherwise. */
void alert_clip_close(struct alert_clip *clip, struct alert_clip_outcome *ret);

#endif
