# SPDX-License-Identifier: MIT
# Fails when ctest knows fewer tests of the library than FLOOR, or when a name cannot be selected by Catch2.
cmake_minimum_required(VERSION 3.24)

file(GLOB_RECURSE sources "${SOURCE}/*_test.cpp")
foreach(source IN LISTS sources)
  file(STRINGS "${source}" names REGEX "TEST_CASE\\(\"[^\"]*[];,[][^\"]*\"")
  if(NOT names STREQUAL "")
    message(SEND_ERROR "${source}: test names must not contain ; , [ or ], got ${names}")
  endif()
endforeach()

execute_process(COMMAND "${CTEST}" -N -L "stages|readers|long" WORKING_DIRECTORY "${BUILD}"
  OUTPUT_VARIABLE listing COMMAND_ERROR_IS_FATAL ANY)
string(REGEX MATCH "Total Tests: ([0-9]+)" found "${listing}")
if(NOT found OR CMAKE_MATCH_1 LESS FLOOR)
  message(FATAL_ERROR "expected at least ${FLOOR} tests, got ${CMAKE_MATCH_1}")
endif()
message(STATUS "${CMAKE_MATCH_1} tests, at least ${FLOOR} asked")
