#include "esper/engine/branch_kernel.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <new>

#include "esper/engine/branch_workspace.h"
#include "esper/engine/kernels/parallel.h"
#include "esper/program/types.h"

namespace esper::graph {

namespace {

/// Memory for one call, kept for the next call of this thread.
class Workspace {
  public:
    EsperOut take(std::int64_t bytes) {
        if (bytes > size_) {
            memory_.reset(::operator new(static_cast<std::size_t>(bytes), std::align_val_t{64}));
            size_ = bytes;
        }
        return {memory_.get(), size_};
    }

  private:
    struct Free {
        void operator()(void* p) const { ::operator delete(p, std::align_val_t{64}); }
    };
    std::unique_ptr<void, Free> memory_;
    std::int64_t size_ = 0;
};

/// Pieces on libtorch's threads. Which thread computes a piece differs from run to run; what it
/// computes does not.
struct Pool {
    EsperPool face{};
    explicit Pool(std::int32_t workers) {
        face.self = this;
        face.workers = workers;
        face.run = [](void*, void (*task)(void*, std::int64_t, std::int32_t), void* argument,
                      std::int64_t pieces) {
            std::atomic<std::int32_t> next{0};
            kernels::parallel_for(pieces, 1, [&](std::int64_t begin, std::int64_t end) {
                const auto worker = next.fetch_add(1);
                for (auto i = begin; i < end; ++i) task(argument, i, worker);
            });
        };
    }
};

EsperIn in(const at::Tensor& t) {
    return {t.const_data_ptr(), static_cast<std::int64_t>(t.nbytes())};
}
EsperOut out(at::Tensor& t) {
    return {t.mutable_data_ptr(), static_cast<std::int64_t>(t.nbytes())};
}

/// What a call of either function needs.
struct Call {
    EsperKernelCall call{};
    std::vector<EsperIn> parameters;
    std::vector<EsperOut> saved;
    std::vector<EsperOut> gradients;
    std::int64_t room = 0;  ///< rows, whole tiles
    std::optional<Pool> pool;
};

Status check(const BranchKernel& kernel, const at::Tensor& x,
             const std::vector<at::Tensor>& parameters) {
    const auto& info = *kernel.info;
    if (x.scalar_type() != at::kFloat || x.dim() < 2 ||
        x.size(x.dim() == 4 ? 1 : -1) != info.features ||
        parameters.size() != static_cast<std::size_t>(info.parameters))
        return fail(GraphError::kShapeMismatch,
                    fmt::format("kernel {} takes f32 with {} features and {} parameters", kernel.id,
                                info.features, info.parameters));
    const auto whole = x.dim() == 4 ? x.size(2) * x.size(3) : x.dim() == 3 ? x.size(1) : 1;
    if (info.rows_multiple > 1 && info.rows_multiple != whole)
        return fail(GraphError::kShapeMismatch,
                    fmt::format("kernel {} takes images or sequences of {} rows, not {}", kernel.id,
                                info.rows_multiple, whole));
    return {};
}

/// Parts of a call, and how many of them run at the same time.
struct Split {
    std::int64_t pieces = 1;
    std::int32_t workers = 1;
};

std::int64_t tiles_of(const EsperKernelInfo& info, std::int64_t rows) {
    return (rows + info.tile_rows - 1) / info.tile_rows;
}

Split split_of(const EsperKernelInfo& info, std::int64_t rows) {
    const auto pieces = std::clamp<std::int64_t>(tiles_of(info, rows), 1, info.most_pieces);
    return {pieces,
            static_cast<std::int32_t>(std::clamp<std::int64_t>(at::get_num_threads(), 1, pieces))};
}

std::int64_t saved_floats(const EsperKernelInfo& info, std::int64_t room) {
    std::int64_t bytes = 0;
    for (int i = 0; i < info.saved; ++i) bytes += info.saved_bytes_per_row[i];
    return room * bytes / 4;
}

void prepare(Call& c, const BranchKernel& kernel, const at::Tensor& x,
             const std::vector<at::Tensor>& parameters, float* saved, double alpha, double beta) {
    static thread_local Workspace workspace;
    const auto& info = *kernel.info;
    const auto rows = x.numel() / info.features;
    c.room = tiles_of(info, rows) * info.tile_rows;
    const auto workers = split_of(info, rows).workers;
    for (const auto& p : parameters) c.parameters.push_back(in(p));
    auto* at = reinterpret_cast<char*>(saved);
    for (int i = 0; i < info.saved; ++i) {
        const auto bytes = c.room * info.saved_bytes_per_row[i];
        c.saved.push_back({at, bytes});
        at += bytes;
    }
    if (workers > 1) c.pool.emplace(workers);
    c.call.x = in(x);
    c.call.parameters = c.parameters.data();
    c.call.saved = c.saved.data();
    c.call.alpha = alpha;
    c.call.beta = beta;
    c.call.rows = rows;
    c.call.pool = c.pool ? &c.pool->face : nullptr;
    c.call.workspace = workspace.take(workspace_bytes(info, rows));
}

Status call_kernel(const BranchKernel& kernel, KernelPart part, const EsperKernelCall& call) {
    if (kernel.watch) return kernel.watch->call(kernel, part, call);
    const auto code = part == KernelPart::kForward ? kernel.forward(&call) : kernel.backward(&call);
    if (code == 0) return {};
    return fail(GraphError::kExecution, fmt::format("kernel {} returned {}", kernel.id, code));
}

}  // namespace

at::Tensor features_last(const at::Tensor& x) {
    return x.contiguous(x.dim() == 4 ? at::MemoryFormat::ChannelsLast
                                     : at::MemoryFormat::Contiguous);
}

std::int64_t workspace_bytes(const EsperKernelInfo& info, std::int64_t rows) {
    const auto [pieces, workers] = split_of(info, rows);
    return info.shared_bytes + workers * info.worker_bytes + pieces * info.partial_bytes;
}

Result<BranchForward> run_forward(const BranchKernel& kernel, const at::Tensor& x_,
                                  const std::vector<at::Tensor>& parameters, double alpha,
                                  double beta) {
    ESPER_CHECK_STATUS(check(kernel, x_, parameters));
    const auto x = features_last(x_);
    BranchForward made;
    made.y = at::empty_like(x);
    const auto& info = *kernel.info;
    const auto rows = x.numel() / info.features;
    const auto room = tiles_of(info, rows) * info.tile_rows;
    made.saved = at::empty({saved_floats(info, room)}, x.options());
    Call c;
    prepare(c, kernel, x, parameters, made.saved.mutable_data_ptr<float>(), alpha, beta);
    c.call.y = out(made.y);
    ESPER_CHECK_STATUS(call_kernel(kernel, KernelPart::kForward, c.call));
    return made;
}

Result<std::vector<at::Tensor>> run_backward(const BranchKernel& kernel,
                                             const at::Tensor& gradient_, const at::Tensor& x_,
                                             const std::vector<at::Tensor>& parameters,
                                             const at::Tensor& saved, double alpha, double beta,
                                             bool want_dx) {
    ESPER_CHECK_STATUS(check(kernel, x_, parameters));
    const auto x = features_last(x_);
    const auto gradient = features_last(gradient_.to(at::kFloat));
    std::vector<at::Tensor> made{want_dx ? at::empty_like(x) : at::Tensor()};
    for (const auto& p : parameters) made.push_back(at::empty_like(p));
    Call c;
    // Backward only reads what forward has saved; the interface has one type for both.
    prepare(c, kernel, x, parameters, const_cast<float*>(saved.const_data_ptr<float>()), alpha,
            beta);
    c.call.gradient = in(gradient);
    if (want_dx) c.call.dx = out(made[0]);
    for (std::size_t i = 1; i < made.size(); ++i) c.gradients.push_back(out(made[i]));
    c.call.parameter_gradients = c.gradients.data();
    ESPER_CHECK_STATUS(call_kernel(kernel, KernelPart::kBackward, c.call));
    return made;
}

}  // namespace esper::graph
