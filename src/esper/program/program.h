#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "esper/base/hash.h"
#include "esper/program/constant.h"
#include "esper/program/types.h"

namespace esper::graph {

/// How a parameter or buffer gets its first values.
struct Init {
    enum class Kind : std::uint8_t { kZeros = 0, kConstant = 1, kNormal = 2, kUniform = 3 };
    Kind kind = Kind::kZeros;
    /// kConstant: the value; kNormal: the standard deviation; kUniform: the bound b of [-b, b).
    double value = 0;
    bool operator==(const Init&) const = default;
};

struct Input {
    std::string name;
    TensorType type;
    ValueId value;
};
/// A named tensor that training learns unless `trainable` is false.
struct Parameter {
    std::string name;
    TensorType type;
    Init init;
    bool trainable = true;
    ValueId value;
};
/// A named tensor that a run of the Program may change (running statistics).
struct Buffer {
    std::string name;
    TensorType type;
    Init init;
    ValueId value;
};
/// A zero-dimensional float32 that the caller sets, e.g. a seed's α.
struct Control {
    std::string name;
    double initial = 0;
    ValueId value;
};
struct Output {
    std::string name;
    ValueId value;
};

/// The kind of an anchor's value; decides which blueprints fit.
enum class AnchorKind : std::uint8_t {
    kImage = 0,   ///< [N, C, H, W]
    kVector = 1,  ///< [N, D]
    kTokens = 2,  ///< [N, T, D]
};
std::string_view anchor_kind_name(AnchorKind kind);
std::optional<AnchorKind> anchor_kind_from_name(std::string_view name);

/// A named value at which seeds can be added. `value` is y, to which a seed adds s(y).
/// `layer_input`, if known, is the input x of the host's layer that computes y.
struct Anchor {
    std::string name;
    AnchorKind kind = AnchorKind::kVector;
    ValueId value;
    std::optional<ValueId> layer_input;
    /// Channels or features at the anchor (size of dimension 1 for images, of the last otherwise).
    std::int64_t features = 0;
};

/// One operator call. `op` is `namespace::name` or `namespace::name.overload`. `args` has one entry
/// per argument of the schema, in order, including defaults.
struct Instruction {
    std::string op;
    std::vector<Argument> args;
    std::vector<ValueId> results;
    /// Dotted path of the module this belongs to (`layer1.0.conv1`), for people and exporters.
    std::string scope;
};

struct Value {
    enum class Kind : std::uint8_t { kInput, kParameter, kBuffer, kControl, kResult };
    Kind kind = Kind::kResult;
    /// Index in inputs(), parameters(), buffers() or controls(); for results, of the instruction.
    std::uint32_t index = 0;
};

class Program;
using ProgramPtr = std::shared_ptr<const Program>;

/// A flat list of operator calls in single-assignment form, with named parameters, buffers,
/// controls and anchors. Built by ProgramBuilder, edits and readers; immutable after that, so
/// threads may share it. Has no tensors and no training state.
class Program {
  public:
    /// The content of a Program before it has been checked. For builders and readers.
    struct Parts {
        std::string name;
        std::vector<Input> inputs;
        std::vector<Parameter> parameters;
        std::vector<Buffer> buffers;
        std::vector<Control> controls;
        std::vector<Instruction> instructions;
        std::vector<Output> outputs;
        std::vector<Anchor> anchors;
        std::uint32_t value_count = 0;
    };

    /// Checks the structure: every value number below value_count defined once and before its use,
    /// names printable UTF-8 and unique (inputs, parameters, buffers and controls share one name
    /// space; outputs and anchors have their own), types and enums in range, sizes within Limits.
    /// Does not look operators up: see validate_operators().
    /// Errors: kUndefinedValue, kDuplicateName, kTooLarge, kMalformed.
    static Result<ProgramPtr> make(Parts parts);

    const std::string& name() const { return parts_.name; }
    std::span<const Input> inputs() const { return parts_.inputs; }
    std::span<const Parameter> parameters() const { return parts_.parameters; }
    std::span<const Buffer> buffers() const { return parts_.buffers; }
    std::span<const Control> controls() const { return parts_.controls; }
    std::span<const Instruction> instructions() const { return parts_.instructions; }
    std::span<const Output> outputs() const { return parts_.outputs; }
    std::span<const Anchor> anchors() const { return parts_.anchors; }
    std::uint32_t value_count() const { return parts_.value_count; }
    const Value& value(ValueId id) const { return values_[id.value()]; }
    /// The name of an input, parameter, buffer or control; "" for results.
    std::string_view value_name(ValueId id) const;

    const Parameter* find_parameter(std::string_view name) const;
    const Buffer* find_buffer(std::string_view name) const;
    const Control* find_control(std::string_view name) const;
    const Anchor* find_anchor(std::string_view name) const;
    const Output* find_output(std::string_view name) const;
    const Input* find_input(std::string_view name) const;

    /// Total elements of all parameters.
    std::int64_t parameter_count() const;

    /// A copy of the parts, to be edited into another Program.
    Parts parts() const { return parts_; }

    /// Canonical SHA-256 (program_hash.h), computed once, on first use. Thread-safe.
    const Sha256& hash() const;

  private:
    explicit Program(Parts parts) : parts_(std::move(parts)) {}
    template <typename T>
    const T* find(const std::vector<std::uint32_t>& order, const std::vector<T>& items,
                  std::string_view name) const;

    Parts parts_;
    std::vector<Value> values_;
    /// Positions sorted by name, for each kind of named thing.
    struct NameOrder {
        std::vector<std::uint32_t> inputs, parameters, buffers, controls, outputs, anchors;
    };
    NameOrder by_name_;
    struct HashCell;
    std::shared_ptr<HashCell> hash_;
};

/// The values an argument refers to, in order.
void for_each_value(const Argument& argument, const auto& visit) {
    if (const auto* one = std::get_if<ValueId>(&argument)) {
        visit(*one);
    } else if (const auto* list = std::get_if<ValueList>(&argument)) {
        for (const auto& item : *list)
            if (item) visit(*item);
    }
}

/// True when the operator writes into its first argument, by ATen's naming rule: the name ends
/// with one underscore (`add_`, `copy_`).
bool is_in_place(std::string_view op);

}  // namespace esper::graph
