#include "esper/base/printable_text.h"

#include <fmt/format.h>

#include "esper/base/utf8.h"

namespace esper {

namespace {

// C0, delete, and C1, which some terminals obey in UTF-8, too (U+009B begins a sequence).
bool is_control(std::string_view sequence) {
    const auto byte = static_cast<unsigned char>(sequence[0]);
    if (sequence.size() == 1) return byte < 0x20 || byte == 0x7f;
    return byte == 0xc2 && static_cast<unsigned char>(sequence[1]) < 0xa0;
}

// What ends a line (U+2028, U+2029), and what shows text in another order than it has (U+061C,
// U+200E, U+200F, U+202A to U+202E, U+2066 to U+2069): a name could pretend to be another one.
bool moves_text(std::string_view sequence) {
    if (sequence == "\u061c") return true;
    return sequence.size() == 3 && (sequence == "\u200e" || sequence == "\u200f" ||
                                    (sequence >= "\u2028" && sequence <= "\u202e") ||
                                    (sequence >= "\u2066" && sequence <= "\u2069"));
}

}  // namespace

std::string printable(std::string_view text, std::size_t longest) {
    std::string out;
    for (std::size_t used = 0; !text.empty();) {
        const auto length = utf8_sequence(text);
        const auto sequence = text.substr(0, length == 0 ? 1 : length);
        if (used + sequence.size() > longest) return out + "…";
        used += sequence.size();
        text.remove_prefix(sequence.size());
        if (sequence == "\t") {
            out += ' ';
        } else if (length > 0 && !is_control(sequence) && !moves_text(sequence)) {
            out += sequence;
        } else {
            for (const char c : sequence)
                out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
        }
    }
    return out;
}

std::string in_quotes(std::string_view text, std::size_t longest) {
    return "'" + printable(text, longest) + "'";
}

}  // namespace esper
