#include "esper/exchange/importers/module_recorder.h"

#include <ATen/core/List.h>
#include <ATen/core/grad_mode.h>
#include <c10/core/impl/LocalDispatchKeySet.h>
#include <c10/util/flat_hash_map.h>
#include <fmt/format.h>
#include <torch/library.h>

#include <algorithm>
#include <limits>
#include <mutex>
#include <unordered_map>
#include <unordered_set>

#include "esper/base/first_line.h"
#include "esper/base/name_order.h"
#include "esper/engine/operators/operator_library.h"
#include "esper/engine/torch_compat.h"
#include "esper/exchange/importers/program_writer.h"
#include "esper/program/operators.h"

namespace esper::graph {

namespace {

using importing::Writer;

class ForwardRecorder;
thread_local ForwardRecorder* current = nullptr;

const void* storage_of(const at::Tensor& tensor) {
    return tensor.has_storage() ? static_cast<const void*>(tensor.storage().unsafeGetStorageImpl())
                                : static_cast<const void*>(tensor.unsafeGetTensorImpl());
}

std::string_view parent_of(std::string_view path) {
    const auto dot = path.rfind('.');
    return path.substr(0, dot == std::string_view::npos ? 0 : dot);
}

std::string_view common_prefix(std::string_view a, std::string_view b) {
    const auto holds = [&](std::string_view shared) {
        return b.starts_with(shared) && (b.size() == shared.size() || b[shared.size()] == '.');
    };
    while (!a.empty() && !holds(a)) a = parent_of(a);
    return a;
}

/// What recording has to know of an operator, found once for all of its calls.
struct Recorded {
    explicit Recorded(const c10::OperatorHandle& op) : name(operator_name(op)) {
        const auto base = std::string_view(name).substr(0, name.find('.'));
        uninitialised = base == "aten::empty" || base == "aten::empty_like" ||
                        base == "aten::new_empty" || base == "aten::empty_strided" ||
                        base == "aten::new_empty_strided";
        depends_on_data = name == "aten::item" || name == "aten::_local_scalar_dense" ||
                          name == "aten::is_nonzero" || name == "aten::equal" ||
                          name == "aten::allclose";
        for (const auto& argument : op.schema().arguments())
            writes.push_back(argument.alias_info() != nullptr && argument.alias_info()->isWrite());
    }

    std::string name;
    bool uninitialised = false;    ///< makes tensors that hold anything
    bool depends_on_data = false;  ///< reads a value out of a tensor
    std::vector<bool> writes;      ///< of each argument
};

/// Notes operators while it exists. Tensors are identified by their TensorImpl, of which a weak
/// reference is kept: no later tensor has the address of an earlier one, but the memory of a result
/// that the forward pass gives up is free, as it would be without a recorder.
class ForwardRecorder {
  public:
    explicit ForwardRecorder(const RecordedForward& module) : prefix_(module.constants) {
        writer.parts.name = module.name;
        writer.parts.parameters.reserve(module.parameters.size());
        writer.parts.buffers.reserve(module.buffers.size());
        const auto named = module.parameters.size() + module.buffers.size();
        ids_.reserve(2 * named);
        seen_.reserve(2 * named);
        tensors_.reserve(named);
        places_.reserve(named + 1);
        writer.calls.reserve(2 * named);
        // Most layers have a parameter or more, and one operator with one result.
        writer.reserve(2 * named, module.parameters.size());
    }

    void add_input(const at::Tensor& tensor) {
        auto dtype = from_scalar_type(tensor.scalar_type());
        if (!dtype) return refuse(dtype.error());
        const auto id = define(tensor);
        writer.parts.inputs.push_back(
            {"x" + (writer.parts.inputs.empty() ? std::string()
                                                : std::to_string(writer.parts.inputs.size())),
             {*dtype, tensor.sizes().vec()},
             id});
    }
    void add_named(const std::string& name, const at::Tensor& tensor, bool parameter) {
        if (const auto it = ids_.find(tensor.unsafeGetTensorImpl()); it != ids_.end()) {
            model.aliases.emplace(name, name_of(it->second));
            return;
        }
        auto dtype = from_scalar_type(tensor.scalar_type());
        if (!dtype) return refuse(dtype.error());
        const auto id = define(tensor);
        if (!std::string_view(name).starts_with(prefix_)) {
            places_.resize(id.value() + 1, kNoPlace);
            places_[id.value()] = writer.calls.of_path(parent_of(name));
        }
        if (parameter) {
            auto& made = writer.parts.parameters.emplace_back();
            made.name = name;
            made.type = {*dtype, tensor.sizes().vec()};
            made.trainable = tensor.requires_grad();
            made.value = id;
        } else {
            writer.parts.buffers.push_back({name, {*dtype, tensor.sizes().vec()}, Init{}, id});
        }
        tensors_.push_back({name, tensor});
    }

