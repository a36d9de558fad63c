#include "esper/exchange/exporters/pytorch_code.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "esper/base/text.h"
#include "esper/exchange/exporters/python_calls.h"
#include "esper/exchange/exporters/python_names.h"
#include "esper/program/edits/seed_wiring.h"
#include "esper/program/operators/operator_table.h"

namespace esper::graph {

namespace {

constexpr std::string_view kFiles = R"(import json
from pathlib import Path

)";

constexpr std::string_view kScope = R"(import torch
import torch.nn.functional as F
from torch import nn


class Scope(nn.Module):
    """A named group of parameters; scope["0"] finds what has no name for a dot."""

    def __getitem__(self, name):
        for group in (self._modules, self._parameters, self._buffers):
            if name in group:
                return group[name]
        raise KeyError(name)

    def put(self, dotted, thing):
        """Registers a parameter, buffer or module under a dotted name."""
        *path, last = dotted.split(".")
        at = self
        for word in path:
            if word not in at._modules:
                at._modules[word] = Scope()
            at = at._modules[word]
        if isinstance(thing, nn.Parameter):
            at._parameters[last] = thing
        elif isinstance(thing, nn.Module):
            at._modules[last] = thing
        else:
            at._buffers[last] = thing
)";

constexpr std::string_view kReader = R"(

def read_safetensors(path):
    """Name -> tensor, from a safetensors file."""
    raw = Path(path).read_bytes()
    length = int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8:8 + length])
    header.pop("__metadata__", None)
    types = {"F32": torch.float32, "BF16": torch.bfloat16, "F16": torch.float16,
             "F64": torch.float64, "I64": torch.int64, "I32": torch.int32, "I16": torch.int16,
             "I8": torch.int8, "U8": torch.uint8, "BOOL": torch.bool}
    tensors = {}
    for name, item in header.items():
        begin, end = (8 + length + offset for offset in item["data_offsets"])
        flat = torch.frombuffer(bytearray(raw[begin:end]), dtype=types[item["dtype"]])
        tensors[name] = flat.reshape(item["shape"])
    return tensors
)";

constexpr std::string_view kStraightThrough = R"(

def straight_through(y, s):
    """y; its gradient goes to y and to s alike."""
    return y + (s - s.detach())
)";

constexpr std::string_view kLoad = R"(
    @classmethod
    def load(cls, path=Path(__file__).with_name("model.safetensors")):
        model = cls()
        model.load_state_dict(read_safetensors(path))
        return model.eval()
)";

bool reads_controls(const Instruction& instruction) {
    // What Esper draws from the step, plain PyTorch draws from its generator.
    constexpr std::string_view kDrawing[] = {"esper::dropout_mask", "esper::bernoulli",
                                             "esper::uniform", "esper::normal"};
    return std::find(std::begin(kDrawing), std::end(kDrawing), instruction.op) ==
           std::end(kDrawing);
}

std::vector<const Control*> controls_read(const Program& program) {
    std::set<std::uint32_t> read;
    for (const auto& instruction : program.instructions()) {
        if (!reads_controls(instruction)) continue;
        for (const auto& argument : instruction.args)
            for_each_value(argument, [&](ValueId id) { read.insert(id.value()); });
    }
    std::vector<const Control*> found;
    for (const auto& control : program.controls())
        if (read.contains(control.value.value())) found.push_back(&control);
    return found;
}

std::string sizes(const TensorType& type) {
    std::string out = "(";
    for (auto size : type.shape) out += fmt::format("{}, ", size);
    if (type.shape.size() > 1) out.resize(out.size() - 2);
    if (type.shape.size() == 1) out.pop_back();
    return out + ")";
}

class Writer {
  public:
    explicit Writer(const Program& program) : program_(program) {
        for (auto& block : find_seed_blocks(program.instructions()))
            if (stands_alone(block)) blocks_.push_back(std::move(block));
        std::set<std::string> taken{"Model", "Scope", "Path", "F"};
        for (const auto& block : blocks_) {
            const auto base = "Seed" + python_class_name(block.seed);
            auto name = base;
            for (int n = 2; !taken.insert(name).second; ++n) name = fmt::format("{}_{}", base, n);
            classes_.push_back(name);
        }
        for (const auto& input : program.inputs())
            inputs_[input.value.value()] = python_variable(input.name);
    }

    Result<std::string> write() {
        out_ = fmt::format(
            "\"\"\"{}, written by Esper as plain PyTorch.\n\n"
            "    model = Model.load()    # model.safetensors beside this file\n"
            "\nProgram {}\n\"\"\"\n",
            printable(program_.name()), program_.hash().hex());
        out_ += kFiles;
        out_ += kScope;
        out_ += kReader;
        if (uses("esper::straight_through")) out_ += kStraightThrough;
        for (std::size_t i = 0; i < blocks_.size(); ++i) ESPER_CHECK_STATUS(seed_class(i));
        ESPER_CHECK_STATUS(model_class());
        return std::move(out_);
    }

