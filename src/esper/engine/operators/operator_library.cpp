#include "esper/engine/operators/operator_library.h"

#include <mutex>
#include <unordered_map>

#include "esper/base/text.h"

namespace esper::graph {

namespace {

std::string suggestion(const std::string& name, const std::string& overload) {
    auto& dispatcher = c10::Dispatcher::singleton();
    std::vector<std::string> overloads;
    std::vector<std::string> names;
    for (const auto& known : dispatcher.getAllOpNames()) {
        names.push_back(known.name);
        if (known.name == name)
            overloads.push_back(known.overload_name.empty() ? name
                                                            : name + "." + known.overload_name);
    }
    if (!overloads.empty())
        return "the overloads of '" + name + "' are " + join(overloads, ", ") +
               (overload.empty() ? "" : "; '" + overload + "' is none of them");
    return quote_with_suggestion(name, names) + " is not an operator of the installed libtorch";
}

}  // namespace

Result<c10::OperatorHandle> find_operator(std::string_view op) {
    static std::mutex mutex;
    static std::unordered_map<std::string, c10::OperatorHandle> known;
    register_esper_operators();
    std::lock_guard lock(mutex);
    std::string key(op);
    if (auto it = known.find(key); it != known.end()) return it->second;
    auto colons = key.find("::");
    if (colons == std::string::npos)
        return fail(GraphError::kUnknownOperator,
                    "an operator is named namespace::name[.overload], got '" + key + "'");
    auto dot = key.find('.', colons);
    std::string name = key.substr(0, dot);
    std::string overload = dot == std::string::npos ? "" : key.substr(dot + 1);
    auto handle = c10::Dispatcher::singleton().findSchema({name, overload});
    if (!handle) return fail(GraphError::kUnknownOperator, suggestion(name, overload));
    known.emplace(std::move(key), *handle);
    return *handle;
}

bool returns_list(const c10::FunctionSchema& schema) {
    if (schema.returns().size() != 1) return false;
    const auto& type = *schema.returns()[0].type();
    return type.kind() == c10::TypeKind::ListType &&
           type.expectRef<c10::ListType>().getElementType()->kind() == c10::TypeKind::TensorType;
}

std::string operator_name(const c10::OperatorHandle& handle) {
    const auto& name = handle.operator_name();
    return name.overload_name.empty() ? name.name : name.name + "." + name.overload_name;
}

}  // namespace esper::graph
