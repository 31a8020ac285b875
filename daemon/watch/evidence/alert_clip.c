#include "daemon/watch/evidence/alert_clip.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io/capture/clip_writer.h"

/* A clip whose camera sends nothing ends this much later than its last packet should have come. */
#define LATE_US INT64_C(2000000)
enum { BATCH = 32 };

struct alert_clip {
    struct alert_clip_options options;
    struct config_evidence rolls;
    char camera[80];
    struct clip_writer *writer;         /* NULL: no packet yet */
    struct place_file file;             /* published once a fragment is in it */
    struct packet_stream *stream;       /* of the file */
    struct packet_stream *audio;        /* the same; NULL: none */
    uint64_t next;                      /* packet of the ring */
    int64_t first_us;                   /* arrival of the first packet */
    int64_t end_us;                     /* no later packet belongs to it; INT64_MAX: the alert is open */
    bool complete;
    bool is_stopped;                    /* it does not wait for its process */
    int64_t behind_until_us;            /* of a complete clip: when it no longer waits for its process; 0: it does not wait */
    struct privacy privacy;             /* n 0: none */
    struct alert_clip_outcome outcome;
};

int alert_clip_open(struct alert_clip **ret, const struct alert_clip_options *options)
{
    struct alert_clip *clip = calloc(1, sizeof *clip);
    if (!clip)
        return -ENOMEM;
    clip->options = *options;
    clip->rolls = *options->rolls;
    snprintf(clip->camera, sizeof clip->camera, "%s", options->place.camera);
    clip->options.place.camera = clip->camera;
    clip->options.rolls = NULL;
    if (options->privacy)
        clip->privacy = *options->privacy;
    clip->options.privacy = NULL;
    packet_ring_ref(options->ring);
    clip->file.fd = -1;
    clip->end_us = INT64_MAX;
    int64_t pre_roll_us = (int64_t)(1e6 * clip->rolls.pre_roll_s);
    clip->next = packet_ring_find(options->ring, options->opened_us - pre_roll_us - ALERT_CLIP_DELAY_US);
    *ret = clip;
    return 0;
}

uint64_t alert_clip_alert(const struct alert_clip *clip)
{
    return clip->options.place.alert;
}

void alert_clip_set_closed(struct alert_clip *clip, int64_t closed_us)
{
    clip->end_us = closed_us + (int64_t)(1e6 * clip->rolls.post_roll_s) +
                   (clip->options.is_other_stream ? ALERT_CLIP_DELAY_US : 0);
}

static void end(struct alert_clip *clip, const char *why)
{
    clip->complete = true;
    clip->outcome.end = why;
}

void alert_clip_stop(struct alert_clip *clip)
{
    if (!clip->complete)
        end(clip, "no_space");
    clip->is_stopped = true;
}

/* Keeps the first failure. */
static void note(struct alert_clip_outcome *outcome, int r, const struct error *err)
{
    if (r < 0 && !outcome->error.text[0])
        outcome->error = *err;
    outcome->no_space |= r == -ENOSPC || r == -EDQUOT;
}

/* Makes the file for the stream of the first of n packets, which end before clip->next, and for the audio from there on. 0 or
 * -errno with the cause in err. */
static int begin(struct alert_clip *clip, const struct packet *first, size_t n, struct error *err)
{
    char name[16];
    clip->stream = packet_stream_ref(first->stream);
    clip->audio = packet_ring_audio(clip->options.ring, clip->next - n);
    clip->first_us = first->times.arrival_us;
    clip->outcome.pre_roll_us = clip->options.opened_us - clip->first_us;
    const struct packet_format *audio = clip->audio ? &clip->audio->format : NULL;
    const bool is_masked = clip->privacy.n > 0;
    if (is_masked)
        snprintf(clip->outcome.codec, sizeof clip->outcome.codec, "h264");
    else
        codec_name(clip->outcome.codec, first->stream);
    snprintf(name, sizeof name, "clip.%s", is_masked ? "mp4" : clip_file_extension(&first->stream->format, audio));
    int r = place_create(&clip->file, clip->options.state_dir, &clip->options.place, name, err);
    return r < 0 ? r : clip_writer_open_masked(&clip->writer, clip->options.host, clip->file.fd, first->stream, clip->audio,
                                               is_masked ? &clip->privacy : NULL, err);
}

/* Publishes the file, if that is still to be done and a fragment is in it. 0 or -errno with the cause in err. */
static int publish(struct alert_clip *clip, const struct clip_file_stats *stats, struct error *err)
{
    if (clip->outcome.path[0] || stats->bytes == 0)
        return 0;
    int r = place_publish(&clip->file, err);
    if (r == 0)
        memcpy(clip->outcome.path, clip->file.path, sizeof clip->outcome.path);
    return r;
}

/* Says why the packet does not belong to the clip any more; NULL: it does. */
static const char *end_before(const struct alert_clip *clip, const struct packet *packet)
{
    if (packet->times.arrival_us > clip->end_us)
        return "post_roll";
    if (!clip->stream)
        return NULL;
    if (packet->times.arrival_us - clip->first_us > (int64_t)(1e6 * clip->rolls.max_clip_s))
        return "max_clip";
    if (packet->times.audio || packet->stream == clip->stream || packet_stream_follows(packet->stream, clip->stream))
        return NULL;
    return "stream_changed";
}

