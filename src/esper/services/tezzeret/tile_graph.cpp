#include "esper/services/tezzeret/tile_graph.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <map>
#include <set>

#include "esper/services/tezzeret/tile_formulas.h"

namespace esper::tezzeret {

namespace {

constexpr auto kNoSlot = graph::OpCall::kNoSlot;

/// A value as a slot holds it.
struct Ref {
    std::size_t value = 0;
    bool transposed = false;
    bool columns = false;      ///< of sequences: [N, features, padding + T]
    std::int64_t padding = 0;  ///< zeros before the first token
    bool is_plain() const { return !transposed && !columns; }
};

/// Ends the lowering; caught at its entry.
struct Unsupported {
    std::string why;
};

class Lowering {
  public:
    explicit Lowering(const BranchRecording& recording) : in_(recording) {}

    TileGraph run() {
        const auto& x = tensor(in_.x);
        if (x.dim() == 4 && x.is_contiguous(at::MemoryFormat::ChannelsLast)) {
            out_.image_height = x.size(2);
            out_.image_width = x.size(3);
            features_ = x.size(1);
        } else if ((x.dim() == 2 || x.dim() == 3) && x.is_contiguous()) {
            features_ = x.size(-1);
        } else {
            throw Unsupported{"an input that is not rows of features or channels-last images"};
        }
        rows_ = x.numel() / features_;
        images_ = x.size(0);
        out_.features = features_;
        refs_[in_.x] = {add({Op::kInput, Kind::kRows, features_}), false};
        refs_[in_.gradient] = {add({Op::kGradient, Kind::kRows, features_}), false};
        place_parameters();
        for (const auto& call : in_.ops.calls) lower(call);
        out_.y = output(in_.y, "y", {Kind::kRows});
        out_.dx = output(in_.dx, "dx", {Kind::kRows});
        for (std::size_t i = 0; i < in_.parameters.size(); ++i) {
            out_.parameter_gradients.push_back(
                output(in_.parameter_gradients[i], "the gradient of " + in_.parameters[i],
                       {Kind::kVectorSum, Kind::kMatrixSum, Kind::kTapsSum}));
            out_.parameter_sizes.push_back(in_.parameter_values[i].numel());
        }
        return std::move(out_);
    }

  private:
    const at::Tensor& tensor(std::uint32_t slot) const { return in_.values.at(slot); }

    std::size_t add(TileValue value) {
        value.needs_gradient = value.op == Op::kGradient;
        for (auto a : value.args)
            value.needs_gradient = value.needs_gradient || out_.values[a].needs_gradient;
        out_.values.push_back(std::move(value));
        return out_.values.size() - 1;
    }
    std::size_t number(double value) {
        TileValue made{Op::kNumber, Kind::kScalar};
        made.number = value;
        return add(made);
    }
    const TileValue& at(std::size_t value) const { return out_.values[value]; }

    void place_parameters() {
        for (std::size_t i = 0; i < in_.parameter_values.size(); ++i) {
            const auto& p = in_.parameter_values[i];
            TileValue value{Op::kParameter, Kind::kVector};
            const bool taps = p.dim() == 4 && p.size(2) == 3 && p.size(3) == 3 &&
                              p.is_contiguous(at::MemoryFormat::ChannelsLast);
            const bool shifts = p.dim() == 3 && p.size(1) == 1 && p.is_contiguous();
            const bool matrix = p.dim() == 2 || (p.dim() == 4 && p.size(2) * p.size(3) == 1);
            if (!taps && ((p.dim() > 1 && !matrix && !shifts) || !p.is_contiguous())) {
                parameters_.push_back(TileOutput::kNothing);
                continue;
            }
            value.taps = taps ? 9 : shifts ? p.size(2) : 0;
            value.kind = value.taps > 0 ? Kind::kTaps : matrix ? Kind::kMatrix : Kind::kVector;
            value.width = p.dim() == 0 ? 1 : p.dim() == 1 ? p.size(0) : p.size(1);
            value.height = p.dim() > 1 ? p.size(0) : 1;
            value.index = i;
            parameters_.push_back(add(value));
        }
    }

