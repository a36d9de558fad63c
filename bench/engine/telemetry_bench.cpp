// Statistics of an activation: one fused pass, compared with ATen's operators for the same numbers.

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <limits>
#include <string>
#include <vector>

#include "bench_report.h"
#include "esper/engine/kernels/telemetry_statistics.h"

int main(int argc, char** argv) {
    at::set_num_threads(1);
    bench::Report report("telemetry");
    volatile double sink = 0;
    for (const std::int64_t rows : {16, 1024, 16384}) {
        constexpr std::int64_t kFeatures = 64;
        const auto x = at::relu(at::randn({rows, kFeatures}));
        std::vector<float> largest(kFeatures, -std::numeric_limits<float>::infinity());
        const auto ours = [&] {
            esper::execution::ActivationSums sums;
            esper::execution::add_statistics(x.const_data_ptr<float>(),
                                             static_cast<std::size_t>(rows), kFeatures, kFeatures,
                                             largest.data(), sums);
            sink = sums.sum + sums.squares + static_cast<double>(sums.zeros);
        };
        const auto aten = [&] {
            const auto sum = x.sum();
            const auto squares = x.square().sum();
            const auto zeros = (x == 0).sum();
            const auto top = x.amax(0);
            sink = sum.item<double>() + squares.item<double>() + zeros.item<double>() +
                   top.const_data_ptr<float>()[0];
        };
        const int calls = rows > 4096 ? 20 : 400;
        report.add_pairs(std::to_string(rows * kFeatures) + " values, 64 features", "ns",
                         bench::interleave(100, calls, ours, aten), "ATen, one thread");
    }
    return report.finish(argc, argv);
}
