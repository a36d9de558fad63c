#include "esper/program/edits/blocks.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <set>

#include "esper/program/edits/seed_wiring.h"
#include "esper/program/effects.h"
#include "esper/program/shapes.h"

namespace esper::graph {
namespace {

// `aten::add` of `aten::add.Tensor`.
std::string_view family(std::string_view op) { return op.substr(0, op.find('.')); }

template <std::size_t N>
bool is_one_of(std::string_view name, const std::array<std::string_view, N>& names) {
    return std::ranges::find(names, name) != names.end();
}

// Operators through which half of the input becomes half of the result.
constexpr std::array<std::string_view, 20> kPassing{
    "aten::view",     "aten::reshape", "aten::_unsafe_view",    "aten::transpose",
    "aten::permute",  "aten::flatten", "aten::unflatten",       "aten::contiguous",
    "aten::clone",    "aten::squeeze", "aten::unsqueeze",       "aten::dropout",
    "aten::dropout_", "aten::to",      "aten::alias",           "aten::slice",
    "aten::t",        "aten::roll",    "aten::feature_dropout", "aten::_to_copy"};
// Operators of one argument that change no value of a float32.
constexpr std::array<std::string_view, 5> kSame{"aten::to", "aten::_to_copy", "aten::contiguous",
                                                "aten::clone", "aten::alias"};
// Layers whose result is halved with the weight (argument 1) and the bias (argument 2).
constexpr std::array<std::string_view, 7> kLayers{
    "aten::linear",           "aten::conv1d",      "aten::conv2d",    "aten::conv3d",
    "aten::conv_transpose2d", "aten::convolution", "aten::batch_norm"};
constexpr std::array<std::string_view, 3> kNorms{"aten::layer_norm", "aten::group_norm",
                                                 "aten::rms_norm"};
constexpr std::array<std::string_view, 3> kProducts{"aten::mm", "aten::matmul", "aten::bmm"};
constexpr std::array<std::string_view, 2> kAdditions{"aten::add", "aten::add_"};
constexpr std::array<std::string_view, 2> kRelus{"aten::relu", "aten::relu_"};

/// What many blocks of one Program ask for.
class Context {
  public:
    explicit Context(const Program& whole)
        : program(whole),
          readers(whole.value_count()),
          is_output(whole.value_count()),
          seed_of_instruction(whole.instructions().size()),
          sums(whole.value_count()) {
        const auto instructions = program.instructions();
        for (std::size_t i = 0; i < instructions.size(); ++i)
            for (const auto& argument : instructions[i].args)
                for_each_value(argument, [&](ValueId id) {
                    auto& list = readers[id.value()];
                    if (list.empty() || list.back() != i) list.push_back(i);
                });
        for (const auto& output : program.outputs()) is_output[output.value.value()] = true;
        seeds = find_seed_blocks(instructions);
        for (std::size_t s = 0; s < seeds.size(); ++s) {
            sums[seeds[s].sum.value()] = s + 1;
            for (std::size_t i = seeds[s].begin; i <= seeds[s].join; ++i)
                seed_of_instruction[i] = s + 1;
        }
    }

    const Program& program;
    std::vector<std::vector<std::size_t>> readers;  ///< instructions that read a value
    std::vector<bool> is_output;
    std::vector<SeedBlock> seeds;
    std::vector<std::size_t> seed_of_instruction;  ///< its number + 1, or 0
    std::vector<std::size_t> sums;                 ///< number + 1 of the seed that makes the value
};

/// Reads one module path as a block.
class Reader {
  public:
    Reader(const Context& context, const std::vector<TensorType>& types, std::string name,
           const std::vector<std::size_t>& instructions)
        : c_(context), types_(types), inside_(context.program.value_count()) {
        block_.name = std::move(name);
        block_.instructions = instructions;
        for (const std::size_t i : instructions)
            for (const ValueId id : instruction(i).results) inside_[id.value()] = true;
    }

    std::optional<Block> read() {
        if (!find_result() || !take_parameters() || writes_outside()) return std::nullopt;
        if (!read_residual() && !read_layer()) return std::nullopt;
        if (types_[block_.x.value()] != types_[block_.y.value()] || !reads_only_earlier())
            return std::nullopt;
        return std::move(block_);
    }

