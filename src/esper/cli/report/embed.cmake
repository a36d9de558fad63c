# The report's page is kept as the files a browser knows, the run that needs no configuration as a
# configuration file; this makes them string constants, so that the binary needs none of them.
set(ESPER_REPORT_INCLUDE ${CMAKE_CURRENT_BINARY_DIR}/report)
set(report_header "#pragma once\n\n#include <string_view>\n\nnamespace esper::cli {\n")
foreach(part IN ITEMS ReportPage=page.html ReportStyle=style.css ReportBase=base.js
                      ReportHead=head.js ReportCurves=curves.js
                      ReportTopology=topology.js ReportLives=lives.js
                      Shakespeare=../../../../configs/shakespeare.yaml)
  string(REPLACE "=" ";" part ${part})
  list(GET part 0 report_name)
  list(GET part 1 report_file)
  set(report_path ${CMAKE_CURRENT_LIST_DIR}/${report_file})
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${report_path})
  file(READ ${report_path} report_text)
  string(APPEND report_header "constexpr std::string_view k${report_name} = R\"part(")
  string(APPEND report_header "${report_text}")
  string(APPEND report_header ")part\";\n")
endforeach()
string(APPEND report_header "}  // namespace esper::cli\n")
file(WRITE ${ESPER_REPORT_INCLUDE}/new.h "${report_header}")
# Only a changed header makes anything compile again.
configure_file(${ESPER_REPORT_INCLUDE}/new.h ${ESPER_REPORT_INCLUDE}/esper_embedded.h COPYONLY)
