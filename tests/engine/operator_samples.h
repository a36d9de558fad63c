#pragma once
// Calls of the table's operators, found by trying arguments until libtorch takes them.

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <string>

#include "esper/program/operators/operator_table.h"
#include "esper/program/text/text_format.h"

namespace esper::graph::testing {

/// For operators whose arguments nobody finds by chance: the call, its tensors as types.
inline const std::map<std::string, std::string>& hard_calls() {
    static const std::map<std::string, std::string> all{
        {"aten::convolution",
         "(f32[2, 4, 9, 8], f32[6, 2, 3, 3], f32[6], [2, 1], [1, 1], [1, 2], false, [0, 0], 2)"},
        {"aten::conv_transpose3d.input",
         "(f32[2, 3, 4, 4, 4], f32[3, 5, 3, 3, 3], f32[5], [2, 2, 2], [1, 1, 1], [1, 1, 1], 1, "
         "[1, 1, 1])"},
        {"aten::conv3d",
         "(f32[2, 3, 6, 5, 4], f32[4, 3, 3, 2, 2], none, [1, 1, 1], [0, 0, 0], [1, 1, 1], 1)"},
        {"aten::conv3d.padding",
         "(f32[2, 3, 6, 5, 4], f32[4, 3, 3, 3, 3], none, [1, 1, 1], \"same\", [1, 1, 1], 1)"},
        {"aten::lstm.input",
         "(f32[5, 2, 3], [f32[1, 2, 4], f32[1, 2, 4]], [f32[16, 3], f32[16, 4], f32[16], f32[16]], "
         "true, 1, 0.0, false, false, false)"},
        {"aten::gru.input",
         "(f32[2, 5, 3], f32[2, 2, 4], [f32[12, 3], f32[12, 4], f32[12], f32[12], f32[12, 3], "
         "f32[12, 4], f32[12], f32[12]], true, 1, 0.0, false, true, true)"},
        {"aten::rnn_tanh.input",
         "(f32[5, 2, 3], f32[1, 2, 4], [f32[4, 3], f32[4, 4], f32[4], f32[4]], true, 1, 0.0, "
         "false, false, false)"},
        {"aten::rnn_relu.input",
         "(f32[5, 2, 3], f32[1, 2, 4], [f32[4, 3], f32[4, 4], f32[4], f32[4]], true, 1, 0.0, "
         "false, false, false)"},
        {"aten::nll_loss_nd", "(f32[3, 4], i64[3], none, 1, -100)"},
        {"aten::cross_entropy_loss", "(f32[3, 4, 5, 5], i64[3, 5, 5], none, 0, -100, 0.1)"},
        {"aten::upsample_trilinear3d.vec", "(f32[2, 3, 4, 4, 4], [6, 7, 8], false, none)"},
        {"aten::upsample_bicubic2d.vec", "(f32[2, 3, 4, 4], none, false, [2.0, 2.0])"},
        {"aten::grid_sampler_2d", "(f32[2, 3, 4, 4], f32[2, 5, 6, 2], 0, 0, false)"},
        {"aten::grid_sampler", "(f32[2, 3, 4, 4, 4], f32[2, 5, 6, 7, 3], 0, 0, false)"},
        {"aten::im2col", "(f32[2, 3, 8, 9], [3, 2], [1, 2], [1, 0], [2, 1])"},
        {"aten::reflection_pad2d", "(f32[2, 3, 4, 5], [1, 2, 3, 0])"},
        {"aten::group_norm", "(f32[2, 6, 4, 4], 3, f32[6], f32[6], 1e-05, true)"},
        {"aten::instance_norm",
         "(f32[2, 6, 4, 4], f32[6], f32[6], none, none, true, 0.1, 1e-05, true)"},
        {"aten::scaled_dot_product_attention",
         "(f32[2, 3, 5, 4], f32[2, 3, 7, 4], f32[2, 3, 7, 6], none, 0.0, false, none, false)"},
        {"aten::embedding", "(f32[10, 4], i64[2, 5], -1, false, false)"},
        {"aten::bilinear", "(f32[2, 3], f32[2, 4], f32[5, 3, 4], f32[5])"},
        {"aten::tril_indices", "(4, 6, -1, i64, none, none, none)"},
        {"aten::searchsorted.Tensor", "(f32[2, 6], f32[2, 3], false, false, none, none)"},
        {"aten::max_pool2d", "(f32[2, 3, 9, 8], [3, 2], [2, 2], [1, 1], [1, 1], true)"},
    };
    return all;
}

/// A Program of one call, its tensors as parameters that are zero.
class SampleCall {
  public:
    SampleCall(const Operator& op, std::mt19937& random) : op_(op), random_(random) {}