  private:
    const Instruction& instruction(std::size_t i) const { return c_.program.instructions()[i]; }
    bool is_inside(ValueId id) const { return inside_[id.value()]; }

    // The value below the seeds that sit on it.
    ValueId base(ValueId id) const {
        while (const auto seed = c_.sums[id.value()]) id = c_.seeds[seed - 1].y;
        return id;
    }
    const Instruction* maker(ValueId id) const {
        const auto& value = c_.program.value(id);
        return value.kind == Value::Kind::kResult ? &instruction(value.index) : nullptr;
    }

    // Exactly one value leaves the block. Seeds on inner values belong to it.
    bool find_result() {
        std::set<std::size_t> inner_seeds;
        for (const std::size_t i : block_.instructions)
            for (const auto& argument : instruction(i).args)
                for_each_value(argument, [&](ValueId id) {
                    if (!is_inside(base(id))) return;
                    while (const auto seed = c_.sums[id.value()]) {
                        inner_seeds.insert(seed);
                        id = c_.seeds[seed - 1].y;
                    }
                });
        std::optional<ValueId> result;
        const std::set<std::size_t> own(block_.instructions.begin(), block_.instructions.end());
        for (const std::size_t i : block_.instructions) {
            for (const ValueId id : instruction(i).results) {
                const auto& readers = c_.readers[id.value()];
                const bool leaves =
                    c_.is_output[id.value()] || std::ranges::any_of(readers, [&](std::size_t r) {
                        const auto seed = c_.seed_of_instruction[r];
                        return !own.contains(r) && (seed == 0 || !inner_seeds.contains(seed));
                    });
                if (!leaves) continue;
                if (result) return false;
                result = id;
            }
        }
        if (!result) return false;
        block_.y = *result;
        return true;
    }

    bool take_parameters() {
        const std::set<std::size_t> own(block_.instructions.begin(), block_.instructions.end());
        std::set<ValueId> read;
        for (const std::size_t i : block_.instructions)
            for (const auto& argument : instruction(i).args)
                for_each_value(argument, [&](ValueId id) { read.insert(id); });
        for (const ValueId id : read) {
            const auto& value = c_.program.value(id);
            const bool parameter = value.kind == Value::Kind::kParameter;
            if (!parameter && value.kind != Value::Kind::kBuffer) continue;
            const auto name = std::string(c_.program.value_name(id));
            if (!is_under(name, block_.name)) continue;
            for (const std::size_t reader : c_.readers[id.value()])
                if (!own.contains(reader)) return false;
            if (parameter) block_.elements += c_.program.parameters()[value.index].type.numel();
            (parameter ? block_.parameters : block_.buffers).push_back(name);
        }
        return !block_.parameters.empty();
    }

    // Whether it changes a value in place that it did not make.
    bool writes_outside() const {
        for (const std::size_t i : block_.instructions) {
            for (const std::size_t position : written_arguments(instruction(i))) {
                bool outside = false;
                for_each_value(instruction(i).args[position], [&](ValueId id) {
                    for (;;) {
                        id = base(id);
                        const auto* made = is_inside(id) ? maker(id) : nullptr;
                        if (made == nullptr || !results_share_first_argument(*made)) break;
                        const auto* shared = std::get_if<ValueId>(&made->args[0]);
                        if (shared == nullptr) break;
                        id = *shared;
                    }
                    const bool own_buffer = c_.program.value(id).kind == Value::Kind::kBuffer &&
                                            is_under(c_.program.value_name(id), block_.name);
                    outside = outside || (!is_inside(id) && !own_buffer);
                });
                if (outside) return true;
            }
        }
        return false;
    }