    /// `below`: where the dispatcher goes on.
    void record(const c10::OperatorHandle& op, c10::DispatchKeySet below,
                torch::jit::Stack& stack) {
        const auto& schema = op.schema();
        const auto& known = operators_.try_emplace(&schema, op).first->second;
        const auto first = stack.size() - schema.arguments().size();
        std::vector<Argument> args;
        args.reserve(schema.arguments().size());
        std::vector<at::Tensor> written;
        for (std::size_t i = 0; i < schema.arguments().size() && !error_; ++i) {
            const auto& value = stack[first + i];
            if (known.writes[i] && value.isTensor()) written.push_back(value.toTensor());
            args.push_back(argument(value, schema.arguments()[i], !written.empty()));
        }
        op.redispatchBoxed(below, &stack);
        for (const auto& tensor : written) unwritten_.erase(storage_of(tensor));
        if (!error_) results(known, schema, std::move(args), stack);
    }

    /// Puts the tensors into the model: in the order of their names, which is much faster.
    void give_tensors() {
        for (const auto i : order_by_name(tensors_))
            model.tensors.emplace_hint(model.tensors.end(), std::move(tensors_[i].name),
                                       std::move(tensors_[i].tensor));
    }

    ValueId id_of_output(const at::Tensor& tensor) { return value_of(tensor); }
    const std::optional<Error>& error() const { return error_; }
    void refuse(Error error) {
        if (!error_) error_ = std::move(error);
    }

    Writer writer;
    ImportedModel model;

  private:
    ValueId define(const at::Tensor& tensor) {
        const auto id = writer.new_value();
        bind(tensor, id);
        return id;
    }
    void bind(const at::Tensor& tensor, ValueId id) {
        ids_[tensor.unsafeGetTensorImpl()] = id;
        seen_.emplace_back(tensor.getIntrusivePtr());
        if (auto dtype = from_scalar_type(tensor.scalar_type()))
            writer.set_type(id, *dtype, tensor.sizes());
    }
    /// Of a parameter or a buffer; empty for what an operator made.
    std::string name_of(ValueId id) const {
        // Each kind is declared in the order of its values.
        const auto find = [&](const auto& items) -> const std::string* {
            const auto it = std::lower_bound(items.begin(), items.end(), id,
                                             [](const auto& x, ValueId v) { return x.value < v; });
            return it == items.end() || it->value != id ? nullptr : &it->name;
        };
        if (const auto* name = find(writer.parts.parameters)) return *name;
        if (const auto* name = find(writer.parts.buffers)) return *name;
        return "";
    }

    // No recorded operator made the tensor: it existed before, or was filled without operators.
    ValueId value_of(const at::Tensor& tensor) {
        const auto it = ids_.find(tensor.unsafeGetTensorImpl());
        if (it != ids_.end() && !unwritten_.contains(storage_of(tensor))) return it->second;
        unwritten_.erase(storage_of(tensor));
        const auto kept = tensor.detach().clone();
        const auto name = fmt::format("{}{}", prefix_, constants_++);
        auto dtype = from_scalar_type(kept.scalar_type());
        if (!dtype) {
            refuse(dtype.error());
            return ValueId(0);
        }
        const auto id = define(tensor);
        writer.parts.buffers.push_back({name, {*dtype, kept.sizes().vec()}, Init{}, id});
        tensors_.push_back({name, kept});
        return id;
    }

    Argument argument(const c10::IValue& value, const c10::Argument& wanted, bool is_written) {
        if (value.isTensor()) {
            const auto& tensor = value.toTensor();
            if (!tensor.defined()) return Constant{};
            // A tensor that is written to for the first time may be uninitialised.
            if (is_written)
                if (const auto it = ids_.find(tensor.unsafeGetTensorImpl()); it != ids_.end())
                    return it->second;
            return value_of(tensor);
        }
        if (value.isTensorList()) {
            ValueList list;
            for (const at::Tensor& t : value.toTensorVector()) list.emplace_back(value_of(t));
            return list;
        }
        if (value.isOptionalTensorList()) {
            ValueList list;
            for (const auto& t : value.toOptionalTensorVector())
                list.push_back(t && t->defined() ? std::optional(value_of(*t)) : std::nullopt);
            return list;
        }
        return constant(value, wanted);
    }

