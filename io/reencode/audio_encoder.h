/* AAC by FFmpeg, which browsers play in MP4, from audio of another codec: packets in, packets out. Mono and stereo stay so; of
 * more channels stereo is made. The sample rate stays if AAC has it, else it becomes 48000.
 *
 * Time stamps go along. Where the input's stamps differ by more than a tenth of a second from the end of what came before, the
 * stamps count. Smaller differences are jitter, and leave no hole. Without any stamp the output has none.
 *
 * Decoders read what a camera sent, so this belongs into a process with least rights. One thread owns an encoder. Never logs. */
#ifndef MEMAED_IO_REENCODE_AUDIO_ENCODER_H
#define MEMAED_IO_REENCODE_AUDIO_ENCODER_H

#include "core/error.h"
#include "io/video/packets/packet.h"

struct audio_encoder;

/* For packets of this stream. 0; -ENOSYS: this FFmpeg lacks the decoder or AAC; -EINVAL: the decoder refuses the stream;
 * -ENOMEM; with the cause in err. */
int audio_encoder_open(struct audio_encoder **ret, const struct packet_stream *stream, struct error *err);
void audio_encoder_close(struct audio_encoder *encoder);        /* takes NULL */

/* The stream of its packets. The encoder's. */
struct packet_stream *audio_encoder_stream(struct audio_encoder *encoder);

/* Encodes the audio of a packet. NULL: there is no further packet. 0; -EINVAL: the packet cannot be decoded, and is left out;
 * -ENOMEM. audio_encoder_take() has to have returned 0 before. */
int audio_encoder_add(struct audio_encoder *encoder, const struct packet *packet);
/* The next packet into *ret, which is the caller's. 1; 0: none before the next audio_encoder_add(); -ENOMEM; -EINVAL: encoding
 * failed, and nothing more comes. */
int audio_encoder_take(struct audio_encoder *encoder, struct packet **ret);

#endif
