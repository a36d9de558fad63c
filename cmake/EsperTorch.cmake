# libtorch as an imported target, taken from the folder of an installed torch package:
# ESPER_TORCH (CMake variable or environment), else the one beside which pip installs us, else .venv
# beside the sources.
if(NOT ESPER_WITH_TORCH)
  return()
endif()
if(NOT ESPER_TORCH)
  set(ESPER_TORCH "$ENV{ESPER_TORCH}")
endif()
if(NOT ESPER_TORCH AND SKBUILD)
  # Isolated, so that it is the torch pip installs us beside and not one of the build's own.
  execute_process(COMMAND ${Python_EXECUTABLE} -I -c
    "import importlib.util as u; print(u.find_spec('torch').submodule_search_locations[0], end='')"
    OUTPUT_VARIABLE ESPER_TORCH ERROR_QUIET)
elseif(NOT ESPER_TORCH)
  file(GLOB ESPER_TORCH ${CMAKE_SOURCE_DIR}/.venv/lib/python3*/site-packages/torch)
endif()
if(NOT EXISTS "${ESPER_TORCH}/lib/libtorch_cpu.so")
  message(FATAL_ERROR "No libtorch: expected lib/libtorch_cpu.so under '${ESPER_TORCH}'. "
    "Run scripts/setup.sh, or set ESPER_TORCH to the folder of an installed torch package.")
endif()
set(ESPER_TORCH "${ESPER_TORCH}" CACHE PATH "folder of the torch package" FORCE)

# ESPER_TORCH_VERSION, e.g. 2.13.0+cpu.
file(STRINGS ${ESPER_TORCH}/version.py ESPER_TORCH_VERSION REGEX "^__version__ = ")
string(REGEX REPLACE "^__version__ = ['\"](.*)['\"].*" "\\1" ESPER_TORCH_VERSION
  "${ESPER_TORCH_VERSION}")
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${ESPER_TORCH}/version.py)
if(ESPER_TORCH_VERSION VERSION_LESS 2.11 OR ESPER_TORCH_VERSION VERSION_GREATER_EQUAL 2.15)
  message(WARNING "torch ${ESPER_TORCH_VERSION} in ${ESPER_TORCH}: Esper is built for 2.11 to 2.14")
endif()

add_library(esper_torch INTERFACE)
# The wheel ships headers of a newer fmt than Debian does, and no library; a source that includes
# both gets the wheel's, whose functions are compiled here once instead of in every source.
add_library(esper_torch_fmt STATIC ${CMAKE_SOURCE_DIR}/cmake/torch_fmt.cpp)
target_include_directories(esper_torch_fmt SYSTEM PRIVATE ${ESPER_TORCH}/include)
target_link_libraries(esper_torch INTERFACE esper_torch_fmt)
target_include_directories(esper_torch SYSTEM INTERFACE
  ${ESPER_TORCH}/include ${ESPER_TORCH}/include/torch/csrc/api/include)
target_link_directories(esper_torch INTERFACE ${ESPER_TORCH}/lib)
target_link_options(esper_torch INTERFACE "-Wl,-rpath,${ESPER_TORCH}/lib")
if(EXISTS "${ESPER_TORCH}/lib/libtorch_cuda.so")
  target_link_libraries(esper_torch INTERFACE -Wl,--no-as-needed torch_cuda c10_cuda -Wl,--as-needed)
endif()
target_link_libraries(esper_torch INTERFACE torch torch_cpu c10)
# The wheel carries its own OpenMP runtime; a second one in the process would be a trap, so our own
# parallel loops are linked with that one.
file(GLOB ESPER_TORCH_OPENMP ${ESPER_TORCH}/lib/libgomp*.so*)
if(NOT ESPER_TORCH_OPENMP)
  message(FATAL_ERROR "No libgomp in '${ESPER_TORCH}/lib': expected the OpenMP runtime that "
    "PyTorch's own packages for Linux bring.")
endif()
list(GET ESPER_TORCH_OPENMP 0 ESPER_TORCH_OPENMP)
target_link_libraries(esper_torch INTERFACE ${ESPER_TORCH_OPENMP})