    Result<SeedClasses> write_seeds() {
        out_ = kScope;
        if (uses(kIsolatedJoin)) out_ += kStraightThrough;
        const auto all = find_seed_blocks(program_.instructions());
        SeedClasses result;
        for (std::size_t i = 0; i < blocks_.size(); ++i) {
            ESPER_CHECK_STATUS(seed_class(i));
            result.classes[blocks_[i].seed] = classes_[i];
        }
        for (const auto& block : all)
            if (!result.classes.contains(block.seed))
                return fail(GraphError::kIllegalEdit,
                            "seed '" + block.seed +
                                "' cannot stand alone: its values are read outside of it");
        result.text = std::move(out_);
        return result;
    }

  private:
    static std::string printable(std::string_view text) {
        std::string out;
        for (char c : text) out += c == '"' || c == '\\' ? '\'' : c;
        return out;
    }

    bool uses(std::string_view op) const {
        for (const auto& instruction : program_.instructions())
            if (instruction.op == op) return true;
        return false;
    }

    // A seed becomes a class when nothing but the join's result is read outside of it, and nothing
    // but its own tensors, its control and y is read inside.
    bool stands_alone(const SeedBlock& block) const {
        std::set<std::uint32_t> inside;
        for (std::size_t i = block.begin; i <= block.join; ++i)
            for (auto id : program_.instructions()[i].results) inside.insert(id.value());
        bool alone = true;
        const auto outside_reads = [&](ValueId id) {
            if (inside.contains(id.value()) && id != block.sum) alone = false;
        };
        const auto prefix = seed_scope(block.seed) + ".";
        for (std::size_t i = 0; i < program_.instructions().size(); ++i) {
            for (const auto& argument : program_.instructions()[i].args)
                for_each_value(argument, [&](ValueId id) {
                    const bool own = inside.contains(id.value()) || id == block.y ||
                                     program_.value_name(id).starts_with(prefix) ||
                                     program_.value_name(id) == seed_control(block.seed);
                    if (i >= block.begin && i <= block.join) {
                        if (!own) alone = false;
                    } else {
                        outside_reads(id);
                    }
                });
        }
        for (const auto& output : program_.outputs()) outside_reads(output.value);
        return alone;
    }

    const SeedBlock* owner_of(std::string_view name) const {
        for (const auto& block : blocks_)
            if (name.starts_with(seed_scope(block.seed) + ".")) return &block;
        return nullptr;
    }

    /// The name of a value inside the class of `block` (or of the model).
    std::string expression(ValueId id, const SeedBlock* block) {
        if (block != nullptr && id == block->y) return "y";
        const auto name = program_.value_name(id);
        switch (program_.value(id).kind) {
            case Value::Kind::kInput:
                return inputs_[id.value()];
            case Value::Kind::kControl:
                if (block != nullptr && name == seed_control(block->seed)) return "alpha";
                return python_path("self", name);
            case Value::Kind::kParameter:
            case Value::Kind::kBuffer:
                if (block != nullptr)
                    return python_path("self", name.substr(seed_scope(block->seed).size() + 1));
                return python_path("self", name);
            case Value::Kind::kResult:
                break;
        }
        auto [it, fresh] = results_.try_emplace(id.value(), fmt::format("h{}", results_.size()));
        return it->second;
    }

    void declare(const SeedBlock* block) {
        const auto mine = [&](std::string_view name) { return owner_of(name) == block; };
        const auto shown = [&](const std::string& name) {
            return python_string(
                block == nullptr ? name : name.substr(seed_scope(block->seed).size() + 1));
        };
        bool any = false;
        for (const auto& p : program_.parameters()) {
            if (!mine(p.name)) continue;
            any = true;
            out_ += fmt::format("        self.put({}, nn.Parameter(torch.zeros({}{}){}))\n",
                                shown(p.name), sizes(p.type), type_of(p.type),
                                p.trainable ? "" : ", requires_grad=False");
        }
        for (const auto& b : program_.buffers()) {
            if (!mine(b.name)) continue;
            any = true;
            out_ += fmt::format("        self.put({}, torch.zeros({}{}))\n", shown(b.name),
                                sizes(b.type), type_of(b.type));
        }
        if (block != nullptr) {
            if (!any) out_ += "        # nothing to learn\n";
            return;
        }
        for (const auto* c : controls_read(program_))
            out_ += fmt::format("        self.put({}, torch.tensor({}))\n", python_string(c->name),
                                python_constant(Constant{c->initial}));
        for (std::size_t i = 0; i < blocks_.size(); ++i)
            out_ += fmt::format("        self.put({}, {}())\n",
                                python_string(seed_scope(blocks_[i].seed)), classes_[i]);
    }

