# SPDX-License-Identifier: MIT
# Which files evaluate takes for which photo, and what counts for nothing.
cmake_minimum_required(VERSION 3.24)
set(PROGRAM "${EVALUATE}")
include("${CMAKE_CURRENT_LIST_DIR}/program.cmake")
set(LABELS "${CMAKE_CURRENT_LIST_DIR}/../files/labels")
set(PREDICTED "${LABELS}/predictions/halves.labels.png")  # 0 0 1 1 in both rows
set(TRUTH "${LABELS}/truths/halves.truth0.png")           # 7 7 9 9
set(WHOLE "${LABELS}/predictions/whole.png")              # 0 0 0 0

# file_at(SOURCE PLACE ...): copies of a file under other names.
function(file_at source)
  foreach(place IN LISTS ARGN)
    get_filename_component(folder "${SCRATCH}/${place}" DIRECTORY)
    file(MAKE_DIRECTORY "${folder}")
    file(COPY_FILE "${source}" "${SCRATCH}/${place}")
  endforeach()
endfunction()

# The value of OUT at the keys of ARGN, as JSON: a text has quotes.
function(expect_json expected)
  string(JSON actual GET "${OUT}" ${ARGN})
  string(JSON type TYPE "${OUT}" ${ARGN})
  if(type STREQUAL "NULL")
    set(actual null)
  endif()
  expect_equal("${ARGN}" "${actual}" "${expected}")
endfunction()

# Suffixes in any case; what hides is passed over, and pictures of labels.
file_at("${PREDICTED}" names/p/a.labels.png names/p/b.labels.PNG names/p/c.PnG)
file_at("${TRUTH}" names/t/a.PNG names/t/b.truth0.png names/t/b.truth1.Png names/t/c.labels.png)
file_at("${LABELS}/predictions/halves.overlay.png" names/t/c.overlay.png)
file(WRITE "${SCRATCH}/names/t/._a.png" "no PNG")
file(WRITE "${SCRATCH}/names/t/.hidden.png" "no PNG")
file(WRITE "${SCRATCH}/names/t/__MACOSX/a.png" "no PNG")
file(WRITE "${SCRATCH}/names/p/._c.png" "no PNG")
file(WRITE "${SCRATCH}/names/t/README" "no PNG")
run(0 --json names/p names/t)
expect_json(3 all photos)
expect_json(4 all truths)
expect_json(c photos 2 photo)
expect_equal("stderr" "${ERR}" "")
# Two runs of segment beside each other.
run(0 --json names/p names/p)
expect_json(3 all photos)
expect_json(1.0 all covering)

# Cityscapes: names, cities, and predictions of the photos' names in either layout.
set(city aachen/aachen_000000_000019)
set(other ulm/ulm_000000_000001)
file_at("${TRUTH}" city/gt/${city}_gtFine_labelIds.png city/gt/${other}_gtFine_labelIds.png)
file_at("${WHOLE}" city/gt/${city}_gtFine_labelTrainIds.png city/gt/${city}_gtCoarse_labelIds.png
  city/gt/${city}_gtFine_instanceIds.png)
file(WRITE "${SCRATCH}/city/gt/${city}_gtFine_color.png" "no PNG")
file(WRITE "${SCRATCH}/city/gt/${city}_gtFine_polygons.json" "{}")
file_at("${PREDICTED}" city/out/${city}_leftImg8bit.labels.png city/out/${other}_leftImg8bit.labels.png
  city/flat/aachen_000000_000019_leftImg8bit.png city/flat/ulm_000000_000001.labels.PNG)
foreach(layout out flat)
  run(0 --json city/${layout} city/gt)
  expect_json(2 all photos)
  expect_json(2 all truths)
  expect_json(1.0 all covering)
  expect_json(${city} photos 0 photo)
endforeach()
file_at("${TRUTH}" city/flat_gt/ulm_000000_000001_gtFine_labelTrainIds.png)
run(0 --json city/out city/flat_gt)
expect_json(1.0 all covering)
expect_json(ulm_000000_000001 photos 0 photo)

