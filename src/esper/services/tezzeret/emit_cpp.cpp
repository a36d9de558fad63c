#include "esper/services/tezzeret/emit_cpp.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "esper/kernel_abi.h"
#include "esper/services/tezzeret/kernel_writer.h"
#include "kernel_text.h"

namespace esper::tezzeret {

namespace {

constexpr int kMostPieces = 8;
constexpr std::int64_t kMostPixels = 64 * 64;

/// Products and row sums that do not depend on g and that backward reads.
std::vector<std::size_t> values_to_save(const TileGraph& g) {
    std::vector<std::size_t> saved;
    std::set<std::size_t> seen;
    const auto visit = [&](auto&& self, std::size_t v) -> void {
        if (!seen.insert(v).second) return;
        const auto& value = g.values[v];
        if (!value.needs_gradient &&
            (value.op == Op::kProduct || value.op == Op::kRowSum || value.op == Op::kDepthwise ||
             value.op == Op::kConvolution || value.op == Op::kCausal)) {
            saved.push_back(v);
            return;
        }
        for (auto a : value.args) self(self, a);
    };
    if (g.dx.value != TileOutput::kNothing) visit(visit, g.dx.value);
    for (const auto& o : g.parameter_gradients)
        if (o.value != TileOutput::kNothing) visit(visit, o.value);
    return saved;
}

}  // namespace

std::string kernel_prelude() { return std::string(kKernelAbi) + std::string(kKernelRuntime); }

Result<std::string> emit_cpp(const TileGraph& graph, const EmitOptions& options) {
    const bool images = graph.image_height > 0;
    if (graph.sequence > kMostPixels)
        return fail(TezzeretError::kUnsupported, "no rule for sequences of so many tokens");
    if (images && graph.pixels() > kMostPixels)
        return fail(TezzeretError::kUnsupported, "no rule for images of so many pixels");
    const auto saved = options.saves ? values_to_save(graph) : std::vector<std::size_t>();
    if (saved.size() >= ESPER_KERNEL_MAX_SAVED)
        return fail(TezzeretError::kUnsupported, "no rule for so many products in one branch");
    if (graph.y.value == TileOutput::kNothing)
        return fail(TezzeretError::kUnsupported, "no rule for a branch that computes nothing");
    ESPER_TRY(const auto forward, write_pass(graph, options, Pass::kForward, saved));
    ESPER_TRY(const auto backward, write_pass(graph, options, Pass::kBackward, saved));
    std::string per_row;
    for (auto v : saved)
        per_row += fmt::format(
            "{},", graph.values[v].kind == Kind::kRow ? 4 : 4 * padded(graph.values[v].width));
    std::string parameter_bytes;
    for (auto size : graph.parameter_sizes) parameter_bytes += fmt::format("{},", 4 * size);
    std::string out;
    if (options.panel > 0) out += fmt::format("#define PANEL_COLUMNS {}\n", options.panel);
    out += kernel_prelude();
    // Products compute whole blocks of rows: a tile has room for one more.
    const bool whole = images || graph.sequence > 0;
    const auto tile = images ? graph.pixels() : whole ? graph.sequence : options.tile_rows;
    out += fmt::format(
        "constexpr int T={},ROWS={},IH={},IW={};\nconstexpr bool WHOLE={};\n"
        "constexpr i64 FEATURES={},MOST_PIECES={};\n",
        tile, (tile + 15) / 16 * 16 + 16, graph.image_height,
        std::max<std::int64_t>(graph.image_width, 1), whole, graph.features, kMostPieces);
    out += forward + backward;
    out += fmt::format("static const i64 PARAMETER_BYTES[]={{{}0}};\n", parameter_bytes);
    out += fmt::format(
        "template<class A,class B>constexpr i64 larger(){{return "
        "sizeof(A)>sizeof(B)?sizeof(A):sizeof(B);}}\n"
        "static const EsperKernelInfo info={{{},{},{},T,MOST_PIECES,WHOLE?T:1,FEATURES,{{{}0}},"
        "larger<forward::Shared,backward::Shared>(),larger<forward::Worker,backward::Worker>(),"
        "larger<forward::Partial,backward::Partial>()}};\n",
        ESPER_BRANCH_KERNEL_ABI, graph.parameter_sizes.size(), saved.size(), per_row);
    return out + std::string(kKernelEntries);
}

}  // namespace esper::tezzeret
