#include "daemon/measure/timeline.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io/base/new_file.h"

/* Points of the score; names on the axis; letters of all names that fit in one line. */
enum { PARTS = 4000, NAMES = 60, LETTERS = 120 };

extern char **environ;

static const char *terminal_of(const char *path)
{
    const char *dot = strrchr(path, '.');

    if (dot && strcmp(dot, ".svg") == 0)
        return "svg size 1600,480 noenhanced background '#ffffff' font 'sans,14'";
    if (dot && strcmp(dot, ".png") == 0)
        return "pngcairo size 1600,480 noenhanced background '#ffffff' font 'sans,11'";
    return NULL;
}

/* Runs gnuplot with these as its standard input and output. Returns 0; -EIO if it failed; or the errno of starting it. */
static int run_gnuplot(const char *argument, int in, int out, struct error *err)
{
    char *argv[] = {(char *)"gnuplot", (char *)"-d", (char *)argument, NULL};
    posix_spawn_file_actions_t actions;
    pid_t pid;
    int r, status;

    if (posix_spawn_file_actions_init(&actions) != 0)
        return error_set(err, -ENOMEM, "out of memory");
    r = posix_spawn_file_actions_adddup2(&actions, in, 0);
    if (r == 0)
        r = posix_spawn_file_actions_adddup2(&actions, out, 1);
    if (r == 0)
        r = posix_spawnp(&pid, "gnuplot", &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (r == ENOENT)
        return error_set(err, -ENOENT, "gnuplot is not installed; install it (Debian: gnuplot-nox)");
    if (r != 0)
        return error_set(err, -r, "cannot run gnuplot: %s", strerror(r));
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return error_set(err, -errno, "gnuplot: %s", strerror(errno));
    if (WIFSIGNALED(status))
        return error_set(err, -EIO, "gnuplot was ended by signal %d", WTERMSIG(status));
    return WEXITSTATUS(status) == 0 ? 0 : error_set(err, -EIO, "gnuplot failed with status %d", WEXITSTATUS(status));
}

int timeline_check(const char *path, struct error *err)
{
    if (!terminal_of(path))
        return error_set(err, -EINVAL, "%s: expected a name that ends in .svg or .png", path);
    int null, r = new_file_check(path, err);
    if (r < 0)
        return r;
    null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null < 0) {
        r = -errno;
        return error_set(err, r, "/dev/null: %s", strerror(-r));
    }
    r = run_gnuplot("--version", null, null, err);
    close(null);
    return r;
}

/* ---- the script --------------------------------------------------------------------------------------------------- */

/* Writes a gnuplot string in single quotes. The quote itself is doubled; nothing else is special. */
static void write_text(FILE *out, const char *text)
{
    putc('\'', out);
    for (; *text; text++) {
        if (*text == '\'')
            putc('\'', out);
        putc((unsigned char)*text < ' ' ? '?' : *text, out);
    }
    putc('\'', out);
}

static double seconds_of(const struct labelled_clip *c, size_t frame)
{
    return (double)(c->frames_us[frame] - c->frames_us[0]) * 1e-6;
}

/* Seconds that the clip lasts. The last frame is taken to last as long as the mean frame. */
static double length_of(const struct labelled_clip *c)
{
    return c->frames < 2 ? 1 : seconds_of(c, c->frames - 1) * (double)c->frames / (double)(c->frames - 1);
}

/* Shades labelled abnormal stretches, and draws a line at the start of each clip but the first. */
static void write_shades(FILE *out, const struct labelled_clip *clips, size_t n)
{
    double start = 0;

    for (size_t i = 0; i < n; start += length_of(&clips[i++])) {
        const struct labelled_clip *c = &clips[i];

        for (size_t k = 0, end; k < c->frames; k = end) {
            for (end = k + 1; end < c->frames && c->clip->labels[end] == c->clip->labels[k]; end++)
                ;
            if (c->clip->labels[k])
                fprintf(out, "set object rectangle from %.6g, graph 0 to %.6g, graph 1 behind fc rgb '#f6c9c4' "
                        "fs solid noborder\n", start + seconds_of(c, k),
                        start + (end < c->frames ? seconds_of(c, end) : length_of(c)));
        }
        if (i > 0)
            fprintf(out, "set arrow from %.6g, graph 0 to %.6g, graph 1 nohead back lc rgb '#b0b0b0'\n", start, start);
    }
}

