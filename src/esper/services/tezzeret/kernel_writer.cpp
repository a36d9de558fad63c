#include "esper/services/tezzeret/kernel_writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>

namespace esper::tezzeret {

namespace {

/// Floats between two rows of a tile: a multiple of a KB would use few of the cache's sets.
std::int64_t stride(std::int64_t width) { return padded(width) + 16; }

std::string replace_arguments(const std::string& text, const std::vector<std::string>& arguments) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '$') {
            out += "(" + arguments[static_cast<std::size_t>(text[++i] - '0')] + ")";
        } else {
            out += text[i];
        }
    }
    return out;
}

/// Writes one of the two kernels: the loops over one tile, and what stands around them.
class KernelWriter {
  public:
    KernelWriter(const TileGraph& graph, const EmitOptions& options, Pass pass,
                 const std::vector<std::size_t>& saved)
        : g_(graph), options_(options), pass_(pass), saved_(saved) {}

    Result<std::string> write() {
        collect();
        while (!sinks_.empty()) {
            const auto ready = take_ready();
            if (ready.empty())
                return fail(TezzeretError::kUnsupported,
                            "no rule for the order of this branch's products");
            write_loops(ready);
            write_products(ready);
        }
        return text();
    }

  private:
    enum class Sink : std::uint8_t {
        // Loops over rows and features.
        kRowSum,
        kColumnSum,
        kPixelSum,
        kOperand,
        kHalf,
        kPadded,
        kShifted,
        kOut,
        // One call each.
        kProduct,
        kOuter,
        kColumns,
        kNeighbours,
        kImageStep,
    };
    struct Task {
        Sink sink;
        std::size_t value;
    };

    bool forward() const { return pass_ == Pass::kForward; }
    const TileValue& at(std::size_t v) const { return g_.values[v]; }
    bool is_saved(std::size_t v) const {
        return std::find(saved_.begin(), saved_.end(), v) != saved_.end();
    }
    std::size_t saved_index(std::size_t v) const {
        return static_cast<std::size_t>(std::find(saved_.begin(), saved_.end(), v) -
                                        saved_.begin());
    }
    /// Backward reads what forward has saved.
    bool loaded(std::size_t v) const { return !forward() && is_saved(v); }

    std::vector<std::size_t> roots() const {
        std::vector<std::size_t> all;
        const auto want = [&](const TileOutput& o) {
            if (o.value != TileOutput::kNothing) all.push_back(o.value);
        };
        if (forward()) {
            want(g_.y);
            for (auto v : saved_) all.push_back(v);
        } else {
            want(g_.dx);
            for (const auto& o : g_.parameter_gradients) want(o);
        }
        return all;
    }

