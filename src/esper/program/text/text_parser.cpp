#include "esper/program/text/text_parser.h"

#include <fmt/format.h>

#include "esper/program/operators.h"
#include "esper/program/text/text_format.h"
#include "esper/program/text/text_scalars.h"

namespace esper::graph {

tl::unexpected<Error> TextParser::refuse(const Token& token, std::string_view expected) const {
    return fail(GraphError::kMalformed,
                at_position(token, fmt::format("expected {}, got {}", expected, describe(token))));
}

Result<Token> TextParser::expect_word(std::string_view what) {
    if (lexer_.peek().kind != Token::Kind::kWord) return refuse(lexer_.peek(), what);
    return lexer_.take();
}

Status TextParser::expect_sign(char sign, std::string_view where) {
    if (!lexer_.peek().is_sign(sign)) {
        return refuse(lexer_.peek(), fmt::format("'{}' {}", sign, where));
    }
    ESPER_CHECK_STATUS(lexer_.take());
    return {};
}

Result<Program::Parts> TextParser::run() {
    ESPER_CHECK_STATUS(lexer_.start());
    if (lexer_.peek().kind == Token::Kind::kNewline) ESPER_CHECK_STATUS(lexer_.take());
    ESPER_CHECK_STATUS(header());
    while (lexer_.peek().kind != Token::Kind::kEnd) {
        if (lexer_.peek().kind != Token::Kind::kNewline) {
            return refuse(lexer_.peek(), "the end of the line");
        }
        ESPER_CHECK_STATUS(lexer_.take());
        if (lexer_.peek().kind != Token::Kind::kEnd) ESPER_CHECK_STATUS(line());
    }
    return std::move(parts_);
}

Status TextParser::header() {
    if (!lexer_.peek().is_word("esper-program")) {
        return refuse(lexer_.peek(), "a Program's first line, esper-program 1 \"name\"");
    }
    ESPER_CHECK_STATUS(lexer_.take());
    ESPER_TRY(const Token version, expect_word("the version of the text form"));
    const auto number = integer_from_word(version.text);
    if (!number) return refuse(version, "the version of the text form");
    if (*number != 1) {
        return fail(GraphError::kWrongVersion,
                    at_position(version, fmt::format("version {} of the text form; this build "
                                                     "reads version 1",
                                                     *number)));
    }
    if (lexer_.peek().kind != Token::Kind::kString) {
        return refuse(lexer_.peek(), "the Program's name in double quotes");
    }
    ESPER_TRY(Token name, lexer_.take());
    parts_.name = std::move(name.text);
    return {};
}

Status TextParser::line() {
    const Token& first = lexer_.peek();
    if (first.kind == Token::Kind::kResult || first.text.find("::") != std::string::npos) {
        return instruction();
    }
    ESPER_TRY(const Token keyword, expect_word("a declaration or an instruction"));
    if (keyword.text == "input") return input();
    if (keyword.text == "param") return parameter();
    if (keyword.text == "buffer") return buffer();
    if (keyword.text == "control") return control();
    if (keyword.text == "anchor") return anchor();
    if (keyword.text == "output") return output();
    return refuse(keyword,
                  "input, param, buffer, control, anchor, output or an instruction such as "
                  "%0 = aten::relu(x)");
}

Result<std::string> TextParser::declared_name() {
    const auto kind = lexer_.peek().kind;
    if (kind != Token::Kind::kName &&
        (kind != Token::Kind::kWord || !is_plain_name(lexer_.peek().text))) {
        return refuse(lexer_.peek(), "a name (numbers and reserved words go into backquotes)");
    }
    ESPER_TRY(declared_at_, lexer_.take());
    ESPER_CHECK_STATUS(expect_sign(':', "after the name"));
    return declared_at_.text;
}

Result<ValueId> TextParser::define_name(const std::string& name, const Token& at) {
    const ValueId id(parts_.value_count);
    if (!names_.emplace(name, id).second) {
        return fail(GraphError::kDuplicateName,
                    at_position(at, fmt::format("'{}' is defined already", name)));
    }
    ++parts_.value_count;
    return id;
}

Status TextParser::input() {
    ESPER_TRY(std::string name, declared_name());
    ESPER_TRY(TensorType declared, type());
    ESPER_TRY(const ValueId id, define_name(name, declared_at_));
    parts_.inputs.push_back({std::move(name), std::move(declared), id});
    return {};
}

Status TextParser::parameter() {
    ESPER_TRY(std::string name, declared_name());
    ESPER_TRY(TensorType declared, type());
    ESPER_TRY(const Init initial, init());
    const bool frozen = lexer_.peek().is_word("frozen");
    if (frozen) ESPER_CHECK_STATUS(lexer_.take());
    ESPER_TRY(const ValueId id, define_name(name, declared_at_));
    parts_.parameters.push_back({std::move(name), std::move(declared), initial, !frozen, id});
    return {};
}

Status TextParser::buffer() {
    ESPER_TRY(std::string name, declared_name());
    ESPER_TRY(TensorType declared, type());
    ESPER_TRY(const Init initial, init());
    ESPER_TRY(const ValueId id, define_name(name, declared_at_));
    parts_.buffers.push_back({std::move(name), std::move(declared), initial, id});
    return {};
}

Status TextParser::control() {
    ESPER_TRY(std::string name, declared_name());
    ESPER_TRY(const double initial, number());
    ESPER_TRY(const ValueId id, define_name(name, declared_at_));
    parts_.controls.push_back({std::move(name), initial, id});
    return {};
}

Status TextParser::output() {
    ESPER_TRY(std::string name, declared_name());
    ESPER_TRY(const Token token, lexer_.take());
    ESPER_TRY(const ValueId id, use(token));
    parts_.outputs.push_back({std::move(name), id});
    return {};
}

Status TextParser::anchor() {
    Anchor anchor;
    ESPER_TRY(anchor.name, declared_name());
    ESPER_TRY(const Token kind, expect_word("image, vector or tokens"));
    const auto known = anchor_kind_from_name(kind.text);
    if (!known) return refuse(kind, "image, vector or tokens");
    anchor.kind = *known;
    ESPER_TRY(const Token value, lexer_.take());
    ESPER_TRY(anchor.value, use(value));
    if (lexer_.peek().is_word("from")) {
        ESPER_CHECK_STATUS(lexer_.take());
        ESPER_TRY(const Token input, lexer_.take());
        ESPER_TRY(const ValueId id, use(input));
        anchor.layer_input = id;
    }
    ESPER_TRY(const Token keyword, expect_word("features"));
    if (keyword.text != "features") return refuse(keyword, "features");
    ESPER_TRY(const Token count, expect_word("the number of features"));
    const auto features = integer_from_word(count.text);
    if (!features) return refuse(count, "the number of features");
    anchor.features = *features;
    parts_.anchors.push_back(std::move(anchor));
    return {};
}

Status TextParser::instruction() {
    Instruction item;
    std::vector<Token> results;
    while (lexer_.peek().kind == Token::Kind::kResult) {
        ESPER_TRY(Token result, lexer_.take());
        results.push_back(std::move(result));
        if (!lexer_.peek().is_sign(',')) break;
        ESPER_CHECK_STATUS(lexer_.take());
    }
    if (!results.empty()) ESPER_CHECK_STATUS(expect_sign('=', "after the results"));
    ESPER_TRY(Token op, expect_word("an operator such as aten::relu"));
    if (op.text.find("::") == std::string::npos)
        return refuse(op, "an operator such as aten::relu");
    item.op = std::move(op.text);
    ESPER_CHECK_STATUS(expect_sign('(', "after the operator"));
    while (!lexer_.peek().is_sign(')')) {
        if (!item.args.empty()) ESPER_CHECK_STATUS(expect_sign(',', "or ')' after an argument"));
        ESPER_TRY(Argument next, argument());
        item.args.push_back(std::move(next));
    }
    ESPER_CHECK_STATUS(lexer_.take());
    if (lexer_.peek().is_sign('@')) {
        ESPER_CHECK_STATUS(lexer_.take());
        const auto kind = lexer_.peek().kind;
        if (kind != Token::Kind::kWord && kind != Token::Kind::kName) {
            return refuse(lexer_.peek(), "a scope after '@'");
        }
        ESPER_TRY(Token scope, lexer_.take());
        item.scope = std::move(scope.text);
    }
    // Defined only now, because an instruction must not read its own results.
    for (const Token& token : results) {
        const ValueId id(parts_.value_count);
        if (!results_.emplace(token.text, id).second) {
            return fail(GraphError::kDuplicateName,
                        at_position(token, fmt::format("{} is defined already", describe(token))));
        }
        ++parts_.value_count;
        item.results.push_back(id);
    }
    parts_.instructions.push_back(std::move(item));
    return {};
}

Result<ValueId> TextParser::use(const Token& token) const {
    const bool named = token.kind == Token::Kind::kName ||
                       (token.kind == Token::Kind::kWord && is_plain_name(token.text));
    if (!named && token.kind != Token::Kind::kResult) return refuse(token, "a value");
    const auto& known = named ? names_ : results_;
    const auto at = known.find(token.text);
    if (at == known.end()) {
        return fail(GraphError::kUndefinedValue,
                    at_position(token, fmt::format("{} is used before, or without, its definition",
                                                   describe(token))));
    }
    return at->second;
}

Result<double> TextParser::number() {
    ESPER_TRY(const Token token, expect_word("a number"));
    const auto value = double_from_word(token.text);
    if (!value) return refuse(token, "a number");
    return *value;
}

Result<TensorType> TextParser::type() {
    TensorType type;
    ESPER_TRY(const Token dtype, expect_word("an element type such as f32"));
    const auto known = dtype_from_name(dtype.text);
    if (!known) return refuse(dtype, "an element type such as f32");
    type.dtype = *known;
    ESPER_CHECK_STATUS(expect_sign('[', "after the element type"));
    while (!lexer_.peek().is_sign(']')) {
        if (!type.shape.empty()) ESPER_CHECK_STATUS(expect_sign(',', "or ']' after a size"));
        ESPER_TRY(const Token size, lexer_.take());
        const auto number =
            size.kind == Token::Kind::kWord ? integer_from_word(size.text) : std::nullopt;
        if (!size.is_sign('?') && (!number || *number < 0)) {
            return refuse(size, "a size: a whole number, or ? for a free one");
        }
        type.shape.push_back(number.value_or(-1));
    }
    ESPER_CHECK_STATUS(lexer_.take());
    return type;
}

Result<Init> TextParser::init() {
    constexpr std::string_view kExpected = "zeros, constant(c), normal(s) or uniform(b)";
    ESPER_TRY(const Token word, expect_word(kExpected));
    if (word.text == "zeros") return Init{};
    Init init;
    if (word.text == "constant") {
        init.kind = Init::Kind::kConstant;
    } else if (word.text == "normal") {
        init.kind = Init::Kind::kNormal;
    } else if (word.text == "uniform") {
        init.kind = Init::Kind::kUniform;
    } else {
        return refuse(word, kExpected);
    }
    ESPER_CHECK_STATUS(expect_sign('(', "after the kind of initialisation"));
    ESPER_TRY(init.value, number());
    ESPER_CHECK_STATUS(expect_sign(')', "after the number"));
    return init;
}

Result<ProgramPtr> parse_text(std::string_view text) {
    if (text.size() > Limits::kMaxBytes) {
        return fail(GraphError::kTooLarge, fmt::format("{} bytes of text, at most {} are read",
                                                       text.size(), Limits::kMaxBytes));
    }
    ESPER_TRY(Program::Parts parts, TextParser(text).run());
    return Program::make(std::move(parts));
}

Result<ProgramPtr> from_text(std::string_view text) {
    ESPER_TRY(ProgramPtr program, parse_text(text));
    ESPER_CHECK_STATUS(validate_operators(*program));
    return program;
}

}  // namespace esper::graph
