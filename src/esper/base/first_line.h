#pragma once

#include <string>
#include <string_view>

namespace esper {

/// What a library's exception says without the stack trace that some put below it.
inline std::string first_line(std::string_view text) {
    return std::string(text.substr(0, text.find('\n')));
}

}  // namespace esper
