#include "esper/configs/problems.h"

#include <fmt/format.h>

#include <algorithm>

#include "esper/base/text.h"

namespace esper::configs {
namespace {

constexpr std::size_t kShownBytes = 60;
// Edit distance costs the product of the lengths; no key is longer than this.
constexpr std::size_t kLongestWord = 64;

}  // namespace

std::string Origin::to_string() const {
    return line > 0 ? fmt::format("{}:{}", source, line) : source;
}

void Problems::add(ConfigError code, Origin origin, std::string message) {
    if (!kept_.empty() && kept_.front().code != code) mixed_ = true;
    if (count_++ < kKept) kept_.push_back({code, std::move(origin), std::move(message)});
}

Error Problems::report() const {
    const ConfigError code = mixed_ || kept_.empty() ? ConfigError::kSeveral : kept_.front().code;
    std::string text;
    if (count_ != 1) text = fmt::format("{} problems in the configuration", count_);
    for (const Problem& problem : kept_) {
        if (count_ != 1) text += "\n  ";
        text += fmt::format("{}: {}", problem.origin.to_string(), problem.message);
    }
    if (count_ > kept_.size()) text += fmt::format("\n  … and {} more", count_ - kept_.size());
    return fail(code, std::move(text)).value();
}

std::string shown(std::string_view text) {
    std::size_t end = std::min(text.size(), kShownBytes);
    // Not in the middle of a character.
    while (end < text.size() && end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) {
        --end;
    }
    std::string out = "'";
    for (const char c : text.substr(0, end)) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte < 0x20 || byte == 0x7f) {
            out += fmt::format("\\x{:02x}", byte);
        } else {
            out += c;
        }
    }
    if (end < text.size()) out += "…";
    return out + "'";
}

std::string with_suggestion(std::string_view word, const std::vector<std::string>& candidates) {
    if (word.size() > kLongestWord) return shown(word);
    const std::string near = closest_match(word, candidates);
    if (near.empty()) return shown(word);
    return fmt::format("{} (did you mean '{}'?)", shown(word), near);
}

}  // namespace esper::configs