    void collect() {
        std::set<std::size_t> needed;
        std::vector<std::size_t> order;
        const auto visit = [&](auto&& self, std::size_t v) -> void {
            if (!needed.insert(v).second || loaded(v)) return;
            for (auto a : at(v).args) self(self, a);
            order.push_back(v);
        };
        for (auto root : roots()) visit(visit, root);
        for (auto v : order) {
            const auto& value = at(v);
            switch (value.op) {
                case Op::kProduct:
                    operands_.insert(value.args[0]);
                    break;
                case Op::kOuterSum:
                    operands_.insert(value.args.begin(), value.args.end());
                    paired_.insert(value.args.begin(), value.args.end());
                    break;
                case Op::kDepthwise:
                    padded_.insert(value.args[0]);
                    break;
                case Op::kDepthwiseSum:
                    operands_.insert(value.args[0]);
                    padded_.insert(value.args[1]);
                    break;
                case Op::kConvolution:
                    padded_.insert(value.args[0]);
                    columns_.insert(value.args[0]);
                    break;
                case Op::kCausal:
                    shifted_.insert(value.args[0]);
                    shifts_ = at(value.args[1]).taps - 1;
                    break;
                case Op::kCausalSum:
                    shifted_.insert(value.args.begin(), value.args.end());
                    shifts_ = value.taps - 1;
                    break;
                case Op::kConvolutionSum:
                    operands_.insert(value.args[0]);
                    padded_.insert(value.args[1]);
                    columns_.insert(value.args[1]);
                    break;
                default:
                    break;
            }
        }
        for (auto v : order) {
            switch (at(v).op) {
                case Op::kRowSum:
                    sinks_.push_back({Sink::kRowSum, v});
                    break;
                case Op::kColumnSum:
                    sinks_.push_back({Sink::kColumnSum, v});
                    break;
                case Op::kProduct:
                    sinks_.push_back({Sink::kProduct, v});
                    break;
                case Op::kOuterSum:
                    sinks_.push_back({Sink::kOuter, v});
                    break;
                case Op::kPixelSum:
                    sinks_.push_back({Sink::kPixelSum, v});
                    break;
                case Op::kDepthwise:
                case Op::kDepthwiseSum:
                case Op::kConvolution:
                case Op::kConvolutionSum:
                case Op::kCausal:
                case Op::kCausalSum:
                    sinks_.push_back({Sink::kNeighbours, v});
                    break;
                case Op::kGroupSum:
                case Op::kImageProduct:
                case Op::kImageOuterSum:
                case Op::kImageSum:
                    sinks_.push_back({Sink::kImageStep, v});
                    break;
                case Op::kFormula:
                    if (at(v).kind == Kind::kImage) sinks_.push_back({Sink::kImageStep, v});
                    break;
                default:
                    break;
            }
        }
        for (auto v : padded_) sinks_.push_back({Sink::kPadded, v});
        for (auto v : shifted_) sinks_.push_back({Sink::kShifted, v});
        for (auto v : columns_) sinks_.push_back({Sink::kColumns, v});
        // Backward may need what is loaded as an operand, too. The half form of a product is
        // written when the product is there.
        for (auto v : operands_) {
            if (!is_tile_result(at(v).op) || loaded(v))
                sinks_.push_back({Sink::kOperand, v});
            else if (options_.bf16)
                sinks_.push_back({Sink::kHalf, v});
        }
        const auto& out = forward() ? g_.y : g_.dx;
        if (out.value != TileOutput::kNothing) sinks_.push_back({Sink::kOut, out.value});
    }

    /// Operators whose results are written to a tile of their own.
    static bool is_tile_result(Op op) {
        return op == Op::kProduct || op == Op::kDepthwise || op == Op::kConvolution ||
               op == Op::kCausal;
    }

    /// Whether what an expression reads from memory is there: products, sums, values of an image.
    bool has_bases(std::size_t v) const {
        if (loaded(v) || there_.contains(v)) return true;
        const auto& value = at(v);
        if (value.kind == Kind::kImage) return false;
        switch (value.op) {
            case Op::kInput:
            case Op::kGradient:
            case Op::kParameter:
            case Op::kNumber:
                return true;
            case Op::kFormula:
                return std::all_of(value.args.begin(), value.args.end(),
                                   [&](auto a) { return has_bases(a); });
            default:
                return false;
        }
    }

    bool is_ready(const Task& task) const {
        const auto& value = at(task.value);
        switch (task.sink) {
            case Sink::kRowSum:
            case Sink::kColumnSum:
            case Sink::kPixelSum:
                return has_bases(value.args[0]);
            case Sink::kOperand:
            case Sink::kOut:
            case Sink::kHalf:
            case Sink::kPadded:
            case Sink::kShifted:
                return has_bases(task.value);
            case Sink::kColumns:
                return padded_there_.contains(task.value);
            case Sink::kImageStep:
                return std::all_of(value.args.begin(), value.args.end(),
                                   [&](auto a) { return has_bases(a); });
            case Sink::kNeighbours:
                switch (value.op) {
                    case Op::kCausal:
                        return padded_there_.contains(value.args[0]);
                    case Op::kCausalSum:
                        return padded_there_.contains(value.args[0]) &&
                               padded_there_.contains(value.args[1]);
                    case Op::kDepthwise:
                        return padded_there_.contains(value.args[0]);
                    case Op::kConvolution:
                        return columns_there_.contains(value.args[0]);
                    case Op::kDepthwiseSum:
                        return in_tiles_.contains(value.args[0]) &&
                               padded_there_.contains(value.args[1]);
                    default:
                        return in_tiles_.contains(value.args[0]) &&
                               columns_there_.contains(value.args[1]);
                }
            case Sink::kProduct:
                return in_tiles_.contains(value.args[0]);
            case Sink::kOuter:
                return in_tiles_.contains(value.args[0]) && in_tiles_.contains(value.args[1]);
        }
        return false;
    }