    // Up the residual path from `id` to x, noting the branches that are added on the way.
    bool follow(ValueId id, std::vector<ValueId>& branches) {
        const ValueId at = base(id);
        if (!is_inside(at)) {
            const auto kind = c_.program.value(id).kind;
            block_.x = id;
            return kind == Value::Kind::kResult || kind == Value::Kind::kInput;
        }
        const auto& made = *maker(at);
        if (is_one_of(family(made.op), kRelus) || is_one_of(family(made.op), kSame)) {
            const auto* from = std::get_if<ValueId>(&made.args[0]);
            return from != nullptr && follow(*from, branches);
        }
        if (!is_one_of(family(made.op), kAdditions) || made.args.size() < 2) return false;
        if (made.args.size() > 2 && made.args[2] != Argument{Constant{std::int64_t{1}}})
            return false;
        const auto* a = std::get_if<ValueId>(&made.args[0]);
        const auto* b = std::get_if<ValueId>(&made.args[1]);
        if (a == nullptr || b == nullptr) return false;
        for (const auto& [path, branch] : {std::pair(*a, *b), std::pair(*b, *a)}) {
            const auto before = branches.size();
            branches.push_back(branch);
            if (is_inside(base(branch)) && follow(path, branches)) return true;
            branches.resize(before);
        }
        return false;
    }

    bool read_residual() {
        std::vector<ValueId> branches;
        if (!follow(block_.y, branches) || branches.empty()) return false;
        for (const ValueId branch : branches)
            if (!scale(branch)) return false;
        return true;
    }

    bool scale_parameter(const Argument& argument) {
        const auto* id = std::get_if<ValueId>(&argument);
        if (id == nullptr) return std::holds_alternative<Constant>(argument);  // no bias
        const auto& value = c_.program.value(*id);
        const auto* made = maker(*id);
        if (made != nullptr && is_one_of(family(made->op), kPassing) && is_inside(*id))
            return scale_parameter(made->args[0]);
        if (value.kind != Value::Kind::kParameter) return false;
        const auto name = std::string(c_.program.value_name(*id));
        // Only once: halving it must halve this branch and nothing else.
        if (!is_under(name, block_.name) || c_.readers[id->value()].size() != 1 ||
            std::ranges::find(block_.output, name) != block_.output.end())
            return false;
        block_.output.push_back(name);
        return true;
    }

    bool scale_weight_and_bias(const Instruction& made, std::size_t weight, std::size_t bias) {
        if (made.args.size() <= weight || !std::holds_alternative<ValueId>(made.args[weight]))
            return false;
        return scale_parameter(made.args[weight]) &&
               (made.args.size() <= bias || scale_parameter(made.args[bias]));
    }

    // Notes the parameters that halve a value when they are halved.
    bool scale(ValueId id) {
        id = base(id);
        const auto* made = is_inside(id) ? maker(id) : nullptr;
        if (made == nullptr || made->args.empty()) return false;
        const auto op = family(made->op);
        if (is_one_of(op, kLayers)) return scale_weight_and_bias(*made, 1, 2);
        if (op == "aten::addmm")
            return scale_parameter(made->args[0]) && scale_parameter(made->args[2]);
        if (op == "aten::rms_norm") return scale_weight_and_bias(*made, 2, made->args.size());
        if (is_one_of(op, kNorms)) return scale_weight_and_bias(*made, 2, 3);
        if (is_one_of(op, kProducts)) return scale_parameter(made->args[1]);
        if (is_one_of(op, kPassing)) return scale_argument(made->args[0]);
        if (op == "aten::mul" && made->args.size() >= 2)
            return scale_argument(made->args[0]) || scale_argument(made->args[1]);
        if (is_one_of(op, kAdditions))
            return scale_argument(made->args[0]) && scale_argument(made->args[1]);
        return false;
    }
    bool scale_argument(const Argument& argument) {
        const auto before = block_.output;
        const auto* id = std::get_if<ValueId>(&argument);
        if (id == nullptr) return false;
        const bool parameter = c_.program.value(*id).kind == Value::Kind::kParameter;
        if (parameter ? scale_parameter(argument) : scale(*id)) return true;
        block_.output = before;
        return false;
    }

