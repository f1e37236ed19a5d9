# SPDX-License-Identifier: MIT
# Headers, package config with version, pkg-config file; nothing in them depends on the machine.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(DIFFSEG_CONFIG_DIR "${CMAKE_INSTALL_DATADIR}/cmake/diffseg")
install(TARGETS diffseg diffseg_native EXPORT diffseg-targets
  FILE_SET HEADERS DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}"
  INCLUDES DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}")
install(EXPORT diffseg-targets NAMESPACE diffseg:: DESTINATION "${DIFFSEG_CONFIG_DIR}")

configure_package_config_file("${PROJECT_SOURCE_DIR}/cmake/diffseg-config.cmake.in"
  "${PROJECT_BINARY_DIR}/package/diffseg-config.cmake" INSTALL_DESTINATION "${DIFFSEG_CONFIG_DIR}")
write_basic_package_version_file("${PROJECT_BINARY_DIR}/package/diffseg-config-version.cmake"
  VERSION ${PROJECT_VERSION} COMPATIBILITY SameMinorVersion ARCH_INDEPENDENT)
install(FILES "${PROJECT_BINARY_DIR}/package/diffseg-config.cmake"
  "${PROJECT_BINARY_DIR}/package/diffseg-config-version.cmake"
  "${PROJECT_SOURCE_DIR}/cmake/diffseg-formats.cmake"
  DESTINATION "${DIFFSEG_CONFIG_DIR}")

# Paths in the .pc file are relative to the file itself, so the prefix may be moved.
set(DIFFSEG_PC_DIR "${CMAKE_INSTALL_DATADIR}/pkgconfig")
file(RELATIVE_PATH DIFFSEG_PC_PREFIX
  "${CMAKE_INSTALL_PREFIX}/${DIFFSEG_PC_DIR}" "${CMAKE_INSTALL_PREFIX}")
string(REGEX REPLACE "/$" "" DIFFSEG_PC_PREFIX "${DIFFSEG_PC_PREFIX}")
if(DIFFSEG_OPENMP)
  set(DIFFSEG_PC_FLAGS "${OpenMP_CXX_FLAGS}")
endif()
configure_file("${PROJECT_SOURCE_DIR}/cmake/diffseg.pc.in"
  "${PROJECT_BINARY_DIR}/package/diffseg.pc" @ONLY)
install(FILES "${PROJECT_BINARY_DIR}/package/diffseg.pc" DESTINATION "${DIFFSEG_PC_DIR}")

install(FILES "${PROJECT_SOURCE_DIR}/LICENSE" DESTINATION "${CMAKE_INSTALL_DATADIR}/doc/diffseg")
