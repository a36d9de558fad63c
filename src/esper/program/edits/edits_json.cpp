#include <fmt/format.h>

#include <initializer_list>
#include <nlohmann/json.hpp>

#include "esper/program/edits/edits.h"
#include "esper/program/text/text_format.h"

namespace esper::graph {
namespace {

using nlohmann::json;

struct ToJson {
    json operator()(const InsertSeed& edit) const {
        return {{"kind", "insert_seed"},
                {"seed", edit.seed},
                {"anchor", edit.anchor},
                {"blueprint_name", edit.blueprint_name},
                {"blueprint", edit.blueprint ? to_text(*edit.blueprint) : std::string()}};
    }
    json operator()(const SetSeedMode& edit) const {
        return {
            {"kind", "set_seed_mode"}, {"seed", edit.seed}, {"mode", seed_mode_name(edit.mode)}};
    }
    json operator()(const RemoveSeed& edit) const {
        return {{"kind", "remove_seed"}, {"seed", edit.seed}};
    }
    json operator()(const ReplaceOperator& edit) const {
        return {{"kind", "replace_operator"},
                {"instruction", edit.instruction},
                {"expected_op", edit.expected_op},
                {"new_op", edit.new_op}};
    }
    json operator()(const SplitBlock& edit) const {
        return {{"kind", "split_block"}, {"block", edit.block}, {"copy", edit.copy}};
    }
};

tl::unexpected<Error> malformed(std::string message) {
    return fail(GraphError::kMalformed, "edit: " + std::move(message));
}

// Exactly these keys, each with a text.
Status check_keys(const json& object, std::initializer_list<std::string_view> texts,
                  std::string_view number = "") {
    for (const std::string_view key : texts) {
        const auto at = object.find(key);
        if (at == object.end() || !at->is_string()) {
            return malformed(fmt::format("expected a text under '{}'", key));
        }
    }
    if (!number.empty()) {
        const auto at = object.find(number);
        if (at == object.end() || !at->is_number_unsigned()) {
            return malformed(fmt::format("expected a whole number under '{}'", number));
        }
    }
    const std::size_t expected = texts.size() + (number.empty() ? 0 : 1);
    if (object.size() != expected) {
        return malformed(fmt::format("expected {} keys, got {}", expected, object.size()));
    }
    return {};
}

std::string text_at(const json& object, const char* key) { return object[key].get<std::string>(); }

}  // namespace

json to_json(const Edit& edit) { return std::visit(ToJson{}, edit); }

Result<Edit> edit_from_json(const json& object) {
    const auto kind = object.is_object() ? object.find("kind") : object.end();
    if (!object.is_object() || kind == object.end() || !kind->is_string()) {
        return malformed("expected an object with a text under 'kind'");
    }
    if (*kind == "insert_seed") {
        ESPER_CHECK_STATUS(
            check_keys(object, {"kind", "seed", "anchor", "blueprint_name", "blueprint"}));
        auto blueprint = from_text(text_at(object, "blueprint"));
        if (!blueprint) return fail(blueprint.error().within("edit: blueprint"));
        return InsertSeed{text_at(object, "seed"), text_at(object, "anchor"),
                          text_at(object, "blueprint_name"), std::move(*blueprint)};
    }
    if (*kind == "set_seed_mode") {
        ESPER_CHECK_STATUS(check_keys(object, {"kind", "seed", "mode"}));
        const auto mode = seed_mode_from_name(text_at(object, "mode"));
        if (!mode) return malformed("expected the mode isolated, blended or folded");
        return SetSeedMode{text_at(object, "seed"), *mode};
    }
    if (*kind == "remove_seed") {
        ESPER_CHECK_STATUS(check_keys(object, {"kind", "seed"}));
        return RemoveSeed{text_at(object, "seed")};
    }
    if (*kind == "replace_operator") {
        ESPER_CHECK_STATUS(check_keys(object, {"kind", "expected_op", "new_op"}, "instruction"));
        return ReplaceOperator{object["instruction"].get<std::size_t>(),
                               text_at(object, "expected_op"), text_at(object, "new_op")};
    }
    if (*kind == "split_block") {
        ESPER_CHECK_STATUS(check_keys(object, {"kind", "block", "copy"}));
        return SplitBlock{text_at(object, "block"), text_at(object, "copy")};
    }
    return malformed("unknown kind '" + kind->get<std::string>() + "'");
}

}  // namespace esper::graph
