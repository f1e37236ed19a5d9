# SPDX-License-Identifier: MIT
# That things build is the test; what was built is run too.

# Every header compiles alone, included twice; one more unit has them all, for clang-tidy.
if(NOT TARGET diffseg::npz)
  list(FILTER DIFFSEG_HEADERS EXCLUDE REGEX "/io/npz_deflate")
endif()
if(NOT TARGET diffseg::safetensors)
  list(FILTER DIFFSEG_HEADERS EXCLUDE REGEX "/io/(detail/)?safetensors")
endif()
set(units "")
set(all "")
foreach(header IN LISTS DIFFSEG_HEADERS)
  file(RELATIVE_PATH header "${PROJECT_SOURCE_DIR}/include" "${header}")
  string(REPLACE "/" "_" unit "${header}")
  set(unit "${CMAKE_CURRENT_BINARY_DIR}/headers/${unit}.cpp")
  file(CONFIGURE OUTPUT "${unit}" CONTENT "#include <${header}>\n#include <${header}>\n")
  list(APPEND units "${unit}")
  string(APPEND all "#include <${header}>\n")
endforeach()
set(DIFFSEG_ALL_HEADERS_UNIT "${CMAKE_CURRENT_BINARY_DIR}/headers/all_headers.cpp")
file(CONFIGURE OUTPUT "${DIFFSEG_ALL_HEADERS_UNIT}" CONTENT "${all}")
add_library(diffseg_headers_alone OBJECT ${units} "${DIFFSEG_ALL_HEADERS_UNIT}")
target_link_libraries(diffseg_headers_alone PRIVATE diffseg_executable
  $<TARGET_NAME_IF_EXISTS:diffseg::npz> $<TARGET_NAME_IF_EXISTS:diffseg::safetensors>)
target_compile_options(diffseg_headers_alone PRIVATE -O0)

# Two units of one program.
diffseg_add_executable(build_two_units build/two_units_main.cpp build/two_units_other.cpp)
add_test(NAME build.two_units COMMAND build_two_units)

# The consumers' program without OpenMP and with the switches of Eigen that change what matrices are, and
# one with the flags that break naive checks for NaN. All others: tests/trust/machines.py.
add_executable(build_serial consumer/main.cpp)
add_executable(build_fast_math build/fast_math.cpp)
foreach(program IN ITEMS build_serial build_fast_math)
  target_include_directories(${program} PRIVATE "${PROJECT_SOURCE_DIR}/include")
  target_compile_features(${program} PRIVATE cxx_std_20)
  target_link_libraries(${program} PRIVATE Eigen3::Eigen)
  target_compile_options(${program} PRIVATE -Wall -Wextra -Wpedantic)
endforeach()
target_compile_definitions(build_serial PRIVATE EIGEN_DEFAULT_TO_ROW_MAJOR EIGEN_MAX_ALIGN_BYTES=0)
target_compile_options(build_fast_math PRIVATE -O2 -ffast-math)
add_test(NAME build.serial COMMAND build_serial)
add_test(NAME build.fast_math COMMAND build_fast_math)

# With clang's standard library instead of g++'s.
find_program(DIFFSEG_CLANG NAMES clang++-14 clang++)
add_test(NAME build.libcxx COMMAND "${CMAKE_COMMAND}" -DCLANG=${DIFFSEG_CLANG}
  "-DEIGEN=$<TARGET_PROPERTY:Eigen3::Eigen,INTERFACE_INCLUDE_DIRECTORIES>"
  -DINCLUDE=${PROJECT_SOURCE_DIR}/include -DHEADERS=${DIFFSEG_ALL_HEADERS_UNIT}
  -DSOURCE=${CMAKE_CURRENT_SOURCE_DIR}/consumer/main.cpp
  -DPROGRAM=${CMAKE_CURRENT_BINARY_DIR}/build_libcxx
  -P "${CMAKE_CURRENT_SOURCE_DIR}/build/libcxx.cmake")
set_tests_properties(build.libcxx PROPERTIES SKIP_REGULAR_EXPRESSION "is missing: apt-get")