    std::string hard() {
        const auto& call = hard_calls().at(op_.schema.name);
        std::string out;
        for (std::size_t i = 0; i < call.size();) {
            const auto word = call.find_first_of("fi", i);
            const auto end = word == std::string::npos ? word : call.find(']', word);
            const bool is_type = word != std::string::npos && word + 3 < call.size() &&
                                 call[word + 3] == '[' && dtype_from_name(call.substr(word, 3));
            const auto stop = is_type ? word : std::min(word, call.size() - 1) + 1;
            out += call.substr(i, stop - i);
            if (is_type) out += declare(call.substr(word, end + 1 - word));
            i = is_type ? end + 1 : stop;
        }
        return text(out);
    }

    std::string random() {
        std::string out = "(";
        for (const auto& argument : op_.schema.arguments) {
            if (out.size() > 1) out += ", ";
            out +=
                argument.fallback && pick(4) != 0 ? to_string(*argument.fallback) : value(argument);
        }
        return text(out + ")");
    }

    int results = 1;

  private:
    int pick(int n) { return static_cast<int>(random_() % static_cast<unsigned>(n)); }

    std::string text(const std::string& call) {
        std::string names;
        std::string outputs;
        for (int i = 0; i < results; ++i) {
            const auto number = std::to_string(i);
            names += (i > 0 ? ", %" : "%") + number;
            outputs += "output y" + number + ": %" + number + "\n";
        }
        return "esper-program 1 \"sample\"\n" + declarations_ + names + " = " + op_.schema.name +
               call + "\n" + outputs;
    }
    std::string declare(const std::string& type) {
        const auto name = "p" + std::to_string(declared_++);
        declarations_ += "param " + name + ": " + type + " zeros frozen\n";
        return name;
    }

    std::string tensor(const std::string& name) {
        static const std::vector<std::string> kShapes{
            "[]",           "[4]",          "[2, 3]",          "[3, 3]",
            "[3, 2]",       "[2, 3, 4]",    "[2, 4, 3]",       "[2, 3, 8, 8]",
            "[3, 3, 2, 2]", "[4, 3, 3, 3]", "[2, 3, 4, 4, 4]", "[3]",
            "[2]",          "[2, 3, 3]",    "[3, 3, 3]",       "[1, 3, 4, 2]",
            "[2, 4, 6, 6]"};
        if (last_.empty() || pick(2) == 0)
            last_ = kShapes[static_cast<std::size_t>(pick(static_cast<int>(kShapes.size())))];
        const bool index = name.find("ind") != std::string::npos || name == "target";
        const bool mask = name == "mask" || name == "condition";
        const int kind = pick(10);
        const char* dtype = (index && kind < 8) || kind == 9  ? "i64"
                            : (mask && kind < 8) || kind == 8 ? "bool"
                                                              : "f32";
        return declare(dtype + last_);
    }

    std::string value(const SchemaArgument& argument) {
        using Kind = SchemaType::Kind;
        const auto& type = argument.type;
        if (type.is_optional && pick(2) == 0) return "none";
        if (type.is_list) {
            const auto open = type.text.find('[');
            const int fixed = std::atoi(type.text.c_str() + open + 1);
            const int count = fixed > 0 && pick(3) != 0 ? fixed : 1 + pick(4);
            const int base = pick(3);
            std::string out = "[";
            for (int i = 0; i < count; ++i) {
                if (i > 0) out += ", ";
                if (type.has_optional_items && pick(3) == 0) {
                    out += "none";
                } else if (type.kind == Kind::kTensor) {
                    out += type.has_optional_items ? declare("i64[2]") : tensor(argument.name);
                } else if (type.kind == Kind::kFloat) {
                    out += "1.0";
                } else if (type.kind == Kind::kBool) {
                    out += "true";
                } else {
                    out += std::to_string(base == 0 ? i : base == 1 ? 1 + pick(3) : 1);
                }
            }
            return out + "]";
        }
        switch (type.kind) {
            case Kind::kTensor:
                return tensor(argument.name);
            case Kind::kInteger:
                if (type.text.starts_with("ScalarType")) return pick(2) == 0 ? "f32" : "i64";
                if (type.text.starts_with("Layout")) return "none";
                return std::to_string(pick(4) - (pick(5) == 0 ? 2 : 0));
            case Kind::kFloat:
                return "0.5";
            case Kind::kNumber:
                return pick(2) == 0 ? "2" : "0.5";
            case Kind::kBool:
                return pick(2) == 0 ? "true" : "false";
            case Kind::kString: {
                static const std::vector<std::string> kWords{
                    "none",    "mean",     "sum",       "floor", "trunc",
                    "same",    "valid",    "ij",        "xy",    "constant",
                    "reflect", "circular", "replicate", "tanh",  "ij,jk->ik"};
                return "\"" +
                       kWords[static_cast<std::size_t>(pick(static_cast<int>(kWords.size())))] +
                       "\"";
            }
            case Kind::kOther:
                return "none";
        }
        return "none";
    }

    const Operator& op_;
    std::mt19937& random_;
    std::string declarations_;
    int declared_ = 0;
    std::string last_;
};

}  // namespace esper::graph::testing
