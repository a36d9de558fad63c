#pragma once

#include <string>

namespace esper::records {

/// The report's page around its data (one JSON object, see report_data.cpp): HTML, styles and
/// scripts (the files of report/) in one text, without any reference to the outside. Its content
/// security policy lets the browser run these scripts (by their hash) and nothing else, and load
/// nothing: what stands in the data can neither be executed nor call home.
std::string report_page(const std::string& title, const std::string& json);

}  // namespace esper::records