    static bool is_loop(Sink sink) { return sink <= Sink::kOut; }
    static bool is_sum(Sink sink) {
        return sink == Sink::kRowSum || sink == Sink::kColumnSum || sink == Sink::kPixelSum;
    }
    std::int64_t loop_width(const Task& task) const {
        return at(is_sum(task.sink) ? at(task.value).args[0] : task.value).width;
    }

    /// Loops of one width that are ready together share a loop; products come one round later.
    std::vector<Task> take_ready() {
        std::vector<Task> ready;
        std::optional<std::int64_t> width;
        for (const auto& task : sinks_) {
            if (!is_ready(task)) continue;
            if (is_loop(task.sink)) {
                if (width && (!options_.shares_loops || *width != loop_width(task))) continue;
                width = loop_width(task);
            }
            ready.push_back(task);
        }
        std::erase_if(sinks_, [&](const Task& t) {
            return std::any_of(ready.begin(), ready.end(), [&](const Task& r) {
                return r.sink == t.sink && r.value == t.value;
            });
        });
        return ready;
    }

    // --- one loop over a tile's rows and features
    struct Loop {
        std::string row;    ///< before the features
        std::string body;   ///< at 16 features
        std::string after;  ///< after the features
        std::map<std::size_t, std::string> names;
        std::int64_t width = 0;
    };

    static std::string number(double value) {
        auto text = fmt::format("{:.9g}", static_cast<double>(static_cast<float>(value)));
        if (text.find_first_of(".en") == std::string::npos) text += ".0";
        return text + "f";
    }

    std::string parameter_vector(std::size_t v) {
        const auto name = fmt::format("v{}", at(v).index);
        if (vectors_.insert(at(v).index).second) {
            shared_ += fmt::format("float {}[{}] AL;", name, padded(at(v).width));
            packs_ +=
                fmt::format("copy_vector<{}>(h->{},(const float*)call->parameters[{}].data);\n",
                            at(v).width, name, at(v).index);
        }
        return "h->" + name;
    }

    /// An expression for a value at (r, c); statements that it needs go into the loop.
    std::string expression(std::size_t v, Loop& loop) {
        const auto& value = at(v);
        if (value.op == Op::kNumber) return number(value.number);
        if (const auto found = loop.names.find(v); found != loop.names.end()) return found->second;
        std::string text;
        if (value.op == Op::kInput) {
            text = fmt::format("ldt<{}>(x+r*{}L,c)", value.width, value.width);
        } else if (value.op == Op::kGradient) {
            text = fmt::format("alpha*ldt<{}>(g+r*{}L,c)", value.width, value.width);
        } else if (value.op == Op::kParameter) {
            text = fmt::format("ld({}+c)", parameter_vector(v));
        } else if (loaded(v)) {
            text = value.kind == Kind::kRow
                       ? fmt::format("s{}[r]", saved_index(v))
                       : fmt::format("ld(s{}+r*{}L+c)", saved_index(v), padded(value.width));
        } else if (value.kind == Kind::kImage) {
            text = fmt::format("ld(w->c{}+c)", v);
        } else if (there_.contains(v)) {
            text = value.kind == Kind::kRow
                       ? fmt::format("w->r{}[r]", v)
                       : fmt::format("ld(w->t{}+r*{}+c)", v, stride(value.width));
        } else {
            std::vector<std::string> arguments;
            for (auto a : value.args) arguments.push_back(expression(a, loop));
            text = replace_arguments(value.formula, arguments);
        }
        if (value.kind == Kind::kScalar) return "(" + text + ")";
        const auto name = fmt::format("e{}", v);
        if (value.kind == Kind::kRow) {
            const bool is_vector = text.find("tov(") != std::string::npos;
            loop.row +=
                fmt::format("const float {}={};", name, is_vector ? "first(" + text + ")" : text);
        } else {
            loop.body += fmt::format("const V {}=tov({});", name, text);
        }
        return loop.names[v] = name;
    }

