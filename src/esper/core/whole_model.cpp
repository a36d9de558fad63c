#include "esper/core/whole_model.h"

#include <iterator>

#include "esper/core/foreign_host.h"
#include "esper/program/edits/insert_seed.h"
#include "esper/program/edits/seed_wiring.h"

namespace esper::core {

using namespace graph;

namespace {

tl::unexpected<Error> no_anchor(const std::string& name) {
    return fail(GraphError::kUnknownName, "the whole model has no anchor '" + name + "'");
}

/// Copies a Program's declarations and instructions into another one's parts, names as they are.
class Splice {
  public:
    Splice(Program::Parts& parts, const Program& part, ValueId y)
        : parts_(parts), part_(part), mapped_(part.value_count()) {
        mapped_[part.inputs()[0].value.value()] = y;
        declare(part.parameters(), parts.parameters);
        declare(part.buffers(), parts.buffers);
        declare(part.controls(), parts.controls);
    }
    std::vector<Instruction> body() {
        std::vector<Instruction> block;
        for (Instruction item : part_.instructions()) {
            for (Argument& argument : item.args) map(argument);
            for (ValueId& id : item.results) id = renumber(id);
            block.push_back(std::move(item));
        }
        return block;
    }
    ValueId result() const { return mapped_[part_.outputs()[0].value.value()]; }

  private:
    void declare(const auto& from, auto& to) {
        for (auto item : from) {
            item.value = renumber(item.value);
            to.push_back(std::move(item));
        }
    }
    ValueId renumber(ValueId id) { return mapped_[id.value()] = ValueId(parts_.value_count++); }
    void map(Argument& argument) const {
        if (auto* one = std::get_if<ValueId>(&argument)) {
            *one = mapped_[one->value()];
        } else if (auto* list = std::get_if<ValueList>(&argument)) {
            for (auto& item : *list)
                if (item) item = mapped_[item->value()];
        }
    }

    Program::Parts& parts_;
    const Program& part_;
    std::vector<ValueId> mapped_;
};

Result<ProgramPtr> spliced(const Program& model, const std::string& name, const Program& part) {
    const auto* anchor = model.find_anchor(name);
    if (anchor == nullptr) return no_anchor(name);
    if (!can_hold_seed(model, *anchor))
        return fail(GraphError::kIllegalEdit, "no seed can sit at '" + name +
                                                  "': its value is written into later on, or read "
                                                  "under an older name");
    const ValueId y = anchor->value;
    const auto& origin = model.value(y);
    const std::size_t first = origin.kind == Value::Kind::kResult ? origin.index + 1U : 0U;
    auto parts = model.parts();
    Splice splice(parts, part, y);
    auto block = splice.body();
    replace_everywhere(parts, first, y, splice.result());
    parts.instructions.insert(parts.instructions.begin() + static_cast<std::ptrdiff_t>(first),
                              std::make_move_iterator(block.begin()),
                              std::make_move_iterator(block.end()));
    return Program::make(std::move(parts));
}

}  // namespace

Result<ProgramPtr> with_seeds_of(const Program& host, ProgramPtr model) {
    for (const auto& anchor : host.anchors()) {
        ESPER_TRY(const auto part, seeds_at(host, anchor.name));
        if (!part) continue;
        ESPER_TRY(model, spliced(*model, anchor.name, *part));
    }
    return model;
}

Result<ProgramPtr> with_anchor_outputs(const Program& model,
                                       const std::vector<std::string>& anchors) {
    auto parts = model.parts();
    for (const auto& name : anchors) {
        const auto* anchor = model.find_anchor(name);
        if (anchor == nullptr) return no_anchor(name);
        parts.outputs.push_back({"anchor." + name, anchor->value});
    }
    return Program::make(std::move(parts));
}

}  // namespace esper::core
