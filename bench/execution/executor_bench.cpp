// The kernel executor: the cost of loading, checking and guarding kernels.

#include <sys/wait.h>
#include <unistd.h>

#include <cmath>

#include "bench_report.h"
#include "esper/execution/kernels/kernel_executor.h"
#include "execution/kernels/test_kernels.h"

namespace {

using namespace esper::execution;
using esper::testing::bundle_of;
using esper::testing::compile_kernel;
using esper::testing::test_trust;

std::vector<double> in_us(std::vector<double> ns) {
    for (double& x : ns) x /= 1000;
    return ns;
}

}  // namespace

int main(int argc, char** argv) {
    bench::Report report("executor");
    const std::uint64_t id = kernel_id_of("double");
    const std::string bundle = bundle_of("double", compile_kernel(esper::testing::kDouble, "-O3"));
    VerifiedKernelSource source([&](std::uint64_t) { return std::string(bundle); },
                                test_trust().ring);
    KernelCache cache({}, source);
    RecoveryManager recovery;
    std::vector<float> x(1 << 16, 1.0f), y(1 << 16);
    const KernelTensor in{x.data(), {1 << 16}, KernelDtype::kF32};
    const KernelTensor out{y.data(), {1 << 16}, KernelDtype::kF32};
    const std::span<const KernelTensor> ins(&in, 1), outs(&out, 1);

    bench::keep(cache.get(id));
    report.add_goal("kernel load, cached", "us",
                    in_us(bench::sample(100, 1000, [&] { bench::keep(cache.get(id)); })), 10);
    report.add_goal("kernel load, verified and mapped", "us",
                    in_us(bench::sample(100, 3,
                                        [&] {
                                            auto kernel = source.load(id, bundle);
                                            auto& k = dynamic_cast<LoadedKernel&>(**kernel);
                                            bench::keep(k.enter_process());
                                        })),
                    1000);

    KernelExecutor direct(cache, recovery, {.mode = ExecutionMode::kInProcess});
    KernelExecutor guarded(cache, recovery, {.mode = ExecutionMode::kGuarded});
    const KernelCall call{.kernel_id = id, .inputs = ins, .outputs = outs};
    auto& kernel = dynamic_cast<LoadedKernel&>(*cache.get(id)->get());
    bench::keep(kernel.enter_process());
    // The same protection in the simplest way: a plain call and a loop over std::isfinite.
    auto by_hand = [&] {
        bench::keep(kernel.run(ins, outs));
        bool good = true;
        for (float v : y) good = good && std::isfinite(v);
        bench::keep(good);
    };
    report.add_pairs("checked call in process, 64 K floats", "ns",
                     bench::interleave(
                         60, 100, [&] { bench::keep(direct.run(call)); }, by_hand),
                     "bare call and isfinite loop");
    auto forked = [&] {
        const pid_t child = ::fork();
        if (child == 0) {
            const bool good = kernel.run(ins, outs).has_value();
            ::_exit(good ? 0 : 1);
        }
        int status = 0;
        ::waitpid(child, &status, 0);
        bench::keep(status);
    };
    report.add_pairs("guarded call, 64 K floats", "ns",
                     bench::interleave(
                         40, 10, [&] { bench::keep(guarded.run(call)); }, forked),
                     "fork for each call");
    return report.finish(argc, argv);
}
