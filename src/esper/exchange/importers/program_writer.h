#pragma once

#include <c10/util/SmallVector.h>

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "esper/exchange/importers/module_calls.h"
#include "esper/exchange/importers/pt2_archive.h"
#include "esper/program/program.h"

namespace c10 {
struct Argument;
}

namespace esper::graph::importing {

class CallRules;

/// The values that a call gives.
using Results = c10::SmallVector<ValueId, 4>;

/// What is known of a value: its element type, its sizes (free ones as -1), and the symbols of its
/// sizes as in TensorMeta. Valid until the Writer learns of another value.
struct KnownType {
    DType dtype = DType::kFloat32;
    std::span<const std::int64_t> shape;
    std::span<const std::string> symbols;
};

/// A Program while it is being written, with what the archive says about its values.
class Writer {
  public:
    Writer();

    /// What a name of the graph stands for: a value, or a constant.
    using Bound = std::variant<ValueId, Constant>;

    ValueId new_value() { return ValueId(parts.value_count++); }
    /// One call with as many results as asked for; `args` may lack what has a default.
    Result<Results> call(std::string op, std::vector<Argument> args, std::size_t results);
    /// The same with one result.
    Result<ValueId> call(std::string op, std::vector<Argument> args);

    /// A number as a value, to stand beside sizes; the same value for the same number.
    Result<ValueId> integer(std::int64_t number);

    /// The control that random numbers are drawn from, declared when first asked for.
    ValueId random_step();
    /// Each random operator is a site of its own.
    Argument next_site() { return Constant{sites_++}; }

    void bind(const std::string& name, Bound bound) {
        names_.insert_or_assign(name, std::move(bound));
    }
    /// Errors: kUndefinedValue.
    Result<Bound> find(const std::string& name) const;

    using Names = std::map<std::string, Bound, std::less<>>;
    /// A sub-graph has names of its own: gives the ones so far away and takes others.
    Names exchange_names(Names names) { return std::exchange(names_, std::move(names)); }

    /// Nothing for values of which nobody said anything.
    std::optional<KnownType> type(ValueId value) const;
    void set_type(ValueId value, DType dtype, std::span<const std::int64_t> shape,
                  std::vector<std::string> symbols = {});
    void set_type(ValueId value, TensorMeta meta) {
        set_type(value, meta.type.dtype, meta.type.shape, std::move(meta.symbols));
    }
    /// Gives a value the type of another one, if that is known.
    void copy_type(ValueId from, ValueId to);
    /// Makes room for a Program of about this size.
    void reserve(std::size_t values, std::size_t instructions);

    /// Takes out values that nothing reads any more and renumbers the rest.
    void drop(const std::vector<bool>& gone);

    /// The Program with its anchors, once everything is written. Errors: those of Program::make and
    /// validate_operators().
    Result<ProgramPtr> finish();

    /// True for integers and floats that come from sizes.
    bool is_size(ValueId value) const { return sizes_.contains(value.value()); }

    Program::Parts parts;
    /// The calls of modules that there are.
    ModuleCalls calls;
    /// Scope and innermost call of the instructions written from now on.
    std::string scope;
    ModuleCalls::Id inside = ModuleCalls::kNone;
    /// Inside `torch.no_grad()`: nothing there is a place for a seed.
    bool without_gradient = false;
    /// Per instruction.
    std::vector<ModuleCalls::Id> insides;
    std::vector<bool> no_gradient;
    std::vector<std::string> notes;
    bool saw_training_flag = false;
    std::shared_ptr<CallRules> rules;

  private:
    /// Of each value; nothing if the parts name one that is not there.
    std::optional<std::vector<Value>> origins() const;

    Names names_;
    /// A value's sizes are some of `sizes_of_values_`, its symbols one of `symbols_`.
    struct Type {
        std::uint32_t first_size = 0;
        std::uint32_t symbols = 0;
        std::uint32_t rank = 0;
        DType dtype = DType::kFloat32;
        bool known = false;
    };
    std::vector<Type> types_;  ///< by value
    std::vector<std::int64_t> sizes_of_values_;
    std::vector<std::vector<std::string>> symbols_{{}};  ///< the first: none
    std::set<std::uint32_t> sizes_;
    std::map<std::int64_t, ValueId> integers_;
    std::optional<ValueId> step_;
    std::int64_t sites_ = 0;
};

/// One call, its arguments in the order of the schema.
struct Call {
    std::string op;  ///< `aten::dropout`
    std::vector<Argument> args;
};

/// Writes a call of an operator in the form that suits training on: shapes that do not depend on
/// the memory's order, Python numbers as scalars, training flags that can be switched off, random
/// numbers that can be drawn again. Gives at least `results` values. Errors: kUnsupported,
/// kUnknownOperator, kBadArguments, kTooLarge.
Result<Results> write_call(Writer& writer, std::string op, std::vector<Argument> args,
                           std::size_t results);

/// Writes calls that draw random numbers with Esper's counter-based operators, so that a resumed
/// run draws the same; nothing if the call draws none. Errors: kUnsupported for what has no such
/// form.
Result<std::optional<Results>> write_random_call(Writer& writer, const Call& call);

/// True for an operator that write_random_call() knows, if only to refuse it.
bool has_random_rule(std::string_view op);
/// False for an operator of which it never has anything to say, whatever the arguments.
bool may_draw(std::string_view op);

/// True for an operator that write_call() always writes by others: it need not be one that a
/// Program may use.
bool is_rewritten(std::string_view op);

/// `_operator.add`, `torch.sym_max`, `math.ceil`, … on sizes. Errors: kUnsupported.
Result<ValueId> write_size_call(Writer& writer, const std::string& target,
                                const std::vector<Argument>& args,
                                const std::vector<bool>& is_float);

/// One serialized argument, as its place in the schema wants it (null: as it stands). Errors:
/// kUnsupported, kBadArguments, kUndefinedValue.
Result<Argument> read_argument(Writer& writer, const nlohmann::json& argument,
                               const c10::Argument* wanted);

/// Follows the nodes of a serialized graph and writes them as instructions; all names that its
/// inputs are known by must be bound. Errors: as import_pt2().
Status write_nodes(Writer& writer, const nlohmann::json& graph,
                   const std::vector<std::string>& namespaces, int depth = 0);

/// Finds the places for seeds: outputs of modules, named by the modules' paths. `origins`: of each
/// value of the Writer's parts; all values that they name must be there.
std::vector<Anchor> find_anchors(const Writer& writer, std::span<const Value> origins);

/// Names of the leaves of a serialized pytree (`out_spec`), in order; empty if it cannot be read.
std::vector<std::string> leaf_names(const std::string& tree_spec);

}  // namespace esper::graph::importing
