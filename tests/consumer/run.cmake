# SPDX-License-Identifier: MIT
# Configures, builds and runs one consumer; MODE names the way in.
cmake_minimum_required(VERSION 3.24)

set(prefix "${SCRATCH}/moved")
set(main "${SOURCE}/tests/consumer/main.cpp")
set(work "${SCRATCH}/${MODE}")
file(REMOVE_RECURSE "${work}")
file(MAKE_DIRECTORY "${work}")

function(run)
  execute_process(COMMAND ${ARGN} WORKING_DIRECTORY "${work}" COMMAND_ECHO STDOUT
    COMMAND_ERROR_IS_FATAL ANY)
endfunction()

if(MODE STREQUAL "install")
  # Moved after the installation: nothing in it may know where it was.
  file(REMOVE_RECURSE "${prefix}")
  run("${CMAKE_COMMAND}" --install "${BUILD}" --prefix "${work}/prefix")
  file(RENAME "${work}/prefix" "${prefix}")
  file(GLOB_RECURSE texts "${prefix}/share/*.cmake" "${prefix}/share/*.pc")
  foreach(file IN LISTS texts)
    file(STRINGS "${file}" lines REGEX "${SOURCE}|${BUILD}|-Wall")
    if(lines)
      message(FATAL_ERROR "${file} holds a local path or a warning flag: ${lines}")
    endif()
  endforeach()
elseif(MODE STREQUAL "pkg_config")
  if(NOT PKG_CONFIG)
    message(STATUS "pkg-config is missing, nothing was tested")
    return()
  endif()
  set(ENV{PKG_CONFIG_PATH} "${prefix}/share/pkgconfig:$ENV{PKG_CONFIG_PATH}")
  execute_process(COMMAND "${PKG_CONFIG}" --cflags --libs "diffseg >= ${VERSION}"
    OUTPUT_VARIABLE flags OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
  separate_arguments(flags UNIX_COMMAND "${flags}")
  run("${CXX}" -std=c++20 "${main}" -o consumer ${flags})
  run("${work}/consumer")
elseif(MODE STREQUAL "plain")
  run("${CXX}" -std=c++20 -fopenmp -I "${SOURCE}/include" -I "${EIGEN}" "${main}" -o consumer)
  run("${work}/consumer")
else()
  set(folder "${MODE}")
  if(MODE MATCHES "^(.*)_serial$")  # a compiler without OpenMP
    set(folder "${CMAKE_MATCH_1}")
    set(no_openmp -DCMAKE_DISABLE_FIND_PACKAGE_OpenMP=ON)
  endif()
  run("${CMAKE_COMMAND}" -S "${SOURCE}/tests/consumer/${folder}" -B . ${no_openmp} -G "${GENERATOR}"
    "-DCMAKE_CXX_COMPILER=${CXX}" "-DCMAKE_PREFIX_PATH=${prefix}" "-DEigen3_DIR=${EIGEN_CONFIG}"
    "-DDIFFSEG_SOURCE=${SOURCE}" "-DVERSION=${VERSION}")
  run("${CMAKE_COMMAND}" --build .)
  run("${work}/consumer")
endif()
