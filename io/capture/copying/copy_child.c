#include "io/capture/copying/copy_child.h"

#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "io/capture/child.h"
#include "io/capture/host.h"
#include "io/capture/copying/priority.h"
#include "io/capture/sandbox.h"
#include "io/reencode/copy_file.h"
#include "io/video/source.h"

static int enter_sandbox(int from, struct error *err)
{
    char path[32];
    struct error cause;
    snprintf(path, sizeof path, "/proc/self/fd/%d", from);
    const struct sandbox_options options = {.paths = {path}, .file_bytes = COPY_FILE_BYTES,
                                            .memory_bytes = (size_t)COPY_MEMORY_MIB << 20};
    int r = sandbox_enter(&options, &cause);
    return r < 0 ? error_set(err, r, "the process of the copy cannot give up its rights (isolation: thread does without): %s",
                             cause.text) : 0;
}

static int copy(const struct copy_order *order, const struct capture_memory *control, int from, int to, struct copy_reply *reply,
                struct error *err)
{
    struct clip_file_stats stats;
    bool is_cut;
    const struct copy_file_options options = {.reencode = {.privacy = &order->privacy, .longest = order->longest},
                                              .length_us = order->length_us,
                                              .stop = &((const struct capture_control *)control->bytes)->stop};
    int r = privacy_check(&order->privacy, err);
    if (r == 0)
        r = enter_sandbox(from, err);
    if (r == 0)
        r = copy_file(from, to, &options, &stats, &is_cut, err);
    if (r < 0)
        return r;
    reply->bytes = stats.bytes;
    reply->duration_us = stats.duration_us;
    reply->audio_lost = stats.audio_lost;
    reply->is_cut = is_cut;
    memcpy(reply->codecs, stats.codecs, sizeof reply->codecs);
    return 0;
}

int copy_child_serve(int socket, const struct capture_memory *control, int from, int to)
{
    static struct copy_order order;
    struct copy_reply reply = {0};
    struct error err = {""};
    prctl(PR_SET_NAME, "copy", 0, 0, 0);
    source_set_log(NULL);               /* the answer alone goes over the socket */
    if (from < 0 || to < 0 || recv(socket, &order, sizeof order, 0) != (ssize_t)sizeof order)
        return CHILD_NOT_UNDERSTOOD;
    priority_lower(COPY_NICE);
    reply.result = copy(&order, control, from, to, &reply, &err);
    snprintf(reply.text, sizeof reply.text, "%s", reply.result < 0 ? err.text : "");
    send(socket, &reply, sizeof reply, MSG_NOSIGNAL);
    return 0;
}
