#include "esper/services/records/printable_text.h"

namespace esper::records {

std::string shell_word(std::string_view word) {
    constexpr std::string_view kPlain =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./,:=@%+";
    if (!word.empty() && word.find_first_not_of(kPlain) == std::string_view::npos)
        return std::string(word);
    std::string quoted = "'";
    for (const char c : word) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
    return quoted + "'";
}

std::string command_with(std::string_view command, std::string_view word) {
    const auto safe = shell_word(word);
    const auto whole = std::string(command) + " " + safe;
    return safe == word ? "'" + whole + "'" : whole;
}

}  // namespace esper::records
