# The report's page is kept as the files a browser knows; this makes them the string constants of
# esper_report_parts.h, so that the binary needs none of them.
set(ESPER_REPORT_INCLUDE ${CMAKE_CURRENT_BINARY_DIR}/report)
set(report_header "#pragma once\n\n#include <string_view>\n\nnamespace esper::cli {\n")
foreach(part IN ITEMS Page=page.html Style=style.css Base=base.js Head=head.js Curves=curves.js
                      Topology=topology.js Lives=lives.js)
  string(REPLACE "=" ";" part ${part})
  list(GET part 0 report_name)
  list(GET part 1 report_file)
  set(report_path ${CMAKE_CURRENT_LIST_DIR}/${report_file})
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${report_path})
  file(READ ${report_path} report_text)
  string(APPEND report_header "constexpr std::string_view kReport${report_name} = R\"part(")
  string(APPEND report_header "${report_text}")
  string(APPEND report_header ")part\";\n")
endforeach()
string(APPEND report_header "}  // namespace esper::cli\n")
file(WRITE ${ESPER_REPORT_INCLUDE}/new.h "${report_header}")
# Only a changed header makes anything compile again.
configure_file(${ESPER_REPORT_INCLUDE}/new.h ${ESPER_REPORT_INCLUDE}/esper_report_parts.h COPYONLY)
