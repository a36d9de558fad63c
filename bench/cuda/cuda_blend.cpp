// On a GPU: the bandwidth of the blend kernels relative to the GPU's fastest copy of as many bytes,
// and how many seeds per second the GPU's state table moves. Not part of `make bench`:
//     ninja -C build/release bench_cuda && build/release/bin/bench_cuda --json
//     build/bench/cuda.json

#include <cuda_runtime.h>

#include <functional>

#include "bench_report.h"
#include "esper/execution/cuda/alpha_blend.h"
#include "esper/execution/cuda/state_table.h"
#include "esper/execution/states/state_layout.h"

namespace {

using namespace esper;
using namespace esper::execution;

/// Milliseconds on the GPU of `f`, which starts work on the default stream.
double gpu_ms(const std::function<void()>& f) {
    cudaEvent_t begin{};
    cudaEvent_t end{};
    cudaEventCreate(&begin);
    cudaEventCreate(&end);
    cudaEventRecord(begin);
    f();
    cudaEventRecord(end);
    cudaEventSynchronize(end);
    float ms = 0;
    cudaEventElapsedTime(&ms, begin, end);
    cudaEventDestroy(begin);
    cudaEventDestroy(end);
    return static_cast<double>(ms);
}

template <typename T>
void blends(bench::Report& report, const std::string& type) {
    constexpr std::size_t kBytes = std::size_t{1} << 30;
    const std::size_t n = kBytes / sizeof(T);
    const auto y = value_or_throw(cuda::DeviceMemory::allocate(kBytes));
    const auto s = value_or_throw(cuda::DeviceMemory::allocate(kBytes));
    const auto out = value_or_throw(cuda::DeviceMemory::allocate(kBytes));
    const auto sum = value_or_throw(cuda::DeviceMemory::allocate(sizeof(double)));
    const auto scratch =
        value_or_throw(cuda::DeviceMemory::allocate(cuda::kBackwardScratch * sizeof(double)));
    cudaMemset(y.as<void>(), 0, kBytes);
    cudaMemset(s.as<void>(), 0, kBytes);
    const auto copy = [&] {
        cudaMemcpyAsync(out.as<void>(), y.as<void>(), kBytes, cudaMemcpyDeviceToDevice);
    };
    const auto share = [&](const std::function<void()>& work) {
        std::vector<double> shares;
        for (int i = -3; i < 40; ++i) {
            const double ours = gpu_ms(work);
            const double peer = gpu_ms(copy);
            // The blend moves three arrays, the copy two.
            if (i >= 0) shares.push_back(3 * peer / (2 * ours));
        }
        return shares;
    };
    report.add_goal(
        "blend " + type + " forward, share of copy bandwidth", "share", share([&] {
            value_or_throw(cuda::alpha_blend(y.as<T>(), s.as<T>(), 0.3f, out.as<T>(), n));
        }),
        0.98, 0.5, bench::Better::kHigher);
    report.add_goal("blend " + type + " backward, share of copy bandwidth", "share", share([&] {
                        value_or_throw(cuda::alpha_blend_backward(
                            y.as<T>(), s.as<T>(), 0.3f, out.as<T>(), static_cast<T*>(nullptr), n,
                            sum.as<double>(), scratch.as<double>()));
                    }),
                    0.98, 0.5, bench::Better::kHigher);
}

void transitions(bench::Report& report) {
    constexpr std::uint32_t kSeeds = 1u << 20;
    auto table = value_or_throw(cuda::DeviceStateTable::create(StateTable(kSeeds).snapshot()));
    using enum contracts::SeedState;
    constexpr contracts::SeedState kCycle[] = {kGerminated, kCancelled, kDormant};
    std::vector<Transition> moves(kSeeds);
    std::vector<double> ns;
    for (std::size_t i = 0; i < 30; ++i) {
        for (std::uint32_t s = 0; s < kSeeds; ++s) {
            moves[s] = {.seed = s, .to = kCycle[i % 3], .kernel_id = 1};
        }
        const double start = bench::now_ns();
        bench::keep(value_or_throw(table.transition(moves)));
        ns.push_back((bench::now_ns() - start) / kSeeds);
    }
    report.add_goal("transition, a million at once, copies included", "ns", ns, 20);
}

}  // namespace

int main(int argc, char** argv) {
    const auto gpu = cuda::device_name();
    if (!gpu) {
        fmt::print(stderr, "nothing is measured: {}\n", gpu.error().to_string());
        return 1;
    }
    bench::Report report("cuda");
    report.set_version("gpu", *gpu);
    blends<float>(report, "fp32");
    blends<Bf16>(report, "bf16");
    transitions(report);
    return report.finish(argc, argv);
}