# Sub-folders keep their own; one prediction is not taken for two photos, nor one of two for one.
file_at("${TRUTH}" sub/t/a/x.png sub/t/b/x.png)
file_at("${PREDICTED}" sub/p/a/x.png sub/p/b/x.labels.png sub/flat/x.png)
run(0 --json sub/p sub/t)
expect_json(2 all photos)
run(1 sub/flat sub/t)
expect_match("a name of two truths" "${ERR}" "a/x: has no prediction a/x.labels.png or a/x.png in sub/flat")
file_at("${TRUTH}" sub/one/x.png)
run(1 sub/p sub/one)
expect_match("a name of no folder" "${ERR}" "x: has several predictions in sub/p, as in a/ and b/; put the truth into")
file_at("${PREDICTED}" sub/q/c/x.png sub/q/d/x.png sub/r/x.png sub/r/x.PNG)
run(1 sub/q sub/one)
expect_match("two predictions" "${ERR}" "x: has several predictions in sub/q, as in c/ and d/; put")
run(1 sub/r sub/one)
expect_match("two cases" "${ERR}" "x: has 2 predictions of one name")
run(1 sub/one sub/r)
expect_match("two truths" "${ERR}" "x: has two truths of one name, .*x.PNG and .*x.png; keep one")
# Folders may be links, also such as lead back.
file(MAKE_DIRECTORY "${SCRATCH}/linked")
file(CREATE_LINK "${SCRATCH}/sub/t/a" "${SCRATCH}/linked/a" SYMBOLIC)
file(CREATE_LINK "${SCRATCH}/linked" "${SCRATCH}/linked/back" SYMBOLIC)
run(0 --json sub/p linked)
expect_json(1 all photos)
# Predictions that lie below the truths are no truths.
file_at("${TRUTH}" below/x.png)
file_at("${PREDICTED}" below/out/x.labels.png)
run(0 --json below/out below)
expect_json(1 all photos)

# A truth that is all void counts for nothing; nothing scored is nothing, not the best score.
file_at("${PREDICTED}" void/p/a.labels.png void/p/b.labels.png void/p/c.labels.png)
file_at("${LABELS}/void.png" void/t/a.png void/t/b.truth0.png)
file_at("${TRUTH}" void/t/b.truth1.png void/t/c.png)
run(0 --json --ignore 255 --classes 10 void/p void/t)
expect_json(2 all photos)
expect_json(2 all truths)
expect_json(1.0 all covering)
expect_json(1.0 classes 0 pixel_accuracy)
expect_json(0 photos 0 truths)
expect_json(null photos 0 covering)
expect_json(null photos 0 border_f_measure)
expect_json(1 photos 1 truths)
file_at("${LABELS}/void.png" void/alone/a.png)
run(0 --ignore 255 --classes 10 void/p void/alone)
expect_match("a dash" "${OUT}" "all 0 +0 +- +- +- +- +- +-\n.*accuracy +-  mIoU +-\n")
expect_match("a word" "${ERR}" "nothing is scored")
run(0 --json --ignore 255 --classes 2 void/p void/alone)
foreach(figure segments covering variation_of_information covering_mean_over_photos)
  expect_json(null all ${figure})
endforeach()
expect_json(null classes 3 mean_iou)
file(MAKE_DIRECTORY "${SCRATCH}/empty")
run(1 --json void/p empty)
expect_json(null all variation_of_information)

# 255 without --ignore is named; with it, it is not annotated.
file_at("${LABELS}/marked.png" marked/t/a.png)  # 0 0 255 1
file_at("${PREDICTED}" marked/p/a.png)
run(0 --json marked/p marked/t)
expect_match("255" "${ERR}" "1 truth holds 255, .* unless --ignore 255 is given")
expect_json(1 photos 0 truths)
run(0 --json --ignore 255 marked/p marked/t)
expect_equal("255 is ignored" "${ERR}" "")
expect_json(1.0 all covering)
run(1 --classes 21 marked/p marked/t)
expect_match("255 is no class" "${ERR}" "must be below 21, got 255; give --ignore 255")

# Truths of another size.
run(1 "${LABELS}/bad/predictions" "${LABELS}/bad/truths")
expect_match("sizes" "${ERR}" "one size, got 1 x 2 and 2 x 4; --resize-truth scales")
file_at("${LABELS}/bad/predictions/size.labels.png" size/p/a.png)  # 0 1
file_at("${TRUTH}" size/t/a.png)
run(0 --json --resize-truth size/p size/t)
expect_json(1.0 all covering)
expect_json(1 photos 0 size height)
run(0 --json --resize-truth --classes 10 size/t size/p)  # 2 x 4, truth 0 1 enlarged
expect_json(1.0 all covering)
expect_json(4 photos 0 size width)

# Ids to 2^16 in both.
file_at("${LABELS}/large_ids.png" large/p/a.png large/t/a.png)  # 0 65535 255
run(0 --json --ignore 255 --classes 65536 large/p large/t)
expect_json(1.0 all adjusted_rand_index)
expect_json(1.0 classes 2 mean_iou)
