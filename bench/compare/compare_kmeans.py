#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""KMeans and PCA beside scikit-learn and OpenCV, on the same arrays, in turns.

compare_kmeans.py PEER CASES [PHOTOS]
  PEER    the program kmeans_peer
  CASES   a folder of golden cases: speed, inertia, agreement
  PHOTOS  a folder of photos: inertia and agreement only

Makes its own virtual environment (numpy, scikit-learn, opencv-python-headless) beside the
temporary files of the system, or in DIFFSEG_COMPARE_VENV, and keeps it. Options: --rounds N (7),
--photos N (30), --threads N (2). Ends with 1 when lloyd's inertia is not that of KMeans.
"""
import argparse
import os
import pathlib
import sys
import tempfile

sys.dont_write_bytecode = True  # nothing appears in the source tree
from harness import (Peer, enter_environment, in_turns, median,  # noqa: E402
                     prepare, ratio, read_photo, set_threads, timed)

PACKAGES = ["numpy", "scikit-learn", "opencv-python-headless"]
COMPONENTS = 32  # of the PCA; those of kmeans_peer


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("peer", type=pathlib.Path)
    parser.add_argument("cases", type=pathlib.Path)
    parser.add_argument("photos_folder", type=pathlib.Path, nargs="?")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--photos", type=int, default=30)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    set_threads(options.threads)
    return options


class KMeansPeer(Peer):
    """Our program on one pair of arrays."""

    def __init__(self, program, grid, rows, centres, labels):
        super().__init__(program, "serve", rows, centres, labels, first=grid)
        self.labels = labels

    def __call__(self, command):
        """-> milliseconds, and the labels or what the PCA explains."""
        import numpy as np
        milliseconds, figure = super().__call__(command)
        return milliseconds, (figure if command == "pca" else np.load(self.labels))


def scikit(rows, centres):
    from sklearn.cluster import KMeans, MiniBatchKMeans
    start = {"n_clusters": len(centres), "init": centres, "n_init": 1, "random_state": 0}
    return {
        "KMeans": lambda: timed(lambda: KMeans(**start).fit(rows).labels_),
        "MiniBatchKMeans": lambda: timed(lambda: MiniBatchKMeans(**start).fit(rows).labels_),
    }


def scikit_pca(rows, power="auto"):
    """The randomised solver; `power`: its power iterations, "auto" being 7 of so few components."""
    from sklearn.decomposition import PCA
    return lambda: timed(lambda: float(PCA(
        COMPONENTS, svd_solver="randomized", iterated_power=power,
        random_state=0).fit(rows).explained_variance_ratio_.sum()))


def least_power(rows, variance):
    """The fewest power iterations with which scikit-learn explains as much."""
    return next((power for power in range(7) if scikit_pca(rows, power)()[1] >= variance), 7)


def opencv(rows, centres, threads):
    """cv2.kmeans starts from labels: the nearest of the centres. It compares the largest move of a
    centre where the others add up the squares of all."""
    import cv2
    import numpy as np
    cv2.setNumThreads(threads)
    labels = ((centres * centres).sum(1) - 2 * rows @ centres.T).argmin(1).astype(np.int32)
    labels = labels.reshape(-1, 1)  # given as a line it would come back unchanged
    least = float(np.sqrt(1e-4 * rows.var(0, dtype=np.float64).mean() / len(centres)))
    criteria = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 100, least)  # its most is 100
    return lambda: timed(lambda: cv2.kmeans(
        rows, len(centres), labels.copy(), criteria, 1, cv2.KMEANS_USE_INITIAL_LABELS)[1].ravel())


def inertia(rows, labels):
    """About the means of the labels, in double."""
    import numpy as np
    return sum(float(((rows[labels == k] - rows[labels == k].mean(0, dtype=np.float64)) ** 2).sum())
               for k in np.unique(labels))


def ratios(above, below):
    return "{:8.2f}  {:6.2f}..{:.2f}".format(*ratio(above, below))


def print_kmeans(rows, times, results):
    """Returns lloyd's inertia over that of scikit-learn's KMeans."""
    from sklearn.metrics import adjusted_rand_score
    reference = results["KMeans"]
    reached = {name: inertia(rows, labels) for name, labels in results.items()}
    print(f"{'':20}{'ms':>8}{'inertia':>9}{'ARI':>7}   KMeans / it  quartiles")
    for name, labels in results.items():
        print(f"{name:20}{median(times[name]):8.1f}{reached[name] / reached['KMeans']:9.4f}"
              f"{adjusted_rand_score(reference, labels):7.3f}"
              f"      {ratios(times['KMeans'], times[name])}")
    return reached["ours: lloyd"] / reached["KMeans"]


def print_pca(times, results):
    print(f"{'':20}{'ms':>8}{'variance':>9}            it / ours  quartiles")
    for name, explained in results.items():
        print(f"{name:20}{median(times[name]):8.1f}{explained:9.4f}"
              f"             {ratios(times[name], times['ours: pca'])}")


def compare_case(program, folder, work, options):
    """Returns whether lloyd found what KMeans did, without which its time says nothing."""
    import numpy as np
    rows_file, centres_file = work / "rows.npy", work / "centres.npy"
    grid = prepare(program, "case", folder, rows_file, centres_file)
    rows, centres = np.load(rows_file), np.load(centres_file)
    peer = KMeansPeer(program, grid, rows_file, centres_file, work / "labels.npy")
    power = least_power(rows, peer("pca")[1])
    calls = scikit(rows, centres)
    calls["OpenCV kmeans"] = opencv(rows, centres, options.threads)
    for command in ("lloyd", "projected", "minibatch"):
        calls["ours: " + command] = lambda command=command: peer(command)
    solvers = {"randomized PCA": scikit_pca(rows),
               f"the same, power {power}": scikit_pca(rows, power),
               "ours: pca": lambda: peer("pca")}
    print(f"\n{folder.name}: rows {rows.shape[0]} x {rows.shape[1]}, {len(centres)} centres")
    reached = print_kmeans(rows, *in_turns(calls, options.rounds))
    print_pca(*in_turns(solvers, options.rounds))
    sys.stdout.flush()
    peer.close()
    if abs(reached - 1) <= 0.01:
        return True
    print(f"WRONG: lloyd's inertia is {reached:.4f} of that of KMeans")
    return False


def compare_photo(program, file, work):
    """{name: (inertia over that of lloyd, ARI with it)} of one photo, and its number of centres."""
    import numpy as np
    from sklearn.metrics import adjusted_rand_score
    photo, rows_file, centres_file = (work / name for name in
                                      ("photo.npy", "rows.npy", "centres.npy"))
    np.save(photo, read_photo(file))
    grid = prepare(program, "photo", photo, rows_file, centres_file)
    rows, centres = np.load(rows_file), np.load(centres_file)
    peer = KMeansPeer(program, grid, rows_file, centres_file, work / "labels.npy")
    lloyd = peer("lloyd")[1]
    labels = {"MiniBatchKMeans": scikit(rows, centres)["MiniBatchKMeans"]()[1],
              "ours: projected": peer("projected")[1], "ours: minibatch": peer("minibatch")[1]}
    peer.close()
    reached = inertia(rows, lloyd)
    return {name: (inertia(rows, values) / reached, adjusted_rand_score(lloyd, values))
            for name, values in labels.items()}, len(centres)


def compare_photos(program, folder, work, options):
    files = sorted(folder.glob("*.jpg"))
    files = files[::max(1, len(files) // options.photos)][:options.photos]
    table = []
    print("\nInertia over lloyd's, and ARI with it")
    for file in files:
        found, centres = compare_photo(program, file, work)
        table.append(found)
        columns = "".join(f"  {name} {ratio:.4f} {agreement:.3f}"
                          for name, (ratio, agreement) in found.items())
        print(f"{file.stem:>8}, {centres:3} centres{columns}", flush=True)
    print(f"{len(files)} photos")
    for name in table[0]:
        inertias, agreements = zip(*(found[name] for found in table))
        print(f"{name:20}inertia median {median(inertias):.4f} worst {max(inertias):.4f}, "
              f"ARI median {median(agreements):.3f} mean {sum(agreements) / len(files):.3f} "
              f"worst {min(agreements):.3f}")
    better = sum(found["ours: projected"][1] >= found["MiniBatchKMeans"][1] for found in table)
    print(f"projected agrees with lloyd no less than MiniBatchKMeans does on {better} of them")


def print_versions(threads):
    import cv2
    import numpy
    import sklearn
    print(f"scikit-learn {sklearn.__version__}, numpy {numpy.__version__}, OpenCV "
          f"{cv2.__version__}, {threads} threads, OMP_WAIT_POLICY={os.environ['OMP_WAIT_POLICY']}")


def main():
    options = arguments()
    enter_environment(PACKAGES)
    print_versions(options.threads)
    right = True
    with tempfile.TemporaryDirectory() as work:
        for folder in sorted(path.parent for path in options.cases.glob("*/case.json")):
            right &= compare_case(options.peer, folder, pathlib.Path(work), options)
        if options.photos_folder:
            compare_photos(options.peer, options.photos_folder, pathlib.Path(work), options)
    sys.exit(0 if right else 1)


if __name__ == "__main__":
    main()
