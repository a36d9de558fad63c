#include <algorithm>
#include <array>
#include <limits>
#include <unordered_map>
#include <unordered_set>

#include "esper/base/name_table.h"
#include "esper/exchange/importers/program_writer.h"
#include "esper/program/edits/insert_seed.h"
#include "esper/program/effects.h"

namespace esper::graph::importing {

namespace {

constexpr int kFarthest = 12;

std::string_view base_name(std::string_view op) {
    op = op.substr(0, op.find('.'));
    return op.ends_with('_') ? op.substr(0, op.size() - 1) : op;
}

constexpr auto kConvolutions = std::to_array<std::string_view>(
    {"aten::conv1d", "aten::conv2d", "aten::convolution", "aten::conv_transpose2d"});
constexpr auto kLinear = std::to_array<std::string_view>({"aten::linear", "aten::addmm"});
/// What says that dimension 1 holds the channels.
constexpr auto kChannelsFirst = std::to_array<std::string_view>(
    {"aten::conv1d", "aten::conv2d", "aten::convolution", "aten::conv_transpose2d",
     "aten::batch_norm", "aten::group_norm", "aten::max_pool2d", "aten::avg_pool2d",
     "aten::adaptive_avg_pool2d", "aten::_native_batch_norm_legit"});
/// What says that the last dimension holds the features.
constexpr auto kFeaturesLast = std::to_array<std::string_view>(
    {"aten::linear", "aten::addmm", "aten::layer_norm", "aten::native_layer_norm", "aten::rms_norm",
     "aten::embedding", "aten::softmax", "aten::scaled_dot_product_attention"});
/// What keeps the order of dimensions, so that one may look further up.
constexpr auto kTransparent = std::to_array<std::string_view>(
    {"aten::add",       "aten::sub",         "aten::mul",      "aten::div",
     "aten::relu",      "aten::relu6",       "aten::gelu",     "aten::silu",
     "aten::hardswish", "aten::hardsigmoid", "aten::hardtanh", "aten::leaky_relu",
     "aten::elu",       "aten::mish",        "aten::sigmoid",  "aten::tanh",
     "aten::clone",     "aten::contiguous",  "aten::dropout",  "aten::to",
     "aten::cat",       "aten::clamp",       "aten::pow",      "aten::addcmul",
     "aten::softplus",  "aten::alias",       "aten::detach"});

/// A mere norm or table is no place for a seed.
constexpr auto kUnfit =
    std::to_array<std::string_view>({"aten::batch_norm", "aten::layer_norm", "aten::group_norm",
                                     "aten::rms_norm", "aten::instance_norm", "aten::embedding"});

/// In which of these lists an operator is.
struct OperatorKind {
    explicit OperatorKind(std::string_view op) {
        const auto name = base_name(op);
        const auto in = [&](const auto& names) {
            return std::find(names.begin(), names.end(), name) != names.end();
        };
        layer = in(kConvolutions) || in(kLinear);
        addmm = name == "aten::addmm";
        channels_first = in(kChannelsFirst);
        features_last = in(kFeaturesLast);
        transparent = in(kTransparent);
        unfit = in(kUnfit);
    }

    bool layer = false;  ///< a convolution or a product with a weight
    bool addmm = false;
    bool channels_first = false;
    bool features_last = false;
    bool transparent = false;
    bool unfit = false;
};

enum class Order { kUnknown, kChannels, kFeatures };

/// One call of a module, and the value made in it that is read outside of it, if it is one.
struct Call {
    const ModuleCall* module = nullptr;
    std::size_t depth = 0;
    std::optional<std::uint32_t> gives;
    bool gives_more = false;

    void give(std::uint32_t value) {
        if (!gives)
            gives = value;
        else if (*gives != value)
            gives_more = true;
    }
};

class AnchorFinder {
  public:
    AnchorFinder(const Writer& writer, std::span<const Value> origins)
        : writer_(writer),
          parts_(writer.parts),
          origins_(origins),
          read_(origins.size()),
          uses_(writer.parts) {}

