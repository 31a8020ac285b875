"""The kinds of events. Each function returns an Event in a scene, or None if it finds no place there."""
import numpy as np

from compositing.pictures import blur, fill, put, sample
from compositing.scene import Event
from compositing.things import outline, patch, thing


def dress(scene, rng, sprites):
    """Returns the sprites of a person. Some get light clothes, because persons that are cut out are mostly dark."""
    if rng.random() > (0.5 if scene.night else 0.15):
        return sprites
    middle = np.percentile(sprites[0][0], 75)
    return [np.concatenate((middle + np.minimum(0.45 * (middle - s[:1]), 50), s[1:])) for s in sprites]


def shadow_strength(scene):
    return 0.12 if scene.night else 0.3         # the infrared lamp stands beside the lens and throws little shadow


# ---- what stands still ----------------------------------------------------------------------------------------------

def place_thing(scene, things, rng, propose):
    """Returns the best event of random things. propose(cut, bottom): the event of a thing with its foot at that height."""
    sources = [scene.background, *things.backgrounds()]

    def propose_any():
        cut = thing(rng, sources)
        return None if cut is None else propose(cut, scene.shape[0] * rng.uniform(0.4, 0.98))
    return scene.place(propose_any)


def left(scene, things, rng):
    def propose(cut, bottom):
        width = scene.shape[1]
        w = scene.length(rng, scene.camera.things, bottom)
        h = np.clip(w * rng.uniform(0.7, 1.4), *scene.camera.things)
        x = rng.uniform(1, width - w - 1)
        colours, alpha = put(scene.adapt(*cut, x + w / 2, bottom - h / 2), (x, bottom - h, w, h), scene.shape)
        return scene.still(colours, alpha, scene.foot_shadow(alpha, shadow_strength(scene)))
    return place_thing(scene, things, rng, propose)


def taken(scene, things, rng):
    del things

    def propose():
        height, width = scene.shape
        w, h = rng.uniform(*scene.camera.things, 2)
        x, y = rng.uniform(2, width - w - 2), rng.uniform(0.08 * height, height - h - 2)
        shape = np.stack([np.zeros((48, 48))] * 3 + [outline(rng)])
        alpha = np.clip(1.2 * put(shape, (x, y, w, h), scene.shape)[1], 0, 1)
        return scene.still(fill(scene.background, alpha > 0.05), alpha)
    return scene.place(propose)


def stay(scene, things, rng, pose):
    """Returns the event of a person who stays and moves a little. pose(sprite, length): the sprite, its width, height."""
    def propose():
        person = things.persons()[rng.integers(len(things.persons()))]
        sprite = dress(scene, rng, [person.sprites[rng.integers(len(person.sprites))]])[0]
        if rng.random() < 0.5:
            sprite = sprite[:, :, ::-1]
        height, width = scene.shape
        bottom = height * rng.uniform(0.6, 1.0)
        sprite, w, h = pose(sprite, scene.length(rng, scene.camera.person, bottom))
        x = rng.uniform(1, width - w - 1)
        box = np.array((x, bottom - h, w, h))
        sprite = scene.adapt(sprite, person.looks, x + w / 2, bottom - h / 2)
        colours, alpha = put(sprite, box, scene.shape)
        if (alpha >= 0.5).sum() < 0.2 * w * h:
            return None
        event = scene.still(colours, alpha)
        leans = rng.uniform(-0.03, 0.03, (64, 2)) * (w, 0.3 * w)
        ring, shadow = scene.around(alpha > 0.1), scene.foot_shadow(alpha, shadow_strength(scene))

        def draw(t, i, picture, shown):
            at, part = divmod(t / scene.camera.fps / 5, 1)      # every 5 seconds the person changes posture, within a second
            now, then = leans[int(at) % 64], leans[int(at + 1) % 64]
            lean = now + (then - now) * np.clip(5 * part - 4, 0, 1)
            colours, alpha = put(sprite, box + (*lean, 0, 0), scene.shape)
            return scene.blend(i, scene.shade(picture, shadow * shown), colours, alpha * shown, ring), alpha >= 0.5
        return event._replace(draw=draw)
    return scene.place(propose)