    /// What a slot holds that no call made: a parameter, its transpose, or a constant number.
    Ref persistent(std::uint32_t slot) {
        const auto& t = in_.persistent.at(slot);
        for (std::size_t i = 0; i < parameters_.size(); ++i) {
            const auto& p = in_.parameter_values[i];
            if (t.const_data_ptr() != p.const_data_ptr() || t.numel() != p.numel()) continue;
            if (parameters_[i] == TileOutput::kNothing)
                throw Unsupported{"the parameter " + in_.parameters[i] + " has more dimensions"};
            if (t.is_contiguous() || t.strides() == p.strides()) return {parameters_[i], false};
            if (t.dim() == 2 && t.t().is_contiguous()) return {parameters_[i], true};
        }
        if (t.numel() == 1 && t.is_cpu()) return {number(t.item().toDouble()), false};
        throw Unsupported{"a constant tensor"};
    }

    Ref ref(std::uint32_t slot) {
        if (stale_.contains(slot)) throw Unsupported{"a view of what was overwritten"};
        const auto found = refs_.find(slot);
        if (found != refs_.end()) return found->second;
        if (!in_.persistent.contains(slot)) throw Unsupported{"a value that nothing made"};
        return refs_[slot] = persistent(slot);
    }

    Ref argument(const graph::OpCall& call, std::uint32_t position) {
        for (const auto& a : call.slot_arguments)
            if (a.position == position) return ref(a.slot);
        return {number(call.stack[position].toScalar().toDouble()), false};
    }
    const at::Tensor& argument_tensor(const graph::OpCall& call, std::uint32_t position) const {
        for (const auto& a : call.slot_arguments)
            if (a.position == position) return tensor(a.slot);
        throw Unsupported{call.label + " of a number"};
    }
    std::size_t plain(const graph::OpCall& call, std::uint32_t position) {
        const auto found = argument(call, position);
        if (!found.is_plain()) throw Unsupported{call.label + " of a transposed value"};
        return found.value;
    }
    static bool is_one(const c10::IValue& value) {
        return value.isNone() || (value.isScalar() && value.toScalar().toDouble() == 1.0);
    }

    bool images() const { return out_.image_height > 0; }

    void lower(const graph::OpCall& call) {
        if (images() && lower_image_operator(call)) return;
        if (tensor(in_.x).dim() == 3 && lower_sequence_operator(call)) return;
        if (call.results.size() != 1 || call.results[0] == kNoSlot || !call.list_arguments.empty())
            throw Unsupported{call.label};
        const auto result = call.results[0];
        const bool in_place = call.op.schema().is_mutable();
        const auto made = value_of(call);
        if (in_place)
            for (const auto& [slot, held] : refs_)
                if (slot != result && tensor(slot).is_alias_of(tensor(result))) stale_.insert(slot);
        stale_.erase(result);
        refs_[result] = made;
    }

    Ref value_of(const graph::OpCall& call) {
        const auto& name = call.label;
        if (is_view(name)) return view(call);
        if (name == "aten::t" || name == "aten::transpose.int") {
            auto found = argument(call, 0);
            if (argument_tensor(call, 0).dim() != 2 || found.columns) throw Unsupported{name};
            found.transposed = !found.transposed;
            return found;
        }
        if (name == "aten::mm") return product(call, 0);
        if (name == "aten::addmm") {
            if (!is_one(call.stack[3]) || !is_one(call.stack[4])) throw Unsupported{name};
            const auto bias = plain(call, 0);
            const auto made = product(call, 1);
            return {formula("$0+$1", {made.value, bias}, name), false};
        }
        if (name == "aten::sum.dim_IntList" || name == "aten::mean.dim") return sum(call);
        return {elementwise(call), false};
    }

