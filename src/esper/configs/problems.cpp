#include "esper/configs/problems.h"

#include <fmt/format.h>

#include "esper/base/printable_text.h"
#include "esper/base/text.h"

namespace esper::configs {
namespace {

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

std::string with_suggestion(std::string_view word, const std::vector<std::string>& candidates) {
    if (word.size() > kLongestWord) return in_quotes(word);
    const std::string near = closest_match(word, candidates);
    if (near.empty()) return in_quotes(word);
    return fmt::format("{} (did you mean '{}'?)", in_quotes(word), near);
}

}  // namespace esper::configs
