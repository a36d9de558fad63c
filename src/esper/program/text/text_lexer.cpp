#include "esper/program/text/text_lexer.h"

#include <fmt/format.h>

#include "esper/program/text/text_scalars.h"

namespace esper::graph {
namespace {

int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return -1;
}

}  // namespace

std::string at_position(const Token& token, std::string_view message) {
    return fmt::format("line {}, column {}: {}", token.line, token.column, message);
}

std::string describe(const Token& token) {
    switch (token.kind) {
        case Token::Kind::kNewline:
            return "the end of the line";
        case Token::Kind::kEnd:
            return "the end of the text";
        case Token::Kind::kString:
            return "a string";
        case Token::Kind::kResult:
            return "'%" + token.text.substr(0, 40) + "'";
        default:
            return "'" + token.text.substr(0, 40) + "'";
    }
}

Result<Token> TextLexer::take() {
    Token taken = std::move(token_);
    ESPER_CHECK_STATUS(advance());
    return taken;
}

tl::unexpected<Error> TextLexer::refuse(std::string_view message) const {
    Token here;
    here.line = line_;
    here.column = at_ - line_start_ + 1;
    return fail(GraphError::kMalformed, at_position(here, message));
}

void TextLexer::skip_blanks() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t' || text_[at_] == '\r')) {
        ++at_;
    }
    if (at_ < text_.size() && text_[at_] == '#') {
        while (at_ < text_.size() && text_[at_] != '\n') ++at_;
    }
}

Status TextLexer::advance() {
    const bool after_newline = token_.kind == Token::Kind::kNewline;
    bool newline = false;
    skip_blanks();
    token_ = {Token::Kind::kEnd, "", line_, at_ - line_start_ + 1};
    while (at_ < text_.size() && text_[at_] == '\n') {
        newline = true;
        line_start_ = ++at_;
        ++line_;
        skip_blanks();
    }
    if (newline && !after_newline) {
        token_.kind = Token::Kind::kNewline;
        return {};
    }
    token_ = {Token::Kind::kEnd, "", line_, at_ - line_start_ + 1};
    if (at_ == text_.size()) return {};
    const char c = text_[at_];
    if (c == '"' || c == '`') return read_quoted(c);
    if (c == '%') {
        ++at_;
        token_.kind = Token::Kind::kResult;
        while (at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9') {
            token_.text += text_[at_++];
        }
        return token_.text.empty() ? refuse("expected digits after %") : Status{};
    }
    if (is_word_character(c)) {
        read_word();
        return {};
    }
    if (std::string_view(",=()[]:@?").find(c) != std::string_view::npos) {
        token_.kind = Token::Kind::kSign;
        token_.text = c;
        ++at_;
        return {};
    }
    return refuse(
        fmt::format("the character 0x{:02x} has no meaning here; names with such "
                    "characters go into backquotes",
                    static_cast<unsigned char>(c)));
}

// A word may hold `::` (operators), but no single colon.
void TextLexer::read_word() {
    token_.kind = Token::Kind::kWord;
    const std::size_t start = at_;
    while (at_ < text_.size()) {
        if (is_word_character(text_[at_])) {
            ++at_;
        } else if (text_.substr(at_, 2) == "::") {
            at_ += 2;
        } else {
            break;
        }
    }
    token_.text = text_.substr(start, at_ - start);
}

Status TextLexer::read_quoted(char quote) {
    token_.kind = quote == '"' ? Token::Kind::kString : Token::Kind::kName;
    ++at_;
    while (true) {
        if (at_ == text_.size() || text_[at_] == '\n') {
            return refuse(fmt::format("expected a closing {}", quote));
        }
        const char c = text_[at_++];
        if (c == quote) return {};
        if (c != '\\') {
            token_.text += c;
            continue;
        }
        const char escaped = at_ < text_.size() ? text_[at_] : '\0';
        if (escaped == quote || escaped == '\\') {
            token_.text += escaped;
        } else if (escaped == 'n') {
            token_.text += '\n';
        } else if (escaped == 't') {
            token_.text += '\t';
        } else if (escaped == 'x' && at_ + 2 < text_.size() && hex_digit(text_[at_ + 1]) >= 0 &&
                   hex_digit(text_[at_ + 2]) >= 0) {
            token_.text +=
                static_cast<char>(hex_digit(text_[at_ + 1]) * 16 + hex_digit(text_[at_ + 2]));
            at_ += 2;
        } else {
            return refuse(
                fmt::format("an escape is \\\\, \\{}, \\n, \\t or \\xNN with two lower-"
                            "case hexadecimal digits",
                            quote));
        }
        ++at_;
    }
}

}  // namespace esper::graph
