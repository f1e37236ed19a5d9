# SPDX-License-Identifier: MIT
# Drives the evaluate program like a user: -DEVALUATE=program -DSEGMENT=program -DSCRATCH=folder.
cmake_minimum_required(VERSION 3.24)
set(PROGRAM "${EVALUATE}")
include("${CMAKE_CURRENT_LIST_DIR}/program.cmake")
set(LABELS "${CMAKE_CURRENT_LIST_DIR}/../files/labels")

# The value of OUT at the keys of ARGN begins with `expected`.
function(expect_json expected)
  string(JSON actual GET "${OUT}" ${ARGN})
  string(FIND "${actual}" "${expected}" at)
  if(NOT at EQUAL 0)
    message(SEND_ERROR "${ARGN}: ${actual} instead of ${expected}")
  endif()
endfunction()

# Palette indices, 1, 2, 4, 8 and 16 bits of grey, ID.png; worked out by hand.
run(0 "${LABELS}/predictions" "${LABELS}/truths")
set(space "[ ]+")
expect_match("halves" "${OUT}" "halves${space}2${space}2.0${space}1.0000${space}1.0000${space}0.0000${space}1.0000${space}1.0000\n")
expect_match("whole" "${OUT}" "whole${space}1${space}1.0${space}0.5000${space}0.4286${space}1.0000${space}0.0000${space}0.0000\n")
# Covering 1/2, 1 and 1/4; every annotator counts alike in the last row.
expect_match("deep" "${OUT}" "deep${space}3${space}4.0${space}0.5833")
expect_match("all" "${OUT}" "all 3${space}6${space}2.3${space}0.7083")

run(0 --json "${LABELS}/predictions" "${LABELS}/truths")
expect_json(3 all photos)
expect_json(6 all truths)
expect_json(0.70833 all covering)
expect_json(0.69444 all covering_mean_over_photos)
expect_json(0.66666 all variation_of_information)
expect_json(1 photos 1 border_f_measure)
expect_json(0 photos 2 border_f_measure)
expect_json(deep photos 0 photo)
expect_json(0.58333 photos 0 covering)
string(JSON classes LENGTH "${OUT}" classes)
if(NOT classes EQUAL 0)
  message(SEND_ERROR "classes that nobody asked for: ${classes}")
endif()

# Classes: the halves' own, and their pixels that are not annotated.
file(COPY "${LABELS}/predictions/halves.labels.png" "${LABELS}/predictions/whole.png"
  DESTINATION "${SCRATCH}/classes")
file(COPY "${LABELS}/truths/halves.truth0.png" DESTINATION "${SCRATCH}/class_truths")
run(0 --json --classes 10 classes class_truths)
expect_json(1 classes 0 pixel_accuracy)
expect_json(1 classes 2 mean_iou)
run(0 --json --classes 8 --ignore 9 classes class_truths)
expect_json(1 classes 0 ious 7)
run(1 --json --classes 9 classes class_truths)
expect_match("a class too many" "${ERR}" "halves.*below 9, got 9")

# Photos that fail: exit 1, a reason; the others are scored.
run(1 --json "${LABELS}/bad/predictions" "${LABELS}/bad/truths")
expect_match("truncated" "${ERR}" "broken: .*broken.labels.png: is truncated")
expect_match("colours" "${ERR}" "colour: .*holds colours, not labels; save")
expect_match("missing" "${ERR}" "missing: has no prediction missing.labels.png")
expect_match("sizes" "${ERR}" "size: .*one size, got 1 x 2 and 2 x 4")
expect_json(1 all photos)
expect_json(1 all covering)
expect_json(OFF photos 0 ok)
run(1 nowhere "${LABELS}/truths")
expect_match("no folder" "${ERR}" "nowhere: cannot be read")
run(1 "${LABELS}/predictions" "${SCRATCH}/empty")
file(MAKE_DIRECTORY "${SCRATCH}/empty")
run(1 "${LABELS}/predictions" "${SCRATCH}/empty")
expect_match("no truth" "${ERR}" "holds no ID.truthK.png")

# What segment wrote is its own truth.
if(SEGMENT)
  execute_process(COMMAND "${SEGMENT}" -o segmented "${CMAKE_CURRENT_LIST_DIR}/../files/photos/exif_1.png"
    WORKING_DIRECTORY "${SCRATCH}" OUTPUT_QUIET COMMAND_ERROR_IS_FATAL ANY)
  file(MAKE_DIRECTORY "${SCRATCH}/own")
  file(COPY_FILE "${SCRATCH}/segmented/exif_1.labels.png" "${SCRATCH}/own/exif_1.truth0.png")
  run(0 --json segmented own)
  expect_json(1 all covering)
  expect_json(1 all adjusted_rand_index)
  string(JSON segments GET "${OUT}" all segments)
  if(segments LESS 2)
    message(SEND_ERROR "segments: ${segments}")
  endif()
endif()

# Usage: exit 2, nothing on stdout.
foreach(mistake --no-such-option "only_one" "--classes;0;a;b" "--classes;x;a;b" "--ignore;-1;a;b" "a;b;c")
  run(2 ${mistake})
  if(NOT OUT STREQUAL "")
    message(SEND_ERROR "stdout after ${mistake}: ${OUT}")
  endif()
endforeach()
run(0 --help)
expect_match("help" "${OUT}" "^Examples:\n  segment")
run(0 --version)
expect_match("version" "${OUT}" "[0-9]+\\.[0-9]+\\.[0-9]+")
