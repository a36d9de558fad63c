#include "esper/program/operators/operator_schema.h"

#include <fmt/format.h>

#include <charconv>

#include "esper/program/program_checks.h"

namespace esper::graph {

namespace {

SchemaType::Kind kind_of(std::string_view name) {
    using enum SchemaType::Kind;
    if (name == "Tensor") return kTensor;
    if (name == "int" || name == "SymInt" || name == "ScalarType" || name == "Layout" ||
        name == "MemoryFormat")
        return kInteger;
    if (name == "float" || name == "SymFloat") return kFloat;
    if (name == "Scalar") return kNumber;
    if (name == "bool") return kBool;
    if (name == "str") return kString;
    return kOther;
}

class SchemaReader {
  public:
    explicit SchemaReader(std::string_view text) : text_(text) {}

    Result<OperatorSchema> read() {
        OperatorSchema schema;
        schema.name = std::string(until('('));
        if (!is_operator_name(schema.name)) return refuse("an operator's name and '('");
        bool keyword_only = false;
        take("(");
        while (!take(")")) {
            if (take("*")) {
                keyword_only = true;
            } else {
                ESPER_TRY(SchemaArgument next, argument());
                next.keyword_only = keyword_only;
                schema.arguments.push_back(std::move(next));
            }
            if (!take(", ") && !rest().starts_with(')')) return refuse("', ' or ')'");
        }
        if (!take(" -> ")) return refuse("' -> '");
        const bool several = take("(");
        while (!(several && take(")"))) {
            SchemaArgument marks;
            ESPER_TRY(SchemaType result, type(marks));
            schema.results.push_back(std::move(result));
            if (!several) break;
            // Results may have names.
            if (take(" ")) word();
            if (!take(", ") && !rest().starts_with(')')) return refuse("', ' or ')'");
        }
        if (at_ != text_.size()) return refuse("the end");
        return schema;
    }

  private:
    std::string_view rest() const { return text_.substr(at_); }
    bool take(std::string_view expected) {
        if (!rest().starts_with(expected)) return false;
        at_ += expected.size();
        return true;
    }
    std::string_view until(char end) {
        const auto from = at_;
        at_ = std::min(text_.find(end, at_), text_.size());
        return text_.substr(from, at_ - from);
    }
    std::string_view word() {
        const auto from = at_;
        while (at_ < text_.size() &&
               (std::isalnum(static_cast<unsigned char>(text_[at_])) != 0 || text_[at_] == '_'))
            ++at_;
        return text_.substr(from, at_ - from);
    }
    tl::unexpected<Error> refuse(std::string_view expected) const {
        return fail(GraphError::kMalformed, fmt::format("the schema '{}': expected {} at '{}'",
                                                        text_, expected, rest().substr(0, 40)));
    }

    Result<SchemaType> type(SchemaArgument& marks) {
        SchemaType type;
        const auto name = word();
        if (name.empty()) return refuse("a type");
        type.kind = kind_of(name);
        type.text = name;
        if (take("(")) {  // (a), (a!), (a -> *)
            const auto alias = until(')');
            if (!take(")")) return refuse("')'");
            marks.is_shared = true;
            marks.is_written = alias.find('!') != std::string_view::npos;
        }
        const bool optional = take("?");
        if (take("[")) {
            type.is_list = true;
            type.has_optional_items = optional;
            const auto length = until(']');
            std::from_chars(length.data(), length.data() + length.size(), type.length);
            if (!take("]")) return refuse("']'");
            type.text += fmt::format("{}[{}]", optional ? "?" : "", length);
            type.is_optional = take("?");
        } else {
            type.is_optional = optional;
        }
        if (type.is_optional) type.text += '?';
        return type;
    }

    Result<SchemaArgument> argument() {
        SchemaArgument argument;
        ESPER_TRY(argument.type, type(argument));
        if (!take(" ")) return refuse("a blank and the argument's name");
        argument.name = std::string(word());
        if (argument.name.empty()) return refuse("the argument's name");
        if (take("=")) {
            ESPER_TRY(Constant value, fallback(argument.type));
            argument.fallback = std::move(value);
        }
        return argument;
    }

    Result<Constant> fallback(const SchemaType& type) {
        if (take("None")) return Constant{};
        if (take("[")) {
            std::vector<std::int64_t> integers;
            std::vector<double> floats;
            std::vector<bool> bools;
            while (!take("]")) {
                ESPER_TRY(const Constant item, single(type.kind));
                if (const auto* i = std::get_if<std::int64_t>(&item)) integers.push_back(*i);
                if (const auto* d = std::get_if<double>(&item)) floats.push_back(*d);
                if (const auto* b = std::get_if<bool>(&item)) bools.push_back(*b);
                if (!take(", ") && !rest().starts_with(']')) return refuse("', ' or ']'");
            }
            if (type.kind == SchemaType::Kind::kFloat) return Constant{std::move(floats)};
            if (type.kind == SchemaType::Kind::kBool) return Constant{std::move(bools)};
            return Constant{std::move(integers)};
        }
        ESPER_TRY(Constant one, single(type.kind));
        if (!type.is_list) return one;
        // One number stands for every item of a list of that length: `int[2] padding=0`.
        const auto* number = std::get_if<std::int64_t>(&one);
        if (number == nullptr || type.length == 0) return refuse("a list");
        return Constant{std::vector<std::int64_t>(type.length, *number)};
    }

    Result<Constant> single(SchemaType::Kind kind) {
        if (take("True")) return Constant{true};
        if (take("False")) return Constant{false};
        if (take("\"")) {
            const auto text = until('"');
            if (!take("\"")) return refuse("'\"'");
            return Constant{std::string(text)};
        }
        const auto from = at_;
        while (at_ < text_.size() &&
               std::string_view("+-.0123456789einf").find(text_[at_]) != std::string_view::npos)
            ++at_;
        const auto digits = text_.substr(from, at_ - from);
        const auto* end = digits.data() + digits.size();
        std::int64_t integer = 0;
        const auto whole = std::from_chars(digits.data(), end, integer);
        if (kind != SchemaType::Kind::kFloat && whole.ec == std::errc{} && whole.ptr == end)
            return Constant{integer};
        double value = 0;
        const auto real = std::from_chars(digits.data(), end, value);
        if (digits.empty() || real.ec != std::errc{} || real.ptr != end)
            return refuse("a default value");
        return Constant{value};
    }

    std::string_view text_;
    std::size_t at_ = 0;
};

}  // namespace

Result<OperatorSchema> parse_schema(std::string_view text) { return SchemaReader(text).read(); }

}  // namespace esper::graph
