# SPDX-License-Identifier: MIT
# The ways into a user's build, each configured, built and run from nothing.

if(NOT DIFFSEG_INSTALL)
  message(STATUS "diffseg: the consumer tests are left out")
  return()
endif()

find_program(DIFFSEG_PKG_CONFIG NAMES pkg-config pkgconf)
function(diffseg_add_consumer mode)
  add_test(NAME consumer.${mode} COMMAND "${CMAKE_COMMAND}" -DMODE=${mode}
    -DSOURCE=${PROJECT_SOURCE_DIR} -DBUILD=${PROJECT_BINARY_DIR}
    -DSCRATCH=${CMAKE_CURRENT_BINARY_DIR}/consumer -DGENERATOR=${CMAKE_GENERATOR}
    -DVERSION=${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR}
    -DCXX=${CMAKE_CXX_COMPILER} -DPKG_CONFIG=${DIFFSEG_PKG_CONFIG}
    "-DEIGEN=$<TARGET_PROPERTY:Eigen3::Eigen,INTERFACE_INCLUDE_DIRECTORIES>"
    -DEIGEN_CONFIG=${Eigen3_DIR} -P "${CMAKE_CURRENT_SOURCE_DIR}/consumer/run.cmake")
  set_tests_properties(consumer.${mode} PROPERTIES LABELS package ${ARGN})
endfunction()

diffseg_add_consumer(install FIXTURES_SETUP prefix)
diffseg_add_consumer(find_package FIXTURES_REQUIRED prefix)
diffseg_add_consumer(pkg_config FIXTURES_REQUIRED prefix SKIP_REGULAR_EXPRESSION "is missing")
diffseg_add_consumer(find_package_serial FIXTURES_REQUIRED prefix)
diffseg_add_consumer(subdirectory)
diffseg_add_consumer(subdirectory_serial)
diffseg_add_consumer(fetch_content)
diffseg_add_consumer(plain)
