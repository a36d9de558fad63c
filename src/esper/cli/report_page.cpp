#include "esper/cli/report_page.h"

#include <string_view>

#include "esper_embedded.h"  // made by CMake from the files of report/

namespace esper::cli {

namespace {

std::string escaped(const std::string& text) {
    std::string out;
    for (const char c : text) {
        if (c == '<')
            out += "&lt;";
        else if (c == '>')
            out += "&gt;";
        else if (c == '&')
            out += "&amp;";
        else
            out += c;
    }
    return out;
}

// Each mark stands once in the page; what is put in is not looked at again.
void put(std::string& page, std::string_view mark, std::string_view text) {
    if (const auto at = page.find(mark); at != std::string::npos)
        page.replace(at, mark.size(), text);
}

}  // namespace

std::string report_page(const std::string& title, std::string data) {
    // Nothing in the data may end the script element it stands in.
    for (std::size_t at = 0; (at = data.find('<', at)) != std::string::npos;)
        data.replace(at, 1, "\\u003c");
    std::string script;
    for (const auto part : {kReportBase, kReportHead, kReportCurves, kReportTopology, kReportLives})
        script += std::string(part) + "\n";
    std::string page(kReportPage);
    put(page, "@SCRIPT@", script);
    put(page, "@DATA@", data);
    put(page, "@STYLE@", kReportStyle);
    put(page, "@TITLE@", escaped(title));
    return page;
}

}  // namespace esper::cli
