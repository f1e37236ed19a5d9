# SPDX-License-Identifier: MIT
# cmake -DSOURCE=... -DPREFIX=... -P installed.cmake: what lies below PREFIX is each header of include/,
# byte for byte, and the files named here; nothing more, nothing less.
cmake_minimum_required(VERSION 3.24)

file(GLOB_RECURSE headers RELATIVE "${SOURCE}" "${SOURCE}/include/*")
set(expected ${headers} share/doc/diffseg/LICENSE share/pkgconfig/diffseg.pc)
foreach(part IN ITEMS config config-version formats targets)
  list(APPEND expected "share/cmake/diffseg/diffseg-${part}.cmake")
endforeach()

file(GLOB_RECURSE found LIST_DIRECTORIES false RELATIVE "${PREFIX}" "${PREFIX}/*")
set(more ${found})
list(REMOVE_ITEM more ${expected})
set(fewer ${expected})
list(REMOVE_ITEM fewer ${found})
if(more OR fewer)
  message(FATAL_ERROR "${PREFIX} holds too much: ${more}; it lacks: ${fewer}")
endif()
foreach(header IN LISTS headers)
  file(SHA256 "${SOURCE}/${header}" sum)
  file(SHA256 "${PREFIX}/${header}" other)
  if(NOT sum STREQUAL other)
    message(FATAL_ERROR "${PREFIX}/${header} is not the header of include/")
  endif()
endforeach()
list(LENGTH found count)
message(STATUS "${count} files, as expected")