/* Copies the packets that the file takes: audio of another stream is left out. Returns how many there are. */
static size_t choose(const struct alert_clip *clip, struct packet *const *packets, size_t n, struct packet **ret)
{
    size_t k = 0;
    for (size_t i = 0; i < n; i++)
        if (!packets[i]->times.audio ||
            (clip->audio && (packets[i]->stream == clip->audio || packet_stream_equal(packets[i]->stream, clip->audio))))
            ret[k++] = packets[i];
    return k;
}

/* Hands the writer n packets, of which it takes *taken. 0 or -errno with the cause in err. */
static int offer(struct alert_clip *clip, struct packet **packets, size_t n, size_t *taken, struct error *err)
{
    struct packet *fit[BATCH] = {NULL};
    struct clip_file_stats stats;
    size_t n_fit = choose(clip, packets, n, fit), done = n_fit;
    int r = clip_writer_offer(clip->writer, fit, n_fit, &done, err);
    if (r < 0)
        return r;
    *taken = n;
    if (done < n_fit)
        for (*taken = 0; packets[*taken] != fit[done];)
            ++*taken;
    clip_writer_stats(clip->writer, &stats);
    return publish(clip, &stats, err);
}

/* false: the writer takes no more now, and clip->next is the first packet that it has not taken. */
static bool write_packets(struct alert_clip *clip, struct packet **packets, size_t n)
{
    const char *why = NULL;
    struct error err;
    size_t k = 0, taken = 0;
    int r = 0;
    if (n > 0 && !clip->writer && !(why = end_before(clip, packets[0])))
        r = begin(clip, packets[0], n, &err);
    while (r == 0 && !why && k < n && !(why = end_before(clip, packets[k])))
        k++;
    if (r == 0 && k > 0)
        r = offer(clip, packets, k, &taken, &err);
    if (r == 0 && taken < k) {
        clip->next -= n - taken;
        return false;
    }
    if (r < 0)
        why = "failed";
    note(&clip->outcome, r, &err);
    if (why)
        end(clip, why);
    return true;
}

/* Takes packets from the ring, and counts those that the ring has dropped. */
static size_t take(struct alert_clip *clip, struct packet **packets)
{
    uint64_t wanted = clip->next;
    size_t n = packet_ring_take(clip->options.ring, &clip->next, packets, BATCH);
    clip->outcome.lost += n > 0 ? clip->next - n - wanted : 0;
    return n;
}

/* Returns true while packets of a complete clip are still to be encoded. */
static bool is_behind(struct alert_clip *clip, int64_t now_us)
{
    struct error err;
    size_t taken;
    if (!clip->writer || clip->is_stopped || clip->behind_until_us == 0 || !clip_writer_is_behind(clip->writer))
        return false;
    if (now_us > clip->behind_until_us) {
        clip->outcome.end = "too_slow";
        return false;
    }
    int r = offer(clip, NULL, 0, &taken, &err);
    note(&clip->outcome, r, &err);
    return r == 0;
}

bool alert_clip_write(struct alert_clip *clip, int64_t now_us)
{
    struct packet *packets[BATCH];
    size_t n = BATCH;
    bool has_room = true;
    while (!clip->complete && n == BATCH && has_room) {
        n = take(clip, packets);
        has_room = write_packets(clip, packets, n);
        for (size_t i = 0; i < n; i++)
            packet_unref(packets[i]);
    }
    if (!clip->complete && has_room && clip->end_us != INT64_MAX && now_us > clip->end_us + LATE_US)
        end(clip, "post_roll");
    if (clip->complete && clip->behind_until_us == 0 && !clip->outcome.error.text[0])
        clip->behind_until_us = now_us + ALERT_CLIP_BEHIND_US;
    return !clip->complete || is_behind(clip, now_us);
}

/* Ends the file. What was written before a failure stays, up to its last whole fragment. */
static void end_file(struct alert_clip *clip)
{
    struct alert_clip_outcome *outcome = &clip->outcome;
    struct clip_file_stats stats = {0};
    struct error err;
    int r = clip_writer_close(clip->writer, &stats, &err);
    note(outcome, r, &err);
    if (outcome->error.text[0] && ftruncate(clip->file.fd, stats.bytes) < 0)
        error_set(&outcome->error, -errno, "cannot cut the clip to the part that plays: %s", strerror(errno));
    r = publish(clip, &stats, &err);
    note(outcome, r, &err);
    memcpy(outcome->codecs, stats.codecs, sizeof outcome->codecs);
    if (clip->audio && stats.audio_packets > 0)
        codec_name(outcome->audio, clip->audio);
    outcome->audio_lost = stats.audio_lost;
    if (outcome->path[0]) {
        outcome->bytes = stats.bytes;
        outcome->duration_us = stats.duration_us;
    }
    place_close(&clip->file);
}

void alert_clip_close(struct alert_clip *clip, struct alert_clip_outcome *ret)
{
    if (!clip)
        return;
    if (!clip->complete)
        end(clip, "stopped");
    if (clip->file.fd >= 0)
        end_file(clip);
    *ret = clip->outcome;
    packet_stream_unref(clip->stream);
    packet_stream_unref(clip->audio);
    packet_ring_unref(clip->options.ring);
    free(clip);
}
