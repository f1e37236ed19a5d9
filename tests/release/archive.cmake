# SPDX-License-Identifier: MIT
# cmake -DSOURCE=... -DSCRATCH=... -P archive.cmake: two clones with other settings, another time zone
# and another umask give the same archive, which holds what git knows and nothing else.
cmake_minimum_required(VERSION 3.24)

find_program(git git)
if(git)
  execute_process(COMMAND "${git}" -C "${SOURCE}" rev-parse --show-toplevel OUTPUT_VARIABLE top
    RESULT_VARIABLE failed OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
endif()
get_filename_component(root "${SOURCE}" REALPATH)
if(NOT git OR failed OR NOT top STREQUAL root)
  message(STATUS "git, or a clone that it trusts, is missing")
  return()
endif()

file(REMOVE_RECURSE "${SCRATCH}")
file(MAKE_DIRECTORY "${SCRATCH}")
foreach(clone IN ITEMS one two)
  execute_process(COMMAND "${git}" clone --quiet --bare --shared "${SOURCE}" "${SCRATCH}/${clone}.git"
    COMMAND_ERROR_IS_FATAL ANY)
endforeach()
foreach(setting "core.autocrlf true" "core.eol crlf" "tar.umask 0077" "tar.tar.gz.command cat")
  separate_arguments(setting UNIX_COMMAND "${setting}")
  execute_process(COMMAND "${git}" -C "${SCRATCH}/two.git" config ${setting}
    COMMAND_ERROR_IS_FATAL ANY)
endforeach()

function(make_archive clone)
  execute_process(COMMAND "${CMAKE_COMMAND}" "-DROOT=${SCRATCH}/${clone}.git"
    "-DOUT=${SCRATCH}/${clone}" -P "${SOURCE}/cmake/archive.cmake" COMMAND_ERROR_IS_FATAL ANY)
endfunction()
make_archive(one)
set(ENV{TZ} "Pacific/Auckland")
set(ENV{GZIP} "")
make_archive(two)

file(GLOB first RELATIVE "${SCRATCH}/one" "${SCRATCH}/one/*")
file(GLOB second RELATIVE "${SCRATCH}/two" "${SCRATCH}/two/*")
list(LENGTH first count)
if(NOT first STREQUAL second OR NOT count EQUAL 2)
  message(FATAL_ERROR "expected an archive and its sum, got ${first} and ${second}")
endif()
foreach(file IN LISTS first)
  file(SHA256 "${SCRATCH}/one/${file}" sum)
  file(SHA256 "${SCRATCH}/two/${file}" other)
  if(NOT sum STREQUAL other)
    message(FATAL_ERROR "${file} of two clones is not the same")
  endif()
endforeach()

file(GLOB archive "${SCRATCH}/one/*.tar.gz")
get_filename_component(name "${archive}" NAME)
string(REGEX REPLACE "\\.tar\\.gz$" "" name "${name}")
file(ARCHIVE_EXTRACT INPUT "${archive}" DESTINATION "${SCRATCH}/unpacked")
execute_process(COMMAND "${git}" -C "${SOURCE}" -c core.quotePath=off ls-tree -r --name-only HEAD
  OUTPUT_VARIABLE known COMMAND_ERROR_IS_FATAL ANY)
string(REGEX REPLACE "\n$" "" known "${known}")
string(REPLACE "\n" ";" known "${known}")
file(GLOB_RECURSE found LIST_DIRECTORIES false RELATIVE "${SCRATCH}/unpacked/${name}"
  "${SCRATCH}/unpacked/${name}/*")
list(SORT known)
list(SORT found)
if(NOT known STREQUAL found)
  message(FATAL_ERROR "the archive must hold what git knows: ${known}\nbut holds: ${found}")
endif()
file(REMOVE_RECURSE "${SCRATCH}")
list(LENGTH found count)
message(STATUS "${name}: ${count} files, the same bytes from two clones")
