#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""FitBorders beside the same guided filter of each mask in OpenCV, on the same photos, in turns.

compare_borders.py PEER PHOTOS
  PEER    the program borders_peer
  PHOTOS  a folder of photos, or one

OpenCV: L of cvtColor, the guide's box filters once, four box filters for each label, arg max. Ours
does the same from the same numbers, and once more with small regions given away. Makes its own
virtual environment (numpy, opencv-python-headless) beside the temporary files of the system, or in
DIFFSEG_COMPARE_VENV, and keeps it. Options: --rounds N (15), --photos N (20), --threads N (2),
--labels N (7, at most). Ends with 1 when more than one pixel of a thousand differs.
"""
import argparse
import os
import pathlib
import sys
import tempfile

sys.dont_write_bytecode = True  # nothing appears in the source tree
from harness import (Peer, enter_environment, in_turns, median,  # noqa: E402
                     prepare, ratio, read_photo, set_threads, timed)

PACKAGES = ["numpy", "opencv-python-headless"]
RADIUS, EPSILON = 8, 1e-3  # the defaults of FitBorders


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("peer", type=pathlib.Path)
    parser.add_argument("photos_folder", type=pathlib.Path)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--photos", type=int, default=20)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--labels", type=int, default=7)
    options = parser.parse_args()
    set_threads(options.threads)
    return options


def opencv(photo, labels):
    """photo [height, width, 3] f32, 0..1 -> the label whose filtered mask is largest."""
    import cv2
    import numpy as np
    size = (2 * RADIUS + 1, 2 * RADIUS + 1)

    def box(plane):
        return cv2.boxFilter(plane, cv2.CV_32F, size)  # mirrored at the edges, which stand once

    guide = cv2.cvtColor(photo, cv2.COLOR_RGB2Lab)[:, :, 0] / np.float32(100)
    mean = box(guide)
    inverse = 1 / (box(guide * guide) - mean * mean + np.float32(EPSILON))
    best = np.full(labels.shape, -np.inf, np.float32)
    winner = np.zeros(labels.shape, np.int32)
    for label in range(labels.max() + 1):
        mask = (labels == label).astype(np.float32)
        share = box(mask)
        slope = (box(guide * mask) - mean * share) * inverse
        value = box(slope) * guide + box(share - slope * mean)
        wins = value > best
        winner[wins] = label
        best[wins] = value[wins]
    return winner


def compare(program, file, work, options):
    """-> label count, times, share of the pixels that differ, share that changed."""
    import numpy as np
    photo_file, labels_file, fitted = (work / name for name in
                                       ("photo.npy", "labels.npy", "fitted.npy"))
    photo = read_photo(file)
    np.save(photo_file, photo)
    prepare(program, "labels", photo_file, labels_file, str(options.labels))
    labels = np.load(labels_file)
    numbers = photo.astype(np.float32) / np.float32(255)
    peer = Peer(program, "serve", photo_file, labels_file, fitted)
    changed = peer("filter")[1] / labels.size
    differ = float((np.load(fitted) != opencv(numbers, labels)).mean())
    times, _ = in_turns({"OpenCV": lambda: timed(lambda: opencv(numbers, labels)),
                         "filter": lambda: peer("filter"), "fit": lambda: peer("fit")},
                        options.rounds)
    peer.close()
    return int(labels.max()) + 1, times, differ, changed


def main():
    options = arguments()
    enter_environment(PACKAGES)
    import cv2
    cv2.setNumThreads(options.threads)
    print(f"OpenCV {cv2.__version__}, {options.threads} threads; ms: medians of {options.rounds} "
          f"rounds; x: OpenCV / it, median and quartiles")
    folder = options.photos_folder
    files = sorted([*folder.glob("*.jpg"), *folder.glob("*.png")]) if folder.is_dir() else [folder]
    files = [file for file in files if ".truth" not in file.name]
    files = files[::max(1, len(files) // options.photos)][:options.photos]
    print(f"{'photo':>10} labels  OpenCV  filter     fit      x filter             x fit        "
          "differ  changed")
    quotients, worst = [], 0
    with tempfile.TemporaryDirectory() as work:
        for file in files:
            count, times, differ, changed = compare(options.peer, file, pathlib.Path(work), options)
            filtered, fitted = (ratio(times["OpenCV"], times[name]) for name in ("filter", "fit"))
            print(f"{file.stem:>10}{count:7}{median(times['OpenCV']):8.2f}"
                  f"{median(times['filter']):8.2f}{median(times['fit']):8.2f}"
                  "{:9.2f} {:5.2f}..{:<5.2f}".format(*filtered) +
                  "{:7.2f} {:5.2f}..{:<5.2f}".format(*fitted) +
                  f"{100 * differ:8.3f} %{100 * changed:6.2f} %", flush=True)
            quotients.append(fitted[0])
            worst = max(worst, differ)
    print(f"{len(files)} photos: OpenCV / fit {median(quotients):.2f}, at least "
          f"{min(quotients):.2f}; at most {100 * worst:.3f} % of the pixels differ")
    sys.exit(1 if worst > 1e-3 else 0)


if __name__ == "__main__":
    main()
