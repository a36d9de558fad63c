#include <fmt/format.h>

#include <iterator>
#include <vector>

#include "esper/program/text/text_format.h"
#include "esper/program/text/text_scalars.h"

namespace esper::graph {
namespace {

class TextWriter {
  public:
    explicit TextWriter(const Program& program)
        : program_(program), result_numbers_(program.value_count()) {
        std::uint32_t next = 0;
        for (const Instruction& item : program.instructions()) {
            for (const ValueId id : item.results) result_numbers_[id.value()] = next++;
        }
    }

    std::string run() {
        out_ = "esper-program 1 ";
        append_quoted_name(program_.name());
        for (const Input& item : program_.inputs()) {
            begin("input", item.name);
            out_ += to_string(item.type);
        }
        for (const Parameter& item : program_.parameters()) {
            begin("param", item.name);
            out_ += to_string(item.type);
            init(item.init);
            if (!item.trainable) out_ += " frozen";
        }
        for (const Buffer& item : program_.buffers()) {
            begin("buffer", item.name);
            out_ += to_string(item.type);
            init(item.init);
        }
        for (const Control& item : program_.controls()) {
            begin("control", item.name);
            append_double(out_, item.initial, false);
        }
        for (const Instruction& item : program_.instructions()) instruction(item);
        for (const Anchor& item : program_.anchors()) anchor(item);
        for (const Output& item : program_.outputs()) {
            begin("output", item.name);
            value(item.value);
        }
        out_ += '\n';
        return std::move(out_);
    }

  private:
    void begin(std::string_view keyword, std::string_view name) {
        out_ += '\n';
        out_ += keyword;
        out_ += ' ';
        append_name(out_, name);
        out_ += ": ";
    }

    void append_quoted_name(std::string_view name) { append_quoted(out_, name, '"'); }

    void value(ValueId id) {
        if (program_.value(id).kind == Value::Kind::kResult) {
            fmt::format_to(std::back_inserter(out_), "%{}", result_numbers_[id.value()]);
        } else {
            append_name(out_, program_.value_name(id));
        }
    }

    void init(const Init& init) {
        std::string_view word = " zeros";
        if (init.kind == Init::Kind::kConstant) word = " constant(";
        if (init.kind == Init::Kind::kNormal) word = " normal(";
        if (init.kind == Init::Kind::kUniform) word = " uniform(";
        out_ += word;
        if (init.kind == Init::Kind::kZeros) return;
        append_double(out_, init.value, false);
        out_ += ')';
    }

    void instruction(const Instruction& item) {
        out_ += '\n';
        for (std::size_t i = 0; i < item.results.size(); ++i) {
            if (i > 0) out_ += ", ";
            value(item.results[i]);
        }
        if (!item.results.empty()) out_ += " = ";
        out_ += item.op;
        out_ += '(';
        for (std::size_t i = 0; i < item.args.size(); ++i) {
            if (i > 0) out_ += ", ";
            argument(item.args[i]);
        }
        out_ += ')';
        if (item.scope.empty()) return;
        out_ += " @ ";
        append_scope(out_, item.scope);
    }

    void argument(const Argument& argument) {
        if (const auto* id = std::get_if<ValueId>(&argument)) {
            value(*id);
        } else if (const auto* list = std::get_if<ValueList>(&argument)) {
            value_list(*list);
        } else {
            append_constant(out_, std::get<Constant>(argument));
        }
    }

    void value_list(const ValueList& list) {
        if (list.empty()) out_ += "values";
        out_ += '[';
        for (std::size_t i = 0; i < list.size(); ++i) {
            if (i > 0) out_ += ", ";
            if (list[i]) {
                value(*list[i]);
            } else {
                out_ += "none";
            }
        }
        out_ += ']';
    }

    void anchor(const Anchor& item) {
        begin("anchor", item.name);
        out_ += anchor_kind_name(item.kind);
        out_ += ' ';
        value(item.value);
        if (item.layer_input) {
            out_ += " from ";
            value(*item.layer_input);
        }
        fmt::format_to(std::back_inserter(out_), " features {}", item.features);
    }

    const Program& program_;
    std::vector<std::uint32_t> result_numbers_;
    std::string out_;
};

}  // namespace

std::string to_text(const Program& program) { return TextWriter(program).run(); }

}  // namespace esper::graph
