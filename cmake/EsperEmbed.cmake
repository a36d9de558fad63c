# esper_embed(OUT NAMESPACE NAME=FILE...): makes the header OUT, in the build folder, with a string
# constant k<NAME> for each file, so that the binary needs none of them. Call it in a folder's
# CMakeLists.txt; only a changed header makes anything compile again.
function(esper_embed out namespace)
  set(header "#pragma once\n\n#include <string_view>\n\nnamespace ${namespace} {\n")
  foreach(part IN LISTS ARGN)
    string(REPLACE "=" ";" part ${part})
    list(GET part 0 name)
    list(GET part 1 path)
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${path})
    file(READ ${path} text)
    string(APPEND header "constexpr std::string_view k${name} = R\"part(")
    string(APPEND header "${text}")
    string(APPEND header ")part\";\n")
  endforeach()
  string(APPEND header "}  // namespace ${namespace}\n")
  file(WRITE ${out}.new "${header}")
  configure_file(${out}.new ${out} COPYONLY)
endfunction()
