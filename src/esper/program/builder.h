#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "esper/program/program.h"

namespace esper::graph {

/// Builds a Program call by call. Arguments left out at the end of a call get the schema's
/// defaults. The builder keeps the first error, and finish() returns it; calls after an error do
/// nothing harmful.
///
///     ProgramBuilder b("mlp");
///     auto x = b.input("x", {DType::kFloat32, {-1, 64}});
///     auto w = b.parameter("fc.weight", {DType::kFloat32, {10, 64}}, {Init::Kind::kUniform, 0.1});
///     auto y = b.call("aten::linear", {x, w}, "fc");
///     b.output("logits", y);
///     ESPER_TRY(ProgramPtr program, b.finish());
class ProgramBuilder {
  public:
    explicit ProgramBuilder(std::string name);
    /// Starts with the content of an existing Program, whose values keep their ids.
    explicit ProgramBuilder(const Program& base);

    ValueId input(std::string name, TensorType type);
    ValueId parameter(std::string name, TensorType type, Init init, bool trainable = true);
    ValueId buffer(std::string name, TensorType type, Init init);
    ValueId control(std::string name, double initial);

    /// A call with one result.
    ValueId call(std::string_view op, std::vector<Argument> args, std::string_view scope = "");
    /// A call with `results` results.
    std::vector<ValueId> call_n(std::string_view op, std::vector<Argument> args, int results,
                                std::string_view scope = "");

    void output(std::string name, ValueId value);
    void anchor(std::string name, AnchorKind kind, ValueId value, std::int64_t features,
                std::optional<ValueId> layer_input = std::nullopt);

    /// Sets a prefix for the names of all parameters, buffers and scopes declared from now on.
    void set_prefix(std::string prefix) { prefix_ = std::move(prefix); }

    /// Checks structure and operators (arity and argument kinds against the installed schemas).
    Result<ProgramPtr> finish();

  private:
    ValueId new_value();
    std::string prefix_;
    Program::Parts parts_;
    std::optional<Error> error_;
};

/// Shorthands for constant arguments.
inline Argument none() { return Constant{}; }
inline Argument training_flag() { return Constant{TrainingFlag{}}; }
inline Argument constant(std::int64_t v) { return Constant{v}; }
inline Argument constant(int v) { return Constant{std::int64_t{v}}; }
inline Argument constant(double v) { return Constant{v}; }
inline Argument constant(bool v) { return Constant{v}; }
inline Argument constant(const char* v) { return Constant{std::string(v)}; }
inline Argument ints(std::vector<std::int64_t> v) { return Constant{std::move(v)}; }
inline Argument values(const std::vector<ValueId>& v) {
    ValueList list;
    for (auto id : v) list.emplace_back(id);
    return list;
}

}  // namespace esper::graph
