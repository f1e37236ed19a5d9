# SPDX-License-Identifier: MIT
# The exported targets: diffseg::diffseg (include path, C++20, Eigen, OpenMP where there is one; no
# other flags), diffseg::native (-march=native, for who asks), and those of diffseg-formats.cmake.

# GLOBAL: a project that adds this one as a folder must see what diffseg::diffseg links to.
# No version argument: Eigen 5 would refuse 3.4.
find_package(Eigen3 CONFIG REQUIRED GLOBAL)
if(Eigen3_VERSION VERSION_LESS 3.4)
  message(FATAL_ERROR "diffseg: Eigen must be >= 3.4, got ${Eigen3_VERSION} in ${Eigen3_DIR}")
endif()
if(DIFFSEG_OPENMP)
  find_package(OpenMP QUIET COMPONENTS CXX GLOBAL)
  if(NOT OpenMP_CXX_FOUND AND PROJECT_IS_TOP_LEVEL)
    message(STATUS "diffseg: ${CMAKE_CXX_COMPILER} has no OpenMP: one thread (clang: libomp-dev)")
  endif()
endif()

file(GLOB_RECURSE DIFFSEG_HEADERS CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/include/diffseg/*.hpp")

add_library(diffseg INTERFACE)
add_library(diffseg::diffseg ALIAS diffseg)
target_sources(diffseg INTERFACE
  FILE_SET HEADERS BASE_DIRS "${PROJECT_SOURCE_DIR}/include" FILES ${DIFFSEG_HEADERS})
# A file set gives no include path to users whose CMake is older than 3.23.
target_include_directories(diffseg INTERFACE
  "$<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>" "$<INSTALL_INTERFACE:include>")
target_compile_features(diffseg INTERFACE cxx_std_20)
target_link_libraries(diffseg INTERFACE
  Eigen3::Eigen $<$<BOOL:${DIFFSEG_OPENMP}>:$<TARGET_NAME_IF_EXISTS:OpenMP::OpenMP_CXX>>)

add_library(diffseg_native INTERFACE)
add_library(diffseg::native ALIAS diffseg_native)
set_target_properties(diffseg_native PROPERTIES EXPORT_NAME native)
target_compile_options(diffseg_native INTERFACE
  $<$<CXX_COMPILER_ID:GNU,Clang,AppleClang>:-march=native>)

# Optional; who adds this project as a folder sees them too.
find_package(ZLIB QUIET GLOBAL)
find_package(nlohmann_json CONFIG QUIET GLOBAL)
include("${PROJECT_SOURCE_DIR}/cmake/diffseg-formats.cmake")