def person_stands(scene, things, rng):
    def upright(sprite, length):
        return sprite, length * sprite.shape[2] / sprite.shape[1], length
    return stay(scene, things, rng, upright)


def person_lies(scene, things, rng):
    def lying(sprite, length):
        thickness = 0.85 * length * sprite.shape[2] / sprite.shape[1]   # the camera looks down at an angle
        return np.rot90(sprite, rng.choice((1, 3)), (1, 2)), length, thickness
    return stay(scene, things, rng, lying)


def door(scene, things, rng):
    """A part of the picture opens like a door. Its leaf turns away, and behind it is a darker or lighter place."""
    def propose():
        height, width = scene.shape
        w = rng.uniform(0.7, 1.0) * scene.camera.things[1]
        h = w * rng.uniform(1.4, 2.0)
        x, y = rng.uniform(2, width - w - 2), rng.uniform(0.06 * height, max(0.07 * height, height - h - 2))
        inside = patch(rng, things.backgrounds()).copy()
        luma = blur(inside[0], 4)
        goal = scene.limits[0] + 12 if rng.random() < 0.6 else scene.limits[1] - 25
        inside[0] = np.clip(goal + 0.4 * (luma - luma.mean()), *scene.limits)
        inside[1:3] = 128 + (inside[1:3] - 128) * min(1, scene.looks[2] / 10)
        hole, alpha = put(np.concatenate((inside, np.ones_like(inside[:1]))), (x, y, w, h), scene.shape)
        swing, far, mirrored = rng.uniform(1.0, 1.35), rng.uniform(-0.15, 0.25), rng.random() < 0.5
        grid_y, grid_x = np.mgrid[:height, :width] + 0.5

        def leaf(opened):
            """Returns the colours and the alpha of the leaf."""
            turn = swing * opened
            u = (x + w - grid_x if mirrored else grid_x - x) / (w * np.cos(turn))
            k = 1 + far * np.sin(turn)                      # the size of the far edge
            v = (grid_y - y - h / 2) / (h * (1 + (k - 1) * np.clip(u, 0, 1)))
            inner = np.minimum(np.minimum(u, 1 - u) * w * np.cos(turn), (0.5 - np.abs(v)) * h)
            deep = np.clip(u, 0, 1) * k / (1 + (k - 1) * np.clip(u, 0, 1))      # perspective along the leaf
            colours = sample(scene.background, x + w * (1 - deep if mirrored else deep), y + h / 2 + np.clip(v, -0.5, 0.5) * h)
            colours[0] *= 1 - 0.3 * np.sin(turn)
            return colours, np.clip(inner + 0.5, 0, 1)

        def view(opened):
            colours, cover = leaf(opened)
            seen = alpha * (1 - cover)                      # the part of the hole that the leaf does not cover
            return (seen * hole + cover * colours) / np.maximum(seen + cover, 1e-3), seen + cover
        colours, area = view(1.0)
        event = scene.still(colours, area)
        ring = scene.around(area > 0.1)

        def draw(t, i, picture, shown):
            del t
            colours, cover = view(shown)
            return scene.blend(i, picture, colours, cover * min(1, 5 * shown), ring), cover >= 0.5
        return event._replace(draw=draw, fade_s=rng.uniform(0.6, 3.0, 2))
    return scene.place(propose)


# ---- what moves -----------------------------------------------------------------------------------------------------

