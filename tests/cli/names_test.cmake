# SPDX-License-Identifier: MIT
# Words of several tokens name segments, whatever tokenizer cut them.
cmake_minimum_required(VERSION 3.24)
set(PROGRAM "${SEGMENT}")
include("${CMAKE_CURRENT_LIST_DIR}/program.cmake")
execute_process(COMMAND "${MAKE_ATTENTION}" "${SCRATCH}" COMMAND_ERROR_IS_FATAL ANY)

# A dog on the left; the word of two tokens on the right.
foreach(tokens [[dog</w>", "1</w>", "girl</w>|1girl]] [[dog</w>", "fire</w>", "truck</w>|Fire Truck]]
    [[▁dog", "▁fire", "▁truck|fire truck]] [[Ġdog", "Ġfox", "es|foxes]] [[dog", "play", "##ing|playing]])
  string(REGEX REPLACE "^(.*)\\|(.*)$" "\\1" list "${tokens}")
  string(REGEX REPLACE "^(.*)\\|(.*)$" "\\2" word "${tokens}")
  file(WRITE "${SCRATCH}/words.json" "{\"diffseg\": 1, \"file\": \"all.npz\",
    \"layers\": [{\"array\": \"self_8\"}], \"cross\": [{\"array\": \"cross_8\"}],
    \"tokens\": [\"<s>\", \"${list}\", \"</s>\"]}")
  run(0 --attention words.json --names "dog,${word}" -t 0.9)
  expect_match("${word}" "${OUT}" "\n  dog: 0\n  ${word}: 1\n$")
endforeach()
run(1 --attention words.json --names "dog,play")
expect_match("a part of a word" "${ERR}" "'play' is not among dog, play, ##ing; give one of them")
run(1 --attention words.json --names "dog=7")
expect_match("a column" "${ERR}" "'dog' is to be column 7 of 0..4")
