#include "esper/program/builder.h"

#include "esper/program/operators.h"

namespace esper::graph {

ProgramBuilder::ProgramBuilder(std::string name) { parts_.name = std::move(name); }
ProgramBuilder::ProgramBuilder(const Program& base) : parts_(base.parts()) {}

ValueId ProgramBuilder::new_value() { return ValueId(parts_.value_count++); }

ValueId ProgramBuilder::input(std::string name, TensorType type) {
    auto id = new_value();
    parts_.inputs.push_back({std::move(name), std::move(type), id});
    return id;
}

ValueId ProgramBuilder::parameter(std::string name, TensorType type, Init init, bool trainable) {
    auto id = new_value();
    parts_.parameters.push_back({prefix_ + name, std::move(type), init, trainable, id});
    return id;
}

ValueId ProgramBuilder::buffer(std::string name, TensorType type, Init init) {
    auto id = new_value();
    parts_.buffers.push_back({prefix_ + name, std::move(type), init, id});
    return id;
}

ValueId ProgramBuilder::control(std::string name, double initial) {
    auto id = new_value();
    parts_.controls.push_back({prefix_ + name, initial, id});
    return id;
}

ValueId ProgramBuilder::call(std::string_view op, std::vector<Argument> args,
                             std::string_view scope) {
    return call_n(op, std::move(args), 1, scope).front();
}

std::vector<ValueId> ProgramBuilder::call_n(std::string_view op, std::vector<Argument> args,
                                            int results, std::string_view scope) {
    std::vector<ValueId> ids;
    for (int i = 0; i < results; ++i) ids.push_back(new_value());
    if (auto filled = fill_defaults(op, args); !filled && !error_) error_ = filled.error();
    parts_.instructions.push_back(
        {std::string(op), std::move(args), ids, prefix_ + std::string(scope)});
    return ids;
}

void ProgramBuilder::output(std::string name, ValueId value) {
    parts_.outputs.push_back({std::move(name), value});
}

void ProgramBuilder::anchor(std::string name, AnchorKind kind, ValueId value, std::int64_t features,
                            std::optional<ValueId> layer_input) {
    parts_.anchors.push_back({std::move(name), kind, value, layer_input, features});
}

Result<ProgramPtr> ProgramBuilder::finish() {
    if (error_) return fail(*error_);
    ESPER_TRY(ProgramPtr program, Program::make(parts_));
    ESPER_CHECK_STATUS(validate_operators(*program));
    return program;
}

}  // namespace esper::graph
