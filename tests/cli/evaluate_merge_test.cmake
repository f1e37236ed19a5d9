# SPDX-License-Identifier: MIT
# Parts of the photos, scored apart and put together, are scored as one: the same JSON, byte for byte.
cmake_minimum_required(VERSION 3.24)
set(PROGRAM "${EVALUATE}")
include("${CMAKE_CURRENT_LIST_DIR}/program.cmake")
set(LABELS "${CMAKE_CURRENT_LIST_DIR}/../files/labels")

# report(NAME ARGS...): what evaluate --json prints, in NAME.json and OUT.
function(report name status)
  run(${status} --json ${ARGN})
  file(WRITE "${SCRATCH}/${name}.json" "${OUT}")
  set(OUT "${OUT}" PARENT_SCOPE)
endfunction()

file(MAKE_DIRECTORY "${SCRATCH}/t1" "${SCRATCH}/t2" "${SCRATCH}/t3" "${SCRATCH}/none")
file(COPY "${LABELS}/truths/whole.png" DESTINATION "${SCRATCH}/t1")
file(COPY "${LABELS}/truths/halves.truth0.png" "${LABELS}/truths/halves.truth1.png"
  DESTINATION "${SCRATCH}/t2")
file(COPY "${LABELS}/truths/deep.truth0.png" "${LABELS}/truths/deep.truth10.png"
  "${LABELS}/truths/deep.truth2.png" DESTINATION "${SCRATCH}/t3")
foreach(options "" "--classes;1000;--ignore;255")
  foreach(part 1 2 3)
    report(r${part} 0 ${options} "${LABELS}/predictions" t${part})
  endforeach()
  report(none 1 ${options} "${LABELS}/predictions" none)
  report(whole 0 ${options} "${LABELS}/predictions" "${LABELS}/truths")
  set(expected "${OUT}")
  run(0 --json --merge r1.json r2.json none.json r3.json)
  expect_equal("merged, ${options}" "${OUT}" "${expected}")
  run(0 --json --merge r3.json r1.json r2.json)
  expect_equal("in another order, ${options}" "${OUT}" "${expected}")
  run(0 ${options} "${LABELS}/predictions" "${LABELS}/truths")
  set(expected "${OUT}")
  run(0 --merge r1.json r2.json r3.json)
  expect_equal("as a table, ${options}" "${OUT}" "${expected}")
  # What was merged can be merged again.
  run(0 --json --merge r1.json r2.json)
  file(WRITE "${SCRATCH}/r12.json" "${OUT}")
  run(0 --merge r12.json r3.json)
  expect_equal("twice merged, ${options}" "${OUT}" "${expected}")
endforeach()

# Every part knows all truths, but only its own predictions: scored anywhere is scored.
foreach(part 1 2)
  file(MAKE_DIRECTORY "${SCRATCH}/p${part}")
endforeach()
file(COPY "${LABELS}/predictions/whole.png" "${LABELS}/predictions/deep.labels.png"
  DESTINATION "${SCRATCH}/p1")
file(COPY "${LABELS}/predictions/halves.labels.png" DESTINATION "${SCRATCH}/p2")
report(q1 1 p1 "${LABELS}/truths")
report(q2 1 p2 "${LABELS}/truths")
report(whole 0 "${LABELS}/predictions" "${LABELS}/truths")
set(expected "${OUT}")
run(0 --json --merge q1.json q2.json)
expect_equal("dealt predictions" "${OUT}" "${expected}")
run(1 --merge q1.json)
expect_match("never scored" "${ERR}" "halves: has no prediction")

# Mistakes: nothing on stdout but scores, and what to do.
run(1 --merge whole.json q2.json)
expect_equal("no scores" "${OUT}" "")
expect_match("twice" "${ERR}" "q2.json: halves is scored in whole.json too; give each photo once")
report(classes 0 --classes 1000 "${LABELS}/predictions" t1)
run(1 --merge q2.json classes.json)
expect_match("classes" "${ERR}" "classes.json: has 1000 classes, .* before it 0; evaluate all with the same")
file(WRITE "${SCRATCH}/bad.json" "{\"photos\": 3}")
file(WRITE "${SCRATCH}/cut.json" "{\"photos\": [")
file(WRITE "${SCRATCH}/beyond.json" "{\"photos\": [], \"class_pixels\": {\"classes\": 1, \"predictions\": 1,
  \"unmatched_ignored\": {\"true_positives\": [0], \"false_positives\": [0], \"false_negatives\": [0], \"pixels\": 0},
  \"unmatched_as_false_positives\": {\"true_positives\": [0], \"false_positives\": [0], \"false_negatives\": [0], \"pixels\": 0},
  \"confusion\": [[0, 1, 5]]}}")
foreach(name bad cut beyond missing)
  run(1 --merge q1.json ${name}.json)
  expect_match("${name}" "${ERR}" "evaluate: ${name}.json: .*; (give what evaluate --json printed|check the name)")
endforeach()
run(2 --merge whole.json --classes 3)
run(2 --merge)
run(2)
