/* The formats and codecs that cameras and footage use. FFmpeg knows some 350 formats and as many codecs; each is a parser that
 * a camera, or a file, could feed with anything. All others are refused by name. FFmpeg applies the lists inside
 * avformat_find_stream_info(), too, and to formats within a format, such as the segments of HLS.
 *
 * HLS is allowed, because recorders serve it. Its segments are MPEG-TS, MP4 or another format of the list, and are not encrypted:
 * the protocol "crypto" is on no list of source_protocols(). Audio is never decoded, so no decoder of audio is allowed; it may be
 * kept as it was coded. Any thread. */
#ifndef MEMAED_IO_VIDEO_INPUT_ALLOWED_H
#define MEMAED_IO_VIDEO_INPUT_ALLOWED_H

#include <stdbool.h>

/* FFmpeg's AVFormatContext.format_whitelist. files: for a path of this machine, which may be the pattern of an image sequence. */
const char *allowed_formats(bool files);
/* FFmpeg's AVFormatContext.codec_whitelist: names of decoders. */
const char *allowed_decoders(void);

/* codec: an AVCodecID. false: FFmpeg's decoder for it is not on the list; or it has none. */
bool allowed_codec(int codec);

/* codec: an AVCodecID. true: audio of it is kept where that is asked for. */
bool allowed_audio(int codec);

#endif
