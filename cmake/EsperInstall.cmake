# `cmake --install build/release --component esper_cpp --prefix DIR`: the C++ library for other
# projects: libesper.so, the public headers, EsperConfig.cmake and esper.pc.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

# One library with all rooms inside, so that a user links one thing.
add_library(esper_cpp SHARED ${CMAKE_SOURCE_DIR}/src/esper/api/version.cpp)
target_link_libraries(esper_cpp PRIVATE "$<LINK_LIBRARY:WHOLE_ARCHIVE,esper_api>")
set_target_properties(esper_cpp PROPERTIES
  OUTPUT_NAME esper VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR}
  LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/lib
  BUILD_WITH_INSTALL_RPATH ON INSTALL_RPATH "${ESPER_TORCH}/lib")

install(TARGETS esper_cpp COMPONENT esper_cpp LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
  NAMELINK_COMPONENT esper_cpp)
install(DIRECTORY ${CMAKE_SOURCE_DIR}/include/esper COMPONENT esper_cpp
  DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})

set(ESPER_CMAKE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/Esper)
configure_package_config_file(${CMAKE_SOURCE_DIR}/cmake/EsperConfig.cmake.in
  ${CMAKE_BINARY_DIR}/EsperConfig.cmake INSTALL_DESTINATION ${ESPER_CMAKE_DIR})
write_basic_package_version_file(${CMAKE_BINARY_DIR}/EsperConfigVersion.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/EsperConfig.cmake ${CMAKE_BINARY_DIR}/EsperConfigVersion.cmake
  COMPONENT esper_cpp DESTINATION ${ESPER_CMAKE_DIR})

configure_file(${CMAKE_SOURCE_DIR}/cmake/esper.pc.in ${CMAKE_BINARY_DIR}/esper.pc @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/esper.pc COMPONENT esper_cpp
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