    static c10::TypeKind real_kind(const c10::Argument& wanted) {
        const auto& type = wanted.real_type();
        if (type->kind() == c10::TypeKind::OptionalType)
            return type->expectRef<c10::OptionalType>().getElementType()->kind();
        return type->kind();
    }

    Argument constant(const c10::IValue& value, const c10::Argument& wanted) {
        if (value.isNone() || value.isDevice() || value.isGenerator()) return Constant{};
        if (value.isInt()) {
            const auto number = value.toInt();
            if (real_kind(wanted) == c10::TypeKind::ScalarTypeType) {
                auto dtype = from_scalar_type(static_cast<at::ScalarType>(number));
                if (dtype) return Constant{*dtype};
                refuse(dtype.error());
            }
            if (real_kind(wanted) == c10::TypeKind::LayoutType) return Constant{};
            if (real_kind(wanted) == c10::TypeKind::MemoryFormatType) return format(number);
            return Constant{number};
        }
        if (value.isBool()) return Constant{value.toBool()};
        if (value.isDouble()) return Constant{value.toDouble()};
        if (value.isString()) return Constant{value.toStringRef()};
        if (value.isIntList()) return Constant{value.toIntVector()};
        if (value.isDoubleList()) return Constant{value.toDoubleVector()};
        if (value.isBoolList()) {
            std::vector<bool> bools;
            for (bool b : value.toBoolList()) bools.push_back(b);
            return Constant{std::move(bools)};
        }
        refuse(fail(ImportError::kUnsupported,
                    fmt::format("argument '{}' is a {}, which has no place in a Program",
                                wanted.name(), value.tagKind()))
                   .value());
        return Constant{};
    }

    Argument format(std::int64_t number) {
        for (auto ours :
             {MemoryFormat::kContiguous, MemoryFormat::kPreserve, MemoryFormat::kChannelsLast})
            if (static_cast<std::int64_t>(to_memory_format(ours)) == number) return Constant{ours};
        refuse(fail(ImportError::kUnsupported, "channels-last in 3-d has no place in a Program")
                   .value());
        return Constant{};
    }

    void results(const Recorded& op, const c10::FunctionSchema& schema, std::vector<Argument> args,
                 const torch::jit::Stack& stack) {
        c10::SmallVector<at::Tensor, 4> tensors;
        const auto first = stack.size() - schema.returns().size();
        for (std::size_t i = 0; i < schema.returns().size(); ++i) {
            const auto& value = stack[first + i];
            if (value.isTensor()) {
                tensors.push_back(value.toTensor());
            } else if (value.isTensorList()) {
                for (const at::Tensor& t : value.toTensorVector()) tensors.push_back(t);
            } else if (op.depends_on_data) {
                return refuse(
                    fail(ImportError::kUnsupported,
                         op.name + " reads a value out of a tensor; what follows from it would be "
                                   "frozen into the Program")
                        .value());
            } else {
                return;  // a size, fixed with the input signature
            }
        }
        if (schema.returns().empty()) return;
        set_place(args);
        auto ids = importing::write_call(writer, op.name, std::move(args), tensors.size());
        if (!ids) return refuse(ids.error().within(op.name));
        for (std::size_t i = 0; i < tensors.size(); ++i) {
            if (!tensors[i].defined()) continue;
            bind(tensors[i], (*ids)[i]);
            if (!op.uninitialised) continue;
            unwritten_.insert(storage_of(tensors[i]));
            alive_.push_back(tensors[i]);
        }
    }

    // Scope from the names of the parameters that are read.
    void set_place(const std::vector<Argument>& args) {
        auto place = importing::ModuleCalls::kNone;
        for (const auto& argument : args)
            for_each_value(argument, [&](ValueId id) {
                if (id.value() < places_.size() && places_[id.value()] != kNoPlace)
                    place = places_[id.value()];
            });
        writer.inside = place;
        writer.scope = writer.calls[place].path;
    }