    std::vector<Anchor> find() {
        collect();
        const auto batch = batch_size();
        std::vector<const Call*> best(origins_.size());
        for (const auto& call : calls_) {
            if (call.module->path.empty() || !call.gives || call.gives_more || !fits(call))
                continue;
            auto*& so_far = best[*call.gives];
            if (so_far == nullptr || call.depth > so_far->depth) so_far = &call;
        }
        std::vector<Anchor> anchors;
        // By path, the number of the anchor that took it first; how many have taken it since.
        NameTable taken;
        std::vector<std::string_view> paths;
        std::vector<int> times;
        const auto candidates =
            best.size() - static_cast<std::size_t>(std::count(best.begin(), best.end(), nullptr));
        anchors.reserve(candidates);
        taken.reserve(candidates);
        for (std::uint32_t value = 0; value < best.size(); ++value) {
            if (best[value] == nullptr) continue;
            auto anchor = make(ValueId(value), *best[value], batch);
            if (!anchor) continue;
            // A module that is called several times has an anchor for each call.
            const auto path = best[value]->module->path;
            const auto [first, fresh] =
                taken.add(path, static_cast<std::uint32_t>(paths.size()),
                          [&](std::uint32_t other) { return paths[other]; });
            if (fresh) {
                paths.push_back(path);
                times.push_back(0);
            }
            if (times[first] > 0) anchor->name += "@" + std::to_string(times[first]);
            ++times[first];
            anchors.push_back(std::move(*anchor));
        }
        return anchors;
    }

  private:
    // Follows every edge between instructions out of the modules it leaves.
    void collect() {
        number_calls();
        for (std::size_t i = 0; i < parts_.instructions.size(); ++i) {
            enter(writer_.insides[i]);
            for (const auto& argument : parts_.instructions[i].args)
                for_each_value(argument, [&](ValueId id) {
                    leave(id);
                    read_[id.value()] = true;
                });
        }
        enter(ModuleCalls::kNone);
        for (const auto& output : parts_.outputs) leave(output.value);
    }

    // Numbers the calls in the order in which they begin.
    void number_calls() {
        const auto& modules = writer_.calls;
        constexpr auto kNew = std::numeric_limits<std::uint32_t>::max();
        std::vector<std::uint32_t> numbers(modules.size(), kNew);
        around_.resize(modules.size());
        std::vector<bool> seen(modules.size());
        std::vector<ModuleCalls::Id> fresh;
        calls_.reserve(modules.size());
        for (const auto inside : writer_.insides) {
            for (auto at = inside; at != ModuleCalls::kNone && !seen[at]; at = modules.outer(at))
                fresh.push_back(at);
            for (; !fresh.empty(); fresh.pop_back()) {
                const auto at = fresh.back();
                seen[at] = true;
                auto& number = numbers[modules.first(at)];
                if (number == kNew) {
                    number = static_cast<std::uint32_t>(calls_.size());
                    calls_.push_back({&modules[at], modules.depth(at), {}, false});
                }
                around_[at] = {modules.outer(at), number};
            }
        }
        entered_.assign(calls_.size(), 0);
    }

    // From now on leave() is about what is read in `inside`.
    void enter(ModuleCalls::Id inside) {
        if (entries_ > 0 && inside == inside_) return;
        inside_ = inside;
        ++entries_;
        for (auto at = inside; at != ModuleCalls::kNone; at = around_[at].outer)
            entered_[around_[at].number] = entries_;
    }

    // The calls that the value leaves on its way to where it is read give it.
    void leave(ValueId id) {
        const auto& value = origins_[id.value()];
        if (value.kind != Value::Kind::kResult || writer_.is_size(id)) return;
        for (auto at = writer_.insides[value.index]; at != ModuleCalls::kNone;
             at = around_[at].outer)
            if (entered_[around_[at].number] != entries_)
                calls_[around_[at].number].give(id.value());
    }

