# Arrow and Parquet as an imported target, taken from the folder of an installed pyarrow package:
# ESPER_PYARROW (CMake variable), else .venv beside the sources. Without one libesper_parquet.so is not
# built, and the program says so when it meets a Parquet file. A wheel of Esper brings none: what it
# would be linked with is not where it is installed.
if(SKBUILD)
  return()
endif()
if(NOT ESPER_PYARROW)
  file(GLOB ESPER_PYARROW ${CMAKE_SOURCE_DIR}/.venv/lib/python3*/site-packages/pyarrow)
endif()
# The package has the libraries under their versioned names alone.
file(GLOB arrow_library "${ESPER_PYARROW}/libarrow.so.*")
file(GLOB parquet_library "${ESPER_PYARROW}/libparquet.so.*")
if(NOT arrow_library OR NOT parquet_library OR NOT EXISTS "${ESPER_PYARROW}/include/arrow/api.h")
  message(STATUS "No pyarrow in '${ESPER_PYARROW}': Parquet files are refused; scripts/setup.sh "
    "installs it")
  return()
endif()
set(ESPER_PYARROW "${ESPER_PYARROW}" CACHE PATH "folder of the pyarrow package" FORCE)
add_library(esper_arrow INTERFACE)
target_include_directories(esper_arrow SYSTEM INTERFACE "${ESPER_PYARROW}/include")
target_link_libraries(esper_arrow INTERFACE ${parquet_library} ${arrow_library})
target_link_options(esper_arrow INTERFACE "-Wl,-rpath,${ESPER_PYARROW}")