    /// The value with another shape but the same rows and features.
    Ref view(const graph::OpCall& call) {
        const auto found = argument(call, 0);
        const auto& value = at(found.value);
        const auto& to = tensor(call.results[0]);
        if (found.columns) {
            if (to.sizes() != argument_tensor(call, 0).sizes())
                throw Unsupported{call.label + " to another arrangement of the elements"};
            return found;
        }
        const auto fits = [&] {
            switch (value.kind) {
                case Kind::kScalar:
                    return to.numel() == 1;
                case Kind::kVector:
                case Kind::kVectorSum:
                    return to.numel() == value.width && to.size(-1) == value.width;
                case Kind::kImage:
                    return to.dim() == 4 && to.size(1) == value.width &&
                           (to.numel() == images_ * value.width ||
                            to.numel() == rows_ * value.width);
                case Kind::kTaps:
                case Kind::kTapsSum:
                    return to.sizes() == argument_tensor(call, 0).sizes();
                case Kind::kRow:
                    return to.dim() > 0 && (to.numel() == rows_ || to.numel() % rows_ == 0) &&
                           to.dim() >= 2;
                case Kind::kRows:
                    return to.numel() == rows_ * value.width && to.dim() >= 2 &&
                           to.size(images() ? 1 : -1) == value.width &&
                           (!images() || to.is_contiguous(at::MemoryFormat::ChannelsLast));
                case Kind::kMatrix:
                case Kind::kMatrixSum:
                    return to.dim() == 2 && to.numel() == value.width * value.height;
            }
            return false;
        }();
        if (!fits) throw Unsupported{call.label + " to another arrangement of the elements"};
        return found;
    }

    Ref product(const graph::OpCall& call, std::uint32_t first) {
        const auto left = argument(call, first);
        const auto right = argument(call, first + 1);
        if (left.columns || right.columns) throw Unsupported{call.label + " of columns"};
        const auto& l = at(left.value);
        const auto& r = at(right.value);
        TileValue made{Op::kProduct, Kind::kRows};
        made.args = {left.value, right.value};
        if (l.kind == Kind::kRows && !left.transposed && r.kind == Kind::kMatrix) {
            made.transposed = right.transposed;
            made.width = right.transposed ? r.height : r.width;
            return {add(made), false};
        }
        if (l.kind == Kind::kRows && left.transposed && r.kind == Kind::kRows &&
            !right.transposed) {
            made.op = Op::kOuterSum;
            made.kind = Kind::kMatrixSum;
            made.height = l.width;
            made.width = r.width;
            return {add(made), false};
        }
        throw Unsupported{call.label + " that is neither rows · matrix nor a sum over rows"};
    }

    Ref sum(const graph::OpCall& call) {
        const auto from = plain(call, 0);
        const auto& t = argument_tensor(call, 0);
        if (at(from).kind != Kind::kRows || t.numel() != rows_ * at(from).width)
            throw Unsupported{call.label + " of what is not [rows, features]"};
        auto dims = call.stack[1].toDimVector();
        for (auto& d : dims) d = d < 0 ? d + t.dim() : d;
        std::sort(dims.begin(), dims.end());
        const bool mean = call.label == "aten::mean.dim";
        TileValue made;
        made.args = {from};
        if (images()) {
            if (dims.size() != 2 || dims[0] != 2 || dims[1] != 3)
                throw Unsupported{call.label + " over other dimensions than an image's"};
            const auto total = pixel_sum(from);
            if (!mean) return {total, false};
            return {formula("$0*$1", {total, number(1.0 / static_cast<double>(out_.pixels()))},
                            call.label),
                    false};
        }
        if (dims.size() == 1 && dims[0] == t.dim() - 1) {
            made.op = Op::kRowSum;
            made.kind = Kind::kRow;
            const auto total = add(made);
            if (!mean) return {total, false};
            return {formula("$0*$1", {total, number(1.0 / static_cast<double>(at(from).width))},
                            call.label),
                    false};
        }
        const auto leading = static_cast<std::size_t>(t.dim() - 1);
        if (!mean && dims.size() == leading && dims[leading - 1] == t.dim() - 2) {
            made.op = Op::kColumnSum;
            made.kind = Kind::kVectorSum;
            made.width = at(from).width;
            return {add(made), false};
        }
        throw Unsupported{call.label + " over some of the rows"};
    }