    void write_loops(const std::vector<Task>& ready) {
        Loop loop;
        std::string before;
        std::string pairs;
        std::vector<std::size_t> now_there;
        std::vector<std::size_t> now_padded;
        std::vector<std::size_t> now_in_tiles;
        for (const auto& task : ready) {
            if (!is_loop(task.sink)) continue;
            const auto& value = at(task.value);
            loop.width = loop_width(task);
            const auto e = expression(is_sum(task.sink) ? value.args[0] : task.value, loop);
            const auto v = task.value;
            if (task.sink == Sink::kRowSum) {
                worker_ += fmt::format("float r{}[ROWS];", v);
                loop.row += fmt::format("V q{}=sp(0);", v);
                loop.body += fmt::format("q{}+=cut<{}>(c,{});", v, loop.width, wide(e));
                loop.after += fmt::format("w->r{0}[r]=hsum(q{0});", v);
                if (forward() && is_saved(v))
                    loop.after += fmt::format("s{}[r]=w->r{}[r];", saved_index(v), v);
                now_there.push_back(v);
            } else if (task.sink == Sink::kColumnSum) {
                partial_ += fmt::format("float a{}[{}] AL;", v, padded(loop.width));
                loop.body += fmt::format("st(p->a{0}+c,ld(p->a{0}+c)+{1});", v, e);
            } else if (task.sink == Sink::kPixelSum) {
                worker_ += fmt::format("float c{}[{}] AL;", v, padded(loop.width));
                before += fmt::format("zero_vector<{}>(w->c{});", padded(loop.width), v);
                loop.body += fmt::format("st(w->c{0}+c,ld(w->c{0}+c)+cut<{1}>(c,{2}));", v,
                                         loop.width, wide(e));
                now_there.push_back(v);
            } else if (task.sink == Sink::kPadded) {
                const auto ld = stride(loop.width);
                worker_ += fmt::format("float d{}[(IH+2)*(IW+2)*{}] AL;", v, ld);
                before += fmt::format("zero_border<IH,IW,{}>(w->d{});", ld, v);
                loop.body += fmt::format("st(w->d{}+((r/IW+1)*(IW+2)+r%IW+1)*{}+c,cut<{}>(c,{}));",
                                         v, ld, loop.width, wide(e));
                now_padded.push_back(v);
            } else if (task.sink == Sink::kShifted) {
                const auto ld = stride(loop.width);
                worker_ += fmt::format("float d{}[(T+{})*{}] AL;", v, 2 * shifts_, ld);
                before += fmt::format("zero_ends<T,{},{}>(w->d{});", shifts_, ld, v);
                loop.body += fmt::format("st(w->d{}+(r+{})*{}+c,cut<{}>(c,{}));", v, shifts_, ld,
                                         loop.width, wide(e));
                now_padded.push_back(v);
            } else if (task.sink == Sink::kOut) {
                const auto f = g_.features;
                loop.body += fmt::format("if(out)stt<{0}>(out+r*{0}L,c,{1}ldt<{0}>({2}+r*{0}L,c));",
                                         f, forward() ? "alpha*" + e + "+beta*" : e + "+beta*",
                                         forward() ? "x" : "g");
            } else {
                const auto ld = stride(loop.width);
                const auto kept = fmt::format("cut<{}>(c,{})", loop.width, wide(e));
                if (options_.bf16) {
                    worker_ += fmt::format("u16 h{}[ROWS*{}] AL;", v, ld);
                    loop.body += fmt::format("sth(w->h{}+r*{}+c,{});", v, ld, kept);
                    if (paired_.contains(v)) {
                        worker_ += fmt::format("float p{}[ROWS/2*{}] AL;", v, ld);
                        pairs += fmt::format("pair_rows<{0}>(w->h{1},w->p{1},n);\n",
                                             padded(loop.width), v);
                    }
                } else {
                    worker_ += fmt::format("float o{}[ROWS*{}] AL;", v, ld);
                    loop.body += fmt::format("st(w->o{}+r*{}+c,{});", v, ld, kept);
                }
                now_in_tiles.push_back(v);
            }
        }
        if (loop.width > 0)
            tile_ +=
                fmt::format("{}for(int r=0;r<n;++r){{{}for(int c=0;c<{};c+=16){{{}}}{}}}\n{}",
                            before, loop.row, padded(loop.width), loop.body, loop.after, pairs);
        padded_there_.insert(now_padded.begin(), now_padded.end());
        there_.insert(now_there.begin(), now_there.end());
        in_tiles_.insert(now_in_tiles.begin(), now_in_tiles.end());
    }