def move(scene, sprite_at, start, end, frames):
    """Returns the event of a sprite that moves from the box start to the box end. sprite_at(t): the adapted sprite."""
    start, end = np.array(start, float), np.array(end, float)
    everywhere = np.ones(scene.shape, bool)
    lights = [np.sqrt(scene.light_at(b[0] + b[2] / 2, b[1] + b[3] / 2) + 8) for b in (start, end, (start + end) / 2)]

    def view(t):
        box = start + (end - start) * (t / max(1, frames - 1))
        colours, alpha = put(sprite_at(t), box, scene.shape)
        colours[0] *= np.sqrt(scene.light_at(box[0] + box[2] / 2, box[1] + box[3] / 2) + 8) / lights[2]
        return colours, alpha

    def draw(t, i, picture, shown):
        colours, alpha = view(t)
        picture = scene.shade(picture, scene.foot_shadow(alpha, shadow_strength(scene) * shown))
        return scene.blend(i, picture, colours, alpha * shown, everywhere), alpha >= 0.5
    area, contrasts = np.zeros(scene.shape, bool), []
    for t in np.linspace(0, frames - 1, 9).astype(int):
        colours, alpha = view(t)
        area |= alpha >= 0.5
        if (alpha >= 0.5).any():
            contrasts.append(scene.contrast(colours, alpha))
    return Event(draw, area, float(np.mean(contrasts or [0])), length=frames)


def person_walks(scene, things, rng):
    walkers = [p for p in things.persons() if abs(p.way) > 0.3]

    def propose():
        person = walkers[rng.integers(len(walkers))]
        height, width = scene.shape
        bottoms = np.clip(height * rng.uniform(0.6, 1.0) + height * np.array((0, rng.uniform(-0.15, 0.15))), 0, 1.05 * height)
        first = scene.length(rng, scene.camera.person, bottoms[0])
        lengths = first * (1 + (bottoms - bottoms[0]) / height)
        widths = lengths * person.sprites[0].shape[2] / person.sprites[0].shape[1]
        xs = rng.uniform(-0.1, 1.0, 2) * width - widths.mean() / 2
        if abs(xs[1] - xs[0]) < 0.3 * width:
            return None
        sprites = [s[:, :, ::-1] if (xs[1] > xs[0]) != (person.way > 0) else s for s in dress(scene, rng, person.sprites)]
        middle = np.clip(xs.mean(), 0, width), bottoms.mean() - first / 2
        sprites = [scene.adapt(s, person.looks, *middle) for s in sprites]
        speed = rng.uniform(0.4, 0.8) * first           # in lengths a second
        frames = int(abs(xs[1] - xs[0]) / speed * scene.camera.fps)
        boxes = np.stack((xs, bottoms - lengths, widths, lengths), 1)
        return move(scene, lambda t: sprites[int(t * person.fps / scene.camera.fps) % len(sprites)], *boxes, frames)
    return scene.place(propose)


def dolly(scene, things, rng):
    """A thing moves across the whole picture, very slowly."""
    def propose(cut, bottom):
        width = scene.shape[1]
        w, h = rng.uniform(*scene.camera.things, 2)
        ends = [(-w, bottom - h, w, h), (width, bottom - h, w, h)]
        sprite = scene.adapt(*cut, width / 2, bottom - h / 2)
        seconds = min(rng.uniform(20, 60), scene.camera.event_s)
        return move(scene, lambda t: sprite, *(ends if rng.random() < 0.5 else ends[::-1]), int(seconds * scene.camera.fps))
    return place_thing(scene, things, rng, propose)


# ---- what is normal -------------------------------------------------------------------------------------------------

def normal(scene, change, fade_s):
    """Returns a negative, a change that must not alert. change(t, picture, shown): returns the changed picture."""
    def draw(t, i, picture, shown):
        del i
        return change(t, picture, shown * shown * (3 - 2 * shown)), np.zeros(scene.shape, bool)
    return Event(draw, np.zeros(scene.shape, bool), 0.0, fade_s=fade_s, negative=True)


def lit(picture, gain, gamma=1.0):
    """Returns the picture with more light or less. Where it gets brighter, the highest luma is compressed, not clipped."""
    luma = 255 * (np.clip(picture[0], 0, 255) / 255) ** gamma * gain
    knee = np.clip(picture[0], 220, 254)
    luma = np.where(luma > knee, knee + (255 - knee) * (1 - np.exp(-np.maximum(luma - knee, 0) / (255 - knee))), luma)
    colour = np.clip((luma + 8) / (picture[0] + 8), 0.3, 1.3)
    return np.concatenate((luma[None], 128 + (picture[1:] - 128) * colour))


