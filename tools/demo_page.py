"""The page that tools/demo ends with: a summary, the frame at the alert's peak, the score curves, the alerts, and the commands
that come next. It is one file, which has no scripts and loads nothing.
"""
import base64
import html
import os
import sys

import demo_pictures

NARROW = 440                    # width of the curves on a narrow screen
WINDOW_S = 1.6                  # a window of 16 frames at 10 a second: an alert may open so long after the rectangle has gone
DARK = {demo_pictures.CARD: "#1b2127", demo_pictures.INK: "#dfe5ea", demo_pictures.GRID: "#333d46",
        demo_pictures.CURVE: "#6cb2f0", demo_pictures.THRESHOLD: "#ff8a80", demo_pictures.SPAN: "#5c2b2b",
        demo_pictures.TRUTH: "#9aa7b4"}
STYLE = """
:root { color-scheme: light dark; --page: #f3f5f7; --card: #fff; --ink: #1f2933; --soft: #55616d; --line: #d5dbe1;
  --mark: #fff3d6; --edge: #c98a00; --link: #0b62a8 }
@media (prefers-color-scheme: dark) { :root { --page: #12161a; --card: #1b2127; --ink: #dfe5ea; --soft: #9aa7b4; --line: #333d46;
  --mark: #33290f; --edge: #d9a520; --link: #6cb2f0 } }
* { box-sizing: border-box }
body { margin: 0 auto; max-width: 60rem; padding: 1.5rem 1rem 3rem; background: var(--page); color: var(--ink);
  font: 1rem/1.5 system-ui, "DejaVu Sans", Helvetica, Arial, sans-serif }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 .5rem }
h2 { font-size: 1.15rem; margin: 2rem 0 .5rem }
p { margin: .5rem 0 }
a { color: var(--link) }
.note { border-left: 4px solid var(--edge); background: var(--mark); border-radius: 6px; padding: .6rem 1rem; margin: 1rem 0 }
figure { margin: 1rem 0; background: var(--card); border: 1px solid var(--line); border-radius: 6px; overflow: hidden }
figure img, figure svg { display: block; width: 100%; height: auto }
figure img { max-width: 48rem; margin: auto }
figcaption { color: var(--soft); font-size: .9rem; padding: .6rem 1rem; border-top: 1px solid var(--line) }
table { border-collapse: collapse; width: 100%; background: var(--card); font-size: .95rem }
th, td { text-align: left; vertical-align: top; padding: .4rem .6rem; border: 1px solid var(--line) }
pre { background: var(--card); border: 1px solid var(--line); border-radius: 6px; padding: .7rem 1rem; margin: .5rem 0;
  overflow-x: auto; font: .9rem/1.6 "DejaVu Sans Mono", Menlo, monospace }
.narrow { display: none }
@media (max-width: 640px) { .wide { display: none } .narrow { display: block }
  h1 { font-size: 1.35rem } th, td { padding: .35rem .4rem; font-size: .85rem } }
"""


def number(score):
    return f"{score:.2f}".replace("-", "\u2212")


def cause(camera, alert):
    """Returns what was in the clip when an alert opened."""
    pasted = any(start <= alert["pts_s"] <= end + WINDOW_S for start, end in camera["truth"])
    return "the pasted rectangle" if pasted else "the real footage"


def alert_row(camera, alert):
    opened, closed = alert["pts_s"], alert["closed_pts_s"]
    cells = (f"{alert['id']} on {alert['camera']}", f"{opened:.1f} to {closed:.1f}" if closed else f"{opened:.1f} to the end",
             f"{number(alert['peak_score'])} at {alert['peak_pts_s']:.1f} s", cause(camera, alert))
    return "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in cells) + "</tr>"


