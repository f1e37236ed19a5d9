# SPDX-License-Identifier: MIT
# Attention out of files, as a user gives it: -DSEGMENT=program -DMAKE_ATTENTION=program
# -DSCRATCH=folder.
cmake_minimum_required(VERSION 3.24)
set(PROGRAM "${SEGMENT}")
include("${CMAKE_CURRENT_LIST_DIR}/program.cmake")
set(PHOTOS "${CMAKE_CURRENT_LIST_DIR}/../files/photos")
execute_process(COMMAND "${MAKE_ATTENTION}" "${SCRATCH}" COMMAND_ERROR_IS_FATAL ANY)

# The value of OUT about the photo at the keys of ARGN.
function(expect_json expected)
  string(JSON actual GET "${OUT}" photos 0 ${ARGN})
  expect_equal("${ARGN}" "${actual}" "${expected}")
endfunction()

# A manifest of `layers` and whatever fields ARGN holds.
function(write_manifest path layers)
  set(fields "")
  foreach(field IN LISTS ARGN)
    string(APPEND fields ",\n${field}")
  endforeach()
  file(WRITE "${SCRATCH}/${path}" "{\"diffseg\": 1,\n\"layers\": [${layers}]${fields}}\n")
endfunction()

# `path` fails with a message that has `pattern`, leaving no result.
function(expect_refusal pattern)
  run(1 -o refused --attention ${ARGN})
  expect_match("refusal of ${ARGN}" "${ERR}" "^segment: .*${pattern}")
  file(GLOB left "${SCRATCH}/refused/*")
  expect_equal("files of ${ARGN}" "${left}" "")
endfunction()

function(expect_manifest_refusal pattern layers)
  write_manifest(bad/manifest.json "${layers}" ${ARGN})
  expect_refusal("bad/manifest.json: ${pattern}" bad/manifest.json)
endfunction()

# One answer from every format, on the size that models have.
run(0 --json --attention npy)
expect_json(ON ok)
expect_json(2 labels)
expect_json(512 label_size height)
expect_json(8 grid width)
expect_json(64 proposals 0)
expect_json(npy.labels.png files labels)
expect_json(0.5 shares 1)
file(SHA256 "${SCRATCH}/npy.labels.png" expected)
function(expect_same what file)
  file(SHA256 "${SCRATCH}/${file}" actual)
  expect_equal("labels of ${what}" "${actual}" "${expected}")
endfunction()
run(0 --attention all.npz)
expect_match("summary" "${OUT}" "^all.npz: 512x512, 2 segments in [0-9]+ ms -> all.labels.png\n$")
expect_same(npz all.labels.png)
run(0 -o safetensors --attention all.safetensors)
expect_same(safetensors safetensors/all.labels.png)
run(0 -o files --attention npy/self_4.npy npy/self_8.npy)
expect_same(files files/self_4.labels.png)