    std::size_t formula(const std::string& text, std::vector<std::size_t> args,
                        const std::string& name) {
        TileValue made{Op::kFormula, Kind::kScalar};
        bool row = false;
        bool wide = false;
        bool image = false;
        for (auto a : args) {
            const auto& value = at(a);
            image = image || value.kind == Kind::kImage;
            if (value.kind == Kind::kRows || value.kind == Kind::kVector ||
                value.kind == Kind::kImage) {
                if (wide && made.width != value.width)
                    throw Unsupported{name + " of different widths"};
                made.width = value.width;
                wide = true;
            }
            row = row || value.kind == Kind::kRow;
            if (value.kind == Kind::kRows) made.kind = Kind::kRows;
            if (value.kind == Kind::kMatrix || value.kind == Kind::kVectorSum ||
                value.kind == Kind::kMatrixSum || value.kind == Kind::kTaps ||
                value.kind == Kind::kTapsSum)
                throw Unsupported{name + " of a matrix or of a sum over rows"};
        }
        if (made.kind != Kind::kRows)
            made.kind = image         ? Kind::kImage
                        : row && wide ? Kind::kRows
                        : row         ? Kind::kRow
                        : wide        ? Kind::kVector
                                      : Kind::kScalar;
        made.formula = text;
        made.args = std::move(args);
        return add(std::move(made));
    }

    std::size_t elementwise(const graph::OpCall& call) {
        const auto* rule = find_formula(call.label);
        if (rule == nullptr) throw Unsupported{call.label};
        std::vector<std::size_t> args;
        for (std::uint32_t i = 0; i < rule->arguments; ++i) args.push_back(plain(call, i));
        const auto text = rule->text(call);
        if (!text) throw Unsupported{call.label + " with these settings"};
        if (*text == "$0") return args[0];
        return formula(*text, std::move(args), call.label);
    }

    // --- sequences
    bool lower_sequence_operator(const graph::OpCall& call) {
        if (call.label == "aten::transpose.int") return exchange(call);
        if (call.label == "aten::constant_pad_nd") return pad(call);
        if (call.label == "aten::convolution") return causal(call);
        if (call.label == "aten::convolution_backward") return causal_backward(call);
        return false;
    }
    void set_columns(const graph::OpCall& call, std::size_t result, std::size_t value,
                     std::int64_t padding) {
        if (call.results[result] != kNoSlot)
            refs_[call.results[result]] = {value, false, true, padding};
    }

    bool exchange(const graph::OpCall& call) {
        auto found = argument(call, 0);
        const auto first = call.stack[1].toInt();
        const auto second = call.stack[2].toInt();
        if (argument_tensor(call, 0).dim() != 3) return false;
        if (std::min(first, second) != 1 || std::max(first, second) != 2 || found.transposed ||
            found.padding != 0 || at(found.value).kind != Kind::kRows)
            throw Unsupported{call.label};
        found.columns = !found.columns;
        refs_[call.results[0]] = found;
        return true;
    }

    bool pad(const graph::OpCall& call) {
        auto found = argument(call, 0);
        const auto sizes = call.stack[1].toIntVector();
        const bool zero = call.stack[2].toScalar().toDouble() == 0;
        if (!found.columns || sizes.size() != 2 || sizes[1] != 0 || !zero ||
            (sizes[0] > 0 && found.padding != 0) || (sizes[0] < 0 && found.padding != -sizes[0]))
            throw Unsupported{call.label + " other than before the first token"};
        found.padding += sizes[0];
        refs_[call.results[0]] = found;
        return true;
    }

