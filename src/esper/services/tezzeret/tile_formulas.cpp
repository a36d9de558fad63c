#include "esper/services/tezzeret/tile_formulas.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace esper::tezzeret {

namespace {

using graph::OpCall;
using Text = std::optional<std::string>;

double number_at(const OpCall& call, std::size_t position, double otherwise) {
    if (position >= call.stack.size() || !call.stack[position].isScalar()) return otherwise;
    return call.stack[position].toScalar().toDouble();
}

/// a + factor · b; operators call the factor alpha.
Text sum(const OpCall& call, const char* sign) {
    const double factor = number_at(call, 2, 1.0);
    if (factor == 1.0) return fmt::format("$0{}$1", sign);
    return fmt::format("$0{}{:.9g}f*$1", sign, static_cast<double>(static_cast<float>(factor)));
}
Text add(const OpCall& call) { return sum(call, "+"); }
Text subtract(const OpCall& call) { return sum(call, "-"); }
Text reverse_subtract(const OpCall& call) {
    return number_at(call, 2, 1.0) == 1.0 ? Text("$1-$0") : Text();
}
Text add_product(const OpCall& call) {
    return number_at(call, 3, 1.0) == 1.0 ? Text("$0+$1*$2") : Text();
}
Text power(const OpCall& call) {
    const double exponent = number_at(call, 1, 0.0);
    if (exponent == 0.5) return "root($0)";
    if (exponent != std::floor(exponent) || exponent < 1 || exponent > 4) return {};
    std::string text = "$0";
    for (int i = 1; i < static_cast<int>(exponent); ++i) text += "*$0";
    return text;
}
bool tanh_form(const OpCall& call) {
    const auto& form = call.stack.back();
    return form.isString() && form.toStringRef() == "tanh";
}
Text gelu(const OpCall& call) { return tanh_form(call) ? Text("gelu(tov($0))") : Text(); }
Text gelu_backward(const OpCall& call) {
    return tanh_form(call) ? Text("$0*gelu_slope(tov($1))") : Text();
}
Text threshold_backward(const OpCall& call) {
    return number_at(call, 2, 1.0) == 0.0 ? Text("passed(tov($0),tov($1))") : Text();
}
template <const auto& text>
Text always(const OpCall&) {
    return Text(text);
}

#define ESPER_FORMULA_TEXT(name, text) constexpr char name[] = text;
ESPER_FORMULA_TEXT(kMultiply, "$0*$1")
ESPER_FORMULA_TEXT(kDivide, "$0/$1")
ESPER_FORMULA_TEXT(kNegate, "-$0")
ESPER_FORMULA_TEXT(kReciprocal, "1.f/$0")
ESPER_FORMULA_TEXT(kRoot, "root($0)")
ESPER_FORMULA_TEXT(kInverseRoot, "1.f/root($0)")
ESPER_FORMULA_TEXT(kExp, "vexp(tov($0))")
ESPER_FORMULA_TEXT(kRelu, "relu(tov($0))")
ESPER_FORMULA_TEXT(kSigmoid, "sigmoid(tov($0))")
ESPER_FORMULA_TEXT(kSigmoidBackward, "$0*($1*(1.f-$1))")
ESPER_FORMULA_TEXT(kSilu, "silu(tov($0))")
ESPER_FORMULA_TEXT(kSiluBackward, "$0*silu_slope(tov($1))")
ESPER_FORMULA_TEXT(kTanh, "vtanh(tov($0))")
ESPER_FORMULA_TEXT(kTanhBackward, "$0*(1.f-$1*$1)")

constexpr std::array kRules = {
    FormulaRule{"aten::add.Tensor", 2, &add},
    FormulaRule{"aten::add.Scalar", 2, &add},
    FormulaRule{"aten::add_.Tensor", 2, &add},
    FormulaRule{"aten::add_.Scalar", 2, &add},
    FormulaRule{"aten::sub.Tensor", 2, &subtract},
    FormulaRule{"aten::sub.Scalar", 2, &subtract},
    FormulaRule{"aten::rsub.Scalar", 2, &reverse_subtract},
    FormulaRule{"aten::mul.Tensor", 2, &always<kMultiply>},
    FormulaRule{"aten::mul.Scalar", 2, &always<kMultiply>},
    FormulaRule{"aten::mul_.Tensor", 2, &always<kMultiply>},
    FormulaRule{"aten::mul_.Scalar", 2, &always<kMultiply>},
    FormulaRule{"aten::div.Tensor", 2, &always<kDivide>},
    FormulaRule{"aten::div.Scalar", 2, &always<kDivide>},
    FormulaRule{"aten::addcmul", 3, &add_product},
    FormulaRule{"aten::neg", 1, &always<kNegate>},
    FormulaRule{"aten::reciprocal", 1, &always<kReciprocal>},
    FormulaRule{"aten::sqrt", 1, &always<kRoot>},
    FormulaRule{"aten::rsqrt", 1, &always<kInverseRoot>},
    FormulaRule{"aten::pow.Tensor_Scalar", 1, &power},
    FormulaRule{"aten::exp", 1, &always<kExp>},
    FormulaRule{"aten::relu", 1, &always<kRelu>},
    FormulaRule{"aten::threshold_backward", 2, &threshold_backward},
    FormulaRule{"aten::sigmoid", 1, &always<kSigmoid>},
    FormulaRule{"aten::sigmoid_backward", 2, &always<kSigmoidBackward>},
    FormulaRule{"aten::silu", 1, &always<kSilu>},
    FormulaRule{"aten::silu_backward", 2, &always<kSiluBackward>},
    FormulaRule{"aten::tanh", 1, &always<kTanh>},
    FormulaRule{"aten::tanh_backward", 2, &always<kTanhBackward>},
    FormulaRule{"aten::gelu", 1, &gelu},
    FormulaRule{"aten::gelu_backward", 2, &gelu_backward},
};

constexpr std::array<std::string_view, 11> kViews = {
    "aten::view",    "aten::_unsafe_view", "aten::detach",    "aten::alias",
    "aten::expand",  "aten::clone",        "aten::_to_copy",  "aten::unsqueeze",
    "aten::reshape", "aten::squeeze.dim",  "aten::contiguous"};

}  // namespace

const FormulaRule* find_formula(std::string_view op) {
    const auto* found = std::find_if(kRules.begin(), kRules.end(),
                                     [&](const FormulaRule& rule) { return rule.op == op; });
    return found == kRules.end() ? nullptr : found;
}

bool is_view(std::string_view op) {
    return std::find(kViews.begin(), kViews.end(), op) != kViews.end();
}

}  // namespace esper::tezzeret
