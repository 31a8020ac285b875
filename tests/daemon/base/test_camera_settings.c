/* daemon/base/camera_settings: options from a configuration; which sources end without being lost. */
#include "daemon/base/camera_settings.h"
#include "tests/suite.h"

#include <check.h>

START_TEST(from_the_configuration)
{
    const struct config_camera camera = {.user = (char *)"viewer", .password = (char *)"p@ss", .udp = true, .tls_verify = true,
                                         .tls_ca_file = (char *)"/ca.crt", .tls_host = (char *)"gate", .stall_timeout_s = 2.5};
    struct source_options options = camera_settings_source(&camera);
    ck_assert(options.udp);
    ck_assert_str_eq(options.user, "viewer");
    ck_assert_str_eq(options.password, "p@ss");
    ck_assert(!options.tls_unverified);
    ck_assert_str_eq(options.tls_ca_file, "/ca.crt");
    ck_assert_str_eq(options.tls_host, "gate");
    ck_assert(camera_settings_source(&(struct config_camera){.stall_timeout_s = 1}).tls_unverified);
    ck_assert_int_eq(options.stall_timeout_ms, 2500);
    ck_assert(options.width == 0 && options.fps == 0 && !options.stop && options.decoder_threads == 0);
}
END_TEST

/* Audio comes from the stream that clips are made of, where it is asked for. */
START_TEST(audio_of_one_stream)
{
    struct config_camera camera = {.source = (char *)"rtsp://h/sub"};
    ck_assert(!camera_settings_has_audio(&camera) && !camera_settings_source(&camera).audio);
    camera.evidence.audio = true;
    ck_assert(camera_settings_has_audio(&camera) && !camera_settings_source(&camera).audio);
    camera.evidence.source = (char *)"rtsp://h/main";
    ck_assert(!camera_settings_has_audio(&camera) && camera_settings_kept_source(&camera).audio);
    camera.evidence.audio = false;
    ck_assert(!camera_settings_kept_source(&camera).audio);
}
END_TEST

START_TEST(local_files)
{
    static const struct {
        const char *source;
        bool local;
    } cases[] = {{"clip.mkv", true}, {"/footage/%03d.jpg", true}, {"file:clip.mkv", true}, {"file:///footage/clip.mkv", true},
                 {"http://gate.example/clip.mp4", false}, {"rtsp://gate.example/live", false}, {"udp://127.0.0.1:5000", false}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct config_camera camera = {.source = (char *)cases[i].source};
        ck_assert_msg(camera_settings_is_local_file(&camera) == cases[i].local, "%s", cases[i].source);
    }
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("camera_settings");
    tcase_add_test(tcase, from_the_configuration);
    tcase_add_test(tcase, audio_of_one_stream);
    tcase_add_test(tcase, local_files);
    Suite *suite = suite_create("camera_settings");
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
