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
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # g++ collects its garbage a dozen times in a unit of templates: a tenth of the compile time for a
  # tenth of the memory.
  target_compile_options(diffseg_executable INTERFACE "SHELL:--param ggc-min-heapsize=1000000")
endif()
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

# diffseg_SCALAR: the stages for one scalar, compiled once for the programs, examples and tests, which
# include examples/common/compiled/SCALAR.hpp or are given it.
function(diffseg_add_compiled scalar)
  set(folder "${PROJECT_SOURCE_DIR}/examples/common")
  set(units "")
  foreach(part IN ITEMS attention merge refine labels)
    set(unit "${PROJECT_BINARY_DIR}/compiled/${part}_${scalar}.cpp")
    # What the other units have is declared, so that this one has its own part alone.
    file(CONFIGURE OUTPUT "${unit}" CONTENT "#include <compiled/${scalar}.hpp>
#define DIFFSEG_TEMPLATE template
#define DIFFSEG_SCALAR ${scalar}
#include <compiled/${part}.inc>
#undef DIFFSEG_SCALAR
#undef DIFFSEG_TEMPLATE
")
    list(APPEND units "${unit}")
  endforeach()
  if(scalar STREQUAL "float")
    list(APPEND units "${folder}/compiled/solver.cpp")
  endif()
  add_library(diffseg_${scalar} STATIC EXCLUDE_FROM_ALL ${units})
  target_include_directories(diffseg_${scalar} PUBLIC "${folder}")
  target_link_libraries(diffseg_${scalar} PUBLIC diffseg_executable)
  # Long units: where units are joined, two of them are enough.
  set_target_properties(diffseg_${scalar} PROPERTIES CXX_EXTENSIONS OFF UNITY_BUILD_BATCH_SIZE 2)
  if(scalar STREQUAL "double")  # only tests work in double, and nothing waits for it
    set_target_properties(diffseg_${scalar} PROPERTIES DIFFSEG_QUICK_TO_BUILD ON
      UNITY_BUILD_BATCH_SIZE 4)
    target_link_libraries(diffseg_double PUBLIC diffseg_float)  # has the solver, and float.hpp
  endif()
endfunction()