    /// Of the arguments from `first` on; see reach_of.
    void expect_causal(const graph::OpCall& call, std::uint32_t first, const Ref& x,
                       std::size_t weight) const {
        const auto all = [&](std::uint32_t position, std::int64_t value) {
            const auto list = call.stack[first + position].toIntVector();
            return std::all_of(list.begin(), list.end(), [&](auto v) { return v == value; });
        };
        const auto& w = at(weight);
        const auto width = at(x.value).width;
        if (!x.columns || w.kind != Kind::kTaps || w.height != width || x.padding != w.taps - 1 ||
            !all(0, 1) || !all(1, 0) || !all(2, 1) || call.stack[first + 3].toBool() ||
            call.stack[first + 5].toInt() != width)
            throw Unsupported{call.label + " other than over this token and those before"};
    }

    bool causal(const graph::OpCall& call) {
        const auto x = argument(call, 0);
        const auto w = plain(call, 1);
        expect_causal(call, 3, x, w);
        if (!absent(call, 2)) throw Unsupported{call.label + " with a bias"};
        out_.sequence = tensor(in_.x).size(1);
        set_columns(call, 0, made_of(Op::kCausal, Kind::kRows, at(w).height, 1, {x.value, w}), 0);
        return true;
    }

    bool causal_backward(const graph::OpCall& call) {
        const auto g = argument(call, 0);
        const auto x = argument(call, 1);
        const auto w = plain(call, 2);
        expect_causal(call, 4, x, w);
        if (!g.columns || g.padding != 0 || call.results[2] != kNoSlot)
            throw Unsupported{call.label + " of another gradient"};
        const auto width = at(w).height;
        set_columns(call, 0, made_of(Op::kCausal, Kind::kRows, width, 1, {g.value, w}, true),
                    x.padding);
        const auto sum = made_of(Op::kCausalSum, Kind::kTapsSum, 1, width, {g.value, x.value});
        out_.values[sum].taps = at(w).taps;
        set(call, 1, sum);
        return true;
    }

    // --- images
    std::size_t pixel_sum(std::size_t of) {
        TileValue made{Op::kPixelSum, Kind::kImage, at(of).width};
        made.args = {of};
        return add(made);
    }
    std::size_t group_sum(std::size_t of, std::int64_t groups) {
        TileValue made{Op::kGroupSum, Kind::kImage, at(of).width};
        made.args = {of};
        made.index = static_cast<std::size_t>(groups);
        return add(made);
    }
    std::size_t image_sum(std::size_t of) {
        TileValue made{Op::kImageSum, Kind::kVectorSum, at(of).width};
        made.args = {of};
        return add(made);
    }
    std::size_t made_of(Op op, Kind kind, std::int64_t width, std::int64_t height,
                        std::vector<std::size_t> args, bool transposed = false) {
        TileValue made{op, kind, width, height};
        made.args = std::move(args);
        made.transposed = transposed;
        return add(made);
    }

    bool lower_image_operator(const graph::OpCall& call) {
        if (call.label == "aten::native_group_norm") return group_norm(call);
        if (call.label == "aten::native_group_norm_backward") return group_norm_backward(call);
        if (call.label == "aten::convolution") return convolution(call);
        if (call.label == "aten::convolution_backward") return convolution_backward(call);
        return false;
    }
    void set(const graph::OpCall& call, std::size_t result, std::size_t value) {
        if (call.results[result] != kNoSlot) refs_[call.results[result]] = {value, false};
    }
    bool absent(const graph::OpCall& call, std::uint32_t position) const {
        for (const auto& a : call.slot_arguments)
            if (a.position == position) return false;
        return true;
    }

