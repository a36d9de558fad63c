#include "esper/program/edits/insert_seed.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <numeric>

#include "esper/base/text.h"
#include "esper/program/edits/seed_wiring.h"
#include "esper/program/effects.h"
#include "esper/program/operators.h"
#include "esper/program/shapes.h"

namespace esper::graph {
namespace {

// Stands for every free size while a blueprint's shapes are inferred; large enough for windows.
constexpr std::int64_t kProbeSize = 8;

Status check_names(const Program& program, const std::string& seed) {
    if (!is_seed_name(seed)) {
        return fail(
            GraphError::kIllegalEdit,
            fmt::format("'{}' is no name for a seed; expected letters, digits, _, - and /", seed));
    }
    const std::string scope = seed_scope(seed);
    const std::string prefix = scope + '.';
    const auto taken = [&](std::string_view where) {
        return fail(GraphError::kIllegalEdit,
                    fmt::format("seed '{}' cannot be inserted: {} of its names is in the Program "
                                "already; remove that seed or choose another name",
                                seed, where));
    };
    for (const Instruction& item : program.instructions()) {
        if (item.scope == scope || item.scope.starts_with(prefix)) return taken("a scope");
    }
    for (const Parameter& item : program.parameters()) {
        if (item.name.starts_with(prefix)) return taken("a parameter");
    }
    for (const Buffer& item : program.buffers()) {
        if (item.name.starts_with(prefix)) return taken("a buffer");
    }
    for (const Control& item : program.controls()) {
        if (item.name.starts_with(prefix) || item.name == seed_control(seed)) {
            return taken("a control");
        }
    }
    return {};
}

tl::unexpected<Error> unknown_anchor(const Program& program, std::string_view anchor) {
    std::vector<std::string> names;
    for (const Anchor& item : program.anchors()) names.push_back(item.name);
    return fail(GraphError::kUnknownName,
                fmt::format("there is no anchor {}; the Program has {}",
                            quote_with_suggestion(anchor, names), names.size()));
}

std::size_t rank_at(AnchorKind kind) {
    switch (kind) {
        case AnchorKind::kImage:
            return 4;
        case AnchorKind::kVector:
            return 2;
        case AnchorKind::kTokens:
            return 3;
    }
    return 0;
}

// One input x, one output y of the same type, both fitting the anchor; allowed operators only.
Status check_blueprint(const InsertSeed& edit, const Anchor& anchor) {
    if (!edit.blueprint) {
        return fail(GraphError::kIllegalEdit, "there is no blueprint to insert");
    }
    const Program& blueprint = *edit.blueprint;
    if (blueprint.inputs().size() != 1 || blueprint.inputs()[0].name != "x" ||
        blueprint.outputs().size() != 1 || blueprint.outputs()[0].name != "y") {
        return fail(GraphError::kIllegalEdit,
                    fmt::format("blueprint '{}' must have one input x and one output y",
                                edit.blueprint_name));
    }
    ESPER_CHECK_STATUS(validate_operators(blueprint));
    ESPER_CHECK_STATUS(validate_blueprint_operators(blueprint));

    const TensorType& x = blueprint.inputs()[0].type;
    const std::size_t rank = rank_at(anchor.kind);
    const std::size_t feature_axis = anchor.kind == AnchorKind::kImage ? 1 : rank - 1;
    if (x.shape.size() != rank ||
        (x.shape[feature_axis] != -1 && x.shape[feature_axis] != anchor.features)) {
        return fail(GraphError::kShapeMismatch,
                    fmt::format("blueprint '{}' takes {}, anchor '{}' carries {} of {} features",
                                edit.blueprint_name, to_string(x), anchor.name,
                                anchor_kind_name(anchor.kind), anchor.features));
    }
    auto types = infer_types(blueprint, kProbeSize);
    if (!types) return fail(types.error().within("blueprint '" + edit.blueprint_name + "'"));
    const TensorType& probe = (*types)[blueprint.inputs()[0].value.value()];
    const TensorType& y = (*types)[blueprint.outputs()[0].value.value()];
    if (y != probe) {
        return fail(GraphError::kShapeMismatch,
                    fmt::format("blueprint '{}' turns {} into {}; a seed must keep the type",
                                edit.blueprint_name, to_string(probe), to_string(y)));
    }
    return {};
}

// Copies the blueprint's declarations and instructions into `parts`, under the seed's names.
class Transplant {
  public:
    Transplant(Program::Parts& parts, const Program& blueprint, std::string_view seed)
        : parts_(parts), blueprint_(blueprint), scope_(seed_scope(seed)) {
        mapped_.resize(blueprint.value_count());
    }

