#pragma once
// Small Programs written by hand, for the tests of forms and edits.

#include <gtest/gtest.h>

#include "esper/program/program.h"

namespace esper::graph::testing {

/// Adds declarations and instructions to Program::Parts and returns their value numbers.
class Hand {
  public:
    explicit Hand(std::string name) { parts.name = std::move(name); }

    ValueId input(std::string name, TensorType type) {
        parts.inputs.push_back({std::move(name), std::move(type), next()});
        return parts.inputs.back().value;
    }
    ValueId parameter(std::string name, TensorType type, Init init = {}, bool trainable = true) {
        parts.parameters.push_back({std::move(name), std::move(type), init, trainable, next()});
        return parts.parameters.back().value;
    }
    ValueId buffer(std::string name, TensorType type, Init init = {}) {
        parts.buffers.push_back({std::move(name), std::move(type), init, next()});
        return parts.buffers.back().value;
    }
    ValueId control(std::string name, double initial) {
        parts.controls.push_back({std::move(name), initial, next()});
        return parts.controls.back().value;
    }
    ValueId call(std::string op, std::vector<Argument> args, std::string scope = "") {
        return call_n(std::move(op), std::move(args), 1, std::move(scope))[0];
    }
    std::vector<ValueId> call_n(std::string op, std::vector<Argument> args, int results,
                                std::string scope = "") {
        std::vector<ValueId> ids;
        for (int i = 0; i < results; ++i) ids.push_back(next());
        parts.instructions.push_back({std::move(op), std::move(args), ids, std::move(scope)});
        return ids;
    }
    void output(std::string name, ValueId value) {
        parts.outputs.push_back({std::move(name), value});
    }
    void anchor(std::string name, AnchorKind kind, ValueId value, std::int64_t features,
                std::optional<ValueId> layer_input = std::nullopt) {
        parts.anchors.push_back({std::move(name), kind, value, layer_input, features});
    }
    ProgramPtr make() const {
        auto program = Program::make(parts);
        EXPECT_TRUE(program) << program.error().to_string();
        return program ? *program : nullptr;
    }

    Program::Parts parts;

  private:
    ValueId next() { return ValueId(parts.value_count++); }
};

inline TensorType f32(std::vector<std::int64_t> shape) {
    return {DType::kFloat32, std::move(shape)};
}
inline Argument integer(std::int64_t value) { return Constant{value}; }
inline Argument real(double value) { return Constant{value}; }
inline Argument flag(bool value) { return Constant{value}; }

/// Two linear layers with an anchor at each, a residual sum and an output.
inline ProgramPtr small_host() {
    Hand h("host");
    const auto x = h.input("x", f32({-1, 8}));
    const auto w1 = h.parameter("fc1.weight", f32({8, 8}), {Init::Kind::kUniform, 0.25});
    const auto b1 = h.parameter("fc1.bias", f32({8}));
    const auto w2 = h.parameter("fc2.weight", f32({8, 8}), {Init::Kind::kNormal, 0.1});
    const auto y1 = h.call("aten::linear", {x, w1, b1}, "fc1");
    const auto r1 = h.call("aten::relu", {y1}, "act");
    const auto y2 = h.call("aten::linear", {r1, w2, Constant{}}, "fc2");
    const auto sum = h.call("aten::add.Tensor", {y2, y1, integer(1)});
    h.anchor("fc1", AnchorKind::kVector, y1, 8, x);
    h.anchor("fc2", AnchorKind::kVector, y2, 8, r1);
    h.output("logits", sum);
    return h.make();
}

/// y = V·relu(W·x) with `features` features.
inline ProgramPtr small_blueprint(std::int64_t features = 8) {
    Hand h("bottleneck");
    const auto x = h.input("x", f32({-1, features}));
    const auto w = h.parameter("down.weight", f32({2, features}), {Init::Kind::kUniform, 0.5});
    const auto v = h.parameter("up.weight", f32({features, 2}), {Init::Kind::kUniform, 0.5});
    const auto down = h.call("aten::linear", {x, w, Constant{}}, "down");
    const auto relu = h.call("aten::relu", {down});
    h.output("y", h.call("aten::linear", {relu, v, Constant{}}, "up"));
    return h.make();
}

/// A Program with everything that the forms must represent: every kind of constant, lists with
/// absent items, two results, every declaration, unusual names.
inline ProgramPtr one_of_everything() {
    Hand h("one of \"everything\"");
    const auto x = h.input("x", f32({-1, 3, 32, 32}));
    const auto none = h.input("none", {DType::kInt64, {}});
    const auto odd = h.parameter("weird `name`\\ é", {DType::kBFloat16, {4, 0}},
                                 {Init::Kind::kConstant, -0.0}, false);
    const auto digits = h.parameter("0.weight", f32({1}), {Init::Kind::kNormal, 0.1});
    const auto number = h.parameter("1e5", f32({1}), {Init::Kind::kUniform, 1e-300});
    const auto mean = h.buffer("bn.running_mean", {DType::kFloat64, {3}}, {Init::Kind::kZeros, 0});
    const auto alpha = h.control("alpha.s", 0.1);
    h.call_n("test::no_results", {Constant{}, Constant{TrainingFlag{}}}, 0);
    const auto two = h.call_n("test::constants.overload",
                              {flag(true),
                               flag(false),
                               integer(std::numeric_limits<std::int64_t>::min()),
                               integer(-3),
                               real(1.0),
                               real(0.1),
                               real(-0.0),
                               real(std::numeric_limits<double>::infinity()),
                               real(-std::numeric_limits<double>::infinity()),
                               real(std::numeric_limits<double>::quiet_NaN()),
                               real(-std::numeric_limits<double>::signaling_NaN()),
                               real(std::numeric_limits<double>::denorm_min()),
                               real(1e20),
                               Constant{std::string("a \"q\"\n\t\\ \x01\xff`", 13)},
                               Constant{std::string()},
                               Constant{std::vector<std::int64_t>{1, -2}},
                               Constant{std::vector<std::int64_t>{}},
                               Constant{std::vector<double>{1.0, 0.5}},
                               Constant{std::vector<double>{}},
                               Constant{std::vector<bool>{true, false}},
                               Constant{std::vector<bool>{}},
                               Constant{DType::kBFloat16},
                               Constant{MemoryFormat::kChannelsLast}},
                              2, "layer 1.conv");
    const auto lists = h.call("test::lists",
                              {ValueList{}, ValueList{std::nullopt}, ValueList{x, std::nullopt},
                               ValueList{odd, number, digits, none, mean, alpha, two[0]}},
                              "0");
    h.anchor("a", AnchorKind::kImage, two[1], 3);
    h.anchor("b c", AnchorKind::kTokens, lists, 1, two[0]);
    h.output("logits", lists);
    h.output("again", x);
    return h.make();
}

}  // namespace esper::graph::testing
