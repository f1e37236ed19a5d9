# SPDX-License-Identifier: MIT
# Drives PROGRAM like a user, in an empty folder SCRATCH; included by the tests of the programs.
cmake_minimum_required(VERSION 3.24)
get_filename_component(PROGRAM_NAME "${PROGRAM}" NAME)
file(REMOVE_RECURSE "${SCRATCH}")
file(MAKE_DIRECTORY "${SCRATCH}")

# Runs the program in SCRATCH; sets OUT and ERR; fails unless it exits with `status` and leaves no
# partial file.
function(run status)
  execute_process(COMMAND "${PROGRAM}" ${ARGN} WORKING_DIRECTORY "${SCRATCH}"
    RESULT_VARIABLE result OUTPUT_VARIABLE out ERROR_VARIABLE err)
  if(NOT result STREQUAL status)
    message(SEND_ERROR
      "${PROGRAM_NAME} ${ARGN}: exit ${result} instead of ${status}\n${out}\n${err}")
  endif()
  file(GLOB_RECURSE partial "${SCRATCH}/*.tmp")
  if(partial)
    message(SEND_ERROR "${PROGRAM_NAME} ${ARGN}: left ${partial}")
  endif()
  set(OUT "${out}" PARENT_SCOPE)
  set(ERR "${err}" PARENT_SCOPE)
endfunction()

function(expect_match what text pattern)
  if(NOT text MATCHES "${pattern}")
    message(SEND_ERROR "${what}: '${pattern}' not found in\n${text}")
  endif()
endfunction()

function(expect_equal what actual expected)
  if(NOT actual STREQUAL expected)
    message(SEND_ERROR "${what}: ${actual} instead of ${expected}")
  endif()
endfunction()

# Line `number` of OUT, counted from 0, into LINE: an object of --json.
function(read_line number)
  set(rest "${OUT}")
  foreach(i RANGE ${number})
    string(FIND "${rest}" "\n" end)
    string(SUBSTRING "${rest}" 0 ${end} line)
    math(EXPR begin "${end} + 1")
    string(SUBSTRING "${rest}" ${begin} -1 rest)
  endforeach()
  set(LINE "${line}" PARENT_SCOPE)
endfunction()

# The value of line `number` of OUT at the keys of ARGN.
function(expect_json_of number expected)
  read_line(${number})
  string(JSON actual GET "${LINE}" ${ARGN})
  expect_equal("${ARGN}" "${actual}" "${expected}")
endfunction()

# The same of the first line.
function(expect_json expected)
  expect_json_of(0 "${expected}" ${ARGN})
endfunction()