    void declare(ValueId branch_input) {
        mapped_[blueprint_.inputs()[0].value.value()] = branch_input;
        const std::string prefix = scope_ + '.';
        for (Parameter item : blueprint_.parameters()) {
            item.name = prefix + item.name;
            item.value = renumber(item.value);
            parts_.parameters.push_back(std::move(item));
        }
        for (Buffer item : blueprint_.buffers()) {
            item.name = prefix + item.name;
            item.value = renumber(item.value);
            parts_.buffers.push_back(std::move(item));
        }
        for (Control item : blueprint_.controls()) {
            item.name = prefix + item.name;
            item.value = renumber(item.value);
            parts_.controls.push_back(std::move(item));
        }
    }

    void body(std::vector<Instruction>& block) {
        for (Instruction item : blueprint_.instructions()) {
            for (Argument& argument : item.args) map(argument);
            for (ValueId& id : item.results) id = renumber(id);
            item.scope = item.scope.empty() ? scope_ : scope_ + '.' + item.scope;
            block.push_back(std::move(item));
        }
    }

    ValueId result() const { return mapped_[blueprint_.outputs()[0].value.value()]; }

  private:
    ValueId renumber(ValueId id) { return mapped_[id.value()] = ValueId(parts_.value_count++); }
    void map(Argument& argument) const {
        if (auto* one = std::get_if<ValueId>(&argument)) {
            *one = mapped_[one->value()];
        } else if (auto* list = std::get_if<ValueList>(&argument)) {
            for (auto& item : *list) {
                if (item) item = mapped_[item->value()];
            }
        }
    }

