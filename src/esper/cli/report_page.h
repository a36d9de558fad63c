#pragma once

#include <string>

namespace esper::cli {

/// The report's page around its data (one JSON object, see report_data.cpp): HTML, styles and
/// scripts (the files of report/) in one text, without any reference to the outside.
std::string report_page(const std::string& title, std::string data);

}  // namespace esper::cli
