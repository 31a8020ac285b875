#include "io/video/input/allowed.h"

#include <libavcodec/avcodec.h>
#include <libavutil/avstring.h>

/* Names of FFmpeg's demuxers. */
#define STREAMS "rtsp,rtp,sdp,flv,live_flv,mpegts,mpeg,mpjpeg,hls,"
#define RAW "h264,hevc,av1,obu,m4v,mpegvideo,h263,mjpeg,mjpeg_2000,dv,yuv4mpegpipe,"
#define FILES "mov,matroska,avi,asf,asf_o,ogg,ivf,nut,mxf,dhav,"
#define PICTURES                                                                                                              \
    "jpeg_pipe,png_pipe,bmp_pipe,tiff_pipe,webp_pipe,gif_pipe,gif,apng,j2k_pipe,jpegls_pipe,pbm_pipe,pgm_pipe,ppm_pipe,"      \
    "pam_pipe,pgmyuv_pipe,pfm_pipe,sgi_pipe,sunrast_pipe,dpx_pipe,exr_pipe"

const char *allowed_formats(bool files)
{
    return files ? STREAMS RAW FILES PICTURES ",image2" : STREAMS RAW FILES PICTURES;
}

const char *allowed_decoders(void)
{
    return "h264,hevc,libdav1d,libaom-av1,av1,vp8,vp9,libvpx,libvpx-vp9,"
           "mpeg1video,mpeg2video,mpegvideo,mpeg4,h263,h263p,flv,msmpeg4v1,msmpeg4v2,msmpeg4,wmv1,wmv2,wmv3,vc1,theora,"
           "mjpeg,mjpegb,jpegls,jpeg2000,libopenjpeg,dvvideo,prores,dnxhd,"
           "rawvideo,ffv1,huffyuv,ffvhuff,utvideo,magicyuv,lagarith,v210,cinepak,indeo3,indeo4,indeo5,msvideo1,svq1,svq3,"
           "png,apng,bmp,tiff,webp,gif,pbm,pgm,ppm,pam,pgmyuv,pfm,sgi,sunrast,targa,dpx,exr";
}

bool allowed_codec(int codec)
{
    const AVCodec *decoder = avcodec_find_decoder((enum AVCodecID)codec);
    return decoder && av_match_list(decoder->name, allowed_decoders(), ',') > 0;
}

bool allowed_audio(int codec)
{
    static const enum AVCodecID codecs[] = {
        AV_CODEC_ID_AAC, AV_CODEC_ID_MP2, AV_CODEC_ID_MP3, AV_CODEC_ID_AC3, AV_CODEC_ID_OPUS, AV_CODEC_ID_PCM_ALAW,
        AV_CODEC_ID_PCM_MULAW, AV_CODEC_ID_PCM_S16LE, AV_CODEC_ID_PCM_S16BE, AV_CODEC_ID_ADPCM_G722, AV_CODEC_ID_ADPCM_G726,
    };
    for (size_t i = 0; i < sizeof codecs / sizeof *codecs; i++)
        if (codec == (int)codecs[i])
            return true;
    return false;
}
