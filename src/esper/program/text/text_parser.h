#pragma once

#include <string>
#include <unordered_map>

#include "esper/program/program.h"
#include "esper/program/text/text_lexer.h"

namespace esper::graph {

/// Reads the text form line by line into Program::Parts; numbers values in their order.
class TextParser {
  public:
    explicit TextParser(std::string_view text) : lexer_(text) {}
    Result<Program::Parts> run();

  private:
    Status header();
    Status line();
    Status input();
    Status parameter();
    Status buffer();
    Status control();
    Status output();
    Status anchor();
    Status instruction();

    Result<Argument> argument();
    Result<Argument> list(std::string_view prefix);
    Result<Argument> finish_list(std::vector<Argument> items, const Token& at);
    Result<Argument> word_argument(const Token& token);
    Result<TensorType> type();
    Result<Init> init();
    /// The name and the colon of a declaration.
    Result<std::string> declared_name();
    Result<ValueId> define_name(const std::string& name, const Token& at);
    Result<ValueId> use(const Token& token) const;
    Result<double> number();

    Result<Token> expect_word(std::string_view what);
    Status expect_sign(char sign, std::string_view where);
    tl::unexpected<Error> refuse(const Token& token, std::string_view expected) const;

    TextLexer lexer_;
    Program::Parts parts_;
    std::unordered_map<std::string, ValueId> names_;
    std::unordered_map<std::string, ValueId> results_;
    Token declared_at_;
};

}  // namespace esper::graph