    // y = (x - mean) · rstd · weight + bias; the variance from the deviations, in a second pass, so
    // that an offset loses no digits.
    /// One over the number of values in a group of an image's channels.
    std::size_t one_over_group(std::size_t x, std::int64_t groups) {
        return number(static_cast<double>(groups) /
                      static_cast<double>(at(x).width * out_.pixels()));
    }

    bool group_norm(const graph::OpCall& call) {
        const auto x = plain(call, 0);
        if (absent(call, 1) || absent(call, 2) || at(x).kind != Kind::kRows)
            throw Unsupported{call.label + " without weight and bias"};
        const auto groups = call.stack[6].toInt();
        const auto count = one_over_group(x, groups);
        const auto mean = formula("$0*$1", {group_sum(pixel_sum(x), groups), count}, call.label);
        const auto off = formula("$0-$1", {x, mean}, call.label);
        const auto square = formula("$0*$0", {off}, call.label);
        const auto variance =
            formula("$0*$1", {group_sum(pixel_sum(square), groups), count}, call.label);
        const auto rstd =
            formula("1.f/root($0+$1)", {variance, number(call.stack[7].toDouble())}, call.label);
        const auto scale = formula("$0*$1", {rstd, plain(call, 1)}, call.label);
        set(call, 0, formula("$0*$1+$2", {off, scale, plain(call, 2)}, call.label));
        set(call, 1, mean);
        set(call, 2, rstd);
        return true;
    }

    bool group_norm_backward(const graph::OpCall& call) {
        const auto dy = plain(call, 0);
        const auto x = plain(call, 1);
        const auto mean = plain(call, 2);
        const auto rstd = plain(call, 3);
        if (absent(call, 4)) throw Unsupported{call.label + " without weight"};
        const auto weight = plain(call, 4);
        const auto groups = call.stack[8].toInt();
        const auto count = one_over_group(x, groups);
        const auto normed = formula("($0-$1)*$2", {x, mean, rstd}, call.label);
        const auto by_normed = pixel_sum(formula("$0*$1", {dy, normed}, call.label));
        const auto plain_sum = pixel_sum(dy);
        const auto along = formula(
            "$0*$1", {group_sum(formula("$0*$1", {by_normed, weight}, call.label), groups), count},
            call.label);
        const auto level = formula(
            "$0*$1", {group_sum(formula("$0*$1", {plain_sum, weight}, call.label), groups), count},
            call.label);
        set(call, 0,
            formula("$0*($1*$2-$3-$4*$5)", {rstd, dy, weight, level, normed, along}, call.label));
        set(call, 1, image_sum(by_normed));
        set(call, 2, image_sum(plain_sum));
        return true;
    }

    enum class Reach : std::uint8_t { kPoint, kDepthwise, kAll };
    /// Of the arguments from `first` on: stride, padding, dilation, transposed, output padding,
    /// groups.
    Reach reach_of(const graph::OpCall& call, std::uint32_t first, const TileValue& weight,
                   std::int64_t in) const {
        const auto all = [&](std::uint32_t position, std::int64_t value) {
            const auto list = call.stack[first + position].toIntVector();
            return std::all_of(list.begin(), list.end(), [&](auto v) { return v == value; });
        };
        const auto groups = call.stack[first + 5].toInt();
        const bool plain_steps = all(0, 1) && all(2, 1) && !call.stack[first + 3].toBool();
        if (plain_steps && weight.kind == Kind::kMatrix && groups == 1 && all(1, 0))
            return Reach::kPoint;
        if (plain_steps && weight.kind == Kind::kTaps && all(1, 1)) {
            if (groups == in && weight.width == 1 && weight.height == in) return Reach::kDepthwise;
            if (groups == 1) return Reach::kAll;
        }
        throw Unsupported{call.label + " other than 1×1, or 3×3 with a border of 1"};
    }