    static std::string wide(const std::string& e) { return "tov(" + e + ")"; }

    std::string operand(std::size_t v) const {
        if (options_.bf16) return fmt::format("(const float*)w->h{}", v);
        return is_tile_result(at(v).op) && !loaded(v) ? fmt::format("w->t{}", v)
                                                      : fmt::format("w->o{}", v);
    }

    void write_products(const std::vector<Task>& ready) {
        const char* half = options_.bf16 ? "true" : "false";
        const std::int64_t unit = options_.bf16 ? 2 : 1;
        for (const auto& task : ready) {
            const auto& value = at(task.value);
            const auto v = task.value;
            if (task.sink == Sink::kProduct) {
                const auto k = padded(at(value.args[0]).width);
                const auto n = padded(value.width);
                tile_ += fmt::format("rows_product<{},{}>({},{},h->{},{},n,{});\n", n, half,
                                     operand(value.args[0]), stride(at(value.args[0]).width) / unit,
                                     packed(value), k / unit, tile_store(v));
                there_.insert(v);
                if (!options_.bf16) in_tiles_.insert(v);
            } else if (task.sink == Sink::kColumns) {
                worker_ += fmt::format("float m{}[ROWS*{}] AL;", v, columns_stride(v));
                tile_ +=
                    fmt::format("image_columns<IH,IW,{0},{1},{2}>(w->d{3},w->m{3});\n",
                                padded(value.width), stride(value.width), columns_stride(v), v);
                columns_there_.insert(v);
            } else if (task.sink == Sink::kNeighbours) {
                write_neighbours(v);
            } else if (task.sink == Sink::kImageStep) {
                write_image_step(v);
            } else if (task.sink == Sink::kOuter) {
                const auto l = value.args[0];
                const auto r = value.args[1];
                const auto source = [&](std::size_t o) {
                    return options_.bf16 ? fmt::format("w->p{}", o) : operand(o);
                };
                partial_ +=
                    fmt::format("float a{}[{}] AL;", v, padded(value.height) * padded(value.width));
                tile_ += fmt::format("outer_product<{},{},{}>({},{},{},{},{},p->a{});\n",
                                     padded(value.height), padded(value.width), half, source(l),
                                     stride(at(l).width), source(r), stride(at(r).width),
                                     options_.bf16 ? "(n+1)/2" : "n", v);
            }
        }
    }

    /// The function that a product gives its numbers to: into a tile, and into what is saved.
    std::string tile_store(std::size_t v) {
        const auto& value = at(v);
        worker_ += fmt::format("float t{}[ROWS*{}] AL;", v, stride(value.width));
        std::string keep;
        if (forward() && is_saved(v))
            keep =
                fmt::format("if(r<n)st(s{}+(i64)r*{}+c,u);", saved_index(v), padded(value.width));
        return fmt::format("[&](int r,int c,V u)LAMBDA{{st(w->t{}+r*{}+c,u);{}}}", v,
                           stride(value.width), keep);
    }

    std::int64_t columns_stride(std::size_t v) const { return 9 * padded(at(v).width) + 16; }

