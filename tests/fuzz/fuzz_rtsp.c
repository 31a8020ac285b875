/* libFuzzer target: source_open() and source_read() against a hostile RTSP camera.
 *
 * The first byte of the input chooses the options of the source (the bits SIGN_IN and so on). The rest is the script of the
 * camera: pieces, with "%%%" and a line end between them. The camera sends a piece when it has read a request, or when the client
 * has waited for WAIT_US with nothing to read. After the last one the camera hangs up, or falls silent (SILENT).
 *
 *   =C and bytes    the bytes are sent interleaved in the RTSP connection, on channel C - '0', with their right length. If they
 *                   lack RTP's marker bit, and the next piece begins with '=' too, it is sent at once.
 *   ! and bytes     options.stop is set, and the bytes are sent
 *   bytes           they are sent as they are, but "%L" becomes the number of bytes behind the first empty line
 *
 * The camera is a socket on loopback, whatever address the client connects to. The client's own thread serves the camera when the
 * client would wait: poll(), connect(), getaddrinfo() and clock_gettime() are those of this file. The clock moves by the time
 * that the client would wait. So nothing sleeps, and an input always gives the same run.
 *
 * Checked: each call ends within its time limit. Times of pictures rise. A failure has a text of one line. No text and no request
 * holds the password. No sign-in goes to another host, and no request to this machine. FFmpeg is not instrumented, so its log
 * lines and its requests count as coverage. */
#include <arpa/inet.h>
#include <errno.h>
#include <libavutil/log.h>
#include <math.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sanitizer/lsan_interface.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "io/base/clock.h"
#include "io/video/source.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed);
size_t LLVMFuzzerCustomCrossOver(const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size, uint8_t *out, size_t max,
                                 unsigned seed);

enum { SIGN_IN = 1, SIGN_IN_URL = 2, SILENT = 4, PICKED = 8, PEEK = 16 };
enum { WIDTH = 32, HEIGHT = 24, PICTURES = 40, WAIT_US = 20000, STALL_MS = 200, SLACK_MS = 200, CLOSE_MS = 300, PICK_MS = 400,
       MAX_SCRIPT = 65536, MAX_PIECES = 256, COUNTERS = 4096 };

/* Bytes that no text may hold: of the password, and of "us:" and the password in base64. */
static const char secret[] = "S3CR3TxQ9", secret_base64[] = "UzNDUjNUeFE5";
static const char mark[] = "%%%\n", camera_address[] = "192.0.2.7", other_address[] = "198.51.100.1";

static struct {
    int listener, fd;           /* fd: the connection; -1: there is none */
    struct sockaddr_in place;   /* the listener's address */
    bool on;                    /* a run is under way */
    int64_t now_us;             /* the clock */
    const uint8_t *at, *end;    /* the rest of the script */
    bool silent, signs_in, over;
    bool foreign, local;        /* the client connected to another host, or to this machine */
    char in[16384];             /* bytes of the client that the camera has not read */
    size_t n_in;
    atomic_bool stop;
    int64_t stop_us;            /* when stop was set */
} camera;

__attribute__((section("__libfuzzer_extra_counters"))) static uint8_t counters[COUNTERS];

/* FFmpeg 5.1 leaks the body of an answer 401, and the side data of some RTP packets that it drops. No stack tells who called its
 * allocators, so leaks of its own objects are not looked for here. */
const char *__lsan_default_suppressions(void)
{
    return "leak:libavutil\nleak:libavcodec\n";
}

static void check(int holds)
{
    if (!holds)
        abort();
}

/* Counts the first letters of a text as coverage, up to a quotation. */
static void count(const char *text, size_t size)
{
    uint32_t hash = 2166136261;
    for (size_t i = 0, n = 0; i < size && n < 24 && !strchr("'\"%", text[i]); i++)
        if (((unsigned char)text[i] | 32) >= 'a' && ((unsigned char)text[i] | 32) <= 'z') {
            hash = (hash ^ (uint8_t)text[i]) * 16777619;
            n++;
        }
    uint8_t *counter = &counters[hash % COUNTERS];
    *counter = (uint8_t)(*counter + (*counter < 255));
}

static void check_secret(const char *text)
{
    check(!strstr(text, secret) && !strstr(text, secret_base64));
}

