#include "esper/utils/s3_xml.h"

#include <charconv>

#include "esper/base/utf8.h"

namespace esper::utils {
namespace {

/// `&amp;`, `&#10;`, `&#xA;`; anything else stays as it is.
bool resolve(std::string_view entity, std::string& out) {
    static constexpr std::pair<std::string_view, char> kNamed[] = {
        {"amp", '&'}, {"lt", '<'}, {"gt", '>'}, {"quot", '"'}, {"apos", '\''}};
    for (const auto& [name, c] : kNamed) {
        if (entity == name) {
            out += c;
            return true;
        }
    }
    if (!entity.starts_with('#')) return false;
    entity.remove_prefix(1);
    const bool is_hex = entity.starts_with('x') || entity.starts_with('X');
    if (is_hex) entity.remove_prefix(1);
    std::uint32_t code = 0;
    const char* end = entity.data() + entity.size();
    const auto parsed = std::from_chars(entity.data(), end, code, is_hex ? 16 : 10);
    if (parsed.ec != std::errc{} || parsed.ptr != end || code == 0 || code > 0x10FFFF) return false;
    append_utf8(out, code);
    return true;
}

std::string unescape(std::string_view text) {
    std::string out;
    while (!text.empty()) {
        const auto amp = text.find('&');
        out += text.substr(0, amp);
        if (amp == std::string_view::npos) break;
        text.remove_prefix(amp);
        const auto semicolon = text.find(';');
        if (semicolon != std::string_view::npos && resolve(text.substr(1, semicolon - 1), out)) {
            text.remove_prefix(semicolon + 1);
        } else {
            out += '&';
            text.remove_prefix(1);
        }
    }
    return out;
}

}  // namespace

std::vector<std::string_view> xml_elements(std::string_view xml, std::string_view tag) {
    std::vector<std::string_view> out;
    const std::string open = '<' + std::string(tag);
    const std::string close = "</" + std::string(tag) + '>';
    std::size_t at = 0;
    while ((at = xml.find(open, at)) != std::string_view::npos) {
        at += open.size();
        const auto end_of_tag = xml.find('>', at);
        if (end_of_tag == std::string_view::npos) break;
        const char next = xml[at];
        if (next != '>' && next != ' ' && next != '/') continue;  // a longer name
        if (xml[end_of_tag - 1] == '/') {
            out.push_back({});
            continue;
        }
        const auto end = xml.find(close, end_of_tag);
        if (end == std::string_view::npos) break;
        out.push_back(xml.substr(end_of_tag + 1, end - end_of_tag - 1));
        at = end + close.size();
    }
    return out;
}

std::optional<std::string> xml_text(std::string_view xml, std::string_view tag) {
    const auto found = xml_elements(xml, tag);
    if (found.empty()) return std::nullopt;
    return unescape(found.front());
}

std::string xml_escape(std::string_view text) {
    std::string out;
    for (const char c : text) {
        switch (c) {
            case '&':
                out += "&amp;";
                break;
            case '<':
                out += "&lt;";
                break;
            case '>':
                out += "&gt;";
                break;
            default:
                out += c;
        }
    }
    return out;
}

}  // namespace esper::utils
