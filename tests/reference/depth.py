#!/usr/bin/env python3
"""What OpenCV's semi-global matching makes of a pair of photographs, beside our own.

Takes the Middlebury motorcycle pair with its true disparities from scikit-image, writes it as plain
bytes into a folder, from which a long test reads it, and prints how OpenCV's matcher does in the same
words as that test. For another long test it writes the pair as a stereo camera would have seen it: both
eyes in colour and side by side, the camera's calibration, and the true depth of each pixel.
Needs the packages of xtask/assets/depth.txt; no picture is kept in the repository. `cargo xtask soak` does
all of it.

    python3 tests/reference/depth.py pair
    EVR_TEST_STEREO_PAIR=$PWD/pair cargo test --release -p evr-zed --test depth -- --ignored --nocapture soak_
"""

import importlib.util
import pathlib
import sys
import time

import cv2
import numpy as np

# Only its pictures are wanted, not what importing it would take.
DATA = pathlib.Path(importlib.util.find_spec("skimage").origin).parent / "data"
DISPARITIES = 80
ROUNDS = 9

# The pair's calibration, as scikit-image states it: pixels, and millimetres between the eyes. What is
# infinitely far stands SHIFT pixels further right in the right eye.
FOCAL, CX, CY, SHIFT = 994.978, 311.193, 254.877, 31.086
BASELINE = 193.001
# What ZED cameras call SVGA, the smallest picture of theirs that the pair fits into as it is.
WIDTH, HEIGHT = 960, 600
GREY = 128


def figures(disparity, truth):
    """As the long test counts: over all pixels whose disparity is known to the truth."""
    there = np.isfinite(truth) & (truth > 0)
    known = there & (disparity > 0)
    error = np.abs(disparity - truth)[known]
    return (
        f"{100 * known.sum() / there.sum():.1f} % known, "
        f"{100 * np.mean(error > 2):.2f} % of them off by more than 2 pixels, "
        f"{100 * np.mean(error > 1):.2f} % by more than 1, median {np.median(error):.3f}"
    )


def recording(folder, truth):
    """The pair in the middle of a camera's picture: both.bgr, camera.conf, depth.f32 in metres."""
    height, width = truth.shape
    left, top = (WIDTH - width) // 2, (HEIGHT - height) // 2
    margins = (top, HEIGHT - height - top, left, WIDTH - width - left, cv2.BORDER_CONSTANT)
    eyes = [cv2.imread(str(DATA / f"motorcycle_{eye}.png")) for eye in ("left", "right")]
    both = np.hstack([cv2.copyMakeBorder(eye, *margins, value=[GREY] * 3) for eye in eyes])
    (folder / "both.bgr").write_bytes(both.tobytes())
    depth = np.where(np.isfinite(truth), FOCAL * BASELINE / (truth + SHIFT) / 1000, np.nan)
    depth = cv2.copyMakeBorder(depth, *margins, value=np.nan).astype("<f4")
    (folder / "depth.f32").write_bytes(depth.tobytes())
    lenses = (
        f"[{eye}_CAM_SVGA]\nfx={FOCAL}\nfy={FOCAL}\ncx={CX + left + shift:.3f}\ncy={CY + top:.3f}\n"
        for eye, shift in (("LEFT", 0), ("RIGHT", SHIFT))
    )
    stereo = f"[STEREO]\nBaseline={BASELINE}\n"
    (folder / "camera.conf").write_text("".join(lenses) + stereo)


def main(folder):
    folder.mkdir(parents=True, exist_ok=True)
    eyes = [cv2.imread(str(DATA / f"motorcycle_{eye}.png"), 0) for eye in ("left", "right")]
    truth = np.load(DATA / "motorcycle_disp.npz")["arr_0"].astype("<f4")
    for name, pixels in zip(("left.gray", "right.gray", "truth.f32"), (*eyes, truth)):
        (folder / name).write_bytes(pixels.tobytes())
    recording(folder, truth)
    cv2.setNumThreads(1)
    modes = {"SGBM": cv2.STEREO_SGBM_MODE_SGBM, "SGBM, 8 paths": cv2.STEREO_SGBM_MODE_HH}
    for name, mode in modes.items():
        for block in (3, 5):
            area = block * block
            matcher = cv2.StereoSGBM_create(
                0, DISPARITIES, block, 8 * area, 32 * area, 1, 63, 10, 100, 2, mode
            )
            times = []
            for _ in range(ROUNDS):
                begun = time.perf_counter()
                disparity = matcher.compute(*eyes).astype(np.float32) / 16
                times.append(time.perf_counter() - begun)
            what = f"depth of the motorcycle pair, OpenCV's {name}, blocks of {block}"
            print(f"measured: {what}: {figures(disparity, truth)}")
            print(f"measured: {what}, ms: {1e3 * sorted(times)[ROUNDS // 2]:.0f}")


main(pathlib.Path(sys.argv[1]))
