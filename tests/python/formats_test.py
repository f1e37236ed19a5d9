# SPDX-License-Identifier: MIT
"""formats_test.py SEGMENT: what `segment --format` writes, read by the libraries that others read it
with, is the label map again; then the Python of docs/formats.md. What is missing is told, and the
exit is 77 then.
"""
import importlib
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
PHOTO = ROOT / "examples" / "data" / "chelsea.jpg"
FORMATS = "png,voc,npy,coco,polygons,geojson,csv,outlines"
missing = set()


def find(name):
    try:
        return importlib.import_module(name)
    except ImportError:
        missing.add(name.split(".")[0])
        return None


np = find("numpy")
cv2 = find("cv2")
image = find("PIL.Image")
coco = find("pycocotools.coco")
masks = find("pycocotools.mask")
geometry = find("shapely.geometry")


def segment(folder, *options):
    subprocess.run([os.path.abspath(sys.argv[1]), "--format", FORMATS, "-o", folder, *options, PHOTO],
                   check=True, stdout=subprocess.DEVNULL)


def check_pngs(folder, labels):
    for name in ["labels", "voc"]:
        picture = image.open(folder / f"chelsea.{name}.png")
        assert picture.mode == "P" and (np.array(picture) == labels).all(), name
    palette = image.open(folder / "chelsea.voc.png").getpalette()
    assert palette[:9] == [0, 0, 0, 128, 0, 0, 0, 128, 0], palette[:9]


def check_coco(folder, labels, name):
    document = coco.COCO(folder / f"chelsea.{name}.json")
    annotations = document.loadAnns(document.getAnnIds())
    assert [each["label"] for each in annotations] == list(np.unique(labels))
    for each in annotations:
        mask = labels == each["label"]
        assert (document.annToMask(each) == mask).all(), (name, each["label"])
        assert each["area"] == mask.sum()
        lengths = masks.encode(np.asfortranarray(mask.astype(np.uint8)))
        assert masks.toBbox(lengths).tolist() == each["bbox"]
        if name == "coco":  # the same text as theirs
            assert each["segmentation"]["counts"].encode() == lengths["counts"]


def check_geojson(folder, labels):
    for feature in json.load(open(folder / "chelsea.geojson"))["features"]:
        region = geometry.shape(feature["geometry"])
        mask = labels == feature["properties"]["label"]
        assert region.is_valid and region.area == mask.sum()
        y, x = mask.nonzero()
        assert np.allclose([region.centroid.x, region.centroid.y], [x.mean() + .5, y.mean() + .5])
        for polygon in region.geoms:
            assert polygon.exterior.is_ccw and not any(hole.is_ccw for hole in polygon.interiors)


def check_opencv(folder, labels):
    """Regions and holes are those that OpenCV finds, and the table its figures."""
    features = json.load(open(folder / "chelsea.geojson"))["features"]
    rows = np.genfromtxt(folder / "chelsea.regions.csv", delimiter=",", names=True,
                         usecols=range(2, 10))
    for feature in features:
        mask = (labels == feature["properties"]["label"]).astype(np.uint8)
        count, _, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=4)
        polygons = feature["geometry"]["coordinates"]
        areas = [sum(ring_area(ring) for ring in rings) for rings in polygons]
        assert sorted(areas) == sorted(stats[1:, cv2.CC_STAT_AREA]), feature["id"]
        row = rows[feature["id"]]
        box = cv2.boundingRect(mask)
        assert box == tuple(row[key] for key in ["left", "top", "width", "height"])
        assert count - 1 == len(polygons)
    outlines = cv2.imread(str(folder / "chelsea.outlines.jpg"))
    assert outlines.shape == cv2.imread(str(PHOTO)).shape


def ring_area(ring):
    x, y = np.array(ring).T
    return (x[:-1] * y[1:] - x[1:] * y[:-1]).sum() / 2


def check(folder):
    labels = np.load(folder / "chelsea.labels.npy")
    assert labels.dtype == np.int32
    if image:
        check_pngs(folder, labels)
    if coco:
        check_coco(folder, labels, "coco")
        check_coco(folder, labels, "polygons")
    if geometry:
        check_geojson(folder, labels)
    if cv2:
        check_opencv(folder, labels)


def check_page(folder):
    """Each block of the page alone, where the program's results are."""
    os.chdir(folder)
    text = (ROOT / "docs" / "formats.md").read_text()
    blocks = re.findall(r"^```python\n(.*?)^```", text, re.M | re.S)
    assert len(blocks) == 8, len(blocks)
    for block in blocks:
        modules = re.findall(r"^(?:from|import) ([\w.]+)", block, re.M)
        if all([find(module) for module in modules]):
            exec(compile(block, "docs/formats.md", "exec"), {})


def main():
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        runs = {"out": [], "regions": ["--exact"], "small": ["--exact", "--size", "37x64", "-t", "0.6"]}
        for name, options in runs.items():
            segment(folder / name, *options)
            if np:
                check(folder / name)
        check_page(folder)
    if missing:
        print("skipped in parts, missing:", ", ".join(sorted(missing)))
        sys.exit(77)


main()