    void write_neighbours(std::size_t v) {
        const auto& value = at(v);
        const auto& first = at(value.args[0]);
        if (value.op == Op::kCausal) {
            tile_ += fmt::format("causal<T,{},{},{},{}>(w->d{},h->{},{});\n", shifts_ + 1,
                                 padded(first.width), stride(first.width),
                                 value.transposed ? "true" : "false", value.args[0],
                                 depthwise_taps(at(value.args[1])), tile_store(v));
        } else if (value.op == Op::kCausalSum) {
            partial_ += fmt::format("float a{}[{}] AL;", v, value.taps * padded(first.width));
            tile_ += fmt::format("causal_sum<T,{},{},{}>(w->d{},w->d{},p->a{});\n", value.taps,
                                 padded(first.width), stride(first.width), value.args[0],
                                 value.args[1], v);
            return;
        } else if (value.op == Op::kDepthwise) {
            tile_ +=
                fmt::format("depthwise<IH,IW,{},{},{}>(w->d{},h->{},{});\n", padded(first.width),
                            stride(first.width), value.transposed ? "true" : "false", value.args[0],
                            depthwise_taps(at(value.args[1])), tile_store(v));
        } else if (value.op == Op::kConvolution) {
            tile_ += fmt::format("rows_product<{},false>(w->m{},{},h->{},{},n,{});\n",
                                 padded(value.width), value.args[0], columns_stride(value.args[0]),
                                 packed_taps(value), 9 * padded(first.width), tile_store(v));
        } else {
            const auto x = value.args[1];
            const auto width = padded(at(x).width);
            if (value.op == Op::kDepthwiseSum) {
                partial_ += fmt::format("float a{}[{}] AL;", v, 9 * width);
                tile_ += fmt::format("depthwise_sum<IH,IW,{},{},{}>(w->d{},{},p->a{});\n", width,
                                     stride(at(x).width), stride(first.width), x,
                                     operand(value.args[0]), v);
            } else {
                partial_ += fmt::format("float a{}[{}] AL;", v, padded(first.width) * 9 * width);
                tile_ += fmt::format("outer_product<{},{},false>({},{},w->m{},{},n,p->a{});\n",
                                     padded(first.width), 9 * width, operand(value.args[0]),
                                     stride(first.width), x, columns_stride(x), v);
            }
            return;
        }
        there_.insert(v);
        if (!options_.bf16) in_tiles_.insert(v);
    }

    void write_image_step(std::size_t v) {
        const auto& value = at(v);
        const auto vector = [&] {
            worker_ += fmt::format("float c{}[{}] AL;", v, padded(value.width));
        };
        switch (value.op) {
            case Op::kGroupSum:
                vector();
                tile_ += fmt::format("group_sum<{},{}>(w->c{},w->c{});\n", value.width, value.index,
                                     value.args[0], v);
                break;
            case Op::kImageProduct:
                vector();
                tile_ += fmt::format(
                    "image_product<{},{},{}>((const "
                    "float*)call->parameters[{}].data,w->c{},w->c{});\n",
                    at(value.args[0]).width, value.width, value.transposed ? "true" : "false",
                    at(value.args[1]).index, value.args[0], v);
                break;
            case Op::kImageOuterSum:
                partial_ +=
                    fmt::format("float a{}[{}] AL;", v, padded(value.height) * padded(value.width));
                tile_ += fmt::format("image_outer<{},{}>(w->c{},w->c{},p->a{});\n", value.height,
                                     value.width, value.args[0], value.args[1], v);
                return;
            case Op::kImageSum:
                partial_ += fmt::format("float a{}[{}] AL;", v, padded(value.width));
                tile_ += fmt::format(
                    "for(int c=0;c<{0};c+=16)st(p->a{1}+c,ld(p->a{1}+c)+ld(w->c{2}+c));\n",
                    padded(value.width), v, value.args[0]);
                return;
            default: {
                vector();
                Loop loop;
                std::vector<std::string> arguments;
                for (auto a : value.args) arguments.push_back(expression(a, loop));
                tile_ +=
                    fmt::format("for(int c=0;c<{};c+=16){{{}st(w->c{}+c,cut<{}>(c,tov({})));}}\n",
                                padded(value.width), loop.body, v, value.width,
                                replace_arguments(value.formula, arguments));
            }
        }
        there_.insert(v);
    }

