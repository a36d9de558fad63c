#pragma once

#include <string>

namespace esper::records {

/// The report's page around its data (one JSON object, see report_data.cpp): HTML, styles and
/// scripts (the files of report/) in one text, without any external reference. Its content security
/// policy allows the browser to run only these scripts (by their hash) and to load nothing, so the
/// data can neither run code nor send anything.
std::string report_page(const std::string& title, const std::string& json);

}  // namespace esper::records