def light(scene, things, rng):
    """A lamp goes on or off; it lights the whole picture or a part."""
    del things
    y, x = np.mgrid[:scene.shape[0], :scene.shape[1]] / scene.shape[1]
    on, share, bent = rng.random() < 0.5, rng.uniform(0.1, 0.4), rng.uniform(0, 0.1)
    strength, gamma = (share, 1 - bent) if on else (-share, 1 + bent)
    centre, wide = rng.uniform((0, 0), (1, 0.5)), rng.uniform(0.15, 0.5)
    where = np.exp(-((x - centre[0]) ** 2 + (y - centre[1]) ** 2) / (2 * wide ** 2))
    if rng.random() < 0.5:
        where = np.ones(scene.shape)
    warm = 0.0 if scene.night else 8 * strength

    def change(t, picture, shown):
        del t
        result = lit(picture, 1 + strength * where * shown, 1 + (gamma - 1) * where * shown)
        result[1] -= warm * where * shown
        result[2] += warm * where * shown
        return result
    return normal(scene, change, rng.uniform(1, 10, 2))


def sunpatch(scene, things, rng):
    """The sun shines through a window: a bright patch with soft edges appears, creeps and flickers."""
    del things
    height, width = scene.shape
    y, x = np.mgrid[:height, :width] + 0.5
    w, h = rng.uniform(0.12, 0.3) * width, rng.uniform(0.12, 0.3) * height
    at, skew = rng.uniform((0.1, 0.3), (0.9, 0.9)) * (width, height), rng.uniform(-0.8, 0.8)
    creep = rng.uniform((-0.06, -0.03), (0.06, 0.03)) * width / 60 / scene.camera.fps       # pixels a frame
    strength, bar, phase = rng.uniform(0.25, 0.8), rng.random() < 0.5, rng.uniform(0, 6)
    soft = 0.012 * width

    def change(t, picture, shown):
        v = y - at[1] - creep[1] * t
        u = x - at[0] - creep[0] * t - skew * v
        inner = np.minimum(w / 2 - np.abs(u), h / 2 - np.abs(v))
        if bar:
            inner = np.minimum(inner, np.abs(u) - 0.04 * w)
        bright = 1 / (1 + np.exp(-inner / soft))
        flicker = 0.85 + 0.15 * np.sin(phase + t / scene.camera.fps / 7)
        return lit(picture, 1 + strength * shown * flicker * bright)
    return normal(scene, change, rng.uniform(5, 20, 2))


def cloud(scene, things, rng):
    """A cloud takes a part of the daylight, slowly."""
    del things
    strength, phase, period = rng.uniform(0.08, 0.3), rng.uniform(0, 6), rng.uniform(20, 60)

    def change(t, picture, shown):
        wave = 0.85 + 0.15 * np.sin(phase + 6.28 * t / scene.camera.fps / period)
        return lit(picture, 1 - strength * wave * shown, 1 + 0.1 * shown)
    return normal(scene, change, rng.uniform(10, 30, 2))


def noise(scene, things, rng):
    """The sensor's noise grows, as at a higher gain."""
    del things
    sigma, coarse = rng.uniform(2, 6), rng.random() < 0.5

    def change(t, picture, shown):
        del t
        grain = rng.normal(0, 1, scene.shape)
        return np.concatenate(((picture[0] + sigma * shown * (1.7 * blur(grain, 1) if coarse else grain))[None], picture[1:]))
    return normal(scene, change, rng.uniform(1, 2, 2))


KINDS = {k.__name__: k for k in (left, taken, person_stands, person_lies, door, person_walks, dolly,
                                 light, sunpatch, cloud, noise)}
BY_DAY = {"sunpatch", "cloud"}
