"""The two pictures that tools/demo makes of the daemon's answers: the score curves as SVG, and the frame at an alert's peak
with the alert's boxes as PNG. Standard library and FFmpeg alone.
"""
import html
import math
import subprocess

# The drawing has a white card of its own, so it reads the same on a dark page. tools/demo_page.py replaces these colours there.
CARD, INK, GRID, CURVE, THRESHOLD, SPAN, TRUTH = "#ffffff", "#1f2933", "#e3e7ec", "#0b62a8", "#b3261e", "#f6c7c1", "#6b7785"
WIDTH, LEFT, RIGHT, TOP, PANEL, GAP, BOTTOM = 880, 66, 18, 32, 160, 58, 48
FONT = 'font-family="DejaVu Sans, Helvetica, Arial, sans-serif"'


def ticks(low, high, about):
    """Round numbers from low to high, about so many."""
    rough = (high - low) / about
    power = 10 ** math.floor(math.log10(rough))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= rough)
    return [step * i for i in range(math.ceil(low / step), math.floor(high / step) + 1)]


def text(x, y, words, anchor="start", colour=INK, size=13, more=""):
    return (f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}" font-size="{size}" {FONT}{more}>'
            f'{html.escape(words)}</text>')


def curves(cameras, threshold, width=WIDTH):
    """Returns an SVG: one panel a camera, one above the other, on the same scales.

    cameras: a list of {"title", "scores", "alerts", "truth"}. scores and alerts are as REST gives them. truth is a list of
    (start, end) in seconds of the clip where the demo pasted something into it.
    """
    values = [s["score"] for c in cameras for s in c["scores"]] + [threshold]
    low, high = math.floor(min(values)) - 1.2, math.ceil(max(values)) + 1.5
    end = max(s["pts_s"] for c in cameras for s in c["scores"])
    height = TOP + len(cameras) * PANEL + (len(cameras) - 1) * GAP + BOTTOM

    def x(seconds):
        return LEFT + max(0.0, min(end, seconds)) / end * (width - LEFT - RIGHT)

    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
           ' role="img">',
           '<title>Scores of two cameras over time, with the threshold and the alerts</title>',
           f'<rect width="{width}" height="{height}" rx="6" fill="{CARD}"/>']
    for i, camera in enumerate(cameras):
        top = TOP + i * (PANEL + GAP)
        bottom = top + PANEL

        def y(score, bottom=bottom):
            return bottom - (score - low) / (high - low) * PANEL

        out.append(text(LEFT, top - 9, camera["title"], size=14, more=' font-weight="bold"'))
        for n, alert in enumerate(camera["alerts"]):
            start = x(alert["pts_s"])
            stop = x(alert["closed_pts_s"]) if alert["closed"] else x(end)
            out.append(f'<rect x="{start:.1f}" y="{top}" width="{stop - start:.1f}" height="{PANEL}" fill="{SPAN}"/>')
            out.append(text(stop + 6, top + 18, f"alert {n + 1}", colour=THRESHOLD))
        for tick in ticks(low, high, 5):
            out.append(f'<path d="M{LEFT} {y(tick):.1f}H{width - RIGHT}" stroke="{GRID}"/>')
            out.append(text(LEFT - 8, y(tick) + 4.5, f"{tick:g}".replace("-", "\u2212"), "end"))
        for tick in ticks(0, end, width // 110):
            out.append(f'<path d="M{x(tick):.1f} {bottom}v5" stroke="{INK}"/>')
            out.append(text(x(tick), bottom + 19, f"{tick:g}", "middle"))
        for start, stop in camera["truth"]:
            out.append(f'<rect x="{x(start):.1f}" y="{bottom - 7}" width="{x(stop) - x(start):.1f}" height="7"'
                       f' fill="{TRUTH}"/>')
        if camera["truth"]:
            out.append(text(x(camera["truth"][-1][1]) + 6, bottom - 4, "pasted rectangle", colour=TRUTH, size=12))
        out.append(f'<path d="M{LEFT} {y(threshold):.1f}H{width - RIGHT}" stroke="{THRESHOLD}" stroke-width="1.5"'
                   ' stroke-dasharray="7 5"/>')
        out.append(text(width - RIGHT, y(threshold) - 6, f"threshold {threshold:.1f}".replace("-", "\u2212"), "end", THRESHOLD))
        points = " ".join(f"{x(s['pts_s']):.1f},{y(s['score']):.1f}" for s in camera["scores"])
        out.append(f'<polyline points="{points}" fill="none" stroke="{CURVE}" stroke-width="2" stroke-linejoin="round"/>')
        out.append(f'<path d="M{LEFT} {top}V{bottom}H{width - RIGHT}" fill="none" stroke="{INK}"/>')
        out.append(text(0, 0, "score", "middle", more=f' transform="translate(18 {(top + bottom) / 2:.1f}) rotate(-90)"'))
    out.append(text(LEFT + (width - LEFT - RIGHT) / 2, height - 8, "seconds of the clip", "middle"))
    return "\n".join([*out, "</svg>", ""])


def write_frame(path, clip, seconds, boxes):
    """The frame of the clip that is shown at so many seconds, with the boxes of REST drawn. Returns the command's status."""
    steps = [f"select=gte(t\\,{seconds - 0.001:.3f})"]
    steps += [f"drawbox=x=iw*{b['x']}:y=ih*{b['y']}:w=iw*{b['width']}:h=ih*{b['height']}:color=red:thickness=4" for b in boxes]
    return subprocess.run(["ffmpeg", "-nostdin", "-loglevel", "error", "-y", "-i", clip, "-vf", ",".join(steps),
                           "-frames:v", "1", path], stdin=subprocess.DEVNULL, check=False).returncode