    std::string depthwise_taps(const TileValue& taps) {
        const auto name = fmt::format("k{}", taps.index);
        if (!packed_.insert(name).second) return name;
        const auto width = padded(taps.height);
        shared_ += fmt::format("float {}[{}] AL;", name, taps.taps * width);
        packs_ += fmt::format(
            "{{const float*m=(const float*)call->parameters[{}].data;for(int i=0;i<{};++i)"
            "for(int c=0;c<{};++c)h->{}[i*{}+c]=c<{}?m[c*{}+i]:0.f;}}\n",
            taps.index, taps.taps, width, name, width, taps.height, taps.taps);
        return name;
    }

    /// The taps as one matrix whose rows are what image_columns puts side by side.
    std::string packed_taps(const TileValue& convolution) {
        const auto& m = at(convolution.args[1]);
        const auto name = fmt::format("q{}_{}", m.index, convolution.transposed ? 1 : 0);
        if (!packed_.insert(name).second) return name;
        const auto k = convolution.transposed ? m.height : m.width;
        const auto n = convolution.transposed ? m.width : m.height;
        shared_ += fmt::format("float {}[{}] AL;", name, 9 * padded(k) * padded(n));
        packs_ += fmt::format(
            "{{const float*m=(const float*)call->parameters[{}].data;"
            "pack<{},{},false>(h->{},[&](int k,int j){{const int u=k/{},i=k%{};"
            "return i<{}&&j<{}?m[{}]:0.f;}});}}\n",
            m.index, 9 * padded(k), padded(n), name, padded(k), padded(k), k, n,
            convolution.transposed ? fmt::format("(i*9L+8-u)*{}+j", m.width)
                                   : fmt::format("(j*9L+u)*{}+i", m.width));
        return name;
    }

    std::string packed(const TileValue& product) {
        const auto& m = at(product.args[1]);
        const auto name = fmt::format("m{}_{}", m.index, product.transposed ? 1 : 0);
        if (!packed_.insert(name).second) return name;
        // As stored the matrix is [height, width]; the product's rows k run over what x has.
        const auto k = product.transposed ? m.width : m.height;
        const auto n = product.transposed ? m.height : m.width;
        shared_ +=
            fmt::format("float {}[{}] AL;", name, padded(k) * padded(n) / (options_.bf16 ? 2 : 1));
        packs_ += fmt::format(
            "{{const float*m=(const float*)call->parameters[{}].data;"
            "pack<{},{},{}>(h->{},[&](int k,int j){{return k<{}&&j<{}?m[{}]:0.f;}});}}\n",
            m.index, padded(k), padded(n), options_.bf16 ? "true" : "false", name, k, n,
            product.transposed ? fmt::format("j*{}L+k", m.width) : fmt::format("k*{}L+j", m.width));
        return name;
    }

    std::string gradients() const {
        std::string all;
        for (std::size_t i = 0; i < g_.parameter_gradients.size(); ++i) {
            const auto& o = g_.parameter_gradients[i];
            all += fmt::format("{{float*d=(float*)call->parameter_gradients[{}].data;", i);
            if (o.value == TileOutput::kNothing) {
                all += fmt::format("for(i64 i=0;i<{};++i)d[i]=0;", g_.parameter_sizes[i]);
            } else if (at(o.value).op == Op::kDepthwiseSum || at(o.value).op == Op::kCausalSum) {
                const auto taps = at(o.value).op == Op::kCausalSum ? at(o.value).taps : 9;
                all += fmt::format(
                    "for(int i=0;i<{0};++i)for(int u=0;u<{3};++u)d[i*{3}+u]=p->a{1}[u*{2}+i];",
                    at(o.value).height, o.value, padded(at(o.value).height), taps);
            } else if (at(o.value).op == Op::kConvolutionSum) {
                const auto& m = at(o.value);
                all += fmt::format(
                    "for(i64 i=0;i<{0};++i)for(int u=0;u<9;++u)for(int j=0;j<{1};++j)"
                    "d[(i*9+u)*{1}+j]=p->a{2}[i*{3}+u*{4}+j];",
                    m.height, m.width, o.value, 9 * padded(m.width), padded(m.width));
            } else if (at(o.value).kind == Kind::kVectorSum) {
                all +=
                    fmt::format("for(int i=0;i<{};++i)d[i]=p->a{}[i];", at(o.value).width, o.value);
            } else {
                const auto& m = at(o.value);
                all += fmt::format(
                    "for(i64 i=0;i<{};++i)for(i64 j=0;j<{};++j)d[{}]=p->a{}[i*{}+j];", m.height,
                    m.width,
                    o.transposed ? fmt::format("j*{}+i", m.height) : fmt::format("i*{}+j", m.width),
                    o.value, padded(m.width));
            }
            all += "}\n";
        }
        return all;
    }

