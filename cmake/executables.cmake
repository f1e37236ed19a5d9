# SPDX-License-Identifier: MIT
# What the executables built here have in common; none of it is exported.

if(PROJECT_IS_TOP_LEVEL AND NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "Build type" FORCE)
endif()

add_library(diffseg_executable INTERFACE)
target_link_libraries(diffseg_executable INTERFACE
  diffseg::diffseg $<$<BOOL:${DIFFSEG_NATIVE}>:diffseg::native>)
target_compile_options(diffseg_executable INTERFACE
  $<$<CXX_COMPILER_ID:GNU,Clang,AppleClang>:-Wall -Wextra -Wpedantic -Wconversion -Wshadow>
  $<$<AND:$<CONFIG:Release>,$<CXX_COMPILER_ID:GNU,Clang,AppleClang>>:-O$<IF:$<BOOL:$<TARGET_PROPERTY:DIFFSEG_QUICK_TO_BUILD>>,1,3>>)
if(DIFFSEG_NATIVE AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # g++ 12 raises these falsely in its own AVX-512 headers and std::string (GCC bugs 105593 and
  # 105651); builds without -march=native still look.
  target_compile_options(diffseg_executable INTERFACE
    -Wno-uninitialized -Wno-maybe-uninitialized -Wno-restrict -Wno-stringop-overflow)
endif()

# An executable of this project from the given sources.
function(diffseg_add_executable name)
  add_executable(${name} ${ARGN})
  target_link_libraries(${name} PRIVATE diffseg_executable)
  set_target_properties(${name} PROPERTIES CXX_EXTENSIONS OFF)
endfunction()
