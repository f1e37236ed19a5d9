# SPDX-License-Identifier: MIT
# Drives the segment program like a user: -DSEGMENT=program -DSCRATCH=folder.
cmake_minimum_required(VERSION 3.24)
set(PROGRAM "${SEGMENT}")
include("${CMAKE_CURRENT_LIST_DIR}/program.cmake")
set(PHOTOS "${CMAKE_CURRENT_LIST_DIR}/../files/photos")

function(expect_file path)
  if(NOT EXISTS "${SCRATCH}/${path}")
    message(SEND_ERROR "${path} is missing")
  endif()
endfunction()

# Width, height, bits and colour type in the header of a PNG.
function(expect_png path header)
  file(READ "${SCRATCH}/${path}" hex LIMIT 26 HEX)
  string(SUBSTRING "${hex}" 32 20 actual)
  expect_equal("header of ${path}" "${actual}" "${header}")
endfunction()

function(expect_refusal pattern)
  run(1 --output refused ${ARGN})
  expect_match("refusal of ${ARGN}" "${ERR}" "${pattern}")
  file(GLOB left "${SCRATCH}/refused/*")
  expect_equal("files of ${ARGN}" "${left}" "")
endfunction()

# The bundled photo.
run(0)
expect_equal("stderr of the default run" "${ERR}" "")
expect_match("summary" "${OUT}" "segments in [0-9]+ ms -> ")
file(GLOB default_results RELATIVE "${SCRATCH}" "${SCRATCH}/*.png")
list(LENGTH default_results count)
expect_equal("results of the default run" "${count}" "2")

# JSON: one valid document whose numbers fit together.
run(0 --json --output json "${PHOTOS}/exif_1.png" "${PHOTOS}/wide.png")
string(JSON photos LENGTH "${OUT}" photos)
expect_equal("photos in the JSON" "${photos}" "2")
string(JSON ok GET "${OUT}" photos 0 ok)
expect_equal("ok" "${ok}" "ON")
foreach(pair size.height=48 size.width=80 label_size.height=48 label_size.width=80 labels=3)
  string(REGEX MATCH "(.*)=(.*)" pair "${pair}")
  string(REPLACE "." ";" keys "${CMAKE_MATCH_1}")
  string(JSON value GET "${OUT}" photos 0 ${keys})
  expect_equal("${CMAKE_MATCH_1}" "${value}" "${CMAKE_MATCH_2}")
endforeach()
string(JSON labels GET "${OUT}" photos 0 labels)
string(JSON shares LENGTH "${OUT}" photos 0 shares)
expect_equal("shares" "${shares}" "${labels}")
string(JSON iterations LENGTH "${OUT}" photos 0 proposals)
expect_equal("iterations" "${iterations}" "3")
string(JSON file GET "${OUT}" photos 1 files overlay)
expect_equal("overlay" "${file}" "json/wide.overlay.png")

# Label ids as palette indices (colour type 3), an RGB overlay, nothing cropped.
expect_png(json/exif_1.labels.png "00000050000000300803")
expect_png(json/exif_1.overlay.png "00000050000000300802")
expect_png(json/wide.labels.png "00000bb8000000320803")

# Every EXIF orientation of one scene: the same labels.
foreach(orientation RANGE 2 8)
  list(APPEND turned "${PHOTOS}/exif_${orientation}.png")
endforeach()
run(0 -o exif "${PHOTOS}/exif_1.png" ${turned})
file(SHA256 "${SCRATCH}/exif/exif_1.labels.png" upright)
foreach(orientation RANGE 2 8)
  file(SHA256 "${SCRATCH}/exif/exif_${orientation}.labels.png" labels)
  expect_equal("labels of exif_${orientation}" "${labels}" "${upright}")
endforeach()
run(0 -o exif "${PHOTOS}/exif_6.jpg")
expect_png(exif/exif_6.labels.png "00000050000000300803")

