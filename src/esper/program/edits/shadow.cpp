#include "esper/program/edits/shadow.h"

#include <algorithm>
#include <unordered_map>

#include "esper/program/builder.h"
#include "esper/program/edits/seed_wiring.h"
#include "esper/program/effects.h"
#include "esper/program/shapes.h"

namespace esper::graph {
namespace {

tl::unexpected<Error> cannot(std::string_view seed, const Instruction& item,
                             std::string_view what) {
    return fail(GraphError::kIllegalEdit, "seed '" + std::string(seed) +
                                              "' cannot learn in a shadow: behind its anchor '" +
                                              item.op + "' at '" + item.scope + "' " +
                                              std::string(what) + "; use straight_through");
}

std::vector<bool> needed_for(const Program& program, ValueId output) {
    std::vector<bool> values(program.value_count(), false);
    values[output.value()] = true;
    const auto instructions = program.instructions();
    std::vector<bool> needed(instructions.size(), false);
    for (std::size_t i = instructions.size(); i-- > 0;) {
        needed[i] = std::ranges::any_of(instructions[i].results,
                                        [&](ValueId id) { return values[id.value()]; });
        if (!needed[i]) continue;
        for (const auto& argument : instructions[i].args)
            for_each_value(argument, [&](ValueId id) { values[id.value()] = true; });
    }
    return needed;
}

/// Writes the second pass of one seed after the host's instructions.
class Shadow {
  public:
    Shadow(const Program& host, const std::vector<TensorType>& types, std::string seed,
           ProgramBuilder& builder)
        : host_(host), types_(types), seed_(std::move(seed)), b_(builder) {}

    Status write(const SeedBlock& block, const std::vector<bool>& needed) {
        const auto instructions = host_.instructions();
        const auto s = std::get<ValueId>(instructions[block.join].args[1]);
        const auto y = b_.call(kDetach, {block.y}, scope("join"));
        shadowed_[block.y.value()] =
            b_.call("aten::add.Tensor", {y, s, constant(1)}, scope("join"));
        for (std::size_t i = block.join + 1; i < instructions.size(); ++i) {
            if (!needed[i] || !reads_shadow(instructions[i])) continue;
            ESPER_CHECK_STATUS(repeat(instructions[i]));
        }
        return {};
    }
    std::optional<ValueId> value(ValueId id) const {
        const auto found = shadowed_.find(id.value());
        return found == shadowed_.end() ? std::nullopt : std::optional(found->second);
    }

  private:
    std::string scope(const std::string& of) const { return "shadow." + seed_ + "." + of; }

    bool reads_shadow(const Instruction& item) const {
        bool reads = false;
        for (const auto& argument : item.args)
            for_each_value(argument,
                           [&](ValueId id) { reads = reads || shadowed_.contains(id.value()); });
        return reads;
    }

    ValueId seen(ValueId id) {
        if (const auto own = value(id)) return *own;
        const auto kind = host_.value(id).kind;
        const bool learned = kind == Value::Kind::kParameter || kind == Value::Kind::kResult;
        if (!learned || !is_floating(types_[id.value()].dtype)) return id;
        auto& detached = detached_[id.value()];
        if (!detached) detached = b_.call(kDetach, {id}, scope("host"));
        return *detached;
    }

    Status repeat(Instruction item) {
        ESPER_CHECK_STATUS(set_apart(item));
        for (auto& argument : item.args) {
            if (auto* one = std::get_if<ValueId>(&argument)) {
                *one = seen(*one);
            } else if (auto* list = std::get_if<ValueList>(&argument)) {
                for (auto& v : *list)
                    if (v) v = seen(*v);
            }
        }
        const auto results =
            b_.call_n(item.op, item.args, static_cast<int>(item.results.size()), scope(item.scope));
        for (std::size_t i = 0; i < results.size(); ++i)
            shadowed_[item.results[i].value()] = results[i];
        return {};
    }

    // Removes effects on the host: changes of statistics and draws of random numbers.
    Status set_apart(Instruction& item) const {
        constexpr std::size_t kMean = 3, kVariance = 4, kTraining = 5;
        if (!written_arguments(item).empty()) {
            if (!item.op.ends_with("batch_norm") && !item.op.ends_with("batch_norm_legit"))
                return cannot(seed_, item, "changes a value in place");
            item.args[kMean] = item.args[kVariance] = none();
            item.args[kTraining] = constant(true);
        }
        if (!draws_random_numbers(item)) return {};
        constexpr std::size_t kDropoutTraining = 2, kAttentionDropout = 4;
        if (item.op == "aten::scaled_dot_product_attention")
            item.args[kAttentionDropout] = constant(0.0);
        else if (item.op.ends_with("dropout") && item.args.size() == kDropoutTraining + 1)
            item.args[kDropoutTraining] = constant(false);
        else
            return cannot(seed_, item, "draws random numbers");
        return {};
    }

    const Program& host_;
    const std::vector<TensorType>& types_;
    std::string seed_;
    ProgramBuilder& b_;
    std::unordered_map<std::uint32_t, ValueId> shadowed_;
    std::unordered_map<std::uint32_t, std::optional<ValueId>> detached_;
};

// A detached value shares its memory with the host's, so later in-place writes of the host would
// change it.
Status check_nothing_written(const Program& program, std::string_view seed) {
    for (const auto& item : program.instructions())
        for (const auto position : written_arguments(item)) {
            const auto* id = std::get_if<ValueId>(&item.args.at(position));
            if (id != nullptr && program.value(*id).kind == Value::Kind::kResult)
                return cannot(seed, item, "changes a value in place");
        }
    return {};
}

// Removes the isolated seeds' joins from the host's path; the joins remain, but are not read.
Result<ProgramPtr> past_the_seeds(const Program& program) {
    auto parts = program.parts();
    // From last to first, so that a seed that reads another seed's join ends at the host's value.
    auto blocks = find_seed_blocks(parts.instructions);
    std::ranges::reverse(blocks);
    for (const auto& block : blocks)
        if (block.mode == SeedMode::kIsolated)
            replace_everywhere(parts, block.join + 1, block.sum, block.y);
    return Program::make(std::move(parts));
}

}  // namespace

std::string shadow_output(std::string_view seed) { return "shadow." + std::string(seed); }

Result<ProgramPtr> with_shadows(const ProgramPtr& program, std::string_view output) {
    const auto seeds = seeds_in(*program);
    if (std::ranges::none_of(seeds, [](const auto& s) { return s.mode == SeedMode::kIsolated; }))
        return program;
    ESPER_TRY(const auto host, past_the_seeds(*program));
    const auto* wanted = host->find_output(output);
    if (wanted == nullptr)
        return fail(GraphError::kUnknownName,
                    "the Program has no output '" + std::string(output) + "'");
    const auto target = wanted->value;
    ESPER_TRY(const auto types, infer_types(*host));
    const auto needed = needed_for(*host, target);
    ProgramBuilder b(*host);
    for (const auto& block : find_seed_blocks(host->instructions())) {
        if (block.mode != SeedMode::kIsolated) continue;
        ESPER_CHECK_STATUS(check_nothing_written(*host, block.seed));
        Shadow shadow(*host, types, block.seed, b);
        ESPER_CHECK_STATUS(shadow.write(block, needed));
        const auto own = shadow.value(target);
        if (!own)
            return fail(GraphError::kIllegalEdit, "output '" + std::string(output) +
                                                      "' does not depend on the anchor of seed '" +
                                                      block.seed + "'");
        b.output(shadow_output(block.seed), *own);
    }
    return b.finish();
}

}  // namespace esper::graph