    std::string text() const {
        const auto name = forward() ? "forward" : "backward";
        std::string saved;
        for (std::size_t i = 0; i < saved_.size(); ++i) {
            const auto width = at(saved_[i]).kind == Kind::kRow ? 1 : padded(at(saved_[i]).width);
            saved += fmt::format("float*s{0}=(float*)call->saved[{0}].data+row*{1};(void)s{0};", i,
                                 width);
        }
        const auto f = g_.features;
        std::string out = fmt::format("namespace {} {{\n", name);
        out += fmt::format(
            "struct Shared{{char none AL;{}}};\nstruct Worker{{char none AL;{}}};\n"
            "struct Partial{{char none AL;{}}};\n",
            shared_, worker_, partial_);
        out += fmt::format(
            "static __attribute__((noinline)) void tile(const EsperKernelCall*call,const Shared*h,"
            "Worker*w,Partial*p,i64 row,int n){{\n(void)h;(void)w;(void)p;"
            "const float alpha=(float)call->alpha,beta=(float)call->beta;(void)alpha;(void)beta;\n"
            "const float*x=(const float*)call->x.data+row*{0};(void)x;\n"
            "const float*g={1};(void)g;\n"
            "float*out=call->{2}.data?(float*)call->{2}.data+row*{0}:nullptr;(void)out;\n{3}\n{4}}}"
            "\n",
            f, forward() ? "nullptr" : fmt::format("(const float*)call->gradient.data+row*{}", f),
            forward() ? "y" : "dx", saved, tile_with_plain_output());
        out += fmt::format(
            "static void pack_all(const "
            "EsperKernelCall*call,Shared*h){{(void)call;(void)h;\n{}}}\n",
            packs_);
        if (!forward())
            out += fmt::format(
                "static void give(const EsperKernelCall*call,const Partial*p){{(void)p;\n{}}}\n",
                gradients());
        return out + "}\n";
    }

    /// Where s does not depend on x (or there is no s), dx = beta · g.
    std::string tile_with_plain_output() const {
        const auto& out = forward() ? g_.y : g_.dx;
        if (out.value != TileOutput::kNothing) return tile_;
        const auto f = g_.features;
        return tile_ + fmt::format(
                           "if(out)for(int r=0;r<n;++r)for(int c=0;c<{0};c+=16)"
                           "stt<{1}>(out+r*{1}L,c,beta*ldt<{1}>(g+r*{1}L,c));\n",
                           padded(f), f);
    }

    const TileGraph& g_;
    EmitOptions options_;
    Pass pass_;
    const std::vector<std::size_t>& saved_;
    std::vector<Task> sinks_;
    std::set<std::size_t> operands_;  ///< of products
    std::set<std::size_t> paired_;    ///< of outer sums
    std::set<std::size_t> padded_;    ///< read with their neighbours
    std::set<std::size_t> columns_;   ///< read as rows of nine neighbours
    std::set<std::size_t> shifted_;   ///< read with the rows before and after
    std::int64_t shifts_ = 0;
    std::set<std::size_t> padded_there_;
    std::set<std::size_t> columns_there_;
    std::set<std::size_t> there_;     ///< row sums and products that have been computed
    std::set<std::size_t> in_tiles_;  ///< operands in the form that products read
    std::set<std::size_t> vectors_;
    std::set<std::string> packed_;
    std::string shared_, worker_, partial_, packs_, tile_;
};

}  // namespace

Result<std::string> write_pass(const TileGraph& graph, const EmitOptions& options, Pass pass,
                               const std::vector<std::size_t>& saved) {
    return KernelWriter(graph, options, pass, saved).write();
}

}  // namespace esper::tezzeret
