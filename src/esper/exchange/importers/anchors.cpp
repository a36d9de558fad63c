#include <algorithm>
#include <array>
#include <unordered_map>
#include <unordered_set>

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
bool is_one_of(std::string_view op, const auto& names) {
    return std::find(names.begin(), names.end(), base_name(op)) != names.end();
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

enum class Order { kUnknown, kChannels, kFeatures };

/// One call of a module, and the values made in it that are read outside of it.
struct Call {
    std::string path;
    std::string type;
    std::size_t depth = 0;
    std::unordered_set<std::uint32_t> gives;
};

class AnchorFinder {
  public:
    AnchorFinder(const Writer& writer, const Program& program)
        : writer_(writer),
          program_(program),
          instructions_(program.instructions()),
          uses_(program) {
        // `a.b.weight` has something to learn in `a` and in `a.b`.
        for (const auto& parameter : program.parameters())
            for (auto dot = parameter.name.find('.'); dot != std::string::npos;
                 dot = parameter.name.find('.', dot + 1))
                learning_.insert(parameter.name.substr(0, dot));
    }

    std::vector<Anchor> find() {
        collect();
        const auto batch = batch_size();
        std::unordered_map<std::uint32_t, const Call*> best;
        std::vector<std::uint32_t> order;
        for (const auto& call : calls_) {
            if (call.path.empty() || call.gives.size() != 1 || !fits(call)) continue;
            const auto value = *call.gives.begin();
            auto [it, fresh] = best.emplace(value, &call);
            if (fresh)
                order.push_back(value);
            else if (call.depth > it->second->depth)
                it->second = &call;
        }
        std::sort(order.begin(), order.end());
        std::vector<Anchor> anchors;
        std::unordered_map<std::string, int> taken;
        for (const auto value : order) {
            auto anchor = make(ValueId(value), *best.at(value), batch);
            if (!anchor) continue;
            // A module that is called several times has an anchor for each call.
            const int times = taken[anchor->name]++;
            if (times > 0) anchor->name += "@" + std::to_string(times);
            anchors.push_back(std::move(*anchor));
        }
        return anchors;
    }

  private:
    // Follows every edge between instructions out of the modules it leaves.
    void collect() {
        std::unordered_map<std::string, std::size_t> known;
        std::vector<std::vector<std::size_t>> calls_of(instructions_.size());
        for (std::size_t i = 0; i < instructions_.size(); ++i) {
            const auto& stack = writer_.stacks[i];
            for (std::size_t d = 0; d < stack.size(); ++d) {
                const auto key = stack[d].path + "\n" + stack[d].call;
                auto [it, fresh] = known.emplace(key, calls_.size());
                if (fresh) calls_.push_back({stack[d].path, stack[d].type, d, {}});
                calls_of[i].push_back(it->second);
            }
        }
        const auto leave = [&](ValueId id, const std::vector<std::size_t>& into) {
            const auto& value = program_.value(id);
            if (value.kind != Value::Kind::kResult || writer_.is_size(id)) return;
            for (const auto c : calls_of[value.index])
                if (std::find(into.begin(), into.end(), c) == into.end())
                    calls_[c].gives.insert(id.value());
        };
        for (std::size_t i = 0; i < instructions_.size(); ++i)
            for (const auto& argument : instructions_[i].args)
                for_each_value(argument, [&](ValueId id) {
                    leave(id, calls_of[i]);
                    read_.insert(id.value());
                });
        for (const auto& output : program_.outputs()) leave(output.value, {});
    }

    // Of a module that has something to learn, and that is no mere norm or dropout.
    bool fits(const Call& call) const {
        const auto name = call.type.substr(call.type.rfind('.') + 1);
        for (const auto* unfit : {"Norm", "Dropout", "DropPath", "Embedding"})
            if (name.find(unfit) != std::string::npos && name.find("Act") == std::string::npos)
                return false;
        return learning_.contains(call.path);
    }

    struct Batch {
        std::string symbol;
        std::int64_t size = 0;
    };
    std::optional<Batch> batch_size() const {
        if (program_.inputs().empty()) return std::nullopt;
        const auto* meta = writer_.meta(program_.inputs()[0].value);
        if (meta == nullptr || meta->type.shape.empty()) return std::nullopt;
        return Batch{meta->symbols[0], meta->type.shape[0]};
    }

    std::optional<Anchor> make(ValueId value, const Call& call,
                               const std::optional<Batch>& batch) const {
        const auto& origin = program_.value(value);
        const auto* meta = writer_.meta(value);
        if (meta == nullptr || !batch || writer_.no_gradient[origin.index]) return std::nullopt;
        const auto& shape = meta->type.shape;
        if (meta->type.dtype != DType::kFloat32 || shape.size() < 2 || shape.size() > 4)
            return std::nullopt;
        if (meta->symbols[0] != batch->symbol || shape[0] != batch->size) return std::nullopt;
        if (!read_.contains(value.value())) return std::nullopt;
        const auto& made = instructions_[origin.index];
        if (made.scope == call.path && is_one_of(made.op, kUnfit)) return std::nullopt;

        Anchor anchor{call.path, AnchorKind::kVector, value, layer_input(value), shape.back()};
        const auto order = order_of(value);
        if (shape.size() == 4) {
            if (order != Order::kChannels || shape[2] < 1 || shape[3] < 1) return std::nullopt;
            anchor.kind = AnchorKind::kImage;
            anchor.features = shape[1];
        } else if (shape.size() == 3) {
            if (order == Order::kChannels) return std::nullopt;
            anchor.kind = AnchorKind::kTokens;
        }
        if (anchor.features < 2 || !can_hold_seed(program_, anchor, uses_)) return std::nullopt;
        return anchor;
    }

    const Instruction* maker(ValueId value) const {
        const auto& origin = program_.value(value);
        return origin.kind == Value::Kind::kResult ? &instructions_[origin.index] : nullptr;
    }

    Order order_of(ValueId value) const {
        for (int step = 0; step < kFarthest; ++step) {
            const auto* made = maker(value);
            if (made == nullptr) return Order::kUnknown;
            if (is_one_of(made->op, kChannelsFirst)) return Order::kChannels;
            if (is_one_of(made->op, kFeaturesLast)) return Order::kFeatures;
            if (!is_one_of(made->op, kTransparent)) return Order::kUnknown;
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
                const auto* meta = writer_.meta(id);
                if (program_.value(id).kind != Value::Kind::kResult || meta == nullptr) return;
                if (!best || meta->type.shape.size() > rank) {
                    best = id;
                    rank = meta->type.shape.size();
                }
            });
        return best;
    }

    // The input X of the layer whose weights could have made the value itself: straight up through
    // what acts element by element, and into either side of a residual addition.
    std::optional<ValueId> layer_input(ValueId value) const {
        std::vector<ValueId> look{value};
        for (std::size_t seen = 0; seen < look.size() && seen < kFarthest; ++seen) {
            const auto* made = maker(look[seen]);
            if (made == nullptr) continue;
            const bool addmm = base_name(made->op) == "aten::addmm";
            if (is_one_of(made->op, kConvolutions) || is_one_of(made->op, kLinear)) {
                const auto* x = std::get_if<ValueId>(&made->args[addmm ? 1 : 0]);
                return x == nullptr ? std::nullopt : std::optional(*x);
            }
            if (!is_one_of(made->op, kTransparent) && !is_one_of(made->op, kChannelsFirst))
                continue;
            for (std::size_t i = 0; i < made->args.size() && i < 2; ++i)
                if (const auto* id = std::get_if<ValueId>(&made->args[i])) look.push_back(*id);
        }
        return std::nullopt;
    }

    const Writer& writer_;
    const Program& program_;
    std::span<const Instruction> instructions_;
    std::vector<Call> calls_;
    /// Values that an instruction reads: what is only returned is no place for a seed.
    std::unordered_set<std::uint32_t> read_;
    MemoryUse uses_;
    /// Paths of modules that hold parameters, in themselves or further down.
    std::unordered_set<std::string> learning_;
};

}  // namespace

std::vector<Anchor> find_anchors(const Writer& writer, const Program& program) {
    return AnchorFinder(writer, program).find();
}

}  // namespace esper::graph::importing
