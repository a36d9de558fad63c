#include "esper/configs/secret.h"

namespace esper::configs {

std::string replace_url_password(std::string_view url, std::string_view with) {
    const auto scheme = url.find("://");
    if (scheme == std::string_view::npos) return std::string(url);
    const auto begin = scheme + 3;
    const auto end = url.find_first_of("/?#", begin);
    // A password may hold '@' unescaped: the last one before the path ends it.
    const auto at = url.substr(0, end).rfind('@');
    if (at == std::string_view::npos || at < begin) return std::string(url);
    const auto colon = url.find(':', begin);
    if (colon == std::string_view::npos || colon > at) return std::string(url);
    std::string out(url.substr(0, with.empty() ? colon : colon + 1));
    out += with;
    out += url.substr(at);
    return out;
}

}  // namespace esper::configs