    bool read_layer() {
        block_.output.clear();
        if (block_.instructions.size() != 2) return false;
        const auto* relu = maker(block_.y);
        if (!is_one_of(family(relu->op), kRelus)) return false;
        const auto* sum = std::get_if<ValueId>(&relu->args[0]);
        const auto* layer = sum != nullptr && is_inside(*sum) ? maker(*sum) : nullptr;
        if (layer == nullptr || layer->op != "aten::linear") return false;
        const auto* x = std::get_if<ValueId>(&layer->args[0]);
        const auto* before = x != nullptr ? maker(*x) : nullptr;
        if (before == nullptr || !is_one_of(family(before->op), kRelus)) return false;
        const auto* weight = std::get_if<ValueId>(&layer->args[1]);
        const auto* bias = std::get_if<ValueId>(&layer->args[2]);
        if (weight == nullptr || c_.program.value(*weight).kind != Value::Kind::kParameter)
            return false;
        block_.x = *x;
        block_.weight = c_.program.value_name(*weight);
        if (bias != nullptr) block_.bias = c_.program.value_name(*bias);
        return is_under(block_.weight, block_.name);
    }

    // The copy is put before the block, so what it reads must be there.
    bool reads_only_earlier() const {
        const std::size_t begin = block_.instructions.front();
        for (const std::size_t i : block_.instructions) {
            bool early = true;
            for (const auto& argument : instruction(i).args)
                for_each_value(argument, [&](ValueId id) {
                    const auto& value = c_.program.value(id);
                    if (is_inside(base(id)) || value.kind != Value::Kind::kResult) return;
                    early = early && value.index < begin;
                });
            if (!early) return false;
        }
        return true;
    }

    const Context& c_;
    const std::vector<TensorType>& types_;
    std::vector<bool> inside_;
    Block block_;
};

// Instructions by each module path that they lie under.
std::map<std::string, std::vector<std::size_t>> by_path(const Program& program) {
    std::map<std::string, std::vector<std::size_t>> paths;
    for (std::size_t i = 0; i < program.instructions().size(); ++i) {
        const auto& scope = program.instructions()[i].scope;
        if (scope.empty() || is_under(scope, "seed")) continue;
        for (auto dot = scope.find('.');; dot = scope.find('.', dot + 1)) {
            paths[scope.substr(0, dot)].push_back(i);
            if (dot == std::string::npos) break;
        }
    }
    return paths;
}

bool is_taken(const Program& program, std::string_view name) {
    const auto named = [&](const auto& items) {
        return std::ranges::any_of(items,
                                   [&](const auto& item) { return is_under(item.name, name); });
    };
    return named(program.parameters()) || named(program.buffers()) || named(program.controls()) ||
           named(program.anchors()) ||
           std::ranges::any_of(program.instructions(),
                               [&](const Instruction& item) { return is_under(item.scope, name); });
}

std::string stem_of(const std::string& block) {
    const auto digits = block.find_last_not_of("0123456789");
    if (digits == std::string::npos || digits + 1 == block.size() || block[digits] != '-')
        return block;
    return block.substr(0, digits);
}

}  // namespace

bool is_under(std::string_view name, std::string_view path) {
    return name.starts_with(path) && (name.size() == path.size() || name[path.size()] == '.');
}

std::string name_for_copy(const Program& program, const std::string& block) {
    const auto stem = stem_of(block);
    int n = 2;
    while (is_taken(program, fmt::format("{}-{}", stem, n))) ++n;
    return fmt::format("{}-{}", stem, n);
}

Result<std::vector<Block>> find_blocks(const Program& program) {
    ESPER_TRY(const auto types, infer_types(program));
    const Context context(program);
    std::vector<Block> blocks;
    for (const auto& [path, instructions] : by_path(program)) {
        auto block = Reader(context, types, path, instructions).read();
        if (block) blocks.push_back(std::move(*block));
    }
    std::set<std::string> around;
    for (const auto& block : blocks)
        for (auto dot = block.name.find('.'); dot != std::string::npos;
             dot = block.name.find('.', dot + 1))
            around.insert(block.name.substr(0, dot));
    std::erase_if(blocks, [&](const Block& block) { return around.contains(block.name); });
    std::ranges::sort(blocks, {}, [](const Block& b) { return b.instructions.front(); });
    return blocks;
}

}  // namespace esper::graph
