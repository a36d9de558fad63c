// The arguments of an instruction in the text form: values, constants and lists of either.

#include <fmt/format.h>

#include <bit>
#include <charconv>

#include "esper/program/text/text_parser.h"
#include "esper/program/text/text_scalars.h"

namespace esper::graph {
namespace {

// A not-a-number with other bits than usual: nan(0x7ff8000000000001).
std::optional<double> nan_from_bits(std::string_view word) {
    if (!word.starts_with("0x") || word.size() != 18) return std::nullopt;
    std::uint64_t bits = 0;
    const char* const end = word.data() + word.size();
    const auto [stop, error] = std::from_chars(word.data() + 2, end, bits, 16);
    const auto value = std::bit_cast<double>(bits);
    if (error != std::errc() || stop != end || value == value) return std::nullopt;
    return value;
}

template <typename T>
const T* constant_if(const Argument& argument) {
    const auto* constant = std::get_if<Constant>(&argument);
    return constant ? std::get_if<T>(constant) : nullptr;
}

// The list of all items when each is a constant of type T.
template <typename T>
std::optional<Argument> list_of(const std::vector<Argument>& items) {
    std::vector<T> list;
    list.reserve(items.size());
    for (const Argument& item : items) {
        const T* value = constant_if<T>(item);
        if (!value) return std::nullopt;
        list.push_back(*value);
    }
    return Argument{Constant{std::move(list)}};
}

std::optional<Argument> list_of_values(const std::vector<Argument>& items) {
    ValueList list;
    list.reserve(items.size());
    for (const Argument& item : items) {
        if (const auto* id = std::get_if<ValueId>(&item)) {
            list.emplace_back(*id);
        } else if (constant_if<std::monostate>(item)) {
            list.emplace_back(std::nullopt);
        } else {
            return std::nullopt;
        }
    }
    return Argument{std::move(list)};
}

}  // namespace

Result<Argument> TextParser::argument() {
    if (lexer_.peek().is_sign('[')) return list("");
    ESPER_TRY(Token token, lexer_.take());
    if (token.kind == Token::Kind::kString) return Constant{std::move(token.text)};
    if (token.kind == Token::Kind::kWord) return word_argument(token);
    if (token.kind != Token::Kind::kName && token.kind != Token::Kind::kResult) {
        return refuse(token, "a value or a constant");
    }
    ESPER_TRY(const ValueId id, use(token));
    return id;
}

Result<Argument> TextParser::word_argument(const Token& token) {
    const std::string& word = token.text;
    if (word == "none") return Constant{};
    if (word == "train") return Constant{TrainingFlag{}};
    if (word == "true" || word == "false") return Constant{word == "true"};
    if (word == "values" || word == "doubles" || word == "bools") return list(word);
    if (word == "nan" && lexer_.peek().is_sign('(')) {
        ESPER_CHECK_STATUS(lexer_.take());
        ESPER_TRY(const Token bits, expect_word("the bits of a nan"));
        const auto value = nan_from_bits(bits.text);
        if (!value) return refuse(bits, "0x and the sixteen digits of a nan");
        ESPER_CHECK_STATUS(expect_sign(')', "after the bits of a nan"));
        return Constant{*value};
    }
    if (const auto dtype = dtype_from_name(word)) return Constant{*dtype};
    if (const auto format = memory_format_from_name(word)) return Constant{*format};
    if (const auto integer = integer_from_word(word)) return Constant{*integer};
    if (const auto value = double_from_word(word)) {
        if (word.find_first_of(".eni") == std::string::npos) {
            return refuse(token, "a whole number of at most 64 bits");
        }
        return Constant{*value};
    }
    ESPER_TRY(const ValueId id, use(token));
    return id;
}

Result<Argument> TextParser::list(std::string_view prefix) {
    const Token open = lexer_.peek();
    ESPER_CHECK_STATUS(expect_sign('[', "to open a list"));
    std::vector<Argument> items;
    while (!lexer_.peek().is_sign(']')) {
        if (!items.empty()) ESPER_CHECK_STATUS(expect_sign(',', "or ']' in a list"));
        if (lexer_.peek().is_sign('[')) return refuse(lexer_.peek(), "no list within a list");
        ESPER_TRY(Argument item, argument());
        items.push_back(std::move(item));
    }
    ESPER_CHECK_STATUS(lexer_.take());
    if (!prefix.empty() && !items.empty()) {
        return refuse(open, "an empty list after its kind; lists with items need no kind");
    }
    if (prefix == "values") return ValueList{};
    if (prefix == "doubles") return Constant{std::vector<double>{}};
    if (prefix == "bools") return Constant{std::vector<bool>{}};
    return finish_list(std::move(items), open);
}

Result<Argument> TextParser::finish_list(std::vector<Argument> items, const Token& at) {
    if (auto list = list_of<std::int64_t>(items)) return *list;
    if (auto list = list_of<double>(items)) return *list;
    if (auto list = list_of<bool>(items)) return *list;
    if (auto list = list_of_values(items)) return *list;
    return refuse(at, "a list of values, or of constants of one kind");
}

}  // namespace esper::graph
