# SPDX-License-Identifier: MIT
# The API reference, from the /// comments of what users call; what is not documented is an error.
find_package(Doxygen REQUIRED)
find_package(Python3 REQUIRED COMPONENTS Interpreter)

set(DOXYGEN_PROJECT_BRIEF "${PROJECT_DESCRIPTION}")
set(DOXYGEN_EXCLUDE_PATTERNS "*/detail/*")
set(DOXYGEN_EXCLUDE_SYMBOLS "diffseg::detail*")
set(DOXYGEN_STRIP_FROM_PATH "${PROJECT_SOURCE_DIR}/include")
set(DOXYGEN_STRIP_FROM_INC_PATH "${PROJECT_SOURCE_DIR}/include")
set(DOXYGEN_JAVADOC_AUTOBRIEF YES)
set(DOXYGEN_EXTRACT_ALL NO)
set(DOXYGEN_HIDE_UNDOC_CLASSES YES)
set(DOXYGEN_WARN_IF_UNDOCUMENTED YES)
set(DOXYGEN_WARN_AS_ERROR FAIL_ON_WARNINGS)
set(DOXYGEN_BUILTIN_STL_SUPPORT YES)
set(DOXYGEN_MACRO_EXPANSION YES)
set(DOXYGEN_GENERATE_XML YES)
set(DOXYGEN_XML_PROGRAMLISTING NO)
set(DOXYGEN_VERBATIM_HEADERS NO)
set(DOXYGEN_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/reference")
doxygen_add_docs(docs "${PROJECT_SOURCE_DIR}/include/diffseg" ALL)

enable_testing()
add_test(NAME docs.public_names COMMAND Python3::Interpreter
  "${PROJECT_SOURCE_DIR}/cmake/check_names.py" "${PROJECT_BINARY_DIR}/reference/xml"
  "${PROJECT_SOURCE_DIR}/include" "${PROJECT_SOURCE_DIR}/cmake/public_names.txt")