static void write_names(FILE *out, const struct labelled_clip *clips, size_t n)
{
    size_t step = (n + NAMES - 1) / NAMES;
    size_t letters = 0;
    double start = 0;

    for (size_t i = 0; i < n; i += step)
        letters += strlen(clips[i].clip->name) + 2;
    fprintf(out, "set xtics %s (", letters > LETTERS ? "scale 0 rotate by 90 right" : "scale 0");
    for (size_t i = 0; i < n; start += length_of(&clips[i++])) {
        if (i % step != 0)
            continue;
        fputs(i > 0 ? ", " : "", out);
        write_text(out, clips[i].clip->name);
        fprintf(out, " %.6g", start + length_of(&clips[i]) / 2);
    }
    fputs(")\n", out);
}

/* Writes time and score, one point for `step` windows. The line is broken where the footage is. */
static void write_scores(FILE *out, const struct labelled_clip *clips, size_t n, size_t windows)
{
    size_t step = (windows + PARTS - 1) / PARTS;
    double start = 0;

    fputs("$scores << END\n", out);
    for (size_t i = 0; i < n; start += length_of(&clips[i++])) {
        const struct labelled_clip *c = &clips[i];

        for (size_t k = 0, end; k < c->n; k = end) {
            float peak = c->scores[k];

            for (end = k + 1; end < c->n && end < k + step && !c->break_before[end]; end++)
                peak = fmaxf(peak, c->scores[end]);
            if (c->break_before[k])
                putc('\n', out);
            if (isfinite(peak))
                fprintf(out, "%.9g %.9g\n", start + seconds_of(c, c->centres[k]), (double)peak);
        }
        putc('\n', out);
    }
    fputs("END\n", out);
}

static int write_script(FILE *out, const char *path, const struct labelled_clip *clips, size_t n, const float *threshold,
                        struct error *err)
{
    size_t windows = 0, shown = 0;
    double total = 0;

    for (size_t i = 0; i < n; i++) {
        windows += clips[i].n;
        total += length_of(&clips[i]);
        for (size_t k = 0; k < clips[i].n; k++)
            shown += isfinite(clips[i].scores[k]);
    }
    if (shown == 0)
        return error_set(err, -EDOM, "no window has a score to draw");
    fprintf(out, "set encoding utf8\nset terminal %s\n", terminal_of(path));
    fprintf(out, "set key outside top right horizontal\nset border 3\nset ytics nomirror\nset style fill solid noborder\n");
    fprintf(out, "set xrange [0:%.9g]\n", total);
    fprintf(out, "set xlabel 'clip after clip, %.4g s in all'\nset ylabel 'score'\n", total);
    write_names(out, clips, n);
    write_shades(out, clips, n);
    write_scores(out, clips, n, windows);
    fputs("plot keyentry with boxes lc rgb '#f6c9c4' title 'labelled abnormal'", out);
    if (threshold && isfinite(*threshold))
        fprintf(out, ", %.9g with lines dashtype 2 lw 1.5 lc rgb '#444444' title 'alert threshold'", (double)*threshold);
    fputs(", $scores using 1:2 with lines lw 1.5 lc rgb '#1f5fa8' title 'score'\n", out);
    return 0;
}

int timeline_plot(const char *path, const struct labelled_clip *clips, size_t n, const float *threshold, struct error *err)
{
    struct new_file file;
    FILE *script = tmpfile();
    int r;

    if (!script) {
        r = -errno;
        return error_set(err, r, "cannot make a temporary file: %s", strerror(-r));
    }
    r = write_script(script, path, clips, n, threshold, err);
    if (r < 0)
        goto end;
    if (fflush(script) != 0 || ferror(script)) {
        r = error_set(err, -EIO, "cannot write a temporary file");
        goto end;
    }
    rewind(script);
    if ((r = new_file_open(&file, path, false, err)) < 0)
        goto end;
    r = run_gnuplot("-", fileno(script), file.fd, err);
    if (r == 0)
        r = new_file_commit(&file, err);
    else
        new_file_abandon(&file);
end:
    fclose(script);
    return r;
}