static void hear(int priority, const char *name, const char *text)
{
    (void)priority;
    check(name == NULL && *text && !strpbrk(text, "\r\n"));
    check_secret(text);
    const char *begin = *text == '[' ? strstr(text, "] ") : NULL;
    begin = begin ? begin : text;
    count(begin, strlen(begin));
}

/* ---- scripts ------------------------------------------------------------------------------------------------------- */

struct piece {
    const uint8_t *data;
    size_t size;
};

/* Takes the first piece off a script that is not at its end. */
static struct piece first_piece(const uint8_t **at, const uint8_t *end)
{
    const uint8_t *begin = *at, *found = memmem(begin, (size_t)(end - begin), mark, sizeof mark - 1);
    *at = found ? found + sizeof mark - 1 : end;
    return (struct piece){begin, (size_t)((found ? found : end) - begin)};
}

/* The pieces of a whole input, the first MAX_PIECES. Returns their number. */
static unsigned split(struct piece *pieces, const uint8_t *data, size_t size)
{
    unsigned n = 0;
    for (const uint8_t *at = data + 1; n < MAX_PIECES && at < data + size; n++)
        pieces[n] = first_piece(&at, data + size);
    return n;
}

/* Makes an input of as many pieces as have room. Returns its size. */
static size_t join(uint8_t *out, size_t max, uint8_t flags, const struct piece *pieces, unsigned n)
{
    size_t size = 1;
    out[0] = flags;
    for (unsigned i = 0; i < n && size + pieces[i].size + sizeof mark <= max; i++) {
        memcpy(out + size, pieces[i].data, pieces[i].size);
        size += pieces[i].size;
        if (i + 1 < n) {
            memcpy(out + size, mark, sizeof mark - 1);
            size += sizeof mark - 1;
        }
    }
    return size;
}

/* Mutates all bytes or one piece, or swaps, doubles or removes a piece. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed)
{
    static uint8_t copy[MAX_SCRIPT], changed[MAX_SCRIPT];
    static struct piece pieces[2 * MAX_PIECES];
    unsigned n = size > 1 && size <= MAX_SCRIPT ? split(pieces, data, size) : 0;
    if (n == 0 || seed % 3 == 0 || max > MAX_SCRIPT || size >= max)
        return LLVMFuzzerMutate(data, size, max);
    memcpy(copy, data, size);
    n = split(pieces, copy, size);
    unsigned one = seed / 16 % n, other = seed / 4096 % n;
    struct piece moved = pieces[other];
    size_t room = max - size + pieces[one].size;
    switch (seed / 3 % 5) {
    case 0:                     /* two pieces swap places */
        pieces[other] = pieces[one];
        pieces[one] = moved;
        break;
    case 1:                     /* a piece is there twice */
        memmove(pieces + one + 1, pieces + one, (n - one) * sizeof *pieces);
        pieces[one] = moved;
        n++;
        break;
    case 2:                     /* a piece is removed */
        n--;
        memmove(pieces + one, pieces + one + 1, (n - one) * sizeof *pieces);
        break;
    default:
        memcpy(changed, pieces[one].data, pieces[one].size);
        pieces[one] = (struct piece){changed, LLVMFuzzerMutate(changed, pieces[one].size, room)};
    }
    return join(data, max, copy[0], pieces, n);
}

/* Joins the beginning of one script and the end of another. */
size_t LLVMFuzzerCustomCrossOver(const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size, uint8_t *out, size_t max,
                                 unsigned seed)
{
    static struct piece pieces[2 * MAX_PIECES];
    if (a_size < 2 || b_size < 2)
        return 0;
    unsigned n = split(pieces, a, a_size), kept = seed % (n + 1);
    n = split(pieces + kept, b, b_size);
    unsigned left = seed / 512 % (n + 1);
    memmove(pieces + kept, pieces + kept + left, (n - left) * sizeof *pieces);
    return join(out, max, a[0], pieces, kept + n - left);
}

/* ---- the camera ---------------------------------------------------------------------------------------------------- */

