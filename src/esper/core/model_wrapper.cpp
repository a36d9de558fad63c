#include "esper/core/model_wrapper.h"

#include <fmt/format.h>

#include <algorithm>
#include <span>
#include <string_view>
#include <unordered_set>

#include "esper/base/text.h"

namespace esper::core {

namespace {

bool selected(const graph::Anchor& anchor, const WrapOptions& options) {
    if (!options.kinds.empty() &&
        std::find(options.kinds.begin(), options.kinds.end(), anchor.kind) == options.kinds.end())
        return false;
    bool take = false;
    for (std::string_view pattern : options.anchors) {
        const bool without = pattern.starts_with('!');
        if (glob_match(pattern.substr(without ? 1 : 0), anchor.name)) take = !without;
    }
    return take;
}

/// The first pattern that is no anchor's, so that nobody trains for hours with a typo; "" where
/// each pattern has some.
std::string idle_pattern(const graph::Program& program, const WrapOptions& options) {
    for (std::string_view pattern : options.anchors) {
        const auto glob = pattern.substr(pattern.starts_with('!') ? 1 : 0);
        const auto all = program.anchors();
        if (std::none_of(all.begin(), all.end(),
                         [&](const graph::Anchor& a) { return glob_match(glob, a.name); }))
            return std::string(pattern);
    }
    return "";
}

Error nothing_selected(const graph::Program& program, const WrapOptions& options,
                       const std::string& patterns) {
    std::vector<std::string> names;
    for (const auto& anchor :
         program.anchors().first(std::min<std::size_t>(20, program.anchors().size())))
        names.push_back(fmt::format("{} ({})", anchor.name, anchor_kind_name(anchor.kind)));
    if (names.size() < program.anchors().size()) names.emplace_back("…");
    const bool chosen = !options.kinds.empty();
    auto kinds = chosen ? " of the chosen kinds" : std::string();
    auto text = names.empty()
                    ? fmt::format("'{}' has no anchors, so no seed can sit in it", program.name())
                    : fmt::format("no anchor of '{}'{} matches {}; there are: {}", program.name(),
                                  kinds, patterns, join(names, ", "));
    return fail(CoreError::kNoAnchor, std::move(text)).value();
}

bool may_stand_in_a_name(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '/';
}

/// Turns names of anchors into names that seeds may have, no two of them alike.
class SeedNames {
  public:
    explicit SeedNames(std::span<const graph::Anchor> anchors)
        : may_meet_(std::any_of(anchors.begin(), anchors.end(),
                                [](const graph::Anchor& a) { return may_meet(a.name); })) {}

    std::string make(std::string name) {
        for (auto& c : name)
            if (!may_stand_in_a_name(c)) c = c == '.' ? '/' : '_';
        if (!may_meet_) return name;
        auto unique = name;
        for (int n = 2; taken_.contains(unique); ++n) unique = name + "-" + std::to_string(n);
        taken_.insert(unique);
        return unique;
    }

  private:
    // Names of letters, digits, _, - and dots stay as different as they were.
    static bool may_meet(std::string_view name) {
        return !std::all_of(name.begin(), name.end(), [](char c) {
            return c == '.' || (c != '/' && may_stand_in_a_name(c));
        });
    }

    bool may_meet_;
    std::unordered_set<std::string> taken_;
};

/// 77850 → `77,850`.
std::string with_commas(std::int64_t n) {
    auto digits = std::to_string(n);
    for (auto i = static_cast<std::int64_t>(digits.size()) - 3; i > 0; i -= 3)
        digits.insert(static_cast<std::size_t>(i), ",");
    return digits;
}

std::string counted(std::size_t n, std::string_view what) {
    return fmt::format("{} {}{}", with_commas(static_cast<std::int64_t>(n)), what,
                       n == 1 ? "" : "s");
}

}  // namespace

Result<WrappedModel> wrap(graph::ProgramPtr program, const WrapOptions& options) {
    const auto seeds = options.seeds_per_anchor;
    if (seeds == 0) return fail(CoreError::kBadWrap, "seeds_per_anchor must be 1 or more, got 0");
    WrappedModel model;
    const auto all = program->anchors();
    SeedNames names(all);
    model.slots.reserve(all.size() * std::min<std::size_t>(seeds, 64));
    for (std::uint32_t a = 0; a < all.size(); ++a) {
        const auto& anchor = all[a];
        if (!selected(anchor, options)) continue;
        if (anchor.features < seeds)
            return fail(CoreError::kBadWrap,
                        fmt::format("anchor '{}' has {} features, too few to share among {} seeds; "
                                    "lower seeds_per_anchor or leave the anchor out with '!{}'",
                                    anchor.name, anchor.features, seeds, anchor.name));
        ++model.anchors;
        auto name = names.make(anchor.name);
        for (std::uint32_t chunk = 0; chunk < seeds; ++chunk) {
            const auto begin = anchor.features * chunk / seeds;
            const auto end = anchor.features * (chunk + 1) / seeds;
            const auto index = static_cast<std::uint32_t>(model.slots.size());
            auto& slot = model.slots.emplace_back();
            slot.index = index;
            if (seeds == 1)
                slot.name.swap(name);
            else
                slot.name = name + "/c" + std::to_string(chunk);
            slot.anchor = a;
            slot.chunk = chunk;
            slot.first_feature = begin;
            slot.features = end - begin;
        }
    }
    if (model.slots.empty())
        return fail(nothing_selected(*program, options, join(options.anchors, ", ")));
    if (const auto idle = idle_pattern(*program, options); !idle.empty())
        return fail(nothing_selected(*program, options, idle));
    model.program = std::move(program);
    return model;
}

graph::ProgramPtr unwrap(WrappedModel model) { return std::move(model.program); }

std::string WrappedModel::summary() const {
    return fmt::format("{}, {}, {}", counted(anchors, "anchor"), counted(slots.size(), "seed"),
                       counted(static_cast<std::size_t>(program->parameter_count()), "parameter"));
}

}  // namespace esper::core