    bool convolution(const graph::OpCall& call) {
        const auto x = plain(call, 0);
        const auto w = plain(call, 1);
        const auto out = at(w).height;
        const bool rows = at(x).kind == Kind::kRows;
        if (!rows && (at(x).kind != Kind::kImage || at(w).kind != Kind::kMatrix))
            throw Unsupported{call.label + " of what is no image"};
        std::size_t made = 0;
        switch (reach_of(call, 3, at(w), at(x).width)) {
            case Reach::kPoint:
                made = at(x).kind == Kind::kImage
                           ? made_of(Op::kImageProduct, Kind::kImage, out, 1, {x, w}, true)
                           : made_of(Op::kProduct, Kind::kRows, out, 1, {x, w}, true);
                break;
            case Reach::kDepthwise:
                made = made_of(Op::kDepthwise, Kind::kRows, out, 1, {x, w});
                break;
            case Reach::kAll:
                made = made_of(Op::kConvolution, Kind::kRows, out, 1, {x, w});
                break;
        }
        if (!absent(call, 2)) made = formula("$0+$1", {made, plain(call, 2)}, call.label);
        set(call, 0, made);
        return true;
    }

    bool convolution_backward(const graph::OpCall& call) {
        const auto g = plain(call, 0);
        const auto x = plain(call, 1);
        const auto w = plain(call, 2);
        const auto in = at(x).width;
        const auto out = at(w).height;
        switch (reach_of(call, 4, at(w), in)) {
            case Reach::kPoint:
                if (at(g).kind == Kind::kImage) {
                    set(call, 0, made_of(Op::kImageProduct, Kind::kImage, in, 1, {g, w}));
                    set(call, 1, made_of(Op::kImageOuterSum, Kind::kMatrixSum, in, out, {g, x}));
                    set(call, 2, image_sum(g));
                    return true;
                }
                set(call, 0, made_of(Op::kProduct, Kind::kRows, in, 1, {g, w}));
                set(call, 1, made_of(Op::kOuterSum, Kind::kMatrixSum, in, out, {g, x}));
                break;
            case Reach::kDepthwise:
                set(call, 0, made_of(Op::kDepthwise, Kind::kRows, in, 1, {g, w}, true));
                set(call, 1, made_of(Op::kDepthwiseSum, Kind::kTapsSum, 1, out, {g, x}));
                break;
            case Reach::kAll:
                set(call, 0, made_of(Op::kConvolution, Kind::kRows, in, 1, {g, w}, true));
                set(call, 1, made_of(Op::kConvolutionSum, Kind::kTapsSum, in, out, {g, x}));
                break;
        }
        if (call.results[2] != kNoSlot)
            set(call, 2, made_of(Op::kColumnSum, Kind::kVectorSum, out, 1, {g}));
        return true;
    }

    TileOutput output(std::uint32_t slot, const std::string& name,
                      std::initializer_list<Kind> kinds) {
        if (slot == kNoSlot) return {};
        const auto found = ref(slot);
        const auto& value = at(found.value);
        const bool fits = std::find(kinds.begin(), kinds.end(), value.kind) != kinds.end() &&
                          (value.kind != Kind::kRows || value.width == features_);
        if (!fits || found.columns || (found.transposed && value.kind != Kind::kMatrixSum))
            throw Unsupported{name + " is nothing that a kernel writes"};
        return {found.value, found.transposed};
    }

    const BranchRecording& in_;
    TileGraph out_;
    std::int64_t features_ = 0;
    std::int64_t rows_ = 0;
    std::int64_t images_ = 0;
    std::map<std::uint32_t, Ref> refs_;
    std::set<std::uint32_t> stale_;
    std::vector<std::size_t> parameters_;
};

}  // namespace

Result<TileGraph> lower_to_tiles(const BranchRecording& recording) {
    try {
        return Lowering(recording).run();
    } catch (const Unsupported& u) {
        return fail(TezzeretError::kUnsupported, "no rule for " + u.why);
    }
}

}  // namespace esper::tezzeret
