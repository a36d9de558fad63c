# Compiler flags every target of ours gets, and the tools that make building fast.
find_program(ESPER_CCACHE ccache)
if(ESPER_CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env
    CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=1 CCACHE_SLOPPINESS=pch_defines,time_macros ${ESPER_CCACHE})
  set(CMAKE_C_COMPILER_LAUNCHER ${ESPER_CCACHE})
endif()
find_program(ESPER_MOLD mold)
if(ESPER_MOLD AND NOT CMAKE_BUILD_TYPE STREQUAL "Coverage")
  add_link_options(-fuse-ld=mold)
endif()

add_library(esper_options INTERFACE)
target_compile_options(esper_options INTERFACE -Wall -Wextra -Wconversion -Wshadow -Werror
  $<$<CXX_COMPILER_ID:GNU>:-Wno-error=maybe-uninitialized>
  # GCC 12 warns about its own std::string operator+ (GCC bug 105651).
  $<$<AND:$<CXX_COMPILER_ID:GNU>,$<VERSION_LESS:$<CXX_COMPILER_VERSION>,13>>:-Wno-restrict>)
if(CMAKE_UNITY_BUILD)  # names of one source are shadowed by another's
  target_compile_options(esper_options INTERFACE -Wno-shadow)
endif()
target_include_directories(esper_options INTERFACE ${CMAKE_SOURCE_DIR}/src ${CMAKE_SOURCE_DIR}/include)
if(ESPER_SANITIZE)
  add_compile_options(-fsanitize=${ESPER_SANITIZE} -fno-omit-frame-pointer)
  string(REPLACE "fuzzer-no-link," "" ESPER_LINK_SANITIZE "${ESPER_SANITIZE}")
  add_link_options(-fsanitize=${ESPER_LINK_SANITIZE})
endif()
