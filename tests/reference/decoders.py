#!/usr/bin/env python3
"""What each layout's tensors mean, written down a second time in NumPy, without the plugin's code.

Makes small random tensors a layout and the detections in them, and writes both as JSON into
plugins/core/tests/goldens, where the test `detector_goldens` reads them. Needs numpy:

    python3 tests/reference/decoders.py
"""

import json
import pathlib

import numpy as np

OUT = pathlib.Path(__file__).parents[2] / "plugins/core/tests/goldens"
SIDE = 64
FRAME = (128, 72)
STRIDES = (8, 16, 32)
LIMITS = {"confidence": 0.4, "iou": 0.5, "max_detections": 50}


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def softmax(x):
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def letterbox(top_left):
    """Offset and size of the frame in the input."""
    ratio = min(SIDE / FRAME[0], SIDE / FRAME[1])
    w, h = round(FRAME[0] * ratio), round(FRAME[1] * ratio)
    return (0, 0, w, h) if top_left else ((SIDE - w) // 2, (SIDE - h) // 2, w, h)


STRETCH = (0, 0, SIDE, SIDE)


def to_frame(corners, place):
    """Corners in pixels of the input as fractions of the frame, clamped."""
    x, y, w, h = place
    out = (corners - np.array([x, y, x, y])) / np.array([w, h, w, h])
    return np.clip(out, 0, 1)


def centre_to_corners(b):
    return np.stack(
        [b[:, 0] - b[:, 2] / 2, b[:, 1] - b[:, 3] / 2, b[:, 0] + b[:, 2] / 2, b[:, 1] + b[:, 3] / 2],
        axis=1,
    )


def iou(a, b):
    w = min(a[2], b[2]) - max(a[0], b[0])
    h = min(a[3], b[3]) - max(a[1], b[1])
    both = max(w, 0) * max(h, 0)
    area = lambda c: (c[2] - c[0]) * (c[3] - c[1])
    return both / (area(a) + area(b) - both)


def select(corners, scores, best_only, nms="per-class"):
    """corners [N,4] in the frame, scores [N,C] -> detections."""
    found = []
    for n in range(len(corners)):
        for c in range(scores.shape[1]):
            if best_only and c != int(scores[n].argmax()):
                continue
            x0, y0, x1, y1 = corners[n]
            if scores[n, c] >= LIMITS["confidence"] and (x1 - x0) * (y1 - y0) > 0:
                found.append((float(scores[n, c]), c, corners[n]))
    found.sort(key=lambda d: -d[0])
    kept = []
    for d in found:
        rival = lambda k: nms != "none" and (nms == "agnostic" or k[1] == d[1])
        if all(not (rival(k) and iou(k[2], d[2]) > LIMITS["iou"]) for k in kept):
            kept.append(d)
    return kept[: LIMITS["max_detections"]]


def cells(strides, offset):
    points = []
    for s in strides:
        n = -(-SIDE // s)
        for y in range(n):
            for x in range(n):
                points.append((x + offset, y + offset, s))
    return np.array(points, dtype=np.float64)


def some_scores(rng, n, c, hot=12):
    """Mostly nothing, a few boxes with something."""
    scores = rng.uniform(0, 0.2, (n, c))
    for i in rng.choice(n, min(hot, n), replace=False):
        scores[i, rng.integers(c)] = rng.uniform(0.3, 0.99)
    return scores


def some_boxes(rng, n):
    """Centre, size in fractions of the input, many of them on top of each other."""
    centres = rng.choice([0.3, 0.5, 0.7], (n, 2)) + rng.uniform(-0.04, 0.04, (n, 2))
    return np.concatenate([centres, rng.uniform(0.2, 0.4, (n, 2))], axis=1)


def to_logits(p):
    return np.log(p / (1 - p))


def f32(x):
    """As the file and a model hold it."""
    return np.round(np.asarray(x, dtype=np.float64), 4).astype(np.float32).astype(np.float64)


CASES = {}


def case(build):
    CASES[build.__name__.replace("_", "-")] = build
    return build


@case
def ssd(rng):
    b, s = some_boxes(rng, 60), f32(some_scores(rng, 60, 4))
    c = f32(np.clip(centre_to_corners(b), -0.2, 1.2))
    outputs = [("boxes", c[:, [1, 0, 3, 2]][None]), ("scores", s[None])]
    return outputs, {}, None, select(to_frame(c * SIDE, STRETCH), s, False)


@case
def tensorflow(rng):
    b = f32(centre_to_corners(some_boxes(rng, 20)))
    s = f32(np.sort(rng.uniform(0.1, 0.9, 20))[::-1])
    labels = rng.integers(1, 5, 20)
    outputs = [
        ("detection_boxes:0", b[:, [1, 0, 3, 2]][None]),
        ("detection_classes:0", labels[None].astype(float)),
        ("detection_scores:0", s[None]),
        ("num_detections:0", np.array([9.0])),
    ]
    scores = np.zeros((9, 4))
    scores[np.arange(9), labels[:9] - 1] = s[:9]
    return outputs, {}, None, select(to_frame(b[:9] * SIDE, STRETCH), scores, True, "none")


@case
def rt_detr(rng):
    b = f32(centre_to_corners(some_boxes(rng, 30)) * SIDE)
    s, labels = f32(rng.uniform(0, 0.9, 30)), rng.integers(0, 80, 30)
    outputs = [("labels", labels[None].astype(float)), ("boxes", b[None]), ("scores", s[None])]
    scores = np.zeros((30, 80))
    scores[np.arange(30), labels] = s
    return outputs, {}, None, select(to_frame(b, STRETCH), scores, True, "none")


@case
def rf_detr(rng):
    b = f32(some_boxes(rng, 30))
    raw = f32(to_logits(some_scores(rng, 30, 91) + 1e-4))
    found = select(to_frame(centre_to_corners(b) * SIDE, STRETCH), sigmoid(raw), False, "none")
    return [("dets", b[None]), ("labels", raw[None])], {}, None, found


@case
def detr_softmax(rng):
    b = f32(some_boxes(rng, 30))
    raw = rng.normal(0, 1, (30, 92))
    raw[:, 91] += 8
    for i in range(0, 30, 3):
        raw[i, rng.integers(91)] += 9
    raw = f32(raw)
    p = softmax(raw)[:, :91]
    found = select(to_frame(centre_to_corners(b) * SIDE, STRETCH), p, True, "none")
    return [("logits", raw[None]), ("pred_boxes", b[None])], {}, None, found


@case
def yolox(rng):
    grid = cells(STRIDES, 0)
    n = len(grid)
    rows = np.concatenate(
        [
            rng.uniform(-0.5, 1.5, (n, 2)),
            rng.uniform(0, 1.5, (n, 2)),
            some_scores(rng, n, 1, 40),
            some_scores(rng, n, 3, n),
        ],
        axis=1,
    )
    rows = f32(rows)
    b = np.concatenate(
        [(rows[:, :2] + grid[:, :2]) * grid[:, 2:], np.exp(rows[:, 2:4]) * grid[:, 2:]], axis=1
    )
    scores = rows[:, 4:5] * rows[:, 5:]
    found = select(to_frame(centre_to_corners(b), letterbox(True)), scores, True)
    return [("output", rows[None])], {"names": "{0: 'a', 1: 'b', 2: 'c'}"}, None, found


@case
def yolov5(rng):
    n = 3 * len(cells(STRIDES, 0))
    rows = np.concatenate(
        [some_boxes(rng, n) * SIDE, some_scores(rng, n, 1, 60), some_scores(rng, n, 3, n)], axis=1
    )
    rows = f32(rows)
    b = centre_to_corners(rows[:, :4])
    found = select(to_frame(b, letterbox(False)), rows[:, 4:5] * rows[:, 5:], True)
    return [("output0", rows[None])], {}, None, found


@case
def yolov8(rng):
    n = 100
    rows = f32(np.concatenate([some_boxes(rng, n) * SIDE, some_scores(rng, n, 3, 40)], axis=1))
    b = centre_to_corners(rows[:, :4])
    found = select(to_frame(b, letterbox(False)), rows[:, 4:], True)
    return [("output0", rows.T[None])], {"names": "{0: 'a', 1: 'b', 2: 'c'}"}, None, found


@case
def yolov8_agnostic_logits(rng):
    n = 100
    p = some_scores(rng, n, 3, 40) * 0.98 + 0.01
    rows = f32(np.concatenate([some_boxes(rng, n) * SIDE, to_logits(p)], axis=1))
    b = centre_to_corners(rows[:, :4])
    config = {"layout": "yolov8", "activation": "sigmoid", "suppression": "agnostic"}
    found = select(to_frame(b, letterbox(False)), sigmoid(rows[:, 4:]), True, "agnostic")
    return [("output0", rows.T[None])], {}, config, found


@case
def end_to_end(rng):
    b = f32(centre_to_corners(some_boxes(rng, 30)) * SIDE)
    s, labels = f32(rng.uniform(0, 0.9, 30)), rng.integers(0, 80, 30)
    rows = np.concatenate([b, s[:, None], labels[:, None].astype(float)], axis=1)
    scores = np.zeros((30, 80))
    scores[np.arange(30), labels] = s
    found = select(to_frame(b, letterbox(False)), scores, True, "none")
    return [("output0", rows[None])], {}, None, found


def distances(rng, strides, offset, bins):
    grid = cells(strides, offset)
    n = len(grid)
    scores = f32(some_scores(rng, n, 3, 30))
    sides = f32(rng.normal(0, 2, (n, 4 * bins)))
    d = (softmax(sides.reshape(n, 4, bins)) * np.arange(bins)).sum(-1) * grid[:, 2:]
    x, y = grid[:, 0] * grid[:, 2], grid[:, 1] * grid[:, 2]
    b = np.stack([x - d[:, 0], y - d[:, 1], x + d[:, 2], y + d[:, 3]], axis=1)
    return scores, sides, select(to_frame(b, STRETCH), scores, False)


@case
def nanodet_plus(rng):
    scores, sides, found = distances(rng, (8, 16, 32, 64), 0, 8)
    rows = np.concatenate([scores, sides], axis=1)
    return [("output", rows[None])], {"names": "['a', 'b', 'c']"}, None, found


@case
def nanodet_levels(rng):
    scores, sides, found = distances(rng, STRIDES, 0.5, 8)
    outputs, start = [], 0
    for s in STRIDES:
        n = (SIDE // s) ** 2
        outputs.append((f"cls_pred_stride_{s}", scores[start : start + n][None]))
        outputs.append((f"dis_pred_stride_{s}", sides[start : start + n][None]))
        start += n
    return outputs, {}, None, found


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    for number, (name, build) in enumerate(CASES.items()):
        outputs, metadata, config, found = build(np.random.default_rng(number))
        assert 3 <= len(found) < LIMITS["max_detections"], (name, len(found))
        golden = {
            "input": [1, 3, SIDE, SIDE],
            "metadata": metadata,
            "config": config,
            "frame": FRAME,
            "limits": LIMITS,
            "outputs": [
                {
                    "name": n,
                    "shape": list(np.shape(v)),
                    "values": [round(float(x), 4) for x in np.ravel(v)],
                }
                for n, v in outputs
            ],
            "detections": [
                {"class": int(c), "score": round(s, 6), "corners": [round(float(x), 6) for x in b]}
                for s, c, b in found
            ],
        }
        text = json.dumps(golden, separators=(",", ":"))
        (OUT / f"{name}.json").write_text(text + "\n")
        print(f"{name}: {len(found)} detections, {len(text)} bytes")


main()
