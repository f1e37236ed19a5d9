# SPDX-License-Identifier: MIT
# cmake -DROOT=... -DVERSION=... -P version.cmake: whatever tells a version tells that of CMakeLists.txt,
# and what is made from it (Conan, Python, archive) finds it there.
cmake_minimum_required(VERSION 3.24)

# The first match of `pattern` in `file` must be the version, where the file is there.
function(expect file pattern)
  if(NOT EXISTS "${ROOT}/${file}")
    message(STATUS "${file} is not there")
    return()
  endif()
  file(READ "${ROOT}/${file}" text)
  if(NOT text MATCHES "${pattern}")
    message(SEND_ERROR "${file}: nothing matches ${pattern}")
  elseif(NOT CMAKE_MATCH_1 STREQUAL VERSION)
    message(SEND_ERROR "${file}: the version must be ${VERSION}, got ${CMAKE_MATCH_1}")
  endif()
endfunction()

set(number "([0-9]+\\.[0-9]+\\.[0-9]+)")
expect(CMakeLists.txt "project\\(diffseg VERSION ${number} ")
expect(CITATION.cff "\nversion: ${number}\n")
expect(cmake/packaging/vcpkg/diffseg/vcpkg.json "\"version\": \"${number}\"")
# A heading that says that it is not released yet may be of an earlier plan.
file(STRINGS "${ROOT}/CHANGELOG.md" headings REGEX "^## ")
list(GET headings 0 heading)
if(NOT heading MATCHES "not yet released")
  expect(CHANGELOG.md "\n## ${number}[ \n]")
endif()
# These read it; a copy would have to be kept in step.
foreach(file IN ITEMS pyproject.toml python/CMakeLists.txt cmake/archive.cmake
    cmake/packaging/conan/conanfile.py)
  file(READ "${ROOT}/${file}" text)
  if(NOT text MATCHES "project.*diffseg VERSION")
    message(SEND_ERROR "${file}: must read the version from CMakeLists.txt")
  endif()
  string(REPLACE "." "\\." copy "${VERSION}")
  if(text MATCHES "[^0-9.]${copy}[^0-9.]")
    message(SEND_ERROR "${file}: must not repeat ${VERSION}")
  endif()
endforeach()