# Every kind of picture.
foreach(kind grey grey_alpha rgba rgb16 palette pixel tall)
  run(0 -o kinds "${PHOTOS}/${kind}.png")
  expect_file(kinds/${kind}.labels.png)
  expect_file(kinds/${kind}.overlay.png)
endforeach()
expect_png(kinds/pixel.labels.png "00000001000000010803")
foreach(kind progressive cmyk)
  run(0 -o kinds "${PHOTOS}/${kind}.jpg")
endforeach()

# Options.
run(0 -o options --size 20x30 --anchors 4x8 --threshold 1.5,1.0 --json "${PHOTOS}/exif_1.png")
expect_png(options/exif_1.labels.png "0000001e000000140803")
expect_png(options/exif_1.overlay.png "00000050000000300802")
string(JSON anchors GET "${OUT}" photos 0 proposals 0)
expect_equal("proposals of 4 x 8 anchors" "${anchors}" "32")
string(JSON iterations LENGTH "${OUT}" photos 0 proposals)
expect_equal("iterations of two thresholds" "${iterations}" "2")
run(0 -o options --profile --trace options/trace.json --json "${PHOTOS}/exif_1.png")
expect_match("profile" "${ERR}" "Affinity.*Aggregate.*Compare.*Merge.*Assign")
# Stages of the library tell their bytes; the program's own two do not.
set(number "[0-9]+\\.[0-9]")
set(share "[0-9]+ % of ${number} ms")
set(floor "it goes through ${number} MB, which take ${number} ms to read once at this machine's ${number}")
expect_match("bottleneck" "${ERR}"
  "%\nBottleneck: ([a-z ]+, ${share}|[A-Z][a-z]+, ${share}. ${floor} GB/s)\\.\n$")
string(JSON photos LENGTH "${OUT}" photos)

# The trace: complete events of the Chrome format, one a stage at least, all of one process.
file(READ "${SCRATCH}/options/trace.json" trace)
string(JSON events LENGTH "${trace}" traceEvents)
if(events LESS 7)
  message(SEND_ERROR "trace: ${events} events")
endif()
set(stages "")
math(EXPR last "${events} - 1")
foreach(i RANGE ${last})
  string(JSON phase GET "${trace}" traceEvents ${i} ph)
  expect_equal("phase of event ${i}" "${phase}" "X")
  foreach(key pid tid ts dur)
    string(JSON type TYPE "${trace}" traceEvents ${i} ${key})
    expect_equal("type of ${key} in event ${i}" "${type}" "NUMBER")
  endforeach()
  string(JSON stage GET "${trace}" traceEvents ${i} name)
  list(APPEND stages "${stage}")
endforeach()
expect_match("stages of the trace" "${stages}"
  "read photo;.*Affinity;.*Aggregate;.*Compare;.*Merge;.*Assign;.*write results")

# Refine and Tidy: on by default, off alone and together.
run(0 -o finish --profile "${PHOTOS}/exif_1.png")
expect_match("finishing stages" "${ERR}" "Merge.*Refine.*Assign.*Tidy")
run(0 -o finish --profile --exact "${PHOTOS}/exif_1.png")
if(ERR MATCHES "Refine|Tidy")
  message(SEND_ERROR "--exact ran more than DiffSeg:\n${ERR}")
endif()
run(0 -o finish --profile --no-refine "${PHOTOS}/exif_1.png")
expect_match("tidy alone" "${ERR}" "Merge.*Assign.*Tidy")
run(0 -o finish --profile --no-tidy "${PHOTOS}/exif_1.png")
expect_match("refine alone" "${ERR}" "Merge.*Refine.*Assign")
run(0 -o finish --min-area 1 --json "${PHOTOS}/exif_1.png")
string(JSON labels GET "${OUT}" photos 0 labels)
expect_equal("labels of which each fills the photo" "${labels}" "1")
run(0 --help)
expect_match("help" "${OUT}" "^Examples:\n  segment")
run(0 --version)
expect_match("version" "${OUT}" "[0-9]+\\.[0-9]+\\.[0-9]+")