    // Of a module that has something to learn, and that is no mere norm or dropout.
    bool fits(const Call& call) {
        const std::string_view type = call.module->type;
        const auto name = type.substr(type.rfind('.') + 1);
        for (const auto* unfit : {"Norm", "Dropout", "DropPath", "Embedding"})
            if (name.find(unfit) != std::string::npos && name.find("Act") == std::string::npos)
                return false;
        return learns(call);
    }

    static bool is_below(std::string_view name, std::string_view path) {
        return name.starts_with(path) && name.size() > path.size() && name[path.size()] == '.';
    }

    // Mostly what makes the value reads a parameter of the module. Otherwise all have to be known.
    bool learns(const Call& call) {
        const auto path = call.module->path;
        bool reads_own = false;
        for (const auto& argument : parts_.instructions[origins_[*call.gives].index].args)
            for_each_value(argument, [&](ValueId id) {
                const auto& origin = origins_[id.value()];
                reads_own |= origin.kind == Value::Kind::kParameter &&
                             is_below(parts_.parameters[origin.index].name, path);
            });
        if (reads_own) return true;
        if (learning_.empty()) note_learning();
        return learning_.contains(path);
    }

    // `a.b.weight` has something to learn in `a` and in `a.b`. Neighbours share most of that.
    void note_learning() {
        learning_.reserve(2 * parts_.parameters.size());
        std::string_view before;
        for (const auto& parameter : parts_.parameters) {
            const std::string_view name = parameter.name;
            const auto differ =
                std::mismatch(name.begin(), name.end(), before.begin(), before.end());
            const auto shared = static_cast<std::size_t>(differ.first - name.begin());
            for (auto dot = name.find('.', shared); dot != std::string_view::npos;
                 dot = name.find('.', dot + 1))
                learning_.insert(name.substr(0, dot));
            before = name;
        }
    }

    struct Batch {
        std::string_view symbol;
        std::int64_t size = 0;
    };
    /// Of the first size.
    static std::string_view symbol_of(const KnownType& type) {
        return type.symbols.empty() ? std::string_view() : type.symbols[0];
    }
    std::optional<Batch> batch_size() const {
        if (parts_.inputs.empty()) return std::nullopt;
        const auto type = writer_.type(parts_.inputs[0].value);
        if (!type || type->shape.empty()) return std::nullopt;
        return Batch{symbol_of(*type), type->shape[0]};
    }

    std::optional<Anchor> make(ValueId value, const Call& call,
                               const std::optional<Batch>& batch) const {
        const auto& origin = origins_[value.value()];
        const auto type = writer_.type(value);
        if (!type || !batch || writer_.no_gradient[origin.index]) return std::nullopt;
        const auto& shape = type->shape;
        if (type->dtype != DType::kFloat32 || shape.size() < 2 || shape.size() > 4)
            return std::nullopt;
        if (symbol_of(*type) != batch->symbol || shape[0] != batch->size) return std::nullopt;
        if (!read_[value.value()]) return std::nullopt;
        const auto& made = parts_.instructions[origin.index];
        if (made.scope == call.module->path && kind_of(made).unfit) return std::nullopt;

        Anchor anchor{std::string(call.module->path), AnchorKind::kVector, value,
                      layer_input(value), shape.back()};
        const auto order = order_of(value);
        if (shape.size() == 4) {
            if (order != Order::kChannels || shape[2] < 1 || shape[3] < 1) return std::nullopt;
            anchor.kind = AnchorKind::kImage;
            anchor.features = shape[1];
        } else if (shape.size() == 3) {
            if (order == Order::kChannels) return std::nullopt;
            anchor.kind = AnchorKind::kTokens;
        }
        if (anchor.features < 2 || !uses_.allows(anchor, origin.index + 1U)) return std::nullopt;
        return anchor;
    }

