#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <vector>

#include "esper/contracts/validators.h"

namespace esper::contracts {
namespace {

constexpr std::string_view kHeader = "esper-program ";
constexpr std::uint32_t kMaxValues = 4'000'000;

Status bad_line(std::size_t line, std::string message) {
    return fail(ContractError::kSyntax, fmt::format("architecture, line {}: {}", line, message));
}

/// Reads `%n` at the front and takes it off.
bool take_value(std::string_view& text, std::uint32_t& value) {
    if (!text.starts_with('%')) return false;
    const auto parsed = std::from_chars(text.data() + 1, text.data() + text.size(), value);
    if (parsed.ec != std::errc{} || value >= kMaxValues) return false;
    text.remove_prefix(static_cast<std::size_t>(parsed.ptr - text.data()));
    return true;
}

class Lines {
  public:
    explicit Lines(std::string_view rest) : rest_(rest) {}
    bool next(std::string_view& line) {
        if (rest_.empty()) return false;
        const auto end = std::min(rest_.find('\n'), rest_.size());
        line = rest_.substr(0, end);
        rest_.remove_prefix(std::min(end + 1, rest_.size()));
        ++number;
        return true;
    }
    std::size_t number = 0;

  private:
    std::string_view rest_;
};

/// Which results (%n) have been defined so far.
class Defined {
  public:
    bool has(std::uint32_t value) const { return value < seen_.size() && seen_[value]; }
    void add(std::uint32_t value) {
        if (value >= seen_.size()) seen_.resize(std::max<std::size_t>(value + 1, seen_.size() * 2));
        seen_[value] = true;
    }

  private:
    std::vector<bool> seen_;
};

/// Every %n of the text must have been defined; text between quotes is skipped.
Status check_uses(std::string_view text, const Defined& defined, std::size_t line) {
    while (!text.empty()) {
        const auto at = text.find_first_of("%\"");
        if (at == std::string_view::npos) return {};
        text.remove_prefix(at);
        if (text.front() == '"') {
            std::size_t end = 1;
            while (end < text.size() && text[end] != '"') end += text[end] == '\\' ? 2 : 1;
            if (end >= text.size()) return bad_line(line, "expected a closing quote");
            text.remove_prefix(end + 1);
            continue;
        }
        std::uint32_t value = 0;
        if (!take_value(text, value)) return bad_line(line, "expected a number after '%'");
        if (!defined.has(value)) {
            return bad_line(line, fmt::format("%{} is used before it is defined", value));
        }
    }
    return {};
}

/// `%0 = op(args) @ scope` or `%1, %2 = op(args)`.
Status check_instruction(std::string_view text, Defined& defined, std::size_t line) {
    std::vector<std::uint32_t> results;
    for (;;) {
        std::uint32_t value = 0;
        if (!take_value(text, value)) return bad_line(line, "expected %<number> before '='");
        results.push_back(value);
        if (!text.starts_with(", ")) break;
        text.remove_prefix(2);
    }
    if (!text.starts_with(" = ")) return bad_line(line, "expected ' = ' after the results");
    text.remove_prefix(3);
    if (text.find('(') == std::string_view::npos || text.find(')') == std::string_view::npos) {
        return bad_line(line, "expected an operator call");
    }
    ESPER_CHECK_STATUS(check_uses(text, defined, line));
    for (const std::uint32_t value : results) {
        if (defined.has(value)) {
            return bad_line(line, fmt::format("%{} is defined a second time", value));
        }
        defined.add(value);
    }
    return {};
}

}  // namespace

Status validate_architecture(std::string_view text) {
    Lines lines(text);
    std::string_view line;
    if (!lines.next(line) || !line.starts_with(kHeader)) {
        return bad_line(1, "expected 'esper-program 1 \"name\"'");
    }
    line.remove_prefix(kHeader.size());
    if (!line.starts_with("1 ") && line != "1") {
        return fail(ContractError::kUnknownVersion,
                    fmt::format("expected version 1 of the Program text, got '{}'",
                                line.substr(0, line.find(' '))));
    }
    Defined defined;
    bool has_output = false;
    while (lines.next(line)) {
        if (line.empty() || line.starts_with('#')) continue;
        if (line.starts_with('%')) {
            ESPER_CHECK_STATUS(check_instruction(line, defined, lines.number));
            continue;
        }
        const std::string_view word = line.substr(0, line.find(' '));
        static constexpr std::string_view kKinds[] = {"input",   "param",  "buffer",
                                                      "control", "anchor", "output"};
        if (std::find(std::begin(kKinds), std::end(kKinds), word) == std::end(kKinds)) {
            return bad_line(lines.number,
                            fmt::format("a line cannot start with '{}'", word.substr(0, 40)));
        }
        ESPER_CHECK_STATUS(check_uses(line, defined, lines.number));
        has_output = has_output || word == "output";
    }
    if (!has_output) return bad_line(lines.number, "expected at least one output");
    return {};
}

}  // namespace esper::contracts
