// A kernel's way into a run: loaded from the library's bytes, on probation in a copy of the
// process, then called as it is.

#include "bench_report.h"
#include "esper/execution/kernels/branch_source.h"
#include "esper/execution/kernels/kernel_cache.h"
#include "esper/execution/kernels/kernel_guard.h"
#include "execution/kernels/test_kernels.h"

namespace {

using namespace esper;
using namespace esper::execution;
using esper::testing::bundle_of;
using esper::testing::compile_kernel;
using esper::testing::test_trust;
using esper::testing::TestCall;

std::vector<double> in_us(std::vector<double> ns) {
    for (double& x : ns) x /= 1000;
    return ns;
}

/// Memory that a copy of this process must have, too: a training run's.
std::vector<char> resident(std::size_t bytes) {
    std::vector<char> memory(bytes);
    for (std::size_t i = 0; i < bytes; i += 4096) memory[i] = 1;
    return memory;
}

}  // namespace

int main(int argc, char** argv) {
    bench::Report report("executor");
    const std::uint64_t id = kernel_id_of("double");
    const std::string bundle = bundle_of("double", compile_kernel(esper::testing::kDouble, "-O3"));
    VerifiedBranchSource source([&](std::uint64_t) { return std::string(bundle); },
                                test_trust().ring, [](std::uint64_t) { return KernelWant{}; });
    KernelCache cache({}, source);
    bench::keep(cache.get(id));
    report.add_goal("kernel load, cached", "us",
                    in_us(bench::sample(100, 1000, [&] { bench::keep(cache.get(id)); })), 10);
    report.add_goal("kernel load, verified and mapped", "us",
                    in_us(bench::sample(100, 3, [&] { bench::keep(source.load(id, bundle)); })),
                    1000);

    const auto& library = dynamic_cast<CachedBranch&>(*cache.get(id)->get()).library();
    const auto guard = value_or_throw(KernelGuard::make());
    TestCall call(1 << 14);
    const auto guarded = [&] {
        value_or_throw(guard.call(library.forward, *library.info, call.forward));
    };
    report.add_goal("guarded call, 64 K floats", "us", in_us(bench::sample(40, 5, guarded)), 5000);
    const auto memory = resident(std::size_t{1} << 30);
    bench::keep(memory);
    report.add_goal("guarded call, 64 K floats, beside 1 GiB", "us",
                    in_us(bench::sample(40, 2, guarded)), 20000);
    return report.finish(argc, argv);
}
