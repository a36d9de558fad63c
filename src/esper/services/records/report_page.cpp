#include "esper/services/records/report_page.h"

#include <string_view>

#include "esper/base/base64.h"
#include "esper/base/hash.h"
#include "esper/services/records/html_text.h"
#include "report_embedded.h"  // made by CMake from the files of report/

namespace esper::records {

namespace {

// Each mark stands once in the page; what is put in is not looked at again.
void put(std::string& page, std::string_view mark, std::string_view text) {
    if (const auto at = page.find(mark); at != std::string::npos)
        page.replace(at, mark.size(), text);
}

}  // namespace

std::string report_page(const std::string& title, const std::string& json) {
    // Nothing in the data may end the script element it stands in.
    std::string data;
    data.reserve(json.size());
    for (const char c : json)
        if (c == '<')
            data += "\\u003c";
        else
            data += c;
    std::string script;
    for (const auto part : {kReportFormat, kReportLifeCard, kReportTopologyPicture, kReportBase,
                            kReportHead, kReportCurves, kReportTopology, kReportLives})
        script += std::string(part) + "\n";
    std::string page(kReportPage);
    put(page, "@SCRIPT@", script);
    put(page, "@SCRIPT_SHA256@", base64_of(sha256(script).bytes));
    put(page, "@DATA@", data);
    put(page, "@STYLE@", kReportStyle);
    put(page, "@TITLE@", escape_html(title));
    return page;
}

}  // namespace esper::records