def page(cameras, threshold, frame, told):
    """Returns the page as text.

    cameras   as demo_pictures.curves() takes them, the first without and the second with the pasted rectangle
    frame     {"png": bytes, "camera", "alert", "seconds", "score"} of the highest alert, or None
    told      {"summary", "anomaly", "before", "commands", "rest"}: text, but commands is a list of lines, and rest the address
              of a REST interface that still runs, or None
    """
    esc = html.escape
    dark = "".join(f'svg [fill="{a}"] {{ fill: {b} }} svg [stroke="{a}"] {{ stroke: {b} }}\n' for a, b in DARK.items())
    out = ['<!DOCTYPE html>', '<html lang="en"><head><meta charset="utf-8"/>',
           '<meta name="viewport" content="width=device-width, initial-scale=1"/><title>memaed: what the demo saw</title>',
           f'<style>{STYLE}@media (prefers-color-scheme: dark) {{\n{dark}}}</style></head><body>',
           '<h1>memaed: what the demo saw</h1>', f'<p>{esc(told["summary"])}</p>',
           f'<p class="note"><strong>This was no real event.</strong> {esc(told["anomaly"])}</p>']
    if frame:
        name = f"Frame of {frame['camera']} at {frame['seconds']:.1f} s, the peak of alert {frame['alert']}"
        out.append(f'<figure><img alt="{esc(name)}" src="data:image/png;base64,{base64.b64encode(frame["png"]).decode()}"/>'
                   f'<figcaption>{esc(name)}, with a score of {number(frame["score"])}. The red boxes surround what '
                   f'moved in the {WINDOW_S} s before.</figcaption></figure>')
    out.append('<h2>Scores</h2><figure>')
    for kind, width in (("wide", demo_pictures.WIDTH), ("narrow", NARROW)):
        out.append(f'<div class="{kind}">{demo_pictures.curves(cameras, threshold, width)}</div>')
    out.append('<figcaption>A score is the logarithm of the hours in which normal footage comes to it once, so scores below 0 '
               'are usual. An alert opens when several windows reach the threshold, the dashed line. Red: an alert is open.'
               '</figcaption></figure><h2>Alerts</h2>')
    rows = [alert_row(camera, alert) for camera in cameras for alert in camera["alerts"]]
    out.append('<table><thead><tr><th>Alert</th><th>Seconds of the clip</th><th>Highest score</th>'
               f'<th>In the clip then</th></tr></thead><tbody>{"".join(rows)}</tbody></table>'
               if rows else '<p>No alert opened.</p>')
    out.append('<p>So large and fast a thing is easy to detect. docs/figures.md has what memaed detects at other cameras.</p>')
    if told["rest"]:
        out.append('<h2>The REST interface</h2><p>It answers until you end the demo:</p><ul>')
        out += [f'<li><a href="{esc(told["rest"] + path)}">{esc(path)}</a></li>'
                for path in ("/api/v1/cameras", "/api/v1/alerts", "/api/v1/cameras/street-strange/scores?limit=3", "/metrics")]
        out.append('</ul>')
    out.append(f'<h2>Next, your own camera</h2><p>{esc(told["before"])}</p><pre>{esc(chr(10).join(told["commands"]))}</pre>')
    return "\n".join([*out, '</body></html>', ''])


def write(folder, cameras, threshold, clip, told):
    """Writes scores.svg, index.html, and alert.png where the second camera alerted: from its clip. Returns the page."""
    frame, picture = None, os.path.join(folder, "alert.png")
    if cameras[1]["alerts"]:
        highest = max(cameras[1]["alerts"], key=lambda a: a["peak_score"])
        seconds = highest["peak_pts_s"]
        if demo_pictures.write_frame(picture, clip, seconds, highest["boxes"]):
            sys.exit(f"demo: ffmpeg could not write {picture}")
        with open(picture, "rb") as f:
            frame = {"png": f.read(), "camera": highest["camera"], "alert": highest["id"], "seconds": seconds,
                     "score": highest["peak_score"]}
    text = page(cameras, threshold, frame, told)
    for name, content in (("scores.svg", demo_pictures.curves(cameras, threshold)), ("index.html", text)):
        with open(os.path.join(folder, name), "w", encoding="utf-8") as f:
            f.write(content)
    return text


def next_steps(folder, memaed, fps, port):
    """Writes mine.yml, a configuration to copy. Returns what to do before the next commands, and these commands."""
    path = os.path.join(folder, "mine.yml")
    with open(path, "w", encoding="utf-8") as f:
        f.write(f"""# A start for a camera of your own. Copy this file before you change it: the demo writes it anew each time.
# etc/memaed.yml explains every key.
http: {{listen: "127.0.0.1:{port}"}}
state_dir: state                # where alerts and scores are kept
cameras:
  mine:
    # The address of the camera, or a recording such as YOUR.mp4. The password comes from the environment:
    #   export CAMERA_PASSWORD=secret
    source: rtsp://viewer:${{CAMERA_PASSWORD}}@your-camera.example/stream1
    # Without a recording, memaed can record the camera for a day and learn from that:
    #   {memaed} learn --config mine.yml --camera mine --hours 24
    model: mine.safetensors
""")
    before = (f"Copy {os.path.relpath(path)} to mine.yml and write the address of your camera into it. Record some hours of what"
              " is normal there as YOUR.mp4, or read in mine.yml how memaed records. Then:")
    return before, [f"{memaed} learn --input YOUR.mp4 --fps {fps} --time-limit 30 --output mine.safetensors",
                    f"{memaed} check --config mine.yml", f"{memaed} run --config mine.yml"]
