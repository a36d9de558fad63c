#pragma once

#include <cstdlib>
#include <fstream>
#include <map>
#include <sstream>
#include <string>

#include "base/temporary_folder.h"
#include "execution/kernels/test_trust.h"

namespace esper::testing {

/// The features of test kernels; they have one parameter, w, and save x.
inline constexpr std::int64_t kTestFeatures = 4;

/// A kernel's shared object, compiled here and now from the body of esper_kernel_forward, with `n`
/// numbers in x, y and saved. Backward computes dx = 2 g and dw = Σ g · saved. The same body is
/// compiled once per test program.
inline const std::string& compile_kernel(const std::string& body, const std::string& flags = "",
                                         const std::string& in_backward = "") {
    static std::map<std::string, std::string> made;
    auto& object = made[body + flags + in_backward];
    if (!object.empty()) return object;
    const TemporaryFolder folder;
    std::ofstream(folder / "kernel.c")
        << "#include <esper/kernel_abi.h>\n"
           "static const EsperKernelInfo info = {.abi = ESPER_BRANCH_KERNEL_ABI + ABI,\n"
           "    .parameters = 1, .saved = 1, .tile_rows = 1, .most_pieces = 1,\n"
           "    .rows_multiple = 1, .features = 4, .saved_bytes_per_row = {16},\n"
           "    .shared_bytes = 64};\n"
           "const EsperKernelInfo* esper_kernel_info(void) { return &info; }\n"
           "int32_t esper_kernel_forward(const EsperKernelCall* call) {\n"
           "    const float* x = call->x.data; float* y = call->y.data;\n"
           "    float* saved = call->saved[0].data; int64_t n = 4 * call->rows;\n"
           "    (void)x; (void)y; (void)saved; (void)n;\n"
        << body
        << "\n    return 0;\n}\n"
           "int32_t esper_kernel_backward(const EsperKernelCall* call) {\n"
           "    const float* g = call->gradient.data; float* dx = call->dx.data;\n"
           "    const float* saved = call->saved[0].data;\n"
           "    float* dw = call->parameter_gradients[0].data; dw[0] = 0;\n"
           "    for (int64_t i = 0; i < 4 * call->rows; ++i) {\n"
           "        dx[i] = 2 * g[i]; dw[0] += g[i] * saved[i];\n    }\n"
        << in_backward << "\n    return 0;\n}\n";
    const std::string command = "cc -shared -fPIC -O1 -nostdlib -DABI=0 " + flags + " -I" +
                                ESPER_SOURCE_DIR "/include -o " + (folder / "kernel.so").string() +
                                " " + (folder / "kernel.c").string();
    if (std::system(command.c_str()) != 0) return object;
    std::ifstream in(folder / "kernel.so", std::ios::binary);
    std::ostringstream bytes;
    bytes << in.rdbuf();
    object = bytes.str();
    return object;
}

inline const char* kDouble =
    "for (int64_t i = 0; i < n; ++i) { y[i] = 2 * x[i]; saved[i] = x[i]; }";

/// The memory of a call with `rows` rows.
struct TestCall {
    explicit TestCall(std::int64_t rows)
        : x(static_cast<std::size_t>(kTestFeatures * rows), 1.5F),
          y(x.size(), -1.0F),
          gradient(x.size(), 0.5F),
          dx(x.size(), -1.0F),
          saved(x.size(), -1.0F) {
        const auto in = [](const std::vector<float>& v) {
            return EsperIn{v.data(), static_cast<std::int64_t>(4 * v.size())};
        };
        const auto out = [](std::vector<float>& v) {
            return EsperOut{v.data(), static_cast<std::int64_t>(4 * v.size())};
        };
        parameter = {&w, 4};
        parameter_gradient = {&dw, 4};
        saved_out = out(saved);
        forward.x = in(x);
        forward.parameters = &parameter;
        forward.alpha = 1;
        forward.y = out(y);
        forward.saved = &saved_out;
        forward.workspace = {workspace, sizeof workspace};
        forward.rows = rows;
        backward = forward;
        backward.y = {};
        backward.gradient = in(gradient);
        backward.dx = out(dx);
        backward.parameter_gradients = &parameter_gradient;
    }
    TestCall(const TestCall&) = delete;
    TestCall& operator=(const TestCall&) = delete;

    std::vector<float> x, y, gradient, dx, saved;
    float w = 3, dw = -1;
    EsperKernelCall forward{}, backward{};

  private:
    EsperIn parameter{};
    EsperOut parameter_gradient{}, saved_out{};
    alignas(64) char workspace[64]{};
};

}  // namespace esper::testing