# More than 256 labels: ids as 16-bit grey.
run(0 --exact -o many --threshold 0.000001,0.000001 --anchors 40 --json "${PHOTOS}/../../../examples/data/chelsea.jpg")
string(JSON labels GET "${OUT}" photos 0 labels)
if(labels GREATER 256)
  file(READ "${SCRATCH}/many/chelsea.labels.png" hex OFFSET 24 LIMIT 2 HEX)
  expect_equal("bits and colour of many labels" "${hex}" "1000")
else()
  message(SEND_ERROR "many labels: only ${labels}")
endif()

# Photos that fail: exit 1, a reason, no file; the others are done.
expect_refusal("missing.jpg: cannot be read \\(No such file.*check the name" missing.jpg)
expect_refusal("is a folder" "${PHOTOS}")
expect_refusal("neither a JPEG nor a PNG; convert" "${PHOTOS}/not_a_photo.jpg")
expect_refusal("truncated.jpg: is truncated.*again" "${PHOTOS}/truncated.jpg")
expect_refusal("truncated.png: is truncated.*again" "${PHOTOS}/truncated.png")
expect_refusal("damaged.png: is damaged.*again" "${PHOTOS}/damaged.png")
expect_refusal("too large.*scaled down" "${PHOTOS}/too_large.png")
expect_refusal("anchors" --anchors 200 "${PHOTOS}/exif_1.png")
run(1 --json -o mixed missing.jpg "${PHOTOS}/exif_1.png" "${PHOTOS}/exif_1.png")
expect_file(mixed/exif_1.labels.png)
string(JSON error GET "${OUT}" photos 0 error)
expect_match("error in the JSON" "${error}" "missing.jpg")
string(JSON ok GET "${OUT}" photos 1 ok)
expect_equal("the photo between two failures" "${ok}" "ON")
string(JSON error GET "${OUT}" photos 2 error)
expect_match("same results twice" "${error}" "would replace")

# Outputs that fail.
file(WRITE "${SCRATCH}/file" "")
run(1 -o file/below "${PHOTOS}/exif_1.png")
expect_match("output below a file" "${ERR}" "file/below/exif_1.labels.png: cannot be written")
file(MAKE_DIRECTORY "${SCRATCH}/taken/exif_1.overlay.png")
run(1 -o taken "${PHOTOS}/exif_1.png")
expect_match("a folder in the way" "${ERR}" "a folder of that name")
if(EXISTS "${SCRATCH}/taken/exif_1.labels.png")
  message(SEND_ERROR "a failed photo left its label map")
endif()
run(1 -o trace --trace file/trace.json "${PHOTOS}/exif_1.png")
expect_match("trace below a file" "${ERR}" "trace.json: cannot be written")
if(EXISTS /dev/full)
  execute_process(COMMAND "${SEGMENT}" --json -o full "${PHOTOS}/exif_1.png"
    WORKING_DIRECTORY "${SCRATCH}" RESULT_VARIABLE result OUTPUT_FILE /dev/full ERROR_QUIET)
  expect_equal("exit with a full stdout" "${result}" "1")
endif()

# Usage: exit 2, nothing on stdout.
foreach(mistake "--threshold;auto,1" "--threshold;1;--segments;3" "--segments;0" "--segments;x"
        "--sweep;1:2" "--sweep;2:1:0.1" "--sweep;0:1:0.1" "--sweep;0.1:1:0.1:" "--sweep;1:2:0.00001"
        --no-such-option "--threshold;0" "--threshold;-1" "--threshold;nan" "--threshold;x"
        "--threshold;" "--anchors;0" "--anchors;4x" "--anchors;4x4x4"
        "--anchors;axb" "--size;0x5" "--size;99999x99999" "--size;-3" "--output" "--trace"
        "--min-area;1.5" "--min-area;nan" "--min-area;x")
  run(2 ${mistake})
  expect_equal("stdout after ${mistake}" "${OUT}" "")
endforeach()