static void send_bytes(const void *data, size_t size)
{
    if (size > 0)
        (void)send(camera.fd, data, size, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void send_text(const uint8_t *data, size_t size)
{
    const uint8_t *body = memmem(data, size, "\r\n\r\n", 4), *length = memmem(data, size, "%L", 2);
    char number[24];
    if (!body || !length) {
        send_bytes(data, size);
        return;
    }
    send_bytes(data, (size_t)(length - data));
    send_bytes(number, (size_t)snprintf(number, sizeof number, "%zu", (size_t)(data + size - body) - 4));
    send_bytes(length + 2, (size_t)(data + size - length) - 2);
}

static void send_packet(const uint8_t *data, size_t size)
{
    uint8_t head[4] = {'$', (uint8_t)(data[1] - '0'), (uint8_t)((size - 2) >> 8), (uint8_t)(size - 2)};
    send_bytes(head, sizeof head);
    send_bytes(data + 2, size - 2);
}

static void send_piece(void)
{
    if (camera.at == camera.end) {
        if (!camera.silent && !camera.over)
            shutdown(camera.fd, SHUT_WR);
        camera.over = true;
        return;
    }
    bool more = true;
    while (more && camera.at < camera.end) {
        struct piece piece = first_piece(&camera.at, camera.end);
        more = false;
        if (piece.size >= 2 && *piece.data == '=') {
            send_packet(piece.data, piece.size);
            more = !(piece.size > 3 && piece.data[3] & 0x80) && camera.at < camera.end && *camera.at == '=';
        } else if (piece.size > 0 && *piece.data == '!') {
            if (!atomic_exchange(&camera.stop, true))
                camera.stop_us = camera.now_us;
            send_text(piece.data + 1, piece.size - 1);
        } else {
            send_text(piece.data, piece.size);
        }
    }
}

static void check_request(const char *text, size_t size)
{
    bool signed_in = memmem(text, size, "\r\nAuthorization: ", 17);
    check(!memmem(text, size, secret, sizeof secret - 1));
    check(!signed_in || (camera.signs_in && !camera.foreign));
    check(!camera.local && !(camera.foreign && camera.signs_in));
    count(text, strcspn(text, " "));
    if (signed_in)
        count("Authorization", 13);
}

/* Takes n bytes off what the client has sent. */
static void take(size_t n)
{
    camera.n_in -= n;
    memmove(camera.in, camera.in + n, camera.n_in + 1);
}

/* Answers a request. false: the client has sent none. */
static bool answer(void)
{
    ssize_t n = recv(camera.fd, camera.in + camera.n_in, sizeof camera.in - 1 - camera.n_in, MSG_DONTWAIT);
    camera.n_in += n > 0 ? (size_t)n : 0;
    camera.in[camera.n_in] = 0;
    while (camera.n_in >= 4 && camera.in[0] == '$') {
        size_t size = 4 + ((size_t)(uint8_t)camera.in[2] << 8 | (uint8_t)camera.in[3]);
        if (camera.n_in < size)
            return false;
        take(size);
    }
    const char *end = camera.in[0] == '$' ? NULL : strstr(camera.in, "\r\n\r\n");
    if (!end)
        return false;
    size_t size = (size_t)(end - camera.in) + 4;
    check_request(camera.in, size);
    take(size);
    send_piece();
    return true;
}

static void hang_up(void)
{
    if (camera.fd >= 0)
        close(camera.fd);
    camera.fd = -1;
    camera.n_in = 0;
}

/* ---- what FFmpeg calls --------------------------------------------------------------------------------------------- */

int poll(struct pollfd *fds, nfds_t n, int timeout)
{
    int64_t limit_us = camera.now_us + 1000 * (int64_t)timeout;
    for (;;) {
        int r = (int)syscall(SYS_poll, fds, n, camera.on ? 0 : timeout);
        if (r != 0 || !camera.on || timeout == 0)
            return r;
        if (camera.fd >= 0 && answer())
            continue;
        int64_t left_us = limit_us - camera.now_us;
        if (timeout > 0 && left_us <= 0)
            return 0;
        camera.now_us += timeout < 0 || left_us > WAIT_US ? WAIT_US : left_us;
        if (camera.fd >= 0)
            send_piece();
    }
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
    if (!camera.on || clock != CLOCK_MONOTONIC)
        return (int)syscall(SYS_clock_gettime, clock, now);
    camera.now_us++;            /* time also passes for a wait without poll() */
    *now = (struct timespec){camera.now_us / 1000000, camera.now_us % 1000000 * 1000};
    return 0;
}

/* Every name resolves to one other host. */
int getaddrinfo(const char *restrict host, const char *restrict port, const struct addrinfo *restrict hints,
                struct addrinfo **restrict ret)
{
    static const struct sockaddr_in none = {.sin_family = AF_INET};
    struct addrinfo *info = calloc(1, sizeof *info + sizeof(struct sockaddr_in6));
    struct sockaddr *address = (struct sockaddr *)(info + 1);
    struct sockaddr_in v4 = none;
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    check(info != NULL);
    v4.sin_port = v6.sin6_port = htons((uint16_t)(port ? atoi(port) : 0));
    bool six = host && inet_pton(AF_INET6, host, &v6.sin6_addr) == 1;
    if (!host)
        v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    else if (!inet_aton(host, &v4.sin_addr))
        inet_pton(AF_INET, other_address, &v4.sin_addr);
    info->ai_family = six ? AF_INET6 : AF_INET;
    info->ai_socktype = hints && hints->ai_socktype ? hints->ai_socktype : SOCK_STREAM;
    info->ai_protocol = info->ai_socktype == SOCK_STREAM ? IPPROTO_TCP : IPPROTO_UDP;
    info->ai_addrlen = six ? sizeof v6 : sizeof v4;
    info->ai_addr = address;
    memcpy(address, six ? (const void *)&v6 : &v4, info->ai_addrlen);
    *ret = info;
    return 0;
}

void freeaddrinfo(struct addrinfo *info)
{
    free(info);
}

static void judge(const struct sockaddr *address)
{
    struct in_addr own;
    struct in6_addr six = IN6ADDR_ANY_INIT;
    inet_pton(AF_INET, camera_address, &own);
    uint32_t to = INADDR_NONE;
    if (address->sa_family == AF_INET) {
        struct sockaddr_in v4;
        memcpy(&v4, address, sizeof v4);
        to = ntohl(v4.sin_addr.s_addr);
    } else {
        struct sockaddr_in6 v6;
        memcpy(&v6, address, sizeof v6);
        six = v6.sin6_addr;
        if (IN6_IS_ADDR_V4MAPPED(&six) || IN6_IS_ADDR_LOOPBACK(&six) || IN6_IS_ADDR_UNSPECIFIED(&six))
            to = IN6_IS_ADDR_V4MAPPED(&six) ? ntohl(six.s6_addr32[3]) : INADDR_LOOPBACK;
    }
    camera.foreign = to != ntohl(own.s_addr);
    camera.local = to >> 24 == 127 || to == 0;
}

/* Connects to the camera, whatever the address is. */
int connect(int fd, const struct sockaddr *address, socklen_t size)
{
    int type = 0;
    socklen_t n = sizeof type;
    if (!camera.on)
        return (int)syscall(SYS_connect, fd, address, size);
    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &n) < 0 || type != SOCK_STREAM) {
        errno = ECONNREFUSED;
        return -1;
    }
    hang_up();
    judge(address);
    struct sockaddr_in6 mapped = {.sin6_family = AF_INET6, .sin6_port = camera.place.sin_port,
                                  .sin6_addr = {{{[10] = 0xff, 0xff, 127, 0, 0, 1}}}};
    bool six = address->sa_family == AF_INET6;
    int r = (int)syscall(SYS_connect, fd, six ? (void *)&mapped : &camera.place, six ? sizeof mapped : sizeof camera.place);
    if (r < 0 && errno != EINPROGRESS)
        return r;
    camera.fd = accept(camera.listener, NULL, NULL);
    check(camera.fd >= 0);
    setsockopt(camera.fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    setsockopt(camera.fd, SOL_SOCKET, SO_SNDBUF, &(int){1 << 18}, sizeof(int));
    camera.over = false;
    return 0;
}

/* ---- the client ---------------------------------------------------------------------------------------------------- */

/* Checks that a call that began at since_us has taken no longer than limit_ms. */
static void check_time(int64_t since_us, int limit_ms)
{
    check(camera.now_us - since_us <= 1000 * (int64_t)(limit_ms + SLACK_MS));
    int64_t stopped_us = camera.stop_us > since_us ? camera.stop_us : since_us;
    check(!atomic_load(&camera.stop) || camera.now_us - stopped_us <= 1000 * SLACK_MS);
}

static void check_stats(const struct source *source, bool pictures)
{
    struct source_stats stats;
    source_stats(source, &stats);
    check(stats.live && !stats.images && stats.frames_corrupt <= stats.frames_decoded);
    check(isfinite(stats.fps_in) && stats.fps_in >= 0);
    check(strnlen(stats.codec, sizeof stats.codec) < sizeof stats.codec);
    check(!pictures || (stats.width > 0 && stats.height > 0 && stats.frames_decoded > 0));
}

static void check_failure(int r, const struct error *err)
{
    check(r < 0 && r > -4096 && *err->text && !strpbrk(err->text, "\r\n"));
    check_secret(err->text);
    count(err->text, strlen(err->text));
}

static void read_pictures(struct source *source)
{
    uint8_t *pixels = malloc(WIDTH * HEIGHT);
    int64_t last_us = -1;
    check(pixels != NULL);
    for (int i = 0; i < PICTURES; i++) {
        struct error err = {0}, again = {0};
        struct source_frame frame = {.pts_us = -1};
        int64_t since_us = camera.now_us;
        int r = source_read(source, pixels, &frame, &err);
        check_time(since_us, STALL_MS * ((i ? 1 : SOURCE_PICTURE_STALLS) + 1) + PICK_MS);
        check_stats(source, r == 1);
        if (r != 1) {
            check(frame.pts_us == -1 && source_read(source, pixels, &frame, &again) == r);
            if (r < 0)
                check_failure(r, &err);
            check(strcmp(err.text, again.text) == 0);
            break;
        }
        check(last_us < 0 ? frame.pts_us == 0 && !frame.gap : frame.pts_us > last_us);
        check(frame.gap == (frame.cause != SOURCE_UNBROKEN) && frame.cause <= SOURCE_BREAK_CORRUPT);
        check(frame.arrival_us > 0 && frame.arrival_us <= camera.now_us);
        last_us = frame.pts_us;
        count("pppppppppppppppppppppppp", 1 + (size_t)frame.cause);
    }
    free(pixels);
}

static void play(unsigned flags)
{
    struct source_options options = {.fps = flags & PICKED ? 5 : 0, .stall_timeout_ms = STALL_MS, .stop = &camera.stop,
                                     .decoder_threads = 1};
    const char *url = "rtsp://192.0.2.7/x";
    struct source *source = NULL;
    struct error err = {0};
    int width = 0, height = 0;
    if (flags & SIGN_IN) {
        options.user = "us";
        options.password = "S3CR3TxQ9/@:%";
    } else if (flags & SIGN_IN_URL) {
        url = "rtsp://us:S3CR3TxQ9%2F%40@192.0.2.7/x";
    }
    if (!(flags & PEEK)) {
        options.width = WIDTH;
        options.height = HEIGHT;
    }
    int64_t since_us = camera.now_us;
    int r = source_open(&source, url, &options, &err);
    check_time(since_us, STALL_MS + CLOSE_MS);
    if (r < 0) {
        check(source == NULL);
        check_failure(r, &err);
        return;
    }
    check(r == 0);
    if (flags & PEEK && source_peek(source, &width, &height, &err) == 1) {
        check(width > 0 && height > 0);
        check(source_resize(source, WIDTH, HEIGHT, &err) == 0);
    } else if (flags & PEEK) {
        check(source_resize(source, WIDTH, HEIGHT, &err) == 0);
    }
    read_pictures(source);
    since_us = camera.now_us;
    source_close(source);
    check_time(since_us, CLOSE_MS);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    socklen_t size = sizeof camera.place;
    camera.fd = -1;
    camera.place = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    camera.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    check(camera.listener >= 0 && bind(camera.listener, (struct sockaddr *)&camera.place, size) == 0 &&
          listen(camera.listener, 8) == 0 && getsockname(camera.listener, (struct sockaddr *)&camera.place, &size) == 0);
    av_log_set_level(AV_LOG_VERBOSE);
    source_set_log(hear);
    source_warm_up();
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* libFuzzer may find the secret, and put it at any place. */
    if (size < 1 || size > MAX_SCRIPT || memmem(data, size, secret, 4) || memmem(data, size, secret_base64, 4))
        return 0;
    camera.at = data + 1;
    camera.end = data + size;
    camera.now_us = 1000000;
    camera.silent = data[0] & SILENT;
    camera.signs_in = data[0] & (SIGN_IN | SIGN_IN_URL);
    atomic_store(&camera.stop, false);
    camera.stop_us = 0;
    camera.on = true;
    play(data[0]);
    hang_up();
    camera.on = false;
    return 0;
}
