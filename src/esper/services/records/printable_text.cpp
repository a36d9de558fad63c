#include "esper/services/records/printable_text.h"

#include <fmt/format.h>

#include "esper/contracts/utf8.h"

namespace esper::records {

namespace {

// C0, delete, and C1, which some terminals obey in UTF-8, too (U+009B begins a sequence).
bool is_control(std::string_view sequence) {
    const auto byte = static_cast<unsigned char>(sequence[0]);
    if (sequence.size() == 1) return byte < 0x20 || byte == 0x7f;
    return byte == 0xc2 && static_cast<unsigned char>(sequence[1]) < 0xa0;
}

}  // namespace

std::string printable(std::string_view text) {
    std::string out;
    while (!text.empty()) {
        const auto length = contracts::utf8_sequence(text);
        const auto sequence = text.substr(0, length == 0 ? 1 : length);
        text.remove_prefix(sequence.size());
        if (sequence == "\t") {
            out += ' ';
        } else if (length > 0 && !is_control(sequence)) {
            out += sequence;
        } else {
            for (const char c : sequence)
                out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
        }
    }
    return out;
}

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