    Program::Parts& parts_;
    const Program& blueprint_;
    std::string scope_;
    std::vector<ValueId> mapped_;
};

}  // namespace

MemoryUse::Uses::Uses(std::span<const Note> notes, std::uint32_t memories)
    : begin_(memories + 1U), uses_(notes.size()) {
    for (const Note& note : notes) ++begin_[note.memory + 1U];
    std::partial_sum(begin_.begin(), begin_.end(), begin_.begin());
    auto next = begin_;
    for (const Note& note : notes) uses_[next[note.memory]++] = note.use;
}

MemoryUse::MemoryUse(const Program& program)
    : MemoryUse(program.instructions(), program.outputs(), program.value_count()) {}

MemoryUse::MemoryUse(const Program::Parts& parts)
    : MemoryUse(parts.instructions, parts.outputs, parts.value_count) {}

MemoryUse::MemoryUse(std::span<const Instruction> instructions, std::span<const Output> outputs,
                     std::uint32_t values)
    : instructions_(instructions), outputs_(outputs), memory_(values) {
    for (std::uint32_t id = 0; id < values; ++id) memory_[id] = id;
    for (const Instruction& item : instructions) {
        if (item.args.empty() || !results_share_first_argument(item)) continue;
        const auto* shared = std::get_if<ValueId>(&item.args[0]);
        if (!shared) continue;
        for (const ValueId id : item.results) memory_[id.value()] = memory_[shared->value()];
    }
    std::vector<Note> reads;
    std::vector<Note> writes;
    for (std::uint32_t i = 0; i < instructions.size(); ++i) {
        const Instruction& item = instructions[i];
        const auto note = [&](auto& uses) {
            return [&uses, i, this](ValueId id) { uses.push_back({memory_[id.value()], {i, id}}); };
        };
        for (const std::size_t position : written_arguments(item))
            for_each_value(item.args[position], note(writes));
        for (const Argument& argument : item.args) for_each_value(argument, note(reads));
    }
    reads_ = Uses(reads, values);
    writes_ = Uses(writes, values);
}

bool MemoryUse::allows(const Anchor& anchor, std::size_t first) const {
    // Without looking for older names, of which there can be as many as there are instructions.
    const auto writes = writes_.of(memory_[anchor.value.value()]);
    if (!writes.empty() && writes.back().instruction >= first) return false;
    return check(anchor, first).has_value();
}

Status MemoryUse::check(const Anchor& anchor, std::size_t first) const {
    const auto refuse = [&](std::size_t i, std::string_view what) {
        return fail(GraphError::kIllegalEdit,
                    fmt::format("no seed can sit at anchor '{}': instruction {} ({}) {}",
                                anchor.name, i, instructions_[i].op, what));
    };
    const std::uint32_t memory = memory_[anchor.value.value()];
    // Names that the same tensor had before an in-place operator made the anchor's value of it.
    std::vector<ValueId> older;
    const auto is_older = [&](ValueId id) {
        return std::binary_search(older.begin(), older.end(), id);
    };
    if (first > 0 && is_in_place(instructions_[first - 1].op)) {
        for (const Use& use : reads_.of(memory))
            if (use.instruction < first && use.value != anchor.value) older.push_back(use.value);
        std::sort(older.begin(), older.end());
        for (const Output& item : outputs_)
            if (is_older(item.value)) return refuse(first - 1, "returns it under two names");
    }
    const auto writes = writes_.of(memory);
    const auto write = std::find_if(writes.begin(), writes.end(),
                                    [&](const Use& use) { return use.instruction >= first; });
    const auto reads = reads_.of(memory);
    const auto read = std::find_if(reads.begin(), reads.end(), [&](const Use& use) {
        return use.instruction >= first && is_older(use.value);
    });
    if (write != writes.end() && (read == reads.end() || write->instruction <= read->instruction))
        return refuse(write->instruction, "writes into the anchor's value afterwards");
    if (read != reads.end())
        return refuse(read->instruction, "reads the anchor's value under an older name");
    return {};
}

bool can_hold_seed(const Program& program, const Anchor& anchor, const MemoryUse& uses) {
    const Value& origin = program.value(anchor.value);
    const bool made = origin.kind == Value::Kind::kResult;
    return uses.allows(anchor, made ? origin.index + 1U : 0U);
}

bool can_hold_seed(const Program& program, const Anchor& anchor) {
    return can_hold_seed(program, anchor, MemoryUse(program));
}

Result<ProgramPtr> insert_seed(const Program& program, const InsertSeed& edit) {
    ESPER_CHECK_STATUS(check_names(program, edit.seed));
    const Anchor* anchor = program.find_anchor(edit.anchor);
    if (!anchor) return unknown_anchor(program, edit.anchor);
    ESPER_CHECK_STATUS(check_blueprint(edit, *anchor));

    const ValueId y = anchor->value;
    const Value& origin = program.value(y);
    if (origin.kind != Value::Kind::kResult && origin.kind != Value::Kind::kInput) {
        return fail(GraphError::kIllegalEdit,
                    fmt::format("anchor '{}' names '{}', which is neither an input nor a result",
                                anchor->name, program.value_name(y)));
    }
    const std::size_t first = origin.kind == Value::Kind::kResult ? origin.index + 1U : 0U;
    ESPER_CHECK_STATUS(MemoryUse(program).check(*anchor, first));

    Program::Parts parts = program.parts();
    std::vector<Instruction> block;
    const ValueId detached(parts.value_count++);
    block.push_back({std::string(kDetach), {y}, {detached}, seed_scope(edit.seed)});
    Transplant transplant(parts, *edit.blueprint, edit.seed);
    transplant.declare(detached);
    transplant.body(block);
    const ValueId sum(parts.value_count++);
    replace_everywhere(parts, first, y, sum);
    block.push_back(make_join(parts, edit.seed, SeedMode::kIsolated, y, transplant.result(), sum));
    parts.instructions.insert(parts.instructions.begin() + static_cast<std::ptrdiff_t>(first),
                              std::make_move_iterator(block.begin()),
                              std::make_move_iterator(block.end()));
    return Program::make(std::move(parts));
}

}  // namespace esper::graph
