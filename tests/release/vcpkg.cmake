# SPDX-License-Identifier: MIT
# cmake -DSOURCE=... -DSCRATCH=... -DCXX=... -DEIGEN_CONFIG=... -P vcpkg.cmake: the port installs headers,
# package config and licence where vcpkg wants them. The functions of vcpkg that it calls stand below, as
# its documentation has them; what else vcpkg does with a port, nobody looks at here.
cmake_minimum_required(VERSION 3.24)

set(port "${SOURCE}/cmake/packaging/vcpkg/diffseg")
file(READ "${port}/vcpkg.json" manifest)
string(JSON PORT GET "${manifest}" name)
foreach(key IN ITEMS version description license dependencies)
  string(JSON value GET "${manifest}" ${key})
endforeach()
set(CURRENT_PACKAGES_DIR "${SCRATCH}/package")
file(REMOVE_RECURSE "${SCRATCH}")

function(run)
  execute_process(COMMAND ${ARGN} OUTPUT_QUIET COMMAND_ERROR_IS_FATAL ANY)
endfunction()

# CMake of "host" dependencies that the manifest must name.
function(require_dependency name)
  if(NOT manifest MATCHES "{\"name\": \"${name}\", \"host\": true}")
    message(FATAL_ERROR "vcpkg.json: ${name} must be a host dependency")
  endif()
endfunction()

function(vcpkg_cmake_configure)
  require_dependency(vcpkg-cmake)
  cmake_parse_arguments(PARSE_ARGV 0 given "" "SOURCE_PATH" "OPTIONS")
  run("${CMAKE_COMMAND}" -S "${given_SOURCE_PATH}" -B "${SCRATCH}/build" ${given_OPTIONS}
    "-DCMAKE_CXX_COMPILER=${CXX}" "-DEigen3_DIR=${EIGEN_CONFIG}" -DCMAKE_BUILD_TYPE=Release
    "-DCMAKE_INSTALL_PREFIX=${CURRENT_PACKAGES_DIR}")
endfunction()

function(vcpkg_cmake_install)
  run("${CMAKE_COMMAND}" --build "${SCRATCH}/build" --target install)
endfunction()

function(vcpkg_cmake_config_fixup)
  require_dependency(vcpkg-cmake-config)
  cmake_parse_arguments(PARSE_ARGV 0 given "" "PACKAGE_NAME;CONFIG_PATH" "")
  file(RENAME "${CURRENT_PACKAGES_DIR}/${given_CONFIG_PATH}"
    "${CURRENT_PACKAGES_DIR}/share/${given_PACKAGE_NAME}")
  file(REMOVE "${CURRENT_PACKAGES_DIR}/share/cmake")  # an empty folder alone may go
endfunction()

function(vcpkg_fixup_pkgconfig)
  if(NOT EXISTS "${CURRENT_PACKAGES_DIR}/share/pkgconfig/diffseg.pc")
    message(FATAL_ERROR "share/pkgconfig/diffseg.pc is not there")
  endif()
endfunction()

function(vcpkg_install_copyright)
  cmake_parse_arguments(PARSE_ARGV 0 given "" "" "FILE_LIST")
  file(COPY_FILE "${given_FILE_LIST}" "${CURRENT_PACKAGES_DIR}/share/${PORT}/copyright")
endfunction()

include("${port}/portfile.cmake")

file(GLOB_RECURSE headers RELATIVE "${SOURCE}" "${SOURCE}/include/*")
set(expected ${headers} share/pkgconfig/diffseg.pc)
foreach(file IN ITEMS copyright usage diffseg-config.cmake diffseg-config-version.cmake
    diffseg-formats.cmake diffseg-targets.cmake)
  list(APPEND expected "share/diffseg/${file}")
endforeach()
file(GLOB_RECURSE found LIST_DIRECTORIES false RELATIVE "${CURRENT_PACKAGES_DIR}"
  "${CURRENT_PACKAGES_DIR}/*")
list(SORT expected)
list(SORT found)
if(NOT expected STREQUAL found)
  message(FATAL_ERROR "expected ${expected}\nbut the port installs ${found}")
endif()
list(LENGTH found count)
message(STATUS "${count} files")
