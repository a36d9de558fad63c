#include "esper/program/operators/operator_table.h"

#include <algorithm>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <unordered_map>

#include "esper/base/text.h"

namespace esper::graph {

namespace {

bool may_be_result(const SchemaType& type) {
    using Kind = SchemaType::Kind;
    if (type.is_optional) return false;
    if (type.is_list) return type.kind == Kind::kTensor && !type.has_optional_items;
    return type.kind == Kind::kTensor || type.kind == Kind::kInteger || type.kind == Kind::kFloat;
}

Result<std::unique_ptr<Operator>> read_row(const OperatorRow& row) {
    auto made = std::make_unique<Operator>();
    ESPER_TRY(made->schema, parse_schema(row.schema));
    const auto& results = made->schema.results;
    if (results.empty() || !std::all_of(results.begin(), results.end(), may_be_result))
        return fail(GraphError::kMalformed,
                    "only operators that return tensors, lists of them or sizes can stand in a "
                    "Program, not " +
                        std::string(row.schema));
    if (row.cost == nullptr || row.python.empty())
        return fail(GraphError::kMalformed,
                    "the row of " + made->schema.name +
                        " needs a cost rule and a Python spelling (kBySchema for the usual one)");
    made->schema_text = row.schema;
    made->effect = row.effect;
    made->cost = row.cost;
    made->python = row.python;
    made->permission = row.permission;
    return made;
}

class Table {
  public:
    Table() {
        for (const auto rows : {comparisons_rows(), contractions_rows(), elementwise_rows(),
                                factories_rows(), indexing_rows(), movement_rows(), norms_rows(),
                                own_rows(), pairs_rows(), reductions_rows()})
            for (const auto& row : rows) value_or_throw(add(row));
    }

    Status add(const OperatorRow& row) {
        ESPER_TRY(auto made, read_row(row));
        const std::string_view name = made->schema.name;
        std::unique_lock lock(mutex_);
        if (operators_.contains(name))
            return fail(GraphError::kDuplicateName,
                        std::string(name) + " is in the table of operators already");
        operators_.emplace(name, std::move(made));
        return {};
    }

    const Operator* find(std::string_view op) const {
        std::shared_lock lock(mutex_);
        const auto at = operators_.find(op);
        return at == operators_.end() ? nullptr : at->second.get();
    }

    std::vector<const Operator*> all() const {
        std::vector<const Operator*> found;
        {
            std::shared_lock lock(mutex_);
            for (const auto& [name, one] : operators_) found.push_back(one.get());
        }
        std::sort(found.begin(), found.end(),
                  [](const auto* a, const auto* b) { return a->schema.name < b->schema.name; });
        return found;
    }

  private:
    mutable std::shared_mutex mutex_;
    // The names are those inside of the operators, which never move.
    std::unordered_map<std::string_view, std::unique_ptr<Operator>> operators_;
};

Table& table() {
    static Table instance;
    return instance;
}

}  // namespace

const Operator* find_in_table(std::string_view op) {
    // The same one is asked for again and again, by neighbours and of one instruction.
    thread_local const Operator* last = nullptr;
    if (last != nullptr && last->schema.name == op) return last;
    const auto* found = table().find(op);
    if (found != nullptr) last = found;
    return found;
}

Result<const Operator*> allowed_operator(std::string_view op) {
    if (const auto* known = find_in_table(op)) return known;
    std::vector<std::string> names;
    std::vector<std::string> overloads;
    const auto base = std::string(op.substr(0, op.find('.')));
    for (const auto* one : operators_in_table()) {
        const auto& name = one->schema.name;
        names.push_back(name);
        if (name.substr(0, name.find('.')) == base) overloads.push_back(name);
    }
    if (!overloads.empty())
        return fail(GraphError::kForbiddenOperator,
                    "'" + std::string(op) + "' is not an operator that a Program may use; of '" +
                        base + "' it may use " + join(overloads, ", "));
    return fail(GraphError::kForbiddenOperator,
                quote_with_suggestion(std::string(op), names) +
                    " is not an operator that a Program may use (register_operator() adds one)");
}

std::vector<const Operator*> operators_in_table() { return table().all(); }

Status register_operator(const OperatorRow& row) { return table().add(row); }

}  // namespace esper::graph
