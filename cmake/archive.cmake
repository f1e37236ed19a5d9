# SPDX-License-Identifier: MIT
# cmake [-DOUT=FOLDER] [-DREVISION=HEAD] [-DROOT=CLONE] -P cmake/archive.cmake: diffseg-VERSION.tar.gz
# with what git knows of REVISION, and its sum beside it. The same revision gives the same bytes, in
# every clone: no time but the commit's, no user, no time in gzip's head, no settings of git's.
cmake_minimum_required(VERSION 3.24)

if(NOT DEFINED ROOT)
  get_filename_component(ROOT "${CMAKE_CURRENT_LIST_DIR}" DIRECTORY)
endif()
if(NOT DEFINED OUT)
  set(OUT "${ROOT}/build/archive")
endif()
if(NOT DEFINED REVISION)
  set(REVISION HEAD)
endif()
get_filename_component(OUT "${OUT}" ABSOLUTE)
find_program(git git REQUIRED)
find_program(gzip gzip REQUIRED)
# Each of these would change bytes.
set(git "${git}" -C "${ROOT}" -c core.autocrlf=false -c core.eol=lf -c core.attributesFile=/dev/null
  -c tar.umask=0022)

execute_process(COMMAND ${git} show "${REVISION}:CMakeLists.txt"
  OUTPUT_VARIABLE text COMMAND_ERROR_IS_FATAL ANY)
if(NOT text MATCHES "project\\(diffseg VERSION ([0-9.]+)")
  message(FATAL_ERROR "CMakeLists.txt of ${REVISION} tells no version")
endif()
set(name "diffseg-${CMAKE_MATCH_1}")

file(MAKE_DIRECTORY "${OUT}")
execute_process(COMMAND ${git} archive --format=tar "--prefix=${name}/" "${REVISION}"
  COMMAND "${gzip}" -9 -n OUTPUT_FILE "${OUT}/${name}.tar.gz" COMMAND_ERROR_IS_FATAL ANY)
file(SHA256 "${OUT}/${name}.tar.gz" sum)
file(WRITE "${OUT}/${name}.tar.gz.sha256" "${sum}  ${name}.tar.gz\n")
message(STATUS "${OUT}/${name}.tar.gz ${sum}")