    static constexpr auto kNoPlace = std::numeric_limits<importing::ModuleCalls::Id>::max();
    ska::flat_hash_map<const at::TensorImpl*, ValueId> ids_;
    /// Of a value that is a parameter or a buffer of the module: whose.
    std::vector<importing::ModuleCalls::Id> places_;
    std::unordered_map<const c10::FunctionSchema*, Recorded> operators_;
    /// Storages whose tensors are kept in `alive_`, so that no later one has the same address.
    std::unordered_set<const void*> unwritten_;
    std::vector<at::Tensor> alive_;
    std::vector<c10::weak_intrusive_ptr<c10::TensorImpl, c10::UndefinedTensorImpl>> seen_;
    struct Named {
        std::string name;
        at::Tensor tensor;
    };
    std::vector<Named> tensors_;
    std::string prefix_;
    std::size_t constants_ = 0;
    std::optional<Error> error_;
};

// Calls between two layers belong to the modules that contain both.
void fill_places(Writer& writer) {
    auto& instructions = writer.parts.instructions;
    // Views of scopes that stay as they are.
    std::string_view before, behind;
    for (std::size_t i = 0; i < instructions.size();) {
        if (const auto& scope = instructions[i].scope; !scope.empty()) {
            before = scope;
            ++i;
            continue;
        }
        auto next = i;
        while (next < instructions.size() && instructions[next].scope.empty()) ++next;
        behind = next < instructions.size() ? std::string_view(instructions[next].scope) : "";
        const auto shared = common_prefix(before, behind);
        // The modules that contain both are there already.
        const auto inside = writer.calls.of_path(shared);
        for (; i < next; ++i) {
            instructions[i].scope = shared;
            writer.insides[i] = inside;
        }
    }
}

void fallback(const c10::OperatorHandle& op, c10::DispatchKeySet keys, torch::jit::Stack* stack) {
    const auto below = keys & c10::DispatchKeySet(c10::DispatchKeySet::FULL_AFTER,
                                                  c10::DispatchKey::TESTING_ONLY_GenericMode);
    // Excluded during the call, so that an operator that calls others is noted once.
    c10::impl::ExcludeDispatchKeyGuard once(c10::DispatchKey::TESTING_ONLY_GenericMode);
    if (current != nullptr)
        current->record(op, below, *stack);
    else
        op.redispatchBoxed(below, stack);
}

void register_fallback() {
    static std::once_flag once;
    std::call_once(once, [] {
        static torch::Library library(
            torch::Library::IMPL, "_",
            std::make_optional(c10::DispatchKey::TESTING_ONLY_GenericMode), __FILE__, __LINE__);
        library.fallback(torch::CppFunction::makeFromBoxedFunction<&fallback>());
    });
}

/// Includes the key for one forward pass, and restores the buffers that the pass changes.
class Recording {
  public:
    Recording(ForwardRecorder& recorder, const RecordedForward::Named& buffers) {
        for (const auto& [name, tensor] : buffers) saved_.emplace_back(tensor, tensor.clone());
        register_fallback();
        current = &recorder;
        include_ = std::make_unique<c10::impl::IncludeDispatchKeyGuard>(
            c10::DispatchKey::TESTING_ONLY_GenericMode);
    }
    ~Recording() {
        include_.reset();
        current = nullptr;
        at::NoGradGuard no_grad;
        for (auto& [tensor, before] : saved_) tensor.copy_(before);
    }
    Recording(const Recording&) = delete;
    Recording& operator=(const Recording&) = delete;

  private:
    std::vector<std::pair<at::Tensor, at::Tensor>> saved_;
    std::unique_ptr<c10::impl::IncludeDispatchKeyGuard> include_;
};

}  // namespace

Result<ImportedModel> record_forward(const RecordedForward& module,
                                     const std::vector<at::Tensor>& inputs) {
    ForwardRecorder recorder(module);
    for (const auto& input : inputs) recorder.add_input(input);
    for (const auto& [name, tensor] : module.parameters) recorder.add_named(name, tensor, true);
    for (const auto& [name, tensor] : module.buffers) recorder.add_named(name, tensor, false);
    std::vector<at::Tensor> outputs;
    try {
        Recording recording(recorder, module.buffers);
        outputs = module.forward(inputs);
    } catch (const c10::Error& e) {
        return fail(GraphError::kExecution,
                    "the forward pass threw: " + std::string(e.what_without_backtrace()));
    } catch (const std::exception& e) {
        return fail(GraphError::kExecution,
                    std::string("the forward pass threw: ") + first_line(e.what()));
    }
    auto& parts = recorder.writer.parts;
    fill_places(recorder.writer);
    for (std::size_t i = 0; i < outputs.size(); ++i)
        parts.outputs.push_back({outputs.size() == 1 ? "output" : fmt::format("output.{}", i),
                                 recorder.id_of_output(outputs[i])});
    if (recorder.error()) return fail(*recorder.error());
    ESPER_TRY(recorder.model.program, recorder.writer.finish());
    recorder.give_tensors();
    return std::move(recorder.model);
}

}  // namespace esper::graph
