# SPDX-License-Identifier: MIT
# What --format and --html write and refuse: -DSEGMENT=program -DDATA=photos -DSCRATCH=folder
# -DMAKE_ATTENTION=program.
cmake_minimum_required(VERSION 3.24)
set(PROGRAM "${SEGMENT}")
include("${CMAKE_CURRENT_LIST_DIR}/program.cmake")
set(PHOTO "${CMAKE_CURRENT_LIST_DIR}/../files/photos/exif_1.png")

function(expect_files folder)
  file(GLOB files RELATIVE "${SCRATCH}/${folder}" "${SCRATCH}/${folder}/*.*[a-z]")
  list(FILTER files EXCLUDE REGEX "^exif_1\\.json$")
  set(expected ${ARGN})
  list(SORT expected)
  list(SORT files)
  expect_equal("files in ${folder}" "${files}" "${expected}")
endfunction()

# The default, a list, and everything.
run(0 -o png "${PHOTO}")
expect_files(png exif_1.labels.png exif_1.overlay.png)
run(0 -o list --format voc,npy,npy "${PHOTO}")
expect_files(list exif_1.voc.png exif_1.labels.npy exif_1.overlay.png)
expect_match("files told" "${OUT}" "-> list/exif_1.voc.png, list/exif_1.labels.npy, list/exif_1.overlay.png")
run(0 -o all -f png,voc,npy,coco,polygons,geojson,csv,outlines "${PHOTO}")
expect_files(all exif_1.coco.json exif_1.geojson exif_1.labels.npy exif_1.labels.png
  exif_1.outlines.jpg exif_1.overlay.png exif_1.polygons.json exif_1.regions.csv exif_1.voc.png)

# The same labels whatever is asked for beside them, and any number of threads.
file(SHA256 "${SCRATCH}/png/exif_1.labels.png" alone)
file(SHA256 "${SCRATCH}/all/exif_1.labels.png" among)
expect_equal("labels among other formats" "${among}" "${alone}")
set(ENV{OMP_NUM_THREADS} 1)
run(0 -o one -f coco,outlines "${PHOTO}")
unset(ENV{OMP_NUM_THREADS})
foreach(name exif_1.coco.json exif_1.outlines.jpg)
  file(SHA256 "${SCRATCH}/one/${name}" one)
  file(SHA256 "${SCRATCH}/all/${name}" all)
  expect_equal("${name} by one thread" "${one}" "${all}")
endforeach()

# Attention without a photo: names, no colours, and a page with a slider.
execute_process(COMMAND "${MAKE_ATTENTION}" "${SCRATCH}" COMMAND_ERROR_IS_FATAL ANY)
run(0 -o names --attention all.npz --names "lid=2-3,pet=1" -f coco,csv,geojson --sweep 0.9:1.1:0.1
  --html names/names.html)
file(READ "${SCRATCH}/names/all.regions.csv" table)
expect_match("names in the table" "${table}" "\n0,pet,[0-9]+,0[.0-9]+,[-.,0-9]+,,,,[0-9 ]*\n1,lid,")
file(READ "${SCRATCH}/names/all.coco.json" document)
string(JSON name GET "${document}" categories 1 name)
expect_equal("category" "${name}" "pet")
string(JSON category GET "${document}" annotations 1 category_id)
expect_equal("category of label 1" "${category}" "1")
file(READ "${SCRATCH}/names/names.html" page)
expect_match("names in the page" "${page}" "</i>1<td>lid<td>")
string(REGEX MATCHALL "alt=\"threshold [0-9.]+: [0-9]+ segments?\"" steps "${page}")
list(LENGTH steps count)
expect_equal("steps of the slider" "${count}" "3")

# Mistakes.
run(2 --format png,tiff "${PHOTO}")
expect_match("unknown format" "${ERR}" "--format: must be of png, voc, .*; got 'tiff'")
run(2 --html photo.jpg "${PHOTO}")
expect_match("page that is none" "${ERR}" "must end in .html, got 'photo.jpg'")
run(2 --attention a.npy --format png,outlines)
expect_match("outlines without a photo" "${ERR}" "--image")

# A page although every photo fails; a result that cannot be written costs the photo, not the page.
file(WRITE "${SCRATCH}/bad.png" "no picture")
run(1 --html pages/failed.html bad.png)
file(READ "${SCRATCH}/pages/failed.html" page)
expect_match("page of failures" "${page}" "1 photo, 1 failed")
file(MAKE_DIRECTORY "${SCRATCH}/taken/exif_1.voc.png")
run(1 -o taken -f png,voc --html pages/taken.html "${PHOTO}")
file(READ "${SCRATCH}/pages/taken.html" page)
expect_match("page" "${page}" "a folder of that name exists")
file(GLOB left "${SCRATCH}/taken/*.labels.png")
expect_equal("results of a photo that failed" "${left}" "")