    const OperatorKind& kind_of(const Instruction& made) const {
        // Neighbours often have the same operator.
        if (last_kind_ == nullptr || last_kind_->first != made.op)
            last_kind_ = &*kinds_.try_emplace(made.op, made.op).first;
        return last_kind_->second;
    }

    const Instruction* maker(ValueId value) const {
        const auto& origin = origins_[value.value()];
        return origin.kind == Value::Kind::kResult ? &parts_.instructions[origin.index] : nullptr;
    }

    Order order_of(ValueId value) const {
        for (int step = 0; step < kFarthest; ++step) {
            const auto* made = maker(value);
            if (made == nullptr) return Order::kUnknown;
            const auto& kind = kind_of(*made);
            if (kind.channels_first) return Order::kChannels;
            if (kind.features_last) return Order::kFeatures;
            if (!kind.transparent) return Order::kUnknown;
            const auto next = widest_argument(*made);
            if (!next) return Order::kUnknown;
            value = *next;
        }
        return Order::kUnknown;
    }

    // The argument that carries what flows, not a mask or a scale beside it.
    std::optional<ValueId> widest_argument(const Instruction& made) const {
        std::optional<ValueId> best;
        std::size_t rank = 0;
        for (const auto& argument : made.args)
            for_each_value(argument, [&](ValueId id) {
                const auto type = writer_.type(id);
                if (origins_[id.value()].kind != Value::Kind::kResult || !type) return;
                if (!best || type->shape.size() > rank) {
                    best = id;
                    rank = type->shape.size();
                }
            });
        return best;
    }

    // The input X of the layer whose weights could have made the value itself: straight up through
    // what acts element by element, and into either side of a residual addition.
    std::optional<ValueId> layer_input(ValueId value) const {
        c10::SmallVector<ValueId, 2 * kFarthest> look{value};
        for (std::size_t seen = 0; seen < look.size() && seen < kFarthest; ++seen) {
            const auto* made = maker(look[seen]);
            if (made == nullptr) continue;
            const auto& kind = kind_of(*made);
            if (kind.layer) {
                const auto* x = std::get_if<ValueId>(&made->args[kind.addmm ? 1 : 0]);
                return x == nullptr ? std::nullopt : std::optional(*x);
            }
            if (!kind.transparent && !kind.channels_first) continue;
            for (std::size_t i = 0; i < made->args.size() && i < 2; ++i)
                if (const auto* id = std::get_if<ValueId>(&made->args[i])) look.push_back(*id);
        }
        return std::nullopt;
    }

    const Writer& writer_;
    const Program::Parts& parts_;
    std::span<const Value> origins_;
    std::vector<Call> calls_;
    /// Of a call of the Writer's: the one around it, and its number, which is its position in
    /// `calls_`.
    struct Around {
        ModuleCalls::Id outer = ModuleCalls::kNone;
        std::uint32_t number = 0;
    };
    std::vector<Around> around_;
    ModuleCalls::Id inside_ = ModuleCalls::kNone;
    /// How often enter() came to another place; of each number: when that place was last inside.
    std::uint32_t entries_ = 0;
    std::vector<std::uint32_t> entered_;
    /// Values that an instruction reads: what is only returned is no place for a seed.
    std::vector<bool> read_;
    MemoryUse uses_;
    using Kinds = std::unordered_map<std::string_view, OperatorKind>;
    mutable Kinds kinds_;
    mutable const Kinds::value_type* last_kind_ = nullptr;
    /// Paths of modules that hold parameters, in themselves or further down.
    std::unordered_set<std::string_view> learning_;
};

}  // namespace

std::vector<Anchor> find_anchors(const Writer& writer, std::span<const Value> origins) {
    return AnchorFinder(writer, origins).find();
}

}  // namespace esper::graph::importing
