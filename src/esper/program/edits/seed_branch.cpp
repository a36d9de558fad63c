#include "esper/program/edits/seed_branch.h"

#include <algorithm>
#include <unordered_map>

#include "esper/program/edits/seed_wiring.h"

namespace esper::graph {

namespace {

constexpr std::string_view kCut = "aten::narrow";
constexpr std::string_view kPad = "aten::constant_pad_nd";

/// The instructions [begin, end) that make `y` of `x`.
struct Region {
    std::size_t begin = 0;
    std::size_t end = 0;
    ValueId x;
    ValueId y;
};

tl::unexpected<Error> no_branch(std::string_view of, std::string_view why) {
    return fail(GraphError::kIllegalEdit,
                "'" + std::string(of) + "' has no branch for a kernel: " + std::string(why));
}

bool reads(const Instruction& item, ValueId value) {
    bool found = false;
    for (const auto& argument : item.args)
        for_each_value(argument, [&](ValueId id) { found = found || id == value; });
    return found;
}

// A chunk is cut out by the first call and put back by the last; nothing else reads the whole.
Region without_chunk(std::span<const Instruction> all, Region region) {
    if (region.end - region.begin < 3) return region;
    const auto& cut = all[region.begin];
    const auto& pad = all[region.end - 1];
    if (cut.op != kCut || pad.op != kPad || cut.args[0] != Argument{region.x} ||
        pad.results[0] != region.y)
        return region;
    for (auto i = region.begin + 1; i < region.end; ++i)
        if (reads(all[i], region.x)) return region;
    const auto* inner = std::get_if<ValueId>(&pad.args[0]);
    if (inner == nullptr) return region;
    return {region.begin + 1, region.end - 1, cut.results[0], *inner};
}

/// Writes a region's calls as a Program of their own.
class Copy {
  public:
    Copy(const Program& program, std::string_view of, std::string_view prefix)
        : program_(program), of_(of), prefix_(prefix) {}

    Result<SeedBranch> make(const Region& region, const std::vector<std::int64_t>& sample) {
        SeedBranch made{region.begin, region.end, region.x, region.y, {}, nullptr};
        Program::Parts parts;
        parts.name = of_;
        parts.inputs.push_back({"x", branch_input(sample), fresh(parts, region.x)});
        if (is_read_from_outside(region)) return no_branch(of_, "the host reads its inside");
        declare_parameters(region, parts, made);
        for (auto i = region.begin; i < region.end; ++i) {
            auto item = program_.instructions()[i];
            item.scope.clear();
            for (auto& argument : item.args)
                if (!renumber(argument)) return no_branch(of_, "it reads other values of the host");
            for (auto& id : item.results) id = fresh(parts, id);
            parts.instructions.push_back(std::move(item));
        }
        const auto y = numbers_.find(region.y.value());
        if (y == numbers_.end()) return no_branch(of_, "its result is not its own");
        parts.outputs.push_back({"y", y->second});
        ESPER_TRY(made.program, Program::make(std::move(parts)));
        return made;
    }

  private:
    ValueId fresh(Program::Parts& parts, ValueId id) {
        return numbers_[id.value()] = ValueId(parts.value_count++);
    }

    void declare_parameters(const Region& region, Program::Parts& parts, SeedBranch& made) {
        const auto calls = program_.instructions().subspan(region.begin, region.end - region.begin);
        std::vector<const Parameter*> used;
        for (const auto& p : program_.parameters())
            if (p.name.starts_with(prefix_) &&
                std::ranges::any_of(calls, [&](const auto& i) { return reads(i, p.value); }))
                used.push_back(&p);
        std::ranges::sort(used, {}, [](const auto* p) { return p->name; });
        for (const auto* p : used) {
            made.parameters.push_back(p->value);
            auto own = *p;
            own.name = own.name.substr(prefix_.size());
            own.value = fresh(parts, p->value);
            parts.parameters.push_back(std::move(own));
        }
    }

    // Values between x and y would not exist where a kernel computes y.
    bool is_read_from_outside(const Region& region) const {
        std::vector<bool> inside(program_.value_count(), false);
        const auto all = program_.instructions();
        for (auto i = region.begin; i < region.end; ++i)
            for (const auto id : all[i].results) inside[id.value()] = id != region.y;
        bool read = false;
        for (std::size_t i = 0; i < all.size(); ++i)
            if (i < region.begin || i >= region.end)
                for (const auto& argument : all[i].args)
                    for_each_value(argument,
                                   [&](ValueId id) { read = read || inside[id.value()]; });
        for (const auto& output : program_.outputs()) read = read || inside[output.value.value()];
        return read;
    }

    bool renumber(Argument& argument) const {
        const auto known = [&](ValueId& id) {
            const auto found = numbers_.find(id.value());
            if (found == numbers_.end()) return false;
            id = found->second;
            return true;
        };
        if (auto* one = std::get_if<ValueId>(&argument)) return known(*one);
        if (auto* list = std::get_if<ValueList>(&argument))
            for (auto& item : *list)
                if (item && !known(*item)) return false;
        return true;
    }

    const Program& program_;
    std::string of_;
    std::string prefix_;
    std::unordered_map<std::uint32_t, ValueId> numbers_;
};

}  // namespace

TensorType branch_input(const std::vector<std::int64_t>& sample) {
    TensorType type{DType::kFloat32, {-1}};
    type.shape.insert(type.shape.end(), sample.begin(), sample.end());
    if (sample.size() == 2) type.shape[1] = -1;
    return type;
}

Result<SeedBranch> seed_branch(const Program& program, std::string_view seed,
                               const std::vector<std::int64_t>& sample) {
    const auto all = program.instructions();
    const auto block = find_seed_block(all, seed);
    if (!block)
        return fail(GraphError::kUnknownName,
                    "there is no seed '" + std::string(seed) + "' in the Program");
    const auto* y = std::get_if<ValueId>(&all[block->join].args[1]);
    if (y == nullptr) return no_branch(seed, "its join was changed by other means");
    Region region{block->begin, block->join, block->y, *y};
    if (block->mode == SeedMode::kIsolated && region.begin < region.end &&
        all[region.begin].op == kDetach)
        region.x = all[region.begin++].results[0];
    return Copy(program, seed, seed_prefix(seed)).make(without_chunk(all, region), sample);
}

Result<SeedBranch> blueprint_branch(const Program& blueprint,
                                    const std::vector<std::int64_t>& sample) {
    if (blueprint.inputs().size() != 1 || blueprint.outputs().size() != 1)
        return no_branch(blueprint.name(), "it is no blueprint: one input, one output");
    const Region region{0, blueprint.instructions().size(), blueprint.inputs()[0].value,
                        blueprint.outputs()[0].value};
    return Copy(blueprint, blueprint.name(), "")
        .make(without_chunk(blueprint.instructions(), region), sample);
}

}  // namespace esper::graph
