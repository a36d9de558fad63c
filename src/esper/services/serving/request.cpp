#include "esper/services/serving/request.h"

#include <fmt/format.h>

#include <algorithm>

#include "esper/base/ascii.h"
#include "esper/base/utf8.h"

namespace esper::serving {

namespace {

constexpr std::size_t kLongestTarget = 8192;

int digit_of(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    const char small = lower(c);
    return small >= 'a' && small <= 'f' ? small - 'a' + 10 : -1;
}

tl::unexpected<Error> bad(std::string_view what) {
    return fail(ServingError::kBadTarget,
                fmt::format("the address of this request is none: {}", what));
}

Result<std::string> decode(std::string_view text, bool plus_is_space) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            out += text[i] == '+' && plus_is_space ? ' ' : text[i];
            continue;
        }
        const int high = i + 2 < text.size() ? digit_of(text[i + 1]) : -1;
        const int low = i + 2 < text.size() ? digit_of(text[i + 2]) : -1;
        if (high < 0 || low < 0) return bad("expected two hexadecimal digits after a '%'");
        out += static_cast<char>(high * 16 + low);
        i += 2;
    }
    const auto is_control = [](char c) {
        return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
    };
    if (std::ranges::any_of(out, is_control)) return bad("it has a control character");
    if (!is_utf8(out)) return bad("it is not UTF-8");
    return out;
}

template <typename Take>
Status each_part(std::string_view text, char separator, const Take& take) {
    while (true) {
        const auto end = text.find(separator);
        ESPER_CHECK_STATUS(take(text.substr(0, end)));
        if (end == std::string_view::npos) return {};
        text.remove_prefix(end + 1);
    }
}

Status read_path(std::string_view path, Request& request) {
    request.path = path;
    return each_part(path.substr(1), '/', [&](std::string_view part) -> Status {
        ESPER_TRY(auto segment, decode(part, false));
        const std::string_view name = segment;
        if (name == "." || name == "..") return bad("a segment of its path is '.' or '..'");
        request.segments.push_back(std::move(segment));
        return {};
    });
}

Status read_query(std::string_view query, Request& request) {
    return each_part(query, '&', [&](std::string_view part) -> Status {
        if (part.empty()) return {};
        const auto equals = std::min(part.find('='), part.size());
        ESPER_TRY(auto name, decode(part.substr(0, equals), true));
        ESPER_TRY(auto value, decode(part.substr(std::min(equals + 1, part.size())), true));
        request.query.emplace_back(std::move(name), std::move(value));
        return {};
    });
}

}  // namespace

std::string_view field_of(const Fields& fields, std::string_view name) {
    for (const auto& [key, value] : fields)
        if (std::ranges::equal(key, name, {}, lower, lower)) return value;
    return "";
}

std::optional<std::string_view> Request::asked(std::string_view name) const {
    for (const auto& [key, value] : query)
        if (key == name) return value;
    return std::nullopt;
}

Result<Request> parse_target(std::string_view method, std::string_view target) {
    if (target.size() > kLongestTarget)
        return fail(ServingError::kTargetTooLong,
                    fmt::format("the address of this request has {} bytes; {} are the most",
                                target.size(), kLongestTarget));
    for (const std::string_view scheme : {"http://", "https://"})
        if (target.starts_with(scheme)) {
            const auto path = target.find_first_of("/?", scheme.size());
            target = path == std::string_view::npos ? "/" : target.substr(path);
        }
    Request request;
    request.method = method;
    if (target == "*") target = "/";
    if (!target.starts_with('/')) return bad("it must begin with '/'");
    target = target.substr(0, target.find('#'));
    const auto mark = std::min(target.find('?'), target.size());
    ESPER_CHECK_STATUS(read_path(target.substr(0, mark), request));
    if (mark < target.size()) ESPER_CHECK_STATUS(read_query(target.substr(mark + 1), request));
    return request;
}

}  // namespace esper::serving
