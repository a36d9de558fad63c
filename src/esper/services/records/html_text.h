#pragma once

#include <string>

namespace esper::records {

/// `text` as content of an HTML element or of a quoted attribute.
inline std::string escape_html(const std::string& text) {
    std::string out;
    for (const char c : text) {
        if (c == '<')
            out += "&lt;";
        else if (c == '>')
            out += "&gt;";
        else if (c == '&')
            out += "&amp;";
        else if (c == '"')
            out += "&quot;";
        else
            out += c;
    }
    return out;
}

}  // namespace esper::records
