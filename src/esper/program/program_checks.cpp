#include "esper/program/program_checks.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <unordered_set>

#include "esper/base/name_order.h"

namespace esper::graph {
namespace {

bool is_name_character(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

// Whether all characters are 0x20 to 0x7e, as in most names: eight at a time.
bool is_plain_ascii(std::string_view text) {
    constexpr std::uint64_t kEach = 0x0101010101010101;
    std::uint64_t other = 0;
    // The highest bit of a byte is set: by itself; for 0x7f; for less than 0x20. What is carried or
    // borrowed comes from a byte that is found itself.
    const auto look = [&](std::uint64_t word) {
        other |= word | (word + kEach) | (word - 0x20 * kEach);
    };
    const auto eight_at = [&](std::size_t i) {
        std::uint64_t word = 0;
        std::memcpy(&word, text.data() + i, sizeof word);
        return word;
    };
    if (text.size() < 8) {
        for (const char c : text) look(static_cast<unsigned char>(c) * kEach);
    } else {
        for (std::size_t i = 0; i + 8 < text.size(); i += 8) look(eight_at(i));
        look(eight_at(text.size() - 8));
    }
    return (other & (0x80 * kEach)) == 0;
}

bool is_identifier(std::string_view word) {
    for (const char c : word) {
        if (!is_name_character(c)) return false;
    }
    return !word.empty();
}

Status check_label(std::string_view what, std::string_view text) {
    if (text.size() > Limits::kMaxNameLength) {
        return fail(GraphError::kTooLarge, fmt::format("{} of {} bytes; at most {} are allowed",
                                                       what, text.size(), Limits::kMaxNameLength));
    }
    if (!is_printable_utf8(text)) {
        return fail(GraphError::kMalformed,
                    fmt::format("{} must be UTF-8 without control characters", what));
    }
    return {};
}

Status check_type(std::string_view what, std::string_view name, const TensorType& type,
                  bool may_be_free) {
    if (static_cast<int>(type.dtype) >= kDTypeCount) {
        return fail(GraphError::kMalformed,
                    fmt::format("{} '{}' has element type {}, there are {}", what, name,
                                static_cast<int>(type.dtype), kDTypeCount));
    }
    if (type.shape.size() > Limits::kMaxRank) {
        return fail(GraphError::kTooLarge,
                    fmt::format("{} '{}' has rank {}, at most {} is allowed", what, name,
                                type.shape.size(), Limits::kMaxRank));
    }
    std::int64_t total = 1;
    for (const std::int64_t size : type.shape) {
        if (size < (may_be_free ? -1 : 0)) {
            return fail(GraphError::kMalformed,
                        fmt::format("{} '{}' has a size of {}; expected {}", what, name, size,
                                    may_be_free ? "0 or more, or ? for a free one" : "0 or more"));
        }
        // A size of zero counts as one here: [0, 2^50] is refused like [2^50].
        if (__builtin_mul_overflow(total, std::max<std::int64_t>(size, 1), &total) ||
            total > Limits::kMaxElements) {
            return fail(GraphError::kTooLarge,
                        fmt::format("{} '{}' of type {} has more than {} elements", what, name,
                                    to_string(type), Limits::kMaxElements));
        }
    }
    return {};
}

Status check_init(std::string_view what, std::string_view name, const Init& init) {
    const bool spread = init.kind == Init::Kind::kNormal || init.kind == Init::Kind::kUniform;
    if (static_cast<int>(init.kind) > static_cast<int>(Init::Kind::kUniform)) {
        return fail(GraphError::kMalformed,
                    fmt::format("{} '{}' has initialisation {}, there are 4", what, name,
                                static_cast<int>(init.kind)));
    }
    if (std::isnan(init.value) || (spread && !(init.value >= 0 && std::isfinite(init.value)))) {
        return fail(GraphError::kMalformed,
                    fmt::format("{} '{}' is initialised with {}; expected {}", what, name,
                                init.value, spread ? "a finite number, 0 or more" : "a number"));
    }
    return {};
}

// Refuses constants that the forms cannot represent: too long ones and enums out of range.
struct ConstantCheck {
    Status operator()(std::monostate) { return {}; }
    Status operator()(TrainingFlag) { return {}; }
    Status operator()(bool) { return {}; }
    Status operator()(std::int64_t) { return {}; }
    Status operator()(double) { return {}; }
    Status operator()(const std::string& text) {
        return length("a string", text.size(), Limits::kMaxStringLength);
    }
    template <typename T>
    Status operator()(const std::vector<T>& list) {
        return length("a list", list.size(), Limits::kMaxArguments);
    }
    Status operator()(DType dtype) { return enumerator("element type", dtype, kDTypeCount); }
    Status operator()(MemoryFormat format) { return enumerator("memory format", format, 3); }

    template <typename E>
    Status enumerator(std::string_view what, E value, int count) {
        if (static_cast<int>(value) < count) return {};
        return fail(GraphError::kMalformed, fmt::format("an argument is {} {}, there are {}", what,
                                                        static_cast<int>(value), count));
    }
    Status length(std::string_view what, std::size_t size, std::size_t limit) {
        if (size <= limit) return {};
        return fail(GraphError::kTooLarge,
                    fmt::format("an argument is {} of length {}, at most {} is allowed", what, size,
                                limit));
    }
};

template <typename T>
bool repeats(const std::vector<T>& items, const std::vector<std::uint32_t>& order) {
    return std::adjacent_find(order.begin(), order.end(), [&](auto a, auto b) {
               return items[a].name == items[b].name;
           }) != order.end();
}

template <typename A, typename B>
bool share(const std::vector<A>& few, const std::vector<std::uint32_t>& few_order,
           const std::vector<B>& many, const std::vector<std::uint32_t>& many_order) {
    if (few.size() > many.size()) return share(many, many_order, few, few_order);
    auto at = many_order.begin();
    for (const auto i : few_order) {
        at = std::lower_bound(at, many_order.end(), few[i].name,
                              [&](auto m, const std::string& name) { return many[m].name < name; });
        if (at == many_order.end()) return false;
        if (many[*at].name == few[i].name) return true;
    }
    return false;
}

/// Whether some names are equal that must not be.
bool any_repeats(const Program::Parts& p, const NameOrders& o) {
    return repeats(p.inputs, o.inputs) || repeats(p.parameters, o.parameters) ||
           repeats(p.buffers, o.buffers) || repeats(p.controls, o.controls) ||
           repeats(p.outputs, o.outputs) || repeats(p.anchors, o.anchors) ||
           share(p.inputs, o.inputs, p.parameters, o.parameters) ||
           share(p.inputs, o.inputs, p.buffers, o.buffers) ||
           share(p.inputs, o.inputs, p.controls, o.controls) ||
           share(p.parameters, o.parameters, p.buffers, o.buffers) ||
           share(p.parameters, o.parameters, p.controls, o.controls) ||
           share(p.buffers, o.buffers, p.controls, o.controls);
}

// Checks the parts in order and records where each value was defined.
class StructureCheck {
  public:
    StructureCheck(const Program::Parts& parts, const NameOrders& orders)
        : parts_(parts), repeats_(any_repeats(parts, orders)) {}

    Result<std::vector<Value>> run() {
        ESPER_CHECK_STATUS(counts());
        values_.resize(parts_.value_count);
        defined_.resize(parts_.value_count);
        ESPER_CHECK_STATUS(declarations());
        ESPER_CHECK_STATUS(instructions());
        for (std::uint32_t id = 0; id < parts_.value_count; ++id) {
            if (!defined_[id]) {
                return fail(GraphError::kUndefinedValue,
                            fmt::format("value {} of {} is never defined; number the values "
                                        "without gaps",
                                        id, parts_.value_count));
            }
        }
        ESPER_CHECK_STATUS(outputs());
        ESPER_CHECK_STATUS(anchors());
        return std::move(values_);
    }

  private:
    Status counts() {
        ESPER_CHECK_STATUS(check_label("the Program's name", parts_.name));
        if (parts_.value_count > Limits::kMaxValues) {
            return too_many("values", parts_.value_count, Limits::kMaxValues);
        }
        if (parts_.instructions.size() > Limits::kMaxInstructions) {
            return too_many("instructions", parts_.instructions.size(), Limits::kMaxInstructions);
        }
        return {};
    }

    static tl::unexpected<Error> too_many(std::string_view what, std::size_t count,
                                          std::size_t limit) {
        return fail(GraphError::kTooLarge,
                    fmt::format("{} {}, at most {} are allowed", count, what, limit));
    }

    Status declarations() {
        for (std::uint32_t i = 0; i < parts_.inputs.size(); ++i) {
            const Input& item = parts_.inputs[i];
            ESPER_CHECK_STATUS(named_value("input", item, Value::Kind::kInput, i));
            ESPER_CHECK_STATUS(check_type("input", item.name, item.type, true));
        }
        for (std::uint32_t i = 0; i < parts_.parameters.size(); ++i) {
            const Parameter& item = parts_.parameters[i];
            ESPER_CHECK_STATUS(named_value("parameter", item, Value::Kind::kParameter, i));
            ESPER_CHECK_STATUS(check_type("parameter", item.name, item.type, false));
            ESPER_CHECK_STATUS(check_init("parameter", item.name, item.init));
        }
        for (std::uint32_t i = 0; i < parts_.buffers.size(); ++i) {
            const Buffer& item = parts_.buffers[i];
            ESPER_CHECK_STATUS(named_value("buffer", item, Value::Kind::kBuffer, i));
            ESPER_CHECK_STATUS(check_type("buffer", item.name, item.type, false));
            ESPER_CHECK_STATUS(check_init("buffer", item.name, item.init));
        }
        for (std::uint32_t i = 0; i < parts_.controls.size(); ++i) {
            const Control& item = parts_.controls[i];
            ESPER_CHECK_STATUS(named_value("control", item, Value::Kind::kControl, i));
            if (!std::isfinite(item.initial)) {
                return fail(GraphError::kMalformed,
                            fmt::format("control '{}' starts at {}; expected a finite number",
                                        item.name, item.initial));
            }
        }
        return {};
    }

    template <typename T>
    Status named_value(std::string_view what, const T& item, Value::Kind kind,
                       std::uint32_t index) {
        ESPER_CHECK_STATUS(unique_name(what, item.name, names_));
        return define(item.value, kind, index,
                      [&] { return fmt::format("{} '{}'", what, item.name); });
    }

    Status unique_name(std::string_view what, const std::string& name,
                       std::unordered_set<std::string_view>& seen) const {
        if (name.empty()) {
            return fail(GraphError::kMalformed, fmt::format("a name of an {} is empty", what));
        }
        ESPER_CHECK_STATUS(check_label("a name", name));
        if (repeats_ && !seen.insert(name).second) {
            return fail(GraphError::kDuplicateName,
                        fmt::format("{} '{}': the name is taken already; rename one of the two",
                                    what, name));
        }
        return {};
    }

    Status define(ValueId id, Value::Kind kind, std::uint32_t index, const auto& who) {
        if (id.value() >= parts_.value_count) {
            return fail(GraphError::kMalformed, fmt::format("{} defines value {}, beyond the {} "
                                                            "that the Program says it has",
                                                            who(), id.value(), parts_.value_count));
        }
        if (defined_[id.value()]) {
            return fail(
                GraphError::kMalformed,
                fmt::format("{} defines value {} a second time; give it a number of its own", who(),
                            id.value()));
        }
        defined_[id.value()] = true;
        values_[id.value()] = {kind, index};
        return {};
    }

    Status use(ValueId id, const auto& who) const {
        if (id.value() < parts_.value_count && defined_[id.value()]) return {};
        return fail(
            GraphError::kUndefinedValue,
            fmt::format("{} reads value {}, which is {}", who(), id.value(),
                        id.value() < parts_.value_count ? "not defined before it" : "not there"));
    }

    Status instructions() {
        for (std::uint32_t i = 0; i < parts_.instructions.size(); ++i) {
            const Instruction& item = parts_.instructions[i];
            const auto who = [&] { return fmt::format("instruction {} ({})", i, item.op); };
            auto status = instruction(item, i, who);
            if (!status) {
                const bool named = status.error().message().starts_with("instruction");
                return named ? fail(status.error()) : fail(status.error().within(who()));
            }
        }
        return {};
    }

    Status instruction(const Instruction& item, std::uint32_t index, const auto& who) {
        if (item.op.empty() || item.op != last_op_) {
            ESPER_CHECK_STATUS(check_label("the operator's name", item.op));
            if (!is_operator_name(item.op)) {
                return fail(GraphError::kMalformed,
                            "expected an operator as namespace::name or namespace::name.overload");
            }
            last_op_ = item.op;
        }
        ESPER_CHECK_STATUS(check_label("the scope", item.scope));
        if (item.args.size() > Limits::kMaxArguments) {
            return too_many("arguments", item.args.size(), Limits::kMaxArguments);
        }
        for (const Argument& argument : item.args) {
            ESPER_CHECK_STATUS(this->argument(argument, who));
        }
        for (const ValueId result : item.results) {
            ESPER_CHECK_STATUS(define(result, Value::Kind::kResult, index, who));
        }
        return {};
    }

    Status argument(const Argument& argument, const auto& who) const {
        if (const auto* constant = std::get_if<Constant>(&argument)) {
            return std::visit(ConstantCheck{}, *constant);
        }
        if (const auto* list = std::get_if<ValueList>(&argument)) {
            if (list->size() > Limits::kMaxArguments) {
                return too_many("values in a list", list->size(), Limits::kMaxArguments);
            }
        }
        Status status;
        for_each_value(argument, [&](ValueId id) {
            if (status) status = use(id, who);
        });
        return status;
    }

    Status outputs() const {
        std::unordered_set<std::string_view> names;
        for (const Output& item : parts_.outputs) {
            ESPER_CHECK_STATUS(unique_name("output", item.name, names));
            ESPER_CHECK_STATUS(use(item.value, [&] { return "output '" + item.name + "'"; }));
        }
        return {};
    }

    Status anchors() const {
        std::unordered_set<std::string_view> names;
        for (const Anchor& item : parts_.anchors) {
            const auto who = [&] { return "anchor '" + item.name + "'"; };
            ESPER_CHECK_STATUS(unique_name("anchor", item.name, names));
            ESPER_CHECK_STATUS(use(item.value, who));
            if (item.layer_input) ESPER_CHECK_STATUS(use(*item.layer_input, who));
            if (static_cast<int>(item.kind) > static_cast<int>(AnchorKind::kTokens)) {
                return fail(
                    GraphError::kMalformed,
                    fmt::format("{} has kind {}, there are 3", who(), static_cast<int>(item.kind)));
            }
            if (item.features < 1 || item.features > Limits::kMaxElements) {
                return fail(GraphError::kMalformed,
                            fmt::format("{} has {} features; expected 1 to {}", who(),
                                        item.features, Limits::kMaxElements));
            }
        }
        return {};
    }

    const Program::Parts& parts_;
    std::vector<Value> values_;
    std::vector<bool> defined_;
    /// Whether names repeat; only then it is looked which one is the first.
    bool repeats_;
    std::unordered_set<std::string_view> names_;
    std::string_view last_op_;  ///< which is in order
};

}  // namespace

NameOrders::NameOrders(const Program::Parts& parts)
    : inputs(order_by_name(parts.inputs)),
      parameters(order_by_name(parts.parameters)),
      buffers(order_by_name(parts.buffers)),
      controls(order_by_name(parts.controls)),
      outputs(order_by_name(parts.outputs)),
      anchors(order_by_name(parts.anchors)) {}

Result<std::vector<Value>> check_structure(const Program::Parts& parts, const NameOrders& orders) {
    return StructureCheck(parts, orders).run();
}

bool is_operator_name(std::string_view op) {
    const auto colons = op.find("::");
    if (colons == std::string_view::npos || !is_identifier(op.substr(0, colons))) return false;
    const std::string_view name = op.substr(colons + 2);
    const auto dot = name.find('.');
    return is_identifier(name.substr(0, dot)) &&
           (dot == std::string_view::npos || is_identifier(name.substr(dot + 1)));
}

bool is_printable_utf8(std::string_view text) {
    if (is_plain_ascii(text)) return true;
    for (std::size_t i = 0; i < text.size();) {
        const auto lead = static_cast<unsigned char>(text[i]);
        if (lead < 0x80) {
            if (lead < 0x20 || lead == 0x7f) return false;
            ++i;
            continue;
        }
        const std::size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
        if (lead < 0xc2 || lead > 0xf4 || i + length > text.size()) return false;
        std::uint32_t point = lead & (0xffU >> (length + 1));
        for (std::size_t k = 1; k < length; ++k) {
            const auto next = static_cast<unsigned char>(text[i + k]);
            if ((next & 0xc0) != 0x80) return false;
            point = point << 6 | (next & 0x3fU);
        }
        const bool overlong = (length == 3 && point < 0x800) || (length == 4 && point < 0x10000);
        const bool surrogate = point >= 0xd800 && point < 0xe000;
        // 0x80 to 0x9f are control characters too.
        if (overlong || surrogate || point < 0xa0 || point > 0x10ffff) return false;
        i += length;
    }
    return true;
}

}  // namespace esper::graph
