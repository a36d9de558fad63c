#pragma once

#include <string>
#include <string_view>

#include "esper/base/error.h"
#include "esper/program/types.h"

namespace esper::graph {

/// One token of the text form.
struct Token {
    enum class Kind {
        kWord,    ///< a name, keyword, number or operator
        kName,    ///< a name in backquotes
        kString,  ///< in double quotes
        kResult,  ///< %n; `text` has the digits
        kSign,    ///< one of , = ( ) [ ] : @ ?
        kNewline,
        kEnd,
    };
    Kind kind = Kind::kEnd;
    /// The characters; for kName and kString without quotes and with escapes decoded.
    std::string text;
    std::size_t line = 1;
    std::size_t column = 1;

    bool is_sign(char c) const { return kind == Kind::kSign && text[0] == c; }
    bool is_word(std::string_view word) const { return kind == Kind::kWord && text == word; }
    bool ends_line() const { return kind == Kind::kNewline || kind == Kind::kEnd; }
};

/// `line 3, column 14: ` put before a message.
std::string at_position(const Token& token, std::string_view message);

/// The token in words, for messages: `'relu'`, `the end of the line`.
std::string describe(const Token& token);

/// Splits the text into tokens, with one token of look-ahead. Blanks separate tokens, `#` starts a
/// comment that ends with the line, and several line ends count as one.
class TextLexer {
  public:
    explicit TextLexer(std::string_view text) : text_(text) {}

    /// Reads the first token; to be called once, before anything else.
    Status start() { return advance(); }
    const Token& peek() const { return token_; }
    /// Error: kMalformed for an unknown character or escape, and for missing closing quotes.
    Result<Token> take();

  private:
    Status advance();
    Status read_quoted(char quote);
    void read_word();
    void skip_blanks();
    tl::unexpected<Error> refuse(std::string_view message) const;

    std::string_view text_;
    std::size_t at_ = 0;
    std::size_t line_ = 1;
    std::size_t line_start_ = 0;
    Token token_;
};

}  // namespace esper::graph