    static std::string type_of(const TensorType& type) {
        if (type.dtype == DType::kFloat32) return "";
        return ", dtype=" + python_constant(Constant{type.dtype});
    }

    void comment(const std::string& scope, std::string& last) {
        if (scope == last) return;
        if (!scope.empty()) out_ += "        # " + scope + "\n";
        last = scope;
    }

    Status statement(const Instruction& instruction, const SeedBlock* block) {
        ESPER_TRY(const auto call,
                  python_call(instruction, [&](ValueId id) { return expression(id, block); }));
        std::vector<std::string> targets;
        for (auto id : instruction.results) targets.push_back(expression(id, block));
        const auto* op = find_in_table(instruction.op);
        const bool one_of_a_list = targets.size() == 1 && op && op->schema.returns_list();
        out_ += "        " + join(targets, ", ") + (one_of_a_list ? "," : "") +
                (targets.empty() ? "" : " = ") + call + "\n";
        return {};
    }

    Status seed_class(std::size_t index) {
        const auto& block = blocks_[index];
        results_.clear();
        const bool blended = block.mode == SeedMode::kBlended;
        out_ += fmt::format(
            "\n\nclass {}(Scope):\n    \"\"\"Seed {} ({}).\"\"\"\n\n"
            "    def __init__(self):\n        super().__init__()\n",
            classes_[index], block.seed, seed_mode_name(block.mode));
        declare(&block);
        out_ += fmt::format("\n    def forward(self, y{}):\n", blended ? ", alpha" : "");
        const auto own = seed_scope(block.seed);
        std::string last;
        for (std::size_t i = block.begin; i <= block.join; ++i) {
            const auto& instruction = program_.instructions()[i];
            comment(instruction.scope.size() > own.size() ? instruction.scope.substr(own.size() + 1)
                                                          : "",
                    last);
            ESPER_CHECK_STATUS(statement(instruction, &block));
        }
        out_ += "        return " + expression(block.sum, &block) + "\n";
        return {};
    }

    Status model_class() {
        results_.clear();
        out_ += "\n\nclass Model(Scope):\n";
        out_ += fmt::format("    \"\"\"{} parameters.\"\"\"\n\n", program_.parameter_count());
        out_ += "    def __init__(self):\n        super().__init__()\n";
        declare(nullptr);
        out_ += kLoad;
        std::vector<std::string> arguments{"self"};
        for (const auto& input : program_.inputs())
            arguments.push_back(inputs_[input.value.value()]);
        out_ += "\n    def forward(" + join(arguments, ", ") + "):\n";
        std::string last;
        std::size_t next = 0;
        for (std::size_t i = 0; i < program_.instructions().size(); ++i) {
            if (next < blocks_.size() && i == blocks_[next].begin) {
                seed_call(blocks_[next]);
                i = blocks_[next++].join;
                last.clear();
                continue;
            }
            const auto& instruction = program_.instructions()[i];
            comment(instruction.scope, last);
            ESPER_CHECK_STATUS(statement(instruction, nullptr));
        }
        std::vector<std::string> results;
        for (const auto& output : program_.outputs())
            results.push_back(expression(output.value, nullptr));
        out_ += "        return " + join(results, ", ") + "\n";
        return {};
    }

    void seed_call(const SeedBlock& block) {
        const auto y = expression(block.y, nullptr);
        const auto alpha = block.mode == SeedMode::kBlended
                               ? ", " + python_path("self", seed_control(block.seed))
                               : std::string();
        const auto sum = expression(block.sum, nullptr);
        out_ += "        # a seed\n";
        out_ += fmt::format("        {} = {}({}{})\n", sum,
                            python_path("self", seed_scope(block.seed)), y, alpha);
    }

    const Program& program_;
    std::vector<SeedBlock> blocks_;
    std::vector<std::string> classes_;
    std::map<std::uint32_t, std::string> inputs_;
    std::map<std::uint32_t, std::string> results_;
    std::string out_;
};

}  // namespace

Result<std::string> pytorch_code(const Program& program) { return Writer(program).write(); }

Result<SeedClasses> pytorch_seeds(const Program& program) { return Writer(program).write_seeds(); }

Result<Safetensors> pytorch_tensors(const Program& program, const TensorStore& store) {
    Safetensors content;
    const auto take = [&](const std::string& name) -> Status {
        ESPER_TRY(auto tensor, store.find(name));
        content.tensors.emplace(name, tensor);
        return {};
    };
    for (const auto& p : program.parameters()) ESPER_CHECK_STATUS(take(p.name));
    for (const auto& b : program.buffers()) ESPER_CHECK_STATUS(take(b.name));
    for (const auto* c : controls_read(program)) ESPER_CHECK_STATUS(take(c->name));
    content.metadata["format"] = "pt";
    content.metadata["program_sha256"] = program.hash().hex();
    return content;
}

}  // namespace esper::graph