# Manifests: what the arrays are, wherever they lie.
set(tokens "\"tokens\": [\"<start>\", \"Cat</w>\", \"hel\", \"met</w>\", \"<end>\"]")
set(about "\"model\": \"none\", \"prompt\": \"a cat\", \"timestep\": 300")
set(cross "\"cross\": [{\"file\": \"all.npz\", \"array\": \"cross_8\", \"queries\": [8, 8]},
  {\"file\": \"all.npz\", \"array\": \"cross_4\"}]")
write_manifest(probabilities.json "{\"file\": \"npy/self_8.npy\", \"weight\": 8},
  {\"file\": \"all.safetensors\", \"array\": \"self_4\", \"kind\": \"probabilities\", \"weight\": 4}"
  "${tokens}" "${about}" "${cross}")
run(0 --attention probabilities.json)
expect_same(probabilities probabilities.labels.png)
write_manifest(scores.json "{\"array\": \"scores_8\", \"kind\": \"scores\", \"queries\": [8, 8]}"
  "\"file\": \"raw.npz\"")
run(0 --attention scores.json)
expect_same(scores scores.labels.png)
write_manifest(products.json "{\"kind\": \"queries_keys\", \"query\": \"q_8\", \"key\": \"k_8\",
  \"scale\": 4.59512}" "\"file\": \"raw.npz\"")
run(0 --attention products.json)
expect_same("queries and keys" products.labels.png)
file(MAKE_DIRECTORY "${SCRATCH}/one")
file(COPY "${SCRATCH}/npy/self_8.npy" DESTINATION "${SCRATCH}/one")
write_manifest(one/manifest.json "{\"file\": \"self_8.npy\"}")
run(0 --attention one/)
expect_same("a folder with a manifest" one.labels.png)

# Tokens that are no cells: by the command line, or by the manifest, whose own go before its common
# ones and behind the command line's.
run(0 --skip-first 1 --attention tokens/class.npy)
expect_same("no class token" class.labels.png)
run(0 --skip-first 2 --skip-last 2 --attention tokens/others.npy)
expect_same("no class tokens and no text" others.labels.png)
set(skip_four "\"skip\": {\"first\": 2, \"last\": 2}")
set(skip_one "\"skip\": {\"first\": 1}")
set(skip_ranges "\"skip\": {\"ranges\": [[66, 68], [0, 2]]}")
set(others "\"file\": \"tokens/others.npy\"")
set(raw "\"file\": \"tokens/raw.npz\"")
set(scores "\"kind\": \"scores\", \"array\": \"scores\"")
set(products "\"kind\": \"queries_keys\", \"query\": \"q\", \"key\": \"k\", \"scale\": 4.59512")
write_manifest(skip.json "{${others}}, {${raw}, ${scores}}, {${raw}, ${products}}" "${skip_four}")
run(0 --attention skip.json)
expect_same("skip of all layers" skip.labels.png)
foreach(layer "${others}" "${raw}, ${scores}" "${raw}, ${products}")
  write_manifest(skip.json "{${layer}, ${skip_ranges}, \"queries\": [8, 8]}" "${skip_one}")
  run(0 --attention skip.json)
  expect_same("ranges of ${layer}" skip.labels.png)
  write_manifest(skip.json "{${layer}, ${skip_one}}")
  run(0 --skip-first 2 --skip-last 2 --attention skip.json)
  expect_same("the command line before ${layer}" skip.labels.png)
endforeach()
expect_refusal("class.npy: shape: holds 65 queries, no square, but 8 x 8 after skipping 1 in front .a class token.; .*; tokens are skipped by --skip-first" tokens/class.npy)
write_manifest(skip.json "{${others}, \"queries\": [2, 32]}")
expect_refusal("others.npy: .*not on a grid of 2 x 32, but 2 x 32 after skipping 4 in front" skip.json)
write_manifest(skip.json "{${others}, \"queries\": [2, 31]}")
expect_refusal("not on a grid of 2 x 31, unless 6 of them are no cells .text. and are" skip.json)
write_manifest(skip.json "{${raw}, ${products}}")
expect_refusal("raw.npz.q.: shape: holds 68 queries, no square, but 8 x 8 after skipping" skip.json)
write_manifest(skip.json "{${raw}, ${products}, ${skip_one}}")
expect_refusal("skip_tokens: .*the grid must hold the 67 tokens that are left" skip.json)
write_manifest(skip.json "{${others}, \"skip\": {\"first\": 68}}")
expect_refusal("others.npy: skip: must leave some of the 68 tokens" skip.json)

# A batch of one, the mean over heads; what lies beside attention is told and passed over.
foreach(array batch mean)
  run(0 --attention tokens/${array}.npy)
  expect_same("${array}" ${array}.labels.png)
  expect_equal("stderr of ${array}" "${ERR}" "")
endforeach()
write_manifest(batch.json "{\"array\": \"self\"}" "\"file\": \"tokens/batch.npz\""
  "\"cross\": [{\"array\": \"cross\", \"queries\": [8, 8]}]")
foreach(file batch.json tokens/batch.npz)
  run(0 --attention ${file} --names "lid=2-3,pet=1")
  expect_same("a batch of one of ${file}" batch.labels.png)
  expect_match("names of ${file}" "${OUT}" "\n  lid: 1\n  pet: 0\n$")
endforeach()
run(0 --attention tokens/extra.npz)
expect_same("attention beside other arrays" extra.labels.png)
expect_match("latents" "${ERR}" "segment: passed over tokens/extra.npz.latents.: rows: are negative")
expect_match("prompt" "${ERR}" "segment: passed over tokens/extra.npz.prompt.: shape: .1, 77, 2. is no")
expect_match("timestep" "${ERR}" "segment: passed over tokens/extra.npz.timestep.: shape: .. is no")
expect_match("words" "${ERR}" "segment: passed over tokens/extra.npz.words.: descr: must be")
expect_refusal("no_attention.npz: Aggregate: attention must be finite and >= 0" tokens/no_attention.npz)

# Another size, a photo below, other options.
run(0 -o photo --json --attention all.npz --image "${PHOTOS}/exif_1.png")
expect_json("${PHOTOS}/exif_1.png" photo)
expect_json(all.npz attention 0)
expect_json(48 label_size height)
expect_json(80 size width)
expect_json(photo/all.overlay.png files overlay)
run(0 --json -o options --size 20x30 --anchors 4 -t 1.2,1 --refine --tidy --attention all.npz)
expect_json(30 label_size width)
expect_json(16 proposals 0)
expect_json(2 labels)
run(0 --profile -o options --attention all.npz)
if(ERR MATCHES "Refine|Tidy|Affinity")
  message(SEND_ERROR "attention ran through more than DiffSeg:\n${ERR}")
endif()

# Thresholds: a known model's own, else what suits the maps; or asked for.
function(expect_thresholds expected)
  string(JSON actual GET "${OUT}" thresholds)
  expect_equal("thresholds of all" "${actual}" "${expected}")
endfunction()
set(self "{\"file\": \"all.npz\", \"array\": \"self_8\"}")
write_manifest(known.json "${self}" "\"model\": \"DINOv2-small\"")
run(0 --json -o thresholds --attention known.json)
expect_thresholds(model)
expect_match("the model's thresholds" "${OUT}" "0.3,\n *0.3,\n *0.3\n")
write_manifest(known.json "${self}" "\"model\": \"stable-diffusion-v1-5/stable-diffusion-v1-5\"")
run(0 --json -o thresholds --attention known.json)
expect_match("the model's thresholds" "${OUT}" "0.9,\n *0.9,\n *0.9\n")
run(0 --json -o thresholds --attention known.json --threshold auto)
expect_thresholds(auto)
string(JSON chosen GET "${OUT}" photos 0 thresholds 0)
if(chosen EQUAL 0.9)
  message(SEND_ERROR "auto took the model's threshold")
endif()
expect_json(2 labels)
run(0 --json -o thresholds --attention all.npz --segments 2)
expect_thresholds("{\n  \"segments\" : 2\n}")
expect_json(2 labels)
run(0 --json -o thresholds --attention all.npz -t 0.9 --sweep 0.5:1.5:0.5)
string(JSON points LENGTH "${OUT}" photos 0 sweep)
expect_equal("points of the sweep" "${points}" 3)
expect_json(1.5 sweep 2 threshold)
expect_json(2 sweep 0 segments)
run(0 -o thresholds --attention all.npz -t 0.9 --sweep 0.5:1.5:0.5)
expect_match("sweep" "${OUT}"
  "png\n  threshold  segments  information  entropy   score\n +0.500 +2 +[01].[0-9]+ +0.693 ")
# Of twelve layers a preset takes three: without the others it is the same.
string(REPEAT ", {\"file\": \"all.npz\", \"array\": \"self_4\"}" 6 coarse)
string(SUBSTRING "${coarse}" 2 -1 coarse)
write_manifest(twelve.json "${coarse}, ${self}, ${self}, ${self},
  {\"file\": \"all.npz\", \"array\": \"self_4\"}, {\"file\": \"all.npz\", \"array\": \"self_4\"},
  {\"file\": \"all.npz\", \"array\": \"self_4\"}" "\"model\": \"dinov2\"")
write_manifest(three.json "${self}, ${self}, ${self}" "\"model\": \"dinov2\"")
run(0 -o thresholds --attention twelve.json)
run(0 -o thresholds --attention three.json)
file(SHA256 "${SCRATCH}/thresholds/twelve.labels.png" twelve)
file(SHA256 "${SCRATCH}/thresholds/three.labels.png" three)
expect_equal("labels of the preset's layers" "${twelve}" "${three}")
# One segment in all is no failure, but said.
run(0 --json -o thresholds --attention all.npz -t 30)
expect_match("hint" "${ERR}" "^segment: all.npz: one segment in all, at the threshold 30; try --threshold auto or a")
expect_json(1 labels)
string(JSON hint GET "${OUT}" photos 0 hint)
expect_match("hint in JSON" "${hint}" "^one segment in all.*--segments K")
run(0 -o thresholds --attention all.npz --segments 1)
expect_equal("no hint where one was wanted" "${ERR}" "")
# No sinks there, so nothing is left out.
run(0 -o sinks --sinks 0.1 --attention all.npz)
expect_same("no sinks" sinks/all.labels.png)

# Names: by the tokens' texts, or by column.
run(0 --json -o names --attention probabilities.json --names cat,helmet)
expect_json(cat names 0 word)
expect_json(0 names 0 labels 0)
expect_json(helmet names 1 word)
expect_json(1 names 1 labels 0)
run(0 -o names --attention all.npz --names "lid=2-3,pet=1")
expect_match("names" "${OUT}" "\n  lid: 1\n  pet: 0\n$")
run(1 -o refused --attention probabilities.json --names dog)
expect_match("no such word" "${ERR}" "probabilities.json: tokens: 'dog' is not among Cat</w>, hel")
run(1 -o refused --attention probabilities.json --names met)
expect_match("part of a word" "${ERR}" "tokens: 'met' is not among")
run(1 -o refused --attention all.npz --names cat)
expect_match("no texts" "${ERR}" "all.npz: tokens: are not known; give the columns")
run(1 -o refused --attention all.npz --names cat=4-5)
expect_match("no such column" "${ERR}" "cross: 'cat' is to be column 5 of 0..4")
run(1 -o refused --attention npy/self_8.npy --names cat=1)
expect_match("no cross-attention" "${ERR}" "self_8.npy: cross: --names needs cross-attention")

# Arrays that are no attention.
expect_refusal("missing.npy: .*(open|read|exist)" missing.npy)
expect_refusal("cat.jpg: name: must end in .npy" all.npz cat.jpg)
expect_refusal("flat.npy: shape: attention is" bad/flat.npy)
expect_refusal("row.npy: shape: holds 12 queries, no square" bad/row.npy)
expect_refusal("Aggregate: attention must be finite.*layer 0 .bad/nan.npy., head 1, query 2" bad/nan.npy)
expect_refusal("bad/cross.npy: shape: no self-attention" bad/cross.npy)
expect_refusal("bad/cut.npz: " bad/cut.npz)
expect_refusal("bad/text.npy: " bad/text.npy)
expect_refusal("one/manifest.json: file: a manifest lists all" one all.npz)
file(MAKE_DIRECTORY "${SCRATCH}/empty" "${SCRATCH}/two")
expect_refusal("empty: folder: holds no .npy" empty)
file(WRITE "${SCRATCH}/two/a.json" "")
file(WRITE "${SCRATCH}/two/b.json" "")
expect_refusal("two: folder: holds several .json" two)
file(WRITE "${SCRATCH}/bad/broken.json" "{\"diffseg\": 1")
expect_refusal("broken.json: manifest: is no JSON" bad/broken.json)
file(WRITE "${SCRATCH}/bad/list.json" "[]")
expect_refusal("list.json: manifest: must be an object" bad/list.json)
file(WRITE "${SCRATCH}/bad/version.json" "{\"diffseg\": 2, \"layers\": [{\"file\": \"a.npy\"}]}")
expect_refusal("version.json: diffseg: must be 1" bad/version.json)

# Manifests that say what cannot be.
set(good "{\"file\": \"../all.npz\", \"array\": \"self_8\"}")
expect_manifest_refusal("layers: must list" "")
expect_manifest_refusal("wieghts: is not known here; known are diffseg," "${good}" "\"wieghts\": []")
expect_manifest_refusal("layers.0..size: is not known" "{\"size\": 1}")
expect_manifest_refusal("layers.1.: must be an object" "${good}, 3")
expect_manifest_refusal("layers.0..file: is missing" "{\"array\": \"self_8\"}")
expect_manifest_refusal("layers.0..array: is missing" "{\"file\": \"../all.npz\"}")
expect_manifest_refusal("layers.0..kind: must be probabilities"
  "{\"file\": \"../all.npz\", \"array\": \"self_8\", \"kind\": \"logits\"}")
expect_manifest_refusal("layers.0..scale: belongs to the kind"
  "{\"file\": \"../all.npz\", \"array\": \"self_8\", \"scale\": 1}")
expect_manifest_refusal("layers.0..queries: must be .height, width., both >= 1, got .8."
  "{\"file\": \"../all.npz\", \"array\": \"self_8\", \"queries\": [8]}")
expect_manifest_refusal("layers.0..skip.fist: is not known here; known are first, last, ranges"
  "{\"file\": \"../all.npz\", \"array\": \"self_8\", \"skip\": {\"fist\": 1}}")
expect_manifest_refusal("layers.0..skip.last: must be a number of tokens >= 0, got -1"
  "{\"file\": \"../all.npz\", \"array\": \"self_8\", \"skip\": {\"last\": -1}}")
expect_manifest_refusal("skip.ranges: must be .begin, end. of tokens counted from 0, .*got .3,3."
  "${good}" "\"skip\": {\"ranges\": [[3, 3]]}")
expect_manifest_refusal("skip: must be an object" "${good}" "\"skip\": 1")
expect_manifest_refusal("cross.0..skip: is not known" "${good}"
  "\"cross\": [{\"file\": \"../all.npz\", \"array\": \"cross_8\", \"skip\": {\"first\": 1}}]")
expect_manifest_refusal("layers.0..weight: must be a number >= 0, got -1"
  "{\"file\": \"../all.npz\", \"array\": \"self_8\", \"weight\": -1}")
expect_manifest_refusal("layers.1..weight: must be given for all"
  "${good}, {\"file\": \"../all.npz\", \"array\": \"self_4\", \"weight\": 4}")
expect_manifest_refusal("layers: must have a weight above 0"
  "{\"file\": \"../all.npz\", \"array\": \"self_4\", \"weight\": 0}")
expect_manifest_refusal("tokens.1.: must be a text" "${good}" "\"tokens\": [\"a\", 3]")
expect_manifest_refusal("cross.0..kind: is not known" "${good}"
  "\"cross\": [{\"kind\": \"scores\", \"file\": \"../all.npz\", \"array\": \"cross_8\"}]")
set(raw "\"file\": \"../raw.npz\", \"kind\": \"queries_keys\"")
expect_manifest_refusal("layers.0..key: is missing" "{${raw}, \"query\": \"q_8\"}")
expect_manifest_refusal("layers.0..scale: must be a number > 0, got 0"
  "{${raw}, \"query\": \"q_8\", \"key\": \"k_8\", \"scale\": 0}")
write_manifest(bad/manifest.json "{\"file\": \"../all.npz\", \"array\": \"self_9\"}")
expect_refusal("all.npz: member: there is no 'self_9'" bad/manifest.json)
write_manifest(bad/manifest.json "{\"file\": \"../all.npz\", \"array\": \"self_8\", \"queries\": [4, 8]}")
expect_refusal("all.npz.self_8.: shape: holds 64 queries, not on a grid of 4 x 8" bad/manifest.json)
write_manifest(bad/manifest.json "{\"file\": \"../npy/self_8.npy\", \"array\": \"self_8\"}")
expect_refusal("self_8.npy: array: a .npy file holds one array" bad/manifest.json)
write_manifest(bad/manifest.json "${good}" "\"tokens\": [\"a\"]" "\"file\": \"../all.npz\""
  "\"cross\": [{\"array\": \"cross_8\"}]")
expect_refusal("manifest.json: tokens: cross-attention of 5 tokens beside 1 texts" bad/manifest.json)

# Usage: exit 2, nothing on stdout.
foreach(mistake "--attention" "--sinks;0.1" "--attention;all.npz;--sinks;0"
        "--attention;all.npz;--sinks;1.5" "--names;cat" "--image;${PHOTOS}/exif_1.png"
        "${PHOTOS}/exif_1.png;--attention;all.npz" "--attention;all.npz;--names;=5"
        "--attention;all.npz;--names;cat=" "--attention;all.npz;--names;cat=3-2"
        "--attention;all.npz;--names;cat=-1" "--attention;all.npz;--names;cat=x"
        "--skip-first;1" "--attention;all.npz;--skip-first;-1" "--attention;all.npz;--skip-last;x")
  run(2 ${mistake})
  expect_equal("stdout after ${mistake}" "${OUT}" "")
endforeach()
